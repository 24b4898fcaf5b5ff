/* Names of flows (server names, fingerprints, client strings), each kept once however many flows carry it. Counted
 * references; bounded; keyed hash. When all places are taken a new name is not kept and counted. Used by one worker's
 * thread. Memory: NJ_TEXT_BYTES_MAX + 16 B a name and 4 B a bucket. */
#ifndef NJ_SENSOR_TEXT_H
#define NJ_SENSOR_TEXT_H

#include "common/hash.h"

#include <stdbool.h>
#include <stddef.h>

#define NJ_TEXT_NONE      0
#define NJ_TEXT_BYTES_MAX 256 /* with the NUL; longer ones keep their beginning */

struct nj_text {
	char text[NJ_TEXT_BYTES_MAX];
	uint32_t next; /* in its bucket, or the next free one */
	uint32_t references;
	uint32_t hash;
};

struct nj_texts {
	struct nj_text *text; /* [0] stays unused: NJ_TEXT_NONE */
	uint32_t *bucket;
	uint32_t texts_max, buckets, free, fresh; /* places from fresh on were never used */
	uint64_t refused;                         /* names not kept, the table being full */
	const struct nj_hash_key *key;
	bool keep_questions; /* DNS names are worth places here: only where flow records are wanted, since each question
				is a flow of its own */
};

uint64_t nj_texts_memory_bytes(uint32_t texts_max);
NJ_MUST_CHECK int nj_texts_init(struct nj_texts *texts, uint32_t texts_max,
				const struct nj_hash_key *key); /* *keeps* key; NJ_ERR_MEMORY */
void nj_texts_fini(struct nj_texts *texts);

/* A reference to *text*, which is copied; NJ_TEXT_NONE for an empty text and when the table is full. */
uint32_t nj_texts_take(struct nj_texts *texts, const char *text);
void nj_texts_release(struct nj_texts *texts, uint32_t id); /* NJ_TEXT_NONE is ignored */

/* "" for NJ_TEXT_NONE. *returns borrowed until* its release. */
const char *nj_texts_get(const struct nj_texts *texts, uint32_t id);

#endif
