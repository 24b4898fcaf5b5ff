/* A frame is peeled like an onion: link header, tags and labels, IP, extension headers, transport; a tunnel starts
 * again at link or IP. Bytes are read through a datum, which knows for the bytes ahead both how many were on the wire
 * and how many of them were captured: a header the capture cut off is `truncated`, a length field that claims more than
 * its carrier had is `bad_*`. Lengths narrow the datum (Ethernet padding falls away at the IP length) and never widen
 * it.
 *
 * A tunnel is entered with a copy of the walk and a packet of its own. Only when the inside decodes does it replace the
 * carrier; each header is thus read once, and the cost is linear in their number, which depth bounds.
 *
 * References: IEEE 802.1Q, RFC 791, 8200, 3032, 4385, 2516, 2784, 2890, draft-foschiano-erspan, 7348, 8926, 3GPP
 * TS 29.281, LINKTYPE registry of tcpdump.org. */
#include "sensor/decode.h"

#include <assert.h>

enum {
	TYPE_IPV4 = 0x0800,
	TYPE_ARP = 0x0806,
	TYPE_ETHERNET = 0x6558, /* transparent Ethernet bridging, inside GRE and GENEVE */
	TYPE_VLAN = 0x8100,
	TYPE_IPV6 = 0x86dd,
	TYPE_MPLS = 0x8847,
	TYPE_MPLS_MULTICAST = 0x8848,
	TYPE_PPPOE = 0x8864,
	TYPE_QINQ = 0x88a8,
	TYPE_QINQ_OLD = 0x9100,
	TYPE_ERSPAN = 0x88be,
	TYPE_ERSPAN_3 = 0x22eb,
	TYPE_MIN = 0x0600, /* below it the field is an 802.3 length */
};

enum {
	IP_HOP_BY_HOP = 0,
	IP_IN_IP = 4,
	IP_IPV6 = 41,
	IP_ROUTING = 43,
	IP_FRAGMENT = 44,
	IP_GRE = 47,
	IP_AH = 51,
	IP_NONE = 59,
	IP_DESTINATION = 60,
	IP_MPLS = 137
};

enum {
	PORT_GTP_U = 2152,
	PORT_VXLAN = 4789,
	PORT_GENEVE = 6081,
	PORT_VXLAN_LINUX = 8472
}; /* the last: Linux's default before IANA gave one */

/* Bytes ahead; captured <= wire. */
struct datum {
	const uint8_t *at;
	uint32_t captured, wire;
};

/* What was learnt on the way down. */
struct walk {
	const struct nj_frame *frame;
	nj_segment segment;
	uint16_t tag;           /* VLAN id of the tag just before in the same Ethernet header, 0 none */
	uint8_t encapsulations; /* headers peeled before the IP header at hand */
	uint8_t depth;          /* those and extension headers */
};

typedef enum nj_drop decoder(struct walk *walk, struct datum d, struct nj_packet *ret);

static decoder decode_ethernet, decode_ip, decode_ipv4, decode_ipv6, decode_mpls;
static enum nj_drop decode_type(struct walk *walk, struct datum d, uint16_t type, struct nj_packet *ret);

static inline uint16_t be16(const uint8_t *b)
{
	return (uint16_t)(b[0] << 8 | b[1]);
}

static inline uint32_t be24(const uint8_t *b)
{
	return (uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2];
}

static inline uint32_t be32(const uint8_t *b)
{
	return (uint32_t)b[0] << 24 | be24(b + 1);
}

/* The next *n* captured bytes, consumed; NULL when fewer are there. */
static inline const uint8_t *take(struct datum *d, uint32_t n)
{
	if (d->captured < n)
		return NULL;
	const uint8_t *at = d->at;
	d->at += n;
	d->captured -= n;
	d->wire -= n;
	return at;
}

/* Consumes *n* bytes of the wire, captured or not. */
static inline void pass(struct datum *d, uint32_t n)
{
	uint32_t captured = n < d->captured ? n : d->captured;
	d->at += captured;
	d->captured -= captured;
	d->wire -= n < d->wire ? n : d->wire;
}

/* Narrows to the first *n* bytes. */
static inline void clip(struct datum *d, uint32_t n)
{
	if (d->wire > n)
		d->wire = n;
	if (d->captured > d->wire)
		d->captured = d->wire;
}

