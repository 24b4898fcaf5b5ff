/* RFC 8446 4.1.2 and 5.1, RFC 6066 3 (server name), RFC 7301 (ALPN). The outer structure must hold to the last byte, or
 * it is no hello; what stands inside one extension may be broken without spoiling the rest, because servers skip what
 * they do not understand and so must we.
 *
 * In practice a hello lies in one record and is read where it is. Only one that spans records is joined in a buffer on
 * the stack first: such hellos exist, some made to hide the server name from readers who look at the first record
 * alone. */
#include "sensor/tls.h"

#include "common/cursor.h"

enum { RECORD_HANDSHAKE = 22, ALERT_RECORD_BYTES = 7, RECORD_HEAD_BYTES = 5, RECORD_BYTES_MAX = 16640 };
enum { V2_FLAG = 0x80 };
enum { MESSAGE_CLIENT_HELLO = 1, MESSAGE_SERVER_HELLO = 2, MESSAGE_HEAD_BYTES = 4 };
enum {
	EXTENSION_SERVER_NAME = 0,
	EXTENSION_SIGNATURE_ALGORITHMS = 13,
	EXTENSION_ALPN = 16,
	EXTENSION_SUPPORTED_VERSIONS = 43,
	EXTENSION_ECH = 0xfe0d,  /* RFC 9849 */
	EXTENSION_ESNI = 0xffce, /* its forerunner */
};

/* A handshake message of the wanted type starts here: NO as soon as a byte says otherwise, DONE when its head is
 * complete. */
static enum nj_parse message_head(const uint8_t *data, size_t size, uint8_t type, size_t *ret_message_size)
{
	if (size >= 1 && data[0] != type)
		return NJ_PARSE_NO;
	struct nj_cursor c = nj_cursor_make(data, size);
	nj_cursor_skip(&c, 1);
	size_t body_size = nj_cursor_u24(&c);
	if (!nj_cursor_ok(&c))
		return NJ_PARSE_MORE;
	if (body_size > NJ_TLS_HELLO_BYTES_MAX)
		return NJ_PARSE_NO;
	*ret_message_size = MESSAGE_HEAD_BYTES + body_size;
	return NJ_PARSE_DONE;
}

static enum nj_parse record_head(const uint8_t *data, size_t size, size_t *ret_record_size)
{
	if ((size >= 1 && data[0] != RECORD_HANDSHAKE) || (size >= 2 && data[1] != 3) || (size >= 3 && data[2] > 4))
		return NJ_PARSE_NO;
	if (size < RECORD_HEAD_BYTES)
		return NJ_PARSE_MORE;
	size_t record_size = (size_t)(data[3] << 8 | data[4]);
	if (record_size == 0 || record_size > RECORD_BYTES_MAX)
		return NJ_PARSE_NO;
	*ret_record_size = record_size;
	return NJ_PARSE_DONE;
}

/* Joins handshake records into *joined* until a whole message of *type* is there. */
static enum nj_parse join_records(const uint8_t *data, size_t size, uint8_t type, uint8_t *joined,
				  size_t *ret_message_size)
{
	size_t have = 0, want = MESSAGE_HEAD_BYTES;
	while (have < want) {
		size_t record_size;
		enum nj_parse verdict = record_head(data, size, &record_size);
		if (verdict != NJ_PARSE_DONE)
			return verdict;
		data += RECORD_HEAD_BYTES, size -= RECORD_HEAD_BYTES;
		size_t here = record_size < size ? record_size : size;
		size_t room = MESSAGE_HEAD_BYTES + NJ_TLS_HELLO_BYTES_MAX - have;
		memcpy(joined + have, data, here < room ? here : room);
		have += here < room ? here : room;
		verdict = message_head(joined, have, type, &want);
		if (verdict == NJ_PARSE_NO)
			return NJ_PARSE_NO;
		data += here, size -= here;
		if (here < record_size)
			break;
	}
	*ret_message_size = want;
	return have < want ? NJ_PARSE_MORE : NJ_PARSE_DONE;
}

/* The ordinary case: the message lies within the first record. */
static bool lies_in_one_record(const uint8_t *data, size_t size, uint8_t type)
{
	size_t record_size, message_size;
	return record_head(data, size, &record_size) == NJ_PARSE_DONE &&
	       message_head(data + RECORD_HEAD_BYTES, size - RECORD_HEAD_BYTES, type, &message_size) == NJ_PARSE_DONE &&
	       message_size <= record_size;
}

