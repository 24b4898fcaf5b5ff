/* ROUTER and DEALER with bounded queues both ways. Heartbeats end a connection whose other end has silently gone. Not
 * used: ZMQ_IMMEDIATE, which would keep a connecting socket from queueing while there is no connection, but also throws
 * away what had arrived and was not yet read when a connection ends - the last acknowledgement of an aggregator that
 * stops. Reference: zmq_setsockopt(3), zmq_curve(7).
 *
 * libzmq asks about keys by messages to inproc://zeromq.zap.01 of the same context (common/zap.h). They are answered
 * inside receive, on the thread of the link: no lock, nothing that could wait for itself. While that thread is busy,
 * newcomers wait; HANDSHAKE_MS ends those who wait too long, and they come again.
 *
 * What becomes of connections is told by a monitor socket. libzmq's own thread writes to it and would stand still when
 * it is full, so a thread of ours does nothing but read it. It also minds the door: at connections_max the kernel is
 * told to drop whoever else knocks, without a word. A flood then costs neither descriptors nor memory, and
 * those within notice nothing.
 *
 * A connecting socket gives up for good when a handshake ends in a refusal; it is told to connect again, because the
 * key may be authorised later. */
#include "common/link.h"

#include "common/door.h"
#include "common/zap.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

#define ENDPOINT_MAX       256
#define RECONNECT_MS       100
#define RECONNECT_MAX_MS   5000
#define HEARTBEAT_MS       5000
#define HEARTBEAT_LOST_MS  15000
#define HANDSHAKE_MS       10000 /* a peer that has not proved itself by then is gone */
#define WAIT_MS            1000  /* between two looks at whether to connect again */
#define QUESTIONS_IN_A_ROW 64    /* about keys, before frames have their turn */
#define MALFORMED_IN_A_ROW                                                                                             \
	64 /* before receive gives up for this time: a flood of nonsense must not keep the caller                      \
	    */
#define ZAP_DOMAIN "nightjar"

enum trouble { NO_TROUBLE, KEY_REFUSED, ENCRYPTION_DIFFERS, HUNG_UP, NONSENSE };

struct nj_link_context {
	void *zmq;
};

/* What becomes of connections. The watching thread alone writes, and alone touches what is not atomic. */
struct watch {
	void *monitor; /* NULL: there is no thread */
	pthread_t thread;
	_Atomic uint64_t connections, handshakes, keys_refused, handshakes_failed, held_off, open;
	_Atomic enum trouble trouble;
	atomic_bool given_up; /* the connecting socket will not try again by itself; the link's thread clears it */
	uint64_t connections_max;
	int listener; /* descriptor, or -1 */
	bool door_closed;
};