static inline bool deeper(struct walk *walk)
{
	return ++walk->depth <= NJ_DECODE_DEPTH_MAX;
}

static inline bool peeled(struct walk *walk)
{
	walk->encapsulations++;
	return deeper(walk);
}

/* Decodes the inside of a tunnel whose carrier is already in *ret*. Where the inside makes no sense the carrier stands.
 */
static enum nj_drop enter(struct walk *walk, struct datum d, decoder *inside, struct nj_packet *ret)
{
	struct nj_packet inner;
	if (!peeled(walk))
		return NJ_DROP_depth;
	enum nj_drop drop = inside(walk, d, &inner);
	if (drop == NJ_DROP_NONE || drop == NJ_DROP_FRAGMENT)
		*ret = inner;
	return drop == NJ_DROP_FRAGMENT || drop == NJ_DROP_depth ? drop : NJ_DROP_NONE;
}

/* ---- tunnels over UDP and GRE ---- */

static enum nj_drop decode_vxlan(struct walk *walk, struct datum d, struct nj_packet *ret)
{
	const uint8_t *h = take(&d, 8);
	if (h == NULL)
		return NJ_DROP_truncated;
	if ((h[0] & 0x08) == 0) /* the VNI is valid; all other bits are to be ignored (RFC 7348 5) */
		return NJ_DROP_non_ip;
	walk->segment = nj_segment_make(NJ_SEGMENT_VNI, be24(h + 4));
	return decode_ethernet(walk, d, ret);
}

static enum nj_drop decode_geneve(struct walk *walk, struct datum d, struct nj_packet *ret)
{
	const uint8_t *h = take(&d, 8);
	if (h == NULL)
		return NJ_DROP_truncated;
	uint16_t type = be16(h + 2);
	if (h[0] >> 6 != 0 || type < TYPE_MIN)
		return NJ_DROP_non_ip;
	if (take(&d, (h[0] & 0x3f) * 4u) == NULL)
		return NJ_DROP_truncated;
	walk->segment = nj_segment_make(NJ_SEGMENT_VNI, be24(h + 4));
	walk->tag = 0;
	return decode_type(walk, d, type, ret);
}

/* The extension headers of GTP-U: length in words first, type of the next one last. */
static bool pass_gtp_extensions(struct walk *walk, struct datum *d, uint8_t next)
{
	while (next != 0) {
		if (!deeper(walk) || d->captured < 1 || d->at[0] == 0)
			return false;
		uint32_t bytes = d->at[0] * 4u;
		const uint8_t *h = take(d, bytes);
		if (h == NULL)
			return false;
		next = h[bytes - 1];
	}
	return true;
}

static enum nj_drop decode_gtp_u(struct walk *walk, struct datum d, struct nj_packet *ret)
{
	const uint8_t *h = take(&d, 8);
	if (h == NULL)
		return NJ_DROP_truncated;
	if (h[0] >> 4 != 3 || h[1] != 255) /* version 1, protocol GTP; a G-PDU */
		return NJ_DROP_non_ip;
	clip(&d, be16(h + 2));
	if ((h[0] & 7) != 0) { /* any of extension, sequence, N-PDU: all three fields are there */
		const uint8_t *options = take(&d, 4);
		if (options == NULL)
			return NJ_DROP_truncated;
		if ((h[0] & 4) != 0 && !pass_gtp_extensions(walk, &d, options[3]))
			return NJ_DROP_truncated;
	}
	return decode_ip(walk, d, ret);
}

/* The mirrored frame's VLAN stands in the ERSPAN header, unless the frame brings a tag of its own. */
static void set_erspan_vlan(struct walk *walk, const uint8_t *h)
{
	uint16_t id = be16(h) & 0xfff;
	if (id != 0)
		walk->segment = nj_segment_make(NJ_SEGMENT_VLAN, id);
}

static enum nj_drop decode_erspan_2(struct walk *walk, struct datum d, struct nj_packet *ret)
{
	const uint8_t *h = take(&d, 8);
	if (h == NULL)
		return NJ_DROP_truncated;
	if (h[0] >> 4 != 1)
		return NJ_DROP_non_ip;
	set_erspan_vlan(walk, h);
	return decode_ethernet(walk, d, ret);
}