static void copy_text(struct nj_cursor from, void *text, size_t text_max)
{
	size_t n = nj_cursor_left(&from);
	n = n < text_max - 1 ? n : text_max - 1;
	memcpy(text, from.at, n);
	((char *)text)[n] = '\0';
}

static void read_server_name(struct nj_cursor body, struct nj_client_hello *hello)
{
	if (hello->has_sni)
		return;
	hello->has_sni = true;
	uint16_t list_bytes = nj_cursor_u16(&body);
	struct nj_cursor list = nj_cursor_sub(&body, list_bytes);
	while (nj_cursor_left(&list) > 0) {
		uint8_t kind = nj_cursor_u8(&list);
		uint16_t name_bytes = nj_cursor_u16(&list);
		struct nj_cursor name = nj_cursor_sub(&list, name_bytes);
		if (kind != 0 || !nj_cursor_ok(&name))
			continue;
		hello->sni_bytes = name_bytes;
		copy_text(name, hello->sni, sizeof hello->sni);
		return;
	}
}

/* Counts the protocols of the list and keeps the first. */
static unsigned read_alpn(struct nj_cursor body, uint8_t *alpn, uint8_t *ret_alpn_bytes)
{
	unsigned n = 0;
	uint16_t list_bytes = nj_cursor_u16(&body);
	struct nj_cursor list = nj_cursor_sub(&body, list_bytes);
	while (nj_cursor_left(&list) > 0) {
		uint8_t name_bytes = nj_cursor_u8(&list);
		struct nj_cursor name = nj_cursor_sub(&list, name_bytes);
		if (!nj_cursor_ok(&name))
			break;
		if (n == 0) {
			*ret_alpn_bytes = name_bytes;
			copy_text(name, alpn, NJ_TLS_ALPN_MAX);
		}
		n++;
	}
	return n;
}

static uint16_t read_u16_list(struct nj_cursor list, uint16_t *values, size_t values_max)
{
	uint16_t n = 0;
	while (nj_cursor_left(&list) >= 2) {
		uint16_t value = nj_cursor_u16(&list);
		if (n < values_max)
			values[n] = value;
		n++;
	}
	return n;
}

static void read_signature_algorithms(struct nj_cursor body, struct nj_client_hello *hello)
{
	uint16_t list_bytes = nj_cursor_u16(&body);
	struct nj_cursor list = nj_cursor_sub(&body, list_bytes);
	hello->sigalgs_n = read_u16_list(list, hello->sigalgs, NJ_TLS_SIGALGS_MAX);
}

/* Drafts and private versions (0x7f.., 0xfb..) do not count; who offers nothing else offers version 0, JA4's "00". */
static void read_supported_versions(struct nj_cursor body, struct nj_client_hello *hello)
{
	uint8_t list_bytes = nj_cursor_u8(&body);
	struct nj_cursor list = nj_cursor_sub(&body, list_bytes);
	uint16_t max = 0;
	bool any = false;
	while (nj_cursor_left(&list) >= 2) {
		uint16_t version = nj_cursor_u16(&list);
		any = true;
		if (version >> 8 == 3 && version > max)
			max = version;
	}
	hello->has_supported_versions = true;
	if (any)
		hello->version_max = max;
}

static void read_client_extension(uint16_t type, struct nj_cursor body, struct nj_client_hello *hello)
{
	switch (type) {
	case EXTENSION_SERVER_NAME:
		read_server_name(body, hello);
		break;
	case EXTENSION_SIGNATURE_ALGORITHMS:
		read_signature_algorithms(body, hello);
		break;
	case EXTENSION_ALPN:
		hello->alpn_n = (uint16_t)read_alpn(body, hello->alpn, &hello->alpn_bytes);
		break;
	case EXTENSION_SUPPORTED_VERSIONS:
		read_supported_versions(body, hello);
		break;
	case EXTENSION_ECH:
	case EXTENSION_ESNI:
		hello->has_ech = true;
		break;
	}
}

/* The list of extensions at the end of a hello; an old hello may end without one. */
static struct nj_cursor extension_list(struct nj_cursor *c)
{
	if (nj_cursor_left(c) == 0)
		return nj_cursor_make(c->at, 0);
	uint16_t list_bytes = nj_cursor_u16(c);
	struct nj_cursor list = nj_cursor_sub(c, list_bytes);
	return list;
}

static bool next_extension(struct nj_cursor *list, uint16_t *ret_type, struct nj_cursor *ret_body)
{
	if (nj_cursor_left(list) == 0)
		return false;
	*ret_type = nj_cursor_u16(list);
	uint16_t body_bytes = nj_cursor_u16(list);
	*ret_body = nj_cursor_sub(list, body_bytes);
	return nj_cursor_ok(list);
}

