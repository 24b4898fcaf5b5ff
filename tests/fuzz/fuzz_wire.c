/* Any frame, to every decoder of the wire format. A batch that is accepted must survive being written and read again:
 * nothing gets in that our own writer could not have sent. Corpus: made by tests/oracle/wire_tool. */
#include "common/wire.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static struct nj_arena first, second;
static struct nj_wire_writer *writer;

static void set_up(void)
{
	if (writer != NULL)
		return;
	if (nj_arena_init(&first, NJ_WIRE_ARENA_BYTES) < 0 || nj_arena_init(&second, NJ_WIRE_ARENA_BYTES) < 0 ||
	    nj_wire_writer_new(&writer) < 0)
		abort();
}

static void check_again(const struct nj_batch *batch)
{
	struct nj_batch again;
	struct nj_message message;
	const uint8_t *data;
	size_t size;
	uint32_t n = 0;
	for (; n < batch->windows_n && nj_wire_writer_fits(writer, &batch->windows[n]); n++)
		nj_wire_writer_add(writer, &batch->windows[n]);
	assert(nj_wire_writer_finish(writer, batch, &data, &size) == NJ_OK);
	assert(nj_wire_batch_decode(data, size, NULL, &second, &message, &again) == NJ_OK);
	assert(again.windows_n == n);
	for (uint32_t i = 0; i < n; i++)
		assert(nj_window_equal(&batch->windows[i], &again.windows[i]));
}

static void check_heartbeat(const struct nj_sensor_health *health)
{
	static uint8_t once[NJ_WIRE_HEARTBEAT_MAX], twice[NJ_WIRE_HEARTBEAT_MAX];
	struct nj_sensor_health again;
	size_t size = nj_wire_heartbeat_encode(health, once);
	assert(nj_wire_heartbeat_decode(once, size, NULL, &again) == NJ_OK);
	assert(nj_wire_heartbeat_encode(&again, twice) == size && memcmp(once, twice, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	set_up();
	nj_arena_reset(&first);
	nj_arena_reset(&second);
	struct nj_message message;
	struct nj_batch batch;
	struct nj_wire_hello hello;
	struct nj_wire_ack ack;
	struct nj_wire_refuse refuse;
	struct nj_wire_settled settled;
	struct nj_sensor_health health;
	enum nj_wire_kind kind;
	uint32_t major;
	if (nj_wire_batch_decode(data, size, NULL, &first, &message, &batch) == NJ_OK)
		check_again(&batch);
	bool readable = nj_wire_hello_decode(data, size, &message, &hello) == NJ_OK;
	readable |= nj_wire_ack_decode(data, size, &message, &ack) == NJ_OK;
	readable |= nj_wire_refuse_decode(data, size, &message, &refuse) == NJ_OK;
	readable |= nj_wire_settled_decode(data, size, &message, &settled) == NJ_OK;
	if (nj_wire_heartbeat_decode(data, size, &message, &health) == NJ_OK) {
		readable = true;
		check_heartbeat(&health);
	}
	assert(!readable || nj_wire_peek(data, size, &kind, &major));
	return 0;
}
