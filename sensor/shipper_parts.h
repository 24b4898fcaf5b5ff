/* The inside of a shipper, for the files that make it up: shipper.c builds batches and keeps the journal,
 * shipper_talk.c speaks to aggregators, route.c chooses among several. Included by those alone. */
#ifndef NJ_SENSOR_SHIPPER_PARTS_H
#define NJ_SENSOR_SHIPPER_PARTS_H

#include "common/journal.h"
#include "sensor/outlet.h"
#include "sensor/route.h"
#include "sensor/shipper.h"
#include "sensor/told.h"

struct nj_shipper {
	struct nj_shipper_options options;
	struct nj_shipper_counts counts;
	struct nj_link_context *own_context;
	struct nj_outlet outlets[NJ_SHIPPER_AGGREGATORS_MAX];
	uint32_t outlets_n;
	uint32_t current; /* the one that is delivered to */
	bool entered;     /* it has decided on what it held from earlier stays: batches may go there */
	bool draining;    /* nothing new goes to it: all is to be settled before *target* takes over */
	uint32_t target;
	struct nj_route *route; /* NULL: no row was ever written */
	struct nj_journal *journal;
	struct nj_wire_writer *writer;
	struct nj_wire_self self;
	uint64_t building_ns, width_ms; /* window of the batch being built */
	uint64_t acked, sent, sent_ever, committed;
	uint64_t acked_first; /* below it the windows are those of earlier runs, not counted among the taken */
	uint64_t had;         /* the aggregator has this series up to here: more than this journal, which began anew */
	bool in_memory;
	struct nj_told *told;
	struct nj_agent_id last; /* agent of the last window of the batch being built */
	uint32_t ticks_uncommitted;
	uint64_t windows_uncommitted, pushed_uncommitted; /* in the open transaction: appended, and pushed out for it */
	uint64_t clock_ms;                                /* as last told by nj_shipper_clock() */
	bool clocked;
	int refused; /* for good, by all */
	struct nj_message message;
	char notice[900]; /* what opening had to do */
};

static inline bool nj_shipper_has_several(const struct nj_shipper *s)
{
	return s->outlets_n > 1;
}

/* Everything so far onto the disk, and what was acknowledged out of the journal. On failure what was not on the disk is
 * given up and counted; the error comes back as it is. */
NJ_MUST_CHECK int nj_shipper_commit(struct nj_shipper *s);

/* Lets the journal forget what was acknowledged, but for what it may keep. */
NJ_MUST_CHECK int nj_shipper_forget(struct nj_shipper *s);

/* The aggregator has everything below *next*, which is not above what is committed. */
NJ_MUST_CHECK int nj_shipper_move_acked(struct nj_shipper *s, uint64_t next);

/* A live sensor goes on when its disk is full: counted, and tried again. */
int nj_shipper_bear(struct nj_shipper *s, int err);

/* Windows in the committed entries from..until-1, which are still held. */
NJ_MUST_CHECK int nj_shipper_count_windows(struct nj_shipper *s, uint64_t from, uint64_t until, uint64_t *ret_windows);

/* One look at the links, of at most *wait_ms* for a word of the current aggregator. */
NJ_MUST_CHECK int nj_shipper_exchange(struct nj_shipper *s, uint32_t wait_ms);

/* So much time has passed, for those of whom something is awaited. */
void nj_shipper_pass(struct nj_shipper *s, uint32_t ms);

/* Every batch is acknowledged, and every aggregator knows which of them are its own. */
bool nj_shipper_is_settled(const struct nj_shipper *s);

#endif
