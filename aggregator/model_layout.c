/* One row a member, in the order of the header it comes from. *valid* keeps out what the code behind would index or
 * loop by. */
#include "aggregator/model_layout.h"

#include "common/addr.h"
#include "models/adapt.h"
#include "models/agentic.h"
#include "models/baseline.h"
#include "models/beacon.h"
#include "models/bloom.h"
#include "models/budget.h"
#include "models/cusum.h"
#include "models/dnsinfo.h"
#include "models/hll.h"
#include "models/icmp.h"
#include "models/loop.h"
#include "models/novelty.h"
#include "models/spacesaving.h"
#include "models/surprisal.h"
#include "models/tail.h"
#include "models/turn.h"

#include <math.h>

static const struct nj_field addr_rows[] = {NJ_FIELD(struct nj_addr, byte)};
const struct nj_fields nj_addr_fields = NJ_FIELDS(struct nj_addr, addr_rows, NULL);

static const struct nj_field agent_id_rows[] = {NJ_FIELD_STRUCT(struct nj_agent_id, addr, &nj_addr_fields),
						NJ_FIELD(struct nj_agent_id, segment)};
const struct nj_fields nj_agent_id_fields = NJ_FIELDS(struct nj_agent_id, agent_id_rows, NULL);

static bool hll_is_valid(const void *hll)
{
	return nj_hll_valid(hll);
}

static const struct nj_field hll_rows[] = {
	NJ_FIELD(struct nj_hll, hash), /* or packed: the same bytes */
	NJ_FIELD(struct nj_hll, exact_n),
	NJ_FIELD(struct nj_hll, dense),
};
const struct nj_fields nj_hll_fields = NJ_FIELDS(struct nj_hll, hll_rows, hll_is_valid);

static bool bloom_is_valid(const void *bloom)
{
	const struct nj_bloom *b = bloom;
	return b->filling <= 1 && b->half_life_ns > 0 && b->bits_log2 >= 6 && b->bits_log2 <= 30;
}

static const struct nj_field bloom_rows[] = {
	NJ_FIELD(struct nj_bloom, half_life_ns), NJ_FIELD(struct nj_bloom, turned_ns),
	NJ_FIELD(struct nj_bloom, bits_log2),    NJ_FIELD(struct nj_bloom, filling),
	NJ_FIELD(struct nj_bloom, added),
};
const struct nj_fields nj_bloom_fields = NJ_FIELDS(struct nj_bloom, bloom_rows, bloom_is_valid);

static const struct nj_field scan_rows[] = {
	NJ_FIELD(struct nj_scan, score),    NJ_FIELD(struct nj_scan, since_ns), NJ_FIELD(struct nj_scan, contacts),
	NJ_FIELD(struct nj_scan, failures), NJ_FIELD(struct nj_scan, dark),     NJ_FIELD(struct nj_scan, reserved),
};
const struct nj_fields nj_scan_fields = NJ_FIELDS(struct nj_scan, scan_rows, NULL);

static const struct nj_field cusum_rows[] = {
	NJ_FIELD(struct nj_cusum, sum),
	NJ_FIELD(struct nj_cusum, since_ns),
	NJ_FIELD(struct nj_cusum, steps),
	NJ_FIELD(struct nj_cusum, reserved),
};
const struct nj_fields nj_cusum_fields = NJ_FIELDS(struct nj_cusum, cusum_rows, NULL);

static const struct nj_field pcr_rows[] = {
	NJ_FIELD(struct nj_pcr, weight),
	NJ_FIELD(struct nj_pcr, sum),
	NJ_FIELD(struct nj_pcr, squares),
	NJ_FIELD(struct nj_pcr, t_ns),
	NJ_FIELD_STRUCT(struct nj_pcr, cusum, &nj_cusum_fields),
};
const struct nj_fields nj_pcr_fields = NJ_FIELDS(struct nj_pcr, pcr_rows, NULL);

