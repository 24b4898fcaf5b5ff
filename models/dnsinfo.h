/* Bytes carried out in names: the information of *distinct* names asked for under one registered domain, in constant
 * memory (after ibHH, Ozery, Nadler and Shabtai 2023). A name weighs its length times its entropy; a sample of 16 gives
 * the weight of all of them within 27 %.
 *
 * A *sample* is what an agent window ships for a domain; the *table* keeps one per domain in the caller's memory. All
 * arithmetic up to the estimate is in integers, so equal names give equal bytes on every machine, in any order. No
 * pointers; zeroed is empty. */
#ifndef NJ_MODELS_DNSINFO_H
#define NJ_MODELS_DNSINFO_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NJ_DNS_SAMPLE 16

/* The smallest -ln(h)/w seen, ascending, 2^-57 nat per byte; unused ones are 0 at the end. The same bytes as struct
 * nj_domain's sample. */
struct nj_dns_sample {
	uint64_t value[NJ_DNS_SAMPLE];
};

static_assert(sizeof(struct nj_dns_sample) == 128, "shipped in windows");

/* Information of a name, in 1/65536 byte: length times Shannon entropy of its bytes, at least one byte. size <= 255,
 * more counts as 255. */
uint32_t nj_dns_weight(const void *name, size_t size);

/* -ln(h)/w of a name: *hash* keyed and uniform over (domain, name), weight from nj_dns_weight() (> 0, asserted). Never
 * 0. */
uint64_t nj_dns_value(uint64_t hash, uint32_t weight);

void nj_dns_sample_add(struct nj_dns_sample *sample, uint64_t value);
void nj_dns_sample_merge(struct nj_dns_sample *into, const struct nj_dns_sample *from);
unsigned nj_dns_sample_count(const struct nj_dns_sample *sample);
double nj_dns_sample_bytes(const struct nj_dns_sample *sample); /* estimated information of all distinct names, bytes; 0
								   for fewer than two */
bool nj_dns_sample_valid(
	const struct nj_dns_sample *sample); /* ascending, distinct, zeros last: check bytes from outside */

/* The table: sets of 8 domains each; a new domain in a full set displaces the one with least information. entries: a
 * multiple of 8. */
struct nj_dns_entry {
	uint64_t domain; /* hash, 0: unused (a hash of 0 is kept as 1) */
	struct nj_dns_sample sample;
};

/* Returns the entry of *domain*, displacing another if need be (then *ret_displaced, may be NULL, is true). Returned
 * borrowed until the next call. */
struct nj_dns_entry *nj_dns_table_take(struct nj_dns_entry *entry, size_t entries, uint64_t domain,
				       bool *ret_displaced);
const struct nj_dns_entry *nj_dns_table_find(const struct nj_dns_entry *entry, size_t entries,
					     uint64_t domain); /* or NULL */

/* ln(bytes an hour / allowed bytes an hour): the alert score; <= 0 within what is allowed. */
double nj_dns_score(double bytes_per_hour, double allowed_per_hour);

#endif
