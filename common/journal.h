/* A durable queue of numbered blobs: what a sensor has told and nobody has acknowledged yet, what an aggregator has
 * received and not yet folded into a snapshot. Entries are numbered 0, 1, 2 ... without holes, survive the end of the
 * process at any instant once committed, and leave from the old end: forgotten because they are done with, or dropped
 * and counted because the journal would outgrow its bound. The series of numbers has a random name, *boot*, that stays
 * with the file.
 *
 * next = forgotten + dropped + held. One thread. A commit costs one synchronisation of the disk; begin and commit put
 * many appends into one. */
#ifndef NJ_COMMON_JOURNAL_H
#define NJ_COMMON_JOURNAL_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nj_db;
struct nj_journal;

struct nj_journal_options {
	const char *path;   /* ":memory:": lasts as long as the process */
	uint64_t bytes_max; /* sum of the blobs held */
	uint64_t boot;      /* name of the series when the file is made; 0: a random one */
};

struct nj_journal_state {
	uint64_t boot;
	uint64_t oldest, next;           /* held: oldest <= sequence < next */
	uint64_t bytes;                  /* of the blobs held */
	uint64_t forgotten;              /* entries, ever */
	uint64_t dropped, dropped_bytes; /* over the bound, ever */
};

/* Errors as of nj_db_open(); a damaged file is NJ_ERR_FORMAT and left as it is. *returns owned*. */
NJ_MUST_CHECK int nj_journal_open(const struct nj_journal_options *options, struct nj_message *message,
				  struct nj_journal **ret_journal);
/* Whether a file that cannot be opened was once a journal of ours, by what its first bytes still say. */
bool nj_journal_is_ours(const char *path);
/* Renames a journal that is not open to PATH.damaged, with what belongs to it; an earlier one there is replaced. */
NJ_MUST_CHECK int nj_journal_set_aside(const char *path, struct nj_message *message);
void nj_journal_close(struct nj_journal **journal); /* what was not committed is gone */

struct nj_journal_state nj_journal_state(const struct nj_journal *journal);
struct nj_journal_state nj_journal_committed(const struct nj_journal *journal); /* as a crash now would leave it */
bool nj_journal_has_room(const struct nj_journal *journal, size_t size);        /* append would drop nothing */

/* Puts a blob at the young end; its number was state.next before. Outside begin/commit it is a transaction of its own.
 * A blob over the bound itself: NJ_ERR_LIMIT. After a failure nothing of the transaction counts; the journal can be
 * used on. */
NJ_MUST_CHECK int nj_journal_append(struct nj_journal *journal, const void *data, size_t size,
				    struct nj_message *message);
NJ_MUST_CHECK int nj_journal_begin(struct nj_journal *journal,
				   struct nj_message *message); /* within a transaction: nothing to do */
NJ_MUST_CHECK int nj_journal_commit(struct nj_journal *journal,
				    struct nj_message *message); /* outside: nothing to do */

/* Bytes of the blobs held from *sequence* on. */
NJ_MUST_CHECK int nj_journal_bytes_from(struct nj_journal *journal, uint64_t sequence, struct nj_message *message,
					uint64_t *ret_bytes);

/* Everything below *sequence* is done with. */
NJ_MUST_CHECK int nj_journal_forget(struct nj_journal *journal, uint64_t sequence, struct nj_message *message);

/* Everything held is done with, and the next entry has number *sequence*: for a journal that has lost its young end.
 * The numbers passed over count as dropped. Nothing to do when it is that far already. */
NJ_MUST_CHECK int nj_journal_move_on(struct nj_journal *journal, uint64_t sequence, struct nj_message *message);

/* The entries from *sequence* on (of those held) were never written: for a journal whose young end is damaged. Their
 * numbers are given again. */
NJ_MUST_CHECK int nj_journal_cut(struct nj_journal *journal, uint64_t sequence, struct nj_message *message);

/* The oldest entry not below *sequence*: 1 and the entry, *borrowed until* the next call; 0: none. NJ_ERR_FORMAT: it is
 * not what was written. */
NJ_MUST_CHECK int nj_journal_read(struct nj_journal *journal, uint64_t sequence, struct nj_message *message,
				  uint64_t *ret_sequence, const void **ret_data, size_t *ret_size);

/* For a module that keeps tables of its own in the same transactions. *returns borrowed until* close. */
struct nj_db *nj_journal_db(struct nj_journal *journal);

#endif