static const struct nj_field heavy_rows[] = {
	NJ_FIELD(struct nj_heavy, key),
	NJ_FIELD(struct nj_heavy, count),
	NJ_FIELD(struct nj_heavy, error),
};
const struct nj_fields nj_heavy_fields = NJ_FIELDS(struct nj_heavy, heavy_rows, NULL);

static bool sample_is_valid(const void *sample)
{
	return nj_dns_sample_valid(sample);
}

static const struct nj_field dns_sample_rows[] = {NJ_FIELD(struct nj_dns_sample, value)};
static const struct nj_fields dns_sample_fields = NJ_FIELDS(struct nj_dns_sample, dns_sample_rows, sample_is_valid);

static const struct nj_field dns_entry_rows[] = {
	NJ_FIELD(struct nj_dns_entry, domain),
	NJ_FIELD_STRUCT(struct nj_dns_entry, sample, &dns_sample_fields),
};
const struct nj_fields nj_dns_entry_fields = NJ_FIELDS(struct nj_dns_entry, dns_entry_rows, NULL);

static bool beacon_is_valid(const void *beacon)
{
	const struct nj_beacon *b = beacon;
	return b->head < NJ_BEACON_RING && b->n <= NJ_BEACON_RING;
}

static const struct nj_field beacon_rows[] = {
	NJ_FIELD(struct nj_beacon, last_ns),
	NJ_FIELD(struct nj_beacon, start_ns),
	NJ_FIELD(struct nj_beacon, pending_bytes),
	NJ_FIELD(struct nj_beacon, gap),
	NJ_FIELD(struct nj_beacon, size),
	NJ_FIELD(struct nj_beacon, head),
	NJ_FIELD(struct nj_beacon, n),
	NJ_FIELD(struct nj_beacon, reserved),
};
const struct nj_fields nj_beacon_fields = NJ_FIELDS(struct nj_beacon, beacon_rows, beacon_is_valid);

static const struct nj_field cell_rows[] = {
	NJ_FIELD(struct nj_baseline_cell, level),
	NJ_FIELD(struct nj_baseline_cell, scale),
	NJ_FIELD(struct nj_baseline_cell, visits),
};
const struct nj_fields nj_baseline_cell_fields = NJ_FIELDS(struct nj_baseline_cell, cell_rows, NULL);

static const struct nj_field week_rows[] = {NJ_FIELD_STRUCT(struct nj_baseline_week, cell, &nj_baseline_cell_fields)};
const struct nj_fields nj_baseline_week_fields = NJ_FIELDS(struct nj_baseline_week, week_rows, NULL);

static const struct nj_field day_rows[] = {NJ_FIELD_STRUCT(struct nj_baseline_day, cell, &nj_baseline_cell_fields)};
const struct nj_fields nj_baseline_day_fields = NJ_FIELDS(struct nj_baseline_day, day_rows, NULL);

static const struct nj_field echo_rows[] = {
	NJ_FIELD(struct nj_icmp_echo, packets),     NJ_FIELD(struct nj_icmp_echo, payload_bytes),
	NJ_FIELD(struct nj_icmp_echo, large),       NJ_FIELD(struct nj_icmp_echo, mismatched),
	NJ_FIELD(struct nj_icmp_echo, unsolicited), NJ_FIELD(struct nj_icmp_echo, entropy_mbit),
};
const struct nj_fields nj_icmp_echo_fields = NJ_FIELDS(struct nj_icmp_echo, echo_rows, NULL);

static const struct nj_field gpd_rows[] = {NJ_FIELD(struct nj_gpd, shape), NJ_FIELD(struct nj_gpd, scale)};
static const struct nj_fields gpd_fields = NJ_FIELDS(struct nj_gpd, gpd_rows, NULL);

static bool tail_is_valid(const void *tail)
{
	return nj_tail_valid(tail);
}

