/* What does each turn of an AI agent touch? Coding, retrieval and attacking agents loop alike; they differ in what
 * their turns do. Counts of telling acts a turn become log odds of attack against benign, each quantity's part clipped
 * to 3 nats, so that no single one decides, and the verdict comes with its reasons.
 *
 * 56 B an agent, pointer-free, zeroed to start, save as bytes. */
#ifndef NJ_MODELS_TURN_H
#define NJ_MODELS_TURN_H

#include <assert.h>
#include <stdint.h>

enum nj_turn_act {
	NJ_TURN_NEW_EDGES,  /* home (host, service) new to the agent */
	NJ_TURN_BITS,       /* surprise of them */
	NJ_TURN_FAILED,     /* openings refused or unanswered */
	NJ_TURN_DENIED,     /* logins and requests denied */
	NJ_TURN_ADMIN,      /* contacts with administrative services at home */
	NJ_TURN_SECRETS,    /* contacts with the secrets plane */
	NJ_TURN_PRINCIPALS, /* new names it logs in as */
	NJ_TURN_UPLOAD,     /* 64 kB sent outside, not to the model */
	NJ_TURN_ACTS
};

#define NJ_TURN_CLIP      3.0
#define NJ_TURN_PRIOR     (-4.0) /* ln odds that a looping agent attacks, before anything is seen: 1 in 55 */
#define NJ_TURN_TURNS_MIN 8

struct nj_turns {
	uint64_t t_ns;
	double turns; /* faded with a half-life of 30 minutes, as the acts */
	float act[NJ_TURN_ACTS];
	uint64_t reserved;
};

static_assert(sizeof(struct nj_turns) == 56, "one an agent");

/* Names of the acts for people, with unit, and how much of it a turn of a benign agent has in the mean of ln(1 + x). */
struct nj_turn_row {
	const char *name, *meaning;
	double mean;  /* of y = ln(1 + acts a turn), benign: exponential */
	double range; /* attack: uniform in 0..range */
};
extern const struct nj_turn_row nj_turn_rows[NJ_TURN_ACTS];

void nj_turns_add(struct nj_turns *turns, uint64_t t_ns, double n); /* turns were taken */
void nj_turns_act(struct nj_turns *turns, uint64_t t_ns, enum nj_turn_act act, double n);

struct nj_turn_verdict {
	double turns;              /* faded */
	double odds;               /* ln, prior included */
	double rate[NJ_TURN_ACTS]; /* acts a turn */
	double part[NJ_TURN_ACTS]; /* nats each adds, within +-3 */
};

/* Acts without turns count as acts of one turn. With fewer than NJ_TURN_TURNS_MIN turns the odds are the prior's. */
void nj_turns_judge(const struct nj_turns *turns, struct nj_turn_verdict *ret_verdict);

#endif
