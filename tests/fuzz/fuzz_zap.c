/* Any parts as a question about a key: what is taken for one has a key of the right size, what is not gets no for an
 * answer, and the answer repeats the id that was asked with.
 *
 * Input: parts, each with its length before it (1 byte). */
#include "common/zap.h"

#include <assert.h>
#include <string.h>

#define PARTS_MAX 10

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nj_zap_part parts[PARTS_MAX] = {{NULL, 0}}, answer[NJ_ZAP_ANSWER_PARTS];
	struct nj_zap_question question;
	unsigned parts_n = 0;
	for (size_t at = 0; at < size && parts_n < PARTS_MAX; parts_n++) {
		size_t length = data[at], left = size - at - 1;
		length = length < left ? length : left;
		parts[parts_n] = (struct nj_zap_part){data + at + 1, length};
		at += 1 + length;
	}
	bool good = nj_zap_parse(parts, parts_n, &question);
	if (good) {
		assert(parts_n == NJ_ZAP_QUESTION_PARTS);
		assert(memcmp(question.key.bytes, parts[6].data, NJ_CURVE_KEY_BYTES) == 0);
	}
	nj_zap_answer(&question, good, "user", answer);
	assert(answer[1].size == question.id_size && question.id_size <= NJ_ZAP_ID_BYTES_MAX);
	if (question.id_size > 0)
		assert(memcmp(answer[1].data, parts[1].data, question.id_size) == 0);
	assert(memcmp(answer[2].data, good ? "200" : "400", 3) == 0);
	assert(answer[4].size == (good ? 4 : 0));
	return 0;
}
