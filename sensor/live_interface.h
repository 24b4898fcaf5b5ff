/* The life of one interface of a live sensor: opened once for each lane, watched, closed when it goes down or away,
 * opened again when it is back. Used by the coordinator's thread. The order of lanes in opening is the order in which
 * the kernel spreads flows, so after any trouble all are closed and opened anew. */
#ifndef NJ_SENSOR_LIVE_INTERFACE_H
#define NJ_SENSOR_LIVE_INTERFACE_H

#include "sensor/live_lane.h"
#include "sensor/nic.h"

#define NJ_LIVE_RETRY_MIN_NS 100000000ull
#define NJ_LIVE_RETRY_MAX_NS 10000000000ull

enum nj_interface_phase {
	NJ_INTERFACE_OPEN,
	NJ_INTERFACE_CLOSING, /* until every lane has given its socket back */
	NJ_INTERFACE_AWAY,    /* until it is up and can be opened */
};

struct nj_live_interface {
	struct nj_libpcap_options device; /* its name and how to open it */
	const char *filter;
	struct nj_live_lane *lane; /* lanes_n */
	uint32_t lanes_n, index;   /* index: which tap of each lane */
	enum nj_interface_phase phase;
	uint32_t nic_index; /* that was opened */
	int link_type;      /* LINKTYPE_ value; Ethernet until it was open */
	bool link;          /* the cable's */
	uint64_t retry_at_ns, retry_ns;
	/* gaps: times in which nothing could be heard */
	bool gap;
	uint64_t gap_start_ns, gap_total_ns; /* steady time */
	uint64_t gaps;
};

/* What a look found, for the log. */
enum nj_interface_news {
	NJ_INTERFACE_NO_NEWS,
	NJ_INTERFACE_IS_DOWN,   /* it went down or away */
	NJ_INTERFACE_IS_BACK,   /* it is open again */
	NJ_INTERFACE_LINK_LOST, /* it is up, but nothing is connected */
	NJ_INTERFACE_LINK_BACK,
	NJ_INTERFACE_CANNOT_OPEN, /* it is up, but could not be opened: the message says why; told once a gap */
};

/* Opens it for all lanes. NJ_ERR_NOT_FOUND when it is not there at all; an interface that is merely down is away, and
 * *ret_news* says so. */
NJ_MUST_CHECK int nj_live_interface_open(struct nj_live_interface *interface, const struct nj_nic_state *state,
					 uint64_t steady_ns, enum nj_interface_news *ret_news,
					 struct nj_message *message);

/* Acts on what the kernel says of it. *gap_ns*, with NJ_INTERFACE_IS_BACK and NJ_INTERFACE_LINK_BACK: how long nothing
 * was heard. */
enum nj_interface_news nj_live_interface_watch(struct nj_live_interface *interface, const struct nj_nic_state *state,
					       uint64_t steady_ns, uint64_t *ret_gap_ns, struct nj_message *message);

#endif
