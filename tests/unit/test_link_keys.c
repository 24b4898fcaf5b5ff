/* A link with keys: who is admitted is named with each frame; an unknown key, another server's key, a peer without
 * encryption, one that stays silent and a flood of them are counted, told apart, and of no effect on the others; who is
 * authorised later gets in without being started anew. Real sockets on loopback, as libzmq is the thing under test. */
#include "common/link.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 20000
#define LOOK_MS     10

struct pair {
	struct nj_curve_key public_key, secret_key;
};

static struct nj_link_context *inside, *outside; /* of the listener, and of those who connect */
static struct pair server, known, stranger;
static struct nj_curve_key admitted[2];
static unsigned admitted_n;
static struct nj_link *listener, *connected[4]; /* closed by teardown, however a test ends */
static unsigned connected_n;

static bool admit(void *context, const struct nj_curve_key *key)
{
	(void)context;
	for (unsigned i = 0; i < admitted_n; i++)
		if (nj_curve_key_equal(&admitted[i], key))
			return true;
	return false;
}

static struct nj_link_options listening(uint32_t connections_max)
{
	return (struct nj_link_options){.endpoint = "tcp://127.0.0.1:*",
					.listen = true,
					.queue_max = 100,
					.frame_bytes_max = 1000,
					.secret_key = &server.secret_key,
					.admit = admit,
					.connections_max = connections_max};
}

static struct nj_link *must_open(struct nj_link_context *context, const struct nj_link_options *options)
{
	struct nj_message message;
	struct nj_link *link = NULL;
	if (nj_link_open(context, options, &message, &link) != NJ_OK)
		fail_msg("%s", message.text);
	return link;
}

static void listen_for(uint32_t connections_max)
{
	const struct nj_link_options options = listening(connections_max);
	listener = must_open(inside, &options);
}

static struct nj_link *connect_with(const struct pair *pair, const struct nj_curve_key *server_key)
{
	const struct nj_link_options options = {.endpoint = nj_link_endpoint(listener),
						.plain_tcp = pair == NULL,
						.queue_max = 100,
						.frame_bytes_max = 1000,
						.secret_key = pair != NULL ? &pair->secret_key : NULL,
						.server_key = pair != NULL ? server_key : NULL};
	assert_true(connected_n < sizeof connected / sizeof connected[0]);
	return connected[connected_n++] = must_open(outside, &options);
}

static int setup(void **state)
{
	(void)state;
	if (nj_link_context_new(NULL, &inside) < 0 || nj_link_context_new(NULL, &outside) < 0 ||
	    nj_link_new_keys(&server.public_key, &server.secret_key) < 0 ||
	    nj_link_new_keys(&known.public_key, &known.secret_key) < 0 ||
	    nj_link_new_keys(&stranger.public_key, &stranger.secret_key) < 0)
		return 1;
	admitted[0] = known.public_key;
	admitted_n = 1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	while (connected_n > 0)
		nj_link_close(&connected[--connected_n]);
	nj_link_close(&listener);
	nj_link_context_free(&inside);
	nj_link_context_free(&outside);
	return 0;
}

/* The law of the counts: what is not yet decided is at most what is open. */
static void check_law(const struct nj_link *link)
{
	struct nj_link_counts c = nj_link_counts(link);
	uint64_t decided = c.handshakes + c.keys_refused + c.handshakes_failed;
	assert_true(decided <= c.connections);
	assert_true(c.connections - decided <= c.connections_open);
}

/* One look at both ends, so that questions are answered and connections made. */
static void look(struct nj_link *link)
{
	struct nj_link_frame frame;
	assert_int_equal(nj_link_receive(listener, LOOK_MS, &frame), NJ_ERR_AGAIN);
	if (link != NULL)
		assert_int_equal(nj_link_receive(link, LOOK_MS, &frame), NJ_ERR_AGAIN);
}

static void wait_for_trouble(struct nj_link *link, const char *words)
{
	for (int waited = 0; waited < PATIENCE_MS && nj_link_trouble(link) == NULL; waited += 2 * LOOK_MS)
		look(link);
	assert_non_null(nj_link_trouble(link));
	if (strstr(nj_link_trouble(link), words) == NULL)
		fail_msg("'%s' lacks '%s'", nj_link_trouble(link), words);
}