static enum nj_drop decode_erspan_3(struct walk *walk, struct datum d, struct nj_packet *ret)
{
	const uint8_t *h = take(&d, 12);
	if (h == NULL)
		return NJ_DROP_truncated;
	if (h[0] >> 4 != 2)
		return NJ_DROP_non_ip;
	set_erspan_vlan(walk, h);
	if ((h[11] & 1) != 0 && take(&d, 8) == NULL) /* platform-specific subheader */
		return NJ_DROP_truncated;
	uint8_t frame_type = h[10] >> 2 & 0x1f;
	return frame_type == 0   ? decode_ethernet(walk, d, ret)
	       : frame_type == 2 ? decode_ip(walk, d, ret)
				 : NJ_DROP_non_ip;
}

static enum nj_drop decode_gre(struct walk *walk, struct datum d, struct nj_packet *ret)
{
	const uint8_t *h = take(&d, 4);
	if (h == NULL)
		return NJ_DROP_truncated;
	uint16_t flags = be16(h), type = be16(h + 2);
	if ((flags & 0x4007) != 0 || type < TYPE_MIN) /* version 0 without source routing */
		return NJ_DROP_non_ip;
	uint32_t options = ((flags & 0x8000) != 0) + ((flags & 0x2000) != 0) + ((flags & 0x1000) != 0);
	if (take(&d, options * 4) == NULL)
		return NJ_DROP_truncated;
	if (type == TYPE_ERSPAN) /* type I has no sequence number and no header of its own */
		return (flags & 0x1000) != 0 ? decode_erspan_2(walk, d, ret) : decode_ethernet(walk, d, ret);
	if (type == TYPE_ERSPAN_3)
		return decode_erspan_3(walk, d, ret);
	walk->tag = 0;
	return decode_type(walk, d, type, ret);
}

/* ---- transport ---- */

static inline void set_payload(struct nj_packet *ret, const struct datum *d)
{
	ret->payload_wire_bytes = d->wire;
	ret->payload_bytes = d->captured;
	ret->payload = d->captured > 0 ? d->at : NULL;
}

/* The transport decoders get *claimed*, the length of d by the IP header. It exceeds d->wire when the capture file has
 * lost the frame's wire length; comparing with it keeps such files readable without letting a header claim more than
 * its IP packet. */
static inline enum nj_drop decode_tcp(struct datum d, uint32_t claimed, struct nj_packet *ret)
{
	if (claimed < 20)
		return NJ_DROP_bad_transport_length;
	if (d.captured < 20)
		return NJ_DROP_truncated;
	const uint8_t *h = d.at;
	uint32_t header_bytes = (h[12] >> 4) * 4u;
	if (header_bytes < 20 || header_bytes > claimed)
		return NJ_DROP_bad_transport_length;
	ret->src_port = be16(h);
	ret->dst_port = be16(h + 2);
	ret->tcp_sequence = be32(h + 4);
	ret->tcp_acknowledgement = be32(h + 8);
	ret->tcp_flags = h[13] & 0x3f;
	pass(&d, header_bytes);
	set_payload(ret, &d);
	return NJ_DROP_NONE;
}

static enum nj_drop decode_udp(struct walk *walk, struct datum d, uint32_t claimed, struct nj_packet *ret)
{
	if (claimed < 8)
		return NJ_DROP_bad_transport_length;
	const uint8_t *h = take(&d, 8);
	if (h == NULL)
		return NJ_DROP_truncated;
	uint32_t bytes = be16(h + 4);
	if (bytes == 0) /* longer than 65,535, or left to the network card */
		bytes = claimed;
	if (bytes < 8 || bytes > claimed)
		return NJ_DROP_bad_transport_length;
	clip(&d, bytes - 8);
	ret->src_port = be16(h);
	ret->dst_port = be16(h + 2);
	set_payload(ret, &d);
	switch (ret->dst_port) {
	case PORT_VXLAN:
	case PORT_VXLAN_LINUX:
		return enter(walk, d, decode_vxlan, ret);
	case PORT_GENEVE:
		return enter(walk, d, decode_geneve, ret);
	case PORT_GTP_U:
		return enter(walk, d, decode_gtp_u, ret);
	default:
		return NJ_DROP_NONE;
	}
}

