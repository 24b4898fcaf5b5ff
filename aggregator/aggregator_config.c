/* The schema table of nightjar-aggregator, and how its values become the aggregator's options. */
#include "aggregator/aggregator_config.h"

#include "aggregator/aggregator.h"

#define ROW(...) NJ_OPTION_ROW(struct nj_aggregator_config, __VA_ARGS__)
static const struct nj_option rows[] = {NJ_AGGREGATOR_OPTIONS(ROW)};
#undef ROW

const struct nj_schema nj_aggregator_schema = {rows, sizeof rows / sizeof *rows};

static const char *or_none(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

void nj_aggregator_config_options(const struct nj_aggregator_config *config, struct nj_aggregator_options *ret_options)
{
	nj_aggregator_options_init(ret_options);
	ret_options->listen = config->listen;
	ret_options->plain_tcp = config->plain_tcp;
	ret_options->secret_key = or_none(config->secret_key);
	ret_options->authorized_sensors = or_none(config->authorized_sensors);
	ret_options->connections_max = config->connections_max;
	ret_options->journal_path = config->journal;
	ret_options->store_path = or_none(config->store);
	ret_options->baseline_path = or_none(config->baseline);
	ret_options->sensors_expected = config->sensors;
	ret_options->hold_s = config->hold;
	ret_options->sensor_silent_s = config->sensor_silent;
	ret_options->sensor_dropped_share = config->sensor_dropped_share;
	ret_options->sensor_clock_offset_s = config->sensor_clock_offset;
	ret_options->sensor_journal_share = config->sensor_journal_share;
	ret_options->shards = config->shards;
	ret_options->agents_max = config->agents_max;
	ret_options->fleet_entries_max = config->popularity_entries;
	ret_options->alerts_per_day = config->alerts_per_day;
	ret_options->journal_bytes_max = config->journal_bytes_max;
	ret_options->pending_bytes_max = config->pending_bytes_max;
	nj_hash_key_derive(config->hash_key, &ret_options->hash_key);
}
