/* Community ID version 1: a short name for a flow that Zeek, Suricata, Wireshark and others compute alike, so that
 * findings of different tools can be joined. "1:" and the base64 of SHA-1 over seed, addresses, protocol and ports, the
 * smaller end first, as the public specification has it (github.com/corelight/community-id-spec). Pure, any thread; one
 * SHA-1 of at most 40 bytes a call. */
#ifndef NJ_COMMON_COMMUNITY_ID_H
#define NJ_COMMON_COMMUNITY_ID_H

#include "common/addr.h"

#include <stdbool.h>
#include <stdint.h>

#define NJ_COMMUNITY_ID_TEXT_MAX 32 /* 30 characters, with the NUL */

/* The id of the flow that a packet from *src* to *dst* belongs to; both directions give the same. *protocol* is the IP
 * protocol number. For ICMP (1) and ICMPv6 (58) *src_port* carries the type and *dst_port* the code. Protocols without
 * ports ignore both. *seed* is 0 unless two networks with equal addresses must be told apart. Returns *text*. */
char *nj_community_id(uint16_t seed, uint8_t protocol, const struct nj_addr *src, const struct nj_addr *dst,
		      uint16_t src_port, uint16_t dst_port, char text[NJ_COMMUNITY_ID_TEXT_MAX]);

/* How the specification turns an ICMP message into ports: a message with an answering kind (echo, router solicitation,
 * ...) becomes (type, type of the answer); any other (type, code) and is one-way: its ends keep their order. */
struct nj_icmp_ports {
	uint16_t src, dst;
	bool one_way;
};

struct nj_icmp_ports nj_community_id_icmp(uint8_t protocol, uint8_t type, uint8_t code);

#endif
