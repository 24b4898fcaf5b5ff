/* Remote procedure calls of Windows (DCE/RPC, MS-RPCE) in the bytes a client sends, over a named pipe in SMB or over
 * TCP: which interface was bound, which operation called. Looks for the heads of PDUs wherever they stand in a segment,
 * so neither SMB 1, 2 and 3 nor the stream need be taken apart; what SMB 3 encrypts is not seen, what RPC encrypts
 * (privacy) still shows its operation. A head is 16 to 24 fixed bytes with lengths that must agree and an interface is
 * 16 random ones, so that chance finds neither.
 *
 * Pure; any thread. Cost: a search for one byte over the segment. */
#ifndef NJ_SENSOR_RPC_H
#define NJ_SENSOR_RPC_H

#include <stddef.h>
#include <stdint.h>

#define NJ_RPC_CALLS_MAX 8 /* of one segment */
#define NJ_RPC_NONE      0 /* no interface of the table bound yet */

struct nj_rpc_call {
	const char *interface; /* "svcctl"; static */
	const char *operation; /* "CreateServiceW"; "" for the binding itself; static */
};

/* What the segment holds, at most NJ_RPC_CALLS_MAX; their number. *bound*: the interface that the flow's client bound
 * last, by its number in the table, brought up to date. Operations that the table does not name are passed over. */
unsigned nj_rpc_scan(const uint8_t *data, size_t size, uint8_t *bound, struct nj_rpc_call ret_calls[NJ_RPC_CALLS_MAX]);

#endif
