/* Frames to packets: decoding, with IPv4 and IPv6 fragments put together again, and the count of every frame's fate.
 * Called by a worker for each frame, on the worker's thread; all memory is taken at start.
 *
 * Bounds: at most datagrams_max datagrams and blocks_max blocks of 2 KiB are held; when either runs out the oldest
 * datagram is dropped (fragment_limit). A datagram not complete timeout_ms after its first fragment is dropped
 * (fragment_incomplete). Time is that of the frames. Fragments that overlap otherwise than as exact duplicates drop the
 * whole datagram, and what comes of it later until the timeout (fragment_overlap): no two receivers agree on what such
 * a datagram says (RFC 5722 forbids it for IPv6). A datagram of more than NJ_FRAGMENT_PIECES_MAX pieces is dropped
 * (fragment_limit). Only captured bytes can be put together: with a short snapshot length the packet has the bytes up
 * to the first hole, and its full wire length.
 *
 * Memory: datagrams_max * 96 B + blocks_max * 2 KiB + a bucket of 4 B per datagram + 64 KiB of output;
 * nj_fragment_memory_bytes() is exact. Cost: one copy in, one copy out, and a walk over the pieces of the datagram only
 * when they come out of order. */
#ifndef NJ_SENSOR_FRAGMENT_H
#define NJ_SENSOR_FRAGMENT_H

#include "common/error.h"
#include "common/hash.h"
#include "sensor/drop.h"
#include "sensor/packet.h"

#include <stdbool.h>

#define NJ_FRAGMENT_PIECES_MAX 128 /* 65,535 bytes at the smallest MTU in use, 576 B, are 119 */
#define NJ_FRAGMENT_BLOCKS_MIN 192 /* one datagram of the largest size in the most pieces */

struct nj_fragment;

struct nj_fragment_options {
	uint32_t datagrams_max;             /* in reassembly at once, 1..2^20 */
	uint32_t blocks_max;                /* of 2 KiB, NJ_FRAGMENT_BLOCKS_MIN..2^22 */
	uint32_t timeout_ms;                /* of event time, after a datagram's first fragment */
	const struct nj_hash_key *hash_key; /* of the table; any key gives the same result */
};

/* 1,024 datagrams, 4,096 blocks (8 MiB), 30 s as in Linux; hash_key must be set by the caller. */
void nj_fragment_options_init(struct nj_fragment_options *options);

uint64_t nj_fragment_memory_bytes(const struct nj_fragment_options *options);

/* *keeps* the hash key pointer; *returns owned* through ret_fragment. NJ_ERR_MEMORY. Options out of range are the
 * caller's mistake (asserted). */
NJ_MUST_CHECK int nj_fragment_new(const struct nj_fragment_options *options, struct nj_fragment **ret_fragment);
void nj_fragment_free(struct nj_fragment **fragment);

/* Decodes a frame and counts its fate. True: *ret_packet* is a packet, of this frame or of the datagram that this frame
 * completed (then frames > 1, wire_bytes is the sum over its frames, t_ns that of the last one); it is *borrowed until*
 * the next call. False: dropped, or held for its datagram. */
bool nj_fragment_decode(struct nj_fragment *fragment, const struct nj_frame *frame, struct nj_packet *ret_packet);

/* Event time has reached t_ns: datagrams whose time is up are dropped. nj_fragment_decode() does this by itself for the
 * time of its frame; a worker calls this with a window's end before it closes the window, so that a drop is told in the
 * window in which the time ran out, however the calls came. */
void nj_fragment_expire(struct nj_fragment *fragment, uint64_t t_ns);

/* The source has ended: what is held is dropped as fragment_incomplete. */
void nj_fragment_finish(struct nj_fragment *fragment);

/* Running totals; seen = decoded + held + dropped holds after every call. The account of one window counts a frame as
 * seen when its fate is known: seen minus held, at both ends of the window. *returns borrowed until* free. */
const struct nj_frame_counts *nj_fragment_counts(const struct nj_fragment *fragment);

#endif
