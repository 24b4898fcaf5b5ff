/* What flows have to tell: at a window's end, or when a flow must give way before it, its counters become one contact
 * for each of its two ends and part of their features; at its own end it becomes a flow record. Part of the worker, on
 * its thread. */
#ifndef NJ_SENSOR_TELL_H
#define NJ_SENSOR_TELL_H

#include "common/inventory.h"
#include "sensor/classify.h"
#include "sensor/flow.h"
#include "sensor/ledger.h"
#include "sensor/sink.h"
#include "sensor/text.h"

/* A home network as two masked words, since every new flow asks for both its ends. */
struct nj_tell_network {
	uint64_t addr[2], mask[2];
};

struct nj_tell {
	struct nj_ledger *ledger;
	struct nj_classify *classify;
	const struct nj_texts *texts;
	struct nj_tell_network home[NJ_NETWORKS_MAX];
	uint32_t home_n;
	uint64_t start_ns; /* of the window under way */
	uint32_t width_ms;
	uint32_t labels_n; /* of app and encrypted_dns, filled so far */
	bool encrypted_dns[NJ_LABELS_MAX];
	char app[NJ_LABELS_MAX][NJ_APP_TEXT_MAX]; /* labels as contacts carry them */
};

void nj_tell_set_home(struct nj_tell *tell, const struct nj_networks *home);

/* Every unicast address is an agent. */
bool nj_tell_is_agent(const struct nj_addr *addr);

/* Multicast counts as home: it does not leave the network. */
bool nj_tell_is_external(const struct nj_tell *tell, const struct nj_addr *addr);

/* Enters the flow's window into the ledger, adds it to its totals and clears it. */
void nj_tell_window(struct nj_tell *tell, struct nj_flow_hot *hot, struct nj_flow *flow);

/* Counts a flow of which one direction was never seen although there must have been one, once: as soon as that is
 * certain, at the latest when it has *ended*. True when it was counted now. */
bool nj_tell_one_sided(struct nj_tell *tell, struct nj_flow_hot *hot, const struct nj_flow *flow, bool ended);

/* Enters the flow's end into the ledger: its duration when it closed. Silence ends a flow a minute after its last word,
 * and to tell that would make a window for an agent that did nothing. */
void nj_tell_end(struct nj_tell *tell, const struct nj_flow_hot *hot, const struct nj_flow *flow);

/* The flow as a record, this window's counters included. */
void nj_tell_record(struct nj_tell *tell, const struct nj_flow_hot *hot, const struct nj_flow *flow,
		    struct nj_flow_record *ret_record);

#endif