struct nj_link {
	void *socket;
	void *zap; /* where questions about keys come in, or NULL */
	bool (*admit)(void *context, const struct nj_curve_key *key);
	void *admit_context;
	zmq_msg_t frame; /* what the last receive handed out */
	uint64_t malformed;
	int64_t again_ms; /* when to connect again; 0: no need */
	bool listens, keyed;
	struct watch watch;
	char endpoint[ENDPOINT_MAX];
};

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool set_int(void *socket, int option, int value)
{
	return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

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

/* =============================== keys =============================== */

int nj_link_new_keys(struct nj_curve_key *ret_public, struct nj_curve_key *ret_secret)
{
	char public_text[NJ_CURVE_TEXT_BYTES], secret_text[NJ_CURVE_TEXT_BYTES];
	bool made = zmq_curve_keypair(public_text, secret_text) == 0 &&
		    nj_curve_key_parse(public_text, strlen(public_text), ret_public) &&
		    nj_curve_key_parse(secret_text, strlen(secret_text), ret_secret);
	explicit_bzero(secret_text, sizeof secret_text);
	return made ? NJ_OK : NJ_ERR_LINK;
}

int nj_link_public_key(const struct nj_curve_key *secret, struct nj_curve_key *ret_public)
{
	char public_text[NJ_CURVE_TEXT_BYTES], secret_text[NJ_CURVE_TEXT_BYTES];
	nj_curve_key_text(secret, secret_text);
	bool made = zmq_curve_public(public_text, secret_text) == 0 &&
		    nj_curve_key_parse(public_text, strlen(public_text), ret_public);
	explicit_bzero(secret_text, sizeof secret_text);
	return made ? NJ_OK : NJ_ERR_LINK;
}

static void answer_question(struct nj_link *link, const struct nj_zap_part *parts, unsigned parts_n)
{
	struct nj_zap_question question;
	struct nj_zap_part answer[NJ_ZAP_ANSWER_PARTS];
	char user[NJ_CURVE_TEXT_BYTES] = "";
	bool admitted = nj_zap_parse(parts, parts_n, &question) && link->admit(link->admit_context, &question.key);
	if (admitted)
		nj_curve_key_text(&question.key, user);
	nj_zap_answer(&question, admitted, user, answer);
	for (unsigned i = 0; i < NJ_ZAP_ANSWER_PARTS; i++) {
		int flags = ZMQ_DONTWAIT | (i + 1 < NJ_ZAP_ANSWER_PARTS ? ZMQ_SNDMORE : 0);
		if (zmq_send(link->zap, answer[i].data, answer[i].size, flags) < 0)
			return; /* who asked has gone */
	}
}

/* One part more is kept than a question has, so that a longer one is told apart. */
static bool take_question(struct nj_link *link)
{
	enum { KEPT = NJ_ZAP_QUESTION_PARTS + 1 };
	zmq_msg_t messages[KEPT];
	struct nj_zap_part parts[KEPT];
	unsigned n = 0;
	bool more = true;
	for (unsigned i = 0; i < KEPT; i++)
		zmq_msg_init(&messages[i]);
	while (more) {
		zmq_msg_t *at = &messages[n < KEPT ? n : KEPT - 1];
		more = zmq_msg_recv(at, link->zap, ZMQ_DONTWAIT) >= 0;
		n += more;
		more = more && zmq_msg_more(at);
	}
	n = n < KEPT ? n : KEPT;
	for (unsigned i = 0; i < n; i++)
		parts[i] = (struct nj_zap_part){zmq_msg_data(&messages[i]), zmq_msg_size(&messages[i])};
	if (n > 0)
		answer_question(link, parts, n);
	for (unsigned i = 0; i < KEPT; i++)
		zmq_msg_close(&messages[i]);
	return n > 0;
}

static void answer_questions(struct nj_link *link)
{
	for (int i = 0; link->zap != NULL && i < QUESTIONS_IN_A_ROW && take_question(link); i++)
		;
}

/* There is one answerer a context. Were it missing, libzmq would let everyone in; their frames would have no user, and
 * a listener's owner takes nothing from nobody. */
static bool require_keys(struct nj_link *link, struct nj_link_context *context, const struct nj_link_options *options)
{
	link->admit = options->admit;
	link->admit_context = options->admit_context;
	link->zap = zmq_socket(context->zmq, ZMQ_REP);
	return link->zap != NULL && set_int(link->zap, ZMQ_LINGER, 0) && zmq_bind(link->zap, NJ_ZAP_ENDPOINT) == 0 &&
	       set_int(link->socket, ZMQ_CURVE_SERVER, 1) &&
	       zmq_setsockopt(link->socket, ZMQ_ZAP_DOMAIN, ZAP_DOMAIN, strlen(ZAP_DOMAIN)) == 0 &&
	       zmq_setsockopt(link->socket, ZMQ_CURVE_SECRETKEY, options->secret_key->bytes, NJ_CURVE_KEY_BYTES) == 0;
}

static bool show_keys(struct nj_link *link, const struct nj_link_options *options)
{
	struct nj_curve_key public_key;
	return nj_link_public_key(options->secret_key, &public_key) == NJ_OK &&
	       zmq_setsockopt(link->socket, ZMQ_CURVE_SERVERKEY, options->server_key->bytes, NJ_CURVE_KEY_BYTES) == 0 &&
	       zmq_setsockopt(link->socket, ZMQ_CURVE_PUBLICKEY, public_key.bytes, NJ_CURVE_KEY_BYTES) == 0 &&
	       zmq_setsockopt(link->socket, ZMQ_CURVE_SECRETKEY, options->secret_key->bytes, NJ_CURVE_KEY_BYTES) == 0;
}

/* =============================== the watch =============================== */

static void set_door(struct watch *watch, bool closed)
{
	if (watch->listener < 0 || watch->door_closed == closed || !nj_door_set(watch->listener, closed))
		return;
	watch->door_closed = closed;
	atomic_fetch_add(&watch->held_off, closed);
}

/* Closed when the last place is taken, open when a quarter is free. */
static void mind_door(struct watch *watch)
{
	uint64_t open = atomic_load(&watch->open), max = watch->connections_max;
	if (max > 0 && open >= max)
		set_door(watch, true);
	else if (open <= max - max / 4)
		set_door(watch, false);
}

static void note_failure(struct watch *watch, enum trouble trouble)
{
	atomic_fetch_add(trouble == KEY_REFUSED ? &watch->keys_refused : &watch->handshakes_failed, 1);
	atomic_store(&watch->trouble, trouble);
	if (trouble != HUNG_UP) /* after that libzmq connects again by itself */
		atomic_store(&watch->given_up, true);
}

static void note_event(struct watch *watch, uint16_t event, uint32_t value)
{
	switch (event) {
	case ZMQ_EVENT_LISTENING:
		watch->listener = (int)value;
		break;
	case ZMQ_EVENT_CONNECTED:
	case ZMQ_EVENT_ACCEPTED:
		atomic_fetch_add(&watch->connections, 1);
		atomic_fetch_add(&watch->open, 1);
		mind_door(watch);
		break;
	case ZMQ_EVENT_DISCONNECTED:
		if (atomic_load(&watch->open) > 0)
			atomic_fetch_sub(&watch->open, 1);
		mind_door(watch);
		break;
	case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
		atomic_fetch_add(&watch->handshakes, 1);
		atomic_store(&watch->trouble, NO_TROUBLE);
		break;
	case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
		note_failure(watch, KEY_REFUSED);
		break;
	case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
		note_failure(watch,
			     value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH ? ENCRYPTION_DIFFERS : NONSENSE);
		break;
	case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
		note_failure(watch, HUNG_UP);
		break;
	default:
		break;
	}
}

/* An event is two parts: its number (16 bits) and value (32 bits) in the machine's order, then the endpoint. */
static void *watch_connections(void *argument)
{
	struct watch *watch = argument;
	uint8_t head[6];
	uint16_t event = 0;
	uint32_t value;
	while (event != ZMQ_EVENT_MONITOR_STOPPED) {
		int size = zmq_recv(watch->monitor, head, sizeof head, 0);
		if (size < 0 && errno != EINTR)
			break; /* the context ends */
		if (size != sizeof head)
			continue;
		memcpy(&event, head, sizeof event);
		memcpy(&value, head + sizeof event, sizeof value);
		note_event(watch, event, value);
		while (zmq_recv(watch->monitor, NULL, 0, 0) < 0 && errno == EINTR)
			;
	}
	zmq_close(watch->monitor);
	return NULL;
}

/* Signals stay with the threads that expect them. */
static bool start_thread(struct watch *watch)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	bool started = pthread_create(&watch->thread, NULL, watch_connections, watch) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return started;
}

