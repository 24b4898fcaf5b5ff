/* Batches, read: one pass, in place, into the caller's arena; 0.2 to 0.4 us a contact. What is appended to the arena is
 * bounded by what the frame really holds (common/unpack.h). */
#include "common/wire_parts.h"

#include <stdio.h>
#include <string.h>

struct text {
	const uint8_t *bytes;
	uint32_t length;
};

struct decoder {
	struct nj_unpack r;
	struct nj_arena *arena;
	struct text *texts; /* [0] is the empty one */
	uint32_t texts_n;
	uint64_t start_ns;
	uint32_t window; /* being read, for messages */
};

static void *take(struct decoder *d, uint32_t n, size_t bytes)
{
	void *items = n > 0 && nj_unpack_ok(&d->r) ? nj_arena_take(d->arena, n * bytes) : NULL;
	if (items == NULL && n > 0 && nj_unpack_ok(&d->r)) {
		nj_unpack_spoil(&d->r, "does not fit the memory set aside for a batch");
		d->r.full = true;
	}
	return items;
}

/* A text, which thereby gets a number, or the number of an earlier one. */
static void field_numbered_text(struct decoder *d, struct nj_fields *f, char *ret_text, size_t size)
{
	struct nj_unpack *r = &d->r;
	struct text text = {NULL, 0};
	if (!nj_fields_next(f))
		return;
	uint8_t type = nj_unpack_peek(r);
	if (type >> 5 == 5 || (type >= 0xd9 && type <= 0xdb)) {
		text.bytes = nj_unpack_text(r, &text.length);
		if (nj_unpack_ok(r) && text.length > 0 && d->texts_n < NJ_WIRE_TEXTS_MAX)
			d->texts[d->texts_n++] = text;
	} else {
		uint64_t number = nj_unpack_u64(r);
		if (nj_unpack_ok(r) && number < d->texts_n)
			text = d->texts[number];
		else
			nj_unpack_spoil(r, "a text has a number that was not given");
	}
	if (nj_unpack_ok(r))
		nj_unpack_copy_text(r, text.bytes, text.length, ret_text, size);
}

/* [gap, value ...]: the index after the gap, or an end. */
static bool next_index(struct nj_unpack *r, uint32_t *left, uint64_t *next, uint64_t *ret_index)
{
	if (*left == 0 || !nj_unpack_ok(r))
		return false;
	*left -= 2;
	*ret_index = *next + nj_unpack_bounded(r, UINT16_MAX);
	*next = *ret_index + 1;
	return nj_unpack_ok(r);
}

static uint32_t read_pairs(struct nj_unpack *r)
{
	uint32_t n = nj_unpack_array(r, UINT32_MAX);
	if (n % 2 != 0)
		nj_unpack_spoil(r, "a list of pairs has an odd length");
	return n;
}

static void field_scalars(struct decoder *d, struct nj_fields *f, struct nj_features *features)
{
	uint32_t left = nj_fields_next(f) ? read_pairs(&d->r) : 0;
	for (uint64_t next = 0, index; next_index(&d->r, &left, &next, &index);) {
		if (index >= NJ_SCALARS_N)
			nj_unpack_skip(&d->r);
		else if (nj_wire_is_time(index))
			*nj_scalar(features, index) = d->start_ns + nj_unpack_signed(&d->r);
		else
			*nj_scalar(features, index) = nj_unpack_u64(&d->r);
	}
}

static void read_sparse_vector(struct decoder *d, void *vector, const struct nj_vector_row *row)
{
	uint32_t left = read_pairs(&d->r);
	uint64_t max = row->kind == NJ_VECTOR_DISTINCT ? NJ_DISTINCT_RANK_MAX : UINT32_MAX;
	for (uint64_t next = 0, index; next_index(&d->r, &left, &next, &index);) {
		uint64_t value = nj_unpack_bounded(&d->r, max);
		if (index >= row->length)
			nj_unpack_spoil(&d->r, "a vector's index is out of range");
		else if (row->kind == NJ_VECTOR_DISTINCT)
			((uint8_t *)vector)[index] = (uint8_t)value;
		else
			((uint32_t *)vector)[index] = (uint32_t)value;
	}
}

