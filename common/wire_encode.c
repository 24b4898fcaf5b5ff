/* Batches, written. Numbers are small where they can be: vectors are sparse, indices are gaps, times are relative to
 * the window, a text that comes again is a number. On windows of recorded traffic a contact takes 44 to 59 bytes and
 * numbered texts save 3 to 13 % of a batch; encoding costs 0.4 to 0.8 us a contact. */
#include "common/wire_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A DISTINCT vector with more registers in use than this goes as 256 plain bytes. */
#define SPARSE_MAX 128

/* Texts by content: open addressing over offsets of the text in the body that is being written. */
#define TEXT_SLOTS (2 * NJ_WIRE_TEXTS_MAX)

struct text_slot {
	uint32_t offset;
	uint8_t length;
	uint16_t number; /* 0: free */
};

struct nj_wire_writer {
	struct nj_pack head, body;
	struct text_slot texts[TEXT_SLOTS];
	uint32_t texts_n; /* numbers given; 0 is the empty text */
	uint32_t windows_n;
	size_t decoded_bytes;
};

int nj_wire_writer_new(struct nj_wire_writer **ret_writer)
{
	struct nj_wire_writer *writer = calloc(1, sizeof *writer);
	if (writer == NULL)
		return NJ_ERR_MEMORY;
	*ret_writer = writer;
	return NJ_OK;
}

void nj_wire_writer_free(struct nj_wire_writer **writer)
{
	if (*writer == NULL)
		return;
	nj_pack_fini(&(*writer)->head);
	nj_pack_fini(&(*writer)->body);
	free(*writer);
	*writer = NULL;
}

uint32_t nj_wire_writer_windows(const struct nj_wire_writer *writer)
{
	return writer->windows_n;
}

static uint32_t text_hash(const char *text, size_t length)
{
	uint32_t hash = 2166136261u;
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (uint8_t)text[i]) * 16777619u;
	return hash ^ hash >> 15;
}

/* The slot that holds the text, or the free one where it belongs. */
static struct text_slot *find_text(struct nj_wire_writer *w, const char *text, size_t length)
{
	for (uint32_t at = text_hash(text, length);; at++) {
		struct text_slot *slot = &w->texts[at % TEXT_SLOTS];
		if (slot->number == 0 ||
		    (slot->length == length && memcmp(w->body.bytes + slot->offset, text, length) == 0))
			return slot;
	}
}

/* The first time as text, which thereby gets the next number; from then on the number. */
static void pack_text(struct nj_wire_writer *w, const char *text)
{
	size_t length = strlen(text);
	if (length == 0) {
		nj_pack_u64(&w->body, 0);
		return;
	}
	struct text_slot *slot = w->body.failed ? NULL : find_text(w, text, length);
	if (slot != NULL && slot->number != 0) {
		nj_pack_u64(&w->body, slot->number);
		return;
	}
	nj_pack_text(&w->body, text, length);
	if (slot != NULL && !w->body.failed && w->texts_n + 1 < NJ_WIRE_TEXTS_MAX)
		*slot = (struct text_slot){(uint32_t)(w->body.used - length), (uint8_t)length, (uint16_t)++w->texts_n};
}

static void pack_addr(struct nj_pack *pack, const struct nj_addr *addr)
{
	bool v4 = nj_addr_is_v4(addr);
	size_t size = v4 ? 4 : 16;
	nj_pack_bin(pack, addr->byte + 16 - size, size);
}

/* The difference modulo 2^64 as a signed number: small for neighbours, and exact for any two. */
static void pack_relative(struct nj_pack *pack, uint64_t value, uint64_t base)
{
	nj_pack_i64(pack, (int64_t)(value - base));
}

/* [gap, value, gap, value ...] of those that are not zero. */
static void pack_scalars(struct nj_pack *pack, const struct nj_window *window)
{
	struct nj_features features = window->features;
	size_t used = 0, next = 0;
	for (size_t i = 0; i < NJ_SCALARS_N; i++)
		used += *nj_scalar(&features, i) != 0;
	nj_pack_array(pack, 2 * used);
	for (size_t i = 0; i < NJ_SCALARS_N; i++) {
		uint64_t value = *nj_scalar(&features, i);
		if (value == 0)
			continue;
		nj_pack_u64(pack, i - next);
		if (nj_wire_is_time(i))
			pack_relative(pack, value, window->start_ns);
		else
			nj_pack_u64(pack, value);
		next = i + 1;
	}
}

