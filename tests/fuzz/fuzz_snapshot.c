/* Any file as a snapshot, its checksums made right first, so that what lies behind them is reached: it is taken or
 * refused with words that name the file, and an engine that has taken it goes on judging.
 *
 * An input that begins as a snapshot does is one. Any other is a list of changes to a snapshot made here, by the
 * present layouts: five bytes each, where (4, modulo its size) and what is put there (1). Without a change it must be
 * taken. */
#include "aggregator/engine.h"
#include "aggregator/gaps.h"
#include "aggregator/merge.h"
#include "aggregator/prior.h"
#include "aggregator/snapshot.h"
#include "common/inventory.h"

#include "tests/fuzz/memory_file.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD_BYTES 48 /* of a chunk, as aggregator/snapshot.h describes it */
#define START      8

/* Follows the lengths from chunk to chunk and writes what the checksums should be. */
static void make_right(uint8_t *data, size_t size, const struct nj_hash_key *key)
{
	for (size_t at = START; at + HEAD_BYTES <= size;) {
		uint32_t bytes;
		memcpy(&bytes, data + at + 24, sizeof bytes);
		if (bytes > size - at - HEAD_BYTES)
			return;
		uint64_t hash = nj_hash64(data + at + HEAD_BYTES, bytes, key);
		memcpy(data + at + 32, &hash, sizeof hash);
		hash = nj_hash64(data + at, 40, key);
		memcpy(data + at + 40, &hash, sizeof hash);
		at += HEAD_BYTES + bytes;
	}
}

static void ignore(void *context, const struct nj_judged *judged)
{
	(void)context;
	(void)judged;
}

static void judge_on(struct nj_engine *engine)
{
	struct nj_contact contacts[8];
	memset(contacts, 0, sizeof contacts);
	struct nj_window windows[2] = {{.agent.addr = {{[15] = 1}}, .width_ms = 10000, .contacts = contacts},
				       {.agent.addr = {{[15] = 2}}, .width_ms = 10000, .contacts = contacts}};
	for (uint32_t i = 0; i < 8; i++)
		contacts[i] = (struct nj_contact){.peer.byte = {[14] = (uint8_t)i, [15] = 9},
						  .port = 443,
						  .protocol = 6,
						  .role = NJ_ROLE_CLIENT,
						  .external = i % 2,
						  .opened = 1,
						  .refused = i % 3 == 0,
						  .answered = i % 3 != 0,
						  .bytes_out = 1u << (2 * i),
						  .packets_out = 3};
	for (uint64_t round = 0; round < 3; round++) {
		uint64_t start_ns = 1700000000000000000ull + round * 4000 * 1000000000ull;
		for (int i = 0; i < 2; i++) {
			windows[i].start_ns = start_ns;
			windows[i].contacts_n = 8;
			windows[i].features.first_ns = start_ns;
		}
		for (int i = 0; i < 8; i++)
			contacts[i].first_ns = contacts[i].last_ns = start_ns + 5;
		const struct nj_round told = {
			.start_ns = start_ns, .width_ms = 10000, .windows = windows, .windows_n = 2};
		assert(nj_engine_judge(engine, &told, ignore, NULL) == 0);
	}
}

static int take_nothing(void *context, const struct nj_snapshot_item *item, struct nj_message *message)
{
	(void)context;
	(void)message;
	return item->size > NJ_SNAPSHOT_BLOB_MAX ? NJ_ERR_LIMIT : NJ_OK;
}