static bool start_watch(struct nj_link *link, struct nj_link_context *context, const struct nj_link_options *options)
{
	static _Atomic unsigned long names; /* never one twice: an earlier socket may still be on its way out */
	char name[64];
	snprintf(name, sizeof name, "inproc://link-events-%lu", atomic_fetch_add(&names, 1));
	struct watch *watch = &link->watch;
	watch->listener = -1;
	watch->connections_max = options->connections_max;
	watch->monitor = zmq_socket(context->zmq, ZMQ_PAIR);
	if (watch->monitor != NULL && zmq_socket_monitor(link->socket, name, ZMQ_EVENT_ALL) == 0 &&
	    zmq_connect(watch->monitor, name) == 0 && start_thread(watch))
		return true;
	zmq_socket_monitor(link->socket, NULL, 0);
	if (watch->monitor != NULL)
		zmq_close(watch->monitor);
	watch->monitor = NULL;
	return false;
}

static void stop_watch(struct nj_link *link)
{
	if (link->watch.monitor == NULL)
		return;
	zmq_socket_monitor(link->socket, NULL, 0); /* the last event says so */
	pthread_join(link->watch.thread, NULL);
	link->watch.monitor = NULL;
}

/* =============================== opening =============================== */

static bool begins(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_loopback(const char *endpoint)
{
	return begins(endpoint, "tcp://127.") || begins(endpoint, "tcp://localhost:") ||
	       begins(endpoint, "tcp://[::1]:") || begins(endpoint, "tcp://[::ffff:127.");
}

static bool is_tcp(const char *endpoint)
{
	return begins(endpoint, "tcp://");
}

static int check_keys(const struct nj_link_options *options, struct nj_message *message)
{
	if (options->listen && options->admit == NULL)
		return nj_fail(message, NJ_ERR_USAGE, "endpoint '%s': has a key, but does not know whom to let in",
			       options->endpoint);
	if (!options->listen && options->server_key == NULL)
		return nj_fail(message, NJ_ERR_USAGE,
			       "endpoint '%s': encryption needs the public key of the other end, too",
			       options->endpoint);
	return zmq_has("curve") ? NJ_OK
				: nj_fail(message, NJ_ERR_LINK, "this libzmq was built without encryption (CURVE)");
}

int nj_link_check(const struct nj_link_options *options, struct nj_message *message)
{
	const char *endpoint = options->endpoint;
	if (strlen(endpoint) >= ENDPOINT_MAX)
		return nj_fail(message, NJ_ERR_USAGE, "endpoint longer than %d characters", ENDPOINT_MAX - 1);
	if (!is_tcp(endpoint) && !begins(endpoint, "inproc://") && !begins(endpoint, "ipc://"))
		return nj_fail(message, NJ_ERR_USAGE, "endpoint '%s' begins with neither tcp://, ipc:// nor inproc://",
			       endpoint);
	if (options->secret_key != NULL)
		return check_keys(options, message);
	if (options->server_key != NULL)
		return nj_fail(message, NJ_ERR_USAGE, "endpoint '%s': encryption needs a secret key, too", endpoint);
	if (is_tcp(endpoint) && !is_loopback(endpoint))
		return nj_fail(message, NJ_ERR_USAGE,
			       "endpoint '%s': tcp beyond loopback is encrypted or not at all: give it keys", endpoint);
	if (is_tcp(endpoint) && !options->plain_tcp)
		return nj_fail(message, NJ_ERR_USAGE,
			       "endpoint '%s': give it keys, or ask for unencrypted tcp on loopback (plain_tcp)",
			       endpoint);
	return NJ_OK;
}

static bool set_options(void *socket, const struct nj_link_options *options)
{
	int64_t frame_bytes_max = (int64_t)options->frame_bytes_max;
	int queue_max = (int)options->queue_max;
	bool done = set_int(socket, ZMQ_SNDHWM, queue_max) && set_int(socket, ZMQ_RCVHWM, queue_max) &&
		    set_int(socket, ZMQ_LINGER, (int)options->linger_ms) &&
		    set_int(socket, ZMQ_IPV6, strchr(options->endpoint, '[') != NULL) &&
		    set_int(socket, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS) &&
		    set_int(socket, ZMQ_HEARTBEAT_IVL, HEARTBEAT_MS) &&
		    set_int(socket, ZMQ_HEARTBEAT_TIMEOUT, HEARTBEAT_LOST_MS) &&
		    zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &frame_bytes_max, sizeof frame_bytes_max) == 0;
	if (options->listen)
		return done && set_int(socket, ZMQ_ROUTER_MANDATORY, 1);
	return done && set_int(socket, ZMQ_RECONNECT_IVL, RECONNECT_MS) &&
	       set_int(socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS);
}