static enum nj_drop decode_sctp(struct datum d, uint32_t claimed, struct nj_packet *ret)
{
	if (claimed < 12)
		return NJ_DROP_bad_transport_length;
	const uint8_t *h = take(&d, 12);
	if (h == NULL)
		return NJ_DROP_truncated;
	ret->src_port = be16(h);
	ret->dst_port = be16(h + 2);
	set_payload(ret, &d);
	return NJ_DROP_NONE;
}

/* ICMP and ICMPv6 alike: type, code, checksum, four bytes by type, payload. */
static enum nj_drop decode_icmp(struct datum d, uint32_t claimed, struct nj_packet *ret)
{
	if (claimed < 4)
		return NJ_DROP_bad_transport_length;
	if (d.captured < 4)
		return NJ_DROP_truncated;
	ret->icmp_type = d.at[0];
	ret->icmp_code = d.at[1];
	pass(&d, 8);
	set_payload(ret, &d);
	return NJ_DROP_NONE;
}

static inline enum nj_drop decode_transport(struct walk *walk, struct datum d, uint8_t protocol, uint32_t claimed,
					    struct nj_packet *ret)
{
	ret->protocol = protocol;
	if (protocol == NJ_PROTOCOL_TCP) /* most traffic: spare it the jump table */
		return decode_tcp(d, claimed, ret);
	if (protocol == NJ_PROTOCOL_UDP)
		return decode_udp(walk, d, claimed, ret);
	switch (protocol) {
	case NJ_PROTOCOL_ICMP:
	case NJ_PROTOCOL_ICMPV6:
		return decode_icmp(d, claimed, ret);
	case NJ_PROTOCOL_SCTP:
		return decode_sctp(d, claimed, ret);
	default:
		break;
	}
	set_payload(ret, &d);
	switch (protocol) {
	case IP_IN_IP:
		return enter(walk, d, decode_ipv4, ret);
	case IP_IPV6:
		return enter(walk, d, decode_ipv6, ret);
	case IP_GRE:
		return enter(walk, d, decode_gre, ret);
	case IP_MPLS:
		return enter(walk, d, decode_mpls, ret);
	default:
		return NJ_DROP_NONE;
	}
}

/* ---- IP ---- */

static inline void begin_packet(const struct walk *walk, const struct datum *d, uint8_t ip_version,
				struct nj_packet *ret)
{
	*ret = (struct nj_packet){
		.t_ns = walk->frame->t_ns,
		.segment = walk->segment,
		.ip_version = ip_version,
		.encapsulations = walk->encapsulations,
		.wire_bytes = walk->frame->wire_bytes,
		.ip = ip_version != 0 ? d->at : NULL,
		.ip_bytes = ip_version != 0 ? d->captured : 0,
		.frames = 1,
	};
}

/* *bytes_max*: what the whole datagram's payload can have at most, so that a "ping of death" is refused here. */
static enum nj_drop decode_fragment(struct datum d, uint32_t offset, bool more, uint32_t claimed, uint32_t bytes_max,
				    struct nj_packet *ret)
{
	if (claimed == 0 || offset + claimed > bytes_max || (more && claimed % 8 != 0))
		return NJ_DROP_fragment_range;
	ret->fragment_offset = (uint16_t)offset;
	ret->fragment_more = more;
	ret->payload_wire_bytes = claimed;
	ret->payload_bytes = d.captured;
	ret->payload = d.captured > 0 ? d.at : NULL;
	return NJ_DROP_FRAGMENT;
}

/* RFC 4302: one authentication header; its length field counts words less two. */
static enum nj_drop pass_ah(struct walk *walk, struct datum *d, uint8_t *protocol, uint32_t *claimed)
{
	if (!deeper(walk))
		return NJ_DROP_depth;
	if (*claimed < 12)
		return NJ_DROP_bad_ip;
	if (d->captured < 12)
		return NJ_DROP_truncated;
	uint32_t bytes = (d->at[1] + 2u) * 4;
	if (bytes < 12 || bytes > *claimed)
		return NJ_DROP_bad_ip;
	*protocol = d->at[0];
	*claimed -= bytes;
	pass(d, bytes);
	return NJ_DROP_NONE;
}

