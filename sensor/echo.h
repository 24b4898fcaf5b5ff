/* ICMP echo as a conversation: does a reply bring back what the request carried? Pure functions over 32 bytes a flow,
 * zeroed at its start; any thread. */
#ifndef NJ_SENSOR_ECHO_H
#define NJ_SENSOR_ECHO_H

#include "sensor/packet.h"

#include <assert.h>
#include <stdbool.h>

#define NJ_ECHO_REQUESTS 8
#define NJ_ECHO_LARGE    64 /* payload of an ordinary ping is 32 (Windows), 56 (BSD, Linux) or 48 bytes */

/* The last requests not yet answered, by a 16-bit digest each of identifier and sequence number, and of payload. */
struct nj_echo {
	uint16_t key[NJ_ECHO_REQUESTS]; /* 0: free */
	uint16_t payload[NJ_ECHO_REQUESTS];
};
static_assert(sizeof(struct nj_echo) == 32, "one per ICMP flow, in the place of the TCP gaps");

enum nj_echo_verdict { NJ_ECHO_MATCHED, NJ_ECHO_MISMATCHED, NJ_ECHO_UNSOLICITED, NJ_ECHO_UNKNOWN };

bool nj_echo_is_request(const struct nj_packet *packet);
bool nj_echo_is_reply(const struct nj_packet *packet);

void nj_echo_request(struct nj_echo *echo, const struct nj_packet *packet);

/* UNKNOWN: more requests are out than are remembered, so nobody can tell. */
enum nj_echo_verdict nj_echo_reply(struct nj_echo *echo, const struct nj_packet *packet);

/* Shannon entropy per payload byte in 1/1000 bit; 0 for none. About 1 us a kilobyte. */
uint32_t nj_echo_entropy_mbit(const uint8_t *payload, uint32_t bytes);

#endif