static void read_dense_vector(struct decoder *d, uint8_t *vector, const struct nj_vector_row *row)
{
	uint32_t length;
	const uint8_t *bytes = nj_unpack_bin(&d->r, &length);
	if (!nj_unpack_ok(&d->r) || length != row->length || row->kind != NJ_VECTOR_DISTINCT) {
		nj_unpack_spoil(&d->r, "plain bytes are no vector of this kind");
		return;
	}
	memcpy(vector, bytes, length);
	for (uint32_t i = 0; i < length; i++)
		if (vector[i] > NJ_DISTINCT_RANK_MAX)
			nj_unpack_spoil(&d->r, "a number is too large");
}

static void field_vectors(struct decoder *d, struct nj_fields *f, struct nj_window *window)
{
	uint32_t left = nj_fields_next(f) ? read_pairs(&d->r) : 0;
	for (uint64_t next = 0, index; next_index(&d->r, &left, &next, &index);) {
		if (index >= NJ_VECTORS_N) {
			nj_unpack_skip(&d->r);
			continue;
		}
		void *vector = take(d, 1, nj_vector_bytes(index));
		nj_vector_set(window, index, vector);
		if (vector == NULL)
			return;
		uint8_t type = nj_unpack_peek(&d->r);
		if (type >= 0xc4 && type <= 0xc6)
			read_dense_vector(d, vector, &nj_vector_rows[index]);
		else
			read_sparse_vector(d, vector, &nj_vector_rows[index]);
	}
}

static void field_peer(struct decoder *d, struct nj_fields *f, const struct nj_contact *previous,
		       struct nj_addr *ret_peer)
{
	if (nj_fields_next(f) && nj_unpack_peek(&d->r) != 0xc0) {
		nj_unpack_addr(&d->r, ret_peer);
		return;
	}
	nj_cursor_skip(&d->r.cursor, 1);
	if (previous != NULL)
		*ret_peer = previous->peer;
	else
		nj_unpack_spoil(&d->r, "the first contact has no peer");
}

static void field_bursts(struct decoder *d, struct nj_fields *f, struct nj_contact *contact)
{
	uint32_t n = nj_fields_next(f) ? nj_unpack_array(&d->r, NJ_CONTACT_BURSTS_MAX) : 0;
	for (uint32_t i = 0; i < n; i++) {
		contact->burst_ms[i] = (uint16_t)nj_unpack_bounded(&d->r, UINT16_MAX);
		if (i > 0 && contact->burst_ms[i] < contact->burst_ms[i - 1])
			nj_unpack_spoil(&d->r, "bursts are not in order");
	}
	contact->bursts_n = (uint8_t)n;
}

/* [gap, gap ...]: the bits that are set. */
static uint64_t field_bits(struct nj_fields *f)
{
	uint32_t n = nj_fields_next(f) ? nj_unpack_array(f->from, NJ_CONTACT_SLOTS) : 0;
	uint64_t bits = 0, next = 0;
	for (uint32_t i = 0; i < n && nj_unpack_ok(f->from); i++) {
		uint64_t bit = next + nj_unpack_bounded(f->from, NJ_CONTACT_SLOTS);
		if (bit >= NJ_CONTACT_SLOTS) {
			nj_unpack_spoil(f->from, "a slot is out of range");
			return 0;
		}
		bits |= (uint64_t)1 << bit;
		next = bit + 1;
	}
	return bits;
}

