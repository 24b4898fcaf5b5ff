/* What a detector is: three pure functions and a row of facts. *judge* adds a window's evidence to its agent's profile
 * and gives scores with a closed-form p-value; *learn* lets the window move the agent's baselines, and is called only
 * when nothing in the window looked like an attack (the poisoning gate); *explain* turns a score that will be raised
 * into words and features. Judge and learn run on a shard, explain on the desk's thread, all of them while the fleet's
 * state stands still.
 *
 * A detector keeps no state of its own: what it remembers is in the profile. All p-values are computed in logarithms;
 * ln p is never below NJ_LN_P_MIN. */
#ifndef NJ_AGGREGATOR_DETECTOR_H
#define NJ_AGGREGATOR_DETECTOR_H

#include "aggregator/alert.h"
#include "aggregator/fleet.h"
#include "common/window.h"

#include <stdbool.h>
#include <stdint.h>

struct nj_profile;   /* aggregator/profile.h */
struct nj_prior;     /* aggregator/prior.h */
struct nj_inventory; /* common/inventory.h */

#define NJ_LN_P_MIN (-690.0) /* e^-690 is the smallest that still is a normal double with room to spare */

/* In the order of the table in detectors.c; the number is the canonical order of scores. */
enum nj_detector_id {
	NJ_DETECTOR_DECOY,
	NJ_DETECTOR_SCAN,
	NJ_DETECTOR_SCAN_SLOW,
	NJ_DETECTOR_FANOUT,
	NJ_DETECTOR_EXFIL_VOLUME,
	NJ_DETECTOR_EXFIL_DIRECTION,
	NJ_DETECTOR_EXFIL_NEW,
	NJ_DETECTOR_DNS,
	NJ_DETECTOR_ICMP,
	NJ_DETECTOR_BEACON,
	NJ_DETECTOR_GUESSING,
	NJ_DETECTOR_WEB,
	NJ_DETECTOR_RECON,
	NJ_DETECTOR_LATERAL,
	NJ_DETECTOR_AI_TURNS,
	NJ_DETECTOR_AI_UPLOAD,
	NJ_DETECTOR_AI_MAILBOX,
	NJ_DETECTOR_POLICY_UNREGISTERED,
	NJ_DETECTOR_POLICY_REACH,
	NJ_DETECTOR_POLICY_SECRETS,
	NJ_DETECTOR_POLICY_PROVIDER,
	NJ_DETECTOR_POLICY_TOOL,
	NJ_DETECTOR_POLICY_VOLUME,
	NJ_DETECTOR_POLICY_HOURS,
	NJ_DETECTOR_STAGING,
	NJ_DETECTOR_CREDENTIALS,
	NJ_DETECTOR_REACTION,
	NJ_DETECTOR_REMOTE,
	NJ_DETECTORS,
};

/* What every judgement of a round may read. */
struct nj_judgement {
	uint64_t start_ns, end_ns; /* of the round */
	const struct nj_fleet *fleet;
	const struct nj_prior *prior;
	const struct nj_inventory *inventory;
	const struct nj_hash_key *key;
};

/* One window with its agent's memory, for the time of a round. */
struct nj_view {
	const struct nj_window *window;
	struct nj_profile *profile;
	uint64_t
		met[NJ_CONTACTS_MAX / 64]; /* contacts met for the first time today, for the fleet's counts of agents */
	uint64_t fresh[NJ_CONTACTS_MAX / 64]; /* not known at all before, and their opening ended in this window */
	uint64_t met_domains;                 /* asked for the first time today, among the window's first 64 */
	bool new_agent_today;                 /* to be counted by the fleet */
	bool hour_closed;                  /* an hour of the agent ended, unsuspected: its values are for the group */
	double hour_out_kb, hour_peers[2]; /* of that hour; by enum nj_side */
	bool gated;                        /* looked like an attack: the baselines did not learn from it */
};

struct nj_score {
	struct nj_agent_id agent;
	uint8_t detector;   /* enum nj_detector_id */
	uint8_t kind;       /* the detector's own: which sort of it */
	uint8_t slot;       /* the detector's own: where in the profile the evidence lies */
	bool certain;       /* a fact, not a statistic: bypasses calibration and budget */
	uint32_t tests;     /* how many independent looks this score stands for, at least 1 */
	uint32_t view;      /* index of the agent's view in the round */
	uint64_t class_key; /* what kind of destination it is about: part of the alert's identity */
	uint64_t start_ns;  /* first evidence */
	double value;       /* the statistic, larger is stranger; what the learned tail is about */
	double ln_p;        /* chance of such a value from a benign agent, closed form */
	double harm;        /* hosts touched, or bytes out: what severity and the decade of a repeat go by */
	double own;         /* 0: judged by the prior alone .. 1: by the agent's own history alone */
};

#define NJ_SCORES_PER_JUDGE 4

struct nj_detector {
	const char *name;
	const char *meaning; /* for --help and docs */
	const char *family;  /* alerts of a family about one class are one alert */
	uint32_t permission; /* enum nj_permission that makes it expected */
	const char *permission_word;
	double weight;               /* in the fusion */
	enum nj_severity severity;   /* of an alert that has just passed */
	double harm_more, harm_most; /* harm from which it is one and two steps more severe */
	/* Scores into ret_scores, at most NJ_SCORES_PER_JUDGE; gives their number. 0: there was nothing to test. */
	uint32_t (*judge)(const struct nj_judgement *judgement, struct nj_view *view, struct nj_score *ret_scores);
	void (*learn)(const struct nj_judgement *judgement, struct nj_view *view); /* or NULL */
	/* On the desk, for a score about to be raised: something else in the same round accounts for it. Or NULL. */
	bool (*explained_away)(const struct nj_view *views, uint32_t views_n, const struct nj_score *score);
	/* Fills technique, summary, features, peers, flows; the desk has filled the rest. */
	void (*explain)(const struct nj_judgement *judgement, const struct nj_view *view, const struct nj_score *score,
			struct nj_alert *alert);
};

extern const struct nj_detector *const nj_detectors[NJ_DETECTORS];

/* Helpers of explain. */
void nj_alert_add_technique(struct nj_alert *alert, const char *id);
void nj_alert_add_feature(struct nj_alert *alert, const char *name, const char *unit, double value, double usual,
			  double peers, double share);
/* A contact as peer, with the Community ID of its largest flow. Skips one that is there already. */
void nj_alert_add_contact(struct nj_alert *alert, const struct nj_agent_id *agent, const struct nj_contact *contact);
/* Bytes as "12.3 MB", seconds as "40 s", "5 min", "2.5 h", "3 d"; text of at least 24 bytes; returns it. */
char *nj_text_bytes(double bytes, char text[24]);
char *nj_text_seconds(double seconds, char text[24]);

double nj_ln_clamp(double ln_p); /* into [NJ_LN_P_MIN, 0]; a NAN becomes 0 */

#endif