static const struct nj_field tail_rows[] = {
	NJ_FIELD(struct nj_tail, resolution), NJ_FIELD(struct nj_tail, gate_p),
	NJ_FIELD(struct nj_tail, threshold),  NJ_FIELD_STRUCT(struct nj_tail, gpd, &gpd_fields),
	NJ_FIELD(struct nj_tail, anomalies),  NJ_FIELD(struct nj_tail, count),
	NJ_FIELD(struct nj_tail, excess),     NJ_FIELD(struct nj_tail, head),
	NJ_FIELD(struct nj_tail, n),          NJ_FIELD(struct nj_tail, unfitted),
	NJ_FIELD(struct nj_tail, fitted_n),   NJ_FIELD(struct nj_tail, bucket),
	NJ_FIELD(struct nj_tail, reserved),
};
const struct nj_fields nj_tail_fields = NJ_FIELDS(struct nj_tail, tail_rows, tail_is_valid);

static bool positive(double x)
{
	return x > 0 && isfinite(x);
}

static bool budget_is_valid(const void *budget)
{
	const struct nj_budget *b = budget;
	return positive(b->params.alerts_per_day) && positive(b->params.tests_per_day) && b->params.run_ns > 0 &&
	       positive(b->alerts_effective) && isfinite(b->threshold) && b->day <= UINT64_MAX / 86400000000000ull;
}

static const struct nj_field params_rows[] = {
	NJ_FIELD(struct nj_budget_params, alerts_per_day),
	NJ_FIELD(struct nj_budget_params, tests_per_day),
	NJ_FIELD(struct nj_budget_params, peak_min),
	NJ_FIELD(struct nj_budget_params, run_ns),
};
static const struct nj_fields params_fields = NJ_FIELDS(struct nj_budget_params, params_rows, NULL);

static const struct nj_field budget_rows[] = {
	NJ_FIELD_STRUCT(struct nj_budget, params, &params_fields),
	NJ_FIELD(struct nj_budget, alerts_effective),
	NJ_FIELD(struct nj_budget, threshold),
	NJ_FIELD(struct nj_budget, start_ns),
	NJ_FIELD(struct nj_budget, fitted_ns),
	NJ_FIELD(struct nj_budget, day),
	NJ_FIELD(struct nj_budget, alerts_today),
	NJ_FIELD(struct nj_budget, evicted),
	NJ_FIELD_2D(struct nj_budget, peaks),
};
const struct nj_fields nj_budget_fields = NJ_FIELDS(struct nj_budget, budget_rows, budget_is_valid);

static bool run_is_valid(const void *run)
{
	const struct nj_budget_run *r = run;
	return r->peak >= 0; /* it chooses a level of the histogram */
}

static const struct nj_field run_rows[] = {
	NJ_FIELD(struct nj_budget_run, key),
	NJ_FIELD(struct nj_budget_run, last_ns),
	NJ_FIELD(struct nj_budget_run, day),
	NJ_FIELD(struct nj_budget_run, peak),
};
const struct nj_fields nj_budget_run_fields = NJ_FIELDS(struct nj_budget_run, run_rows, run_is_valid);

/* ---- thinking and acting */

static const struct nj_field stretch_rows[] = {
	NJ_FIELD(struct nj_loop_stretch, start_ms),
	NJ_FIELD(struct nj_loop_stretch, end_ms),
};
static const struct nj_fields stretch_fields = NJ_FIELDS(struct nj_loop_stretch, stretch_rows, NULL);

static const struct nj_field action_rows[] = {
	NJ_FIELD(struct nj_loop_action, start_ms),
	NJ_FIELD(struct nj_loop_action, lasted),
	NJ_FIELD(struct nj_loop_action, peer),
};
static const struct nj_fields action_fields = NJ_FIELDS(struct nj_loop_action, action_rows, NULL);

static bool actions_are_valid(const void *actions)
{
	return ((const struct nj_actions *)actions)->n <= NJ_LOOP_ACTIONS;
}

static const struct nj_field actions_rows[] = {
	NJ_FIELD(struct nj_actions, latest_ms),
	NJ_FIELD(struct nj_actions, seen),
	NJ_FIELD(struct nj_actions, n),
	NJ_FIELD(struct nj_actions, reserved),
	NJ_FIELD_STRUCT(struct nj_actions, action, &action_fields),
};
const struct nj_fields nj_actions_fields = NJ_FIELDS(struct nj_actions, actions_rows, actions_are_valid);

