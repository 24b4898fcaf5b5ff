/* Reads go in pieces of 64 KiB: between 32 KiB and 1 MiB no size was measurably faster (0.09 s of CPU for 408 MB), so a
 * small one, for the sake of a thousand files side by side. A record that straddles two pieces is moved to the front of
 * the buffer first, so every record is contiguous at the cost of one short copy per piece. */
#include "sensor/input.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define PIECE_BYTES 65536u

enum compression { GZIP, ZSTD };

struct nj_input_decompressor {
	enum compression kind;
	bool inside; /* a member or frame: ending here is a loss */
	z_stream zlib;
	ZSTD_DStream *zstd;
	size_t in_at, in_end;
	uint8_t in[PIECE_BYTES];
};

/* Ends the input with an error; the text says at which byte of the file. */
static void fail(struct nj_input *input, const char *what, const char *detail)
{
	input->ended = true;
	input->failed = true;
	(void)nj_fail(&input->problem, NJ_ERR_IO, "%s byte %llu%s%s", what, (unsigned long long)input->bytes_consumed,
		      detail != NULL ? ": " : "", detail != NULL ? detail : "");
}

/* ---- descriptors ---- */

static void pool_remove(struct nj_input *input)
{
	struct nj_input_pool *pool = input->pool;
	*(input->older != NULL ? &input->older->newer : &pool->oldest) = input->newer;
	*(input->newer != NULL ? &input->newer->older : &pool->newest) = input->older;
	input->older = input->newer = NULL;
}

static void pool_add(struct nj_input *input)
{
	struct nj_input_pool *pool = input->pool;
	input->older = pool->newest;
	input->newer = NULL;
	*(pool->newest != NULL ? &pool->newest->newer : &pool->oldest) = input;
	pool->newest = input;
}

static void descriptor_close(struct nj_input *input)
{
	if (input->fd < 0)
		return;
	if (!input->pinned) {
		pool_remove(input);
		input->pool->open_n--;
	}
	if (input->fd != STDIN_FILENO)
		close(input->fd);
	input->fd = -1;
}

/* Opens the file where reading stopped, closing the one read longest ago if need be. 0 or an errno. */
static int descriptor_open(struct nj_input *input)
{
	struct stat st;
	while (input->pool->open_n >= input->pool->open_max && input->pool->oldest != NULL)
		descriptor_close(input->pool->oldest);
	int fd = strcmp(input->path, "-") == 0 ? STDIN_FILENO : open(input->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0 || (S_ISDIR(st.st_mode) && (errno = EISDIR) != 0)) {
		int error = errno;
		if (fd > STDIN_FILENO)
			close(fd);
		return error;
	}
	input->fd = fd;
	input->pinned = fd == STDIN_FILENO || !S_ISREG(st.st_mode);
	input->bytes_total = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	if (input->pinned)
		return 0;
	input->pool->open_n++;
	pool_add(input);
	bool other = input->inode != 0 && (input->inode != st.st_ino || input->device != st.st_dev);
	input->inode = st.st_ino;
	input->device = st.st_dev;
	if (other || lseek(fd, (off_t)input->bytes_consumed, SEEK_SET) < 0)
		return ESTALE; /* another file has taken its name */
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return 0;
}

/* Reads up to *n* bytes of the file as it lies on disk; 0 at the end or on an error. */
static size_t read_raw(struct nj_input *input, uint8_t *out, size_t n)
{
	if (input->fd < 0) {
		int error = descriptor_open(input);
		if (error != 0) {
			fail(input, "cannot reopen at", strerror(error));
			return 0;
		}
	} else if (!input->pinned && input->pool->newest != input) {
		pool_remove(input);
		pool_add(input);
	}
	ssize_t got;
	do
		got = read(input->fd, out, n);
	while (got < 0 && errno == EINTR);
	if (got < 0) {
		fail(input, "cannot read at", strerror(errno));
		return 0;
	}
	input->bytes_consumed += (uint64_t)got;
	return (size_t)got;
}

