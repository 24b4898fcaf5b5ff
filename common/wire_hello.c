/* The small messages: greeting, acknowledgement, refusal, settlement, and what two sides must agree on. */
#include "common/wire_parts.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void nj_wire_pack_lead(struct nj_pack *pack, size_t fields, enum nj_wire_kind kind)
{
	nj_pack_array(pack, fields);
	nj_pack_u64(pack, kind);
	nj_pack_u64(pack, NJ_WIRE_MAJOR);
	nj_pack_u64(pack, NJ_WIRE_MINOR);
}

void nj_wire_pack_tables(struct nj_pack *pack, const struct nj_table_ids *tables)
{
	nj_pack_array(pack, tables->n);
	for (uint32_t i = 0; i < tables->n; i++)
		nj_pack_u64(pack, tables->id[i]);
}

struct nj_fields nj_wire_open(struct nj_unpack *r, enum nj_wire_kind kind, uint32_t *ret_major, uint32_t *ret_minor)
{
	struct nj_fields f = nj_fields_open(r);
	if (nj_field_u64(&f, UINT32_MAX) != kind)
		nj_unpack_spoil(r, "another kind of message");
	*ret_major = (uint32_t)nj_field_u64(&f, UINT32_MAX);
	*ret_minor = (uint32_t)nj_field_u64(&f, UINT32_MAX);
	return f;
}

void nj_wire_tables(struct nj_fields *f, struct nj_table_ids *ret_tables)
{
	uint32_t n = nj_fields_next(f) ? nj_unpack_array(f->from, UINT32_MAX) : 0;
	for (uint32_t i = 0; i < n && nj_unpack_ok(f->from); i++) {
		uint32_t id = (uint32_t)nj_unpack_bounded(f->from, UINT32_MAX);
		if (i < NJ_TABLE_IDS_MAX)
			ret_tables->id[ret_tables->n++] = id;
	}
}

void nj_wire_pack_drops(struct nj_pack *pack, const struct nj_drop_count *drops, uint32_t n)
{
	nj_pack_array(pack, 2 * n);
	for (uint32_t i = 0; i < n; i++) {
		nj_pack_text(pack, drops[i].name, strlen(drops[i].name));
		nj_pack_u64(pack, drops[i].frames);
	}
}

uint32_t nj_wire_drops(struct nj_fields *f, struct nj_drop_count *ret_drops)
{
	struct nj_fields each = {f->from, nj_fields_next(f) ? nj_unpack_array(f->from, 2 * NJ_DROP_REASONS_MAX) : 0};
	uint32_t n = 0;
	while (each.left > 0 && nj_unpack_ok(f->from)) {
		struct nj_drop_count *drop = &ret_drops[n++];
		nj_field_text(&each, drop->name, sizeof drop->name);
		drop->frames = nj_field_u64(&each, UINT64_MAX);
	}
	return n;
}

int nj_wire_verdict(const struct nj_unpack *r, const char *what, struct nj_message *message)
{
	if (nj_unpack_ok(r) && nj_cursor_left(&r->cursor) == 0)
		return NJ_OK;
	return nj_fail(message, r->full ? NJ_ERR_MEMORY : NJ_ERR_FORMAT, "%s: %s", what,
		       nj_unpack_ok(r) ? "something follows" : r->wrong);
}

bool nj_wire_peek(const void *data, size_t size, enum nj_wire_kind *ret_kind, uint32_t *ret_major)
{
	struct nj_unpack r = nj_unpack_open(data, size);
	struct nj_fields f = nj_fields_open(&r);
	uint64_t kind = nj_field_u64(&f, UINT32_MAX);
	uint32_t major = (uint32_t)nj_field_u64(&f, UINT32_MAX);
	if (!nj_unpack_ok(&r) || kind < NJ_WIRE_HELLO || kind > NJ_WIRE_SETTLED)
		return false;
	*ret_kind = (enum nj_wire_kind)kind;
	*ret_major = major;
	return true;
}

