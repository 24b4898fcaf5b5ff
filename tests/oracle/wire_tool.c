/* The C side of wire_decode.py.
 *
 *   wire_tool write DIR N SEED    writes N random batches as DIR/i.batch, and what they hold as DIR/i.json, one line of
 * head and one a window wire_tool read FILE           decodes a batch and prints the same lines wire_tool small DIR one
 * of each small message as files, and heartbeat.json */
#include "common/window_json.h"
#include "common/wire.h"

#include "tests/unit/any_batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct nj_arena arena;

static void save(const char *folder, const char *name, const void *data, size_t size)
{
	char path[512];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "wb");
	if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
		perror(path);
		exit(3);
	}
}

static void put_account(struct nj_json_out *out, const struct nj_sensor_account *a)
{
	nj_json_out_array(out, "account");
	const uint64_t counts[] = {a->frames_seen,     a->frames_decoded,  a->bytes_seen,     a->kernel_drops,
				   a->interface_drops, a->flows_opened,    a->flows_ended,    a->flows_evicted,
				   a->flows_active,    a->flows_one_sided, a->windows_closed, a->windows_dropped,
				   a->contacts_lost,   a->clock_clamps};
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		nj_json_out_u64(out, NULL, counts[i]);
	for (uint32_t i = 0; i < a->drops_n; i++) {
		nj_json_out_text(out, NULL, a->drops[i].name);
		nj_json_out_u64(out, NULL, a->drops[i].frames);
	}
	nj_json_out_end(out);
}

static void describe(struct nj_json_out *out, const struct nj_batch *b)
{
	nj_json_out_object(out, NULL);
	nj_json_out_text(out, "sensor", b->sensor);
	nj_json_out_text(out, "tap_group", b->tap_group);
	nj_json_out_u64(out, "table_id", b->table_id);
	nj_json_out_u64(out, "key_id", b->key_id);
	nj_json_out_u64(out, "boot", b->boot);
	nj_json_out_u64(out, "sequence", b->sequence);
	nj_json_out_u64(out, "start_ns", b->start_ns);
	nj_json_out_u64(out, "width_ms", b->width_ms);
	nj_json_out_u64(out, "flags", b->flags);
	if (b->flags & NJ_BATCH_TICK)
		put_account(out, &b->account);
	nj_json_out_end(out);
	nj_json_out_newline(out);
	for (uint32_t i = 0; i < b->windows_n; i++) {
		nj_window_json(out, NULL, &b->windows[i]);
		nj_json_out_newline(out);
	}
}

static int write_batches(const char *folder, unsigned n, unsigned seed)
{
	struct nj_wire_writer *writer;
	struct nj_json_out out = {0};
	if (nj_wire_writer_new(&writer) != NJ_OK)
		return 3;
	for (unsigned i = 0; i < n; i++) {
		char name[32];
		size_t size;
		nj_arena_reset(&arena);
		nj_json_out_reset(&out);
		struct any any = {.seed = seed + i, .arena = &arena, .keys = 4000, .list_max = i % 4 == 3 ? 16 : 5};
		struct nj_batch batch = any_batch(&any, i % 4 == 3 ? 40 : 4);
		const uint8_t *data = any_encode(writer, &batch, &size);
		snprintf(name, sizeof name, "%u.batch", i);
		save(folder, name, data, size);
		describe(&out, &batch);
		snprintf(name, sizeof name, "%u.json", i);
		save(folder, name, out.text, out.used);
	}
	nj_json_out_fini(&out);
	nj_wire_writer_free(&writer);
	return 0;
}

static int read_batch(const char *path)
{
	static uint8_t data[NJ_BATCH_BYTES_MAX + 1];
	FILE *file = fopen(path, "rb");
	if (file == NULL)
		return perror(path), 3;
	size_t size = fread(data, 1, sizeof data, file);
	fclose(file);
	struct nj_batch batch;
	struct nj_message message;
	struct nj_json_out out = {0};
	if (nj_wire_batch_decode(data, size, NULL, &arena, &message, &batch) != NJ_OK) {
		fprintf(stderr, "%s: %s\n", path, message.text);
		return 1;
	}
	describe(&out, &batch);
	fwrite(out.text, 1, out.used, stdout);
	nj_json_out_fini(&out);
	return 0;
}

static void put_interfaces(struct nj_json_out *out, const struct nj_sensor_health *h)
{
	nj_json_out_array(out, "interfaces");
	for (uint32_t i = 0; i < h->interfaces_n; i++) {
		nj_json_out_array(out, NULL);
		nj_json_out_text(out, NULL, h->interfaces[i].name);
		nj_json_out_u64(out, NULL, h->interfaces[i].state);
		nj_json_out_u64(out, NULL, h->interfaces[i].frames);
		nj_json_out_u64(out, NULL, h->interfaces[i].gaps);
		nj_json_out_u64(out, NULL, h->interfaces[i].gap_ms);
		nj_json_out_end(out);
	}
	nj_json_out_end(out);
}

