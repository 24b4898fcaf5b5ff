/* The schema table of nightjar-sensor, and how its values become the options of pipeline and shipper. */
#include "sensor/sensor_config.h"

#include "sensor/pipeline.h"
#include "sensor/shipper.h"

#define ROW(...) NJ_OPTION_ROW(struct nj_sensor_config, __VA_ARGS__)
static const struct nj_option rows[] = {NJ_SENSOR_OPTIONS(ROW)};
#undef ROW

const struct nj_schema nj_sensor_schema = {rows, sizeof rows / sizeof *rows};

void nj_sensor_config_pipeline(const struct nj_sensor_config *config, struct nj_pipeline_options *ret_options)
{
	struct nj_worker_options *worker = &ret_options->worker;
	*ret_options = (struct nj_pipeline_options){.workers = config->workers};
	nj_worker_options_init(worker);
	worker->window_ms = config->window;
	worker->flows_max = config->flows_max;
	worker->classifying_max = config->classifying_max;
	worker->inspecting_max = config->inspecting_max;
	worker->ledger_entries_max = config->ledger_entries_max;
	worker->fragments_max = config->fragments_max;
	worker->idle_tcp_s = config->idle_tcp;
	worker->idle_udp_s = config->idle_udp;
	worker->idle_icmp_s = config->idle_icmp;
	worker->answer_s = config->answer;
	worker->ndpi_tcp_packets_max = (uint8_t)config->ndpi_tcp_packets;
	worker->ndpi_udp_packets_max = (uint8_t)config->ndpi_udp_packets;
	nj_hash_key_derive(config->hash_key, &worker->hash_key);
}

void nj_sensor_config_shipper(const struct nj_sensor_config *config, struct nj_shipper_options *ret_options)
{
	struct nj_hash_key key;
	nj_hash_key_derive(config->hash_key, &key);
	nj_shipper_options_init(ret_options);
	ret_options->sensor = config->sensor;
	ret_options->tap_group = config->tap_group;
	ret_options->aggregator = config->aggregator;
	ret_options->journal_path = config->journal;
	ret_options->journal_bytes_max = config->journal_bytes_max;
	ret_options->finish_ms = config->finish * 1000;
	ret_options->key_id = key.id;
}