static enum nj_drop decode_ipv4(struct walk *walk, struct datum d, struct nj_packet *ret)
{
	if (d.captured < 20)
		return d.wire < 20 ? NJ_DROP_bad_ip : NJ_DROP_truncated;
	const uint8_t *ip = d.at;
	uint32_t header_bytes = (ip[0] & 0x0f) * 4u, total_bytes = be16(ip + 2);
	if (total_bytes == 0) /* the network card will split it: the frame's length counts */
		total_bytes = d.wire;
	if (ip[0] >> 4 != 4 || header_bytes < 20 || total_bytes < header_bytes)
		return NJ_DROP_bad_ip;
	clip(&d, total_bytes);
	begin_packet(walk, &d, 4, ret);
	if (take(&d, header_bytes) == NULL)
		return NJ_DROP_truncated;
	uint32_t claimed = total_bytes - header_bytes;
	uint8_t protocol = ip[9];
	uint16_t fragment = be16(ip + 6);
	ret->src = nj_addr_v4(ip + 12);
	ret->dst = nj_addr_v4(ip + 16);
	ret->ttl = ip[8];
	if ((fragment & 0x3fff) != 0) {
		ret->protocol = protocol;
		ret->fragment_id = be16(ip + 4);
		return decode_fragment(d, (fragment & 0x1fff) * 8u, (fragment & 0x2000) != 0, claimed,
				       65535 - header_bytes, ret);
	}
	if (protocol == IP_AH) {
		enum nj_drop drop = pass_ah(walk, &d, &protocol, &claimed);
		if (drop != NJ_DROP_NONE)
			return drop;
	}
	return decode_transport(walk, d, protocol, claimed, ret);
}

/* One extension header other than fragment and AH: next header, length in 8 bytes less one. */
static enum nj_drop pass_extension(struct walk *walk, struct datum *d, uint8_t *protocol, uint32_t *claimed)
{
	if (!deeper(walk))
		return NJ_DROP_depth;
	if (*claimed < 8)
		return NJ_DROP_bad_ip;
	if (d->captured < 8)
		return NJ_DROP_truncated;
	uint32_t bytes = (d->at[1] + 1u) * 8;
	if (bytes > *claimed)
		return NJ_DROP_bad_ip;
	*protocol = d->at[0];
	*claimed -= bytes;
	pass(d, bytes);
	return NJ_DROP_NONE;
}

/* Passes extension headers up to a transport header; NJ_DROP_FRAGMENT with *ret* set for a real fragment. An atomic one
 * (RFC 6946) is none. */
static enum nj_drop pass_extensions(struct walk *walk, struct datum *d, uint8_t *protocol, uint32_t *claimed,
				    struct nj_packet *ret)
{
	for (;;) {
		enum nj_drop drop;
		switch (*protocol) {
		case IP_HOP_BY_HOP:
		case IP_ROUTING:
		case IP_DESTINATION:
			drop = pass_extension(walk, d, protocol, claimed);
			break;
		case IP_AH:
			drop = pass_ah(walk, d, protocol, claimed);
			break;
		case IP_FRAGMENT: {
			if (*claimed < 8)
				return NJ_DROP_bad_ip;
			const uint8_t *h = take(d, 8);
			if (h == NULL)
				return NJ_DROP_truncated;
			*protocol = h[0];
			*claimed -= 8;
			ret->protocol = h[0];
			ret->fragment_id = be32(h + 4);
			if ((be16(h + 2) & 0xfff9) != 0)
				return decode_fragment(*d, be16(h + 2) & 0xfff8, (h[3] & 1) != 0, *claimed, 65535, ret);
			drop = deeper(walk) ? NJ_DROP_NONE : NJ_DROP_depth;
			break;
		}
		default:
			return NJ_DROP_NONE;
		}
		if (drop != NJ_DROP_NONE)
			return drop;
	}
}

static enum nj_drop decode_ipv6(struct walk *walk, struct datum d, struct nj_packet *ret)
{
	if (d.captured < 40)
		return d.wire < 40 ? NJ_DROP_bad_ip : NJ_DROP_truncated;
	const uint8_t *ip = d.at;
	if (ip[0] >> 4 != 6)
		return NJ_DROP_bad_ip;
	uint8_t protocol = ip[6];
	uint32_t claimed = be16(ip + 4);
	if (claimed == 0 && protocol != IP_NONE) /* a jumbogram (RFC 2675), or left to the network card */
		claimed = d.wire - 40;
	clip(&d, 40 + claimed);
	begin_packet(walk, &d, 6, ret);
	pass(&d, 40);
	memcpy(ret->src.byte, ip + 8, 16);
	memcpy(ret->dst.byte, ip + 24, 16);
	ret->ttl = ip[7];
	enum nj_drop drop = pass_extensions(walk, &d, &protocol, &claimed, ret);
	if (drop != NJ_DROP_NONE)
		return drop;
	return decode_transport(walk, d, protocol, claimed, ret);
}