static void wait_for_count(size_t offset, uint64_t least, struct nj_link *link)
{
	for (int waited = 0; waited < PATIENCE_MS; waited += 2 * LOOK_MS) {
		struct nj_link_counts c = nj_link_counts(listener);
		uint64_t count;
		memcpy(&count, (const char *)&c + offset, sizeof count);
		if (count >= least)
			return;
		look(link);
	}
	fail_msg("the count at %zu never reached %llu", offset, (unsigned long long)least);
}
#define WAIT_FOR(field, least, link) wait_for_count(offsetof(struct nj_link_counts, field), least, link)

/* One frame from *link* to the listener. */
static void talk(struct nj_link *link, const struct nj_curve_key *key)
{
	struct nj_link_frame frame, answer;
	char text[NJ_CURVE_TEXT_BYTES];
	int err = NJ_ERR_AGAIN;
	assert_int_equal(nj_link_send(link, NULL, "hello", 5), NJ_OK);
	for (int waited = 0; waited < PATIENCE_MS && err == NJ_ERR_AGAIN; waited += 2 * LOOK_MS) {
		err = nj_link_receive(listener, LOOK_MS, &frame);
		if (err == NJ_ERR_AGAIN)
			assert_int_equal(nj_link_receive(link, LOOK_MS, &answer), NJ_ERR_AGAIN);
	}
	assert_int_equal(err, NJ_OK);
	assert_int_equal(frame.size, 5);
	assert_memory_equal(frame.data, "hello", 5);
	nj_curve_key_text(key, text);
	assert_non_null(frame.user);
	assert_string_equal(frame.user, text);
	struct nj_link_peer peer = frame.peer;
	assert_int_equal(nj_link_send(listener, &peer, "welcome", 7), NJ_OK);
	assert_int_equal(nj_link_receive(link, PATIENCE_MS, &answer), NJ_OK);
	assert_int_equal(answer.size, 7);
	assert_null(answer.user);
}

static void test_known_key(void **state)
{
	(void)state;
	listen_for(0);
	struct nj_link *link = connect_with(&known, &server.public_key);
	talk(link, &known.public_key);
	assert_null(nj_link_trouble(link));
	struct nj_link_counts c = nj_link_counts(listener);
	assert_int_equal(c.connections, 1);
	assert_int_equal(c.handshakes, 1);
	assert_int_equal(c.keys_refused + c.handshakes_failed, 0);
}

static void test_unknown_key_gets_in_once_it_is_known(void **state)
{
	(void)state;
	listen_for(0);
	struct nj_link *good = connect_with(&known, &server.public_key);
	struct nj_link *bad = connect_with(&stranger, &server.public_key);
	wait_for_trouble(bad, "does not know our key");
	WAIT_FOR(keys_refused, 1, bad);
	talk(good, &known.public_key);
	check_law(listener);
	assert_int_equal(nj_link_counts(listener).handshakes_failed, 0);
	admitted[admitted_n++] = stranger.public_key;
	WAIT_FOR(handshakes, 2, bad);
	talk(bad, &stranger.public_key);
	assert_null(nj_link_trouble(bad));
	check_law(listener);
}

static void test_wrong_server_key(void **state)
{
	(void)state;
	listen_for(0);
	struct nj_link *good = connect_with(&known, &server.public_key);
	struct nj_link *bad = connect_with(&known, &stranger.public_key);
	wait_for_trouble(bad, "is the public key given for it its own");
	WAIT_FOR(handshakes_failed, 1, bad);
	talk(good, &known.public_key);
	check_law(listener);
	assert_int_equal(nj_link_counts(listener).handshakes, 1);
}

static void test_peer_without_encryption(void **state)
{
	(void)state;
	listen_for(0);
	struct nj_link *good = connect_with(&known, &server.public_key);
	struct nj_link *bad = connect_with(NULL, NULL);
	assert_int_equal(nj_link_send(bad, NULL, "hello", 5), NJ_OK);
	wait_for_trouble(bad, "only to those who have a key");
	WAIT_FOR(handshakes_failed, 1, bad);
	talk(good, &known.public_key);
	check_law(listener);
}

static void test_listener_without_encryption(void **state)
{
	(void)state;
	struct nj_link_options options = listening(0);
	options.secret_key = NULL;
	options.plain_tcp = true;
	listener = must_open(inside, &options);
	struct nj_link *link = connect_with(&known, &server.public_key);
	wait_for_trouble(link, "encrypt at all");
}

