/* From a captured frame to its innermost IP packet and transport header, through every encapsulation on the way. Pure:
 * no allocation, state or clock; any thread. About 10 to 40 ns a frame; the worst case is bounded by
 * NJ_DECODE_DEPTH_MAX headers.
 *
 * Links: Ethernet (II, LLC/SNAP), Linux cooked v1 and v2, raw IP, BSD loopback, PPP, Cisco HDLC. Encapsulations:
 * 802.1Q, QinQ, MPLS (and Ethernet pseudowires), PPPoE, GRE v0, ERSPAN I-III, IP in IP, 6in4, VXLAN, GENEVE, GTP-U. A
 * tunnel whose content does not decode stays the packet it is by itself: UDP to port 4789, GRE without ports. So what
 * is inside is believed only if it validates. IP protocols without a parser (ESP, OSPF, IGMP, ...) are decoded with
 * both ports 0.
 *
 * The segment is the innermost of VLAN, QinQ and VNI. VLAN id 0 (priority tag) is no segment. */
#ifndef NJ_SENSOR_DECODE_H
#define NJ_SENSOR_DECODE_H

#include "sensor/drop.h"
#include "sensor/packet.h"

#define NJ_DECODE_DEPTH_MAX 16 /* headers peeled: tags, label stacks, tunnels, extension headers */

/* LINKTYPE_ values that nj_decode() knows. DLT_RAW is 12 or 14 in captures that were written by the wrong name. */
enum nj_link_type {
	NJ_LINK_NULL = 0,
	NJ_LINK_ETHERNET = 1,
	NJ_LINK_PPP = 9,
	NJ_LINK_RAW_DLT_12 = 12,
	NJ_LINK_RAW_DLT_14 = 14,
	NJ_LINK_RAW = 101,
	NJ_LINK_HDLC = 104,
	NJ_LINK_LOOP = 108,
	NJ_LINK_LINUX_SLL = 113,
	NJ_LINK_IPV4 = 228,
	NJ_LINK_IPV6 = 229,
	NJ_LINK_LINUX_SLL2 = 276,
};

/* NJ_DROP_NONE: *ret_packet* is the packet; its pointers *borrow* the frame's bytes. NJ_DROP_FRAGMENT: *ret_packet*
 * describes a fragment (fragment_* set, payload is the fragment's part of the IP payload, ports 0, segment and
 * addresses those of the fragmented datagram, which may be a tunnel's). A drop reason: *ret_packet* is undefined.
 * Callers other than tests use nj_fragment_decode(), which also counts. */
enum nj_drop nj_decode(const struct nj_frame *frame, struct nj_packet *ret_packet);

/* The same for bytes that start with an IP header somewhere inside a frame (a datagram put together again): *frame*'s
 * link type is ignored, *segment* holds unless a more inner one is found, *encapsulations* headers were peeled before.
 */
enum nj_drop nj_decode_ip(const struct nj_frame *frame, nj_segment segment, uint8_t encapsulations,
			  struct nj_packet *ret_packet);

#endif
