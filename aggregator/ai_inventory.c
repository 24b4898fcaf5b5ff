/* What is told: a brain that is likely a language model, whoever uses it, because "who talks to a model" is what the
 * inventory is asked for; and a brain that is not, only when the loop around it is sure, because every browser has
 * outside peers. */
#include "aggregator/ai_inventory.h"

#include "common/label.h"

#include <stdio.h>
#include <string.h>

static uint8_t kind_of(const struct nj_brain *brain)
{
	if (brain->p_llm >= NJ_LLM_LIKELY)
		return brain->agentic >= NJ_AGENTIC_LIKELY ? NJ_AI_AGENT : NJ_AI_MODEL_USE;
	return brain->outside && brain->agentic >= NJ_AGENTIC_SURE ? NJ_AI_REMOTE : 0;
}

const char *nj_ai_kind_text(uint8_t kind)
{
	switch (kind) {
	case NJ_AI_MODEL_USE:
		return "model use";
	case NJ_AI_AGENT:
		return "agent";
	case NJ_AI_REMOTE:
		return "remote brain";
	default:
		return "unknown";
	}
}

static void list_tools(const struct nj_block_ai *ai, char *text, size_t size)
{
	size_t used = 0;
	text[0] = '\0';
	for (int i = 0; i < NJ_AI_TOOLS && ai->tool[i].kind != 0; i++) {
		size_t length = strlen(ai->tool[i].name);
		if (used + length + 3 > size)
			return;
		used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "", ai->tool[i].name);
	}
}

bool nj_ai_row_of(const struct nj_profile *profile, uint32_t index, const struct nj_inventory *inventory,
		  struct nj_ai_row *ret_row)
{
	if (profile->ai == NULL || index >= NJ_BRAINS || profile->ai->brain[index].key == 0)
		return false;
	const struct nj_brain *brain = &profile->ai->brain[index];
	uint8_t kind = kind_of(brain);
	if (kind == 0)
		return false;
	const struct nj_inventory_agent *known = nj_inventory_agent(inventory, &profile->agent);
	char peer[NJ_ADDR_TEXT_MAX];
	*ret_row = (struct nj_ai_row){.agent = profile->agent,
				      .key = brain->key,
				      .kind = kind,
				      .outside = brain->outside != 0,
				      .registered = known != NULL && known->policy != NULL,
				      .port = brain->port,
				      .first_ns = brain->first_ns,
				      .last_ns = brain->last_ns,
				      .turns = brain->loop.turns,
				      .bytes_up = brain->bytes_up,
				      .bytes_down = brain->bytes_down,
				      .p_llm = (double)brain->p_llm,
				      .agentic = (double)brain->agentic};
	snprintf(ret_row->peer, sizeof ret_row->peer, "%s", nj_brain_word(brain, peer));
	snprintf(ret_row->client, sizeof ret_row->client, "%s", brain->client);
	snprintf(ret_row->api, sizeof ret_row->api, "%s", nj_ai_api_text(brain->api_kind));
	list_tools(profile->ai, ret_row->tools, sizeof ret_row->tools);
	return true;
}
