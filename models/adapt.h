/* Is the next target chosen from the last result? A scripted sweep goes its way whatever comes back; somebody who reads
 * the answers stays where a door opened and leaves where one was shut.
 *
 * A table of (result of an action, kind of the next action), fading with a half-life of 30 minutes, and how much one
 * says about the other: mutual information with its small-sample bias taken off, and a G-test. Beside it how deep: of
 * the three actions after a first success, how many go to the same host; and how broad: distinct hosts an action.
 *
 * 200 B an agent, pointer-free, zeroed to start, save as bytes. Actions must come in time order. */
#ifndef NJ_MODELS_ADAPT_H
#define NJ_MODELS_ADAPT_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

enum nj_adapt_result {
	NJ_ADAPT_OK,
	NJ_ADAPT_REFUSED,
	NJ_ADAPT_TIMEOUT,
	NJ_ADAPT_DENIED, /* login or permission failed */
	NJ_ADAPT_ERROR,  /* answered with an error of the application: 4xx, 5xx */
	NJ_ADAPT_RESULTS
};

enum nj_adapt_next { NJ_ADAPT_SAME, NJ_ADAPT_NEW_PORT, NJ_ADAPT_NEW_HOST, NJ_ADAPT_NEW_BOTH, NJ_ADAPT_NEXTS };

#define NJ_ADAPT_HOSTS  32 /* of the latest actions, for breadth */
#define NJ_ADAPT_FOLLOW 3  /* actions after a success that tell depth */
#define NJ_ADAPT_N_MIN  10 /* faded actions below which nothing is said */

struct nj_adapt {
	uint64_t t_ns; /* of the last action; 0: none yet */
	float count[NJ_ADAPT_RESULTS][NJ_ADAPT_NEXTS];
	uint32_t host, port;   /* of the last action */
	uint8_t result, known; /* of it; known: there was one */
	uint8_t hosts_n, hosts_head;
	uint32_t follow_host[NJ_ADAPT_FOLLOW]; /* of recent first successes, whose next actions are counted */
	uint8_t follow_left[NJ_ADAPT_FOLLOW];
	uint8_t reserved;
	float followed, follows; /* of the next actions, how many went to the same host; of how many; fading */
	uint32_t hosts[NJ_ADAPT_HOSTS / 2]; /* two 16-bit hashes each, ring */
	uint64_t actions;
};

static_assert(sizeof(struct nj_adapt) == 200, "one an agent");

/* An action whose result is known. *first*: the (host, port) was not known to the agent before. */
void nj_adapt_step(struct nj_adapt *adapt, uint64_t t_ns, uint64_t host_hash, uint16_t port,
		   enum nj_adapt_result result, bool first);

struct nj_adapt_verdict {
	double n;      /* faded pairs behind it */
	double mi;     /* nats, bias taken off, 0..ln 4 */
	double ln_p;   /* of the G-test; 0 with fewer than NJ_ADAPT_N_MIN pairs */
	double depth;  /* 0..1; 0 while there was no first success */
	double branch; /* 0..1: distinct hosts an action, of the last 32 */
};

void nj_adapt_judge(const struct nj_adapt *adapt, struct nj_adapt_verdict *ret_verdict);

#endif