static int raw_connect(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	address.sin_port = htons((uint16_t)atoi(strrchr(nj_link_endpoint(listener), ':') + 1));
	int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_true(descriptor >= 0);
	(void)!connect(descriptor, (struct sockaddr *)&address, sizeof address); /* in progress */
	return descriptor;
}

static void test_flood_is_held_off(void **state)
{
	(void)state;
	enum { MAX = 8, KNOCKS = 200 };
	int descriptors[KNOCKS];
	listen_for(MAX);
	struct nj_link *good = connect_with(&known, &server.public_key);
	talk(good, &known.public_key);
	for (int i = 0; i < MAX; i++)
		descriptors[i] = raw_connect();
	WAIT_FOR(held_off, 1, good);
	uint64_t before = nj_link_counts(listener).connections;
	for (int i = MAX; i < KNOCKS; i++)
		descriptors[i] = raw_connect();
	for (int i = 0; i < 20; i++)
		look(good);
	struct nj_link_counts c = nj_link_counts(listener);
	assert_int_equal(c.connections, before); /* nobody else came in */
	talk(good, &known.public_key);
	for (int i = 0; i < KNOCKS; i++)
		close(descriptors[i]);
	WAIT_FOR(handshakes_failed, before - 1, good);
	struct nj_link *late = connect_with(&known, &server.public_key);
	talk(late, &known.public_key);
	check_law(listener);
}

static void test_silence_ends_a_handshake(void **state)
{
	(void)state;
	listen_for(0);
	struct nj_link *good = connect_with(&known, &server.public_key);
	int silent = raw_connect();
	WAIT_FOR(handshakes_failed, 1, good);
	talk(good, &known.public_key);
	assert_int_equal(nj_link_counts(listener).connections_open, 1);
	close(silent);
}

static void test_oversized_frame(void **state)
{
	(void)state;
	static char bytes[1001];
	listen_for(0);
	struct nj_link *good = connect_with(&known, &server.public_key);
	struct nj_link *bad = connect_with(&known, &server.public_key);
	talk(bad, &known.public_key);
	assert_int_equal(nj_link_send(bad, NULL, bytes, sizeof bytes), NJ_OK);
	WAIT_FOR(handshakes, 2, bad); /* it was thrown out and has come again */
	talk(good, &known.public_key);
	check_law(listener);
}

static void refuse(struct nj_link_options options, const char *words)
{
	struct nj_message message = {""};
	assert_int_equal(nj_link_check(&options, &message), NJ_ERR_USAGE);
	if (strstr(message.text, words) == NULL)
		fail_msg("'%s' lacks '%s'", message.text, words);
}

static void test_incomplete_keys(void **state)
{
	(void)state;
	struct nj_link_options options = listening(0);
	options.admit = NULL;
	refuse(options, "whom to let in");
	options.secret_key = NULL;
	refuse(options, "plain_tcp");
	options = (struct nj_link_options){.endpoint = "tcp://192.0.2.1:7117", .secret_key = &known.secret_key};
	refuse(options, "public key of the other end");
	options.server_key = &server.public_key;
	assert_int_equal(nj_link_check(&options, NULL), NJ_OK); /* beyond loopback, with keys */
	options.secret_key = NULL;
	refuse(options, "needs a secret key");
	options.server_key = NULL;
	options.plain_tcp = true;
	refuse(options, "beyond loopback");
}

static void test_public_key_of_a_secret(void **state)
{
	(void)state;
	struct nj_curve_key derived;
	assert_int_equal(nj_link_public_key(&server.secret_key, &derived), NJ_OK);
	assert_true(nj_curve_key_equal(&derived, &server.public_key));
	assert_false(nj_curve_key_equal(&derived, &known.public_key));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_known_key, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_key_gets_in_once_it_is_known, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_server_key, setup, teardown),
		cmocka_unit_test_setup_teardown(test_peer_without_encryption, setup, teardown),
		cmocka_unit_test_setup_teardown(test_listener_without_encryption, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flood_is_held_off, setup, teardown),
		cmocka_unit_test_setup_teardown(test_silence_ends_a_handshake, setup, teardown),
		cmocka_unit_test_setup_teardown(test_oversized_frame, setup, teardown),
		cmocka_unit_test_setup_teardown(test_incomplete_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(test_public_key_of_a_secret, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
