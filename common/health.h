/* A sensor's own account of how it fares, as its heartbeat carries it (docs/wire.md): what it lost and why, how full
 * its journal is, what it takes of the machine. Counts are since the process started, sizes and shares are of the
 * moment. Who fills it in reads clocks and /proc (sensor/main.c, sensor/health.h); who carries it does not. A plain
 * value. */
#ifndef NJ_COMMON_HEALTH_H
#define NJ_COMMON_HEALTH_H

#include "common/batch.h"

#include <stdint.h>

#define NJ_HEALTH_INTERFACES_MAX 8
#define NJ_INTERFACE_TEXT_MAX    16
#define NJ_SOFTWARE_TEXT_MAX     32

enum nj_interface_state { NJ_INTERFACE_UNKNOWN = 0, NJ_INTERFACE_UP = 1, NJ_INTERFACE_DOWN = 2 };

struct nj_interface_health {
	char name[NJ_INTERFACE_TEXT_MAX];
	uint8_t state;   /* enum nj_interface_state, or one of a later release */
	uint64_t frames; /* captured from it */
	uint64_t gaps;   /* times it was gone and came back */
	uint64_t gap_ms; /* how long all of them took, the present one included */
};

struct nj_sensor_health {
	/* filled in by the shipper */
	char sensor[NJ_SENSOR_ID_MAX];
	uint64_t boot;
	uint64_t next, oldest;    /* of the journal's sequences */
	uint64_t spooled_batches; /* not acknowledged by anyone */
	uint64_t journal_bytes;   /* of the blobs held */
	uint64_t journal_bytes_max;
	uint64_t journal_dropped; /* batches pushed out before anyone had them, in the journal's life */
	uint64_t windows_taken, windows_dropped_full, windows_dropped_error;
	uint64_t failovers; /* times it went to another aggregator */
	/* filled in by the program */
	char software[NJ_SOFTWARE_TEXT_MAX];
	uint64_t sent_ns; /* the sensor's wall clock, Unix epoch */
	uint64_t uptime_ms;
	uint64_t event_ns; /* how far packet time has come; 0: nothing captured yet */
	uint64_t frames_seen;
	uint64_t kernel_drops, interface_drops;
	uint64_t cpu_permille;       /* of one core, since the last heartbeat */
	uint64_t memory_bytes;       /* resident */
	uint64_t memory_bound_bytes; /* what the tables may take, as told at the start */
	uint32_t interfaces_n;
	struct nj_interface_health interfaces[NJ_HEALTH_INTERFACES_MAX];
	uint32_t drops_n;
	struct nj_drop_count drops[NJ_DROP_REASONS_MAX]; /* frames dropped by the sensor itself, by reason */
};

#endif