/* All but the lists, whose length says what of them is valid: clearing those would cost more than parsing. */
static void clear_client_hello(struct nj_client_hello *hello)
{
	hello->legacy_version = hello->version_max = 0;
	hello->ciphers_n = hello->extensions_n = hello->sigalgs_n = hello->alpn_n = hello->sni_bytes = 0;
	hello->alpn_bytes = 0;
	hello->has_sni = hello->has_ech = hello->has_supported_versions = hello->is_v2 = false;
	hello->sni[0] = '\0';
	hello->alpn[0] = 0;
}

static enum nj_parse read_client_hello(struct nj_cursor c, struct nj_client_hello *hello)
{
	clear_client_hello(hello);
	hello->legacy_version = hello->version_max = nj_cursor_u16(&c);
	nj_cursor_skip(&c, 32); /* random */
	uint8_t session_bytes = nj_cursor_u8(&c);
	nj_cursor_skip(&c, session_bytes);
	uint16_t ciphers_bytes = nj_cursor_u16(&c);
	struct nj_cursor ciphers = nj_cursor_sub(&c, ciphers_bytes);
	uint8_t compressions = nj_cursor_u8(&c);
	nj_cursor_skip(&c, compressions);
	if (!nj_cursor_ok(&c) || ciphers_bytes % 2 != 0)
		return NJ_PARSE_NO;
	hello->ciphers_n = read_u16_list(ciphers, hello->ciphers, NJ_TLS_CIPHERS_MAX);
	struct nj_cursor list = extension_list(&c), body;
	uint16_t type;
	while (next_extension(&list, &type, &body)) {
		if (hello->extensions_n < NJ_TLS_EXTENSIONS_MAX)
			hello->extensions[hello->extensions_n] = type;
		hello->extensions_n++;
		read_client_extension(type, body, hello);
	}
	return nj_cursor_ok(&list) ? NJ_PARSE_DONE : NJ_PARSE_NO;
}

/* The random value that makes a ServerHello a HelloRetryRequest: SHA-256 of that word (RFC 8446 4.1.3). */
static const uint8_t retry_random[32] = {
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
	0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
};

static enum nj_parse read_server_hello(struct nj_cursor c, struct nj_server_hello *hello)
{
	*hello = (struct nj_server_hello){.version = nj_cursor_u16(&c)};
	const uint8_t *random = nj_cursor_take(&c, sizeof retry_random);
	uint8_t session_bytes = nj_cursor_u8(&c);
	nj_cursor_skip(&c, session_bytes);
	hello->cipher = nj_cursor_u16(&c);
	nj_cursor_skip(&c, 1); /* compression */
	if (!nj_cursor_ok(&c))
		return NJ_PARSE_NO;
	hello->retry = memcmp(random, retry_random, sizeof retry_random) == 0;
	struct nj_cursor list = extension_list(&c), body;
	uint16_t type;
	while (next_extension(&list, &type, &body)) {
		if (type == EXTENSION_SUPPORTED_VERSIONS && nj_cursor_left(&body) >= 2)
			hello->version = nj_cursor_u16(&body);
		else if (type == EXTENSION_ALPN)
			(void)read_alpn(body, hello->alpn, &hello->alpn_bytes);
	}
	return nj_cursor_ok(&list) ? NJ_PARSE_DONE : NJ_PARSE_NO;
}

static enum nj_parse whole_message(const uint8_t *data, size_t size, uint8_t type, struct nj_cursor *ret_body)
{
	size_t message_size;
	enum nj_parse verdict = message_head(data, size, type, &message_size);
	if (verdict != NJ_PARSE_DONE)
		return verdict;
	if (size < message_size)
		return NJ_PARSE_MORE;
	*ret_body = nj_cursor_make(data + MESSAGE_HEAD_BYTES, message_size - MESSAGE_HEAD_BYTES);
	return NJ_PARSE_DONE;
}

enum nj_parse nj_tls_client_hello_message(const uint8_t *data, size_t size, struct nj_client_hello *ret_hello)
{
	struct nj_cursor body;
	enum nj_parse verdict = whole_message(data, size, MESSAGE_CLIENT_HELLO, &body);
	return verdict == NJ_PARSE_DONE ? read_client_hello(body, ret_hello) : verdict;
}

enum nj_parse nj_tls_server_hello_message(const uint8_t *data, size_t size, struct nj_server_hello *ret_hello)
{
	struct nj_cursor body;
	enum nj_parse verdict = whole_message(data, size, MESSAGE_SERVER_HELLO, &body);
	return verdict == NJ_PARSE_DONE ? read_server_hello(body, ret_hello) : verdict;
}

