/* A contact worth showing, as a profile keeps it for its alerts: enough for a peer and a Community ID. */
#ifndef NJ_AGGREGATOR_SIGHTING_H
#define NJ_AGGREGATOR_SIGHTING_H

#include "common/addr.h"

#include <stdint.h>

#define NJ_SIGHTINGS_MAX 4 /* of a ring */

struct nj_sighting {
	struct nj_addr peer;
	uint64_t t_ns;
	uint16_t port, flow_port;
	uint8_t protocol, outcome; /* enum nj_contact_outcome */
	uint8_t reserved[2];
};

#endif