static enum nj_drop decode_ip(struct walk *walk, struct datum d, struct nj_packet *ret)
{
	if (d.captured == 0)
		return NJ_DROP_truncated;
	return d.at[0] >> 4 == 4   ? decode_ipv4(walk, d, ret)
	       : d.at[0] >> 4 == 6 ? decode_ipv6(walk, d, ret)
				   : NJ_DROP_bad_ip;
}

static enum nj_drop decode_arp(const struct walk *walk, struct datum d, struct nj_packet *ret)
{
	const uint8_t *h = take(&d, 8);
	if (h == NULL)
		return NJ_DROP_truncated;
	uint32_t hardware_bytes = h[4];
	uint16_t operation = be16(h + 6);
	if (be16(h + 2) != TYPE_IPV4 || h[5] != 4)
		return NJ_DROP_bad_arp;
	begin_packet(walk, &d, 0, ret);
	const uint8_t *addresses = take(&d, 2 * (hardware_bytes + 4));
	if (addresses == NULL)
		return NJ_DROP_truncated;
	ret->protocol = NJ_PROTOCOL_ARP;
	ret->src = nj_addr_v4(addresses + hardware_bytes);
	ret->dst = nj_addr_v4(addresses + 2 * hardware_bytes + 4);
	ret->arp_operation = operation <= 255 ? (uint8_t)operation : 0;
	return NJ_DROP_NONE;
}

/* ---- between link and IP ---- */

static bool is_known_type(uint16_t type)
{
	switch (type) {
	case TYPE_IPV4:
	case TYPE_IPV6:
	case TYPE_ARP:
	case TYPE_VLAN:
	case TYPE_QINQ:
	case TYPE_QINQ_OLD:
	case TYPE_MPLS:
	case TYPE_MPLS_MULTICAST:
	case TYPE_PPPOE:
		return true;
	default:
		return false;
	}
}

/* Is there an Ethernet header *skip* bytes ahead, as far as its type tells? */
static bool looks_ethernet(const struct datum *d, uint32_t skip)
{
	return d->captured >= skip + 14 && is_known_type(be16(d->at + skip + 12));
}

static bool looks_ip(const struct datum *d)
{
	if (d->captured >= 20 && d->at[0] >> 4 == 4)
		return (d->at[0] & 0x0f) >= 5 && be16(d->at + 2) >= 20 && be16(d->at + 2) <= d->wire;
	return d->captured >= 40 && d->at[0] >> 4 == 6 && be16(d->at + 4) + 40u <= d->wire;
}

/* A label stack says nothing of what it carries. IP tells itself by its version and a length that fits; else it may be
 * an Ethernet pseudowire (RFC 4448), with a control word (first nibble 0) or without, where the first nibble belongs to
 * a MAC address. */
static enum nj_drop decode_mpls(struct walk *walk, struct datum d, struct nj_packet *ret)
{
	const uint8_t *label;
	do {
		label = take(&d, 4);
		if (label == NULL)
			return NJ_DROP_truncated;
		if (!deeper(walk))
			return NJ_DROP_depth;
	} while ((label[2] & 1) == 0);
	if (looks_ip(&d))
		return decode_ip(walk, d, ret);
	if (looks_ethernet(&d, 4) && d.at[0] >> 4 == 0)
		pass(&d, 4);
	else if (!looks_ethernet(&d, 0))
		return NJ_DROP_non_ip;
	return peeled(walk) ? decode_ethernet(walk, d, ret) : NJ_DROP_depth;
}

/* From the PPP protocol field on, which may be compressed to one odd byte (RFC 1661 6.5). */
static enum nj_drop decode_ppp(struct walk *walk, struct datum d, struct nj_packet *ret)
{
	if (d.captured < 1)
		return NJ_DROP_truncated;
	uint16_t protocol = d.at[0];
	if ((protocol & 1) == 0) {
		if (d.captured < 2)
			return NJ_DROP_truncated;
		protocol = be16(d.at);
		pass(&d, 1);
	}
	pass(&d, 1);
	if (protocol == 0x0021)
		return decode_ipv4(walk, d, ret);
	if (protocol == 0x0057)
		return decode_ipv6(walk, d, ret);
	if (protocol == 0x0281)
		return peeled(walk) ? decode_mpls(walk, d, ret) : NJ_DROP_depth;
	return NJ_DROP_non_ip;
}

