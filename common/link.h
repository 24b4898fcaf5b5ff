/* A link between sensors and an aggregator: ZeroMQ sockets that carry single frames. The only file that knows ZeroMQ.
 * One side listens and has many peers (ROUTER), the other connects to one (DEALER); the endpoint decides whether that
 * is inproc://, ipc:// or tcp://. Frames of one connection keep their order; a frame may be lost when a connection
 * breaks, so who sends keeps what is not acknowledged. A link belongs to one thread, a context to any. Queues hold at
 * most queue_max frames each way and peer, which bounds memory by queue_max * frame_bytes_max a peer.
 *
 * With keys the link is encrypted and both ends are who they say (CURVE, ZeroMQ RFC 26): the connecting one knows the
 * listener's public key, the listener asks admit() about each key that a peer has proved to own, and every frame names
 * its sender's key. Without keys tcp:// goes to loopback addresses only, and only when plain_tcp asks for it. A tcp
 * link has a thread of its own that counts what becomes of connections. */
#ifndef NJ_COMMON_LINK_H
#define NJ_COMMON_LINK_H

#include "common/curve_key.h"
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
	bool plain_tcp;         /* allow unencrypted tcp:// on loopback addresses; elsewhere it is never allowed */
	uint32_t queue_max;     /* frames */
	size_t frame_bytes_max; /* longer ones end the connection */
	uint32_t linger_ms;     /* how long close may wait for what was sent */

	const struct nj_curve_key *secret_key; /* own; NULL: no encryption. Keys are *borrowed until* open returns */
	const struct nj_curve_key *server_key; /* connecting with keys: the public key of the listener */
	bool (*admit)(void *context, const struct nj_curve_key *key); /* listening with keys: called by receive */
	void *admit_context;
	uint32_t connections_max; /* tcp:// listener: at so many it takes no more until some have ended; 0: no bound */
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
	const char *user; /* the sender's public key (common/curve_key.h) on a listening link with keys, else NULL;
			   *borrowed* like data */
};

/* Of a tcp link: connections = handshakes + keys_refused + handshakes_failed + those under way, as long as nobody talks
 * nonsense after a good handshake: libzmq tells that like a failed one, so it counts as both. */
struct nj_link_counts {
	uint64_t malformed;         /* messages dropped for their shape, on any link */
	uint64_t connections;       /* made, as tcp counts */
	uint64_t handshakes;        /* ended well */
	uint64_t keys_refused;      /* the listener did not admit the key */
	uint64_t handshakes_failed; /* otherwise: no or another encryption, another server key, silence; nonsense */
	uint64_t held_off;          /* times connections_max was reached */
	uint64_t connections_open;  /* now */
};

/* A new pair from the system's random numbers. NJ_ERR_LINK: this libzmq has no CURVE. */
NJ_MUST_CHECK int nj_link_new_keys(struct nj_curve_key *ret_public, struct nj_curve_key *ret_secret);
NJ_MUST_CHECK int nj_link_public_key(const struct nj_curve_key *secret, struct nj_curve_key *ret_public);

NJ_MUST_CHECK int nj_link_context_new(struct nj_message *message, struct nj_link_context **ret_context);
void nj_link_context_free(struct nj_link_context **context); /* after its links are closed */

/* Whether the options may be used at all, without opening anything: NJ_ERR_USAGE for an endpoint that is none, plain
 * tcp beyond loopback or not asked for, keys that are not complete. */
NJ_MUST_CHECK int nj_link_check(const struct nj_link_options *options, struct nj_message *message);

/* NJ_ERR_USAGE: see nj_link_check(); NJ_ERR_LINK: cannot be bound. Connecting never fails for want of a listener.
 * *returns owned*. */
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
struct nj_link_counts nj_link_counts(const struct nj_link *link);

/* Why the last handshake failed, as a sentence without a full stop, or NULL: none has, or one succeeded since. *returns
 * borrowed* static text. */
const char *nj_link_trouble(const struct nj_link *link);
const char *nj_link_endpoint(
	const struct nj_link *link); /* with the port chosen for "tcp://127.0.0.1:*"; *returns borrowed until* close */

#endif
