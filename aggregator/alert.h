/* The alert object: a score that passed calibration and budget, with all that is needed to argue with it. Its JSON form
 * is fixed by docs/alert.schema.json. A plain value: copied, compared and stored whole; text is printable UTF-8 after
 * nj_label_*. */
#ifndef NJ_AGGREGATOR_ALERT_H
#define NJ_AGGREGATOR_ALERT_H

#include "common/addr.h"
#include "common/batch.h"
#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

#define NJ_ALERT_FEATURES_MAX   8
#define NJ_ALERT_PEERS_MAX      8
#define NJ_ALERT_FLOWS_MAX      8
#define NJ_ALERT_TECHNIQUES_MAX 4

enum nj_severity { NJ_SEVERITY_LOW = 1, NJ_SEVERITY_MEDIUM, NJ_SEVERITY_HIGH, NJ_SEVERITY_CRITICAL };

struct nj_alert_feature {
	char name[40];
	char unit[16];
	double value;
	double usual; /* of this agent, or of the baseline behind it; NAN: unknown */
	double peers; /* of its peer group; NAN: unknown */
	double share; /* of the score, 0..1 */
};

struct nj_alert_peer {
	struct nj_addr addr;
	uint16_t port;
	uint8_t protocol;
	char name[NJ_NAME_TEXT_MAX];
	uint64_t bytes_out, bytes_in;
};

struct nj_alert {
	uint64_t id;               /* deterministic: hash of agent, detector, start and key facts */
	uint64_t time_ns;          /* when it was raised, event time */
	uint64_t start_ns, end_ns; /* what it speaks of */
	struct nj_agent_id agent;
	char agent_name[64];             /* from the inventory, or empty */
	char client[NJ_CLIENT_TEXT_MAX]; /* fingerprint of the program, where one can be told */
	char detector[32]; /* "scan", "scan-slow", "fanout", "exfil-volume", "exfil-direction", "exfil-new-destination",
			      "dns-exfil", "icmp-tunnel", "beacon", "decoy", "guessing", "web-enum" */
	char technique[NJ_ALERT_TECHNIQUES_MAX][16]; /* ATT&CK and ATLAS ids */
	enum nj_severity severity;
	double score; /* -lg p */
	double p;
	char summary[320]; /* one sentence with the numbers */
	struct nj_alert_feature features[NJ_ALERT_FEATURES_MAX];
	struct nj_alert_peer peers[NJ_ALERT_PEERS_MAX];
	char flows[NJ_ALERT_FLOWS_MAX][32]; /* Community IDs */
	uint8_t techniques_n, features_n, peers_n, flows_n;
	struct {
		double dropped_share;   /* of frames, over start..end */
		double one_sided_share; /* of flows */
		double baseline_age_s;  /* how long this agent has been learned */
		char baseline[32];      /* "own history", "prior", "own history and prior" */
	} visibility;
	char sensor[NJ_SENSOR_ID_MAX];
	uint32_t merged; /* further scores folded into this alert since */
	bool queued;     /* over budget: kept, not paged */
};

/* "tcp", "udp", ...; *text* is used for numbers without a name. */
#define NJ_PROTOCOL_TEXT_MAX 8
const char *nj_protocol_text(uint8_t protocol, char text[NJ_PROTOCOL_TEXT_MAX]);

/* The alert object into a JSON writer, as one value. */
struct nj_json_out; /* common/json_out.h */
void nj_alert_write(const struct nj_alert *alert, struct nj_json_out *out);

const char *nj_severity_text(enum nj_severity severity);
bool nj_severity_parse(const char *text, enum nj_severity *ret_severity);

/* The alert object as one line of JSON without the newline, keys in the order of the schema. *returns owned* text
 * (free()); NULL: out of memory. */
char *nj_alert_json(const struct nj_alert *alert);

#endif
