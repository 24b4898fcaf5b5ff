/* libpcap, for what it is here for: its filter language and its live devices. The only file that knows it. A device is
 * one packet socket with a ring (TPACKET_V3) on an interface; it belongs to one thread at a time, and a frame read from
 * it is *borrowed until* the callback returns, since the kernel may write over it right after.
 *
 * A device never blocks: who has nothing to do polls nj_libpcap_fd(). The kernel hands over what it has gathered when a
 * block of the ring is full or read_timeout_ms have passed. Memory: the ring, of ring_bytes. */
#ifndef NJ_SENSOR_LIBPCAP_H
#define NJ_SENSOR_LIBPCAP_H

#include "common/error.h"
#include "sensor/packet.h"

#include <stdbool.h>

/* ---- filters */

struct nj_libpcap_filter; /* a filter expression compiled for one link type (LINKTYPE_ value) */

/* NJ_ERR_USAGE: means nothing for this link type. *returns owned*. */
NJ_MUST_CHECK int nj_libpcap_filter_new(const char *text, int link_type, struct nj_message *message,
					struct nj_libpcap_filter **ret_filter);
bool nj_libpcap_filter_takes(const struct nj_libpcap_filter *filter, const struct nj_frame *frame);
void nj_libpcap_filter_free(struct nj_libpcap_filter **filter);

/* ---- live devices */

struct nj_libpcap_device;

struct nj_libpcap_options {
	const char *interface;
	uint32_t ring_bytes; /* rounded to blocks of 256 KiB by libpcap */
	uint32_t snap_bytes; /* of a frame that are kept */
	uint32_t read_timeout_ms;
	bool promiscuous;
};

/* Opens it shut: no frame passes before nj_libpcap_let_pass(), so that several sockets can join first.
 * NJ_ERR_NOT_FOUND: no such interface, or it is down; NJ_ERR_PERMISSION; NJ_ERR_IO, NJ_ERR_MEMORY. *returns owned*. */
NJ_MUST_CHECK int nj_libpcap_open(const struct nj_libpcap_options *options, struct nj_message *message,
				  struct nj_libpcap_device **ret_device);
void nj_libpcap_close(struct nj_libpcap_device **device);

/* From now on frames pass that the expression takes; "": all. NJ_ERR_USAGE: it means nothing here, nothing changed. */
NJ_MUST_CHECK int nj_libpcap_let_pass(struct nj_libpcap_device *device, const char *filter, struct nj_message *message);

/* Calls *take* for up to *frames_max* frames that are there. Gives their number, or NJ_ERR_IO: the interface went down
 * or away, and the device is of no further use. */
NJ_MUST_CHECK int nj_libpcap_read(struct nj_libpcap_device *device, uint32_t frames_max,
				  void (*take)(void *context, const struct nj_frame *frame), void *context,
				  struct nj_message *message);

int nj_libpcap_link_type(const struct nj_libpcap_device *device); /* LINKTYPE_ value */
int nj_libpcap_fd(const struct nj_libpcap_device *device); /* to poll, and for socket options libpcap does not offer */

#endif
