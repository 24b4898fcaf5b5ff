/* Any sequence of frames, to the ingest of an aggregator: whatever a peer sends after its greeting, the counts
 * conserve, the series never goes back, and what is handed on was journaled.
 *
 * Input: boot (8 bytes), the sequence the greeting names as oldest (8 bytes), then frames, each with its length before
 * it (4 bytes); all little-endian. An odd boot has several aggregators: its batches are held until the end. The corpus
 * was made by `wire_tool talk FILE SEED`, and must be made anew when the feature table changes: batches of another
 * table are refused at the door. */
#include "aggregator/ingest.h"
#include "common/link.h"
#include "common/wire.h"

#include "tests/sim/fake_link.c"

#include <string.h>

#define KEY_ID 0x4ca10d0

struct heard {
	uint64_t batches, position, sequence;
	bool any;
};

static int on_batch(void *context, const struct nj_batch *batch, uint64_t position)
{
	struct heard *heard = context;
	assert(!heard->any || position == heard->position + 1);
	assert(!heard->any || batch->sequence > heard->sequence);
	*heard = (struct heard){heard->batches + 1, position, batch->sequence, true};
	return NJ_OK;
}

static struct nj_ingest *open_ingest(struct heard *heard)
{
	struct nj_ingest_options options;
	struct nj_ingest *ingest = NULL;
	struct nj_message message;
	nj_ingest_options_init(&options);
	options.listen = "fake";
	options.key_id = KEY_ID;
	options.sensors_max = 4;
	options.arena_bytes = 1 << 20;
	if (nj_ingest_open(&options, &(struct nj_ingest_listener){.context = heard, .batch = on_batch}, &message,
			   &ingest) < 0)
		abort();
	return ingest;
}

static struct nj_link *open_sensor(uint64_t boot, uint64_t oldest)
{
	static const struct nj_link_options options = {.endpoint = "fake"};
	struct nj_link *sensor = NULL;
	uint8_t buffer[NJ_WIRE_SMALL_MAX];
	struct nj_wire_hello hello = {.sensor = "tap-1",
				      .tap_group = "rack.7",
				      .boot = boot,
				      .oldest = oldest,
				      .dropped = oldest,
				      .several = boot % 2 == 1,
				      .settled = oldest,
				      .self = {.key_id = KEY_ID}};
	nj_feature_table_ids(&hello.self.tables);
	if (nj_link_open(NULL, &options, NULL, &sensor) < 0 ||
	    nj_link_send(sensor, NULL, buffer, nj_wire_hello_encode(&hello, buffer)) < 0)
		abort();
	return sensor;
}

/* The series of the input may be another than the fuzzer's greetings made of it: then this settles nothing. */
static void settle_all(struct nj_link *sensor, uint64_t boot)
{
	uint8_t buffer[NJ_WIRE_SMALL_MAX];
	struct nj_wire_settled settled = {.boot = boot, .settled = UINT64_MAX};
	int err = nj_link_send(sensor, NULL, buffer, nj_wire_settled_encode(&settled, buffer));
	assert(err == NJ_OK || err == NJ_ERR_AGAIN);
}

static uint64_t little_endian(const uint8_t *bytes, size_t n)
{
	uint64_t value = 0;
	for (size_t i = n; i-- > 0;)
		value = value << 8 | bytes[i];
	return value;
}

static void step(struct nj_ingest *ingest)
{
	struct nj_message message;
	int handed = nj_ingest_step(ingest, 0, &message);
	assert(handed >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 16)
		return 0;
	struct heard heard = {0};
	uint64_t oldest = little_endian(data + 8, 8), sent = 1;
	struct nj_ingest *ingest = open_ingest(&heard);
	struct nj_link *sensor = open_sensor(little_endian(data, 8), oldest);
	for (size_t at = 16; at + 4 <= size; sent++) {
		size_t length = (size_t)little_endian(data + at, 4), left = size - at - 4;
		length = length < left ? length : left;
		if (nj_link_send(sensor, NULL, data + at + 4, length) < 0)
			break;
		at += 4 + length;
		if (sent % 3 == 0)
			step(ingest);
	}
	step(ingest);
	settle_all(sensor, little_endian(data, 8));
	step(ingest);
	struct nj_ingest_counts c = nj_ingest_counts(ingest);
	assert(c.frames + c.released == c.received + c.held + c.repeated + c.out_of_order + c.malformed + c.greetings +
						c.heartbeats + c.settlements + c.refused);
	assert(c.received == heard.batches && c.gaps >= oldest && c.held == c.released + c.discarded);
	nj_link_close(&sensor);
	nj_ingest_close(&ingest);
	return 0;
}
