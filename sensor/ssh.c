/* RFC 4253: 4.2 identification, 6 packets, 7.1 the offer (KEXINIT):
 *   length 4, padding length 1, 20, cookie 16, ten name lists (length 4, names), ...
 * The lists are key exchange, host key, encryption to server and to client, MAC to server and to client, compression to
 * server and to client, languages. A fingerprint takes the first and, of each pair, the one of the sender's own
 * direction. */
#include "sensor/ssh.h"

#include "common/cursor.h"
#include "common/sha.h"

enum { MESSAGE_KEXINIT = 20, COOKIE_BYTES = 16, LISTS = 8, LINE_BYTES_MAX = 512 };

static bool starts_with(const uint8_t *data, size_t size, const char *prefix, size_t prefix_size)
{
	return memcmp(data, prefix, size < prefix_size ? size : prefix_size) == 0;
}

/* 2 for "2.0-" and "1.99-", which speaks both; 1 for other "1.x-"; 0 for anything else. */
static uint8_t protocol_version(const uint8_t *text, size_t size)
{
	if ((size >= 4 && memcmp(text, "2.0-", 4) == 0) || (size >= 5 && memcmp(text, "1.99-", 5) == 0))
		return 2;
	return size >= 4 && memcmp(text, "1.", 2) == 0 ? 1 : 0;
}

static void keep_software(const uint8_t *text, size_t size, char software[NJ_SSH_SOFTWARE_MAX])
{
	size_t n = size < NJ_SSH_SOFTWARE_MAX - 1 ? size : NJ_SSH_SOFTWARE_MAX - 1;
	for (size_t i = 0; i < n; i++)
		software[i] = text[i] >= ' ' && text[i] <= '~' ? (char)text[i] : '?';
	software[n] = '\0';
}

/* "SSH-2.0-OpenSSH_9.2p1 comment" without its line end. */
static bool read_identification(const uint8_t *line, size_t size, struct nj_ssh *ssh)
{
	line += 4, size -= 4;
	uint8_t version = protocol_version(line, size);
	const uint8_t *dash = memchr(line, '-', size);
	if (version == 0 || dash == NULL)
		return false;
	ssh->version = version;
	keep_software(dash + 1, (size_t)(line + size - dash) - 1, ssh->software);
	return true;
}

/* Steps over the identification line, and over those a server may send first. */
static enum nj_parse skip_lines(struct nj_cursor *c, bool from_client, struct nj_ssh *ssh)
{
	size_t lines_bytes = 0;
	for (;;) {
		size_t left = nj_cursor_left(c), window = left < LINE_BYTES_MAX ? left : LINE_BYTES_MAX;
		bool identification = starts_with(c->at, left, "SSH-", 4);
		if (!identification && from_client)
			return NJ_PARSE_NO;
		const uint8_t *end = window > 0 ? memchr(c->at, '\n', window) : NULL;
		if (memchr(c->at, 0, end != NULL ? (size_t)(end - c->at) : window) != NULL)
			return NJ_PARSE_NO; /* no text */
		if (end == NULL)
			return window == LINE_BYTES_MAX ? NJ_PARSE_NO : NJ_PARSE_MORE;
		size_t line_bytes = (size_t)(end - c->at), text_bytes = line_bytes;
		if (text_bytes > 0 && c->at[text_bytes - 1] == '\r')
			text_bytes--;
		const uint8_t *line = nj_cursor_take(c, line_bytes + 1);
		if (identification && text_bytes >= 4)
			return read_identification(line, text_bytes, ssh) ? NJ_PARSE_DONE : NJ_PARSE_NO;
		lines_bytes += line_bytes + 1;
		if (lines_bytes > NJ_SSH_LINES_BYTES_MAX)
			return NJ_PARSE_NO;
	}
}

static enum nj_parse read_offer(struct nj_cursor c, bool from_client, struct nj_ssh *ssh)
{
	if (nj_cursor_left(&c) < 6)
		return NJ_PARSE_MORE;
	uint32_t packet_bytes = nj_cursor_u32(&c);
	if (packet_bytes < 2 || packet_bytes > NJ_SSH_PACKET_BYTES_MAX || c.at[1] != MESSAGE_KEXINIT)
		return NJ_PARSE_NO;
	if (packet_bytes > nj_cursor_left(&c))
		return NJ_PARSE_MORE;
	struct nj_cursor packet = nj_cursor_sub(&c, packet_bytes);
	nj_cursor_skip(&packet, 2 + COOKIE_BYTES);
	struct nj_bytes list[LISTS];
	for (unsigned i = 0; i < LISTS; i++) {
		list[i].size = nj_cursor_u32(&packet);
		list[i].data = nj_cursor_take(&packet, list[i].size);
	}
	if (!nj_cursor_ok(&packet))
		return NJ_PARSE_NO;
	unsigned side = from_client ? 0 : 1;
	const struct nj_bytes semicolon = {";", 1};
	const struct nj_bytes parts[] = {list[0],        semicolon, list[2 + side], semicolon,
					 list[4 + side], semicolon, list[6 + side]};
	uint8_t digest[NJ_MD5_BYTES];
	nj_md5(parts, sizeof parts / sizeof parts[0], digest);
	nj_hex(digest, sizeof digest, ssh->hassh);
	return NJ_PARSE_DONE;
}

enum nj_parse nj_ssh_opening(const uint8_t *data, size_t size, bool from_client, struct nj_ssh *ret_ssh)
{
	struct nj_cursor c = nj_cursor_make(data, size);
	ret_ssh->version = 0;
	ret_ssh->software[0] = ret_ssh->hassh[0] = '\0';
	enum nj_parse verdict = skip_lines(&c, from_client, ret_ssh);
	if (verdict != NJ_PARSE_DONE || ret_ssh->version == 1)
		return verdict;
	return read_offer(c, from_client, ret_ssh);
}