static enum nj_drop decode_pppoe(struct walk *walk, struct datum d, struct nj_packet *ret)
{
	const uint8_t *h = take(&d, 6);
	if (h == NULL)
		return NJ_DROP_truncated;
	if (h[0] != 0x11 || h[1] != 0) /* version 1, type 1; session data */
		return NJ_DROP_non_ip;
	clip(&d, be16(h + 4));
	return decode_ppp(walk, d, ret);
}

/* 802.2: a SNAP header with an Ethernet type, or IP's own service access point. */
static enum nj_drop decode_llc(struct walk *walk, struct datum d, struct nj_packet *ret)
{
	if (d.captured < 3)
		return NJ_DROP_truncated;
	if (d.at[0] == 0x06 && d.at[1] == 0x06 && d.at[2] == 0x03) {
		pass(&d, 3);
		return decode_ipv4(walk, d, ret);
	}
	if (d.at[0] != 0xaa || d.at[1] != 0xaa || d.at[2] != 0x03)
		return NJ_DROP_non_ip;
	const uint8_t *h = take(&d, 8);
	if (h == NULL)
		return NJ_DROP_truncated;
	uint16_t type = be16(h + 6);
	return be24(h + 3) == 0 && type >= TYPE_MIN ? decode_type(walk, d, type, ret) : NJ_DROP_non_ip;
}

/* One tag: the VLAN of the frame, or with the tag before it a QinQ pair. */
static enum nj_drop pass_tag(struct walk *walk, struct datum *d, uint16_t *type)
{
	const uint8_t *h = take(d, 4);
	if (h == NULL)
		return NJ_DROP_truncated;
	if (!peeled(walk))
		return NJ_DROP_depth;
	uint16_t id = be16(h) & 0xfff;
	if (id != 0) {
		walk->segment = walk->tag != 0 ? nj_segment_make(NJ_SEGMENT_QINQ, (uint32_t)walk->tag << 12 | id)
					       : nj_segment_make(NJ_SEGMENT_VLAN, id);
		walk->tag = id;
	}
	*type = be16(h + 2);
	return NJ_DROP_NONE;
}

static enum nj_drop decode_type(struct walk *walk, struct datum d, uint16_t type, struct nj_packet *ret)
{
	while (type == TYPE_VLAN || type == TYPE_QINQ || type == TYPE_QINQ_OLD) {
		enum nj_drop drop = pass_tag(walk, &d, &type);
		if (drop != NJ_DROP_NONE)
			return drop;
	}
	switch (type) {
	case TYPE_IPV4:
		return decode_ipv4(walk, d, ret);
	case TYPE_IPV6:
		return decode_ipv6(walk, d, ret);
	case TYPE_ARP:
		return decode_arp(walk, d, ret);
	case TYPE_MPLS:
	case TYPE_MPLS_MULTICAST:
		return peeled(walk) ? decode_mpls(walk, d, ret) : NJ_DROP_depth;
	case TYPE_PPPOE:
		return peeled(walk) ? decode_pppoe(walk, d, ret) : NJ_DROP_depth;
	case TYPE_ETHERNET:
		return peeled(walk) ? decode_ethernet(walk, d, ret) : NJ_DROP_depth;
	default:
		return type < TYPE_MIN ? decode_llc(walk, d, ret) : NJ_DROP_non_ip;
	}
}

static enum nj_drop decode_ethernet(struct walk *walk, struct datum d, struct nj_packet *ret)
{
	const uint8_t *h = take(&d, 14);
	if (h == NULL)
		return NJ_DROP_truncated;
	walk->tag = 0;
	return decode_type(walk, d, be16(h + 12), ret);
}

/* ---- links ---- */

/* BSD loopback: an address family, in the byte order of the machine that captured (NULL) or of the network (LOOP). The
 * families of IPv6 are those of Linux, Windows, NetBSD and OpenBSD, FreeBSD, and macOS. */
