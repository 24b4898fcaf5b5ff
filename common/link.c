/* ROUTER and DEALER with bounded queues both ways. Heartbeats end a connection whose other end has silently gone. Not
 * used: ZMQ_IMMEDIATE, which would keep a connecting socket from queueing while there is no connection, but also throws
 * away what had arrived and was not yet read when a connection ends - the last acknowledgement of an aggregator that
 * stops. Reference: zmq_setsockopt(3).
 *
 * CURVE belongs here: its keys become fields of struct nj_link_options, and set_options() the place where they go to
 * the socket. */
#include "common/link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define ENDPOINT_MAX      256
#define RECONNECT_MS      100
#define RECONNECT_MAX_MS  5000
#define HEARTBEAT_MS      5000
#define HEARTBEAT_LOST_MS 15000
#define MALFORMED_IN_A_ROW                                                                                             \
	64 /* before receive gives up for this time: a flood of nonsense must not keep the caller                      \
	    */

struct nj_link_context {
	void *zmq;
};

struct nj_link {
	void *socket;
	zmq_msg_t frame; /* what the last receive handed out */
	uint64_t malformed;
	bool listens;
	char endpoint[ENDPOINT_MAX];
};

int nj_link_context_new(struct nj_message *message, struct nj_link_context **ret_context)
{
	struct nj_link_context *context = calloc(1, sizeof *context);
	if (context != NULL)
		context->zmq = zmq_ctx_new();
	if (context == NULL || context->zmq == NULL) {
		free(context);
		return nj_fail(message, NJ_ERR_MEMORY, "link: out of memory");
	}
	*ret_context = context;
	return NJ_OK;
}

void nj_link_context_free(struct nj_link_context **context)
{
	if (*context == NULL)
		return;
	while (zmq_ctx_term((*context)->zmq) < 0 && errno == EINTR)
		;
	free(*context);
	*context = NULL;
}

