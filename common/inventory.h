/* Who is who: home networks, names, permitted scanners, registered AI agents, decoys. Read from a YAML file, then
 * immutable: any thread may ask. Lookups are by bisection or a short scan of sorted networks; memory is a few hundred
 * bytes an entry and 6 kB a registered AI agent, allocated at load.
 *
 *   home_networks: [10.0.0.0/8, fd00::/8]       # default: private, shared, link-local and unique-local ranges
 *   agents:
 *     - { address: 10.20.1.5, segment: "vlan:20", name: build-7, group: ci, permitted: [scan] }
 *     - { address: 10.20.1.9, name: coder-1, ai: { providers: [api.anthropic.com] } }   # common/policy.h
 *   ai_providers: [api.anthropic.com, self-hosted]   # for AI agents whose own entry names none
 *   ai_unregistered: alert                           # or ignore; default: alert once any agent is registered
 *   monitors: [10.20.30.5]                     # sensors and aggregators themselves: who looks at them looks at who
 * watches decoys:
 *     - 10.20.9.9                              # any contact
 *     - { network: 10.20.250.0/24, ports: [22, 445], name: "empty rack" }
 */
#ifndef NJ_COMMON_INVENTORY_H
#define NJ_COMMON_INVENTORY_H

#include "common/addr.h"
#include "common/error.h"
#include "common/policy.h"

#include <stdbool.h>
#include <stdint.h>

#define NJ_NETWORKS_MAX       256
#define NJ_DECOY_PORTS_MAX    16
#define NJ_INVENTORY_NAME_MAX 64

struct nj_networks {
	uint32_t n;
	struct nj_network network[NJ_NETWORKS_MAX];
};

/* 10/8, 172.16/12, 192.168/16, 100.64/10, 169.254/16, 127/8, fc00::/7, fe80::/10, ::1. */
void nj_networks_private(struct nj_networks *ret_networks);
bool nj_networks_contain(const struct nj_networks *networks, const struct nj_addr *addr);

enum nj_permission {
	NJ_PERMIT_SCAN = 1,
	NJ_PERMIT_EXFIL = 2,
	NJ_PERMIT_BEACON = 4,
	NJ_PERMIT_DNS = 8,
	NJ_PERMIT_FANOUT = 16,
	NJ_PERMIT_ICMP = 32,
	NJ_PERMIT_ADMIN = 64
};

struct nj_inventory_agent {
	struct nj_agent_id id;
	bool any_segment; /* entry without a segment: matches the address in every one */
	char name[NJ_INVENTORY_NAME_MAX];
	char group[NJ_INVENTORY_NAME_MAX]; /* peer group, or empty */
	const struct nj_policy *policy;    /* a registered AI agent, and what it may do; NULL: not registered */
	uint32_t permitted; /* enum nj_permission bits: alerts of that family are raised as low severity with the
			       permission in the text */
};

struct nj_inventory_decoy {
	struct nj_network network;
	uint16_t ports[NJ_DECOY_PORTS_MAX]; /* none: every port */
	uint8_t ports_n;
	char name[NJ_INVENTORY_NAME_MAX];
};

struct nj_inventory;

/* An inventory with private home networks and nothing else. *returns owned* through ret_inventory. */
NJ_MUST_CHECK int nj_inventory_new(struct nj_inventory **ret_inventory);
/* NJ_ERR_USAGE with "FILE:LINE: what" for anything it does not know. */
NJ_MUST_CHECK int nj_inventory_load(const char *path, struct nj_message *message, struct nj_inventory **ret_inventory);
void nj_inventory_free(struct nj_inventory **inventory);

const struct nj_networks *nj_inventory_home(const struct nj_inventory *inventory);
/* *returns borrowed until* free; NULL when unknown. */
const struct nj_inventory_agent *nj_inventory_agent(const struct nj_inventory *inventory, const struct nj_agent_id *id);
/* Addresses of the watchers; none by default. *returns borrowed until* free. */
const struct nj_networks *nj_inventory_monitors(const struct nj_inventory *inventory);
/* Whom AI agents may think with whose own entry does not say it; not given: anybody. *returns borrowed until* free. */
const struct nj_policy_list *nj_inventory_ai_providers(const struct nj_inventory *inventory);
/* Whether an AI agent that is not registered is a violation. */
bool nj_inventory_ai_must_register(const struct nj_inventory *inventory);
const struct nj_inventory_decoy *nj_inventory_decoy(const struct nj_inventory *inventory, const struct nj_addr *addr,
						    uint16_t port);

#endif