static enum nj_drop decode_loopback(struct walk *walk, struct datum d, struct nj_packet *ret)
{
	const uint8_t *h = take(&d, 4);
	if (h == NULL)
		return NJ_DROP_truncated;
	uint32_t family = be32(h);
	if (family > 0xffff)
		family = __builtin_bswap32(family);
	switch (family) {
	case 2:
		return decode_ipv4(walk, d, ret);
	case 10:
	case 23:
	case 24:
	case 28:
	case 30:
		return decode_ipv6(walk, d, ret);
	default:
		return NJ_DROP_non_ip;
	}
}

/* Linux cooked: *type_at* says where in the header of *bytes* the Ethernet type stands. Types below TYPE_MIN are
 * Linux's own numbers; 4 is 802.2. */
static enum nj_drop decode_cooked(struct walk *walk, struct datum d, uint32_t bytes, uint32_t type_at,
				  struct nj_packet *ret)
{
	const uint8_t *h = take(&d, bytes);
	if (h == NULL)
		return NJ_DROP_truncated;
	uint16_t type = be16(h + type_at);
	if (type >= TYPE_MIN)
		return decode_type(walk, d, type, ret);
	return type == 4 ? decode_llc(walk, d, ret) : NJ_DROP_non_ip;
}

/* Cisco HDLC: address 0x0f or 0x8f, control 0, an Ethernet type. */
static enum nj_drop decode_hdlc(struct walk *walk, struct datum d, struct nj_packet *ret)
{
	const uint8_t *h = take(&d, 4);
	if (h == NULL)
		return NJ_DROP_truncated;
	uint16_t type = be16(h + 2);
	return type >= TYPE_MIN ? decode_type(walk, d, type, ret) : NJ_DROP_non_ip;
}

static enum nj_drop decode_ppp_link(struct walk *walk, struct datum d, struct nj_packet *ret)
{
	if (d.captured >= 2 && (d.at[0] & 0x7f) == 0x0f &&
	    d.at[1] == 0) /* captured on a line that turned out to be Cisco HDLC */
		return decode_hdlc(walk, d, ret);
	if (d.captured >= 2 && d.at[0] == 0xff && d.at[1] == 0x03) /* address and control, as in HDLC framing */
		pass(&d, 2);
	return decode_ppp(walk, d, ret);
}

static enum nj_drop decode_other_link(struct walk *walk, struct datum d, struct nj_packet *ret)
{
	switch (walk->frame->link_type) {
	case NJ_LINK_NULL:
	case NJ_LINK_LOOP:
		return decode_loopback(walk, d, ret);
	case NJ_LINK_RAW:
	case NJ_LINK_RAW_DLT_12:
	case NJ_LINK_RAW_DLT_14:
		return decode_ip(walk, d, ret);
	case NJ_LINK_IPV4:
		return decode_ipv4(walk, d, ret);
	case NJ_LINK_IPV6:
		return decode_ipv6(walk, d, ret);
	case NJ_LINK_LINUX_SLL:
		return decode_cooked(walk, d, 16, 14, ret);
	case NJ_LINK_LINUX_SLL2:
		return decode_cooked(walk, d, 20, 0, ret);
	case NJ_LINK_PPP:
		return decode_ppp_link(walk, d, ret);
	case NJ_LINK_HDLC:
		return decode_hdlc(walk, d, ret);
	default:
		return NJ_DROP_link_type;
	}
}

enum nj_drop nj_decode(const struct nj_frame *frame, struct nj_packet *ret_packet)
{
	assert(frame->captured_bytes <= frame->wire_bytes);
	struct walk walk = {.frame = frame};
	struct datum d = {.at = frame->data, .captured = frame->captured_bytes, .wire = frame->wire_bytes};
	if (frame->link_type == NJ_LINK_ETHERNET)
		return decode_ethernet(&walk, d, ret_packet);
	return decode_other_link(&walk, d, ret_packet);
}

enum nj_drop nj_decode_ip(const struct nj_frame *frame, nj_segment segment, uint8_t encapsulations,
			  struct nj_packet *ret_packet)
{
	assert(frame->captured_bytes <= frame->wire_bytes);
	struct walk walk = {
		.frame = frame, .segment = segment, .encapsulations = encapsulations, .depth = encapsulations};
	struct datum d = {.at = frame->data, .captured = frame->captured_bytes, .wire = frame->wire_bytes};
	return decode_ip(&walk, d, ret_packet);
}
