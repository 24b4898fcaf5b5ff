/* Parts of a question: version, id, domain, address, identity, mechanism, credentials. Parts of an answer: version, id,
 * status, its words, user id, metadata. Status 200 lets in, 400 keeps out for good. Reference: ZeroMQ RFC 27. */
#include "common/zap.h"

#include <string.h>

enum { VERSION, ID, DOMAIN, ADDRESS, IDENTITY, MECHANISM, CREDENTIALS };

static const char version[] = "1.0";

static bool is(const struct nj_zap_part *part, const char *text)
{
	return part->size == strlen(text) && memcmp(part->data, text, part->size) == 0;
}

bool nj_zap_parse(const struct nj_zap_part *parts, unsigned parts_n, struct nj_zap_question *ret_question)
{
	*ret_question = (struct nj_zap_question){.id_size = 0};
	if (parts_n <= ID || parts[ID].size > NJ_ZAP_ID_BYTES_MAX)
		return false;
	ret_question->id_size = parts[ID].size;
	if (parts[ID].size > 0)
		memcpy(ret_question->id, parts[ID].data, parts[ID].size);
	if (parts_n != NJ_ZAP_QUESTION_PARTS || !is(&parts[VERSION], version) || !is(&parts[MECHANISM], "CURVE") ||
	    parts[CREDENTIALS].size != NJ_CURVE_KEY_BYTES)
		return false;
	memcpy(ret_question->key.bytes, parts[CREDENTIALS].data, NJ_CURVE_KEY_BYTES);
	return true;
}

static struct nj_zap_part text_part(const char *text)
{
	return (struct nj_zap_part){text, strlen(text)};
}

void nj_zap_answer(const struct nj_zap_question *question, bool admitted, const char *user,
		   struct nj_zap_part ret_parts[static NJ_ZAP_ANSWER_PARTS])
{
	const struct nj_zap_part parts[NJ_ZAP_ANSWER_PARTS] = {
		text_part(version),
		{question->id, question->id_size},
		text_part(admitted ? "200" : "400"),
		text_part(admitted ? "welcome" : "key not authorised"),
		text_part(admitted ? user : ""),
		text_part(""),
	};
	memcpy(ret_parts, parts, sizeof parts);
}
