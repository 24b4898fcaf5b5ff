/* Where frames of files come from: any number of captures, merged into one stream in time order (live ones come from
 * sensor/live_lane.h). One thread opens, reads and closes a source; a frame is *borrowed until* the next call.
 *
 * Inputs are files, folders (searched through, sorted by name) and "-" for standard input. Formats are told by their
 * first bytes, never by name: pcap of micro- and nanoseconds in both byte orders, pcapng with any mixture of interfaces
 * and sections, each plain, gzip or zstd. What was readable before damage is delivered; the damage is told per input.
 * At most NJ_CAPTURE_OPEN_MAX files are open at once and a file is opened when the stream has reached its first frame,
 * so thousands of files are no matter. Memory: 130 KB a file being read (compressed: 200 KB and the decompressor's
 * window), 300 B a file waiting.
 *
 * Clock: t_ns never goes back over the whole stream; a frame older than its predecessor gets the predecessor's time
 * (clock_clamps). One frame alone that lies more than NJ_CAPTURE_JUMP_NS ahead of both its neighbours in its file, or
 * has no representable time, would drag all later frames with it: it gets the time of its neighbour instead
 * (clock_jumps). Several such frames in a row are believed. */
#ifndef NJ_SENSOR_CAPTURE_H
#define NJ_SENSOR_CAPTURE_H

#include "common/error.h"
#include "sensor/packet.h"

#include <stdbool.h>

#define NJ_CAPTURE_OPEN_MAX   64
#define NJ_CAPTURE_INPUTS_MAX (1u << 20)
#define NJ_CAPTURE_JUMP_NS    86400000000000ull /* one day */

struct nj_capture;

struct nj_capture_inputs {
	const char *const *paths; /* files, folders, "-" */
	uint32_t paths_n;
	const char *filter; /* libpcap filter expression applied to every frame, or NULL */
};

/* What became of one input file. */
struct nj_capture_report {
	const char *path;  /* *borrowed until* close; as given, or folder/file */
	uint64_t frames;   /* read so far, whether or not the filter took them */
	bool failed;       /* error says why; what came before it was delivered */
	bool skipped;      /* found in a folder and no capture file: no failure */
	const char *error; /* what is wrong and at which byte and frame; "" when nothing is */
};

struct nj_capture_stats {
	uint64_t frames;         /* delivered */
	uint64_t filtered;       /* read, but not taken by the filter */
	uint64_t clock_clamps;   /* frames whose time went back */
	uint64_t clock_jumps;    /* frames with an absurd time */
	uint64_t bytes_consumed; /* of the files as they lie on disk */
	uint64_t bytes_total;    /* 0: unknown (standard input) */
	uint32_t inputs_n;       /* files found; see nj_capture_report() */
	uint32_t inputs_failed;
	uint32_t inputs_skipped;
};

/* Finds the files and reads their first frames. A file that cannot be read is no error here but told by
 * nj_capture_report(). NJ_ERR_USAGE: no path, or a filter that does not compile; NJ_ERR_LIMIT: too many files;
 * NJ_ERR_MEMORY. *returns owned* through ret_capture; *inputs* is not kept. */
NJ_MUST_CHECK int nj_capture_open_files(const struct nj_capture_inputs *inputs, struct nj_message *message,
					struct nj_capture **ret_capture);

/* 1: *ret_frame* is the next frame; 0: the end; negative: NJ_ERR_MEMORY. */
NJ_MUST_CHECK int nj_capture_next(struct nj_capture *capture, struct nj_frame *ret_frame);

/* The stream ends here: nj_capture_next() gives 0 from now on, as at the end of the last file. For an interrupted run
 * that still wants its results. */
void nj_capture_stop(struct nj_capture *capture);

void nj_capture_stats(const struct nj_capture *capture, struct nj_capture_stats *ret_stats);

/* index < inputs_n; final once nj_capture_next() has given 0. */
void nj_capture_report(const struct nj_capture *capture, uint32_t index, struct nj_capture_report *ret_report);

void nj_capture_close(struct nj_capture **capture);

#endif
