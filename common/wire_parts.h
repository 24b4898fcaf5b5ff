/* What the files behind common/wire.h share: pieces that stand in more than one message. Included by common/wire_*.c
 * alone. */
#ifndef NJ_COMMON_WIRE_PARTS_H
#define NJ_COMMON_WIRE_PARTS_H

#include "common/pack.h"
#include "common/unpack.h"
#include "common/wire.h"

#define NJ_WIRE_SOFTWARE     "nightjar " NJ_VERSION
#define NJ_WIRE_BATCH_FIELDS 14 /* the windows are the last */
#define NJ_WIRE_LEAD_FIELDS  3  /* kind, major, minor: of every message */

/* The counts of struct nj_sensor_account, in the order in which they go; the drops follow as [name, frames, ...]. */
#define NJ_WIRE_ACCOUNT_COUNTS 14

static inline void nj_wire_account_counts(struct nj_sensor_account *a, uint64_t *ret_at[NJ_WIRE_ACCOUNT_COUNTS])
{
	uint64_t *const at[NJ_WIRE_ACCOUNT_COUNTS] = {
		&a->frames_seen,    &a->frames_decoded,  &a->bytes_seen,    &a->kernel_drops, &a->interface_drops,
		&a->flows_opened,   &a->flows_ended,     &a->flows_evicted, &a->flows_active, &a->flows_one_sided,
		&a->windows_closed, &a->windows_dropped, &a->contacts_lost, &a->clock_clamps};
	memcpy(ret_at, at, sizeof at);
}

/* Rows that hold times go relative to the window. */
static inline bool nj_wire_is_time(size_t scalar)
{
	return strcmp(nj_scalar_rows[scalar].unit, "ns") == 0;
}

void nj_wire_pack_lead(struct nj_pack *pack, size_t fields, enum nj_wire_kind kind);
void nj_wire_pack_tables(struct nj_pack *pack, const struct nj_table_ids *tables);

void nj_wire_pack_drops(struct nj_pack *pack, const struct nj_drop_count *drops, uint32_t n);

/* The lead of a message of this kind; the fields after it are the caller's to read. */
struct nj_fields nj_wire_open(struct nj_unpack *r, enum nj_wire_kind kind, uint32_t *ret_major, uint32_t *ret_minor);
void nj_wire_tables(struct nj_fields *f, struct nj_table_ids *ret_tables);

/* [name, frames, name, frames ...]: at most NJ_DROP_REASONS_MAX pairs; gives how many. */
uint32_t nj_wire_drops(struct nj_fields *f, struct nj_drop_count *ret_drops);

/* After the last field: NJ_OK, or NJ_ERR_FORMAT (_MEMORY when full) with the words of what was wrong. */
NJ_MUST_CHECK int nj_wire_verdict(const struct nj_unpack *r, const char *what, struct nj_message *message);

#endif
