/* What travels from a sensor to an aggregator: batches of agent windows, and a tick that says up to when a sensor has
 * told everything. Plain structs; common/wire_*.c turn them into MessagePack and back, docs/wire.md describes the
 * bytes. */
#ifndef NJ_COMMON_BATCH_H
#define NJ_COMMON_BATCH_H

#include "common/window.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define NJ_SENSOR_ID_MAX     32 /* with the NUL; letters, digits, '-', '_', '.' */
#define NJ_TAP_GROUP_MAX     32
#define NJ_DROP_REASONS_MAX  48
#define NJ_DROP_NAME_MAX     32
#define NJ_BATCH_WINDOWS_MAX 1024
#define NJ_BATCH_BYTES_MAX   (4u << 20)

/* As sensors and tap groups are named: not empty, and of letters that stand for themselves in a file's name. */
static inline bool nj_is_sensor_name(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	size_t length = strlen(text);
	return length > 0 && length < NJ_SENSOR_ID_MAX && strspn(text, letters) == length;
}

/* One named drop count. Names are those of sensor/drop.h, but a receiver takes any: versions skew. */
struct nj_drop_count {
	char name[NJ_DROP_NAME_MAX];
	uint64_t frames;
};

/* A sensor's own account of one window, whatever the agents did: law 1 in numbers. Counts are of this window, not
 * running totals. */
struct nj_sensor_account {
	uint64_t frames_seen; /* = frames_decoded + sum of drops */
	uint64_t frames_decoded;
	uint64_t bytes_seen;   /* wire bytes of frames_seen */
	uint64_t kernel_drops; /* lost before us; live capture only, not part of frames_seen */
	uint64_t interface_drops;
	uint64_t flows_opened, flows_ended, flows_evicted, flows_active, flows_one_sided;
	uint64_t windows_closed; /* = shipped + dropped */
	uint64_t windows_dropped;
	uint64_t contacts_lost;
	uint64_t clock_clamps; /* packets whose time went back */
	uint32_t drops_n;
	struct nj_drop_count drops[NJ_DROP_REASONS_MAX];
};

enum nj_batch_flag {
	NJ_BATCH_TICK =
		1, /* last batch of its window: account is filled, everything up to start + width has been told */
	NJ_BATCH_FINISH = 2,  /* last batch of the sensor: no more will come */
	NJ_BATCH_SEVERAL = 4, /* the sensor has several aggregators: numbers passed over may have gone to another */
};

struct nj_batch {
	char sensor[NJ_SENSOR_ID_MAX];
	char tap_group[NJ_TAP_GROUP_MAX]; /* sensors of one group see the same traffic; default: the sensor's own name
					   */
	uint32_t table_id;                /* NJ_FEATURE_TABLE_ID of the sender */
	uint32_t key_id;                  /* of the hash key behind the sketches */
	uint64_t boot;     /* random at start of the sensor's journal: sequences of another boot are another series */
	uint64_t sequence; /* 0, 1, 2 ... within boot */
	uint64_t start_ns;
	uint32_t width_ms;
	uint32_t flags;
	struct nj_sensor_account account; /* with NJ_BATCH_TICK */
	struct nj_window *windows;        /* of this start and width, ascending by agent */
	uint32_t windows_n;
};

#endif