/* length with the top bit set (2), 1, version, lengths of ciphers, session and challenge (2 each), ciphers of three
 * bytes. Only a cipher with a leading zero is one of TLS; the others are SSL 2.0's own and left out. */
static enum nj_parse read_v2_client_hello(const uint8_t *data, size_t size, struct nj_client_hello *hello)
{
	struct nj_cursor c = nj_cursor_make(data, size);
	size_t message_size = nj_cursor_u16(&c) & 0x7fff;
	uint8_t type = nj_cursor_u8(&c);
	uint16_t version = nj_cursor_u16(&c);
	if ((size >= 3 && type != MESSAGE_CLIENT_HELLO) ||
	    (size >= 5 && version != 0x0002 && (version < 0x0300 || version > 0x0304)))
		return NJ_PARSE_NO;
	uint16_t ciphers_bytes = nj_cursor_u16(&c);
	uint16_t session_bytes = nj_cursor_u16(&c);
	uint16_t challenge_bytes = nj_cursor_u16(&c);
	if (!nj_cursor_ok(&c))
		return NJ_PARSE_MORE;
	if (ciphers_bytes % 3 != 0 || message_size != 9u + ciphers_bytes + session_bytes + challenge_bytes)
		return NJ_PARSE_NO;
	struct nj_cursor ciphers = nj_cursor_sub(&c, ciphers_bytes);
	nj_cursor_skip(&c, (size_t)session_bytes + challenge_bytes);
	if (!nj_cursor_ok(&c))
		return NJ_PARSE_MORE;
	clear_client_hello(hello);
	hello->legacy_version = hello->version_max = version;
	hello->is_v2 = true;
	while (nj_cursor_left(&ciphers) >= 3) {
		uint32_t cipher = nj_cursor_u24(&ciphers);
		if (cipher > 0xffff)
			continue;
		if (hello->ciphers_n < NJ_TLS_CIPHERS_MAX)
			hello->ciphers[hello->ciphers_n] = (uint16_t)cipher;
		hello->ciphers_n++;
	}
	return NJ_PARSE_DONE;
}

enum nj_parse nj_tls_client_hello(const uint8_t *data, size_t size, struct nj_client_hello *ret_hello)
{
	if (size >= 1 && (data[0] & V2_FLAG))
		return read_v2_client_hello(data, size, ret_hello);
	if (lies_in_one_record(data, size, MESSAGE_CLIENT_HELLO))
		return nj_tls_client_hello_message(data + RECORD_HEAD_BYTES, size - RECORD_HEAD_BYTES, ret_hello);
	uint8_t joined[MESSAGE_HEAD_BYTES + NJ_TLS_HELLO_BYTES_MAX];
	size_t message_size;
	enum nj_parse verdict = join_records(data, size, MESSAGE_CLIENT_HELLO, joined, &message_size);
	return verdict == NJ_PARSE_DONE ? nj_tls_client_hello_message(joined, message_size, ret_hello) : verdict;
}

/* A server that does not know the name it was asked for may warn of it before its hello. Steps over such alerts; MORE
 * while the bytes at hand may still become one. */
static enum nj_parse skip_warnings(const uint8_t **data, size_t *size)
{
	static const uint8_t warning[6] = {21, 3, 0 /* any version */, 0, 2, 1};
	for (;;) {
		for (size_t i = 0; i < sizeof warning && i < *size; i++)
			if (i != 2 && (*data)[i] != warning[i])
				return NJ_PARSE_DONE;
		if (*size < ALERT_RECORD_BYTES)
			return NJ_PARSE_MORE;
		*data += ALERT_RECORD_BYTES, *size -= ALERT_RECORD_BYTES;
	}
}

enum nj_parse nj_tls_server_hello(const uint8_t *data, size_t size, struct nj_server_hello *ret_hello)
{
	if (skip_warnings(&data, &size) == NJ_PARSE_MORE)
		return NJ_PARSE_MORE;
	if (lies_in_one_record(data, size, MESSAGE_SERVER_HELLO))
		return nj_tls_server_hello_message(data + RECORD_HEAD_BYTES, size - RECORD_HEAD_BYTES, ret_hello);
	uint8_t joined[MESSAGE_HEAD_BYTES + NJ_TLS_HELLO_BYTES_MAX];
	size_t message_size;
	enum nj_parse verdict = join_records(data, size, MESSAGE_SERVER_HELLO, joined, &message_size);
	return verdict == NJ_PARSE_DONE ? nj_tls_server_hello_message(joined, message_size, ret_hello) : verdict;
}
