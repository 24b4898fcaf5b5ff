/* RFC 1035 4.1. A pointer must lead to before the name (or the part of it) that holds it. Each jump then goes to a
 * smaller offset, so a name ends whatever the message says, and honest encoders never point forwards since they can
 * only point at what is already written.
 *
 * Only question names are expanded. Behind the questions a record's name is stepped over: labels until a zero or a
 * pointer, without following it. */
#include "sensor/dns.h"

#include "common/cursor.h"

enum { HEAD_BYTES = 12, NAME_WIRE_BYTES_MAX = 255 };
enum { CLASS_IN = 1, CLASS_MASK = 0x7fff /* mDNS uses the top bit for "flush your cache" */ };

/* A label's byte as text: itself, \. and \\, or \DDD. Returns the end. */
static char *put_escaped(char *text, uint8_t byte)
{
	if (byte <= ' ' || byte > '~') {
		*text++ = '\\';
		*text++ = (char)('0' + byte / 100);
		*text++ = (char)('0' + byte / 10 % 10);
		*text++ = (char)('0' + byte % 10);
		return text;
	}
	if (byte == '.' || byte == '\\')
		*text++ = '\\';
	*text++ = (char)byte;
	return text;
}

static char *put_label(char *text, const uint8_t *label, size_t size, bool first)
{
	if (!first)
		*text++ = '.';
	for (size_t i = 0; i < size; i++)
		text = put_escaped(text, label[i]);
	return text;
}

/* Expands the name at *c* and steps behind it. False: it does not end, is too long, or points where it must not. */
static bool read_name(const uint8_t *message, struct nj_cursor *c, struct nj_dns_question *question)
{
	struct nj_cursor at = *c;
	const uint8_t *part = at.at; /* start of the labels being read: pointers must lead before it */
	bool jumped = false;
	char *text = question->name;
	unsigned wire_bytes = 0;
	for (;;) {
		uint8_t size = nj_cursor_u8(&at);
		if ((size & 0xc0) == 0xc0) {
			size_t target = (size_t)(size & 0x3f) << 8 | nj_cursor_u8(&at);
			if (!nj_cursor_ok(&at) || target >= (size_t)(part - message))
				return false;
			if (!jumped)
				c->at = at.at;
			jumped = true;
			part = at.at = message + target;
			continue;
		}
		const uint8_t *label = nj_cursor_take(&at, size);
		wire_bytes += 1u + size;
		if (!nj_cursor_ok(&at) || (size & 0xc0) != 0 || wire_bytes > NAME_WIRE_BYTES_MAX)
			return false;
		if (size == 0)
			break;
		text = put_label(text, label, size, wire_bytes == 1u + size);
	}
	if (!jumped)
		c->at = at.at;
	*text = '\0';
	question->text_bytes = (uint16_t)(text - question->name);
	question->name_bytes = (uint16_t)(wire_bytes > 2 ? wire_bytes - 2 : 0); /* less the first length and the root */
	return true;
}

static void skip_name(struct nj_cursor *c)
{
	for (;;) {
		uint8_t size = nj_cursor_u8(c);
		if ((size & 0xc0) == 0xc0) {
			nj_cursor_skip(c, 1);
			return;
		}
		if ((size & 0xc0) != 0)
			c->failed = true;
		if (size == 0 || !nj_cursor_ok(c))
			return;
		nj_cursor_skip(c, size);
	}
}

/* False: not even the first question is one. A later one that is none cuts the message there. */
static bool read_questions(const uint8_t *message, struct nj_cursor *c, struct nj_dns *dns)
{
	for (unsigned i = 0; i < dns->questions_n && !dns->cut; i++) {
		if (i >= NJ_DNS_QUESTIONS_MAX) {
			skip_name(c);
			nj_cursor_skip(c, 4);
			dns->cut = !nj_cursor_ok(c);
			continue;
		}
		struct nj_dns_question *question = &dns->questions[i];
		bool good = read_name(message, c, question);
		question->type = nj_cursor_u16(c);
		question->class = nj_cursor_u16(c);
		dns->cut = !good || !nj_cursor_ok(c);
		dns->questions_kept += !dns->cut;
	}
	return dns->questions_n == 0 || dns->questions_kept > 0;
}

