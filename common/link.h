/* A link between sensors and an aggregator: ZeroMQ sockets that carry single frames. The only file that knows ZeroMQ.
 * One side listens and has many peers (ROUTER), the other connects to one (DEALER); the endpoint decides whether that
 * is inproc://, ipc:// or tcp://. Frames of one connection keep their order; a frame may be lost when a connection
 * breaks, so who sends keeps what is not acknowledged. A link belongs to one thread, a context to any. Queues hold at
 * most queue_max frames each way and peer, which bounds memory by queue_max * frame_bytes_max a peer. */
#ifndef NJ_COMMON_LINK_H
#define NJ_COMMON_LINK_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NJ_LINK_PEER_BYTES_MAX 32

struct nj_link_context; /* links of one process meet over inproc:// when they share one */
struct nj_link;

struct nj_link_options {
	const char *endpoint;
	bool listen;            /* else connect */
	bool plain_tcp;         /* allow tcp:// to addresses other than loopback, unencrypted: for tests only */
	uint32_t queue_max;     /* frames */
	size_t frame_bytes_max; /* longer ones end the connection */
	uint32_t linger_ms;     /* how long close may wait for what was sent */
};

/* Which of a listener's peers. Given by the link, meaningless outside, new for each connection. */
struct nj_link_peer {
	uint8_t size;
	uint8_t id[NJ_LINK_PEER_BYTES_MAX];
};

struct nj_link_frame {
	struct nj_link_peer peer; /* of a listening link */
	const uint8_t *data;      /* *borrowed until* the next receive or close */
	size_t size;
};

NJ_MUST_CHECK int nj_link_context_new(struct nj_message *message, struct nj_link_context **ret_context);
void nj_link_context_free(struct nj_link_context **context); /* after its links are closed */

/* NJ_ERR_USAGE: an endpoint that is none, or plain tcp beyond loopback; NJ_ERR_LINK: cannot be bound. Connecting never
 * fails for want of a listener. *returns owned*. */
NJ_MUST_CHECK int nj_link_open(struct nj_link_context *context, const struct nj_link_options *options,
			       struct nj_message *message, struct nj_link **ret_link);
void nj_link_close(struct nj_link **link);

/* *peer* for a listening link, else NULL. Never waits. A connecting link queues while there is no connection.
 * NJ_ERR_AGAIN: queue full; NJ_ERR_NOT_FOUND: the peer has gone; NJ_ERR_LINK. */
NJ_MUST_CHECK int nj_link_send(struct nj_link *link, const struct nj_link_peer *peer, const void *data, size_t size);

/* Waits up to timeout_ms (0: not at all, -1: for ever). NJ_ERR_AGAIN: nothing came; NJ_ERR_LINK. What does not have our
 * shape is dropped and counted. */
NJ_MUST_CHECK int nj_link_receive(struct nj_link *link, int timeout_ms, struct nj_link_frame *ret_frame);

bool nj_link_peer_equal(const struct nj_link_peer *a, const struct nj_link_peer *b);
uint64_t nj_link_malformed(const struct nj_link *link); /* messages dropped for their shape */
const char *nj_link_endpoint(
	const struct nj_link *link); /* with the port chosen for "tcp://127.0.0.1:*"; *returns borrowed until* close */

#endif