static bool prepare(struct nj_link *link, struct nj_link_context *context, const struct nj_link_options *options)
{
	if (link->socket == NULL || !set_options(link->socket, options))
		return false;
	if (link->keyed && !(options->listen ? require_keys(link, context, options) : show_keys(link, options)))
		return false;
	return !is_tcp(options->endpoint) || start_watch(link, context, options);
}

static int attach(struct nj_link *link, const struct nj_link_options *options, struct nj_message *message)
{
	int (*bind_or_connect)(void *socket, const char *endpoint) = options->listen ? zmq_bind : zmq_connect;
	bool failed = bind_or_connect(link->socket, options->endpoint) != 0;
	if (failed && link->watch.monitor != NULL) { /* telling the monitor has changed errno: ask again without */
		stop_watch(link);
		errno = EAGAIN;
		bind_or_connect(link->socket, options->endpoint);
	}
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
	int err = nj_link_check(options, message);
	if (err < 0)
		return err;
	struct nj_link *link = calloc(1, sizeof *link);
	if (link == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "link: out of memory");
	zmq_msg_init(&link->frame);
	link->listens = options->listen;
	link->keyed = options->secret_key != NULL;
	link->socket = zmq_socket(context->zmq, options->listen ? ZMQ_ROUTER : ZMQ_DEALER);
	if (!prepare(link, context, options))
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
	stop_watch(*link);
	/* Closing gives a name of inproc:// back some time later, on a thread of libzmq's: who listens again would meet
	 * it. */
	if ((*link)->listens && begins((*link)->endpoint, "inproc://"))
		zmq_unbind((*link)->socket, (*link)->endpoint);
	if ((*link)->socket != NULL)
		zmq_close((*link)->socket);
	if ((*link)->zap != NULL) {
		zmq_unbind((*link)->zap, NJ_ZAP_ENDPOINT);
		zmq_close((*link)->zap);
	}
	free(*link);
	*link = NULL;
}

