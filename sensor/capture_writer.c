/* Blocks are put together in one buffer and written through stdio. Multi-byte fields are in this machine's byte order,
 * as the section header tells.
 *
 * Reference: draft-ietf-opsawg-pcapng. */
#include "sensor/capture_writer.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_SECTION = 0x0a0d0d0a, BLOCK_INTERFACE = 1, BLOCK_ENHANCED = 6 };
enum { OPTION_END = 0, OPTION_COMMENT = 1, OPTION_APPLICATION = 4, OPTION_TSRESOL = 9 };

struct nj_capture_writer {
	FILE *file;
	int links[NJ_CAPTURE_WRITER_LINKS_MAX];
	uint32_t links_n;
	bool failed;
};

static const uint8_t zeros[4];

static void put(struct nj_capture_writer *w, const void *bytes, size_t n)
{
	if (n > 0 && fwrite(bytes, 1, n, w->file) != n)
		w->failed = true;
}

static void put_u16(struct nj_capture_writer *w, uint16_t v)
{
	put(w, &v, sizeof v);
}

static void put_u32(struct nj_capture_writer *w, uint32_t v)
{
	put(w, &v, sizeof v);
}

static uint32_t padded(uint32_t bytes)
{
	return (bytes + 3) & ~3u;
}

static void put_padded(struct nj_capture_writer *w, const void *bytes, uint32_t n)
{
	put(w, bytes, n);
	put(w, zeros, padded(n) - n);
}

static uint32_t option_bytes(uint32_t n)
{
	return 4 + padded(n);
}

static void put_option(struct nj_capture_writer *w, uint16_t code, const void *bytes, uint32_t n)
{
	put_u16(w, code);
	put_u16(w, (uint16_t)n);
	put_padded(w, bytes, n);
}

/* Length of the text that is kept: cut to the limit, but never inside a UTF-8 character. */
static uint32_t comment_bytes(const char *comment)
{
	if (comment == NULL)
		return 0;
	size_t n = strnlen(comment, NJ_CAPTURE_COMMENT_MAX + 1);
	if (n > NJ_CAPTURE_COMMENT_MAX) {
		n = NJ_CAPTURE_COMMENT_MAX;
		while (n > 0 && ((uint8_t)comment[n] & 0xc0) == 0x80)
			n--;
	}
	return (uint32_t)n;
}

static void put_section(struct nj_capture_writer *w, const char *comment)
{
	static const char application[] = "nightjar " NJ_VERSION;
	uint32_t comment_n = comment_bytes(comment), application_n = sizeof application - 1;
	uint32_t bytes =
		28 + (comment_n > 0 ? option_bytes(comment_n) : 0) + option_bytes(application_n) + option_bytes(0);
	put_u32(w, BLOCK_SECTION);
	put_u32(w, bytes);
	put_u32(w, 0x1a2b3c4d);
	put_u16(w, 1);
	put_u16(w, 0);
	put_u32(w, UINT32_MAX); /* the section's length is not told */
	put_u32(w, UINT32_MAX);
	if (comment_n > 0)
		put_option(w, OPTION_COMMENT, comment, comment_n);
	put_option(w, OPTION_APPLICATION, application, application_n);
	put_option(w, OPTION_END, NULL, 0);
	put_u32(w, bytes);
}

static void put_interface(struct nj_capture_writer *w, uint16_t link_type)
{
	const uint8_t nanoseconds = 9;
	uint32_t bytes = 20 + option_bytes(1) + option_bytes(0);
	put_u32(w, BLOCK_INTERFACE);
	put_u32(w, bytes);
	put_u16(w, link_type);
	put_u16(w, 0);
	put_u32(w, 0); /* no snapshot length */
	put_option(w, OPTION_TSRESOL, &nanoseconds, 1);
	put_option(w, OPTION_END, NULL, 0);
	put_u32(w, bytes);
}

/* The number of the interface with this link type, made when it is the first of its kind. */
static int interface_of(struct nj_capture_writer *w, int link_type, uint32_t *ret_number)
{
	for (uint32_t i = 0; i < w->links_n; i++) {
		if (w->links[i] == link_type) {
			*ret_number = i;
			return NJ_OK;
		}
	}
	if (link_type < 0 || link_type > UINT16_MAX)
		return NJ_ERR_USAGE;
	if (w->links_n == NJ_CAPTURE_WRITER_LINKS_MAX)
		return NJ_ERR_LIMIT;
	put_interface(w, (uint16_t)link_type);
	w->links[w->links_n] = link_type;
	*ret_number = w->links_n++;
	return NJ_OK;
}

int nj_capture_writer_open(const char *path, const char *comment, struct nj_message *message,
			   struct nj_capture_writer **ret_writer)
{
	struct nj_capture_writer *w = calloc(1, sizeof *w);
	if (w == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "%s: no memory to write it", path);
	w->file = fopen(path, "wbe");
	if (w->file == NULL) {
		int error = errno == EACCES || errno == EPERM ? NJ_ERR_PERMISSION : NJ_ERR_IO;
		free(w);
		return nj_fail(message, error, "%s: cannot create: %s", path, strerror(errno));
	}
	put_section(w, comment);
	*ret_writer = w;
	return NJ_OK;
}

int nj_capture_writer_put(struct nj_capture_writer *writer, const struct nj_frame *frame, const char *comment)
{
	uint32_t number, comment_n = comment_bytes(comment);
	assert(frame->captured_bytes <= frame->wire_bytes);
	int error = interface_of(writer, frame->link_type, &number);
	if (error != NJ_OK)
		return error;
	uint32_t bytes =
		32 + padded(frame->captured_bytes) + (comment_n > 0 ? option_bytes(comment_n) + option_bytes(0) : 0);
	put_u32(writer, BLOCK_ENHANCED);
	put_u32(writer, bytes);
	put_u32(writer, number);
	put_u32(writer, (uint32_t)(frame->t_ns >> 32));
	put_u32(writer, (uint32_t)frame->t_ns);
	put_u32(writer, frame->captured_bytes);
	put_u32(writer, frame->wire_bytes);
	put_padded(writer, frame->data, frame->captured_bytes);
	if (comment_n > 0) {
		put_option(writer, OPTION_COMMENT, comment, comment_n);
		put_option(writer, OPTION_END, NULL, 0);
	}
	put_u32(writer, bytes);
	return writer->failed ? NJ_ERR_IO : NJ_OK;
}

int nj_capture_writer_close(struct nj_capture_writer **writer)
{
	struct nj_capture_writer *w = *writer;
	if (w == NULL)
		return NJ_OK;
	bool failed = w->failed;
	if (fclose(w->file) != 0)
		failed = true;
	free(w);
	*writer = NULL;
	return failed ? NJ_ERR_IO : NJ_OK;
}