static void read_contact(struct decoder *d, struct nj_contact *c, const struct nj_contact *previous)
{
	struct nj_fields f = nj_fields_open(&d->r);
	field_peer(d, &f, previous, &c->peer);
	c->port = (uint16_t)nj_field_u64(&f, UINT16_MAX);
	c->protocol = (uint8_t)nj_field_u64(&f, UINT8_MAX);
	c->role = (uint8_t)nj_field_u64(&f, NJ_ROLE_SERVER);
	field_numbered_text(d, &f, c->app, sizeof c->app);
	c->flow_port = (uint16_t)nj_field_u64(&f, UINT16_MAX);
	uint32_t *const small[] = {&c->opened, &c->answered, &c->refused, &c->unanswered, &c->reset};
	for (size_t i = 0; i < sizeof small / sizeof *small; i++)
		*small[i] = (uint32_t)nj_field_u64(&f, UINT32_MAX);
	uint64_t *const large[] = {&c->packets_out, &c->packets_in, &c->bytes_out, &c->bytes_in, &c->flow_bytes};
	for (size_t i = 0; i < sizeof large / sizeof *large; i++)
		*large[i] = nj_field_u64(&f, UINT64_MAX);
	c->external = (uint8_t)nj_field_u64(&f, 1);
	c->first_ns = nj_field_relative(&f, d->start_ns);
	c->last_ns = nj_field_relative(&f, c->first_ns);
	c->requests = (uint32_t)nj_field_u64(&f, UINT32_MAX);
	field_numbered_text(d, &f, c->name, sizeof c->name);
	c->bursts = (uint32_t)nj_field_u64(&f, UINT32_MAX);
	field_bursts(d, &f, c);
	c->began = field_bits(&f);
	c->ended = field_bits(&f);
	nj_fields_close(&f);
	if (c->role == 0)
		nj_unpack_spoil(&d->r, "a contact has no role");
	if (nj_unpack_ok(&d->r) && previous != NULL && nj_contact_compare(previous, c) >= 0)
		nj_unpack_spoil(&d->r, "contacts are not in order");
}

static void read_domain(struct decoder *d, struct nj_domain *domain, const struct nj_domain *previous)
{
	struct nj_fields f = nj_fields_open(&d->r);
	field_numbered_text(d, &f, domain->name, sizeof domain->name);
	domain->queries = (uint32_t)nj_field_u64(&f, UINT32_MAX);
	domain->nxdomain = (uint32_t)nj_field_u64(&f, UINT32_MAX);
	domain->free_text = (uint32_t)nj_field_u64(&f, UINT32_MAX);
	domain->name_bytes = nj_field_u64(&f, UINT64_MAX);
	domain->answer_bytes = nj_field_u64(&f, UINT64_MAX);
	uint32_t n = nj_fields_next(&f) ? nj_unpack_array(&d->r, NJ_DNS_SAMPLE_MAX) : 0;
	for (uint32_t i = 0; i < n; i++) {
		domain->sample[i] = nj_unpack_u64(&d->r);
		if (i > 0 && domain->sample[i] <= domain->sample[i - 1])
			nj_unpack_spoil(&d->r, "a sample is not in order");
	}
	domain->sample_n = (uint8_t)n;
	nj_fields_close(&f);
	if (nj_unpack_ok(&d->r) && previous != NULL && nj_domain_compare(previous, domain) >= 0)
		nj_unpack_spoil(&d->r, "domains are not in order");
}

static void read_client(struct decoder *d, struct nj_client *c, const struct nj_client *previous)
{
	struct nj_fields f = nj_fields_open(&d->r);
	c->kind = (uint8_t)nj_field_u64(&f, UINT8_MAX);
	field_numbered_text(d, &f, c->text, sizeof c->text);
	c->flows = (uint32_t)nj_field_u64(&f, UINT32_MAX);
	c->bytes_out = nj_field_u64(&f, UINT64_MAX);
	c->first_ns = nj_field_relative(&f, d->start_ns);
	if (nj_fields_next(&f))
		nj_unpack_addr(&d->r, &c->peer);
	c->port = (uint16_t)nj_field_u64(&f, UINT16_MAX);
	nj_fields_close(&f);
	if (nj_unpack_ok(&d->r) && previous != NULL && nj_client_compare(previous, c) >= 0)
		nj_unpack_spoil(&d->r, "clients are not in order");
}