/* =============================== frames =============================== */

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
	frame.user = link->zap != NULL ? zmq_msg_gets(&link->frame, "User-Id") : NULL;
	*ret_frame = frame;
	return NJ_OK;
}

/* NJ_ERR_FORMAT: nothing but nonsense. */
static int take_good_frame(struct nj_link *link, struct nj_link_frame *ret_frame)
{
	int err = NJ_ERR_FORMAT;
	for (int i = 0; i < MALFORMED_IN_A_ROW && err == NJ_ERR_FORMAT; i++)
		err = take_frame(link, ret_frame);
	return err;
}

/* Some time after a handshake that made libzmq give up: it may go better now. */
static void connect_again(struct nj_link *link)
{
	if (link->listens || link->watch.monitor == NULL)
		return;
	if (link->again_ms == 0 && atomic_load(&link->watch.given_up)) {
		atomic_store(&link->watch.given_up, false);
		link->again_ms = now_ms() + RECONNECT_MAX_MS;
	}
	if (link->again_ms == 0 || now_ms() < link->again_ms)
		return;
	link->again_ms = 0;
	zmq_disconnect(link->socket, link->endpoint); /* there may be none left to end */
	if (zmq_connect(link->socket, link->endpoint) != 0)
		atomic_store(&link->watch.given_up, true);
}

static int wait_for_something(struct nj_link *link, int64_t wait_ms)
{
	zmq_pollitem_t items[] = {{.socket = link->socket, .events = ZMQ_POLLIN},
				  {.socket = link->zap, .events = ZMQ_POLLIN}};
	if (wait_ms < 0 || wait_ms > WAIT_MS)
		wait_ms = WAIT_MS;
	return zmq_poll(items, link->zap != NULL ? 2 : 1, wait_ms) < 0 ? error_of(errno) : NJ_OK;
}

int nj_link_receive(struct nj_link *link, int timeout_ms, struct nj_link_frame *ret_frame)
{
	int64_t until_ms = timeout_ms > 0 ? now_ms() + timeout_ms : 0;
	for (;;) {
		if (timeout_ms != 0)
			answer_questions(link);
		connect_again(link);
		int err = take_good_frame(link, ret_frame);
		int64_t left_ms = timeout_ms > 0 ? until_ms - now_ms() : timeout_ms;
		if (err == NJ_ERR_FORMAT ||
		    (err == NJ_ERR_AGAIN && (timeout_ms == 0 || (timeout_ms > 0 && left_ms <= 0))))
			return NJ_ERR_AGAIN;
		if (err == NJ_ERR_AGAIN)
			err = wait_for_something(link, left_ms);
		else
			return err;
		if (err < 0)
			return err;
	}
}

/* =============================== telling =============================== */

bool nj_link_peer_equal(const struct nj_link_peer *a, const struct nj_link_peer *b)
{
	return a->size == b->size && memcmp(a->id, b->id, a->size) == 0;
}

struct nj_link_counts nj_link_counts(const struct nj_link *link)
{
	const struct watch *watch = &link->watch;
	return (struct nj_link_counts){.malformed = link->malformed,
				       .connections = atomic_load(&watch->connections),
				       .handshakes = atomic_load(&watch->handshakes),
				       .keys_refused = atomic_load(&watch->keys_refused),
				       .handshakes_failed = atomic_load(&watch->handshakes_failed),
				       .held_off = atomic_load(&watch->held_off),
				       .connections_open = atomic_load(&watch->open)};
}

const char *nj_link_trouble(const struct nj_link *link)
{
	switch (atomic_load(&link->watch.trouble)) {
	case KEY_REFUSED:
		return "the other end does not know our key: is its public half among the authorised ones there?";
	case ENCRYPTION_DIFFERS:
		return link->keyed ? "the other end does not encrypt at all"
				   : "the other end speaks only to those who have a key";
	case HUNG_UP: /* what it said before is not always heard */
		return link->keyed
			       ? "the other end hung up during the handshake: is the public key given for it its "
				 "own, and does it encrypt at all?"
			       : "the other end hung up during the handshake: it may speak only to those who have a "
				 "key";
	case NONSENSE:
		return "the other end does not speak our protocol";
	default:
		return NULL;
	}
}

const char *nj_link_endpoint(const struct nj_link *link)
{
	return link->endpoint;
}
