/* The part of an agent's memory that is about thinking and acting: with whom it exchanges questions and answers, what
 * it does in between, what its turns touch. A block of its own (profile.h), added with the first exchange that might be
 * one with a model or another brain. A member added here needs its row in aggregator/profile_layout.c.
 *
 * A *brain* is a peer that may do the thinking, as seen by one client of the agent: a language model known by name or
 * by the form of its answers, or any outside peer that is asked again and again. Two are kept; observe_ai.c says which.
 */
#ifndef NJ_AGGREGATOR_PROFILE_AI_H
#define NJ_AGGREGATOR_PROFILE_AI_H

#include "common/exchange.h"
#include "models/adapt.h"
#include "models/agentic.h"
#include "models/loop.h"
#include "models/novelty.h"
#include "models/turn.h"

#include <stdbool.h>
#include <stdint.h>

#define NJ_BRAINS          2
#define NJ_BRAIN_NAME_MAX  40
#define NJ_BRAIN_SILENT_NS (60 * UINT64_C(1000000000)) /* an unmarked brain silent for so long may be given up */
#define NJ_BRAIN_MARKED_NS (3600 * UINT64_C(1000000000))
#define NJ_AI_TOOLS        4
#define NJ_AI_TOOL_MAX     29

#define NJ_AGENTIC_LIKELY 0.5 /* from here on an agent counts as one that loops */
#define NJ_AGENTIC_SURE   0.8
#define NJ_LLM_LIKELY     0.5 /* p_llm from which a brain counts as a language model */

struct nj_brain {
	uint64_t key;         /* of (name or address, port, client); 0: unused */
	uint64_t action_peer; /* how actions towards it are hashed */
	struct nj_loop loop;
	struct nj_growth growth;
	struct nj_addr peer; /* of the latest exchange */
	uint64_t first_ns, last_ns;
	uint64_t bytes_up, bytes_down;
	uint64_t excess_hour; /* that excess counts, since the epoch */
	float excess;         /* bytes of questions beyond twice the one before and the median */
	uint32_t excess_told; /* growth step at the last look */
	uint64_t check_ns;    /* latest block, or look at who watches; 0: none (detect_reaction.c) */
	float check_turn_s;   /* median turn until then */
	uint32_t check_turns; /* loop.turns then */
	uint64_t looked;      /* loop.turns at the last judgement */
	float stream, api;    /* faded means over exchanges: stream score, share of the API's form; 0..1 */
	float p_llm, agentic; /* at the last judgement */
	float nats, back, z;  /* of the loop then: L, return leg, z */
	uint16_t port, flow_port;
	uint16_t flags;             /* enum nj_exchange_flag, of any exchange */
	uint8_t protocol, api_kind; /* enum nj_ai_api */
	uint8_t outside;
	uint8_t check_told; /* a change that followed was told */
	uint8_t reserved[2];
	char name[NJ_BRAIN_NAME_MAX];
	char client[NJ_BRAIN_NAME_MAX];
};

struct nj_ai_tool {
	struct nj_addr peer;
	uint16_t port;
	uint8_t kind; /* enum nj_tool_kind; 0: unused */
	char name[NJ_AI_TOOL_MAX];
};

struct nj_block_ai {
	struct nj_brain brain[NJ_BRAINS];
	struct nj_actions actions;
	struct nj_adapt adapt;
	struct nj_novelty novelty;
	struct nj_turns turns;
	struct nj_ai_tool tool[NJ_AI_TOOLS];
	uint32_t tool_calls;
	float odds_told; /* of the turns' verdict at its last score */
};

static inline bool nj_brain_is_marked(const struct nj_brain *brain)
{
	return (brain->flags & NJ_EXCHANGE_MODEL_MARKS) != 0;
}

/* The brain around which the agent most likely loops: the largest agentic score among those judged; NULL when none is
 * likely to be one (NJ_AGENTIC_LIKELY). */
const struct nj_brain *nj_ai_looping(const struct nj_block_ai *ai);

/* "api.example.com", or the address where no name is known. *text* of at least NJ_ADDR_TEXT_MAX bytes; returns it. */
char *nj_brain_word(const struct nj_brain *brain, char text[NJ_ADDR_TEXT_MAX]);

#endif
