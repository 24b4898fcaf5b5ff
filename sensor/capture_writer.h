/* Writes frames to a pcapng file: one section, an interface per link type with nanosecond time stamps, a comment per
 * packet where one is given. For the evidence packets of an alert. One thread; buffered; nothing is kept of a frame. */
#ifndef NJ_SENSOR_CAPTURE_WRITER_H
#define NJ_SENSOR_CAPTURE_WRITER_H

#include "common/error.h"
#include "sensor/packet.h"

#define NJ_CAPTURE_WRITER_LINKS_MAX 32
#define NJ_CAPTURE_COMMENT_MAX      1024 /* bytes of UTF-8; a longer comment is cut */

struct nj_capture_writer;

/* Creates or empties *path*; *comment* (or NULL) describes the file. NJ_ERR_IO, NJ_ERR_PERMISSION, NJ_ERR_MEMORY with a
 * message. *returns owned*. */
NJ_MUST_CHECK int nj_capture_writer_open(const char *path, const char *comment, struct nj_message *message,
					 struct nj_capture_writer **ret_writer);

/* NJ_ERR_IO; NJ_ERR_LIMIT for more than NJ_CAPTURE_WRITER_LINKS_MAX link types; NJ_ERR_USAGE for a link type that
 * pcapng cannot name. */
NJ_MUST_CHECK int nj_capture_writer_put(struct nj_capture_writer *writer, const struct nj_frame *frame,
					const char *comment);

/* Flushes and closes; NJ_ERR_IO when not everything reached the file. *writer becomes NULL in any case. */
NJ_MUST_CHECK int nj_capture_writer_close(struct nj_capture_writer **writer);

#endif
