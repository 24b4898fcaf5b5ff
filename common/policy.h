/* What a registered AI agent may do, as the inventory says it: `ai:` under an agent. A policy is a handful of short
 * lists; what a list does not name is not allowed, a list that is not there allows everything.
 *
 *   ai:
 *     providers: [api.anthropic.com, "*.openai.azure.com", self-hosted, 203.0.113.0/24]
 *     names: [git.example.com, "*.corp.example.com"]      # hosts it may reach, by the name seen in TLS or HTTP
 *     networks: [10.20.20.0/24]                           # and by address
 *     services: [443, 22, udp/161]                        # at those; default any
 *     tools: [10.20.20.40]                                # tool servers (MCP, A2A); default any
 *     secrets: [10.20.20.50]                              # secrets plane it may touch; default none
 *     volume_day: 2GB                                     # sent outside in a day (UTC)
 *     hours: "mon-fri 07:00-19:00"                        # UTC; several separated by commas
 *
 * Parsed once, then immutable; 5.4 kB a policy. Questions are pure, any thread, some hundred nanoseconds. */
#ifndef NJ_COMMON_POLICY_H
#define NJ_COMMON_POLICY_H

#include "common/addr.h"
#include "common/error.h"
#include "common/yaml.h"

#include <stdbool.h>
#include <stdint.h>

#define NJ_POLICY_PATTERNS_MAX 16
#define NJ_POLICY_PATTERN_MAX  64 /* text, with the NUL */
#define NJ_POLICY_NETWORKS_MAX 16
#define NJ_POLICY_SERVICES_MAX 32
#define NJ_POLICY_HOURS_MAX    8

/* Names and networks that mean the same kind of thing. */
struct nj_policy_list {
	bool given;       /* the key stands in the file */
	bool self_hosted; /* the word itself: any peer inside the home networks */
	uint8_t patterns_n, networks_n;
	char pattern[NJ_POLICY_PATTERNS_MAX][NJ_POLICY_PATTERN_MAX]; /* lower case; "*.x" is x and all below it */
	struct nj_network network[NJ_POLICY_NETWORKS_MAX];
};

struct nj_policy_service {
	uint8_t protocol; /* 6, 17; 0 either */
	uint16_t port;
};

struct nj_policy_hours {
	uint8_t days;              /* bit 0 Monday .. bit 6 Sunday */
	uint16_t from_min, to_min; /* of the day, [from, to); to <= from goes over midnight */
};

struct nj_policy {
	struct nj_policy_list providers, reach, tools, secrets;
	uint8_t services_n, hours_n;
	struct nj_policy_service service[NJ_POLICY_SERVICES_MAX];
	struct nj_policy_hours hours[NJ_POLICY_HOURS_MAX];
	uint64_t volume_day_bytes; /* 0: no limit */
};

/* Reads the map under `ai`. NJ_ERR_USAGE with "FILE:LINE: what". */
NJ_MUST_CHECK int nj_policy_read(const struct nj_yaml *yaml, const struct nj_yaml_node *node,
				 struct nj_message *message, struct nj_policy *ret_policy);
/* The same for one list of names and networks, as `ai_providers` of the inventory. */
NJ_MUST_CHECK int nj_policy_read_list(const struct nj_yaml *yaml, const struct nj_yaml_node *node,
				      struct nj_message *message, struct nj_policy_list *ret_list);

/* Whether the list names this peer: by name where one is known ("" is none), by address always; true where it was not
 * given. *home*: the peer lies in the home networks. */
bool nj_policy_names(const struct nj_policy_list *list, const char *name, const struct nj_addr *addr, bool home);
/* Whether it may talk to that service of that peer; name resolution and time are always allowed. */
bool nj_policy_reaches(const struct nj_policy *policy, const char *name, const struct nj_addr *addr, bool home,
		       uint8_t protocol, uint16_t port);
bool nj_policy_in_hours(const struct nj_policy *policy, uint64_t t_ns);

#endif
