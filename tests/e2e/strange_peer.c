/* A peer that does what ours never do. Of another release, for the tests that two which cannot work together say so
 * (law 7): greets an aggregator as a sensor whose version, feature table or hash key is another, and prints what it is
 * answered; or listens as an aggregator that refuses whoever greets it. Or malicious, with or without keys: says what
 * it is told on standard input, a line each, and prints what came of it, a line each.
 *
 *   strange_peer greet ENDPOINT version|table|key|none
 *   strange_peer refuse ENDPOINT            (prints "ready" once it listens, ends after one refusal)
 *   strange_peer talk ENDPOINT [SECRET-KEY-FILE SERVER-KEY-FILE]
 *       hello NAME       greet as that sensor
 *       batch NAME N     the N-th batch of that sensor: a window without agents, and its last
 *       junk             a frame that is no message
 *       giant            a frame longer than any may be */
#include "common/feature.h"
#include "common/hash.h"
#include "common/link.h"
#include "common/wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 60000
#define LOOK_MS     100
#define MAJOR_AT    2 /* array, kind, major: docs/wire.md */

static struct nj_link *open_link(struct nj_link_context *context, const char *endpoint, bool listen,
				 const struct nj_curve_key *secret, const struct nj_curve_key *server)
{
	struct nj_link_options options = {.endpoint = endpoint,
					  .listen = listen,
					  .plain_tcp = true,
					  .queue_max = 8,
					  .frame_bytes_max = NJ_BATCH_BYTES_MAX,
					  .secret_key = secret,
					  .server_key = server,
					  .linger_ms = listen ? PATIENCE_MS : 0};
	struct nj_message message = {""};
	struct nj_link *link = NULL;
	if (nj_link_open(context, &options, &message, &link) < 0)
		fprintf(stderr, "%s\n", message.text);
	return link;
}

static struct nj_wire_hello hello_with(const char *what, const char *name)
{
	struct nj_hash_key key;
	nj_hash_key_derive("", &key);
	struct nj_wire_hello hello = {.self.key_id = key.id, .boot = 1};
	nj_feature_table_ids(&hello.self.tables);
	snprintf(hello.sensor, sizeof hello.sensor, "%s", name);
	snprintf(hello.tap_group, sizeof hello.tap_group, "%s", name);
	for (uint32_t i = 0; i < hello.self.tables.n && strcmp(what, "table") == 0; i++)
		hello.self.tables.id[i] ^= 1;
	if (strcmp(what, "key") == 0)
		hello.self.key_id ^= 1;
	return hello;
}

static int print_answer(const struct nj_link_frame *frame)
{
	struct nj_wire_refuse refuse;
	struct nj_wire_ack ack;
	if (nj_wire_refuse_decode(frame->data, frame->size, NULL, &refuse) == 0)
		printf("refused %u by %s: %s\n", refuse.code, refuse.software, refuse.reason);
	else if (nj_wire_ack_decode(frame->data, frame->size, NULL, &ack) == 0)
		printf("accepted from %" PRIu64 "\n", ack.next);
	else
		return 1;
	return 0;
}

static int greet(struct nj_link *link, const char *what)
{
	uint8_t buffer[NJ_WIRE_SMALL_MAX];
	struct nj_link_frame frame;
	struct nj_wire_hello hello = hello_with(what, "stranger");
	size_t size = nj_wire_hello_encode(&hello, buffer);
	if (strcmp(what, "version") == 0)
		buffer[MAJOR_AT]++; /* encoders know one version only */
	if (nj_link_send(link, NULL, buffer, size) < 0 || nj_link_receive(link, PATIENCE_MS, &frame) < 0)
		return 1;
	return print_answer(&frame);
}

static int refuse(struct nj_link *link)
{
	uint8_t buffer[NJ_WIRE_SMALL_MAX];
	struct nj_link_frame frame;
	struct nj_wire_refuse words = {.code = NJ_WIRE_REFUSED_VERSION};
	snprintf(words.reason, sizeof words.reason, "nightjar 9.9.9 speaks wire version 9");
	puts("ready");
	fflush(stdout);
	if (nj_link_receive(link, PATIENCE_MS, &frame) < 0)
		return 1;
	struct nj_link_peer peer = frame.peer;
	return nj_link_send(link, &peer, buffer, nj_wire_refuse_encode(&words, buffer)) < 0;
}

/* Waits for an answer, a reason why there will be none, or the end of the connection. */
static void print_outcome(struct nj_link *link, uint64_t connections)
{
	struct nj_link_frame frame;
	for (int waited_ms = 0; waited_ms < PATIENCE_MS; waited_ms += LOOK_MS) {
		if (nj_link_receive(link, LOOK_MS, &frame) == 0) {
			if (print_answer(&frame) != 0)
				puts("something else");
			return;
		}
		if (nj_link_trouble(link) != NULL) {
			printf("trouble: %s\n", nj_link_trouble(link));
			return;
		}
		if (connections > 0 && nj_link_counts(link).connections > connections) {
			puts("cut off");
			return;
		}
	}
	puts("silence");
}

