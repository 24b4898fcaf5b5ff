/* The schema table of nightjar-sensor, and how its values become the options of pipeline and shipper. */
#include "sensor/sensor_config.h"

#include "sensor/live.h"
#include "sensor/pipeline.h"
#include "sensor/shipper.h"

#include <stdlib.h>
#include <string.h>

#define ROW(...) NJ_OPTION_ROW(struct nj_sensor_config, __VA_ARGS__)
static const struct nj_option rows[] = {NJ_SENSOR_OPTIONS(ROW)};
#undef ROW

const struct nj_schema nj_sensor_schema = {rows, sizeof rows / sizeof *rows};

/* Taken over by a running sensor; the inventory, whose file may have changed under the same name, always is. */
static const char *const changeable[] = {"bpf", "inventory", "stats"};

void nj_sensor_config_pipeline(const struct nj_sensor_config *config, struct nj_pipeline_options *ret_options)
{
	struct nj_worker_options *worker = &ret_options->worker;
	*ret_options = (struct nj_pipeline_options){.workers = config->workers};
	nj_worker_options_init(worker);
	worker->ai_endpoints = config->ai_endpoints;
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
	ret_options->aggregator = config->aggregator.text[0];
	for (uint32_t i = 1; i < config->aggregator.n; i++) {
		ret_options->others[i - 1] = config->aggregator.text[i];
		ret_options->other_keys[i - 1] = i < config->aggregator_key.n ? config->aggregator_key.text[i] : NULL;
	}
	ret_options->others_n = config->aggregator.n - 1;
	ret_options->failover_ms = config->failover * 1000;
	ret_options->failback_ms = config->failback * 1000;
	ret_options->plain_tcp = config->plain_tcp;
	ret_options->secret_key = config->secret_key[0] != '\0' ? config->secret_key : NULL;
	ret_options->aggregator_key = config->aggregator_key.n > 0 ? config->aggregator_key.text[0] : NULL;
	ret_options->journal_path = config->journal;
	ret_options->journal_bytes_max = config->journal_bytes_max;
	ret_options->finish_ms = config->finish * 1000;
	ret_options->key_id = key.id;
}

static int processors(const struct nj_option_list *list, uint32_t *cpus, struct nj_message *message)
{
	for (uint32_t i = 0; i < list->n; i++) {
		char *end;
		unsigned long cpu = strtoul(list->text[i], &end, 10);
		if (list->text[i][0] < '0' || list->text[i][0] > '9' || *end != '\0' || cpu > UINT16_MAX)
			return nj_fail(message, NJ_ERR_USAGE, "cpus: '%.40s' is not the number of a processor",
				       list->text[i]);
		cpus[i] = (uint32_t)cpu;
	}
	return NJ_OK;
}

int nj_sensor_config_live(const struct nj_sensor_config *config, struct nj_sensor_lists *ret_lists,
			  struct nj_live_options *ret_options, struct nj_message *message)
{
	struct nj_pipeline_options pipeline;
	nj_sensor_config_pipeline(config, &pipeline);
	for (uint32_t i = 0; i < config->interfaces.n; i++)
		ret_lists->interfaces[i] = config->interfaces.text[i];
	*ret_options = (struct nj_live_options){.worker = pipeline.worker,
						.workers = pipeline.workers,
						.interfaces = ret_lists->interfaces,
						.interfaces_n = config->interfaces.n,
						.filter = config->bpf,
						.snap_bytes = config->snap_bytes,
						.ring_bytes = (uint32_t)config->ring_bytes,
						.read_timeout_ms = config->read_timeout,
						.promiscuous = config->promiscuous,
						.cpus = ret_lists->cpus,
						.cpus_n = config->cpus.n};
	return processors(&config->cpus, ret_lists->cpus, message);
}

const char *nj_sensor_config_needs_restart(const struct nj_sensor_config *running,
					   const struct nj_sensor_config *wanted)
{
	const char *name = NULL;
	while ((name = nj_config_difference(&nj_sensor_schema, running, wanted, name)) != NULL) {
		bool may = false;
		for (size_t i = 0; i < sizeof changeable / sizeof changeable[0]; i++)
			may = may || strcmp(name, changeable[i]) == 0;
		if (!may)
			return name;
	}
	return NULL;
}
