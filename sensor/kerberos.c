/* RFC 4120 5. A message is a tagged sequence of tagged fields:
 *   requests: 3 pre-authentication data, 4 body { 1 client, 2 realm, 3 service, 8 encryption types }
 *   replies:  3 client's realm, 4 client, 5 ticket { 1 realm, 2 service, 3 encrypted { 0 type } }
 *   errors:   6 code, 7 client's realm, 8 client, 9 realm, 10 service
 * Every value is read inside a cursor that ends where its parent says it does, so a length that lies cannot lead
 * outside. */
#include "sensor/kerberos.h"

#include "common/cursor.h"

enum { DER_INTEGER = 0x02, DER_SEQUENCE = 0x30, DER_GENERAL_STRING = 0x1b, DER_CONTEXT = 0xa0, DER_APPLICATION = 0x60 };
enum { TICKET = 1, PREAUTH_TIMESTAMP = 2, PREAUTH_CERTIFICATE = 16, PREAUTH_FAST = 136, PREAUTH_CHALLENGE = 138 };

/* The next value of *c*, its tag and content. False at the end, and (with *c* failed) for what is no DER. */
static bool der_next(struct nj_cursor *c, uint8_t *ret_tag, struct nj_cursor *ret_value)
{
	if (nj_cursor_left(c) == 0)
		return false;
	*ret_tag = nj_cursor_u8(c);
	size_t size = nj_cursor_u8(c);
	if (size >= 0x80) {
		unsigned width = size & 0x7f;
		c->failed |= width == 0 || width > 4; /* indefinite, or beyond any message */
		size = 0;
		for (; width > 0 && nj_cursor_ok(c); width--)
			size = size << 8 | nj_cursor_u8(c);
	}
	*ret_value = nj_cursor_sub(c, size);
	return nj_cursor_ok(c);
}

/* The content of the next value, which must have this tag; an empty failed cursor otherwise. */
static struct nj_cursor der_expect(struct nj_cursor c, uint8_t tag)
{
	uint8_t found;
	struct nj_cursor value;
	if (!der_next(&c, &found, &value) || found != tag)
		return (struct nj_cursor){.at = c.end, .end = c.end, .failed = true};
	return value;
}

/* Steps through the fields of a sequence: true with the number of the next one and what is inside. */
static bool next_field(struct nj_cursor *sequence, uint8_t *ret_number, struct nj_cursor *ret_value)
{
	uint8_t tag;
	if (!der_next(sequence, &tag, ret_value))
		return false;
	*ret_number = (tag & 0xe0) == DER_CONTEXT ? tag & 0x1f : 0xff;
	return true;
}

static int32_t read_integer(struct nj_cursor field)
{
	struct nj_cursor c = der_expect(field, DER_INTEGER);
	size_t size = nj_cursor_left(&c);
	if (size == 0 || size > 4)
		return 0;
	uint32_t value = c.at[0] & 0x80 ? UINT32_MAX : 0;
	while (nj_cursor_left(&c) > 0)
		value = value << 8 | nj_cursor_u8(&c);
	return (int32_t)value;
}

/* Appends a string to *text*, after a '/' when something stands there already. */
static void append(struct nj_cursor string, char text[NJ_KERBEROS_NAME_MAX])
{
	size_t at = strlen(text);
	if (at > 0 && at < NJ_KERBEROS_NAME_MAX - 1)
		text[at++] = '/';
	while (nj_cursor_left(&string) > 0 && at < NJ_KERBEROS_NAME_MAX - 1) {
		uint8_t byte = nj_cursor_u8(&string);
		text[at++] = byte >= ' ' && byte <= '~' ? (char)byte : '?';
	}
	text[at] = '\0';
}

static void read_realm(struct nj_cursor field, char text[NJ_KERBEROS_NAME_MAX])
{
	text[0] = '\0';
	append(der_expect(field, DER_GENERAL_STRING), text);
}

/* A principal: its components are field 1, a sequence of strings. */
static void read_name(struct nj_cursor field, char text[NJ_KERBEROS_NAME_MAX])
{
	struct nj_cursor name = der_expect(field, DER_SEQUENCE), value, string;
	uint8_t number, tag;
	text[0] = '\0';
	while (next_field(&name, &number, &value)) {
		if (number != 1)
			continue;
		struct nj_cursor components = der_expect(value, DER_SEQUENCE);
		while (der_next(&components, &tag, &string))
			if (tag == DER_GENERAL_STRING)
				append(string, text);
	}
}

static void read_etypes(struct nj_cursor field, struct nj_kerberos *kerberos)
{
	struct nj_cursor list = der_expect(field, DER_SEQUENCE);
	while (nj_cursor_left(&list) > 0 && kerberos->etypes_n < NJ_KERBEROS_ETYPES_MAX) {
		int32_t etype = read_integer(list);
		uint8_t tag;
		struct nj_cursor value;
		if (!der_next(&list, &tag, &value))
			return;
		kerberos->etypes[kerberos->etypes_n++] = etype;
	}
}

/* A client that has proved already in the request that it knows the secret. Its type stands in field 1 of each element.
 */
static bool proves_itself(struct nj_cursor field)
{
	struct nj_cursor list = der_expect(field, DER_SEQUENCE), element, value;
	uint8_t tag, number;
	while (der_next(&list, &tag, &element)) {
		element = tag == DER_SEQUENCE ? element : nj_cursor_make(element.end, 0);
		while (next_field(&element, &number, &value)) {
			int32_t type = number == 1 ? read_integer(value) : 0;
			if (type == PREAUTH_TIMESTAMP || type == PREAUTH_CERTIFICATE || type == PREAUTH_FAST ||
			    type == PREAUTH_CHALLENGE)
				return true;
		}
	}
	return false;
}