static void keep_address(struct nj_dns *dns, uint16_t type, uint16_t class, const uint8_t *data, size_t size)
{
	if ((class & CLASS_MASK) != CLASS_IN || dns->addresses_n == NJ_DNS_ADDRESSES_MAX)
		return;
	if (type == NJ_DNS_A && size == 4)
		dns->addresses[dns->addresses_n++] = nj_addr_v4(data);
	else if (type == NJ_DNS_AAAA && size == 16)
		memcpy(dns->addresses[dns->addresses_n++].byte, data, 16);
}

/* Steps over one record; of answers, its data counts. */
static bool read_record(struct nj_cursor *c, struct nj_dns *dns, bool is_answer)
{
	skip_name(c);
	uint16_t type = nj_cursor_u16(c);
	uint16_t class = nj_cursor_u16(c);
	nj_cursor_skip(c, 4); /* time to live */
	uint16_t size = nj_cursor_u16(c);
	const uint8_t *data = nj_cursor_take(c, size);
	if (!nj_cursor_ok(c))
		return false;
	if (is_answer) {
		dns->answers_read++;
		dns->answer_bytes += size;
		keep_address(dns, type, class, data, size);
	}
	return true;
}

static void read_records(struct nj_cursor *c, struct nj_dns *dns)
{
	unsigned others_n = (unsigned)dns->authorities_n + dns->additionals_n;
	for (unsigned i = 0; i < dns->answers_n; i++)
		if (!read_record(c, dns, true)) {
			dns->cut = true;
			return;
		}
	for (unsigned i = 0; i < others_n; i++)
		if (!read_record(c, dns, false)) {
			dns->cut = true;
			return;
		}
}

enum nj_parse nj_dns_datagram(const uint8_t *data, size_t size, struct nj_dns *ret_dns)
{
	struct nj_cursor c = nj_cursor_make(data, size);
	struct nj_dns *dns = ret_dns;
	dns->id = nj_cursor_u16(&c);
	dns->flags = nj_cursor_u16(&c);
	dns->questions_n = nj_cursor_u16(&c);
	dns->answers_n = nj_cursor_u16(&c);
	dns->authorities_n = nj_cursor_u16(&c);
	dns->additionals_n = nj_cursor_u16(&c);
	dns->response = dns->flags >> 15;
	dns->opcode = dns->flags >> 11 & 15;
	dns->truncated = dns->flags >> 9 & 1;
	dns->rcode = dns->flags & 15;
	dns->cut = false;
	dns->answers_read = 0;
	dns->answer_bytes = 0;
	dns->questions_kept = dns->addresses_n = 0;
	if (!nj_cursor_ok(&c))
		return NJ_PARSE_NO;
	if (!read_questions(data, &c, dns))
		return NJ_PARSE_NO;
	if (!dns->cut)
		read_records(&c, dns);
	/* Nothing but a header that announces what is not there: any twelve bytes may look like that. */
	bool nothing_read = dns->questions_n == 0 && dns->answers_read == 0;
	return dns->cut && nothing_read ? NJ_PARSE_NO : NJ_PARSE_DONE;
}

enum nj_parse nj_dns_stream(const uint8_t *data, size_t size, struct nj_dns *ret_dns, size_t *ret_used)
{
	struct nj_cursor c = nj_cursor_make(data, size);
	uint16_t message_size = nj_cursor_u16(&c);
	if (!nj_cursor_ok(&c))
		return NJ_PARSE_MORE;
	if (message_size < HEAD_BYTES)
		return NJ_PARSE_NO;
	const uint8_t *message = nj_cursor_take(&c, message_size);
	if (message == NULL)
		return NJ_PARSE_MORE;
	enum nj_parse verdict = nj_dns_datagram(message, message_size, ret_dns);
	if (verdict == NJ_PARSE_DONE)
		*ret_used = 2u + message_size;
	return verdict;
}

bool nj_dns_type_is_free_text(uint16_t type)
{
	switch (type) {
	case NJ_DNS_CNAME:
	case NJ_DNS_NULL:
	case NJ_DNS_MX:
	case NJ_DNS_TXT:
	case NJ_DNS_SRV:
	case NJ_DNS_ANY:
		return true;
	default:
		return type >= NJ_DNS_PRIVATE;
	}
}
