/* See alert_read.h. */
#include "cli/alert_read.h"

#include "cli/args.h"
#include "common/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void copy_text(const struct nj_json *value, char *text, size_t size)
{
	snprintf(text, size, "%s", nj_json_text(value, ""));
}

static uint64_t read_time(const struct nj_json *value)
{
	uint64_t t_ns = 0;
	(void)nj_time_parse(nj_json_text(value, "0"), &t_ns);
	return t_ns;
}

static uint8_t read_protocol(const char *words)
{
	char text[NJ_PROTOCOL_TEXT_MAX];
	for (unsigned i = 0; i < 256; i++) {
		if (strcmp(nj_protocol_text((uint8_t)i, text), words) == 0)
			return (uint8_t)i;
	}
	return 0;
}

static void read_features(const struct nj_json *list, struct nj_alert *alert)
{
	size_t n = nj_json_size(list);
	for (size_t i = 0; i < n && i < NJ_ALERT_FEATURES_MAX; i++) {
		const struct nj_json *item = nj_json_at(list, i);
		struct nj_alert_feature *feature = &alert->features[alert->features_n++];
		copy_text(nj_json_get(item, "name"), feature->name, sizeof feature->name);
		copy_text(nj_json_get(item, "unit"), feature->unit, sizeof feature->unit);
		feature->value = nj_json_double(nj_json_get(item, "value"), NAN);
		feature->usual = nj_json_double(nj_json_get(item, "usual"), NAN);
		feature->peers = nj_json_double(nj_json_get(item, "peers"), NAN);
		feature->share = nj_json_double(nj_json_get(item, "share"), NAN);
	}
}

static void read_peers(const struct nj_json *list, struct nj_alert *alert)
{
	size_t n = nj_json_size(list);
	for (size_t i = 0; i < n && i < NJ_ALERT_PEERS_MAX; i++) {
		const struct nj_json *item = nj_json_at(list, i);
		struct nj_alert_peer *peer = &alert->peers[alert->peers_n];
		if (!nj_addr_parse(nj_json_text(nj_json_get(item, "address"), ""), &peer->addr))
			continue;
		peer->port = (uint16_t)nj_json_u64(nj_json_get(item, "port"), 0);
		peer->protocol = read_protocol(nj_json_text(nj_json_get(item, "protocol"), ""));
		copy_text(nj_json_get(item, "name"), peer->name, sizeof peer->name);
		peer->bytes_out = nj_json_u64(nj_json_get(item, "bytes_out"), 0);
		peer->bytes_in = nj_json_u64(nj_json_get(item, "bytes_in"), 0);
		alert->peers_n++;
	}
}

static void read_lists(const struct nj_json *root, struct nj_alert *alert)
{
	const struct nj_json *list = nj_json_get(root, "technique");
	for (size_t i = 0; i < nj_json_size(list) && i < NJ_ALERT_TECHNIQUES_MAX; i++)
		copy_text(nj_json_at(list, i), alert->technique[alert->techniques_n++], sizeof alert->technique[0]);
	list = nj_json_get(root, "flows");
	for (size_t i = 0; i < nj_json_size(list) && i < NJ_ALERT_FLOWS_MAX; i++)
		copy_text(nj_json_at(list, i), alert->flows[alert->flows_n++], sizeof alert->flows[0]);
	read_features(nj_json_get(root, "features"), alert);
	read_peers(nj_json_get(root, "peers"), alert);
}

static void read_visibility(const struct nj_json *value, struct nj_alert *alert)
{
	alert->visibility.dropped_share = nj_json_double(nj_json_get(value, "dropped_share"), 0);
	alert->visibility.one_sided_share = nj_json_double(nj_json_get(value, "one_sided_share"), 0);
	alert->visibility.baseline_age_s = nj_json_double(nj_json_get(value, "baseline_age_s"), 0);
	copy_text(nj_json_get(value, "baseline"), alert->visibility.baseline, sizeof alert->visibility.baseline);
}

static bool read_alert(const struct nj_json *root, struct nj_alert *alert)
{
	const struct nj_json *agent = nj_json_get(root, "agent");
	if (!nj_severity_parse(nj_json_text(nj_json_get(root, "severity"), ""), &alert->severity))
		return false;
	if (!nj_addr_parse(nj_json_text(nj_json_get(agent, "address"), ""), &alert->agent.addr))
		return false;
	(void)nj_segment_parse(nj_json_text(nj_json_get(agent, "segment"), ""), &alert->agent.segment);
	alert->id = strtoull(nj_json_text(nj_json_get(root, "id"), "0"), NULL, 16);
	alert->time_ns = read_time(nj_json_get(root, "time"));
	alert->start_ns = read_time(nj_json_get(root, "start"));
	alert->end_ns = read_time(nj_json_get(root, "end"));
	copy_text(nj_json_get(agent, "name"), alert->agent_name, sizeof alert->agent_name);
	copy_text(nj_json_get(root, "client"), alert->client, sizeof alert->client);
	copy_text(nj_json_get(root, "detector"), alert->detector, sizeof alert->detector);
	copy_text(nj_json_get(root, "summary"), alert->summary, sizeof alert->summary);
	copy_text(nj_json_get(root, "sensor"), alert->sensor, sizeof alert->sensor);
	alert->score = nj_json_double(nj_json_get(root, "score"), NAN);
	alert->p = nj_json_double(nj_json_get(root, "p"), NAN);
	alert->merged = (uint32_t)nj_json_u64(nj_json_get(root, "merged"), 0);
	alert->queued = nj_json_bool(nj_json_get(root, "queued"), false);
	read_lists(root, alert);
	read_visibility(nj_json_get(root, "visibility"), alert);
	return true;
}

int nj_alert_read(const char *json, struct nj_message *message, struct nj_alert *ret_alert)
{
	struct nj_json *root;
	int error = nj_json_parse("alert", json, strlen(json), message, &root);
	if (error != NJ_OK)
		return error;
	memset(ret_alert, 0, sizeof *ret_alert);
	bool good = read_alert(root, ret_alert);
	nj_json_free(&root);
	return good ? NJ_OK : nj_fail(message, NJ_ERR_FORMAT, "a stored alert without agent or severity");
}
