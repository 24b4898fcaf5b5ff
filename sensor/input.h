/* The bytes of one file as its format reader wants them: plain, gzip (also several members in a row) or zstd, told by
 * the first bytes; contiguous as far as asked for, with the offset kept for error messages. Used by sensor/savefile.c
 * and sensor/capture.c on the source's thread.
 *
 * A pool bounds the open descriptors: the input read longest ago is closed and, when it is read again, opened at the
 * place where it was. So any number of files can be read side by side. Standard input and pipes cannot be reopened and
 * stay open beyond the bound.
 *
 * Memory: 128 KiB, growing to what the largest record needs (NJ_INPUT_NEED_MAX + 64 KiB at most); compressed: 64 KiB
 * and the decompressor's window (gzip 40 KB; zstd up to 128 MB, by the file). */
#ifndef NJ_SENSOR_INPUT_H
#define NJ_SENSOR_INPUT_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NJ_INPUT_NEED_MAX (1u << 20)

struct nj_input_decompressor;

struct nj_input_pool {
	uint32_t open_n, open_max;
	struct nj_input *oldest, *newest; /* open and closable, by last read */
};

struct nj_input {
	const uint8_t *at, *end; /* what is here and not consumed */
	uint8_t *buffer;
	size_t buffer_bytes;
	uint64_t buffer_offset; /* of the buffer's first byte in the decompressed file */
	const char *path;       /* borrowed */
	struct nj_input_pool *pool;
	struct nj_input *older, *newer;
	int fd;      /* -1: closed for now */
	bool pinned; /* cannot be reopened */
	bool ended;  /* nothing more comes */
	bool failed; /* ... because of an error: problem says which */
	uint64_t device, inode;
	uint64_t bytes_consumed;                    /* of the file as it lies on disk */
	uint64_t bytes_total;                       /* of it; 0 unknown */
	struct nj_input_decompressor *decompressor; /* NULL: plain */
	struct nj_message problem;
};

/* *keeps* path and pool; "-" is standard input. NJ_ERR_NOT_FOUND, NJ_ERR_PERMISSION, NJ_ERR_IO, NJ_ERR_MEMORY with the
 * reason in *message*. *returns owned*. */
NJ_MUST_CHECK int nj_input_open(const char *path, struct nj_input_pool *pool, struct nj_message *message,
				struct nj_input **ret_input);
void nj_input_close(struct nj_input **input);

/* Makes *n* <= NJ_INPUT_NEED_MAX bytes contiguous, if the file has them. */
void nj_input_fill(struct nj_input *input, size_t n);

/* The next *n* bytes, not consumed: *returned borrowed until* the next need or skip; NULL when fewer are left. */
static inline const uint8_t *nj_input_need(struct nj_input *input, size_t n)
{
	if (__builtin_expect((size_t)(input->end - input->at) < n, 0)) {
		nj_input_fill(input, n);
		if ((size_t)(input->end - input->at) < n)
			return NULL;
	}
	return input->at;
}

/* Consumes *n* bytes that need() has given; they stay readable until the next need or skip. */
static inline void nj_input_consume(struct nj_input *input, size_t n)
{
	input->at += n;
}

/* Consumes *n* bytes, however many; false when fewer are left. */
bool nj_input_skip(struct nj_input *input, uint64_t n);

/* Bytes here after a need() in vain: all that is left. */
static inline size_t nj_input_left(const struct nj_input *input)
{
	return (size_t)(input->end - input->at);
}

/* Offset in the decompressed file of the next byte. */
static inline uint64_t nj_input_offset(const struct nj_input *input)
{
	return input->buffer_offset + (uint64_t)(input->at - input->buffer);
}

#endif