/* A heartbeat, and what it says by the names of the page. */
static int write_heartbeat(const char *folder)
{
	uint8_t buffer[NJ_WIRE_HEARTBEAT_MAX];
	struct nj_json_out out = {0};
	struct any any = {.seed = 3, .arena = &arena, .keys = 10, .list_max = 3};
	struct nj_sensor_health h = any_health(&any);
	save(folder, "heartbeat", buffer, nj_wire_heartbeat_encode(&h, buffer));
	nj_json_out_object(&out, NULL);
	nj_json_out_text(&out, "sensor", h.sensor);
	nj_json_out_text(&out, "software", h.software);
#define COUNT(name) nj_json_out_u64(&out, #name, h.name);
	COUNT(boot)
	COUNT(next)
	COUNT(oldest)
	COUNT(spooled_batches)
	COUNT(journal_bytes)
	COUNT(journal_bytes_max)
	COUNT(journal_dropped)
	COUNT(windows_taken)
	COUNT(windows_dropped_full)
	COUNT(windows_dropped_error)
	COUNT(failovers)
	COUNT(sent_ns)
	COUNT(uptime_ms)
	COUNT(event_ns)
	COUNT(frames_seen)
	COUNT(kernel_drops)
	COUNT(interface_drops)
	COUNT(cpu_permille)
	COUNT(memory_bytes)
	COUNT(memory_bound_bytes)
#undef COUNT
	put_interfaces(&out, &h);
	nj_json_out_array(&out, "drops");
	for (uint32_t i = 0; i < h.drops_n; i++) {
		nj_json_out_text(&out, NULL, h.drops[i].name);
		nj_json_out_u64(&out, NULL, h.drops[i].frames);
	}
	nj_json_out_end(&out);
	nj_json_out_end(&out);
	save(folder, "heartbeat.json", out.text, out.used);
	nj_json_out_fini(&out);
	return 0;
}

static int write_small(const char *folder)
{
	uint8_t buffer[NJ_WIRE_SMALL_MAX];
	struct nj_wire_hello hello = {.sensor = "tap-1",
				      .tap_group = "rack.7",
				      .boot = 1ull << 63,
				      .oldest = 12,
				      .dropped = 3,
				      .several = true,
				      .settled = 11,
				      .greeting = 4};
	nj_feature_table_ids(&hello.self.tables);
	hello.self.key_id = ANY_KEY_ID;
	save(folder, "hello", buffer, nj_wire_hello_encode(&hello, buffer));
	struct nj_wire_ack ack = {
		.boot = 1ull << 63, .next = 300, .credit = 32, .rewind = true, .settled = 290, .greeting = 2};
	save(folder, "ack", buffer, nj_wire_ack_encode(&ack, buffer));
	struct nj_wire_refuse refuse = {.code = NJ_WIRE_REFUSED_TABLE, .reason = "because"};
	save(folder, "refuse", buffer, nj_wire_refuse_encode(&refuse, buffer));
	struct nj_wire_settled settled = {.boot = 1ull << 63, .settled = 299};
	save(folder, "settled", buffer, nj_wire_settled_encode(&settled, buffer));
	return write_heartbeat(folder);
}

static void put_number(FILE *file, uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		fputc((int)(value >> 8 * i & 0xff), file);
}

static int write_talk(const char *path, unsigned seed)
{
	static const uint64_t sequences[] = {5, 6, 6, 9, 7, 8};
	struct nj_wire_writer *writer;
	struct any any = {.seed = seed, .arena = &arena, .keys = 100, .list_max = 3};
	FILE *file = fopen(path, "wb");
	if (file == NULL || nj_wire_writer_new(&writer) != NJ_OK)
		return perror(path), 3;
	put_number(file, seed, 8);
	put_number(file, sequences[0], 8);
	for (size_t i = 0; i < sizeof sequences / sizeof *sequences; i++) {
		size_t size;
		struct nj_batch batch = any_batch(&any, 2);
		batch.boot = seed;
		batch.sequence = sequences[i];
		const uint8_t *data = any_encode(writer, &batch, &size);
		put_number(file, size, 4);
		fwrite(data, 1, size, file);
	}
	nj_wire_writer_free(&writer);
	return fclose(file) == 0 ? 0 : 3;
}

int main(int argc, char **argv)
{
	if (nj_arena_init(&arena, 64 << 20) != NJ_OK)
		return 3;
	int code = 2;
	if (argc == 5 && strcmp(argv[1], "write") == 0)
		code = write_batches(argv[2], (unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]));
	else if (argc == 3 && strcmp(argv[1], "read") == 0)
		code = read_batch(argv[2]);
	else if (argc == 3 && strcmp(argv[1], "small") == 0)
		code = write_small(argv[2]);
	else if (argc == 4 && strcmp(argv[1], "talk") == 0)
		code = write_talk(argv[2], (unsigned)atoi(argv[3]));
	else
		fprintf(stderr, "usage: wire_tool write DIR N SEED | read FILE | small DIR | talk FILE SEED\n");
	nj_arena_fini(&arena);
	return code;
}