static bool loop_is_valid(const void *loop)
{
	return ((const struct nj_loop *)loop)->n <= NJ_LOOP_TURNS;
}

static const struct nj_field loop_rows[] = {
	NJ_FIELD(struct nj_loop, latest_ms), NJ_FIELD(struct nj_loop, minutes),
	NJ_FIELD(struct nj_loop, turns),     NJ_FIELD(struct nj_loop, n),
	NJ_FIELD(struct nj_loop, reserved),  NJ_FIELD_STRUCT(struct nj_loop, exchange, &stretch_fields),
};
const struct nj_fields nj_loop_fields = NJ_FIELDS(struct nj_loop, loop_rows, loop_is_valid);

static const struct nj_field growth_rows[] = {
	NJ_FIELD(struct nj_growth, up),
	NJ_FIELD(struct nj_growth, n),
	NJ_FIELD(struct nj_growth, resets),
	NJ_FIELD(struct nj_growth, reserved),
};
const struct nj_fields nj_growth_fields = NJ_FIELDS(struct nj_growth, growth_rows, NULL);

static bool adapt_is_valid(const void *adapt)
{
	const struct nj_adapt *a = adapt;
	return a->result < NJ_ADAPT_RESULTS && a->hosts_n <= NJ_ADAPT_HOSTS && a->hosts_head < NJ_ADAPT_HOSTS;
}

static const struct nj_field adapt_rows[] = {
	NJ_FIELD(struct nj_adapt, t_ns),        NJ_FIELD_2D(struct nj_adapt, count),
	NJ_FIELD(struct nj_adapt, host),        NJ_FIELD(struct nj_adapt, port),
	NJ_FIELD(struct nj_adapt, result),      NJ_FIELD(struct nj_adapt, known),
	NJ_FIELD(struct nj_adapt, hosts_n),     NJ_FIELD(struct nj_adapt, hosts_head),
	NJ_FIELD(struct nj_adapt, follow_host), NJ_FIELD(struct nj_adapt, follow_left),
	NJ_FIELD(struct nj_adapt, reserved),    NJ_FIELD(struct nj_adapt, followed),
	NJ_FIELD(struct nj_adapt, follows),     NJ_FIELD(struct nj_adapt, hosts),
	NJ_FIELD(struct nj_adapt, actions),
};
const struct nj_fields nj_adapt_fields = NJ_FIELDS(struct nj_adapt, adapt_rows, adapt_is_valid);

static const struct nj_field novelty_rows[] = {
	NJ_FIELD(struct nj_novelty, symbol),   NJ_FIELD(struct nj_novelty, request),
	NJ_FIELD(struct nj_novelty, symbols),  NJ_FIELD(struct nj_novelty, requests),
	NJ_FIELD(struct nj_novelty, reserved),
};
const struct nj_fields nj_novelty_fields = NJ_FIELDS(struct nj_novelty, novelty_rows, NULL);

static const struct nj_field turns_rows[] = {
	NJ_FIELD(struct nj_turns, t_ns),
	NJ_FIELD(struct nj_turns, turns),
	NJ_FIELD(struct nj_turns, act),
	NJ_FIELD(struct nj_turns, reserved),
};
const struct nj_fields nj_turns_fields = NJ_FIELDS(struct nj_turns, turns_rows, NULL);

static const struct nj_field surprisal_rows[] = {
	NJ_FIELD(struct nj_surprisal, sum),      NJ_FIELD(struct nj_surprisal, t_ns),
	NJ_FIELD(struct nj_surprisal, since_ns), NJ_FIELD(struct nj_surprisal, edges),
	NJ_FIELD(struct nj_surprisal, level),    NJ_FIELD(struct nj_surprisal, scale),
	NJ_FIELD(struct nj_surprisal, hours),    NJ_FIELD(struct nj_surprisal, reserved),
};
const struct nj_fields nj_surprisal_fields = NJ_FIELDS(struct nj_surprisal, surprisal_rows, NULL);
