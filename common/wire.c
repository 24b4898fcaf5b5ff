/* Encoding uses msgpack-c's packer over a buffer of ours. Decoding does not use its unpacker: that one allocates what
 * an array header claims and builds a tree of 24 bytes for each byte received; what follows reads the same bytes once,
 * in place, and believes no number it has not bounded.
 *
 * A message is an array whose fields are known by position: a reader takes the fields it knows, treats missing ones as
 * zero, and skips what follows. Numbers are small where they can be: vectors are sparse, indices are gaps, times are
 * relative to the window, a text that comes again is a number. On windows of recorded traffic a contact takes 44 to
 * 59 bytes and numbered texts save 3 to 13 % of a batch; decoding costs 0.2 to 0.4 us a contact, encoding twice that.
 * https://github.com/msgpack/msgpack/blob/master/spec.md */
#include "common/wire.h"

#include "common/cursor.h"

#include <assert.h>
#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOFTWARE "nightjar " NJ_VERSION

#define BATCH_FIELDS       14 /* the windows are the last */
#define HEAD_FIELDS_BEFORE 3  /* kind, major, minor: of every message */

/* A DISTINCT vector with more registers in use than this goes as 256 plain bytes. */
#define SPARSE_MAX 128

/* =============================== encoding =============================== */

/* Bytes that grow, or a fixed buffer that does not; an error is sticky. */
struct buffer {
	uint8_t *bytes;
	size_t used, size;
	bool fixed, failed;
};

static int buffer_write(void *context, const char *bytes, size_t n)
{
	struct buffer *b = context;
	if (!b->failed && b->size - b->used < n) {
		size_t size = (b->size + n) * 2;
		uint8_t *grown = b->fixed ? NULL : realloc(b->bytes, size);
		b->failed = grown == NULL;
		if (grown != NULL) {
			b->bytes = grown;
			b->size = size;
		}
	}
	if (b->failed)
		return -1;
	if (n > 0)
		memcpy(b->bytes + b->used, bytes, n);
	b->used += n;
	return 0;
}

/* Texts by content: open addressing over offsets of the text in the body that is being written. */
#define TEXT_SLOTS (2 * NJ_WIRE_TEXTS_MAX)

struct text_slot {
	uint32_t offset;
	uint8_t length;
	uint16_t number; /* 0: free */
};

struct nj_wire_writer {
	struct buffer head, body;
	msgpack_packer pack; /* onto body */
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
	msgpack_packer_init(&writer->pack, &writer->body, buffer_write);
	*ret_writer = writer;
	return NJ_OK;
}

void nj_wire_writer_free(struct nj_wire_writer **writer)
{
	if (*writer == NULL)
		return;
	free((*writer)->head.bytes);
	free((*writer)->body.bytes);
	free(*writer);
	*writer = NULL;
}

uint32_t nj_wire_writer_windows(const struct nj_wire_writer *writer)
{
	return writer->windows_n;
}

static void pack_plain_text(msgpack_packer *pack, const char *text, size_t length)
{
	msgpack_pack_str(pack, length);
	msgpack_pack_str_body(pack, text, length);
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
		msgpack_pack_uint32(&w->pack, 0);
		return;
	}
	struct text_slot *slot = w->body.failed ? NULL : find_text(w, text, length);
	if (slot != NULL && slot->number != 0) {
		msgpack_pack_uint32(&w->pack, slot->number);
		return;
	}
	pack_plain_text(&w->pack, text, length);
	if (slot != NULL && !w->body.failed && w->texts_n + 1 < NJ_WIRE_TEXTS_MAX)
		*slot = (struct text_slot){(uint32_t)(w->body.used - length), (uint8_t)length, (uint16_t)++w->texts_n};
}

static void pack_addr(msgpack_packer *pack, const struct nj_addr *addr)
{
	bool v4 = nj_addr_is_v4(addr);
	size_t size = v4 ? 4 : 16;
	msgpack_pack_bin(pack, size);
	msgpack_pack_bin_body(pack, addr->byte + 16 - size, size);
}

/* The difference modulo 2^64 as a signed number: small for neighbours, and exact for any two. */
static void pack_relative(msgpack_packer *pack, uint64_t value, uint64_t base)
{
	msgpack_pack_int64(pack, (int64_t)(value - base));
}

static bool is_time(size_t scalar)
{
	return strcmp(nj_scalar_rows[scalar].unit, "ns") == 0;
}

