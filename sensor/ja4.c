/* github.com/FoxIO-LLC/ja4, technical_details/JA4.md. Values reserved to be ignored (GREASE) are left out everywhere.
 * The texts that are hashed are lists of four hex digits with commas: at most 512 ciphers make 2,560 bytes, 128
 * extensions and 128 algorithms 1,280. */
#include "sensor/ja4.h"

#include "common/sha.h"

#include <assert.h>
#include <string.h>

enum { EXTENSION_SERVER_NAME = 0, EXTENSION_ALPN = 16, HASH_DIGITS = 12 };

static const char *version_text(uint16_t version)
{
	static const struct {
		uint16_t version;
		char text[3];
	} known[] = {
		{0x0304, "13"}, {0x0303, "12"}, {0x0302, "11"}, {0x0301, "10"}, {0x0300, "s3"},
		{0x0002, "s2"}, {0xfeff, "d1"}, {0xfefd, "d2"}, {0xfefc, "d3"},
	};
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (known[i].version == version)
			return known[i].text;
	return "00";
}

static bool is_alphanumeric(uint8_t byte)
{
	return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
}

/* First and last character of the first protocol; of its hex form when either is no letter or digit. */
static void put_alpn(const struct nj_client_hello *hello, char text[2])
{
	if (hello->alpn_bytes == 0) {
		memcpy(text, "00", 2);
		return;
	}
	uint8_t ends[2] = {hello->alpn[0], hello->alpn[hello->alpn_bytes - 1]};
	if (is_alphanumeric(ends[0]) && is_alphanumeric(ends[1])) {
		memcpy(text, ends, 2);
		return;
	}
	char hex[5];
	nj_hex(ends, 2, hex);
	text[0] = hex[0];
	text[1] = hex[3];
}

/* Shell sort: short lists, on the stack, and quick enough for the longest. */
static void sort(uint16_t *values, size_t n)
{
	for (size_t gap = n / 2; gap > 0; gap /= 2)
		for (size_t i = gap; i < n; i++) {
			uint16_t value = values[i];
			size_t at = i;
			for (; at >= gap && values[at - gap] > value; at -= gap)
				values[at] = values[at - gap];
			values[at] = value;
		}
}

static size_t without_grease(const uint16_t *from, size_t from_n, uint16_t *to)
{
	size_t n = 0;
	for (size_t i = 0; i < from_n; i++)
		if (!nj_tls_is_grease(from[i]))
			to[n++] = from[i];
	return n;
}

/* "002f,0035,": four hex digits and a comma each; returns the end. */
static char *put_list(char *text, const uint16_t *values, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t bytes[2] = {(uint8_t)(values[i] >> 8), (uint8_t)values[i]};
		nj_hex(bytes, 2, text);
		text[4] = ',';
		text += 5;
	}
	return text;
}

static void put_hash(const char *list, size_t size, char text[HASH_DIGITS])
{
	uint8_t digest[NJ_SHA256_BYTES];
	char hex[2 * NJ_SHA256_BYTES + 1];
	nj_sha256(list, size, digest);
	memcpy(text, nj_hex(digest, sizeof digest, hex), HASH_DIGITS);
}

static size_t put_ciphers(const struct nj_client_hello *hello, char text[HASH_DIGITS])
{
	uint16_t ciphers[NJ_TLS_CIPHERS_MAX];
	char list[NJ_TLS_CIPHERS_MAX * 5];
	size_t n = without_grease(hello->ciphers, hello->ciphers_n, ciphers);
	sort(ciphers, n);
	char *end = put_list(list, ciphers, n);
	if (n == 0)
		memset(text, '0', HASH_DIGITS);
	else
		put_hash(list, (size_t)(end - 1 - list), text);
	return n;
}

/* Server name and ALPN count as extensions but stay out of the hash: they change with the destination, not with the
 * client. */
static size_t put_extensions(const struct nj_client_hello *hello, char text[HASH_DIGITS])
{
	uint16_t extensions[NJ_TLS_EXTENSIONS_MAX], sigalgs[NJ_TLS_SIGALGS_MAX];
	char list[(NJ_TLS_EXTENSIONS_MAX + NJ_TLS_SIGALGS_MAX) * 5];
	size_t n = without_grease(hello->extensions, hello->extensions_n, extensions), hashed_n = 0;
	for (size_t i = 0; i < n; i++)
		if (extensions[i] != EXTENSION_SERVER_NAME && extensions[i] != EXTENSION_ALPN)
			extensions[hashed_n++] = extensions[i];
	sort(extensions, hashed_n);
	char *end = put_list(list, extensions, hashed_n);
	size_t sigalgs_n = without_grease(hello->sigalgs, hello->sigalgs_n, sigalgs);
	if (hashed_n > 0 && sigalgs_n > 0) {
		end[-1] = '_';
		end = put_list(end, sigalgs, sigalgs_n);
	}
	if (hashed_n == 0)
		memset(text, '0', HASH_DIGITS);
	else
		put_hash(list, (size_t)(end - 1 - list), text);
	return n;
}

static void put_count(size_t n, char text[2])
{
	n = n > 99 ? 99 : n;
	text[0] = (char)('0' + n / 10);
	text[1] = (char)('0' + n % 10);
}

bool nj_ja4(const struct nj_client_hello *hello, char transport, char ret_text[NJ_JA4_TEXT_MAX])
{
	assert(transport == 't' || transport == 'q' || transport == 'd');
	if (hello->is_v2)
		return false;
	if (hello->ciphers_n > NJ_TLS_CIPHERS_MAX || hello->extensions_n > NJ_TLS_EXTENSIONS_MAX ||
	    hello->sigalgs_n > NJ_TLS_SIGALGS_MAX)
		return false;
	char text[NJ_JA4_TEXT_MAX];
	text[0] = transport;
	memcpy(text + 1, version_text(hello->version_max), 2);
	text[3] = hello->has_sni ? 'd' : 'i';
	put_alpn(hello, text + 8);
	text[10] = text[23] = '_';
	put_count(put_ciphers(hello, text + 11), text + 4);
	put_count(put_extensions(hello, text + 24), text + 6);
	text[36] = '\0';
	memcpy(ret_text, text, sizeof text);
	return true;
}
