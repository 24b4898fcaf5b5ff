/* A frame as it was captured, and what decoding makes of it. Both are short-lived views: they borrow the captured bytes
 * and are valid until the next frame is read. Nothing here is ever stored. */
#ifndef NJ_SENSOR_PACKET_H
#define NJ_SENSOR_PACKET_H

#include "common/addr.h"

#include <stddef.h>
#include <stdint.h>

struct nj_frame {
	uint64_t t_ns;       /* event time, never going back (the source clamps and counts) */
	const uint8_t *data; /* captured bytes, borrowed */
	uint32_t captured_bytes;
	uint32_t wire_bytes; /* length on the wire, >= captured_bytes */
	int link_type;       /* LINKTYPE_ value, as in a capture file */
};

/* Transport protocols are IP protocol numbers; ARP gets a number no IP packet carries here (RFC 3692 experimental). */
enum {
	NJ_PROTOCOL_ICMP = 1,
	NJ_PROTOCOL_TCP = 6,
	NJ_PROTOCOL_UDP = 17,
	NJ_PROTOCOL_ICMPV6 = 58,
	NJ_PROTOCOL_SCTP = 132,
	NJ_PROTOCOL_ARP = 254
};

enum { NJ_TCP_FIN = 1, NJ_TCP_SYN = 2, NJ_TCP_RST = 4, NJ_TCP_PSH = 8, NJ_TCP_ACK = 16, NJ_TCP_URG = 32 };

struct nj_packet {
	uint64_t t_ns;
	struct nj_addr src, dst; /* innermost IP addresses; ARP: sender and target protocol address */
	nj_segment segment;
	uint16_t src_port, dst_port; /* TCP, UDP, SCTP; ICMP: both 0 (see icmp_*) */
	uint8_t protocol;            /* innermost transport, as above */
	uint8_t ip_version;          /* 4, 6; 0 for ARP */
	uint8_t ttl;
	uint8_t tcp_flags;
	uint32_t tcp_sequence, tcp_acknowledgement;
	uint8_t icmp_type, icmp_code;
	uint8_t arp_operation;       /* 1 request, 2 reply */
	uint8_t encapsulations;      /* how many headers were peeled before the innermost IP */
	uint32_t wire_bytes;         /* of the whole frame, or of all the frames it took */
	uint32_t payload_wire_bytes; /* above the transport header, by the IP length: what was sent, captured or not */
	uint32_t payload_bytes;      /* of it, how much is here */
	const uint8_t *payload;      /* borrowed; NULL when payload_bytes is 0 */
	const uint8_t *ip;           /* innermost IP header, borrowed, for nDPI; NULL for ARP */
	uint32_t ip_bytes;           /* captured from there on */
	uint32_t frames;             /* that this packet is made of: 1, or the fragments of a datagram */
	uint32_t fragment_id;        /* these three only for NJ_DROP_FRAGMENT (sensor/decode.h) */
	uint16_t fragment_offset;    /* in bytes */
	uint8_t fragment_more;
};

#endif
