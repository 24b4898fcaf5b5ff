/* One aggregator as the shipper sees it: its link, where the two stand with each other, and how long it has been
 * silent. Says and hears the small words; what they mean for the journal is the shipper's business (sensor/shipper.h).
 * One thread; time is told by nj_outlet_wait(). */
#ifndef NJ_SENSOR_OUTLET_H
#define NJ_SENSOR_OUTLET_H

#include "common/link.h"
#include "common/wire.h"

#include <stdbool.h>
#include <stdint.h>

/* KNOWN: the last greeting was answered. */
enum nj_standing { NJ_STANDING_STRANGER, NJ_STANDING_GREETED, NJ_STANDING_KNOWN };

struct nj_outlet {
	const char *endpoint; /* borrowed */
	struct nj_link *link; /* owned */
	enum nj_standing standing;
	uint32_t credit, minor; /* of its last word */
	uint64_t greeting;      /* number of the last HELLO */
	uint64_t entry;         /* words on greetings before this number are from an earlier stay: not heard */
	uint64_t told_oldest;   /* by the last HELLO */
	uint64_t decided; /* told_oldest of the last one answered: it holds nothing below that is not ours to settle */
	uint64_t settled; /* where it was left; it holds nothing below that does not count there */
	uint64_t told_settled, confirmed; /* while it is delivered to: settled as said, and as answered */
	uint64_t sent_end;                /* after the last batch that ever went there */
	uint32_t silence_ms;              /* since its last word, while one is due */
	uint32_t patience_ms;   /* after so much silence it is greeted again; doubles up to PATIENCE_TIMES its first */
	uint32_t unanswered_ms; /* as silence_ms, but greeting it again does not begin anew */
	uint32_t good_ms;       /* how long it has answered without fail */
	int refused;            /* for good: NJ_ERR_VERSION, NJ_ERR_FORMAT */
};

/* What came from it. */
enum nj_outlet_word { NJ_WORD_NONE, NJ_WORD_ACK, NJ_WORD_REFUSED };

/* NJ_OK (or AGAIN: its queue is full, nothing was said) or NJ_ERR_LINK. The greeting's number is filled in. */
NJ_MUST_CHECK int nj_outlet_greet(struct nj_outlet *outlet, struct nj_wire_hello *hello);
NJ_MUST_CHECK int nj_outlet_settle(struct nj_outlet *outlet, uint64_t boot, uint64_t settled);
NJ_MUST_CHECK int nj_outlet_send(struct nj_outlet *outlet, const void *data, size_t size);

/* The next word, after at most *wait_ms*. Takes it down, as far as it concerns the outlet. 1: *ret_word* and what
 * belongs to it; 0: nothing came; NJ_ERR_LINK. Words of other series, of earlier stays and of no sense are WORD_NONE.
 */
NJ_MUST_CHECK int nj_outlet_hear(struct nj_outlet *outlet, uint64_t boot, uint32_t wait_ms, uint32_t patience_ms,
				 enum nj_outlet_word *ret_word, struct nj_wire_ack *ret_ack,
				 struct nj_wire_refuse *ret_refuse);

/* So much time has passed while a word was due. Greets anew when patience ends. */
void nj_outlet_wait(struct nj_outlet *outlet, uint32_t ms, uint32_t patience_ms);

#endif
