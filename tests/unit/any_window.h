/* Random agent windows for tests: any field may hold anything a sensor may legally say, lists are in canonical order.
 * The seed is the caller's. */
#ifndef NJ_TESTS_ANY_WINDOW_H
#define NJ_TESTS_ANY_WINDOW_H

#include "common/feature.h"
#include "common/window.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANY_START_NS 1785542400000000000ull

struct any {
	unsigned seed;
	struct nj_arena *arena;
	uint32_t keys; /* keys are drawn from so many: few make merges meet */
	uint32_t keys_from;
	uint32_t list_max; /* elements of a list, before equal keys fall together */
};

static inline uint32_t any_below(struct any *any, uint32_t n)
{
	uint32_t bits = (uint32_t)rand_r(&any->seed) << 16 ^ (uint32_t)rand_r(&any->seed);
	return bits % n;
}

/* Mostly small, sometimes zero, sometimes huge. */
static inline uint64_t any_count(struct any *any)
{
	switch (any_below(any, 8)) {
	case 0:
	case 1:
		return 0;
	case 2:
		return (uint64_t)any_below(any, UINT32_MAX) << 24;
	case 3:
		return any_below(any, 1 << 20);
	default:
		return any_below(any, 100);
	}
}

static inline uint64_t any_time(struct any *any)
{
	return ANY_START_NS + any_below(any, 1000) * 10000000ull + any_below(any, 3);
}

static inline uint32_t any_key(struct any *any)
{
	return any->keys_from + any_below(any, any->keys);
}

static inline void any_contact(struct any *any, struct nj_contact *c)
{
	static const char *const apps[] = {"", "TLS", "SSH", "DNS.Google"};
	uint32_t key = any_key(any);
	uint8_t v4[4] = {10, (uint8_t)(key >> 10), (uint8_t)(key >> 2), (uint8_t)(key & 3)};
	*c = (struct nj_contact){.peer = nj_addr_v4(v4),
				 .port = (uint16_t)(key % 3 * 443),
				 .protocol = 6,
				 .role = (uint8_t)(1 + key % 2)};
	if (key % 5 == 0)
		c->peer.byte[0] = 0x20; /* IPv6 */
	snprintf(c->app, sizeof c->app, "%s", apps[key % 4]);
	c->flow_port = (uint16_t)any_count(any);
	c->external = any_below(any, 2) == 1;
	c->bursts_n = (uint8_t)any_below(any, NJ_CONTACT_BURSTS_MAX + 1);
	for (uint8_t i = 0; i < c->bursts_n; i++)
		c->burst_ms[i] = (uint16_t)((i > 0 ? c->burst_ms[i - 1] : 0) + any_below(any, 2000));
	c->opened = (uint32_t)any_count(any);
	c->answered = (uint32_t)any_count(any);
	c->refused = (uint32_t)any_count(any);
	c->unanswered = (uint32_t)any_count(any);
	c->reset = (uint32_t)any_count(any);
	c->bursts = (uint32_t)any_count(any);
	c->requests = (uint32_t)any_count(any);
	c->packets_out = any_count(any);
	c->packets_in = any_count(any);
	c->bytes_out = any_count(any);
	c->bytes_in = any_count(any);
	c->flow_bytes = any_count(any);
	c->began = any_count(any) * 0x9e3779b97f4a7c15ull;
	c->ended = any_below(any, 2) ? c->began << 1 : 0;
	c->first_ns = any_time(any);
	c->last_ns = c->first_ns + any_count(any);
	if (any_below(any, 3) == 0)
		snprintf(c->name, sizeof c->name, "host-%u.example", any_below(any, 50));
}

