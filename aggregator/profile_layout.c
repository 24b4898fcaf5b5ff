/* In the order of aggregator/profile.h. */
#include "aggregator/profile_layout.h"

#include "aggregator/model_layout.h"
#include "aggregator/profile.h"

static const struct nj_field sighting_rows[] = {
	NJ_FIELD_STRUCT(struct nj_sighting, peer, &nj_addr_fields),
	NJ_FIELD(struct nj_sighting, t_ns),
	NJ_FIELD(struct nj_sighting, port),
	NJ_FIELD(struct nj_sighting, flow_port),
	NJ_FIELD(struct nj_sighting, protocol),
	NJ_FIELD(struct nj_sighting, outcome),
	NJ_FIELD(struct nj_sighting, reserved),
};
static const struct nj_fields sighting_fields = NJ_FIELDS(struct nj_sighting, sighting_rows, NULL);

/* ---- edges */

static const struct nj_field run_rows[] = {
	NJ_FIELD_STRUCT(struct nj_scan_run, scan, &nj_scan_fields),
	NJ_FIELD(struct nj_scan_run, refused),
	NJ_FIELD(struct nj_scan_run, unanswered),
	NJ_FIELD(struct nj_scan_run, reset),
	NJ_FIELD(struct nj_scan_run, answered),
	NJ_FIELD(struct nj_scan_run, arp),
	NJ_FIELD(struct nj_scan_run, icmp),
	NJ_FIELD_STRUCT(struct nj_scan_run, peers, &nj_hll_fields),
	NJ_FIELD_STRUCT(struct nj_scan_run, ports, &nj_hll_fields),
	NJ_FIELD_STRUCT(struct nj_scan_run, sighting, &sighting_fields),
	NJ_FIELD(struct nj_scan_run, sightings),
	NJ_FIELD(struct nj_scan_run, port_last),
	NJ_FIELD(struct nj_scan_run, last_ns),
	NJ_FIELD(struct nj_scan_run, tests),
	NJ_FIELD(struct nj_scan_run, judged),
};
static const struct nj_fields run_fields = NJ_FIELDS(struct nj_scan_run, run_rows, NULL);

static const struct nj_field turning_rows[] = {
	NJ_FIELD(struct nj_turning, slot),
	NJ_FIELD_STRUCT(struct nj_turning, now, &nj_hll_fields),
	NJ_FIELD_STRUCT(struct nj_turning, before, &nj_hll_fields),
};
static const struct nj_fields turning_fields = NJ_FIELDS(struct nj_turning, turning_rows, NULL);

static bool edges_are_valid(const void *block)
{
	const struct nj_block_edges *edges = block;
	return edges->bloom.bits_log2 == NJ_EDGE_BITS_LOG2;
}

static const struct nj_field edges_rows[] = {
	NJ_FIELD_STRUCT(struct nj_block_edges, bloom, &nj_bloom_fields),
	NJ_FIELD(struct nj_block_edges, bits),
	NJ_FIELD_STRUCT(struct nj_block_edges, run, &run_fields),
	NJ_FIELD(struct nj_block_edges, answered),
	NJ_FIELD(struct nj_block_edges, failed),
	NJ_FIELD(struct nj_block_edges, failing_told),
	NJ_FIELD_STRUCT(struct nj_block_edges, failing_day, &turning_fields),
	NJ_FIELD_STRUCT(struct nj_block_edges, failing_week, &turning_fields),
};
static const struct nj_fields edges_fields = NJ_FIELDS(struct nj_block_edges, edges_rows, edges_are_valid);

/* ---- fan */

static const struct nj_field counting_rows[] = {
	NJ_FIELD(struct nj_counting, slot),
	NJ_FIELD_STRUCT(struct nj_counting, now, &nj_hll_fields),
	NJ_FIELD(struct nj_counting, told),
};
static const struct nj_fields counting_fields = NJ_FIELDS(struct nj_counting, counting_rows, NULL);

