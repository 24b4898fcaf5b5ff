/* Does echo traffic carry data? A closed-form score of one (agent, peer) over some minutes: ln(1 + bytes/512) +
 * 2 mismatch share + entropy/4. An ordinary ping scores 0 however long it runs, a tunnel above 7. Pure, 20 ns. */
#ifndef NJ_MODELS_ICMP_H
#define NJ_MODELS_ICMP_H

#include <stdint.h>

struct nj_icmp_echo {
	uint64_t packets;       /* echo requests and replies sent */
	uint64_t payload_bytes; /* of them */
	uint64_t large;         /* of them with more than 64 bytes of payload */
	uint64_t mismatched;    /* replies whose payload is not the request's */
	uint64_t unsolicited;   /* replies without a request */
	uint64_t entropy_mbit;  /* entropy per payload byte, 1/1000 bit, summed over the large ones */
};

struct nj_icmp_score {
	double score;
	double volume, mismatch, entropy; /* the three terms, for the explanation */
};

/* Counts that contradict each other (more mismatches than packets) are clamped, not trusted. The first 64 bytes of a
 * small packet do not count as volume. */
struct nj_icmp_score nj_icmp_judge(const struct nj_icmp_echo *echo);

#endif