/* What an engine, a merge and the gaps keep after a few rounds. */
static uint8_t *make_base(const struct nj_engine_options *options, const struct nj_merge_options *joining,
			  size_t *ret_size)
{
	char path[] = "/tmp/nj_fuzz_snapshot_XXXXXX", previous[NJ_SNAPSHOT_PATH_MAX];
	struct nj_batch batch = {.sensor = "a",
				 .boot = 1,
				 .sequence = 3,
				 .start_ns = 10000000000ull,
				 .width_ms = 10000,
				 .flags = NJ_BATCH_TICK};
	struct nj_snapshot_writer *writer;
	struct nj_engine *engine;
	struct nj_merge *merge;
	struct nj_gaps *gaps;
	assert(nj_engine_new(options, &engine) == 0);
	assert(nj_merge_new(joining, &merge) == 0);
	assert(nj_gaps_new(&gaps) == 0);
	judge_on(engine);
	assert(nj_merge_push(merge, &batch) == 0);
	assert(nj_gaps_note(gaps, &batch) == 3);
	int fd = mkstemp(path);
	assert(fd >= 0);
	assert(nj_snapshot_create(path, NULL, &writer) == 0);
	nj_engine_save(engine, writer);
	nj_merge_save(merge, writer);
	nj_gaps_save(gaps, writer);
	nj_snapshot_section(writer, "pending", NULL);
	nj_snapshot_blob(writer, 0, "abc", 3);
	assert(nj_snapshot_finish(&writer, NULL, NULL) == 0);
	close(fd);
	FILE *file = fopen(path, "rb");
	assert(file != NULL);
	uint8_t *base = malloc(1u << 20);
	assert(base != NULL);
	*ret_size = fread(base, 1, 1u << 20, file);
	fclose(file);
	nj_snapshot_previous(path, previous); /* the empty file that mkstemp made */
	unlink(previous);
	unlink(path);
	nj_gaps_free(&gaps);
	nj_merge_free(&merge);
	nj_engine_free(&engine);
	return base;
}

static void change(uint8_t *copy, size_t size, const uint8_t *change, size_t change_size)
{
	for (; change_size >= 5; change += 5, change_size -= 5) {
		uint32_t at;
		memcpy(&at, change, sizeof at);
		copy[at % size] = change[4];
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct nj_inventory *inventory;
	static uint8_t *base;
	static size_t base_size;
	static struct nj_prior prior;
	static struct nj_hash_key key;
	if (inventory == NULL) {
		assert(nj_inventory_new(&inventory) == 0);
		assert(nj_prior_shipped(NULL, &prior) == 0);
		nj_hash_key_derive("", &key);
	}
	const struct nj_engine_options options = {.shards = 1,
						  .agents_max = 64,
						  .fleet_entries_max = 128,
						  .inventory = inventory,
						  .prior = &prior,
						  .hash_key = &key};
	const struct nj_merge_options joining = {
		.sensors_expected = 1, .pending_bytes_max = 1u << 20, .arena_bytes = 1u << 16};
	struct nj_engine *engine;
	struct nj_merge *merge;
	struct nj_gaps *gaps;
	assert(nj_engine_new(&options, &engine) == 0);
	assert(nj_merge_new(&joining, &merge) == 0);
	assert(nj_gaps_new(&gaps) == 0);
	struct nj_snapshot_taker taker[NJ_ENGINE_TAKERS_MAX + NJ_MERGE_TAKERS + NJ_GAPS_TAKERS + 1];
	uint32_t n = nj_engine_takers(engine, taker);
	nj_merge_takers(merge, taker + n);
	n += NJ_MERGE_TAKERS;
	nj_gaps_takers(gaps, taker + n);
	n += NJ_GAPS_TAKERS;
	taker[n++] = (struct nj_snapshot_taker){.name = "pending", .take = take_nothing};
	for (uint32_t i = 0; i < n; i++)
		taker[i].required = false;

	if (base == NULL)
		base = make_base(&options, &joining, &base_size);
	bool whole = size >= 6 && memcmp(data, "NJSNAP", 6) == 0;
	bool as_made = !whole && size < 5;
	uint8_t *copy = malloc(whole ? size : base_size);
	assert(copy != NULL);
	memcpy(copy, whole ? data : base, whole ? size : base_size);
	if (!whole)
		change(copy, base_size, data, size);
	size = whole ? size : base_size;
	make_right(copy, size, &key);
	char path[64];
	int fd = memory_file(copy, size, path);
	struct nj_message message = {""};
	if (nj_snapshot_read(path, taker, n, &message) == 0) {
		nj_engine_restored(engine);
		judge_on(engine);
	} else {
		assert(!as_made);
		assert(strncmp(message.text, path, strlen(path)) == 0);
	}
	close(fd);
	free(copy);
	nj_gaps_free(&gaps);
	nj_merge_free(&merge);
	nj_engine_free(&engine);
	return 0;
}
