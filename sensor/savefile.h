/* Capture files: pcap and pcapng to frames. Both are read here and not by libpcap for three reasons: libpcap (to 1.10
 * at least) refuses a pcapng whose interfaces differ in link type, says of damage neither byte nor frame, and copies
 * each frame twice (408 MB, 1.73 M frames: 0.15 s of CPU against 0.09 s here). Used by sensor/capture.c on its thread;
 * borrows frames' bytes straight from the input's buffer.
 *
 * pcap: micro- and nanoseconds, both byte orders, versions 2.0 to 2.4, and Kuznetzov's variant with longer record
 * headers. pcapng 1.0 (and 1.2, its double): any number of sections (each in its byte order) and up to
 * NJ_SAVEFILE_INTERFACES_MAX interfaces each, enhanced, simple and obsolete packet blocks, every time resolution; other
 * blocks are passed over. Memory: a few hundred bytes, 32 B an interface. */
#ifndef NJ_SENSOR_SAVEFILE_H
#define NJ_SENSOR_SAVEFILE_H

#include "sensor/input.h"
#include "sensor/packet.h"

#define NJ_SAVEFILE_FRAME_BYTES_MAX 262144u /* longest captured frame believed, as in libpcap */
#define NJ_SAVEFILE_INTERFACES_MAX  65536u
#define NJ_SAVEFILE_NO_TIME         UINT64_MAX /* t_ns of a frame without a representable time */

struct nj_savefile;

/* *keeps* the input (and does not close it). NJ_ERR_FORMAT: no capture file; NJ_ERR_VERSION: one of an unknown version;
 * NJ_ERR_TRUNCATED, NJ_ERR_IO, NJ_ERR_MEMORY; *message* says why. *returns owned*. */
NJ_MUST_CHECK int nj_savefile_open(struct nj_input *input, struct nj_message *message,
				   struct nj_savefile **ret_savefile);
void nj_savefile_close(struct nj_savefile **savefile);

/* 1: *ret_frame*, *borrowed until* the next call; 0: the end. Negative, and then for ever: NJ_ERR_TRUNCATED,
 * NJ_ERR_FORMAT, NJ_ERR_IO, NJ_ERR_MEMORY with the place in *message*. */
NJ_MUST_CHECK int nj_savefile_next(struct nj_savefile *savefile, struct nj_frame *ret_frame,
				   struct nj_message *message);

#endif