static const struct nj_field fan_rows[] = {
	NJ_FIELD_STRUCT(struct nj_block_fan, peers, &counting_fields),
	NJ_FIELD_STRUCT(struct nj_block_fan, sighting, &sighting_fields),
	NJ_FIELD(struct nj_block_fan, sightings),
};
static const struct nj_fields fan_fields = NJ_FIELDS(struct nj_block_fan, fan_rows, NULL);

/* ---- targets */

static const struct nj_field target_rows[] = {
	NJ_FIELD_STRUCT(struct nj_target, peer, &nj_addr_fields),
	NJ_FIELD(struct nj_target, first_ns),
	NJ_FIELD(struct nj_target, last_ns),
	NJ_FIELD(struct nj_target, out),
	NJ_FIELD(struct nj_target, in),
	NJ_FIELD(struct nj_target, out_day_told),
	NJ_FIELD(struct nj_target, uploads),
	NJ_FIELD(struct nj_target, port),
	NJ_FIELD(struct nj_target, flow_port),
	NJ_FIELD(struct nj_target, protocol),
	NJ_FIELD(struct nj_target, fresh),
	NJ_FIELD(struct nj_target, outside),
	NJ_FIELD(struct nj_target, name),
};
static const struct nj_fields target_fields = NJ_FIELDS(struct nj_target, target_rows, NULL);

static const struct nj_field targets_rows[] = {
	NJ_FIELD_STRUCT(struct nj_block_targets, slot, &nj_heavy_fields),
	NJ_FIELD_STRUCT(struct nj_block_targets, target, &target_fields),
	NJ_FIELD_STRUCT(struct nj_block_targets, pcr, &nj_pcr_fields),
	NJ_FIELD(struct nj_block_targets, pcr_slot),
	NJ_FIELD(struct nj_block_targets, pcr_out),
	NJ_FIELD(struct nj_block_targets, pcr_in),
	NJ_FIELD(struct nj_block_targets, pcr_sum_out),
	NJ_FIELD(struct nj_block_targets, pcr_sum_in),
};
static const struct nj_fields targets_fields = NJ_FIELDS(struct nj_block_targets, targets_rows, NULL);

/* ---- names */

static const struct nj_field name_rows[] = {
	NJ_FIELD(struct nj_name, text),       NJ_FIELD(struct nj_name, domain),    NJ_FIELD(struct nj_name, first_ns),
	NJ_FIELD(struct nj_name, queries),    NJ_FIELD(struct nj_name, free_text), NJ_FIELD(struct nj_name, nxdomain),
	NJ_FIELD(struct nj_name, name_bytes), NJ_FIELD(struct nj_name, told),
};
static const struct nj_fields name_fields = NJ_FIELDS(struct nj_name, name_rows, NULL);

static const struct nj_field names_rows[] = {
	NJ_FIELD(struct nj_block_names, slot),
	NJ_FIELD_STRUCT(struct nj_block_names, entry, &nj_dns_entry_fields),
	NJ_FIELD_STRUCT(struct nj_block_names, name, &name_fields),
};
static const struct nj_fields names_fields = NJ_FIELDS(struct nj_block_names, names_rows, NULL);

/* ---- calls */

static const struct nj_field call_rows[] = {
	NJ_FIELD(struct nj_call, key),
	NJ_FIELD_STRUCT(struct nj_call, beacon, &nj_beacon_fields),
	NJ_FIELD_STRUCT(struct nj_call, peer, &nj_addr_fields),
	NJ_FIELD(struct nj_call, first_ns),
	NJ_FIELD(struct nj_call, bytes_out),
	NJ_FIELD(struct nj_call, bytes_in),
	NJ_FIELD(struct nj_call, events),
	NJ_FIELD(struct nj_call, dull),
	NJ_FIELD(struct nj_call, port),
	NJ_FIELD(struct nj_call, flow_port),
	NJ_FIELD(struct nj_call, protocol),
	NJ_FIELD(struct nj_call, outside),
	NJ_FIELD(struct nj_call, fresh),
	NJ_FIELD(struct nj_call, reserved),
	NJ_FIELD(struct nj_call, name),
};
static const struct nj_fields call_fields = NJ_FIELDS(struct nj_call, call_rows, NULL);

