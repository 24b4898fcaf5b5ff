/* A peer of another release, for the tests that two which cannot work together say so (law 7): greets an aggregator as
 * a sensor whose version, feature table or hash key is another, and prints what it is answered; or listens as an
 * aggregator that refuses whoever greets it.
 *
 *   strange_peer greet ENDPOINT version|table|key|none
 *   strange_peer refuse ENDPOINT            (prints "ready" once it listens, ends after one refusal) */
#include "common/feature.h"
#include "common/hash.h"
#include "common/link.h"
#include "common/wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 60000
#define MAJOR_AT    2 /* array, kind, major: docs/wire.md */

static struct nj_link *open_link(struct nj_link_context *context, const char *endpoint, bool listen)
{
	struct nj_link_options options = {.endpoint = endpoint,
					  .listen = listen,
					  .queue_max = 8,
					  .frame_bytes_max = NJ_BATCH_BYTES_MAX,
					  .linger_ms = PATIENCE_MS};
	struct nj_message message = {""};
	struct nj_link *link = NULL;
	if (nj_link_open(context, &options, &message, &link) < 0)
		fprintf(stderr, "%s\n", message.text);
	return link;
}

static struct nj_wire_hello hello_with(const char *what)
{
	struct nj_hash_key key;
	nj_hash_key_derive("", &key);
	struct nj_wire_hello hello = {.self.key_id = key.id, .boot = 1};
	nj_feature_table_ids(&hello.self.tables);
	snprintf(hello.sensor, sizeof hello.sensor, "stranger");
	snprintf(hello.tap_group, sizeof hello.tap_group, "stranger");
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
	struct nj_wire_hello hello = hello_with(what);
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

int main(int argc, char **argv)
{
	struct nj_link_context *context;
	bool greets = argc == 4 && strcmp(argv[1], "greet") == 0;
	if (!greets && !(argc == 3 && strcmp(argv[1], "refuse") == 0)) {
		fprintf(stderr, "usage: %s greet ENDPOINT version|table|key|none | refuse ENDPOINT\n", argv[0]);
		return 2;
	}
	if (nj_link_context_new(NULL, &context) < 0)
		return 1;
	struct nj_link *link = open_link(context, argv[2], !greets);
	int code = link == NULL ? 1 : greets ? greet(link, argv[3]) : refuse(link);
	nj_link_close(&link);
	nj_link_context_free(&context);
	return code;
}
