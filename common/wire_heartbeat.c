/* How a sensor fares, as a message: plain numbers by position, then a record an interface and the drops by reason. */
#include "common/wire_parts.h"

#include <assert.h>
#include <string.h>

#define COUNTS_N         20
#define HEARTBEAT_FIELDS (NJ_WIRE_LEAD_FIELDS + 2 + COUNTS_N + 2)

/* The plain numbers in the order in which they go. */
static void counts_of(struct nj_sensor_health *h, uint64_t *ret_at[COUNTS_N])
{
	uint64_t *const at[COUNTS_N] = {&h->boot,
					&h->next,
					&h->oldest,
					&h->spooled_batches,
					&h->journal_bytes,
					&h->journal_bytes_max,
					&h->journal_dropped,
					&h->windows_taken,
					&h->windows_dropped_full,
					&h->windows_dropped_error,
					&h->failovers,
					&h->sent_ns,
					&h->uptime_ms,
					&h->event_ns,
					&h->frames_seen,
					&h->kernel_drops,
					&h->interface_drops,
					&h->cpu_permille,
					&h->memory_bytes,
					&h->memory_bound_bytes};
	memcpy(ret_at, at, sizeof at);
}

static void pack_interfaces(struct nj_pack *to, const struct nj_sensor_health *health)
{
	nj_pack_array(to, health->interfaces_n);
	for (uint32_t i = 0; i < health->interfaces_n; i++) {
		const struct nj_interface_health *at = &health->interfaces[i];
		nj_pack_array(to, 5);
		nj_pack_text(to, at->name, strlen(at->name));
		nj_pack_u64(to, at->state);
		nj_pack_u64(to, at->frames);
		nj_pack_u64(to, at->gaps);
		nj_pack_u64(to, at->gap_ms);
	}
}

size_t nj_wire_heartbeat_encode(const struct nj_sensor_health *health, uint8_t buffer[NJ_WIRE_HEARTBEAT_MAX])
{
	struct nj_pack to = nj_pack_fixed(buffer, NJ_WIRE_HEARTBEAT_MAX);
	struct nj_sensor_health copy = *health;
	uint64_t *counts[COUNTS_N];
	counts_of(&copy, counts);
	assert(health->interfaces_n <= NJ_HEALTH_INTERFACES_MAX);
	assert(health->drops_n <= NJ_DROP_REASONS_MAX);
	nj_wire_pack_lead(&to, HEARTBEAT_FIELDS, NJ_WIRE_HEARTBEAT);
	nj_pack_text(&to, health->sensor, strlen(health->sensor));
	nj_pack_text(&to, health->software, strlen(health->software));
	for (size_t i = 0; i < COUNTS_N; i++)
		nj_pack_u64(&to, *counts[i]);
	pack_interfaces(&to, health);
	nj_wire_pack_drops(&to, health->drops, health->drops_n);
	assert(!to.failed);
	return to.used;
}

static void read_interface(struct nj_unpack *r, struct nj_interface_health *at)
{
	struct nj_fields f = nj_fields_open(r);
	nj_field_text(&f, at->name, sizeof at->name);
	at->state = (uint8_t)nj_field_u64(&f, UINT8_MAX);
	at->frames = nj_field_u64(&f, UINT64_MAX);
	at->gaps = nj_field_u64(&f, UINT64_MAX);
	at->gap_ms = nj_field_u64(&f, UINT64_MAX);
	nj_fields_close(&f);
}

int nj_wire_heartbeat_decode(const void *data, size_t size, struct nj_message *message,
			     struct nj_sensor_health *ret_health)
{
	struct nj_sensor_health health = {0};
	uint64_t *counts[COUNTS_N];
	uint32_t major, minor;
	struct nj_unpack r = nj_unpack_open(data, size);
	struct nj_fields f = nj_wire_open(&r, NJ_WIRE_HEARTBEAT, &major, &minor);
	counts_of(&health, counts);
	nj_field_name(&f, health.sensor, sizeof health.sensor);
	nj_field_text(&f, health.software, sizeof health.software);
	for (size_t i = 0; i < COUNTS_N; i++)
		*counts[i] = nj_field_u64(&f, UINT64_MAX);
	health.interfaces_n = nj_fields_next(&f) ? nj_unpack_array(&r, NJ_HEALTH_INTERFACES_MAX) : 0;
	for (uint32_t i = 0; i < health.interfaces_n && nj_unpack_ok(&r); i++)
		read_interface(&r, &health.interfaces[i]);
	health.drops_n = nj_wire_drops(&f, health.drops);
	nj_fields_close(&f);
	int err = nj_wire_verdict(&r, "heartbeat", message);
	if (err == NJ_OK)
		*ret_health = health;
	return err;
}