static uint32_t element(const void *vector, size_t index, enum nj_vector_kind kind)
{
	return kind == NJ_VECTOR_DISTINCT ? ((const uint8_t *)vector)[index] : ((const uint32_t *)vector)[index];
}

static size_t used_elements(const void *vector, size_t row)
{
	size_t used = 0;
	for (size_t i = 0; vector != NULL && i < nj_vector_rows[row].length; i++)
		used += element(vector, i, nj_vector_rows[row].kind) != 0;
	return used;
}

static void pack_vector(struct nj_pack *pack, const void *vector, size_t row, size_t used)
{
	const struct nj_vector_row *r = &nj_vector_rows[row];
	size_t next = 0;
	if (r->kind == NJ_VECTOR_DISTINCT && used > SPARSE_MAX) {
		nj_pack_bin(pack, vector, r->length);
		return;
	}
	nj_pack_array(pack, 2 * used);
	for (size_t i = 0; i < r->length; i++) {
		if (element(vector, i, r->kind) == 0)
			continue;
		nj_pack_u64(pack, i - next);
		nj_pack_u64(pack, element(vector, i, r->kind));
		next = i + 1;
	}
}

/* [gap, vector, gap, vector ...] of those that are not all zero. */
static void pack_vectors(struct nj_pack *pack, const struct nj_window *window)
{
	size_t used[NJ_VECTORS_N], present = 0, next = 0;
	for (size_t i = 0; i < NJ_VECTORS_N; i++)
		present += (used[i] = used_elements(nj_vector(window, i), i)) > 0;
	nj_pack_array(pack, 2 * present);
	for (size_t i = 0; i < NJ_VECTORS_N; i++) {
		if (used[i] == 0)
			continue;
		nj_pack_u64(pack, i - next);
		pack_vector(pack, nj_vector(window, i), i, used[i]);
		next = i + 1;
	}
}

/* How many fields remain when trailing zeros go. */
static size_t trimmed(const uint64_t *fields, size_t n)
{
	while (n > 0 && fields[n - 1] == 0)
		n--;
	return n;
}

/* Fields of a contact: five of its key, fourteen that nearly always say something, then what is mostly empty: the last
 * six are left out from the end while they are zero. */
#define CONTACT_FIELDS_MIN 19

/* [gap, gap ...]: the bits that are set. */
static void pack_bits(struct nj_pack *pack, uint64_t bits)
{
	unsigned next = 0;
	nj_pack_array(pack, (size_t)__builtin_popcountll(bits));
	for (; bits != 0; bits &= bits - 1) {
		unsigned bit = (unsigned)__builtin_ctzll(bits);
		nj_pack_u64(pack, bit - next);
		next = bit + 1;
	}
}

static void pack_bursts(struct nj_pack *pack, const struct nj_contact *c)
{
	nj_pack_array(pack, c->bursts_n);
	for (uint8_t i = 0; i < c->bursts_n; i++)
		nj_pack_u64(pack, c->burst_ms[i]);
}

static void pack_contact_tail(struct nj_wire_writer *w, const struct nj_contact *c, size_t tail_n)
{
	struct nj_pack *pack = &w->body;
	if (tail_n > 0)
		nj_pack_u64(pack, c->requests);
	if (tail_n > 1)
		pack_text(w, c->name);
	if (tail_n > 2)
		nj_pack_u64(pack, c->bursts);
	if (tail_n > 3)
		pack_bursts(pack, c);
	if (tail_n > 4)
		pack_bits(pack, c->began);
	if (tail_n > 5)
		pack_bits(pack, c->ended);
}