/* ---- decompression ---- */

static void decompressor_free(struct nj_input *input)
{
	struct nj_input_decompressor *d = input->decompressor;
	if (d == NULL)
		return;
	if (d->kind == GZIP)
		inflateEnd(&d->zlib);
	else
		ZSTD_freeDStream(d->zstd);
	free(d);
	input->decompressor = NULL;
}

/* Turns the input into a compressed one; its first bytes, now in the buffer, become the decompressor's. */
static int decompressor_start(struct nj_input *input, enum compression kind)
{
	struct nj_input_decompressor *d = calloc(1, sizeof *d);
	if (d == NULL)
		return NJ_ERR_MEMORY;
	d->kind = kind;
	d->in_end = nj_input_left(input);
	assert(d->in_end <= sizeof d->in);
	memcpy(d->in, input->at, d->in_end);
	bool ok = kind == GZIP ? inflateInit2(&d->zlib, 15 + 16) == Z_OK : (d->zstd = ZSTD_createDStream()) != NULL;
	if (!ok) {
		free(d);
		return NJ_ERR_MEMORY;
	}
	input->decompressor = d;
	input->end = input->at;
	return NJ_OK;
}

/* One call of zlib; a member that has ended may be followed by another, or by padding that is left alone. */
static size_t inflate_some(struct nj_input *input, uint8_t *out, size_t n)
{
	struct nj_input_decompressor *d = input->decompressor;
	if (!d->inside) {
		if (d->in[d->in_at] != 0x1f) {
			input->ended = true;
			return 0;
		}
		inflateReset(&d->zlib);
		d->inside = true;
	}
	d->zlib.next_in = d->in + d->in_at;
	d->zlib.avail_in = (uInt)(d->in_end - d->in_at);
	d->zlib.next_out = out;
	d->zlib.avail_out = (uInt)n;
	int status = inflate(&d->zlib, Z_NO_FLUSH);
	d->in_at = d->in_end - d->zlib.avail_in;
	if (status == Z_STREAM_END)
		d->inside = false;
	else if (status != Z_OK && status != Z_BUF_ERROR)
		fail(input, "damaged gzip data before", d->zlib.msg);
	return n - d->zlib.avail_out;
}

static size_t unzstd_some(struct nj_input *input, uint8_t *out, size_t n)
{
	struct nj_input_decompressor *d = input->decompressor;
	ZSTD_inBuffer in = {.src = d->in, .size = d->in_end, .pos = d->in_at};
	ZSTD_outBuffer to = {.dst = out, .size = n, .pos = 0};
	size_t status = ZSTD_decompressStream(d->zstd, &to, &in);
	d->in_at = in.pos;
	d->inside = status != 0;
	if (ZSTD_isError(status))
		fail(input, "damaged zstd data before", ZSTD_getErrorName(status));
	return to.pos;
}

static size_t decompress_some(struct nj_input *input, uint8_t *out, size_t n)
{
	return input->decompressor->kind == GZIP ? inflate_some(input, out, n) : unzstd_some(input, out, n);
}

/* Decompressed bytes, at least one unless the end or an error has come. Both libraries may hold output back after the
 * last input, so they are asked once more before the input is said to be empty. */
static size_t read_compressed(struct nj_input *input, uint8_t *out, size_t n)
{
	struct nj_input_decompressor *d = input->decompressor;
	while (!input->ended) {
		size_t got = d->in_at < d->in_end || d->inside ? decompress_some(input, out, n) : 0;
		if (got > 0 || input->ended)
			return got;
		if (d->in_at < d->in_end)
			continue;
		d->in_at = 0;
		d->in_end = read_raw(input, d->in, sizeof d->in);
		if (d->in_end > 0)
			continue;
		if (d->inside && !input->failed)
			fail(input, "compressed data ends early at", NULL);
		input->ended = true;
	}
	return 0;
}

/* ---- the buffer ---- */