static bool read_request_body(struct nj_cursor field, struct nj_kerberos *kerberos)
{
	struct nj_cursor body = der_expect(field, DER_SEQUENCE), value;
	uint8_t number;
	while (next_field(&body, &number, &value)) {
		if (number == 1)
			read_name(value, kerberos->client);
		else if (number == 2)
			read_realm(value, kerberos->realm);
		else if (number == 3)
			read_name(value, kerberos->service);
		else if (number == 8)
			read_etypes(value, kerberos);
	}
	return nj_cursor_ok(&body);
}

static bool read_request(struct nj_cursor fields, struct nj_kerberos *kerberos)
{
	struct nj_cursor value;
	uint8_t number;
	bool has_body = false;
	while (next_field(&fields, &number, &value)) {
		if (number == 3)
			kerberos->preauthenticated = kerberos->type == NJ_KERBEROS_AS_REQ && proves_itself(value);
		else if (number == 4)
			has_body = read_request_body(value, kerberos);
	}
	return nj_cursor_ok(&fields) && has_body;
}

static void read_ticket(struct nj_cursor field, struct nj_kerberos *kerberos)
{
	struct nj_cursor ticket = der_expect(der_expect(field, DER_APPLICATION + TICKET), DER_SEQUENCE), value;
	uint8_t number;
	while (next_field(&ticket, &number, &value)) {
		if (number == 2)
			read_name(value, kerberos->service);
		if (number != 3)
			continue;
		struct nj_cursor encrypted = der_expect(value, DER_SEQUENCE);
		if (next_field(&encrypted, &number, &value) && number == 0)
			kerberos->ticket_etype = read_integer(value);
	}
}

static bool read_reply(struct nj_cursor fields, struct nj_kerberos *kerberos)
{
	struct nj_cursor value;
	uint8_t number;
	while (next_field(&fields, &number, &value)) {
		if (number == 3)
			read_realm(value, kerberos->realm);
		else if (number == 4)
			read_name(value, kerberos->client);
		else if (number == 5)
			read_ticket(value, kerberos);
	}
	return nj_cursor_ok(&fields);
}

static bool read_error(struct nj_cursor fields, struct nj_kerberos *kerberos)
{
	struct nj_cursor value;
	uint8_t number;
	while (next_field(&fields, &number, &value)) {
		if (number == 6)
			kerberos->error = read_integer(value);
		else if (number == 8)
			read_name(value, kerberos->client);
		else if (number == 9)
			read_realm(value, kerberos->realm);
		else if (number == 10)
			read_name(value, kerberos->service);
	}
	return nj_cursor_ok(&fields);
}

static bool is_message_tag(uint8_t tag)
{
	switch (tag - DER_APPLICATION) {
	case NJ_KERBEROS_AS_REQ:
	case NJ_KERBEROS_AS_REP:
	case NJ_KERBEROS_TGS_REQ:
	case NJ_KERBEROS_TGS_REP:
	case NJ_KERBEROS_ERROR:
		return true;
	default:
		return false;
	}
}

static bool read_message(struct nj_cursor fields, struct nj_kerberos *kerberos)
{
	switch (kerberos->type) {
	case NJ_KERBEROS_AS_REQ:
	case NJ_KERBEROS_TGS_REQ:
		return read_request(fields, kerberos);
	case NJ_KERBEROS_ERROR:
		return read_error(fields, kerberos);
	default:
		return read_reply(fields, kerberos);
	}
}

enum nj_parse nj_kerberos_datagram(const uint8_t *data, size_t size, struct nj_kerberos *ret_kerberos)
{
	struct nj_cursor c = nj_cursor_make(data, size), message;
	struct nj_kerberos *kerberos = ret_kerberos;
	uint8_t tag;
	if (!der_next(&c, &tag, &message) || !is_message_tag(tag))
		return NJ_PARSE_NO;
	struct nj_cursor fields = der_expect(message, DER_SEQUENCE);
	kerberos->type = tag - DER_APPLICATION;
	kerberos->preauthenticated = false;
	kerberos->etypes_n = 0;
	kerberos->error = kerberos->ticket_etype = 0;
	kerberos->client[0] = kerberos->realm[0] = kerberos->service[0] = '\0';
	return nj_cursor_ok(&fields) && read_message(fields, kerberos) ? NJ_PARSE_DONE : NJ_PARSE_NO;
}

enum nj_parse nj_kerberos_stream(const uint8_t *data, size_t size, struct nj_kerberos *ret_kerberos, size_t *ret_used)
{
	struct nj_cursor c = nj_cursor_make(data, size);
	uint32_t message_size = nj_cursor_u32(&c);
	*ret_used = 0;
	if (!nj_cursor_ok(&c))
		return NJ_PARSE_MORE;
	if (message_size == 0 || message_size > NJ_KERBEROS_MESSAGE_BYTES_MAX || (size > 4 && !is_message_tag(data[4])))
		return NJ_PARSE_NO;
	*ret_used = 4u + message_size;
	const uint8_t *message = nj_cursor_take(&c, message_size);
	if (message == NULL)
		return NJ_PARSE_MORE;
	return nj_kerberos_datagram(message, message_size, ret_kerberos);
}