static void pack_contact(struct nj_wire_writer *w, const struct nj_contact *c, const struct nj_contact *previous,
			 uint64_t start_ns)
{
	struct nj_pack *pack = &w->body;
	const uint64_t tail[] = {c->requests, c->name[0] != '\0', c->bursts, c->bursts_n, c->began, c->ended};
	const uint64_t counts[] = {c->flow_port,  c->opened,   c->answered,    c->refused,
				   c->unanswered, c->reset,    c->packets_out, c->packets_in,
				   c->bytes_out,  c->bytes_in, c->flow_bytes,  c->external};
	size_t tail_n = trimmed(tail, sizeof tail / sizeof *tail);
	nj_pack_array(pack, CONTACT_FIELDS_MIN + tail_n);
	if (previous != NULL && nj_addr_equal(&c->peer, &previous->peer))
		nj_pack_nil(pack);
	else
		pack_addr(pack, &c->peer);
	nj_pack_u64(pack, c->port);
	nj_pack_u64(pack, c->protocol);
	nj_pack_u64(pack, c->role);
	pack_text(w, c->app);
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		nj_pack_u64(pack, counts[i]);
	pack_relative(pack, c->first_ns, start_ns);
	pack_relative(pack, c->last_ns, c->first_ns);
	pack_contact_tail(w, c, tail_n);
}

static void pack_domain(struct nj_wire_writer *w, const struct nj_domain *d)
{
	nj_pack_array(&w->body, 7);
	pack_text(w, d->name);
	nj_pack_u64(&w->body, d->queries);
	nj_pack_u64(&w->body, d->nxdomain);
	nj_pack_u64(&w->body, d->free_text);
	nj_pack_u64(&w->body, d->name_bytes);
	nj_pack_u64(&w->body, d->answer_bytes);
	nj_pack_array(&w->body, d->sample_n);
	for (uint8_t i = 0; i < d->sample_n; i++)
		nj_pack_u64(&w->body, d->sample[i]);
}

static void pack_client(struct nj_wire_writer *w, const struct nj_client *c, uint64_t start_ns)
{
	nj_pack_array(&w->body, 7);
	nj_pack_u64(&w->body, c->kind);
	pack_text(w, c->text);
	nj_pack_u64(&w->body, c->flows);
	nj_pack_u64(&w->body, c->bytes_out);
	pack_relative(&w->body, c->first_ns, start_ns);
	pack_addr(&w->body, &c->peer);
	nj_pack_u64(&w->body, c->port);
}

static void pack_exchange(struct nj_wire_writer *w, const struct nj_exchange *e, uint64_t start_ns)
{
	struct nj_pack *pack = &w->body;
	const uint64_t key[] = {e->port, e->flow_port, e->protocol, e->form, e->score};
	const uint64_t rest[] = {e->bytes_up,   e->bytes_down, e->burst_ms,     e->wait_ms,
				 e->answer_ms,  e->records_up, e->records_down, e->record_p50_bytes,
				 e->gap_p50_us, e->flags,      e->api,          e->client_kind};
	nj_pack_array(pack, 22);
	pack_relative(pack, e->start_ns, start_ns);
	pack_addr(pack, &e->peer);
	for (size_t i = 0; i < sizeof key / sizeof *key; i++)
		nj_pack_u64(pack, key[i]);
	pack_relative(pack, e->end_ns, e->start_ns);
	for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
		nj_pack_u64(pack, rest[i]);
	pack_text(w, e->client);
	pack_text(w, e->name);
}

static void pack_tool(struct nj_wire_writer *w, const struct nj_tool *t, uint64_t start_ns)
{
	nj_pack_array(&w->body, 8);
	pack_addr(&w->body, &t->peer);
	nj_pack_u64(&w->body, t->port);
	nj_pack_u64(&w->body, t->kind);
	nj_pack_u64(&w->body, t->external);
	nj_pack_u64(&w->body, t->calls);
	pack_relative(&w->body, t->first_ns, start_ns);
	pack_text(w, t->method);
	pack_text(w, t->name);
}

static void pack_ai(struct nj_wire_writer *w, const struct nj_window *window)
{
	nj_pack_array(&w->body, window->exchanges_n);
	for (uint32_t i = 0; i < window->exchanges_n; i++)
		pack_exchange(w, &window->exchanges[i], window->start_ns);
	nj_pack_array(&w->body, window->tools_n);
	for (uint32_t i = 0; i < window->tools_n; i++)
		pack_tool(w, &window->tools[i], window->start_ns);
}

/* More than any capped window takes: a full one is a few ten thousand bytes. */
#define WINDOW_BYTES_MAX (256u << 10)

