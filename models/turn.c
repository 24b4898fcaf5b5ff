/* For each quantity y = ln(1 + x), x acts a turn: benign agents are taken as exponential with the mean of the table; of
 * attacks every second one does without this kind of act and looks as benign ones do, the others are uniform over what
 * can be observed. That is a proper likelihood ratio and needs no examples of attacks:
 *
 *   part = clip( ln(1/2 + 1/2 (mean/range) e^(y/mean)), -3, 3 )       ln odds = prior + sum of parts
 *
 * A quantity that does not occur counts for at most -ln 2: an attack need not do everything. The quantities depend on
 * each other (what is new is surprising), which is what the clip and the prior are for; odds are a ranking with
 * reasons, not a probability of guilt. Means were set from the meaning of each act, not from any capture. */
#include "models/turn.h"

#include <math.h>

#define HALF_LIFE_NS (1800 * UINT64_C(1000000000))
#define ACTS_MAX     1e9

const struct nj_turn_row nj_turn_rows[NJ_TURN_ACTS] = {
	[NJ_TURN_NEW_EDGES] = {"new_edges_a_turn", "services at home it had not met", 0.04, 1.0},
	[NJ_TURN_BITS] = {"new_edge_bits_a_turn", "bits of surprise in them", 0.20, 3.0},
	[NJ_TURN_FAILED] = {"failed_a_turn", "openings refused or unanswered", 0.06, 1.0},
	[NJ_TURN_DENIED] = {"denied_a_turn", "logins and requests denied", 0.05, 1.0},
	[NJ_TURN_ADMIN] = {"admin_a_turn", "contacts with administrative services", 0.15, 1.0},
	[NJ_TURN_SECRETS] = {"secrets_a_turn", "contacts with the secrets plane", 0.03, 0.5},
	[NJ_TURN_PRINCIPALS] = {"principals_a_turn", "new names it logs in as", 0.03, 0.5},
	[NJ_TURN_UPLOAD] = {"upload_a_turn", "64 kB sent outside, not to the model", 0.30, 4.0},
};

static void fade(struct nj_turns *turns, uint64_t t_ns)
{
	if (t_ns <= turns->t_ns)
		return;
	double left = exp2(-(double)(t_ns - turns->t_ns) / (double)HALF_LIFE_NS);
	turns->turns *= left;
	for (int i = 0; i < NJ_TURN_ACTS; i++)
		turns->act[i] *= (float)left;
	turns->t_ns = t_ns;
}

void nj_turns_add(struct nj_turns *turns, uint64_t t_ns, double n)
{
	fade(turns, t_ns);
	if (isfinite(n) && n > 0)
		turns->turns = fmin(turns->turns + n, ACTS_MAX);
}

void nj_turns_act(struct nj_turns *turns, uint64_t t_ns, enum nj_turn_act act, double n)
{
	assert(act < NJ_TURN_ACTS);
	fade(turns, t_ns);
	if (isfinite(n) && n > 0)
		turns->act[act] = (float)fmin(turns->act[act] + n, ACTS_MAX);
}

void nj_turns_judge(const struct nj_turns *turns, struct nj_turn_verdict *ret_verdict)
{
	*ret_verdict = (struct nj_turn_verdict){.turns = turns->turns, .odds = NJ_TURN_PRIOR};
	for (int i = 0; i < NJ_TURN_ACTS; i++) {
		const struct nj_turn_row *row = &nj_turn_rows[i];
		ret_verdict->rate[i] = turns->act[i] / fmax(turns->turns, 1);
		if (turns->turns < NJ_TURN_TURNS_MIN)
			continue;
		double excess = log1p(ret_verdict->rate[i]) / row->mean;
		double part = log(0.5 + 0.5 * row->mean / row->range * exp(fmin(excess, 100)));
		ret_verdict->part[i] = fmin(fmax(part, -NJ_TURN_CLIP), NJ_TURN_CLIP);
		ret_verdict->odds += ret_verdict->part[i];
	}
}