static const struct nj_field calls_rows[] = {NJ_FIELD_STRUCT(struct nj_block_calls, call, &call_fields)};
static const struct nj_fields calls_fields = NJ_FIELDS(struct nj_block_calls, calls_rows, NULL);

/* ---- history */

static const struct nj_field history_rows[] = {
	NJ_FIELD_STRUCT(struct nj_block_history, out, &nj_baseline_week_fields),
	NJ_FIELD_STRUCT(struct nj_block_history, fan, &nj_baseline_day_fields),
};
static const struct nj_fields history_fields = NJ_FIELDS(struct nj_block_history, history_rows, NULL);

/* ---- thinking and acting */

static const struct nj_field brain_rows[] = {
	NJ_FIELD(struct nj_brain, key),
	NJ_FIELD(struct nj_brain, action_peer),
	NJ_FIELD_STRUCT(struct nj_brain, loop, &nj_loop_fields),
	NJ_FIELD_STRUCT(struct nj_brain, growth, &nj_growth_fields),
	NJ_FIELD_STRUCT(struct nj_brain, peer, &nj_addr_fields),
	NJ_FIELD(struct nj_brain, first_ns),
	NJ_FIELD(struct nj_brain, last_ns),
	NJ_FIELD(struct nj_brain, bytes_up),
	NJ_FIELD(struct nj_brain, bytes_down),
	NJ_FIELD(struct nj_brain, excess_hour),
	NJ_FIELD(struct nj_brain, excess),
	NJ_FIELD(struct nj_brain, excess_told),
	NJ_FIELD(struct nj_brain, check_ns),
	NJ_FIELD(struct nj_brain, check_turn_s),
	NJ_FIELD(struct nj_brain, check_turns),
	NJ_FIELD(struct nj_brain, looked),
	NJ_FIELD(struct nj_brain, stream),
	NJ_FIELD(struct nj_brain, api),
	NJ_FIELD(struct nj_brain, p_llm),
	NJ_FIELD(struct nj_brain, agentic),
	NJ_FIELD(struct nj_brain, nats),
	NJ_FIELD(struct nj_brain, back),
	NJ_FIELD(struct nj_brain, z),
	NJ_FIELD(struct nj_brain, port),
	NJ_FIELD(struct nj_brain, flow_port),
	NJ_FIELD(struct nj_brain, flags),
	NJ_FIELD(struct nj_brain, protocol),
	NJ_FIELD(struct nj_brain, api_kind),
	NJ_FIELD(struct nj_brain, outside),
	NJ_FIELD(struct nj_brain, check_told),
	NJ_FIELD(struct nj_brain, reserved),
	NJ_FIELD(struct nj_brain, name),
	NJ_FIELD(struct nj_brain, client),
};
static const struct nj_fields brain_fields = NJ_FIELDS(struct nj_brain, brain_rows, NULL);

static const struct nj_field tool_rows[] = {
	NJ_FIELD_STRUCT(struct nj_ai_tool, peer, &nj_addr_fields),
	NJ_FIELD(struct nj_ai_tool, port),
	NJ_FIELD(struct nj_ai_tool, kind),
	NJ_FIELD(struct nj_ai_tool, name),
};
static const struct nj_fields tool_fields = NJ_FIELDS(struct nj_ai_tool, tool_rows, NULL);

static const struct nj_field ai_rows[] = {
	NJ_FIELD_STRUCT(struct nj_block_ai, brain, &brain_fields),
	NJ_FIELD_STRUCT(struct nj_block_ai, actions, &nj_actions_fields),
	NJ_FIELD_STRUCT(struct nj_block_ai, adapt, &nj_adapt_fields),
	NJ_FIELD_STRUCT(struct nj_block_ai, novelty, &nj_novelty_fields),
	NJ_FIELD_STRUCT(struct nj_block_ai, turns, &nj_turns_fields),
	NJ_FIELD_STRUCT(struct nj_block_ai, tool, &tool_fields),
	NJ_FIELD(struct nj_block_ai, tool_calls),
	NJ_FIELD(struct nj_block_ai, odds_told),
};
static const struct nj_fields ai_fields = NJ_FIELDS(struct nj_block_ai, ai_rows, NULL);