bool nj_wire_writer_fits(const struct nj_wire_writer *writer, const struct nj_window *window)
{
	return writer->windows_n < NJ_BATCH_WINDOWS_MAX && writer->body.used + WINDOW_BYTES_MAX < NJ_BATCH_BYTES_MAX &&
	       writer->decoded_bytes + nj_window_memory_bytes(window) <= NJ_WIRE_DECODED_MAX;
}

void nj_wire_writer_add(struct nj_wire_writer *writer, const struct nj_window *window)
{
	assert(nj_window_is_capped(window));
	assert(nj_wire_writer_fits(writer, window));
	struct nj_pack *pack = &writer->body;
	bool ai = window->exchanges_n > 0 || window->tools_n > 0;
	nj_pack_array(pack, ai ? 9 : 7);
	pack_addr(pack, &window->agent.addr);
	nj_pack_u64(pack, window->agent.segment);
	pack_scalars(pack, window);
	pack_vectors(pack, window);
	nj_pack_array(pack, window->contacts_n);
	for (uint32_t i = 0; i < window->contacts_n; i++)
		pack_contact(writer, &window->contacts[i], i > 0 ? &window->contacts[i - 1] : NULL, window->start_ns);
	nj_pack_array(pack, window->domains_n);
	for (uint32_t i = 0; i < window->domains_n; i++)
		pack_domain(writer, &window->domains[i]);
	nj_pack_array(pack, window->clients_n);
	for (uint32_t i = 0; i < window->clients_n; i++)
		pack_client(writer, &window->clients[i], window->start_ns);
	if (ai)
		pack_ai(writer, window);
	writer->windows_n++;
	writer->decoded_bytes += nj_window_memory_bytes(window);
}

static void pack_account(struct nj_pack *pack, const struct nj_sensor_account *account)
{
	struct nj_sensor_account copy = *account;
	uint64_t *counts[NJ_WIRE_ACCOUNT_COUNTS];
	nj_wire_account_counts(&copy, counts);
	nj_pack_array(pack, NJ_WIRE_ACCOUNT_COUNTS + 1);
	for (size_t i = 0; i < NJ_WIRE_ACCOUNT_COUNTS; i++)
		nj_pack_u64(pack, *counts[i]);
	nj_wire_pack_drops(pack, account->drops, account->drops_n);
}

static void pack_head(struct nj_pack *head, const struct nj_batch *batch, uint32_t windows_n)
{
	struct nj_table_ids tables;
	nj_feature_table_ids(&tables);
	nj_wire_pack_lead(head, NJ_WIRE_BATCH_FIELDS, NJ_WIRE_BATCH);
	nj_pack_text(head, batch->sensor, strlen(batch->sensor));
	nj_pack_text(head, batch->tap_group, strlen(batch->tap_group));
	nj_wire_pack_tables(head, &tables);
	nj_pack_u64(head, batch->key_id);
	nj_pack_u64(head, batch->boot);
	nj_pack_u64(head, batch->sequence);
	nj_pack_u64(head, batch->start_ns);
	nj_pack_u64(head, batch->width_ms);
	nj_pack_u64(head, batch->flags);
	if (batch->flags & NJ_BATCH_TICK)
		pack_account(head, &batch->account);
	else
		nj_pack_nil(head);
	nj_pack_array(head, windows_n);
}

static void empty(struct nj_wire_writer *writer)
{
	nj_pack_empty(&writer->body);
	writer->texts_n = 0;
	writer->windows_n = 0;
	writer->decoded_bytes = 0;
	memset(writer->texts, 0, sizeof writer->texts);
}

int nj_wire_writer_finish(struct nj_wire_writer *writer, const struct nj_batch *batch, const uint8_t **ret_data,
			  size_t *ret_size)
{
	struct nj_pack *whole = &writer->head;
	nj_pack_empty(whole);
	pack_head(whole, batch, writer->windows_n);
	nj_pack_raw(whole, writer->body.bytes, writer->body.used);
	bool failed = whole->failed || writer->body.failed;
	empty(writer);
	if (failed)
		return NJ_ERR_MEMORY;
	*ret_data = whole->bytes;
	*ret_size = whole->used;
	return NJ_OK;
}