/* Moves what is left to the front and makes room for *n* bytes and a piece; false without memory. */
static bool make_room(struct nj_input *input, size_t n)
{
	size_t left = nj_input_left(input);
	input->buffer_offset = nj_input_offset(input);
	memmove(input->buffer, input->at, left);
	if (n + PIECE_BYTES > input->buffer_bytes) {
		uint8_t *larger = realloc(input->buffer, n + PIECE_BYTES);
		if (larger != NULL) {
			input->buffer = larger;
			input->buffer_bytes = n + PIECE_BYTES;
		}
	}
	input->at = input->buffer;
	input->end = input->buffer + left;
	return n + PIECE_BYTES <= input->buffer_bytes;
}

void nj_input_fill(struct nj_input *input, size_t n)
{
	assert(n <= NJ_INPUT_NEED_MAX);
	if (input->ended)
		return;
	if (!make_room(input, n)) {
		fail(input, "no memory for the record at", NULL);
		return;
	}
	while (nj_input_left(input) < n && !input->ended) {
		uint8_t *out = input->buffer + nj_input_left(input);
		size_t got = input->decompressor != NULL ? read_compressed(input, out, PIECE_BYTES)
							 : read_raw(input, out, PIECE_BYTES);
		input->end += got;
		if (got == 0)
			input->ended = true;
	}
}

bool nj_input_skip(struct nj_input *input, uint64_t n)
{
	while (n > nj_input_left(input)) {
		n -= nj_input_left(input);
		input->at = input->end;
		if (nj_input_need(input, 1) == NULL)
			return false;
	}
	input->at += n;
	return true;
}

/* ---- life ---- */

static int detect(struct nj_input *input)
{
	static const uint8_t gzip[2] = {0x1f, 0x8b}, zstd[4] = {0x28, 0xb5, 0x2f, 0xfd},
			     skippable[3] = {0x2a, 0x4d, 0x18};
	const uint8_t *magic = nj_input_need(input, 4);
	if (magic == NULL)
		return NJ_OK; /* too short for anything; the format reader says so */
	if (memcmp(magic, gzip, 2) == 0)
		return decompressor_start(input, GZIP);
	if (memcmp(magic, zstd, 4) == 0 || ((magic[0] & 0xf0) == 0x50 && memcmp(magic + 1, skippable, 3) == 0))
		return decompressor_start(input, ZSTD);
	return NJ_OK;
}

static int open_error(int error)
{
	return error == ENOENT ? NJ_ERR_NOT_FOUND : error == EACCES || error == EPERM ? NJ_ERR_PERMISSION : NJ_ERR_IO;
}

int nj_input_open(const char *path, struct nj_input_pool *pool, struct nj_message *message, struct nj_input **ret_input)
{
	struct nj_input *input = calloc(1, sizeof *input);
	uint8_t *buffer = malloc(2 * PIECE_BYTES);
	if (input == NULL || buffer == NULL) {
		free(input);
		free(buffer);
		return nj_fail(message, NJ_ERR_MEMORY, "no memory to read it");
	}
	*input = (struct nj_input){.at = buffer,
				   .end = buffer,
				   .buffer = buffer,
				   .buffer_bytes = 2 * PIECE_BYTES,
				   .path = path,
				   .pool = pool,
				   .fd = -1};
	int error = descriptor_open(input);
	if (error != 0) {
		nj_input_close(&input);
		return nj_fail(message, open_error(error), "cannot open: %s", strerror(error));
	}
	if (detect(input) != NJ_OK) {
		nj_input_close(&input);
		return nj_fail(message, NJ_ERR_MEMORY, "no memory to decompress it");
	}
	*ret_input = input;
	return NJ_OK;
}

void nj_input_close(struct nj_input **input)
{
	if (*input == NULL)
		return;
	descriptor_close(*input);
	decompressor_free(*input);
	free((*input)->buffer);
	free(*input);
	*input = NULL;
}