/* ---- getting further */

static const struct nj_field inbound_rows[] = {
	NJ_FIELD_STRUCT(struct nj_inbound, peer, &nj_addr_fields),
	NJ_FIELD(struct nj_inbound, t_ns),
	NJ_FIELD(struct nj_inbound, since_ns),
	NJ_FIELD(struct nj_inbound, bits),
	NJ_FIELD(struct nj_inbound, port),
	NJ_FIELD(struct nj_inbound, protocol),
	NJ_FIELD(struct nj_inbound, reserved),
};
static const struct nj_fields inbound_fields = NJ_FIELDS(struct nj_inbound, inbound_rows, NULL);

static const struct nj_field access_rows[] = {
	NJ_FIELD_STRUCT(struct nj_block_access, surprisal, &nj_surprisal_fields),
	NJ_FIELD(struct nj_block_access, hour),
	NJ_FIELD(struct nj_block_access, hour_bits),
	NJ_FIELD(struct nj_block_access, surprise_told),
	NJ_FIELD_STRUCT(struct nj_block_access, edge, &sighting_fields),
	NJ_FIELD(struct nj_block_access, edges),
	NJ_FIELD_STRUCT(struct nj_block_access, inbound, &inbound_fields),
	NJ_FIELD_STRUCT(struct nj_block_access, principals, &nj_hll_fields),
	NJ_FIELD_STRUCT(struct nj_block_access, services, &nj_hll_fields),
	NJ_FIELD(struct nj_block_access, names_hour),
	NJ_FIELD(struct nj_block_access, principals_told),
	NJ_FIELD(struct nj_block_access, services_told),
	NJ_FIELD(struct nj_block_access, rc4),
	NJ_FIELD(struct nj_block_access, tickets),
	NJ_FIELD(struct nj_block_access, denied),
	NJ_FIELD(struct nj_block_access, reserved),
};
static const struct nj_fields access_fields = NJ_FIELDS(struct nj_block_access, access_rows, NULL);

/* ---- the profile */

static const struct nj_field span_rows[] = {
	NJ_FIELD(struct nj_span, slot),   NJ_FIELD(struct nj_span, out),  NJ_FIELD(struct nj_span, in),
	NJ_FIELD(struct nj_span, served), NJ_FIELD(struct nj_span, told), NJ_FIELD(struct nj_span, suspect),
};
static const struct nj_fields span_fields = NJ_FIELDS(struct nj_span, span_rows, NULL);

static const struct nj_field login_rows[] = {
	NJ_FIELD(struct nj_login, sum),       NJ_FIELD(struct nj_login, t_ns),
	NJ_FIELD(struct nj_login, since_ns),  NJ_FIELD(struct nj_login, failed),
	NJ_FIELD(struct nj_login, succeeded), NJ_FIELD_STRUCT(struct nj_login, peer, &sighting_fields),
};
static const struct nj_fields login_fields = NJ_FIELDS(struct nj_login, login_rows, NULL);

