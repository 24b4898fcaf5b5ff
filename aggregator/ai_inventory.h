/* The inventory of AI agents: who runs one, with which program, thinking with whom, since when. One row a (agent,
 * brain), made from the profile whenever agents are stored; the store keeps it (store.h), `nightjar agents --ai` and
 * the summary of a replay show it. */
#ifndef NJ_AGGREGATOR_AI_INVENTORY_H
#define NJ_AGGREGATOR_AI_INVENTORY_H

#include "aggregator/profile.h"
#include "common/inventory.h"

#include <stdbool.h>
#include <stdint.h>

#define NJ_AI_TOOLS_TEXT_MAX 192

enum nj_ai_kind {
	NJ_AI_MODEL_USE = 1, /* talks to a language model; no loop seen: a chat, a batch job */
	NJ_AI_AGENT = 2,     /* loops around a language model */
	NJ_AI_REMOTE = 3, /* loops around an outside peer that does not look like a model: somebody thinks elsewhere */
};

struct nj_ai_row {
	struct nj_agent_id agent;
	uint64_t key; /* of the brain within the agent */
	uint8_t kind; /* enum nj_ai_kind */
	bool outside, registered;
	uint16_t port;
	uint64_t first_ns, last_ns, turns, bytes_up, bytes_down;
	double p_llm, agentic; /* 0..1 */
	char peer[64];         /* name, or address */
	char client[NJ_CLIENT_TEXT_MAX];
	char api[24];                     /* "openai_chat"; empty where unknown */
	char tools[NJ_AI_TOOLS_TEXT_MAX]; /* of the agent, "read_file, run_tests"; empty where none was seen */
};

/* The row of one brain of an agent; false when there is none worth telling: neither likely a model nor surely looped
 * around. */
bool nj_ai_row_of(const struct nj_profile *profile, uint32_t brain, const struct nj_inventory *inventory,
		  struct nj_ai_row *ret_row);

const char *nj_ai_kind_text(uint8_t kind); /* "agent", "model use", "remote brain"; static */

#endif
