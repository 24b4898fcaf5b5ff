/* One sensor: a source, its workers, the collector that joins their windows, and the shipper that delivers batches.
 * `nightjar replay`, `nightjar flows|windows` and nightjar-sensor run exactly this. With one worker everything happens
 * on the calling thread; with more, the caller's thread reads and deals frames by nj_worker_pick() to worker threads
 * through bounded rings of frame blocks. */
#ifndef NJ_SENSOR_PIPELINE_H
#define NJ_SENSOR_PIPELINE_H

#include "sensor/worker.h"

struct nj_capture;
struct nj_pipeline;

/* Where joined windows go: the shipper, or a printer. Calls come on the thread that runs the pipeline; 0 or a negative
 * error, which ends the run. */
struct nj_window_sink {
	void *context;
	int (*window)(void *context,
		      const struct nj_window *window); /* merged over workers and capped, ascending by agent */
	int (*tick)(void *context, uint64_t start_ns, uint32_t width_ms, const struct nj_sensor_account *account,
		    bool finish);
};

struct nj_pipeline_options {
	struct nj_worker_options worker;
	uint32_t workers; /* 1..64 */
};

struct nj_pipeline_totals {
	struct nj_sensor_account account; /* summed over windows and workers */
	uint64_t first_ns, last_ns;       /* of the frames read */
	struct nj_worker_counts counts;   /* summed over workers; final after the last step */
};

/* *flow* (NULL: not wanted) is called as flows end; with several workers by their threads, one call at a time, in no
 * particular order. */
uint64_t nj_pipeline_memory_bytes(const struct nj_pipeline_options *options);
NJ_MUST_CHECK int nj_pipeline_new(const struct nj_pipeline_options *options, struct nj_capture *source,
				  const struct nj_window_sink *windows,
				  void (*flow)(void *context, const struct nj_flow_record *flow), void *flow_context,
				  struct nj_message *message, struct nj_pipeline **ret_pipeline);
void nj_pipeline_free(struct nj_pipeline **pipeline);

/* Reads and processes up to *frames_max* frames. 1: more; 0: the source has ended and everything was flushed; <0 error.
 */
NJ_MUST_CHECK int nj_pipeline_step(struct nj_pipeline *pipeline, uint32_t frames_max, struct nj_message *message);

void nj_pipeline_totals(const struct nj_pipeline *pipeline, struct nj_pipeline_totals *ret_totals);

#endif
