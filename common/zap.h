/* ZAP, the question libzmq asks its program about each peer that wants in (ZeroMQ RFC 27): a message of parts that
 * names mechanism and credentials, answered by another. Only CURVE is understood; whether its key is welcome is the
 * caller's to say. Knows no sockets: common/link.c receives the parts and sends the answer. No allocation, any
 * thread. */
#ifndef NJ_COMMON_ZAP_H
#define NJ_COMMON_ZAP_H

#include "common/curve_key.h"

#define NJ_ZAP_ENDPOINT       "inproc://zeromq.zap.01"
#define NJ_ZAP_QUESTION_PARTS 7
#define NJ_ZAP_ANSWER_PARTS   6
#define NJ_ZAP_ID_BYTES_MAX   32

struct nj_zap_part {
	const void *data;
	size_t size;
};

struct nj_zap_question {
	uint8_t id[NJ_ZAP_ID_BYTES_MAX]; /* to be repeated in the answer */
	size_t id_size;
	struct nj_curve_key key; /* that the peer has proved to own */
};

/* False: not a question about a CURVE key; its answer can only be no. What the id is, is kept wherever it stands. */
bool nj_zap_parse(const struct nj_zap_part *parts, unsigned parts_n, struct nj_zap_question *ret_question);

/* The parts of the answer; *borrow* *question* and *user*. An admitted peer's messages carry *user*, its key as text,
 * as "User-Id". */
void nj_zap_answer(const struct nj_zap_question *question, bool admitted, const char *user,
		   struct nj_zap_part ret_parts[static NJ_ZAP_ANSWER_PARTS]);

#endif
