/* Does this host act when it has been told what to do? Exchanges with one peer (a language model, or any outside peer
 * that might be doing the thinking) against the host's actions towards everybody else: think, act, think, act.
 *
 * What is measured is the interleave, not its purpose. Whoever works on other people's answers shows it: a coding
 * agent, an implant driven from outside, a person with a very fast hand. It is context for other detectors.
 *
 * Two states: actions are kept once a host, exchanges once a (host, peer). Both keep the latest of bounded lists in
 * time order, so that what comes in any order within a window gives the same bytes. Pointer-free, zeroed to start, save
 * as bytes. 408 B and 288 B; an addition costs tens of nanoseconds, a judgement (eleven passes for the null) some ten
 * microseconds: judge when an exchange has ended, not for each action. */
#ifndef NJ_MODELS_LOOP_H
#define NJ_MODELS_LOOP_H

#include <assert.h>
#include <stdint.h>

#define NJ_LOOP_TURNS    32
#define NJ_LOOP_ACTIONS  48
#define NJ_LOOP_NULLS    10  /* circular shifts behind z */
#define NJ_LOOP_TURN_MIN 4   /* fewer turns give no verdict */
#define NJ_LOOP_NATS_MAX 3.7 /* of a turn: ln(0.8/0.02) */

/* A stretch of time in milliseconds since the epoch, cut to 32 bits: told apart from others within 24 days. */
struct nj_loop_stretch {
	uint32_t start_ms, end_ms;
};

struct nj_loop_action {
	uint32_t start_ms;
	uint16_t lasted; /* in 16 ms, at most 17 minutes */
	uint16_t peer;   /* low bits of the peer's hash: actions towards the thinking peer itself are left out */
};

struct nj_actions {
	uint64_t latest_ms; /* start of the latest one; 0: none yet */
	uint64_t seen;      /* ever, merged ones counted once */
	uint32_t n, reserved;
	struct nj_loop_action action[NJ_LOOP_ACTIONS]; /* ascending by start, then peer */
};

struct nj_loop {
	uint64_t latest_ms; /* end of the latest exchange; 0: none yet */
	uint64_t minutes;   /* bit i: an exchange ended i minutes before the latest */
	uint64_t turns;     /* exchanges ever */
	uint32_t n, reserved;
	struct nj_loop_stretch exchange[NJ_LOOP_TURNS]; /* ascending by end, then start */
};

static_assert(sizeof(struct nj_actions) == 408, "one an agent");
static_assert(sizeof(struct nj_loop) == 288, "several an agent");

/* The host did something: began a flow, or a request on an open one. Actions towards the same peer that begin within a
 * second of each other are one. *end_ns* is when its answer was there, as far as known; at least start_ns. */
void nj_actions_add(struct nj_actions *actions, uint64_t peer_hash, uint64_t start_ns, uint64_t end_ns);

/* It asked the peer at start_ns and had the whole answer at end_ns. */
void nj_loop_add(struct nj_loop *loop, uint64_t start_ns, uint64_t end_ns);

struct nj_loop_verdict {
	uint32_t turns; /* behind the verdict, at most 32 */
	double nats;    /* L_loop: nats a turn for "acts within 3 s of an answer", -1.6..3.7 */
	double base;    /* q0: chance of an action in any 3 s, 0.02..0.8 */
	double acted;   /* share of turns with an action within 3 s of the answer */
	double loop;    /* share that acted and asked again within 5 s of the action's end: the return leg */
	double z;       /* loop against its circular shifts, -33..33 */
	double turn_s;  /* median time from answer to answer; 0 with fewer than two */
	double pause_s; /* median time from an answer to the next question; 0 with fewer than two */
	double duty;    /* share of minutes with an exchange, of the last hour or since the first; at least ten */
	double actions_a_turn;
};

/* *peer_hash* as given to nj_actions_add for the thinking peer. Below NJ_LOOP_TURN_MIN turns everything but turns, duty
 * and turn_s is 0. */
void nj_loop_judge(const struct nj_loop *loop, const struct nj_actions *actions, uint64_t peer_hash,
		   struct nj_loop_verdict *ret_verdict);

#endif
