/* Windows administration: SMB and DCE/RPC, of which only the client's calls are looked at, each segment by itself
 * (sensor/rpc.h). A flow is followed for so many segments of the client: administration is over by then, and a backup
 * over SMB is not worth the search. */
#include "sensor/look.h"
#include "sensor/rpc.h"

#define SEGMENTS_MAX 400

bool nj_look_is_rpc(const struct nj_look *l, const uint8_t *data, size_t size)
{
	if (nj_look_at_port(l->flow, 445) || nj_look_at_port(l->flow, 139))
		return true;
	return l->direction == NJ_CLIENT && size >= 16 && data[0] == 5 && data[1] == 0 && data[2] == 11 &&
	       data[4] == 0x10;
}

void nj_look_rpc_begin(struct nj_look *l)
{
	l->state->rpc_segments = 0;
	l->state->rpc_bound = NJ_RPC_NONE;
	nj_look_want(l->hot, true, false);
}

void nj_look_rpc(struct nj_look *l)
{
	struct nj_rpc_call calls[NJ_RPC_CALLS_MAX];
	if (l->direction != NJ_CLIENT)
		return;
	unsigned n = nj_rpc_scan(l->packet->payload, l->packet->payload_bytes, &l->state->rpc_bound, calls);
	for (unsigned i = 0; i < n && l->fresh_bytes > 0; i++)
		nj_note_tool(
			l->in->note, l->hot, l->flow,
			&(struct nj_note_call){NJ_TOOL_RPC, calls[i].interface, calls[i].operation, l->packet->t_ns});
	if (++l->state->rpc_segments == SEGMENTS_MAX)
		nj_look_release(l->in, l->hot, l->flow);
}
