/* Z85 writes four bytes, most significant first, as five digits of base 85: 32 bytes are 40 digits. Two texts never
 * stand for one key: a group of five digits beyond 2^32 - 1 is refused, not wrapped. Reference: ZeroMQ RFC 32.
 *
 * A key file is opened once and judged by its descriptor, so that what was checked is what is read. */
#include "common/curve_key.h"

#include "common/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BASE        85
#define GROUP_TEXT  5
#define GROUP_BYTES 4
#define GROUPS      (NJ_CURVE_KEY_BYTES / GROUP_BYTES)
#define TEXT_LENGTH (NJ_CURVE_TEXT_BYTES - 1)
#define OTHERS      077 /* mode bits by which anyone but the owner gets at a file */

static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
static_assert(sizeof digits - 1 == BASE, "one character a digit");
static_assert(GROUPS * GROUP_TEXT == TEXT_LENGTH, "a key is whole groups");

static const char *const kind_words[] = {[NJ_CURVE_PUBLIC] = "public", [NJ_CURVE_SECRET] = "secret"};

/* =============================== text =============================== */

void nj_curve_key_text(const struct nj_curve_key *key, char ret_text[static NJ_CURVE_TEXT_BYTES])
{
	for (unsigned g = 0; g < GROUPS; g++) {
		const uint8_t *bytes = key->bytes + g * GROUP_BYTES;
		uint32_t value =
			(uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
		for (unsigned d = GROUP_TEXT; d-- > 0; value /= BASE)
			ret_text[g * GROUP_TEXT + d] = digits[value % BASE];
	}
	ret_text[TEXT_LENGTH] = '\0';
}

static bool parse_group(const char *text, uint8_t *ret_bytes)
{
	uint64_t value = 0;
	for (unsigned d = 0; d < GROUP_TEXT; d++) {
		const char *digit = text[d] != '\0' ? strchr(digits, text[d]) : NULL;
		if (digit == NULL)
			return false;
		value = value * BASE + (uint64_t)(digit - digits);
	}
	for (unsigned b = GROUP_BYTES; b-- > 0; value >>= 8)
		ret_bytes[b] = (uint8_t)value;
	return value == 0; /* what is left lies beyond four bytes */
}

bool nj_curve_key_parse(const char *text, size_t size, struct nj_curve_key *ret_key)
{
	struct nj_curve_key key;
	uint8_t any = 0;
	bool good = size == TEXT_LENGTH;
	for (unsigned g = 0; good && g < GROUPS; g++)
		good = parse_group(text + g * GROUP_TEXT, key.bytes + g * GROUP_BYTES);
	for (unsigned i = 0; good && i < sizeof key.bytes; i++)
		any |= key.bytes[i];
	if (good && any != 0)
		*ret_key = key;
	nj_curve_key_wipe(&key);
	return good && any != 0;
}

bool nj_curve_key_equal(const struct nj_curve_key *a, const struct nj_curve_key *b)
{
	return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

void nj_curve_key_wipe(struct nj_curve_key *key)
{
	explicit_bzero(key, sizeof *key);
}

/* =============================== one file =============================== */

/* The rest of *line* after *word* and a space, or NULL. */
static const char *after(const char *line, size_t size, const char *word, size_t *ret_size)
{
	size_t length = strlen(word);
	if (size <= length || memcmp(line, word, length) != 0 || line[length] != ' ')
		return NULL;
	*ret_size = size - length - 1;
	return line + length + 1;
}

static int parse_line(const char *name, const char *line, size_t size, enum nj_curve_kind kind,
		      struct nj_message *message, struct nj_curve_key *ret_key)
{
	enum nj_curve_kind other = kind == NJ_CURVE_PUBLIC ? NJ_CURVE_SECRET : NJ_CURVE_PUBLIC;
	size_t length = 0;
	const char *key = after(line, size, kind_words[kind], &length);
	if (key == NULL && after(line, size, kind_words[other], &length) != NULL)
		return nj_fail(message, NJ_ERR_USAGE, "%s: holds a %s key where the %s one belongs", name,
			       kind_words[other], kind_words[kind]);
	if (key == NULL || !nj_curve_key_parse(key, length, ret_key))
		return nj_fail(message, NJ_ERR_FORMAT, "%s: no line '%s KEY' with a key of %d characters", name,
			       kind_words[kind], TEXT_LENGTH);
	return NJ_OK;
}

/* Blanks and carriage returns at the end of a line are an editor's. */
static size_t trimmed(const char *line, size_t size)
{
	while (size > 0 && (line[size - 1] == ' ' || line[size - 1] == '\t' || line[size - 1] == '\r'))
		size--;
	return size;
}

int nj_curve_file_parse(const char *name, const char *text, size_t size, enum nj_curve_kind kind,
			struct nj_message *message, struct nj_curve_key *ret_key)
{
	struct nj_curve_key key;
	unsigned keys_n = 0;
	int err = NJ_OK;
	for (size_t at = 0; at < size && err == NJ_OK;) {
		const char *end = memchr(text + at, '\n', size - at);
		size_t length = end != NULL ? (size_t)(end - text) - at : size - at;
		size_t used = trimmed(text + at, length);
		if (used > 0 && text[at] != '#') {
			err = parse_line(name, text + at, used, kind, message, &key);
			keys_n++;
		}
		at += length + 1;
	}
	if (err == NJ_OK && keys_n != 1)
		err = nj_fail(message, NJ_ERR_FORMAT, "%s: holds %u keys instead of one", name, keys_n);
	if (err == NJ_OK)
		*ret_key = key;
	nj_curve_key_wipe(&key);
	return err;
}

static int check_descriptor(int descriptor, const char *path, enum nj_curve_kind kind, struct nj_message *message)
{
	struct stat status;
	if (fstat(descriptor, &status) < 0)
		return nj_file_fail(message, path, errno);
	if (!S_ISREG(status.st_mode))
		return nj_fail(message, NJ_ERR_FORMAT, "%s: is no regular file", path);
	if (kind == NJ_CURVE_SECRET && (status.st_mode & OTHERS) != 0)
		return nj_fail(
			message, NJ_ERR_PERMISSION,
			"%s: a secret key that others than its owner can reach (mode %04o); mend it with: chmod 600 %s",
			path, (unsigned)(status.st_mode & 07777), path);
	return NJ_OK;
}

static int read_descriptor(int descriptor, const char *path, enum nj_curve_kind kind, struct nj_message *message,
			   struct nj_curve_key *ret_key)
{
	char text[NJ_CURVE_FILE_BYTES_MAX + 1];
	size_t size = 0;
	ssize_t got = 0;
	int err = check_descriptor(descriptor, path, kind, message);
	while (err == NJ_OK && size < sizeof text && (got = read(descriptor, text + size, sizeof text - size)) > 0)
		size += (size_t)got;
	if (err == NJ_OK && got < 0)
		err = nj_file_fail(message, path, errno);
	if (err == NJ_OK && size > NJ_CURVE_FILE_BYTES_MAX)
		err = nj_fail(message, NJ_ERR_LIMIT, "%s: larger than %d bytes", path, NJ_CURVE_FILE_BYTES_MAX);
	if (err == NJ_OK)
		err = nj_curve_file_parse(path, text, size, kind, message, ret_key);
	explicit_bzero(text, sizeof text);
	return err;
}

int nj_curve_file_load(const char *path, enum nj_curve_kind kind, struct nj_message *message,
		       struct nj_curve_key *ret_key)
{
	int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a pipe must not hold us up */
	if (descriptor < 0)
		return nj_file_fail(message, path, errno);
	int err = read_descriptor(descriptor, path, kind, message, ret_key);
	close(descriptor);
	return err;
}

static bool write_whole(int descriptor, const char *text, size_t size)
{
	while (size > 0) {
		ssize_t written = write(descriptor, text, size);
		if (written < 0 && errno != EINTR)
			return false;
		text += written > 0 ? written : 0;
		size -= written > 0 ? (size_t)written : 0;
	}
	return fsync(descriptor) == 0;
}

int nj_curve_file_write(const char *path, enum nj_curve_kind kind, const struct nj_curve_key *key, const char *comment,
			struct nj_message *message)
{
	char text[NJ_CURVE_FILE_BYTES_MAX], z85[NJ_CURVE_TEXT_BYTES];
	int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kind == NJ_CURVE_SECRET ? 0600 : 0644);
	if (descriptor < 0 && errno == EEXIST)
		return nj_fail(message, NJ_ERR_USAGE, "%s: is there already; keys are never overwritten", path);
	if (descriptor < 0)
		return nj_file_fail(message, path, errno);
	nj_curve_key_text(key, z85);
	int size = snprintf(text, sizeof text, "# %.1000s\n%s %s\n", comment, kind_words[kind], z85);
	int err = write_whole(descriptor, text, (size_t)size) ? NJ_OK : nj_file_fail(message, path, errno);
	if (close(descriptor) < 0 && err == NJ_OK)
		err = nj_file_fail(message, path, errno);
	explicit_bzero(text, sizeof text);
	explicit_bzero(z85, sizeof z85);
	if (err < 0)
		unlink(path);
	return err;
}
