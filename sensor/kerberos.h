/* Kerberos 5 requests, replies and errors (RFC 4120), in clear text but for the encrypted parts: who asks, for which
 * service, with which encryption types, and what went wrong. One message a UDP datagram, or a 4-byte length before each
 * on TCP. Read with a minimal DER reader that knows definite lengths only, checks each against its parent, and never
 * goes deeper than the fields it wants. Pure. */
#ifndef NJ_SENSOR_KERBEROS_H
#define NJ_SENSOR_KERBEROS_H

#include "sensor/parse.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NJ_KERBEROS_NAME_MAX          256 /* with the NUL; longer names are cut */
#define NJ_KERBEROS_ETYPES_MAX        16
#define NJ_KERBEROS_MESSAGE_BYTES_MAX (1u << 20) /* a longer TCP message is refused */

enum nj_kerberos_type {
	NJ_KERBEROS_AS_REQ = 10,
	NJ_KERBEROS_AS_REP = 11,
	NJ_KERBEROS_TGS_REQ = 12,
	NJ_KERBEROS_TGS_REP = 13,
	NJ_KERBEROS_ERROR = 30
};

enum {
	NJ_KERBEROS_PREAUTH_FAILED = 24,
	NJ_KERBEROS_PREAUTH_REQUIRED = 25,
	NJ_KERBEROS_UNKNOWN_CLIENT = 6,
	NJ_KERBEROS_REVOKED = 18
}; /* error */

enum { NJ_ETYPE_RC4 = 23 };

/* Valid only after NJ_PARSE_DONE. Texts are printable ASCII ('?' for the rest), empty when absent. */
struct nj_kerberos {
	uint8_t type;          /* enum nj_kerberos_type */
	bool preauthenticated; /* AS-REQ brings an encrypted timestamp, certificate or FAST armour */
	uint8_t etypes_n;      /* etypes asked for, kept; in order of preference */
	int32_t error;         /* KRB-ERROR: code; else 0 */
	int32_t ticket_etype;  /* replies: the ticket's encryption; else 0 */
	int32_t etypes[NJ_KERBEROS_ETYPES_MAX];
	char client[NJ_KERBEROS_NAME_MAX];  /* cname, components joined by '/' */
	char realm[NJ_KERBEROS_NAME_MAX];   /* requests and errors: the server's realm; replies: the client's */
	char service[NJ_KERBEROS_NAME_MAX]; /* sname, same; replies: of the ticket */
};

/* One datagram: DONE or NO. */
enum nj_parse nj_kerberos_datagram(const uint8_t *data, size_t size, struct nj_kerberos *ret_kerberos);

/* The next message of a TCP direction. DONE sets *ret_used*: go on behind it. Once the length prefix is there, ret_used
 * of a MORE is 4 + the length, so that a caller can skip a message that is too long to keep. */
enum nj_parse nj_kerberos_stream(const uint8_t *data, size_t size, struct nj_kerberos *ret_kerberos, size_t *ret_used);

#endif