size_t nj_wire_hello_encode(const struct nj_wire_hello *hello, uint8_t buffer[NJ_WIRE_SMALL_MAX])
{
	struct nj_pack to = nj_pack_fixed(buffer, NJ_WIRE_SMALL_MAX);
	nj_wire_pack_lead(&to, 14, NJ_WIRE_HELLO);
	nj_pack_text(&to, NJ_WIRE_SOFTWARE, strlen(NJ_WIRE_SOFTWARE));
	nj_pack_text(&to, hello->sensor, strlen(hello->sensor));
	nj_pack_text(&to, hello->tap_group, strlen(hello->tap_group));
	nj_wire_pack_tables(&to, &hello->self.tables);
	nj_pack_u64(&to, hello->self.key_id);
	nj_pack_u64(&to, hello->boot);
	nj_pack_u64(&to, hello->oldest);
	nj_pack_u64(&to, hello->dropped);
	nj_pack_u64(&to, hello->several);
	nj_pack_u64(&to, hello->settled);
	nj_pack_u64(&to, hello->greeting);
	assert(!to.failed);
	return to.used;
}

size_t nj_wire_ack_encode(const struct nj_wire_ack *ack, uint8_t buffer[NJ_WIRE_SMALL_MAX])
{
	struct nj_pack to = nj_pack_fixed(buffer, NJ_WIRE_SMALL_MAX);
	nj_wire_pack_lead(&to, 9, NJ_WIRE_ACK);
	nj_pack_u64(&to, ack->boot);
	nj_pack_u64(&to, ack->next);
	nj_pack_u64(&to, ack->credit);
	nj_pack_u64(&to, ack->rewind);
	nj_pack_u64(&to, ack->settled);
	nj_pack_u64(&to, ack->greeting);
	assert(!to.failed);
	return to.used;
}

size_t nj_wire_refuse_encode(const struct nj_wire_refuse *refuse, uint8_t buffer[NJ_WIRE_SMALL_MAX])
{
	struct nj_pack to = nj_pack_fixed(buffer, NJ_WIRE_SMALL_MAX);
	nj_wire_pack_lead(&to, 6, NJ_WIRE_REFUSE);
	nj_pack_u64(&to, refuse->code);
	nj_pack_text(&to, NJ_WIRE_SOFTWARE, strlen(NJ_WIRE_SOFTWARE));
	nj_pack_text(&to, refuse->reason, strlen(refuse->reason));
	assert(!to.failed);
	return to.used;
}

size_t nj_wire_settled_encode(const struct nj_wire_settled *settled, uint8_t buffer[NJ_WIRE_SMALL_MAX])
{
	struct nj_pack to = nj_pack_fixed(buffer, NJ_WIRE_SMALL_MAX);
	nj_wire_pack_lead(&to, 5, NJ_WIRE_SETTLED);
	nj_pack_u64(&to, settled->boot);
	nj_pack_u64(&to, settled->settled);
	assert(!to.failed);
	return to.used;
}

int nj_wire_settled_decode(const void *data, size_t size, struct nj_message *message,
			   struct nj_wire_settled *ret_settled)
{
	struct nj_wire_settled settled = {0};
	uint32_t major, minor;
	struct nj_unpack r = nj_unpack_open(data, size);
	struct nj_fields f = nj_wire_open(&r, NJ_WIRE_SETTLED, &major, &minor);
	settled.boot = nj_field_u64(&f, UINT64_MAX);
	settled.settled = nj_field_u64(&f, UINT64_MAX);
	nj_fields_close(&f);
	int err = nj_wire_verdict(&r, "settlement", message);
	if (err == NJ_OK)
		*ret_settled = settled;
	return err;
}