static void read_exchange(struct decoder *d, struct nj_exchange *e, const struct nj_exchange *previous)
{
	struct nj_fields f = nj_fields_open(&d->r);
	e->start_ns = nj_field_relative(&f, d->start_ns);
	if (nj_fields_next(&f))
		nj_unpack_addr(&d->r, &e->peer);
	e->port = (uint16_t)nj_field_u64(&f, UINT16_MAX);
	e->flow_port = (uint16_t)nj_field_u64(&f, UINT16_MAX);
	e->protocol = (uint8_t)nj_field_u64(&f, UINT8_MAX);
	e->form = (uint8_t)nj_field_u64(&f, UINT8_MAX);
	e->score = (uint16_t)nj_field_u64(&f, NJ_SCORE_ONE);
	e->end_ns = nj_field_relative(&f, e->start_ns);
	e->bytes_up = nj_field_u64(&f, UINT64_MAX);
	e->bytes_down = nj_field_u64(&f, UINT64_MAX);
	uint32_t *const counts[] = {&e->burst_ms,     &e->wait_ms,          &e->answer_ms, &e->records_up,
				    &e->records_down, &e->record_p50_bytes, &e->gap_p50_us};
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		*counts[i] = (uint32_t)nj_field_u64(&f, UINT32_MAX);
	e->flags = (uint16_t)nj_field_u64(&f, UINT16_MAX);
	e->api = (uint8_t)nj_field_u64(&f, UINT8_MAX);
	e->client_kind = (uint8_t)nj_field_u64(&f, UINT8_MAX);
	field_numbered_text(d, &f, e->client, sizeof e->client);
	field_numbered_text(d, &f, e->name, sizeof e->name);
	nj_fields_close(&f);
	if (nj_unpack_ok(&d->r) && previous != NULL && nj_exchange_compare(previous, e) >= 0)
		nj_unpack_spoil(&d->r, "exchanges are not in order");
}

static void read_tool(struct decoder *d, struct nj_tool *t, const struct nj_tool *previous)
{
	struct nj_fields f = nj_fields_open(&d->r);
	if (nj_fields_next(&f))
		nj_unpack_addr(&d->r, &t->peer);
	t->port = (uint16_t)nj_field_u64(&f, UINT16_MAX);
	t->kind = (uint8_t)nj_field_u64(&f, UINT8_MAX);
	t->external = (uint8_t)nj_field_u64(&f, 1);
	t->calls = (uint32_t)nj_field_u64(&f, UINT32_MAX);
	t->first_ns = nj_field_relative(&f, d->start_ns);
	field_numbered_text(d, &f, t->method, sizeof t->method);
	field_numbered_text(d, &f, t->name, sizeof t->name);
	nj_fields_close(&f);
	if (nj_unpack_ok(&d->r) && previous != NULL && nj_tool_compare(previous, t) >= 0)
		nj_unpack_spoil(&d->r, "tools are not in order");
}

static void field_contacts(struct decoder *d, struct nj_fields *f, struct nj_window *w)
{
	w->contacts_n = nj_fields_next(f) ? nj_unpack_array(&d->r, NJ_CONTACTS_MAX) : 0;
	w->contacts = take(d, w->contacts_n, sizeof *w->contacts);
	for (uint32_t i = 0; i < w->contacts_n && nj_unpack_ok(&d->r); i++)
		read_contact(d, &w->contacts[i], i > 0 ? &w->contacts[i - 1] : NULL);
}

static void field_domains(struct decoder *d, struct nj_fields *f, struct nj_window *w)
{
	w->domains_n = nj_fields_next(f) ? nj_unpack_array(&d->r, NJ_DOMAINS_MAX) : 0;
	w->domains = take(d, w->domains_n, sizeof *w->domains);
	for (uint32_t i = 0; i < w->domains_n && nj_unpack_ok(&d->r); i++)
		read_domain(d, &w->domains[i], i > 0 ? &w->domains[i - 1] : NULL);
}

static void field_clients(struct decoder *d, struct nj_fields *f, struct nj_window *w)
{
	w->clients_n = nj_fields_next(f) ? nj_unpack_array(&d->r, NJ_CLIENTS_MAX) : 0;
	w->clients = take(d, w->clients_n, sizeof *w->clients);
	for (uint32_t i = 0; i < w->clients_n && nj_unpack_ok(&d->r); i++)
		read_client(d, &w->clients[i], i > 0 ? &w->clients[i - 1] : NULL);
}