static const struct nj_field profile_rows[] = {
	NJ_FIELD_STRUCT(struct nj_profile, agent, &nj_agent_id_fields),
	NJ_FIELD(struct nj_profile, group),
	NJ_FIELD(struct nj_profile, home),
	NJ_FIELD(struct nj_profile, used),
	NJ_FIELD(struct nj_profile, collected_told),
	NJ_FIELD(struct nj_profile, collected_day),
	NJ_FIELD(struct nj_profile, hash),
	NJ_FIELD(struct nj_profile, first_ns),
	NJ_FIELD(struct nj_profile, last_ns),
	NJ_FIELD(struct nj_profile, windows),
	NJ_FIELD(struct nj_profile, flows),
	NJ_FIELD(struct nj_profile, flows_one_sided),
	NJ_FIELD(struct nj_profile, collected),
	NJ_FIELD(struct nj_profile, fleet_day),
	NJ_FIELD(struct nj_profile, bytes_out),
	NJ_FIELD(struct nj_profile, bytes_in),
	NJ_FIELD_STRUCT(struct nj_profile, hour, &span_fields),
	NJ_FIELD_STRUCT(struct nj_profile, day, &span_fields),
	NJ_FIELD(struct nj_profile, learned_hours),
	NJ_FIELD(struct nj_profile, icmp.slot),
	NJ_FIELD_STRUCT(struct nj_profile, icmp.echo, &nj_icmp_echo_fields),
	NJ_FIELD(struct nj_profile, icmp.since_ns),
	NJ_FIELD_STRUCT(struct nj_profile, icmp.peer, &sighting_fields),
	NJ_FIELD(struct nj_profile, icmp.told),
	NJ_FIELD_STRUCT(struct nj_profile, login, &login_fields),
	NJ_FIELD(struct nj_profile, client),
	NJ_FIELD_SKIP(struct nj_profile, edges), /* the blocks are sections of their own */
	NJ_FIELD_SKIP(struct nj_profile, fan),
	NJ_FIELD_SKIP(struct nj_profile, targets),
	NJ_FIELD_SKIP(struct nj_profile, names),
	NJ_FIELD_SKIP(struct nj_profile, calls),
	NJ_FIELD_SKIP(struct nj_profile, history),
	NJ_FIELD_SKIP(struct nj_profile, ai),
	NJ_FIELD_SKIP(struct nj_profile, access),
	NJ_FIELD_SKIP(struct nj_profile, taken), /* of the table's present life */
	NJ_FIELD_SKIP(struct nj_profile, recent),
	NJ_FIELD_SKIP(struct nj_profile, older),
};
const struct nj_fields nj_profile_fields = NJ_FIELDS(struct nj_profile, profile_rows, NULL);

static const struct nj_field summary_rows[] = {
	NJ_FIELD_STRUCT(struct nj_summary, agent, &nj_agent_id_fields),
	NJ_FIELD(struct nj_summary, used),
	NJ_FIELD(struct nj_summary, home),
	NJ_FIELD(struct nj_summary, group),
	NJ_FIELD(struct nj_summary, hash),
	NJ_FIELD(struct nj_summary, first_ns),
	NJ_FIELD(struct nj_summary, last_ns),
	NJ_FIELD(struct nj_summary, windows),
	NJ_FIELD(struct nj_summary, bytes_out),
	NJ_FIELD(struct nj_summary, bytes_in),
	NJ_FIELD(struct nj_summary, answered),
	NJ_FIELD(struct nj_summary, failed),
	NJ_FIELD(struct nj_summary, learned_hours),
	NJ_FIELD_STRUCT(struct nj_summary, out, &nj_baseline_cell_fields),
	NJ_FIELD_STRUCT(struct nj_summary, fan, &nj_baseline_cell_fields),
	NJ_FIELD_SKIP(struct nj_summary, reserved),
};
const struct nj_fields nj_summary_fields = NJ_FIELDS(struct nj_summary, summary_rows, NULL);

const struct nj_block_layout nj_block_layouts[] = {
	{"edges", &edges_fields, offsetof(struct nj_profile, edges)},
	{"fan", &fan_fields, offsetof(struct nj_profile, fan)},
	{"targets", &targets_fields, offsetof(struct nj_profile, targets)},
	{"names", &names_fields, offsetof(struct nj_profile, names)},
	{"calls", &calls_fields, offsetof(struct nj_profile, calls)},
	{"history", &history_fields, offsetof(struct nj_profile, history)},
	{"ai", &ai_fields, offsetof(struct nj_profile, ai)},
	{"access", &access_fields, offsetof(struct nj_profile, access)},
};
const uint32_t nj_block_layouts_n = sizeof nj_block_layouts / sizeof *nj_block_layouts;