static inline int any_compare_u64(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static inline void any_domain(struct any *any, struct nj_domain *d)
{
	*d = (struct nj_domain){.queries = (uint32_t)any_count(any), .nxdomain = (uint32_t)any_count(any)};
	snprintf(d->name, sizeof d->name, "domain-%u.example", any_key(any));
	d->free_text = (uint32_t)any_count(any);
	d->name_bytes = any_count(any);
	d->answer_bytes = any_count(any);
	uint64_t sample[NJ_DNS_SAMPLE_MAX];
	uint32_t n = any_below(any, NJ_DNS_SAMPLE_MAX + 1);
	for (uint32_t i = 0; i < n; i++)
		sample[i] = any_below(any, 40) * 1000000007ull;
	qsort(sample, n, sizeof *sample, any_compare_u64);
	for (uint32_t i = 0; i < n; i++)
		if (i == 0 || sample[i] != sample[i - 1])
			d->sample[d->sample_n++] = sample[i];
}

static inline void any_client(struct any *any, struct nj_client *c)
{
	uint32_t key = any_key(any);
	*c = (struct nj_client){
		.kind = (uint8_t)(1 + key % 3), .flows = (uint32_t)any_count(any), .bytes_out = any_count(any)};
	snprintf(c->text, sizeof c->text, "t13d1516h2_%u", key);
	c->first_ns = any_time(any);
	c->peer.byte[15] = (uint8_t)any_below(any, 3);
	c->port = (uint16_t)any_below(any, 3);
}

static inline void any_exchange(struct any *any, struct nj_exchange *e)
{
	uint32_t key = any_key(any);
	memset(e, 0, sizeof *e);
	e->start_ns = ANY_START_NS + key / 4 * 1000000ull - 5000000;
	e->peer.byte[15] = (uint8_t)(key & 1);
	e->port = (uint16_t)(443 + (key >> 1 & 1));
	e->flow_port = 50000;
	e->protocol = key % 3 == 0 ? 17 : 6;
	e->form = (uint8_t)any_below(any, 3);
	e->score = (uint16_t)any_below(any, 3) * 400;
	e->end_ns = e->start_ns + any_count(any);
	e->bytes_up = any_count(any);
	e->bytes_down = any_count(any);
	e->burst_ms = (uint32_t)any_count(any);
	e->wait_ms = (uint32_t)any_count(any);
	e->answer_ms = (uint32_t)any_count(any);
	e->records_up = (uint32_t)any_count(any);
	e->records_down = (uint32_t)any_count(any);
	e->record_p50_bytes = (uint32_t)any_count(any);
	e->gap_p50_us = (uint32_t)any_count(any);
	e->flags = (uint16_t)any_below(any, 8192);
	e->api = (uint8_t)any_below(any, NJ_APIS_N);
	e->client_kind = (uint8_t)any_below(any, 4);
	if (e->client_kind != 0)
		snprintf(e->client, sizeof e->client, "t13d1516h2_%u", any_below(any, 9));
	if (any_below(any, 2))
		snprintf(e->name, sizeof e->name, "api-%u.example", any_below(any, 9));
}

static inline void any_tool(struct any *any, struct nj_tool *t)
{
	uint32_t key = any_key(any);
	memset(t, 0, sizeof *t);
	t->peer.byte[15] = (uint8_t)(key & 1);
	t->port = 3000;
	t->kind = (uint8_t)(1 + key % 3);
	t->external = (uint8_t)any_below(any, 2);
	t->calls = (uint32_t)any_count(any);
	t->first_ns = any_time(any);
	snprintf(t->method, sizeof t->method, "tools/%u", key % 7);
	if (key % 5000 != 0)
		snprintf(t->name, sizeof t->name, "tool_%u", key);
	else
		snprintf(t->method, sizeof t->method, "list/%u", key); /* names none */
}

/* Sorts a list and keeps one of each key; gives the length. */
static inline uint32_t any_canonical(void *items, uint32_t n, size_t bytes, int (*compare)(const void *, const void *))
{
	uint8_t *at = items;
	uint32_t kept = 0;
	qsort(items, n, bytes, compare);
	for (uint32_t i = 0; i < n; i++)
		if (kept == 0 || compare(at + (kept - 1) * bytes, at + i * bytes) != 0)
			memmove(at + kept++ * bytes, at + i * bytes, bytes);
	return kept;
}

#define ANY_LIST(any, w, list, type, make, compare)                                                                    \
	do {                                                                                                           \
		uint32_t n_ = any_below(any, (any)->list_max + 1);                                                     \
		(w)->list = nj_arena_take((any)->arena, (n_ + 1) * sizeof(type));                                      \
		for (uint32_t i_ = 0; i_ < n_; i_++)                                                                   \
			make(any, &(w)->list[i_]);                                                                     \
		(w)->list##_n =                                                                                        \
			any_canonical((w)->list, n_, sizeof(type), (int (*)(const void *, const void *))compare);      \
	} while (0)

static inline void any_vector(struct any *any, size_t index, void *vector)
{
	uint32_t n = any_below(any, any_below(any, 4) == 0 ? 2000 : 20);
	for (uint32_t i = 0; i < n; i++) {
		size_t at = any_below(any, (uint32_t)nj_vector_rows[index].length);
		if (nj_vector_rows[index].kind == NJ_VECTOR_DISTINCT)
			((uint8_t *)vector)[at] = (uint8_t)any_below(any, NJ_DISTINCT_RANK_MAX + 1);
		else
			((uint32_t *)vector)[at] = (uint32_t)any_count(any);
	}
}

static inline struct nj_window any_window(struct any *any)
{
	uint8_t v4[4] = {10, 1, 2, 3};
	struct nj_window w = {.agent = {.addr = nj_addr_v4(v4)}, .start_ns = ANY_START_NS, .width_ms = 10000};
	for (size_t i = 0; i < NJ_SCALARS_N; i++)
		*nj_scalar(&w.features, i) = strcmp(nj_scalar_rows[i].unit, "ns") == 0 ? any_time(any) : any_count(any);
	for (size_t i = 0; i < NJ_VECTORS_N; i++)
		if (any_below(any, 2) == 1) {
			nj_vector_set(&w, i, nj_arena_take(any->arena, nj_vector_bytes(i)));
			any_vector(any, i, nj_vector(&w, i));
		}
	ANY_LIST(any, &w, contacts, struct nj_contact, any_contact, nj_contact_compare);
	ANY_LIST(any, &w, domains, struct nj_domain, any_domain, nj_domain_compare);
	ANY_LIST(any, &w, clients, struct nj_client, any_client, nj_client_compare);
	ANY_LIST(any, &w, exchanges, struct nj_exchange, any_exchange, nj_exchange_compare);
	ANY_LIST(any, &w, tools, struct nj_tool, any_tool, nj_tool_compare);
	return w;
}

/* A copy that shares nothing. */
static inline struct nj_window any_copy(const struct nj_window *from, struct nj_arena *arena)
{
	struct nj_window copy = {.agent = from->agent, .start_ns = from->start_ns, .width_ms = from->width_ms};
	if (!nj_window_merge(&copy, from, arena))
		abort();
	return copy;
}

#endif