static bool begins(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_loopback(const char *host)
{
	return begins(host, "127.") || begins(host, "localhost:") || begins(host, "[::1]:") ||
	       begins(host, "[::ffff:127.");
}

static int check_endpoint(const struct nj_link_options *options, struct nj_message *message)
{
	const char *endpoint = options->endpoint;
	if (strlen(endpoint) >= ENDPOINT_MAX)
		return nj_fail(message, NJ_ERR_USAGE, "endpoint longer than %d characters", ENDPOINT_MAX - 1);
	if (begins(endpoint, "inproc://") || begins(endpoint, "ipc://"))
		return NJ_OK;
	if (!begins(endpoint, "tcp://"))
		return nj_fail(message, NJ_ERR_USAGE, "endpoint '%s' begins with neither tcp://, ipc:// nor inproc://",
			       endpoint);
	if (!options->plain_tcp && !is_loopback(endpoint + strlen("tcp://")))
		return nj_fail(message, NJ_ERR_USAGE, "endpoint '%s': unencrypted tcp goes to loopback addresses only",
			       endpoint);
	return NJ_OK;
}

static bool set_int(void *socket, int option, int value)
{
	return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

static bool set_options(void *socket, const struct nj_link_options *options)
{
	int64_t frame_bytes_max = (int64_t)options->frame_bytes_max;
	int queue_max = (int)options->queue_max;
	bool done = set_int(socket, ZMQ_SNDHWM, queue_max) && set_int(socket, ZMQ_RCVHWM, queue_max) &&
		    set_int(socket, ZMQ_LINGER, (int)options->linger_ms) &&
		    set_int(socket, ZMQ_IPV6, strchr(options->endpoint, '[') != NULL) &&
		    set_int(socket, ZMQ_HEARTBEAT_IVL, HEARTBEAT_MS) &&
		    set_int(socket, ZMQ_HEARTBEAT_TIMEOUT, HEARTBEAT_LOST_MS) &&
		    zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &frame_bytes_max, sizeof frame_bytes_max) == 0;
	if (options->listen)
		return done && set_int(socket, ZMQ_ROUTER_MANDATORY, 1);
	return done && set_int(socket, ZMQ_RECONNECT_IVL, RECONNECT_MS) &&
	       set_int(socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS);
}

static int attach(struct nj_link *link, const struct nj_link_options *options, struct nj_message *message)
{
	int failed = options->listen ? zmq_bind(link->socket, options->endpoint)
				     : zmq_connect(link->socket, options->endpoint);
	if (failed)
		return nj_fail(message, errno == EINVAL ? NJ_ERR_USAGE : NJ_ERR_LINK, "cannot %s %s: %s",
			       options->listen ? "listen on" : "connect to", options->endpoint, zmq_strerror(errno));
	size_t size = sizeof link->endpoint;
	if (!options->listen || zmq_getsockopt(link->socket, ZMQ_LAST_ENDPOINT, link->endpoint, &size) != 0)
		snprintf(link->endpoint, sizeof link->endpoint, "%s", options->endpoint);
	return NJ_OK;
}

int nj_link_open(struct nj_link_context *context, const struct nj_link_options *options, struct nj_message *message,
		 struct nj_link **ret_link)
{
	int err = check_endpoint(options, message);
	if (err < 0)
		return err;
	struct nj_link *link = calloc(1, sizeof *link);
	if (link == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "link: out of memory");
	zmq_msg_init(&link->frame);
	link->listens = options->listen;
	link->socket = zmq_socket(context->zmq, options->listen ? ZMQ_ROUTER : ZMQ_DEALER);
	if (link->socket == NULL || !set_options(link->socket, options))
		err = nj_fail(message, NJ_ERR_LINK, "%s: %s", options->endpoint, zmq_strerror(errno));
	else
		err = attach(link, options, message);
	if (err < 0)
		nj_link_close(&link);
	else
		*ret_link = link;
	return err;
}

void nj_link_close(struct nj_link **link)
{
	if (*link == NULL)
		return;
	zmq_msg_close(&(*link)->frame);
	if ((*link)->socket != NULL)
		zmq_close((*link)->socket);
	free(*link);
	*link = NULL;
}

static int error_of(int error_number)
{
	switch (error_number) {
	case EAGAIN:
	case EINTR:
		return NJ_ERR_AGAIN;
	case EHOSTUNREACH:
		return NJ_ERR_NOT_FOUND;
	case ENOMEM:
		return NJ_ERR_MEMORY;
	default:
		return NJ_ERR_LINK;
	}
}

int nj_link_send(struct nj_link *link, const struct nj_link_peer *peer, const void *data, size_t size)
{
	if (link->listens && zmq_send(link->socket, peer->id, peer->size, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0)
		return error_of(errno);
	return zmq_send(link->socket, data, size, ZMQ_DONTWAIT) < 0 ? error_of(errno) : NJ_OK;
}

/* Throws away the rest of a message of more parts than ours have. */
static void drop_rest(struct nj_link *link)
{
	while (zmq_msg_more(&link->frame) && zmq_msg_recv(&link->frame, link->socket, ZMQ_DONTWAIT) >= 0)
		;
	link->malformed++;
}

/* The part that says who sent what follows. NJ_ERR_FORMAT: not as we send it; all of it was dropped. */
static int take_peer(struct nj_link *link, struct nj_link_peer *ret_peer)
{
	if (zmq_msg_recv(&link->frame, link->socket, ZMQ_DONTWAIT) < 0)
		return error_of(errno);
	size_t size = zmq_msg_size(&link->frame);
	if (size > NJ_LINK_PEER_BYTES_MAX || !zmq_msg_more(&link->frame)) {
		drop_rest(link);
		return NJ_ERR_FORMAT;
	}
	ret_peer->size = (uint8_t)size;
	memcpy(ret_peer->id, zmq_msg_data(&link->frame), size);
	return NJ_OK;
}

static int take_frame(struct nj_link *link, struct nj_link_frame *ret_frame)
{
	struct nj_link_frame frame = {0};
	int err = link->listens ? take_peer(link, &frame.peer) : NJ_OK;
	if (err < 0)
		return err;
	if (zmq_msg_recv(&link->frame, link->socket, ZMQ_DONTWAIT) < 0)
		return error_of(errno);
	if (zmq_msg_more(&link->frame)) {
		drop_rest(link);
		return NJ_ERR_FORMAT;
	}
	frame.data = zmq_msg_data(&link->frame);
	frame.size = zmq_msg_size(&link->frame);
	*ret_frame = frame;
	return NJ_OK;
}

int nj_link_receive(struct nj_link *link, int timeout_ms, struct nj_link_frame *ret_frame)
{
	zmq_pollitem_t item = {.socket = link->socket, .events = ZMQ_POLLIN};
	if (timeout_ms != 0 && zmq_poll(&item, 1, timeout_ms) < 0)
		return error_of(errno);
	for (int i = 0; i < MALFORMED_IN_A_ROW; i++) {
		int err = take_frame(link, ret_frame);
		if (err != NJ_ERR_FORMAT)
			return err;
	}
	return NJ_ERR_AGAIN;
}

bool nj_link_peer_equal(const struct nj_link_peer *a, const struct nj_link_peer *b)
{
	return a->size == b->size && memcmp(a->id, b->id, a->size) == 0;
}

uint64_t nj_link_malformed(const struct nj_link *link)
{
	return link->malformed;
}

const char *nj_link_endpoint(const struct nj_link *link)
{
	return link->endpoint;
}
