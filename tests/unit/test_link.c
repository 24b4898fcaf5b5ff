/* Frames go both ways over inproc, ipc and tcp, keep their order, tell peers apart; queues are bounded, foreign shapes
 * and long frames have no effect, and unencrypted tcp stays at home. */
#include "common/link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 5000

static struct nj_link_context *context;

static int setup(void **state)
{
	(void)state;
	return nj_link_context_new(NULL, &context);
}

static int teardown(void **state)
{
	(void)state;
	nj_link_context_free(&context);
	return context != NULL;
}

static struct nj_link *must_open(const char *endpoint, bool listen, uint32_t queue_max)
{
	struct nj_link_options options = {.endpoint = endpoint,
					  .listen = listen,
					  .plain_tcp = true,
					  .queue_max = queue_max,
					  .frame_bytes_max = 1000,
					  .linger_ms = listen ? 1000 : 0};
	struct nj_link *link = NULL;
	struct nj_message message;
	if (nj_link_open(context, &options, &message, &link) != NJ_OK)
		fail_msg("%s", message.text);
	return link;
}

/* Sends as soon as there is a connection: waiting for one is what receive with a timeout does. */
static void must_send(struct nj_link *link, const struct nj_link_peer *peer, const void *data, size_t size)
{
	struct nj_link_frame ignored;
	int err = NJ_ERR_AGAIN;
	for (int i = 0; i < PATIENCE_MS / 10 && (err = nj_link_send(link, peer, data, size)) == NJ_ERR_AGAIN; i++)
		assert_int_equal(nj_link_receive(link, 10, &ignored), NJ_ERR_AGAIN);
	assert_int_equal(err, NJ_OK);
}

static struct nj_link_frame must_receive(struct nj_link *link, const void *data, size_t size)
{
	struct nj_link_frame frame;
	assert_int_equal(nj_link_receive(link, PATIENCE_MS, &frame), NJ_OK);
	assert_int_equal(frame.size, size);
	assert_memory_equal(frame.data, data, size);
	return frame;
}

static void talk(const char *endpoint)
{
	struct nj_link *server = must_open(endpoint, true, 100);
	struct nj_link *a = must_open(nj_link_endpoint(server), false, 100),
		       *b = must_open(nj_link_endpoint(server), false, 100);
	must_send(a, NULL, "from a", 6);
	struct nj_link_frame from_a = must_receive(server, "from a", 6);
	must_send(b, NULL, "from b", 6);
	struct nj_link_frame from_b = must_receive(server, "from b", 6);
	assert_false(nj_link_peer_equal(&from_a.peer, &from_b.peer));
	must_send(server, &from_a.peer, "to a", 4);
	must_send(server, &from_b.peer, "to b", 4);
	must_receive(b, "to b", 4);
	must_receive(a, "to a", 4);
	for (uint8_t i = 0; i < 50; i++)
		must_send(a, NULL, &i, 1);
	for (uint8_t i = 0; i < 50; i++)
		must_receive(server, &i, 1);
	must_send(a, NULL, "", 0);
	must_receive(server, "", 0);
	nj_link_close(&a);
	assert_null(a);
	nj_link_close(&b);
	nj_link_close(&server);
}

static void test_inproc(void **state)
{
	(void)state;
	talk("inproc://test");
}

static void test_ipc(void **state)
{
	(void)state;
	char folder[] = "/tmp/nj_test_link_XXXXXX", endpoint[80];
	assert_non_null(mkdtemp(folder));
	snprintf(endpoint, sizeof endpoint, "ipc://%s/socket", folder);
	talk(endpoint);
	snprintf(endpoint, sizeof endpoint, "%s/socket", folder);
	unlink(endpoint);
	rmdir(folder);
}

static void test_tcp(void **state)
{
	(void)state;
	talk("tcp://127.0.0.1:*");
}

static void test_nobody_there(void **state)
{
	(void)state;
	struct nj_link *link = must_open("tcp://127.0.0.1:9", false, 10);
	struct nj_link_frame frame;
	int sent = 0, err;
	while ((err = nj_link_send(link, NULL, "x", 1)) == NJ_OK && sent < 1000)
		sent++;
	assert_int_equal(err, NJ_ERR_AGAIN);
	assert_true(sent >= 10 && sent <= 20);
	assert_int_equal(nj_link_receive(link, 0, &frame), NJ_ERR_AGAIN);
	nj_link_close(&link);
}

/* What has arrived can be read although its sender has gone. */
static void test_last_words_are_heard(void **state)
{
	(void)state;
	struct nj_link *server = must_open("tcp://127.0.0.1:*", true, 100),
		       *client = must_open(nj_link_endpoint(server), false, 100);
	must_send(client, NULL, "hello", 5);
	struct nj_link_frame frame = must_receive(server, "hello", 5);
	must_send(server, &frame.peer, "first", 5);
	must_send(server, &frame.peer, "last", 4);
	must_receive(client, "first", 5); /* so "last" is here too, or on its way */
	nj_link_close(&server);
	must_receive(client, "last", 4);
	nj_link_close(&client);
}

