/* The sensor half of every verb that reads captures: inputs and inventory opened, tables sized and bounded, frames
 * pumped through the pipeline, progress shown, damage told. Whoever holds it is the sensor's thread. */
#ifndef NJ_CLI_READING_H
#define NJ_CLI_READING_H

#include "cli/args.h"
#include "cli/console.h"
#include "cli/facts.h"
#include "cli/progress.h"
#include "common/inventory.h"
#include "sensor/capture.h"
#include "sensor/pipeline.h"

#include <stdatomic.h>

/* How far the sensor is, for another thread to show. */
struct nj_reading_pulse {
	_Atomic uint64_t bytes_done, bytes_total, packets;
};

struct nj_reading {
	struct nj_inventory *inventory; /* own, or NULL when the plan brought one */
	struct nj_capture *capture;
	struct nj_pipeline *pipeline;
	struct nj_pipeline_options options;
	struct nj_reading_pulse pulse;
	bool interrupted;
};

/* What a verb wants of its captures. */
struct nj_reading_plan {
	const struct nj_arguments *arguments;
	const char *const *paths; /* the operands, as a rule */
	uint32_t paths_n;
	struct nj_window_sink windows;
	void (*flow)(void *context, const struct nj_flow_record *flow); /* or NULL */
	void *flow_context;
	const struct nj_inventory *inventory; /* borrowed while the reading is open; NULL: --inventory is loaded */
	uint64_t other_bytes;                 /* memory of the aggregator, counted against --max-memory */
};

/* Worker options out of the arguments; the inventory's home networks are borrowed for as long as the options are used.
 */
void nj_reading_worker_options(const struct nj_arguments *arguments, const struct nj_inventory *inventory,
			       struct nj_worker_options *ret_options);

/* Loads --inventory, or an empty one. */
NJ_MUST_CHECK int nj_reading_inventory(const struct nj_arguments *arguments, struct nj_message *message,
				       struct nj_inventory **ret_inventory);

/* NJ_ERR_USAGE: wrong filter, no such inventory entry, more memory than allowed; NJ_ERR_MEMORY and the like. */
NJ_MUST_CHECK int nj_reading_open(struct nj_reading *reading, const struct nj_reading_plan *plan,
				  struct nj_message *message);
void nj_reading_close(struct nj_reading *reading);

/* Some thousands of frames. 1: more; 0: the end, everything flushed; negative error. An interrupt ends it early: 0 and
 * reading->interrupted. */
NJ_MUST_CHECK int nj_reading_step(struct nj_reading *reading, struct nj_message *message);

/* All of it, showing progress on *console* unless quiet. */
NJ_MUST_CHECK int nj_reading_run(struct nj_reading *reading, const struct nj_arguments *arguments,
				 struct nj_console *console, struct nj_message *message);

uint64_t nj_reading_memory_bytes(const struct nj_reading *reading);

/* A line on console->err for every input that is damaged or unreadable. Gives how many. */
uint32_t nj_reading_tell_damage(const struct nj_reading *reading, struct nj_console *console);

/* The sensor's part of the facts. */
void nj_reading_facts(const struct nj_reading *reading, struct nj_facts *facts);

#endif
