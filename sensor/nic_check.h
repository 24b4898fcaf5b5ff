/* Is a network interface fit to be a tap? What its driver says of itself (ethtool), and what to do about it, each
 * finding with the command that mends it. For nightjar-sensor --check; asks, changes nothing. */
#ifndef NJ_SENSOR_NIC_CHECK_H
#define NJ_SENSOR_NIC_CHECK_H

#include "sensor/nic.h"

#include <stddef.h>

#define NJ_NIC_FINDINGS_MAX  8
#define NJ_NIC_KEY_BYTES_MAX 128

enum nj_nic_answer { NJ_NIC_UNKNOWN, NJ_NIC_NO, NJ_NIC_YES }; /* many drivers do not answer every question */

struct nj_nic_features {
	struct nj_nic_state state;
	enum nj_nic_answer gro, lro, gso, tso;
	uint32_t ring, ring_max;      /* receive descriptors; 0 unknown */
	uint32_t queues;              /* receive queues; 0 unknown */
	enum nj_nic_answer symmetric; /* both directions of a flow come to one queue */
	uint32_t key_bytes;           /* of the queue hash's key; 0 unknown */
	bool may_capture;             /* this process may open packet sockets, and so listen promiscuously */
};

struct nj_nic_finding {
	char text[160];
	char mend[440];
};

/* Asks the kernel and the driver. */
void nj_nic_ask(int fd, const char *name, struct nj_nic_features *ret_features);

/* What is wrong, worst first; gives their number. Pure. */
uint32_t nj_nic_findings(const char *name, const struct nj_nic_features *features,
			 struct nj_nic_finding findings[NJ_NIC_FINDINGS_MAX]);

/* A Toeplitz key that repeats after two bytes gives both directions the same hash. Pure. */
bool nj_nic_key_is_symmetric(const uint8_t *key, uint32_t bytes);

#endif
