/* The inside of an ingest, for the files that make it up: ingest.c runs it, ingest_talk.c knows who is on the other end
 * and speaks to them, ingest_take.c takes batches in groups, ingest_settle.c takes greetings and settlements,
 * ingest_journal.c is for recovery. Included by those alone. */
#ifndef NJ_AGGREGATOR_INGEST_PARTS_H
#define NJ_AGGREGATOR_INGEST_PARTS_H

#include "aggregator/authorized.h"
#include "aggregator/ingest.h"
#include "aggregator/series.h"
#include "common/journal.h"
#include "common/link.h"
#include "common/wire.h"

#define NJ_INGEST_GROUP_MAX 64 /* batches in one transaction, frames in one step */

/* A peer that has greeted and been accepted. */
struct nj_ingest_session {
	struct nj_link_peer peer;
	char sensor[NJ_SENSOR_ID_MAX];
	uint64_t boot;
	uint64_t used, greeting;
	bool several;        /* what is taken is held until settled */
	bool told_to_rewind; /* and has not sent the right one since */
	bool owed;           /* an acknowledgement, once what it is for is committed */
};

/* A batch decoded and appended, not yet committed. */
struct nj_ingest_taken {
	struct nj_batch batch;
	struct nj_link_peer peer;
	uint64_t position;
	size_t bytes;
};

struct nj_ingest {
	struct nj_ingest_options options;
	struct nj_ingest_listener listener;
	struct nj_ingest_counts counts;
	struct nj_wire_self self;
	struct nj_link_context *own_context;
	struct nj_link *link;
	struct nj_journal *journal;
	struct nj_arena arena;
	struct nj_series_table *series;
	struct nj_authorized *authorized; /* NULL: a link without keys */
	const char *speaker;              /* whose key the present frame came with; NULL: a link without keys */
	struct nj_ingest_session *sessions;
	uint32_t sessions_n;
	struct nj_ingest_taken *group;
	uint32_t group_n;
	uint64_t steps;
	int handed;       /* in this step */
	bool uncommitted; /* something besides the group */
};

/* ---- ingest_talk.c */

/* NULL: this peer has not greeted. */
struct nj_ingest_session *nj_ingest_session_find(struct nj_ingest *in, const struct nj_link_peer *peer);
/* Of a peer whose greeting is accepted; the longest silent one gives way. */
struct nj_ingest_session *nj_ingest_session_open(struct nj_ingest *in, const struct nj_link_peer *peer,
						 const struct nj_wire_hello *hello);

/* How far its series has come, and what credit is left; with *rewind*: go on from there. What nj_link_send() says. */
int nj_ingest_acknowledge(struct nj_ingest *in, const struct nj_ingest_session *session, const struct nj_series *series,
			  bool rewind);
void nj_ingest_acknowledge_owed(struct nj_ingest *in);
void nj_ingest_repeat_last_words(struct nj_ingest *in);

/* Only says so; the others count too. */
void nj_ingest_refuse(struct nj_ingest *in, const struct nj_link_peer *peer, enum nj_wire_refusal code,
		      const char *reason);
void nj_ingest_refuse_malformed(struct nj_ingest *in, const struct nj_link_peer *peer, const char *reason);
void nj_ingest_refuse_stranger(struct nj_ingest *in, const struct nj_link_peer *peer);
void nj_ingest_refuse_lie(struct nj_ingest *in, const struct nj_link_peer *peer, const char *sensor);

/* Whose key the frame came with becomes the speaker. False: nobody's any more; refused and counted. */
bool nj_ingest_identify(struct nj_ingest *in, const struct nj_link_frame *frame);
/* Whether the speaker may speak in the name of *sensor*. */
bool nj_ingest_speaks_for(const struct nj_ingest *in, const char *sensor);
/* For the link, which asks at each handshake; *context* is the ingest. */
bool nj_ingest_admit(void *context, const struct nj_curve_key *key);

/* ---- ingest_take.c. An error has given up the group, but for one of the listener and of decoding. */

NJ_MUST_CHECK int nj_ingest_take_batch(struct nj_ingest *in, const struct nj_link_frame *frame,
				       struct nj_message *message);
/* Decodes into the arena. An error with words in *ret_wrong* is the frame's, without them the group's. */
NJ_MUST_CHECK int nj_ingest_decode_frame(struct nj_ingest *in, const struct nj_link_frame *frame,
					 struct nj_batch *ret_batch, struct nj_message *ret_wrong,
					 struct nj_message *message);
/* Into the journal and the group, which has room. */
NJ_MUST_CHECK int nj_ingest_append(struct nj_ingest *in, const struct nj_link_frame *frame,
				   const struct nj_batch *batch, struct nj_message *message);
NJ_MUST_CHECK int nj_ingest_flush(struct nj_ingest *in, struct nj_message *message);
/* Returns *err*. */
int nj_ingest_give_up(struct nj_ingest *in, int err);

/* ---- ingest_settle.c */

NJ_MUST_CHECK int nj_ingest_take_hello(struct nj_ingest *in, const struct nj_link_frame *frame,
				       struct nj_message *message);
NJ_MUST_CHECK int nj_ingest_take_settled(struct nj_ingest *in, const struct nj_link_frame *frame,
					 struct nj_message *message);

#endif
