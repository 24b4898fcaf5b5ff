/* Addresses, segments and networks. An address is always 16 bytes (IPv4 as ::ffff:a.b.c.d, RFC 4291 2.5.5.2), so that
 * one comparison and one hash serve both families. A segment keeps equal addresses of different virtual networks apart.
 * Pure values, any thread. */
#ifndef NJ_COMMON_ADDR_H
#define NJ_COMMON_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct nj_addr {
	uint8_t byte[16];
};

/* kind << 24 | value. The innermost virtual network of a frame wins. */
typedef uint32_t nj_segment;

enum nj_segment_kind {
	NJ_SEGMENT_NONE = 0,
	NJ_SEGMENT_VLAN = 1, /* value: VLAN id */
	NJ_SEGMENT_QINQ = 2, /* value: outer id << 12 | inner id */
	NJ_SEGMENT_VNI = 3,  /* value: VXLAN or GENEVE network identifier */
};

static inline nj_segment nj_segment_make(enum nj_segment_kind kind, uint32_t value)
{
	return (uint32_t)kind << 24 | (value & 0xffffff);
}

/* The network identity whose behaviour is modelled. */
struct nj_agent_id {
	struct nj_addr addr;
	nj_segment segment;
};

struct nj_network {
	struct nj_addr addr;
	uint8_t prefix_bits; /* 0..128, of the 16-byte form: an IPv4 /8 is 104 */
};

#define NJ_ADDR_TEXT_MAX    46 /* with the NUL */
#define NJ_SEGMENT_TEXT_MAX 16
#define NJ_NETWORK_TEXT_MAX (NJ_ADDR_TEXT_MAX + 4)

static inline struct nj_addr nj_addr_v4(const uint8_t byte[4])
{
	struct nj_addr addr = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, byte[0], byte[1], byte[2], byte[3]}};
	return addr;
}

static inline bool nj_addr_is_v4(const struct nj_addr *addr)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	return memcmp(addr->byte, mapped, sizeof mapped) == 0;
}

static inline int nj_addr_compare(const struct nj_addr *a, const struct nj_addr *b)
{
	return memcmp(a->byte, b->byte, sizeof a->byte);
}

static inline bool nj_addr_equal(const struct nj_addr *a, const struct nj_addr *b)
{
	return nj_addr_compare(a, b) == 0;
}

static inline int nj_agent_id_compare(const struct nj_agent_id *a, const struct nj_agent_id *b)
{
	if (a->segment != b->segment)
		return a->segment < b->segment ? -1 : 1;
	return nj_addr_compare(&a->addr, &b->addr);
}

bool nj_addr_is_multicast(const struct nj_addr *addr);   /* 224/4, ff00::/8, and limited broadcast 255.255.255.255 */
bool nj_addr_is_unspecified(const struct nj_addr *addr); /* 0.0.0.0, :: */

/* Text forms. *text* holds at least the _MAX above; returns it. Segment: "", "vlan:7", "qinq:3.7", "vni:5000". */
char *nj_addr_text(const struct nj_addr *addr, char text[NJ_ADDR_TEXT_MAX]);
char *nj_segment_text(nj_segment segment, char text[NJ_SEGMENT_TEXT_MAX]);
char *nj_network_text(const struct nj_network *network, char text[NJ_NETWORK_TEXT_MAX]);

/* Parsers: true and *ret_* set, or false and *ret_* untouched. A network without /bits is one address; host bits must
 * be zero. */
bool nj_addr_parse(const char *text, struct nj_addr *ret_addr);
bool nj_segment_parse(const char *text, nj_segment *ret_segment);
bool nj_network_parse(const char *text, struct nj_network *ret_network);

bool nj_network_contains(const struct nj_network *network, const struct nj_addr *addr);

#endif
