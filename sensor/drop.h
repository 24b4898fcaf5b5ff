/* Why a frame was not decoded: one table, from which come the enum, the names that travel in a sensor's account
 * (common/batch.h) and the documentation. Every frame a sensor sees is decoded, held as a fragment of a datagram not
 * yet complete, or dropped for exactly one of these reasons; law 1 of the design is the equation in struct
 * nj_frame_counts. Plain values, no state; any thread. */
#ifndef NJ_SENSOR_DROP_H
#define NJ_SENSOR_DROP_H

#include <stdint.h>

/* X(name, meaning). Names are at most NJ_DROP_NAME_MAX - 1 characters and never change once shipped: receivers show
 * them as they are. */
#define NJ_DROPS(X)                                                                                                    \
	X(link_type, "link type that is not decoded")                                                                  \
	X(truncated, "the captured bytes end inside a header")                                                         \
	X(non_ip, "carries neither IP nor ARP (LLDP, spanning tree, PPP control, ...)")                                \
	X(bad_arp, "ARP that is not about IPv4 addresses")                                                             \
	X(bad_ip, "IP header with a wrong version or impossible length")                                               \
	X(bad_transport_length, "transport header with an impossible length")                                          \
	X(depth, "more nested headers than any sane network has")                                                      \
	X(fragment_range, "fragment of an impossible length or reaching past 65,535 bytes")                            \
	X(fragment_duplicate, "fragment that was already there, byte for byte")                                        \
	X(fragment_overlap, "fragment of a datagram whose fragments overlap, and all others of that datagram")         \
	X(fragment_limit, "fragment of a datagram that gave way to newer ones, or came in too many pieces")            \
	X(fragment_incomplete, "fragment of a datagram whose rest did not come in time")

enum nj_drop {
	NJ_DROP_NONE = 0, /* decoded */
#define NJ_DROP_ENUM(name, meaning) NJ_DROP_##name,
	NJ_DROPS(NJ_DROP_ENUM)
#undef NJ_DROP_ENUM
		NJ_DROPS_N, /* size of an array indexed by reason; [0] stays unused */
	/* No reason: what nj_decode() says of a fragment, for sensor/fragment.h to put to its datagram. */
	NJ_DROP_FRAGMENT,
};

/* seen = decoded + held + sum of dropped, after every frame; held is 0 once the source has ended. A packet put together
 * from n fragments is n frames decoded. */
struct nj_frame_counts {
	uint64_t seen;
	uint64_t decoded;
	uint64_t held; /* fragments in datagrams not yet complete; a level, not a total */
	uint64_t dropped[NJ_DROPS_N];
};

/* *returns borrowed* static text; "" for NJ_DROP_NONE and anything that is no reason. */
const char *nj_drop_name(enum nj_drop drop);
const char *nj_drop_meaning(enum nj_drop drop);

#endif