int nj_wire_hello_decode(const void *data, size_t size, struct nj_message *message, struct nj_wire_hello *ret_hello)
{
	struct nj_wire_hello hello = {0};
	struct nj_unpack r = nj_unpack_open(data, size);
	struct nj_fields f = nj_wire_open(&r, NJ_WIRE_HELLO, &hello.major, &hello.minor);
	nj_field_text(&f, hello.software, sizeof hello.software);
	nj_field_name(&f, hello.sensor, sizeof hello.sensor);
	if (hello.major == NJ_WIRE_MAJOR) {
		nj_field_name(&f, hello.tap_group, sizeof hello.tap_group);
		nj_wire_tables(&f, &hello.self.tables);
		hello.self.key_id = (uint32_t)nj_field_u64(&f, UINT32_MAX);
		hello.boot = nj_field_u64(&f, UINT64_MAX);
		hello.oldest = nj_field_u64(&f, UINT64_MAX);
		hello.dropped = nj_field_u64(&f, UINT64_MAX);
		hello.several = nj_field_u64(&f, 1) != 0;
		hello.settled = nj_field_u64(&f, UINT64_MAX);
		hello.greeting = nj_field_u64(&f, UINT64_MAX);
	}
	nj_fields_close(&f);
	int err = nj_wire_verdict(&r, "greeting", message);
	if (err == NJ_OK)
		*ret_hello = hello;
	return err;
}

int nj_wire_ack_decode(const void *data, size_t size, struct nj_message *message, struct nj_wire_ack *ret_ack)
{
	struct nj_wire_ack ack = {0};
	uint32_t major;
	struct nj_unpack r = nj_unpack_open(data, size);
	struct nj_fields f = nj_wire_open(&r, NJ_WIRE_ACK, &major, &ack.minor);
	ack.boot = nj_field_u64(&f, UINT64_MAX);
	ack.next = nj_field_u64(&f, UINT64_MAX);
	ack.credit = (uint32_t)nj_field_u64(&f, UINT32_MAX);
	ack.rewind = nj_field_u64(&f, 1) != 0;
	ack.settled = nj_field_u64(&f, UINT64_MAX);
	ack.greeting = nj_field_u64(&f, UINT64_MAX);
	nj_fields_close(&f);
	int err = nj_wire_verdict(&r, "acknowledgement", message);
	if (err == NJ_OK)
		*ret_ack = ack;
	return err;
}

int nj_wire_refuse_decode(const void *data, size_t size, struct nj_message *message, struct nj_wire_refuse *ret_refuse)
{
	struct nj_wire_refuse refuse = {0};
	uint32_t major, minor;
	struct nj_unpack r = nj_unpack_open(data, size);
	struct nj_fields f = nj_wire_open(&r, NJ_WIRE_REFUSE, &major, &minor);
	refuse.code = (uint32_t)nj_field_u64(&f, UINT32_MAX);
	nj_field_text(&f, refuse.software, sizeof refuse.software);
	nj_field_text(&f, refuse.reason, sizeof refuse.reason);
	nj_fields_close(&f);
	int err = nj_wire_verdict(&r, "refusal", message);
	if (err == NJ_OK)
		*ret_refuse = refuse;
	return err;
}

static bool refuse(struct nj_wire_refuse *ret_refuse, enum nj_wire_refusal code)
{
	ret_refuse->code = code;
	snprintf(ret_refuse->software, sizeof ret_refuse->software, "%s", NJ_WIRE_SOFTWARE);
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
			 hello->software, hello->major, hello->minor, NJ_WIRE_SOFTWARE, NJ_WIRE_MAJOR, NJ_WIRE_MINOR);
		return refuse(ret_refuse, NJ_WIRE_REFUSED_VERSION);
	}
	if (!nj_table_ids_agree(theirs, &self->tables)) {
		snprintf(reason, NJ_WIRE_REASON_MAX, "sensor %s (%s) has feature table %08x, this aggregator (%s) %08x",
			 hello->sensor, hello->software, theirs->id[0], NJ_WIRE_SOFTWARE, self->tables.id[0]);
		return refuse(ret_refuse, NJ_WIRE_REFUSED_TABLE);
	}
	if (hello->self.key_id != self->key_id) {
		snprintf(reason, NJ_WIRE_REASON_MAX,
			 "sensor %s (%s) hashes with key %08x, this aggregator (%s) with %08x: give both the same "
			 "hash_key",
			 hello->sensor, hello->software, hello->self.key_id, NJ_WIRE_SOFTWARE, self->key_id);
		return refuse(ret_refuse, NJ_WIRE_REFUSED_KEY);
	}
	return true;
}