/* [gap, value, gap, value ...] of those that are not zero. */
static void pack_scalars(msgpack_packer *pack, const struct nj_window *window)
{
	struct nj_features features = window->features;
	size_t used = 0, next = 0;
	for (size_t i = 0; i < NJ_SCALARS_N; i++)
		used += *nj_scalar(&features, i) != 0;
	msgpack_pack_array(pack, 2 * used);
	for (size_t i = 0; i < NJ_SCALARS_N; i++) {
		uint64_t value = *nj_scalar(&features, i);
		if (value == 0)
			continue;
		msgpack_pack_uint64(pack, i - next);
		if (is_time(i))
			pack_relative(pack, value, window->start_ns);
		else
			msgpack_pack_uint64(pack, value);
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

static void pack_vector(msgpack_packer *pack, const void *vector, size_t row, size_t used)
{
	const struct nj_vector_row *r = &nj_vector_rows[row];
	size_t next = 0;
	if (r->kind == NJ_VECTOR_DISTINCT && used > SPARSE_MAX) {
		msgpack_pack_bin(pack, r->length);
		msgpack_pack_bin_body(pack, vector, r->length);
		return;
	}
	msgpack_pack_array(pack, 2 * used);
	for (size_t i = 0; i < r->length; i++) {
		if (element(vector, i, r->kind) == 0)
			continue;
		msgpack_pack_uint64(pack, i - next);
		msgpack_pack_uint64(pack, element(vector, i, r->kind));
		next = i + 1;
	}
}

/* [gap, vector, gap, vector ...] of those that are not all zero. */
static void pack_vectors(msgpack_packer *pack, const struct nj_window *window)
{
	size_t used[NJ_VECTORS_N], present = 0, next = 0;
	for (size_t i = 0; i < NJ_VECTORS_N; i++)
		present += (used[i] = used_elements(nj_vector(window, i), i)) > 0;
	msgpack_pack_array(pack, 2 * present);
	for (size_t i = 0; i < NJ_VECTORS_N; i++) {
		if (used[i] == 0)
			continue;
		msgpack_pack_uint64(pack, i - next);
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
 * four are left out from the end while they are zero. */
#define CONTACT_FIELDS_MIN 19

static void pack_contact(struct nj_wire_writer *w, const struct nj_contact *c, const struct nj_contact *previous,
			 uint64_t start_ns)
{
	msgpack_packer *pack = &w->pack;
	const uint64_t tail[] = {c->requests, c->name[0] != '\0', c->bursts, c->bursts_n};
	const uint64_t counts[] = {c->flow_port,  c->opened,   c->answered,    c->refused,
				   c->unanswered, c->reset,    c->packets_out, c->packets_in,
				   c->bytes_out,  c->bytes_in, c->flow_bytes,  c->external};
	size_t tail_n = trimmed(tail, 4);
	msgpack_pack_array(pack, CONTACT_FIELDS_MIN + tail_n);
	if (previous != NULL && nj_addr_equal(&c->peer, &previous->peer))
		msgpack_pack_nil(pack);
	else
		pack_addr(pack, &c->peer);
	msgpack_pack_uint64(pack, c->port);
	msgpack_pack_uint64(pack, c->protocol);
	msgpack_pack_uint64(pack, c->role);
	pack_text(w, c->app);
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		msgpack_pack_uint64(pack, counts[i]);
	pack_relative(pack, c->first_ns, start_ns);
	pack_relative(pack, c->last_ns, c->first_ns);
	if (tail_n > 0)
		msgpack_pack_uint64(pack, c->requests);
	if (tail_n > 1)
		pack_text(w, c->name);
	if (tail_n > 2)
		msgpack_pack_uint64(pack, c->bursts);
	if (tail_n > 3) {
		msgpack_pack_array(pack, c->bursts_n);
		for (uint8_t i = 0; i < c->bursts_n; i++)
			msgpack_pack_uint64(pack, c->burst_ms[i]);
	}
}

static void pack_domain(struct nj_wire_writer *w, const struct nj_domain *d)
{
	msgpack_pack_array(&w->pack, 7);
	pack_text(w, d->name);
	msgpack_pack_uint64(&w->pack, d->queries);
	msgpack_pack_uint64(&w->pack, d->nxdomain);
	msgpack_pack_uint64(&w->pack, d->free_text);
	msgpack_pack_uint64(&w->pack, d->name_bytes);
	msgpack_pack_uint64(&w->pack, d->answer_bytes);
	msgpack_pack_array(&w->pack, d->sample_n);
	for (uint8_t i = 0; i < d->sample_n; i++)
		msgpack_pack_uint64(&w->pack, d->sample[i]);
}

static void pack_client(struct nj_wire_writer *w, const struct nj_client *c, uint64_t start_ns)
{
	msgpack_pack_array(&w->pack, 7);
	msgpack_pack_uint64(&w->pack, c->kind);
	pack_text(w, c->text);
	msgpack_pack_uint64(&w->pack, c->flows);
	msgpack_pack_uint64(&w->pack, c->bytes_out);
	pack_relative(&w->pack, c->first_ns, start_ns);
	pack_addr(&w->pack, &c->peer);
	msgpack_pack_uint64(&w->pack, c->port);
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
	assert(window->contacts_n <= NJ_CONTACTS_MAX);
	assert(window->domains_n <= NJ_DOMAINS_MAX);
	assert(window->clients_n <= NJ_CLIENTS_MAX);
	assert(nj_wire_writer_fits(writer, window));
	msgpack_packer *pack = &writer->pack;
	msgpack_pack_array(pack, 7);
	pack_addr(pack, &window->agent.addr);
	msgpack_pack_uint64(pack, window->agent.segment);
	pack_scalars(pack, window);
	pack_vectors(pack, window);
	msgpack_pack_array(pack, window->contacts_n);
	for (uint32_t i = 0; i < window->contacts_n; i++)
		pack_contact(writer, &window->contacts[i], i > 0 ? &window->contacts[i - 1] : NULL, window->start_ns);
	msgpack_pack_array(pack, window->domains_n);
	for (uint32_t i = 0; i < window->domains_n; i++)
		pack_domain(writer, &window->domains[i]);
	msgpack_pack_array(pack, window->clients_n);
	for (uint32_t i = 0; i < window->clients_n; i++)
		pack_client(writer, &window->clients[i], window->start_ns);
	writer->windows_n++;
	writer->decoded_bytes += nj_window_memory_bytes(window);
}

/* The counts of struct nj_sensor_account, in the order in which they go; the drops follow as [name, frames, ...]. */
#define ACCOUNT_COUNTS_N 14

static void account_counts(struct nj_sensor_account *a, uint64_t *ret_at[ACCOUNT_COUNTS_N])
{
	uint64_t *const at[ACCOUNT_COUNTS_N] = {
		&a->frames_seen,    &a->frames_decoded,  &a->bytes_seen,    &a->kernel_drops, &a->interface_drops,
		&a->flows_opened,   &a->flows_ended,     &a->flows_evicted, &a->flows_active, &a->flows_one_sided,
		&a->windows_closed, &a->windows_dropped, &a->contacts_lost, &a->clock_clamps};
	memcpy(ret_at, at, sizeof at);
}

static void pack_account(msgpack_packer *pack, const struct nj_sensor_account *account)
{
	struct nj_sensor_account copy = *account;
	uint64_t *counts[ACCOUNT_COUNTS_N];
	account_counts(&copy, counts);
	msgpack_pack_array(pack, ACCOUNT_COUNTS_N + 1);
	for (size_t i = 0; i < ACCOUNT_COUNTS_N; i++)
		msgpack_pack_uint64(pack, *counts[i]);
	msgpack_pack_array(pack, 2 * account->drops_n);
	for (uint32_t i = 0; i < account->drops_n; i++) {
		pack_plain_text(pack, account->drops[i].name, strlen(account->drops[i].name));
		msgpack_pack_uint64(pack, account->drops[i].frames);
	}
}

static void pack_lead(msgpack_packer *pack, size_t fields, enum nj_wire_kind kind)
{
	msgpack_pack_array(pack, fields);
	msgpack_pack_uint32(pack, kind);
	msgpack_pack_uint32(pack, NJ_WIRE_MAJOR);
	msgpack_pack_uint32(pack, NJ_WIRE_MINOR);
}

static void pack_tables(msgpack_packer *pack, const struct nj_table_ids *tables)
{
	msgpack_pack_array(pack, tables->n);
	for (uint32_t i = 0; i < tables->n; i++)
		msgpack_pack_uint32(pack, tables->id[i]);
}

static void pack_head(struct buffer *head, const struct nj_batch *batch, uint32_t windows_n)
{
	msgpack_packer pack;
	struct nj_table_ids tables;
	nj_feature_table_ids(&tables);
	msgpack_packer_init(&pack, head, buffer_write);
	pack_lead(&pack, BATCH_FIELDS, NJ_WIRE_BATCH);
	pack_plain_text(&pack, batch->sensor, strlen(batch->sensor));
	pack_plain_text(&pack, batch->tap_group, strlen(batch->tap_group));
	pack_tables(&pack, &tables);
	msgpack_pack_uint32(&pack, batch->key_id);
	msgpack_pack_uint64(&pack, batch->boot);
	msgpack_pack_uint64(&pack, batch->sequence);
	msgpack_pack_uint64(&pack, batch->start_ns);
	msgpack_pack_uint32(&pack, batch->width_ms);
	msgpack_pack_uint32(&pack, batch->flags);
	if (batch->flags & NJ_BATCH_TICK)
		pack_account(&pack, &batch->account);
	else
		msgpack_pack_nil(&pack);
	msgpack_pack_array(&pack, windows_n);
}

static void empty(struct nj_wire_writer *writer)
{
	writer->body.used = 0;
	writer->body.failed = false;
	writer->texts_n = 0;
	writer->windows_n = 0;
	writer->decoded_bytes = 0;
	memset(writer->texts, 0, sizeof writer->texts);
}

int nj_wire_writer_finish(struct nj_wire_writer *writer, const struct nj_batch *batch, const uint8_t **ret_data,
			  size_t *ret_size)
{
	struct buffer *whole = &writer->head;
	whole->used = 0;
	whole->failed = false;
	pack_head(whole, batch, writer->windows_n);
	buffer_write(whole, (const char *)writer->body.bytes, writer->body.used);
	bool failed = whole->failed || writer->body.failed;
	empty(writer);
	if (failed)
		return NJ_ERR_MEMORY;
	*ret_data = whole->bytes;
	*ret_size = whole->used;
	return NJ_OK;
}

size_t nj_wire_hello_encode(const struct nj_wire_hello *hello, uint8_t buffer[NJ_WIRE_SMALL_MAX])
{
	struct buffer to = {.bytes = buffer, .size = NJ_WIRE_SMALL_MAX, .fixed = true};
	msgpack_packer pack;
	msgpack_packer_init(&pack, &to, buffer_write);
	pack_lead(&pack, 10, NJ_WIRE_HELLO);
	pack_plain_text(&pack, SOFTWARE, strlen(SOFTWARE));
	pack_plain_text(&pack, hello->sensor, strlen(hello->sensor));
	pack_plain_text(&pack, hello->tap_group, strlen(hello->tap_group));
	pack_tables(&pack, &hello->self.tables);
	msgpack_pack_uint32(&pack, hello->self.key_id);
	msgpack_pack_uint64(&pack, hello->boot);
	msgpack_pack_uint64(&pack, hello->oldest);
	assert(!to.failed);
	return to.used;
}

size_t nj_wire_ack_encode(const struct nj_wire_ack *ack, uint8_t buffer[NJ_WIRE_SMALL_MAX])
{
	struct buffer to = {.bytes = buffer, .size = NJ_WIRE_SMALL_MAX, .fixed = true};
	msgpack_packer pack;
	msgpack_packer_init(&pack, &to, buffer_write);
	pack_lead(&pack, 7, NJ_WIRE_ACK);
	msgpack_pack_uint64(&pack, ack->boot);
	msgpack_pack_uint64(&pack, ack->next);
	msgpack_pack_uint32(&pack, ack->credit);
	msgpack_pack_uint32(&pack, ack->rewind);
	assert(!to.failed);
	return to.used;
}

size_t nj_wire_refuse_encode(const struct nj_wire_refuse *refuse, uint8_t buffer[NJ_WIRE_SMALL_MAX])
{
	struct buffer to = {.bytes = buffer, .size = NJ_WIRE_SMALL_MAX, .fixed = true};
	msgpack_packer pack;
	msgpack_packer_init(&pack, &to, buffer_write);
	pack_lead(&pack, 6, NJ_WIRE_REFUSE);
	msgpack_pack_uint32(&pack, refuse->code);
	pack_plain_text(&pack, SOFTWARE, strlen(SOFTWARE));
	pack_plain_text(&pack, refuse->reason, strlen(refuse->reason));
	assert(!to.failed);
	return to.used;
}

/* =============================== decoding =============================== */

/* Reads values in a row; the first thing that is wrong sticks, as words. */
struct reader {
	struct nj_cursor cursor;
	const char *wrong;
	bool full; /* it is the arena that failed */
};

/* The fields of one array still to be read: missing ones are zero. */
struct fields {
	struct reader *reader;
	uint32_t left;
};

static bool ok(const struct reader *r)
{
	return r->wrong == NULL;
}

static void spoil(struct reader *r, const char *wrong)
{
	if (r->wrong == NULL)
		r->wrong = wrong;
	r->cursor.at = r->cursor.end;
}

static uint64_t read_big_endian(struct reader *r, size_t bytes)
{
	const uint8_t *at = nj_cursor_take(&r->cursor, bytes);
	uint64_t value = 0;
	if (at == NULL)
		spoil(r, "ends too early");
	for (size_t i = 0; at != NULL && i < bytes; i++)
		value = value << 8 | at[i];
	return value;
}

static uint8_t peek_type(const struct reader *r)
{
	return r->cursor.at < r->cursor.end ? *r->cursor.at : 0xc1; /* never used by MessagePack */
}

static uint64_t read_unsigned(struct reader *r)
{
	uint8_t type = (uint8_t)read_big_endian(r, 1);
	if (type < 0x80)
		return type;
	if (type >= 0xcc && type <= 0xcf)
		return read_big_endian(r, (size_t)1 << (type - 0xcc));
	spoil(r, "an unsigned number is expected");
	return 0;
}

static uint64_t read_bounded(struct reader *r, uint64_t max)
{
	uint64_t value = read_unsigned(r);
	if (value <= max)
		return value;
	spoil(r, "a number is too large");
	return 0;
}

/* Signed or unsigned, as its 64 bits of two's complement. */
static uint64_t read_signed(struct reader *r)
{
	uint8_t type = peek_type(r);
	if (type >= 0xe0)
		return (uint64_t)(int8_t)read_big_endian(r, 1);
	if (type < 0xd0 || type > 0xd3)
		return read_unsigned(r);
	nj_cursor_skip(&r->cursor, 1);
	size_t bytes = (size_t)1 << (type - 0xd0);
	uint64_t value = read_big_endian(r, bytes), sign = (uint64_t)1 << (8 * bytes - 1);
	return bytes == 8 ? value : (value ^ sign) - sign;
}

/* The length of a string, binary or array whose short form, if any, is *fix* with *fix_bits* of length, and whose long
 * forms begin at *base*, the first of *first_bytes* length bytes. */
static uint32_t read_length(struct reader *r, uint8_t fix, uint8_t fix_bits, uint8_t base, size_t first_bytes,
			    const char *wrong)
{
	uint8_t type = (uint8_t)read_big_endian(r, 1);
	uint64_t length = 0;
	if (fix_bits > 0 && type >> fix_bits == fix >> fix_bits)
		length = type & ((1u << fix_bits) - 1);
	else if (type >= base && (first_bytes << (type - base)) <= 4)
		length = read_big_endian(r, first_bytes << (type - base));
	else
		spoil(r, wrong);
	if (length > nj_cursor_left(&r->cursor))
		spoil(r, "a length reaches past the end");
	return ok(r) ? (uint32_t)length : 0;
}

static uint32_t read_array(struct reader *r, uint32_t max)
{
	uint32_t n = read_length(r, 0x90, 4, 0xdc, 2, "an array is expected");
	if (n <= max)
		return n;
	spoil(r, "an array is too long");
	return 0;
}

static const uint8_t *read_text(struct reader *r, uint32_t *ret_length)
{
	*ret_length = read_length(r, 0xa0, 5, 0xd9, 1, "a text is expected");
	return nj_cursor_take(&r->cursor, *ret_length);
}

static const uint8_t *read_bin(struct reader *r, uint32_t *ret_length)
{
	*ret_length = read_length(r, 0, 0, 0xc4, 1, "bytes are expected");
	return nj_cursor_take(&r->cursor, *ret_length);
}

/* How many bytes follow the type byte of a value that is no array, map, string or binary; -1 for those. */
static int plain_bytes(uint8_t type)
{
	static const int8_t bytes[] = {
		[0xc0 - 0xc0] = 0,  [0xc2 - 0xc0] = 0,  [0xc3 - 0xc0] = 0,  [0xca - 0xc0] = 4,  [0xcb - 0xc0] = 8,
		[0xcc - 0xc0] = 1,  [0xcd - 0xc0] = 2,  [0xce - 0xc0] = 4,  [0xcf - 0xc0] = 8,  [0xd0 - 0xc0] = 1,
		[0xd1 - 0xc0] = 2,  [0xd2 - 0xc0] = 4,  [0xd3 - 0xc0] = 8,  [0xd4 - 0xc0] = 2,  [0xd5 - 0xc0] = 3,
		[0xd6 - 0xc0] = 5,  [0xd7 - 0xc0] = 9,  [0xd8 - 0xc0] = 17, [0xc1 - 0xc0] = -1, [0xc4 - 0xc0] = -1,
		[0xc5 - 0xc0] = -1, [0xc6 - 0xc0] = -1,
	};
	if (type < 0x80 || type >= 0xe0)
		return 0;
	return type >= 0xc0 && type < 0xd9 && !(type >= 0xc7 && type <= 0xc9) ? bytes[type - 0xc0] : -1;
}

/* Skips one value of any kind. A loop with a count, not recursion: nesting costs nothing. Gives how many values it
 * contains. */
static uint64_t skip_head(struct reader *r)
{
	uint8_t type = peek_type(r);
	int plain = plain_bytes(type);
	uint32_t length;
	if (plain >= 0) {
		read_big_endian(r, 1);
		nj_cursor_skip(&r->cursor, (size_t)plain);
	} else if (type >> 4 == 9 || type == 0xdc || type == 0xdd) {
		return read_array(r, UINT32_MAX);
	} else if (type >> 4 == 8 || type == 0xde || type == 0xdf) {
		return 2 * (uint64_t)read_length(r, 0x80, 4, 0xde, 2, "");
	} else if (type >> 5 == 5 || (type >= 0xd9 && type <= 0xdb)) {
		(void)read_text(r, &length);
	} else if (type >= 0xc4 && type <= 0xc6) {
		(void)read_bin(r, &length);
	} else if (type >= 0xc7 && type <= 0xc9) {
		length = read_length(r, 0, 0, 0xc7, 1, "");
		nj_cursor_skip(&r->cursor, (size_t)length + 1);
	} else {
		spoil(r, "no MessagePack");
	}
	if (!nj_cursor_ok(&r->cursor))
		spoil(r, "ends too early");
	return 0;
}

static void skip_value(struct reader *r)
{
	for (uint64_t left = 1; left > 0 && ok(r); left--)
		left += skip_head(r);
}

static struct fields open_fields(struct reader *r)
{
	return (struct fields){r, read_array(r, UINT32_MAX)};
}

static bool next_field(struct fields *f)
{
	if (f->left == 0 || !ok(f->reader))
		return false;
	f->left--;
	return true;
}

static void close_fields(struct fields *f)
{
	while (next_field(f))
		skip_value(f->reader);
}

static uint64_t field_number(struct fields *f, uint64_t max)
{
	return next_field(f) ? read_bounded(f->reader, max) : 0;
}

static uint64_t field_relative(struct fields *f, uint64_t base)
{
	return next_field(f) ? base + read_signed(f->reader) : base;
}

static void copy_text(struct reader *r, const uint8_t *text, uint32_t length, char *ret_text, size_t size)
{
	if (length >= size)
		spoil(r, "a text is too long");
	else if (length > 0 && memchr(text, '\0', length) != NULL)
		spoil(r, "a text contains a NUL");
	else if (length > 0)
		memcpy(ret_text, text, length);
}

static void field_text(struct fields *f, char *ret_text, size_t size)
{
	uint32_t length = 0;
	const uint8_t *text = next_field(f) ? read_text(f->reader, &length) : NULL;
	if (ok(f->reader))
		copy_text(f->reader, text, length, ret_text, size);
}

/* Letters, digits, '-', '_', '.'; never empty. */
static bool is_name(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	return *text != '\0' && text[strspn(text, letters)] == '\0';
}

static void field_name(struct fields *f, char *ret_name, size_t size)
{
	field_text(f, ret_name, size);
	if (ok(f->reader) && !is_name(ret_name))
		spoil(f->reader, "a name holds other than letters, digits, '-', '_' and '.'");
}

static void read_addr(struct reader *r, struct nj_addr *ret_addr)
{
	uint32_t length;
	const uint8_t *byte = read_bin(r, &length);
	if (ok(r) && length == 4)
		*ret_addr = nj_addr_v4(byte);
	else if (ok(r) && length == 16)
		memcpy(ret_addr->byte, byte, 16);
	else
		spoil(r, "an address must have 4 or 16 bytes");
}

static void field_tables(struct fields *f, struct nj_table_ids *ret_tables)
{
	uint32_t n = next_field(f) ? read_array(f->reader, UINT32_MAX) : 0;
	for (uint32_t i = 0; i < n && ok(f->reader); i++) {
		uint32_t id = (uint32_t)read_bounded(f->reader, UINT32_MAX);
		if (i < NJ_TABLE_IDS_MAX)
			ret_tables->id[ret_tables->n++] = id;
	}
}

/* --- small messages --- */

static struct reader open_reader(const void *data, size_t size)
{
	return (struct reader){.cursor = nj_cursor_make(data, size)};
}

static struct fields open_message(struct reader *r, enum nj_wire_kind kind, uint32_t *ret_major, uint32_t *ret_minor)
{
	struct fields f = open_fields(r);
	if (field_number(&f, UINT32_MAX) != kind)
		spoil(r, "another kind of message");
	*ret_major = (uint32_t)field_number(&f, UINT32_MAX);
	*ret_minor = (uint32_t)field_number(&f, UINT32_MAX);
	return f;
}

static int verdict(const struct reader *r, const char *what, struct nj_message *message)
{
	if (ok(r) && nj_cursor_left(&r->cursor) == 0)
		return NJ_OK;
	return nj_fail(message, r->full ? NJ_ERR_MEMORY : NJ_ERR_FORMAT, "%s: %s", what,
		       ok(r) ? "something follows" : r->wrong);
}

bool nj_wire_peek(const void *data, size_t size, enum nj_wire_kind *ret_kind, uint32_t *ret_major)
{
	struct reader r = open_reader(data, size);
	struct fields f = open_fields(&r);
	uint64_t kind = field_number(&f, UINT32_MAX);
	uint32_t major = (uint32_t)field_number(&f, UINT32_MAX);
	if (!ok(&r) || kind < NJ_WIRE_HELLO || kind > NJ_WIRE_REFUSE)
		return false;
	*ret_kind = (enum nj_wire_kind)kind;
	*ret_major = major;
	return true;
}

int nj_wire_hello_decode(const void *data, size_t size, struct nj_message *message, struct nj_wire_hello *ret_hello)
{
	struct nj_wire_hello hello = {0};
	struct reader r = open_reader(data, size);
	struct fields f = open_message(&r, NJ_WIRE_HELLO, &hello.major, &hello.minor);
	field_text(&f, hello.software, sizeof hello.software);
	field_name(&f, hello.sensor, sizeof hello.sensor);
	if (hello.major == NJ_WIRE_MAJOR) {
		field_name(&f, hello.tap_group, sizeof hello.tap_group);
		field_tables(&f, &hello.self.tables);
		hello.self.key_id = (uint32_t)field_number(&f, UINT32_MAX);
		hello.boot = field_number(&f, UINT64_MAX);
		hello.oldest = field_number(&f, UINT64_MAX);
	}
	close_fields(&f);
	int err = verdict(&r, "greeting", message);
	if (err == NJ_OK)
		*ret_hello = hello;
	return err;
}

int nj_wire_ack_decode(const void *data, size_t size, struct nj_message *message, struct nj_wire_ack *ret_ack)
{
	struct nj_wire_ack ack = {0};
	uint32_t major, minor;
	struct reader r = open_reader(data, size);
	struct fields f = open_message(&r, NJ_WIRE_ACK, &major, &minor);
	ack.boot = field_number(&f, UINT64_MAX);
	ack.next = field_number(&f, UINT64_MAX);
	ack.credit = (uint32_t)field_number(&f, UINT32_MAX);
	ack.rewind = field_number(&f, 1) != 0;
	close_fields(&f);
	int err = verdict(&r, "acknowledgement", message);
	if (err == NJ_OK)
		*ret_ack = ack;
	return err;
}

int nj_wire_refuse_decode(const void *data, size_t size, struct nj_message *message, struct nj_wire_refuse *ret_refuse)
{
	struct nj_wire_refuse refuse = {0};
	uint32_t major, minor;
	struct reader r = open_reader(data, size);
	struct fields f = open_message(&r, NJ_WIRE_REFUSE, &major, &minor);
	refuse.code = (uint32_t)field_number(&f, UINT32_MAX);
	field_text(&f, refuse.software, sizeof refuse.software);
	field_text(&f, refuse.reason, sizeof refuse.reason);
	close_fields(&f);
	int err = verdict(&r, "refusal", message);
	if (err == NJ_OK)
		*ret_refuse = refuse;
	return err;
}

static bool refuse(struct nj_wire_refuse *ret_refuse, enum nj_wire_refusal code)
{
	ret_refuse->code = code;
	snprintf(ret_refuse->software, sizeof ret_refuse->software, "%s", SOFTWARE);
	return false;
}

bool nj_wire_agree(const struct nj_wire_hello *hello, const struct nj_wire_self *self,
		   struct nj_wire_refuse *ret_refuse)
{
	char *reason = ret_refuse->reason;
	const struct nj_table_ids *theirs = &hello->self.tables;
	if (hello->major != NJ_WIRE_MAJOR) {
		snprintf(reason, NJ_WIRE_REASON_MAX,
			 "sensor %s (%s) speaks wire version %u.%u, this aggregator (%s) %u.%u", hello->sensor,
			 hello->software, hello->major, hello->minor, SOFTWARE, NJ_WIRE_MAJOR, NJ_WIRE_MINOR);
		return refuse(ret_refuse, NJ_WIRE_REFUSED_VERSION);
	}
	if (!nj_table_ids_agree(theirs, &self->tables)) {
		snprintf(reason, NJ_WIRE_REASON_MAX, "sensor %s (%s) has feature table %08x, this aggregator (%s) %08x",
			 hello->sensor, hello->software, theirs->id[0], SOFTWARE, self->tables.id[0]);
		return refuse(ret_refuse, NJ_WIRE_REFUSED_TABLE);
	}
	if (hello->self.key_id != self->key_id) {
		snprintf(reason, NJ_WIRE_REASON_MAX,
			 "sensor %s (%s) hashes with key %08x, this aggregator (%s) with %08x: give both the same "
			 "hash_key",
			 hello->sensor, hello->software, hello->self.key_id, SOFTWARE, self->key_id);
		return refuse(ret_refuse, NJ_WIRE_REFUSED_KEY);
	}
	return true;
}

/* --- batches --- */

struct text {
	const uint8_t *bytes;
	uint32_t length;
};

struct decoder {
	struct reader r;
	struct nj_arena *arena;
	struct text *texts; /* [0] is the empty one */
	uint32_t texts_n;
	uint64_t start_ns;
	uint32_t window; /* being read, for messages */
};

static void *take(struct decoder *d, uint32_t n, size_t bytes)
{
	void *items = n > 0 && ok(&d->r) ? nj_arena_take(d->arena, n * bytes) : NULL;
	if (items == NULL && n > 0 && ok(&d->r)) {
		spoil(&d->r, "does not fit the memory set aside for a batch");
		d->r.full = true;
	}
	return items;
}

/* A text, which thereby gets a number, or the number of an earlier one. */
static void field_numbered_text(struct decoder *d, struct fields *f, char *ret_text, size_t size)
{
	struct reader *r = &d->r;
	struct text text = {NULL, 0};
	if (!next_field(f))
		return;
	uint8_t type = peek_type(r);
	if (type >> 5 == 5 || (type >= 0xd9 && type <= 0xdb)) {
		text.bytes = read_text(r, &text.length);
		if (ok(r) && text.length > 0 && d->texts_n < NJ_WIRE_TEXTS_MAX)
			d->texts[d->texts_n++] = text;
	} else {
		uint64_t number = read_unsigned(r);
		if (ok(r) && number < d->texts_n)
			text = d->texts[number];
		else
			spoil(r, "a text has a number that was not given");
	}
	if (ok(r))
		copy_text(r, text.bytes, text.length, ret_text, size);
}

/* [gap, value ...]: the index after the gap, or an end. */
static bool next_index(struct reader *r, uint32_t *left, uint64_t *next, uint64_t *ret_index)
{
	if (*left == 0 || !ok(r))
		return false;
	*left -= 2;
	*ret_index = *next + read_bounded(r, UINT16_MAX);
	*next = *ret_index + 1;
	return ok(r);
}

static uint32_t read_pairs(struct reader *r)
{
	uint32_t n = read_array(r, UINT32_MAX);
	if (n % 2 != 0)
		spoil(r, "a list of pairs has an odd length");
	return n;
}

static void field_scalars(struct decoder *d, struct fields *f, struct nj_features *features)
{
	uint32_t left = next_field(f) ? read_pairs(&d->r) : 0;
	for (uint64_t next = 0, index; next_index(&d->r, &left, &next, &index);) {
		if (index >= NJ_SCALARS_N)
			skip_value(&d->r);
		else if (is_time(index))
			*nj_scalar(features, index) = d->start_ns + read_signed(&d->r);
		else
			*nj_scalar(features, index) = read_unsigned(&d->r);
	}
}

static void read_sparse_vector(struct decoder *d, void *vector, const struct nj_vector_row *row)
{
	uint32_t left = read_pairs(&d->r);
	uint64_t max = row->kind == NJ_VECTOR_DISTINCT ? NJ_DISTINCT_RANK_MAX : UINT32_MAX;
	for (uint64_t next = 0, index; next_index(&d->r, &left, &next, &index);) {
		uint64_t value = read_bounded(&d->r, max);
		if (index >= row->length)
			spoil(&d->r, "a vector's index is out of range");
		else if (row->kind == NJ_VECTOR_DISTINCT)
			((uint8_t *)vector)[index] = (uint8_t)value;
		else
			((uint32_t *)vector)[index] = (uint32_t)value;
	}
}

static void read_dense_vector(struct decoder *d, uint8_t *vector, const struct nj_vector_row *row)
{
	uint32_t length;
	const uint8_t *bytes = read_bin(&d->r, &length);
	if (!ok(&d->r) || length != row->length || row->kind != NJ_VECTOR_DISTINCT) {
		spoil(&d->r, "plain bytes are no vector of this kind");
		return;
	}
	memcpy(vector, bytes, length);
	for (uint32_t i = 0; i < length; i++)
		if (vector[i] > NJ_DISTINCT_RANK_MAX)
			spoil(&d->r, "a number is too large");
}

static void field_vectors(struct decoder *d, struct fields *f, struct nj_window *window)
{
	uint32_t left = next_field(f) ? read_pairs(&d->r) : 0;
	for (uint64_t next = 0, index; next_index(&d->r, &left, &next, &index);) {
		if (index >= NJ_VECTORS_N) {
			skip_value(&d->r);
			continue;
		}
		void *vector = take(d, 1, nj_vector_bytes(index));
		nj_vector_set(window, index, vector);
		if (vector == NULL)
			return;
		uint8_t type = peek_type(&d->r);
		if (type >= 0xc4 && type <= 0xc6)
			read_dense_vector(d, vector, &nj_vector_rows[index]);
		else
			read_sparse_vector(d, vector, &nj_vector_rows[index]);
	}
}

static void field_peer(struct decoder *d, struct fields *f, const struct nj_contact *previous, struct nj_addr *ret_peer)
{
	if (next_field(f) && peek_type(&d->r) != 0xc0) {
		read_addr(&d->r, ret_peer);
		return;
	}
	nj_cursor_skip(&d->r.cursor, 1);
	if (previous != NULL)
		*ret_peer = previous->peer;
	else
		spoil(&d->r, "the first contact has no peer");
}

static void field_bursts(struct decoder *d, struct fields *f, struct nj_contact *contact)
{
	uint32_t n = next_field(f) ? read_array(&d->r, NJ_CONTACT_BURSTS_MAX) : 0;
	for (uint32_t i = 0; i < n; i++) {
		contact->burst_ms[i] = (uint16_t)read_bounded(&d->r, UINT16_MAX);
		if (i > 0 && contact->burst_ms[i] < contact->burst_ms[i - 1])
			spoil(&d->r, "bursts are not in order");
	}
	contact->bursts_n = (uint8_t)n;
}

static void read_contact(struct decoder *d, struct nj_contact *c, const struct nj_contact *previous)
{
	struct fields f = open_fields(&d->r);
	field_peer(d, &f, previous, &c->peer);
	c->port = (uint16_t)field_number(&f, UINT16_MAX);
	c->protocol = (uint8_t)field_number(&f, UINT8_MAX);
	c->role = (uint8_t)field_number(&f, NJ_ROLE_SERVER);
	field_numbered_text(d, &f, c->app, sizeof c->app);
	c->flow_port = (uint16_t)field_number(&f, UINT16_MAX);
	uint32_t *const small[] = {&c->opened, &c->answered, &c->refused, &c->unanswered, &c->reset};
	for (size_t i = 0; i < sizeof small / sizeof *small; i++)
		*small[i] = (uint32_t)field_number(&f, UINT32_MAX);
	uint64_t *const large[] = {&c->packets_out, &c->packets_in, &c->bytes_out, &c->bytes_in, &c->flow_bytes};
	for (size_t i = 0; i < sizeof large / sizeof *large; i++)
		*large[i] = field_number(&f, UINT64_MAX);
	c->external = (uint8_t)field_number(&f, 1);
	c->first_ns = field_relative(&f, d->start_ns);
	c->last_ns = field_relative(&f, c->first_ns);
	c->requests = (uint32_t)field_number(&f, UINT32_MAX);
	field_numbered_text(d, &f, c->name, sizeof c->name);
	c->bursts = (uint32_t)field_number(&f, UINT32_MAX);
	field_bursts(d, &f, c);
	close_fields(&f);
	if (c->role == 0)
		spoil(&d->r, "a contact has no role");
	if (ok(&d->r) && previous != NULL && nj_contact_compare(previous, c) >= 0)
		spoil(&d->r, "contacts are not in order");
}

static void read_domain(struct decoder *d, struct nj_domain *domain, const struct nj_domain *previous)
{
	struct fields f = open_fields(&d->r);
	field_numbered_text(d, &f, domain->name, sizeof domain->name);
	domain->queries = (uint32_t)field_number(&f, UINT32_MAX);
	domain->nxdomain = (uint32_t)field_number(&f, UINT32_MAX);
	domain->free_text = (uint32_t)field_number(&f, UINT32_MAX);
	domain->name_bytes = field_number(&f, UINT64_MAX);
	domain->answer_bytes = field_number(&f, UINT64_MAX);
	uint32_t n = next_field(&f) ? read_array(&d->r, NJ_DNS_SAMPLE_MAX) : 0;
	for (uint32_t i = 0; i < n; i++) {
		domain->sample[i] = read_unsigned(&d->r);
		if (i > 0 && domain->sample[i] <= domain->sample[i - 1])
			spoil(&d->r, "a sample is not in order");
	}
	domain->sample_n = (uint8_t)n;
	close_fields(&f);
	if (ok(&d->r) && previous != NULL && nj_domain_compare(previous, domain) >= 0)
		spoil(&d->r, "domains are not in order");
}

static void read_client(struct decoder *d, struct nj_client *c, const struct nj_client *previous)
{
	struct fields f = open_fields(&d->r);
	c->kind = (uint8_t)field_number(&f, UINT8_MAX);
	field_numbered_text(d, &f, c->text, sizeof c->text);
	c->flows = (uint32_t)field_number(&f, UINT32_MAX);
	c->bytes_out = field_number(&f, UINT64_MAX);
	c->first_ns = field_relative(&f, d->start_ns);
	if (next_field(&f))
		read_addr(&d->r, &c->peer);
	c->port = (uint16_t)field_number(&f, UINT16_MAX);
	close_fields(&f);
	if (ok(&d->r) && previous != NULL && nj_client_compare(previous, c) >= 0)
		spoil(&d->r, "clients are not in order");
}

static void field_contacts(struct decoder *d, struct fields *f, struct nj_window *w)
{
	w->contacts_n = next_field(f) ? read_array(&d->r, NJ_CONTACTS_MAX) : 0;
	w->contacts = take(d, w->contacts_n, sizeof *w->contacts);
	for (uint32_t i = 0; i < w->contacts_n && ok(&d->r); i++)
		read_contact(d, &w->contacts[i], i > 0 ? &w->contacts[i - 1] : NULL);
}

static void field_domains(struct decoder *d, struct fields *f, struct nj_window *w)
{
	w->domains_n = next_field(f) ? read_array(&d->r, NJ_DOMAINS_MAX) : 0;
	w->domains = take(d, w->domains_n, sizeof *w->domains);
	for (uint32_t i = 0; i < w->domains_n && ok(&d->r); i++)
		read_domain(d, &w->domains[i], i > 0 ? &w->domains[i - 1] : NULL);
}

static void field_clients(struct decoder *d, struct fields *f, struct nj_window *w)
{
	w->clients_n = next_field(f) ? read_array(&d->r, NJ_CLIENTS_MAX) : 0;
	w->clients = take(d, w->clients_n, sizeof *w->clients);
	for (uint32_t i = 0; i < w->clients_n && ok(&d->r); i++)
		read_client(d, &w->clients[i], i > 0 ? &w->clients[i - 1] : NULL);
}

static void read_window(struct decoder *d, struct nj_window *w, const struct nj_window *previous)
{
	struct fields f = open_fields(&d->r);
	if (next_field(&f))
		read_addr(&d->r, &w->agent.addr);
	else
		spoil(&d->r, "a window has no agent");
	w->agent.segment = (nj_segment)field_number(&f, UINT32_MAX);
	field_scalars(d, &f, &w->features);
	field_vectors(d, &f, w);
	field_contacts(d, &f, w);
	field_domains(d, &f, w);
	field_clients(d, &f, w);
	close_fields(&f);
	if (ok(&d->r) && previous != NULL && nj_agent_id_compare(&previous->agent, &w->agent) >= 0)
		spoil(&d->r, "agents are not in order");
}

static void field_account(struct reader *r, struct fields *outer, struct nj_sensor_account *account)
{
	if (!next_field(outer))
		return;
	if (peek_type(r) == 0xc0) {
		skip_value(r);
		return;
	}
	uint64_t *counts[ACCOUNT_COUNTS_N];
	account_counts(account, counts);
	struct fields f = open_fields(r);
	for (size_t i = 0; i < ACCOUNT_COUNTS_N; i++)
		*counts[i] = field_number(&f, UINT64_MAX);
	struct fields drops = {r, next_field(&f) ? read_array(r, 2 * NJ_DROP_REASONS_MAX) : 0};
	while (drops.left > 0 && ok(r)) {
		struct nj_drop_count *drop = &account->drops[account->drops_n++];
		field_text(&drops, drop->name, sizeof drop->name);
		drop->frames = field_number(&drops, UINT64_MAX);
	}
	close_fields(&f);
}

/* Everything but the windows; gives the table ids apart, because a batch keeps only the first. */
static void read_head(struct reader *r, struct fields *f, struct nj_batch *batch, struct nj_table_ids *ret_tables)
{
	field_name(f, batch->sensor, sizeof batch->sensor);
	field_name(f, batch->tap_group, sizeof batch->tap_group);
	field_tables(f, ret_tables);
	batch->table_id = ret_tables->id[0];
	batch->key_id = (uint32_t)field_number(f, UINT32_MAX);
	batch->boot = field_number(f, UINT64_MAX);
	batch->sequence = field_number(f, UINT64_MAX - 1);
	batch->start_ns = field_number(f, UINT64_MAX);
	batch->width_ms = (uint32_t)field_number(f, UINT32_MAX);
	batch->flags = (uint32_t)field_number(f, UINT32_MAX);
	field_account(r, f, &batch->account);
	if (ok(r) && (batch->width_ms == 0 || batch->start_ns % (batch->width_ms * 1000000ull) != 0))
		spoil(r, "the start is no multiple of the width");
}

uint32_t nj_wire_batch_windows(const void *data, size_t size)
{
	uint32_t major, minor;
	struct reader r = open_reader(data, size);
	struct fields f = open_message(&r, NJ_WIRE_BATCH, &major, &minor);
	for (int i = HEAD_FIELDS_BEFORE; i < BATCH_FIELDS - 1 && next_field(&f); i++)
		skip_value(&r);
	uint32_t windows_n = next_field(&f) ? read_array(&r, NJ_BATCH_WINDOWS_MAX) : 0;
	return ok(&r) && major == NJ_WIRE_MAJOR ? windows_n : 0;
}

static void read_windows(struct decoder *d, struct nj_batch *batch)
{
	batch->windows = take(d, batch->windows_n, sizeof *batch->windows);
	for (d->window = 0; d->window < batch->windows_n && ok(&d->r); d->window++) {
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
	struct decoder d = {.r = open_reader(data, size), .arena = arena, .texts_n = 1};
	uint32_t major, minor;
	struct fields f = open_message(&d.r, NJ_WIRE_BATCH, &major, &minor);
	if (ok(&d.r) && major != NJ_WIRE_MAJOR)
		return nj_fail(message, NJ_ERR_VERSION, "batch: wire version %u.%u, this is %u.%u", major, minor,
			       NJ_WIRE_MAJOR, NJ_WIRE_MINOR);
	read_head(&d.r, &f, &batch, &tables);
	int err = ok(&d.r) ? hold_against(&batch, &tables, major, minor, self, message) : NJ_OK;
	if (err < 0)
		return err;
	batch.windows_n = next_field(&f) ? read_array(&d.r, NJ_BATCH_WINDOWS_MAX) : 0;
	d.start_ns = batch.start_ns;
	d.texts = take(&d, batch.windows_n > 0 ? NJ_WIRE_TEXTS_MAX : 0, sizeof *d.texts);
	read_windows(&d, &batch);
	close_fields(&f);
	char what[96];
	snprintf(what, sizeof what, "batch %llu of sensor %s: window %u", (unsigned long long)batch.sequence,
		 batch.sensor, d.window);
	err = verdict(&d.r, what, message);
	if (err == NJ_OK)
		*ret_batch = batch;
	return err;
}
