/* SSH: banner and key exchange of both sides, then nothing more is to be seen. */
#include "sensor/look.h"

static enum nj_parse ssh_parse(struct nj_look *l, const uint8_t *data, size_t size)
{
	struct nj_ssh *ssh = &l->in->note->scratch.ssh;
	enum nj_parse parsed = nj_ssh_opening(data, size, l->direction == NJ_CLIENT, ssh);
	if (parsed != NJ_PARSE_NO)
		nj_note_ssh(l->in->note, l->hot, l->flow, l->direction == NJ_CLIENT, ssh);
	return parsed;
}

void nj_look_ssh(struct nj_look *l)
{
	(void)nj_look_opening(l, ssh_parse);
	if (l->state->read == 3)
		l->flow->facts |= NJ_FACT_SSH_KEYS;
	if (l->state->done == 3)
		nj_look_release(l->in, l->hot, l->flow);
}