static size_t make_batch(const char *name, uint64_t sequence, uint8_t *buffer, size_t size)
{
	struct nj_wire_hello hello = hello_with("", name);
	struct nj_wire_writer *writer = NULL;
	struct nj_batch batch = {.key_id = hello.self.key_id,
				 .boot = hello.boot,
				 .sequence = sequence,
				 .width_ms = 10000,
				 .flags = NJ_BATCH_TICK | NJ_BATCH_FINISH};
	const uint8_t *data;
	size_t used = 0;
	snprintf(batch.sensor, sizeof batch.sensor, "%s", name);
	snprintf(batch.tap_group, sizeof batch.tap_group, "%s", name);
	if (nj_wire_writer_new(&writer) == 0 && nj_wire_writer_finish(writer, &batch, &data, &used) == 0 &&
	    used <= size)
		memcpy(buffer, data, used);
	nj_wire_writer_free(&writer);
	return used;
}

static size_t make_frame(const char *line, uint8_t *buffer, size_t size)
{
	char name[NJ_SENSOR_ID_MAX];
	uint64_t sequence;
	memset(buffer, 0xc1, size); /* the one byte that MessagePack never uses */
	if (sscanf(line, "hello %31s", name) == 1) {
		struct nj_wire_hello hello = hello_with("", name);
		return nj_wire_hello_encode(&hello, buffer);
	}
	if (sscanf(line, "batch %31s %" SCNu64, name, &sequence) == 2)
		return make_batch(name, sequence, buffer, size);
	return strncmp(line, "giant", 5) == 0 ? size : 10;
}

/* A connection that was refused is made again after some seconds, within receive. */
static bool send_at_last(struct nj_link *link, const void *data, size_t size)
{
	struct nj_link_frame ignored;
	int err = NJ_ERR_AGAIN;
	for (int waited_ms = 0; waited_ms < PATIENCE_MS; waited_ms += LOOK_MS) {
		err = nj_link_send(link, NULL, data, size);
		if (err != NJ_ERR_AGAIN)
			break;
		if (nj_link_receive(link, LOOK_MS, &ignored) == NJ_OK)
			continue; /* an answer to something earlier */
	}
	return err == NJ_OK;
}

static int talk(struct nj_link *link)
{
	static uint8_t buffer[NJ_BATCH_BYTES_MAX + 1];
	char line[100];
	while (fgets(line, sizeof line, stdin) != NULL) {
		uint64_t connections = nj_link_counts(link).connections;
		size_t size = make_frame(line, buffer, sizeof buffer);
		if (send_at_last(link, buffer, size))
			print_outcome(link, connections);
		else
			printf("not sent: %s\n",
			       nj_link_trouble(link) != NULL ? nj_link_trouble(link) : "no connection");
		fflush(stdout);
	}
	return 0;
}

static int run_talk(struct nj_link_context *context, char **words, int words_n)
{
	struct nj_curve_key secret, server;
	struct nj_message message;
	bool keyed = words_n == 3;
	if (keyed && (nj_curve_file_load(words[1], NJ_CURVE_SECRET, &message, &secret) < 0 ||
		      nj_curve_file_load(words[2], NJ_CURVE_PUBLIC, &message, &server) < 0)) {
		fprintf(stderr, "%s\n", message.text);
		return 1;
	}
	struct nj_link *link = open_link(context, words[0], false, keyed ? &secret : NULL, keyed ? &server : NULL);
	int code = link == NULL ? 1 : talk(link);
	nj_link_close(&link);
	return code;
}

int main(int argc, char **argv)
{
	struct nj_link_context *context;
	bool talks = (argc == 3 || argc == 5) && strcmp(argv[1], "talk") == 0;
	bool greets = argc == 4 && strcmp(argv[1], "greet") == 0;
	if (!talks && !greets && !(argc == 3 && strcmp(argv[1], "refuse") == 0)) {
		fprintf(stderr,
			"usage: %s greet ENDPOINT version|table|key|none | refuse ENDPOINT | talk ENDPOINT [SECRET "
			"SERVER]\n",
			argv[0]);
		return 2;
	}
	if (nj_link_context_new(NULL, &context) < 0)
		return 1;
	struct nj_link *link = talks ? NULL : open_link(context, argv[2], !greets, NULL, NULL);
	int code = talks ? run_talk(context, argv + 2, argc - 2) : 1;
	if (link != NULL)
		code = greets ? greet(link, argv[3]) : refuse(link);
	nj_link_close(&link);
	nj_link_context_free(&context);
	return code;
}
