/* A ping's reply repeats identifier, sequence number and payload of its request (RFC 792, RFC 4443). Tunnels answer
 * with data of their own, or without being asked. Sixteen bits of each suffice: one forged reply in 65,536 passes as
 * honest, and a tunnel sends many. */
#include "sensor/echo.h"

#include <math.h>

enum { ECHO_REPLY = 0, ECHO_REQUEST = 8, V6_ECHO_REQUEST = 128, V6_ECHO_REPLY = 129 };

bool nj_echo_is_request(const struct nj_packet *packet)
{
	return packet->protocol == NJ_PROTOCOL_ICMP
		       ? packet->icmp_type == ECHO_REQUEST
		       : packet->protocol == NJ_PROTOCOL_ICMPV6 && packet->icmp_type == V6_ECHO_REQUEST;
}

bool nj_echo_is_reply(const struct nj_packet *packet)
{
	return packet->protocol == NJ_PROTOCOL_ICMP
		       ? packet->icmp_type == ECHO_REPLY
		       : packet->protocol == NJ_PROTOCOL_ICMPV6 && packet->icmp_type == V6_ECHO_REPLY;
}

/* FNV-1a, folded: it need not be keyed, since who forges a match only hides as an ordinary ping. */
static uint16_t digest(const uint8_t *data, uint32_t bytes)
{
	uint32_t hash = 2166136261u;
	for (uint32_t i = 0; i < bytes; i++)
		hash = (hash ^ data[i]) * 16777619u;
	return (uint16_t)(hash ^ hash >> 16);
}

/* Identifier and sequence number are the four bytes before the payload; without payload they are out of reach, and all
 * such packets alike. */
static uint16_t key_of(const struct nj_packet *packet)
{
	uint16_t key = packet->payload != NULL ? digest(packet->payload - 4, 4) : 1;
	return key != 0 ? key : 1;
}

void nj_echo_request(struct nj_echo *echo, const struct nj_packet *packet)
{
	uint16_t key = key_of(packet);
	unsigned at = 0;
	while (at < NJ_ECHO_REQUESTS - 1 && echo->key[at] != 0 && echo->key[at] != key)
		at++;
	if (echo->key[at] != 0 && echo->key[at] != key) { /* all taken: the oldest is forgotten */
		for (unsigned i = 0; i + 1 < NJ_ECHO_REQUESTS; i++) {
			echo->key[i] = echo->key[i + 1];
			echo->payload[i] = echo->payload[i + 1];
		}
	}
	echo->key[at] = key;
	echo->payload[at] = digest(packet->payload, packet->payload_bytes);
}

enum nj_echo_verdict nj_echo_reply(struct nj_echo *echo, const struct nj_packet *packet)
{
	uint16_t key = key_of(packet);
	unsigned at = 0;
	while (at < NJ_ECHO_REQUESTS && echo->key[at] != 0 && echo->key[at] != key)
		at++;
	if (at == NJ_ECHO_REQUESTS)
		return NJ_ECHO_UNKNOWN;
	if (echo->key[at] == 0)
		return NJ_ECHO_UNSOLICITED;
	bool same = echo->payload[at] == digest(packet->payload, packet->payload_bytes);
	for (; at + 1 < NJ_ECHO_REQUESTS; at++) {
		echo->key[at] = echo->key[at + 1];
		echo->payload[at] = echo->payload[at + 1];
	}
	echo->key[at] = 0;
	return same ? NJ_ECHO_MATCHED : NJ_ECHO_MISMATCHED;
}

uint32_t nj_echo_entropy_mbit(const uint8_t *payload, uint32_t bytes)
{
	uint32_t count[256] = {0};
	double sum = 0;
	if (bytes == 0)
		return 0;
	for (uint32_t i = 0; i < bytes; i++)
		count[payload[i]]++;
	for (unsigned i = 0; i < 256; i++)
		sum += count[i] > 1 ? count[i] * log2(count[i]) : 0;
	return (uint32_t)llround((log2(bytes) - sum / bytes) * 1000);
}
