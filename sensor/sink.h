/* Where a worker's results go. The worker knows neither where frames come from nor where windows go: both are handed
 * in. Calls come on the worker's own thread; everything passed is borrowed until the call returns. */
#ifndef NJ_SENSOR_SINK_H
#define NJ_SENSOR_SINK_H

#include "common/batch.h"

/* One finished flow, for `nightjar flows`. Direction: client and server by handshake, else by port. */
struct nj_flow_record {
	struct nj_addr client, server;
	nj_segment segment;
	uint16_t client_port, server_port; /* ICMP: type and code of the first packet in client_port and server_port */
	uint8_t protocol;
	uint8_t outcome;    /* enum nj_outcome */
	uint8_t end_reason; /* enum nj_flow_end */
	uint8_t seen_start; /* the opening was seen */
	uint64_t first_ns, last_ns;
	uint64_t packets_out, packets_in;       /* out: client to server */
	uint64_t wire_bytes_out, wire_bytes_in; /* whole frames */
	uint64_t bytes_out, bytes_in;           /* payload without retransmissions */
	uint64_t retransmitted_bytes;
	char app[64]; /* nDPI label, master.sub */
	uint64_t ndpi_risks;
	char server_name[256]; /* SNI, HTTP Host; presentation form */
	char alpn[16];
	char ja4[40], hassh[33], hassh_server[33];
	char client_text[64];             /* SSH or HTTP client string, cut */
	uint16_t tls_version, tls_cipher; /* chosen by the server, 0 unknown */
	char dns_name[256];               /* first question */
	uint16_t dns_type;
	uint32_t requests;
};

enum nj_outcome {
	NJ_OUTCOME_NONE = 0,
	NJ_OUTCOME_PENDING,
	NJ_OUTCOME_ANSWERED,
	NJ_OUTCOME_REFUSED,
	NJ_OUTCOME_UNANSWERED,
	NJ_OUTCOME_RESET,
	NJ_OUTCOME_MIDSTREAM
};
enum nj_flow_end { NJ_END_IDLE = 1, NJ_END_ACTIVE, NJ_END_CLOSED, NJ_END_EVICTED, NJ_END_FINISH };

struct nj_worker_sink {
	void *context;
	/* One agent's window, uncapped; ascending by agent within a window; NULL: not wanted. */
	void (*window)(void *context, const struct nj_window *window);
	/* The window that starts at start_ns is complete for this worker. Comes for every window in which the worker
	 * had something to tell, and at finish. */
	void (*window_end)(void *context, uint64_t start_ns, const struct nj_sensor_account *account);
	/* A flow has ended; NULL: not wanted (and its extra cost is not paid). */
	void (*flow)(void *context, const struct nj_flow_record *flow);
};

#endif
