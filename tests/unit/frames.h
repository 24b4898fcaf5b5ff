/* Frames for tests: small packets built field by field, in buffers of their own. */
#ifndef NJ_TESTS_FRAMES_H
#define NJ_TESTS_FRAMES_H

#include "sensor/packet.h"

#include <string.h>

#define FRAME_BYTES_MAX 2048

struct frame_buffer {
	uint8_t byte[FRAME_BYTES_MAX];
	uint32_t bytes;
};

static inline void put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value & 0xffff);
}

/* Ethernet and IPv4 headers for *l4_bytes* behind them; addresses as numbers. *to_all*: to the Ethernet broadcast
 * address. */
static inline uint8_t *frame_ipv4(struct frame_buffer *f, uint32_t src, uint32_t dst, uint8_t protocol,
				  uint32_t l4_bytes, int to_all)
{
	memset(f, 0, 34);
	memset(f->byte, to_all ? 0xff : 0x02, 6);
	f->byte[6] = 0x02;
	put16(f->byte + 12, 0x0800);
	uint8_t *ip = f->byte + 14;
	ip[0] = 0x45;
	put16(ip + 2, 20 + l4_bytes);
	ip[8] = 64;
	ip[9] = protocol;
	put32(ip + 12, src);
	put32(ip + 16, dst);
	f->bytes = 34 + l4_bytes;
	return f->byte + 34;
}

struct tcp {
	uint32_t src, dst;
	uint16_t src_port, dst_port;
	uint8_t flags;
	uint32_t sequence, acknowledgement;
};

static inline void frame_tcp(struct frame_buffer *f, const struct tcp *t, const void *payload, uint32_t bytes)
{
	uint8_t *tcp = frame_ipv4(f, t->src, t->dst, NJ_PROTOCOL_TCP, 20 + bytes, 0);
	memset(tcp, 0, 20);
	put16(tcp, t->src_port);
	put16(tcp + 2, t->dst_port);
	put32(tcp + 4, t->sequence);
	put32(tcp + 8, t->acknowledgement);
	tcp[12] = 0x50;
	tcp[13] = t->flags;
	put16(tcp + 14, 65535);
	if (bytes > 0)
		memcpy(tcp + 20, payload, bytes);
}

static inline void frame_udp(struct frame_buffer *f, uint32_t src, uint16_t src_port, uint32_t dst, uint16_t dst_port,
			     const void *payload, uint32_t bytes)
{
	uint8_t *udp = frame_ipv4(f, src, dst, NJ_PROTOCOL_UDP, 8 + bytes, 0);
	put16(udp, src_port);
	put16(udp + 2, dst_port);
	put16(udp + 4, 8 + bytes);
	put16(udp + 6, 0);
	if (bytes > 0)
		memcpy(udp + 8, payload, bytes);
}

static inline void frame_icmp(struct frame_buffer *f, uint32_t src, uint32_t dst, uint8_t type, uint8_t code,
			      uint32_t rest, const void *payload, uint32_t bytes)
{
	uint8_t *icmp = frame_ipv4(f, src, dst, NJ_PROTOCOL_ICMP, 8 + bytes, 0);
	icmp[0] = type;
	icmp[1] = code;
	put16(icmp + 2, 0);
	put32(icmp + 4, rest);
	if (bytes > 0)
		memcpy(icmp + 8, payload, bytes);
}

static inline void frame_arp(struct frame_buffer *f, uint16_t operation, uint32_t sender, uint32_t target)
{
	memset(f, 0, 14 + 28);
	memset(f->byte, 0xff, 6);
	put16(f->byte + 12, 0x0806);
	uint8_t *arp = f->byte + 14;
	put16(arp, 1);
	put16(arp + 2, 0x0800);
	arp[4] = 6;
	arp[5] = 4;
	put16(arp + 6, operation);
	put32(arp + 14, sender);
	put32(arp + 24, target);
	f->bytes = 14 + 28;
}

#endif