static void test_queue_is_bounded(void **state)
{
	(void)state;
	struct nj_link *server = must_open("inproc://bounded", true, 10),
		       *client = must_open("inproc://bounded", false, 10);
	int sent = 0, err;
	while ((err = nj_link_send(client, NULL, "x", 1)) == NJ_OK && sent < 1000)
		sent++;
	assert_int_equal(err, NJ_ERR_AGAIN);
	assert_true(sent >= 10 && sent <= 20);
	for (int i = 0; i < sent; i++)
		must_receive(server, "x", 1);
	nj_link_close(&client);
	nj_link_close(&server);
}

static void test_peer_has_gone(void **state)
{
	(void)state;
	struct nj_link *server = must_open("inproc://gone", true, 10), *client = must_open("inproc://gone", false, 10);
	must_send(client, NULL, "x", 1);
	struct nj_link_frame frame = must_receive(server, "x", 1), ignored;
	nj_link_close(&client);
	int err = NJ_OK;
	for (int i = 0; i < PATIENCE_MS / 10 && err != NJ_ERR_NOT_FOUND; i++) {
		assert_int_equal(nj_link_receive(server, 10, &ignored), NJ_ERR_AGAIN);
		err = nj_link_send(server, &frame.peer, "y", 1);
	}
	assert_int_equal(err, NJ_ERR_NOT_FOUND);
	nj_link_close(&server);
}

static void test_long_frame_has_no_effect(void **state)
{
	(void)state;
	static char bytes[1001];
	struct nj_link *server = must_open("tcp://127.0.0.1:*", true, 10);
	struct nj_link *bad = must_open(nj_link_endpoint(server), false, 10),
		       *good = must_open(nj_link_endpoint(server), false, 10);
	must_send(bad, NULL, bytes, 1001);
	must_send(good, NULL, bytes, 1000);
	must_receive(server, bytes, 1000);
	struct nj_link_frame frame;
	assert_int_equal(nj_link_receive(server, 50, &frame), NJ_ERR_AGAIN);
	nj_link_close(&bad);
	nj_link_close(&good);
	nj_link_close(&server);
}

static void refuse_options(const struct nj_link_options *options, int error, const char *words)
{
	struct nj_link *link = NULL;
	struct nj_message message = {""};
	assert_int_equal(nj_link_open(context, options, &message, &link), error);
	assert_null(link);
	if (strstr(message.text, words) == NULL)
		fail_msg("'%s' lacks '%s'", message.text, words);
}

static void refuse(const char *endpoint, bool listen, int error, const char *words)
{
	const struct nj_link_options options = {
		.endpoint = endpoint, .listen = listen, .plain_tcp = true, .queue_max = 1, .frame_bytes_max = 10};
	refuse_options(&options, error, words);
}

static void test_endpoints(void **state)
{
	(void)state;
	refuse("http://x", true, NJ_ERR_USAGE, "begins with neither");
	refuse("", false, NJ_ERR_USAGE, "begins with neither");
	refuse("tcp://0.0.0.0:7000", true, NJ_ERR_USAGE, "loopback");
	refuse("tcp://*:7000", true, NJ_ERR_USAGE, "loopback");
	refuse("tcp://192.0.2.1:7000", false, NJ_ERR_USAGE, "loopback");
	refuse("tcp://localhost.example:7000", false, NJ_ERR_USAGE, "loopback");
	refuse("tcp://127.0.0.1", true, NJ_ERR_USAGE, "cannot listen on");
	refuse("ipc:///nonexistent/folder/socket", true, NJ_ERR_LINK, "cannot listen on");
	struct nj_link_options unasked = {.endpoint = "tcp://127.0.0.1:7000", .queue_max = 1, .frame_bytes_max = 10};
	refuse_options(&unasked, NJ_ERR_USAGE, "plain_tcp");
	struct nj_link *first = must_open("inproc://twice", true, 1);
	refuse("inproc://twice", true, NJ_ERR_LINK, "in use");
	struct nj_link *tcp = must_open("tcp://127.0.0.1:*", true, 1);
	refuse(nj_link_endpoint(tcp), true, NJ_ERR_LINK, "in use");
	nj_link_close(&tcp);
	nj_link_close(&first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inproc),
		cmocka_unit_test(test_ipc),
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_last_words_are_heard),
		cmocka_unit_test(test_queue_is_bounded),
		cmocka_unit_test(test_peer_has_gone),
		cmocka_unit_test(test_long_frame_has_no_effect),
		cmocka_unit_test(test_endpoints),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
