/* The alert object as JSON. The names are fixed by docs/alert.schema.json: a key may be added, none may change. */
#include "aggregator/alert.h"
#include "common/json_out.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const severity_words[] = {"", "low", "medium", "high", "critical"};

const char *nj_severity_text(enum nj_severity severity)
{
	return severity >= NJ_SEVERITY_LOW && severity <= NJ_SEVERITY_CRITICAL ? severity_words[severity] : "unknown";
}

bool nj_severity_parse(const char *text, enum nj_severity *ret_severity)
{
	for (int i = NJ_SEVERITY_LOW; i <= NJ_SEVERITY_CRITICAL; i++)
		if (strcasecmp(text, severity_words[i]) == 0) {
			*ret_severity = (enum nj_severity)i;
			return true;
		}
	return false;
}

const char *nj_protocol_text(uint8_t protocol, char text[NJ_PROTOCOL_TEXT_MAX])
{
	switch (protocol) {
	case 1:
		return "icmp";
	case 6:
		return "tcp";
	case 17:
		return "udp";
	case 58:
		return "icmpv6";
	case 132:
		return "sctp";
	case 254:
		return "arp";
	default:
		snprintf(text, NJ_PROTOCOL_TEXT_MAX, "ip-%u", protocol);
		return text;
	}
}

static void write_agent(struct nj_json_out *out, const struct nj_alert *alert)
{
	char address[NJ_ADDR_TEXT_MAX], segment[NJ_SEGMENT_TEXT_MAX];
	nj_json_out_object(out, "agent");
	nj_json_out_text(out, "address", nj_addr_text(&alert->agent.addr, address));
	nj_json_out_text(out, "segment", nj_segment_text(alert->agent.segment, segment));
	nj_json_out_text(out, "name", alert->agent_name);
	nj_json_out_end(out);
}

static void write_features(struct nj_json_out *out, const struct nj_alert *alert)
{
	nj_json_out_array(out, "features");
	for (uint8_t i = 0; i < alert->features_n; i++) {
		const struct nj_alert_feature *feature = &alert->features[i];
		nj_json_out_object(out, NULL);
		nj_json_out_text(out, "name", feature->name);
		nj_json_out_double(out, "value", feature->value);
		nj_json_out_text(out, "unit", feature->unit);
		nj_json_out_double(out, "usual", feature->usual);
		nj_json_out_double(out, "peers", feature->peers);
		nj_json_out_double(out, "share", feature->share);
		nj_json_out_end(out);
	}
	nj_json_out_end(out);
}

static void write_peers(struct nj_json_out *out, const struct nj_alert *alert)
{
	char address[NJ_ADDR_TEXT_MAX], protocol[NJ_PROTOCOL_TEXT_MAX];
	nj_json_out_array(out, "peers");
	for (uint8_t i = 0; i < alert->peers_n; i++) {
		const struct nj_alert_peer *peer = &alert->peers[i];
		nj_json_out_object(out, NULL);
		nj_json_out_text(out, "address", nj_addr_text(&peer->addr, address));
		nj_json_out_u64(out, "port", peer->port);
		nj_json_out_text(out, "protocol", nj_protocol_text(peer->protocol, protocol));
		nj_json_out_text(out, "name", peer->name);
		nj_json_out_u64(out, "bytes_out", peer->bytes_out);
		nj_json_out_u64(out, "bytes_in", peer->bytes_in);
		nj_json_out_end(out);
	}
	nj_json_out_end(out);
}

static void write_visibility(struct nj_json_out *out, const struct nj_alert *alert)
{
	nj_json_out_object(out, "visibility");
	nj_json_out_double(out, "dropped_share", alert->visibility.dropped_share);
	nj_json_out_double(out, "one_sided_share", alert->visibility.one_sided_share);
	nj_json_out_double(out, "baseline_age_s", alert->visibility.baseline_age_s);
	nj_json_out_text(out, "baseline", alert->visibility.baseline);
	nj_json_out_end(out);
}

void nj_alert_write(const struct nj_alert *alert, struct nj_json_out *out)
{
	char id[20];
	snprintf(id, sizeof id, "%016llx", (unsigned long long)alert->id);
	nj_json_out_object(out, NULL);
	nj_json_out_text(out, "id", id);
	nj_json_out_time(out, "time", alert->time_ns);
	nj_json_out_time(out, "start", alert->start_ns);
	nj_json_out_time(out, "end", alert->end_ns);
	write_agent(out, alert);
	nj_json_out_text(out, "client", alert->client);
	nj_json_out_text(out, "detector", alert->detector);
	nj_json_out_array(out, "technique");
	for (uint8_t i = 0; i < alert->techniques_n; i++)
		nj_json_out_text(out, NULL, alert->technique[i]);
	nj_json_out_end(out);
	nj_json_out_text(out, "severity", nj_severity_text(alert->severity));
	nj_json_out_double(out, "score", alert->score);
	nj_json_out_double(out, "p", alert->p);
	nj_json_out_text(out, "summary", alert->summary);
	write_features(out, alert);
	write_peers(out, alert);
	nj_json_out_array(out, "flows");
	for (uint8_t i = 0; i < alert->flows_n; i++)
		nj_json_out_text(out, NULL, alert->flows[i]);
	nj_json_out_end(out);
	write_visibility(out, alert);
	nj_json_out_text(out, "sensor", alert->sensor);
	nj_json_out_u64(out, "merged", alert->merged);
	nj_json_out_bool(out, "queued", alert->queued);
	nj_json_out_end(out);
}

char *nj_alert_json(const struct nj_alert *alert)
{
	struct nj_json_out out = {0};
	nj_alert_write(alert, &out);
	char *text = nj_json_out_ok(&out) ? nj_json_out_take(&out) : NULL;
	nj_json_out_fini(&out);
	return text;
}
