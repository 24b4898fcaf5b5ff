/* The states of models/ as tables of members (common/layout.h), for snapshots. models/ knows no layout, so its structs
 * are described here; a member added there needs its row here, and a test that walks all tables says so. */
#ifndef NJ_AGGREGATOR_MODEL_LAYOUT_H
#define NJ_AGGREGATOR_MODEL_LAYOUT_H

#include "common/layout.h"

extern const struct nj_fields nj_hll_fields, nj_bloom_fields, nj_scan_fields, nj_cusum_fields, nj_pcr_fields,
	nj_heavy_fields, nj_dns_entry_fields, nj_beacon_fields, nj_baseline_week_fields, nj_baseline_day_fields,
	nj_baseline_cell_fields, nj_icmp_echo_fields, nj_tail_fields, nj_budget_fields, nj_budget_run_fields,
	nj_addr_fields, nj_agent_id_fields, nj_loop_fields, nj_growth_fields, nj_actions_fields, nj_adapt_fields,
	nj_novelty_fields, nj_turns_fields, nj_surprisal_fields;

#endif
