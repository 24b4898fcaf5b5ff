/* Is this an AI agent at work? Joins what other models say into two scores for people and for other detectors: how
 * likely a peer is a language model, and how much a client behaves like a program that loops around one. Neither is an
 * alarm: a coding agent and an attacker's agent score alike.
 *
 * Beside it the growth of what is sent: an agent posts its whole conversation again each turn. 80 B a (client, peer),
 * pointer-free, zeroed to start. Pure functions otherwise. */
#ifndef NJ_MODELS_AGENTIC_H
#define NJ_MODELS_AGENTIC_H

#include <assert.h>
#include <stdint.h>

#define NJ_GROWTH_RING 16
#define NJ_GROWTH_K    8 /* exchanges behind the growth score */

struct nj_growth {
	uint32_t up[NJ_GROWTH_RING]; /* bytes sent, ring */
	uint32_t n;                  /* ever */
	uint32_t resets;             /* fell to less than half: the conversation was cut or begun anew */
	uint64_t reserved;
};

static_assert(sizeof(struct nj_growth) == 80, "one a (client, peer)");

void nj_growth_add(struct nj_growth *growth, uint64_t up_bytes);
double nj_growth_score(
	const struct nj_growth *growth); /* G, -1..1: (rises - falls)/(K - 1) of the last K; 0 with fewer than 3 */
double nj_growth_latest(const struct nj_growth *growth); /* bytes of the latest; 0 with none */
double nj_growth_median(
	const struct nj_growth *growth); /* bytes of the last 16, without the latest; 0 with fewer than 4 */

/* What is known of exchanges with one peer. All 0..1 but counts and times. */
struct nj_llm_evidence {
	double known;        /* a name or path of the endpoint list: 1; a port of it: less */
	double stream_score; /* token-stream shape of the answers, median */
	double api_share;    /* share of the exchanges of the form long question, silence, one short answer */
	double growth;       /* -1..1 */
	double turn_s;       /* median time from answer to answer */
	uint32_t exchanges;
};

#define NJ_LLM_UNNAMED_MAX 0.9

/* p that the peer is a language model: 0..1, at most 0.9 without a name. */
double nj_llm_p(const struct nj_llm_evidence *evidence);

enum nj_agentic_part {
	NJ_AGENTIC_NATS,   /* acts right after answers */
	NJ_AGENTIC_Z,      /* more so than the same times shifted */
	NJ_AGENTIC_LOOP,   /* and asks again when the action is done */
	NJ_AGENTIC_QUICK,  /* asks a likely model again faster than anybody reads */
	NJ_AGENTIC_GROWTH, /* sends more each turn */
	NJ_AGENTIC_TURN,   /* at the pace of a model, 1.5 to 40 s */
	NJ_AGENTIC_DUTY,   /* for much of the hour */
	NJ_AGENTIC_PARTS
};

struct nj_agentic_evidence {
	uint32_t turns;
	double nats, loop, z, growth, turn_s, pause_s, duty, p_llm;
};

struct nj_agentic {
	double score;                  /* 0..1 */
	double part[NJ_AGENTIC_PARTS]; /* log odds each adds; their sum less 2.5 is the score's */
};

/* What is not finite counts as 0. Few turns count for less: n/(n + 4). */
void nj_agentic_judge(const struct nj_agentic_evidence *evidence, struct nj_agentic *ret_agentic);

#endif