static void field_exchanges(struct decoder *d, struct nj_fields *f, struct nj_window *w)
{
	w->exchanges_n = nj_fields_next(f) ? nj_unpack_array(&d->r, NJ_EXCHANGES_MAX) : 0;
	w->exchanges = take(d, w->exchanges_n, sizeof *w->exchanges);
	for (uint32_t i = 0; i < w->exchanges_n && nj_unpack_ok(&d->r); i++)
		read_exchange(d, &w->exchanges[i], i > 0 ? &w->exchanges[i - 1] : NULL);
}

static void field_tools(struct decoder *d, struct nj_fields *f, struct nj_window *w)
{
	w->tools_n = nj_fields_next(f) ? nj_unpack_array(&d->r, NJ_TOOLS_MAX) : 0;
	w->tools = take(d, w->tools_n, sizeof *w->tools);
	for (uint32_t i = 0; i < w->tools_n && nj_unpack_ok(&d->r); i++)
		read_tool(d, &w->tools[i], i > 0 ? &w->tools[i - 1] : NULL);
}

static void read_window(struct decoder *d, struct nj_window *w, const struct nj_window *previous)
{
	struct nj_fields f = nj_fields_open(&d->r);
	if (nj_fields_next(&f))
		nj_unpack_addr(&d->r, &w->agent.addr);
	else
		nj_unpack_spoil(&d->r, "a window has no agent");
	w->agent.segment = (nj_segment)nj_field_u64(&f, UINT32_MAX);
	field_scalars(d, &f, &w->features);
	field_vectors(d, &f, w);
	field_contacts(d, &f, w);
	field_domains(d, &f, w);
	field_clients(d, &f, w);
	field_exchanges(d, &f, w);
	field_tools(d, &f, w);
	nj_fields_close(&f);
	if (nj_unpack_ok(&d->r) && previous != NULL && nj_agent_id_compare(&previous->agent, &w->agent) >= 0)
		nj_unpack_spoil(&d->r, "agents are not in order");
}

static void field_account(struct nj_unpack *r, struct nj_fields *outer, struct nj_sensor_account *account)
{
	if (!nj_fields_next(outer))
		return;
	if (nj_unpack_peek(r) == 0xc0) {
		nj_unpack_skip(r);
		return;
	}
	uint64_t *counts[NJ_WIRE_ACCOUNT_COUNTS];
	nj_wire_account_counts(account, counts);
	struct nj_fields f = nj_fields_open(r);
	for (size_t i = 0; i < NJ_WIRE_ACCOUNT_COUNTS; i++)
		*counts[i] = nj_field_u64(&f, UINT64_MAX);
	account->drops_n = nj_wire_drops(&f, account->drops);
	nj_fields_close(&f);
}

/* Everything but the windows; gives the table ids apart, because a batch keeps only the first. */
static void read_head(struct nj_unpack *r, struct nj_fields *f, struct nj_batch *batch, struct nj_table_ids *ret_tables)
{
	nj_field_name(f, batch->sensor, sizeof batch->sensor);
	nj_field_name(f, batch->tap_group, sizeof batch->tap_group);
	nj_wire_tables(f, ret_tables);
	batch->table_id = ret_tables->id[0];
	batch->key_id = (uint32_t)nj_field_u64(f, UINT32_MAX);
	batch->boot = nj_field_u64(f, UINT64_MAX);
	batch->sequence = nj_field_u64(f, UINT64_MAX - 1);
	batch->start_ns = nj_field_u64(f, UINT64_MAX);
	batch->width_ms = (uint32_t)nj_field_u64(f, UINT32_MAX);
	batch->flags = (uint32_t)nj_field_u64(f, UINT32_MAX);
	field_account(r, f, &batch->account);
	if (nj_unpack_ok(r) && (batch->width_ms == 0 || batch->start_ns % (batch->width_ms * 1000000ull) != 0))
		nj_unpack_spoil(r, "the start is no multiple of the width");
}

