/* What the store is made of: for store.c, which opens and commits it, store_write.c, through which rows come in, and
 * store_ask.c, through which they go out. Nobody else includes it. */
#ifndef NJ_AGGREGATOR_STORE_PARTS_H
#define NJ_AGGREGATOR_STORE_PARTS_H

#include "aggregator/store.h"
#include "common/db.h"
#include "common/sha.h"

#define NJ_STORE_MINUTES_MAX 65536 /* open roll-ups; beyond it the minute is written early */

/* Statements prepared once, in a store open for writing; store.c has their SQL in this order. */
enum {
	NJ_STORE_ADD_ALERT,
	NJ_STORE_FIND_ALERT,
	NJ_STORE_SET_CHAIN,
	NJ_STORE_ADD_REPEAT,
	NJ_STORE_ADD_AGENT,
	NJ_STORE_ADD_ROLLUP,
	NJ_STORE_SET_COVERED,
	NJ_STORE_NEXT_UNTOLD,
	NJ_STORE_SET_TOLD,
	NJ_STORE_HAS_TOLD,
	NJ_STORE_ADD_AI,
	NJ_STORE_ADD_SENSOR,
	NJ_STORE_STATEMENTS
};

struct nj_store {
	struct nj_db *db;
	struct nj_statement *statement[NJ_STORE_STATEMENTS];
	bool writing; /* a transaction is open */
	uint64_t covered_ns, position;
	uint64_t rows; /* of the chain */
	uint8_t hash[NJ_SHA256_BYTES];
	uint64_t minute; /* that is open */
	struct nj_store_rollup *open;
	uint32_t *index; /* slot + 1 in open, 0: free */
	uint32_t open_n;
};

/* store_write.c: opens a transaction unless one is open. */
NJ_MUST_CHECK int nj_store_begin(struct nj_store *store, struct nj_message *message);
/* store_write.c: adds the open minute to the roll-ups of every width. */
NJ_MUST_CHECK int nj_store_flush_minute(struct nj_store *store, struct nj_message *message);
/* store_write.c: the link of the chain that follows *before*; buffer: NJ_SHA256_BYTES + json_n, *borrows* it. */
void nj_store_chain_hash(const uint8_t before[NJ_SHA256_BYTES], const char *json, char *buffer, size_t json_n,
			 uint8_t ret_hash[NJ_SHA256_BYTES]);

#endif