uint32_t nj_wire_batch_windows(const void *data, size_t size)
{
	uint32_t major, minor;
	struct nj_unpack r = nj_unpack_open(data, size);
	struct nj_fields f = nj_wire_open(&r, NJ_WIRE_BATCH, &major, &minor);
	for (int i = NJ_WIRE_LEAD_FIELDS; i < NJ_WIRE_BATCH_FIELDS - 1 && nj_fields_next(&f); i++)
		nj_unpack_skip(&r);
	uint32_t windows_n = nj_fields_next(&f) ? nj_unpack_array(&r, NJ_BATCH_WINDOWS_MAX) : 0;
	return nj_unpack_ok(&r) && major == NJ_WIRE_MAJOR ? windows_n : 0;
}

static void read_windows(struct decoder *d, struct nj_batch *batch)
{
	batch->windows = take(d, batch->windows_n, sizeof *batch->windows);
	for (d->window = 0; d->window < batch->windows_n && nj_unpack_ok(&d->r); d->window++) {
		struct nj_window *window = &batch->windows[d->window];
		window->start_ns = batch->start_ns;
		window->width_ms = batch->width_ms;
		read_window(d, window, d->window > 0 ? window - 1 : NULL);
	}
}

/* Version, tables and key, in the words of a refused greeting. */
static int hold_against(const struct nj_batch *batch, const struct nj_table_ids *tables, uint32_t major, uint32_t minor,
			const struct nj_wire_self *self, struct nj_message *message)
{
	struct nj_wire_hello as_hello = {
		.major = major, .minor = minor, .software = "batch", .self = {*tables, batch->key_id}};
	struct nj_wire_refuse words;
	memcpy(as_hello.sensor, batch->sensor, sizeof as_hello.sensor);
	if (self == NULL || nj_wire_agree(&as_hello, self, &words))
		return NJ_OK;
	return nj_fail(message, NJ_ERR_VERSION, "%s", words.reason);
}

int nj_wire_batch_decode(const void *data, size_t size, const struct nj_wire_self *self, struct nj_arena *arena,
			 struct nj_message *message, struct nj_batch *ret_batch)
{
	if (size > NJ_BATCH_BYTES_MAX)
		return nj_fail(message, NJ_ERR_FORMAT, "batch: larger than %u bytes", NJ_BATCH_BYTES_MAX);
	struct nj_batch batch = {0};
	struct nj_table_ids tables = {0};
	struct decoder d = {.r = nj_unpack_open(data, size), .arena = arena, .texts_n = 1};
	uint32_t major, minor;
	struct nj_fields f = nj_wire_open(&d.r, NJ_WIRE_BATCH, &major, &minor);
	if (nj_unpack_ok(&d.r) && major != NJ_WIRE_MAJOR)
		return nj_fail(message, NJ_ERR_VERSION, "batch: wire version %u.%u, this is %u.%u", major, minor,
			       NJ_WIRE_MAJOR, NJ_WIRE_MINOR);
	read_head(&d.r, &f, &batch, &tables);
	int err = nj_unpack_ok(&d.r) ? hold_against(&batch, &tables, major, minor, self, message) : NJ_OK;
	if (err < 0)
		return err;
	batch.windows_n = nj_fields_next(&f) ? nj_unpack_array(&d.r, NJ_BATCH_WINDOWS_MAX) : 0;
	d.start_ns = batch.start_ns;
	d.texts = take(&d, batch.windows_n > 0 ? NJ_WIRE_TEXTS_MAX : 0, sizeof *d.texts);
	read_windows(&d, &batch);
	nj_fields_close(&f);
	char what[96];
	snprintf(what, sizeof what, "batch %llu of sensor %s: window %u", (unsigned long long)batch.sequence,
		 batch.sensor, d.window);
	err = nj_wire_verdict(&d.r, what, message);
	if (err == NJ_OK)
		*ret_batch = batch;
	return err;
}
