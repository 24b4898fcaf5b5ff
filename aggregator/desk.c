/* Calibration, confidence, budget, repeats and paging, in this order; desk.h says what each does. Everything here goes
 * by event time and by the order of scores, never by a clock. */
#include "aggregator/desk.h"

#include "aggregator/model_layout.h"
#include "aggregator/observe_ai.h"
#include "aggregator/profile.h"
#include "aggregator/snapshot.h"
#include "common/inventory.h"
#include "common/label.h"
#include "models/budget.h"
#include "models/tail.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAIL_N0        288.0 /* scores after which a learned tail weighs as much as the closed form: a day of five minutes */
#define TAIL_GATE_P    1e-6
#define TAIL_PRIMED    2000 /* a shipped tail counts for at most so many scores */
#define REPEAT_NS      NJ_DAY_NS
#define REPEAT_WAYS    8
#define RATE_SPAN_NS   NJ_HOUR_NS /* tests are extrapolated from at least so long */
#define ACCOUNTS       4096       /* rounds whose drops are remembered: 11 hours of 10 s */
#define ONE_SIDED_TOLD 0.1        /* share of an agent's flows from which on its alerts say so */
#define DROPPED_MAX    0.9

struct repeat {
	uint64_t key; /* 0: unused */
	uint64_t raised_ns, alert_id;
	uint32_t merged;
	uint8_t severity, reserved[3];
};

struct account {
	uint64_t start_ns, seen, lost;
};

struct nj_desk {
	struct nj_desk_options options;
	struct nj_desk_counts counts;
	nj_alert_sink alert;
	nj_merged_sink merged;
	void *context;
	struct nj_tail tails[NJ_DETECTORS];
	struct nj_budget budget;
	struct nj_budget_run *runs;
	uint32_t runs_n;
	struct repeat *repeats;
	uint32_t repeats_mask; /* sets */
	double threshold;
	uint64_t first_ns, now_ns, day, tests;
	uint64_t paged_today, paged_severe_today;
	struct account accounts[ACCOUNTS]; /* ring */
	uint64_t accounts_n;
	char sensor[NJ_SENSOR_ID_MAX];
};

static uint32_t repeat_sets(uint32_t agents_max)
{
	uint32_t sets = 64;
	while (sets * REPEAT_WAYS < agents_max && sets < 1u << 20)
		sets *= 2;
	return sets;
}

static uint32_t runs_of(uint32_t agents_max)
{
	return (agents_max / 8 + 64) * 8;
}

uint64_t nj_desk_memory_bytes(const struct nj_desk_options *options)
{
	return sizeof(struct nj_desk) + (uint64_t)runs_of(options->agents_max) * sizeof(struct nj_budget_run) +
	       (uint64_t)repeat_sets(options->agents_max) * REPEAT_WAYS * sizeof(struct repeat);
}

int nj_desk_new(const struct nj_desk_options *options, struct nj_desk **ret_desk)
{
	assert(options->alerts_per_day > 0);
	struct nj_desk *desk = calloc(1, sizeof *desk);
	if (desk == NULL)
		return NJ_ERR_MEMORY;
	desk->options = *options;
	desk->runs_n = runs_of(options->agents_max);
	desk->repeats_mask = repeat_sets(options->agents_max) - 1;
	desk->runs = calloc(desk->runs_n, sizeof *desk->runs);
	desk->repeats = calloc(((size_t)desk->repeats_mask + 1) * REPEAT_WAYS, sizeof *desk->repeats);
	if (desk->runs == NULL || desk->repeats == NULL) {
		nj_desk_free(&desk);
		return NJ_ERR_MEMORY;
	}
	for (int i = 0; i < NJ_DETECTORS; i++) {
		nj_tail_init(&desk->tails[i], NJ_TAIL_RESOLUTION, options->learn_only ? 0 : TAIL_GATE_P);
		nj_tail_prime(&desk->tails[i], options->prior->tail[i], TAIL_PRIMED);
	}
	struct nj_budget_params params = NJ_BUDGET_PARAMS_DEFAULT;
	params.alerts_per_day = options->alerts_per_day;
	params.tests_per_day = NJ_DESK_TESTS_MIN;
	nj_budget_init(&desk->budget, &params);
	*ret_desk = desk;
	return 0;
}

void nj_desk_free(struct nj_desk **desk)
{
	if (*desk == NULL)
		return;
	free((*desk)->runs);
	free((*desk)->repeats);
	free(*desk);
	*desk = NULL;
}

void nj_desk_listen(struct nj_desk *desk, nj_alert_sink alert, nj_merged_sink merged, void *context)
{
	desk->alert = alert;
	desk->merged = merged;
	desk->context = context;
}

/* ---- what could be seen */

void nj_desk_begin(struct nj_desk *desk, const struct nj_round *round)
{
	uint64_t end_ns = round->start_ns + (uint64_t)round->width_ms * 1000000, day = round->start_ns / NJ_DAY_NS;
	uint64_t lost = round->account.kernel_drops + round->account.interface_drops;
	desk->accounts[desk->accounts_n++ % ACCOUNTS] =
		(struct account){.start_ns = round->start_ns, .seen = round->account.frames_seen, .lost = lost};
	if (desk->first_ns == 0)
		desk->first_ns = round->start_ns;
	if (day != desk->day) {
		desk->day = day;
		desk->paged_today = desk->paged_severe_today = 0;
	}
	desk->now_ns = end_ns;
	memcpy(desk->sensor, round->sensor, sizeof desk->sensor);
}

static double dropped_share(const struct nj_desk *desk, uint64_t start_ns, uint64_t end_ns)
{
	double seen = 0, lost = 0;
	uint64_t kept = desk->accounts_n < ACCOUNTS ? desk->accounts_n : ACCOUNTS;
	for (uint64_t i = 1; i <= kept; i++) {
		const struct account *account = &desk->accounts[(desk->accounts_n - i) % ACCOUNTS];
		if (account->start_ns > end_ns)
			continue;
		if (account->start_ns + NJ_MINUTE_NS < start_ns)
			break;
		seen += (double)account->seen;
		lost += (double)account->lost;
	}
	double share = seen + lost > 0 ? lost / (seen + lost) : 0;
	return share < DROPPED_MAX ? share : DROPPED_MAX;
}

static double one_sided_share(const struct nj_profile *profile)
{
	if (profile->flows == 0)
		return 0;
	double share = (double)profile->flows_one_sided / (double)profile->flows;
	return share < 1 ? share : 1;
}

/* ---- p */

static double calibrated_ln_p(const struct nj_desk *desk, const struct nj_score *score)
{
	const struct nj_tail *tail = &desk->tails[score->detector];
	uint64_t n = nj_tail_observations(tail);
	if (score->certain || n == 0)
		return score->ln_p;
	double w = (double)n / ((double)n + TAIL_N0);
	return nj_ln_clamp((1 - w) * score->ln_p + w * log(nj_tail_p(tail, score->value)));
}

static double confidence(const struct nj_desk *desk, const struct nj_score *score, const struct nj_profile *profile,
			 struct nj_alert *alert)
{
	uint64_t start_ns = score->start_ns < desk->now_ns ? score->start_ns : desk->now_ns;
	alert->visibility.dropped_share = dropped_share(desk, start_ns, desk->now_ns);
	alert->visibility.one_sided_share = one_sided_share(profile);
	bool by_failures = score->detector == NJ_DETECTOR_SCAN || score->detector == NJ_DETECTOR_SCAN_SLOW;
	return (1 - alert->visibility.dropped_share) * (by_failures ? 1 : 1 - alert->visibility.one_sided_share / 4);
}

/* ---- repeats */

static uint64_t repeat_key(const struct nj_desk *desk, const struct nj_score *score)
{
	struct {
		struct nj_agent_id agent;
		uint64_t class_key;
		char family[24];
	} key;
	memset(&key, 0, sizeof key);
	key.agent = score->agent;
	key.class_key = score->class_key;
	snprintf(key.family, sizeof key.family, "%s", nj_detectors[score->detector]->family);
	uint64_t hash = nj_hash64(&key, sizeof key, desk->options.hash_key);
	return hash != 0 ? hash : 1;
}

/* The memory of that alert, or the place for a new one (key 0 or another's, to be overwritten). */
static struct repeat *repeat_of(struct nj_desk *desk, uint64_t key)
{
	struct repeat *set = &desk->repeats[(size_t)(key & desk->repeats_mask) * REPEAT_WAYS], *oldest = &set[0];
	for (int i = 0; i < REPEAT_WAYS; i++) {
		if (set[i].key == key)
			return &set[i];
		if (set[i].raised_ns < oldest->raised_ns)
			oldest = &set[i];
	}
	return oldest;
}

/* ---- an alert */

static enum nj_severity severity_of(const struct nj_score *score, const struct nj_profile *profile, bool permitted)
{
	const struct nj_detector *detector = nj_detectors[score->detector];
	if (score->certain)
		return detector->severity;
	if (permitted)
		return NJ_SEVERITY_LOW;
	int severity =
		(int)detector->severity + (score->harm >= detector->harm_more) + (score->harm >= detector->harm_most);
	if (!profile->home)
		severity--; /* the outside knocks all day long */
	if (severity < NJ_SEVERITY_LOW)
		severity = NJ_SEVERITY_LOW;
	return severity > NJ_SEVERITY_CRITICAL ? NJ_SEVERITY_CRITICAL : (enum nj_severity)severity;
}

static void describe_baseline(const struct nj_desk *desk, const struct nj_score *score,
			      const struct nj_profile *profile, struct nj_alert *alert)
{
	const char *words = score->own <= 0.05  ? desk->options.prior->source
			    : score->own >= 0.8 ? "own history"
						: "own history and prior";
	if (score->certain)
		words = "inventory";
	snprintf(alert->visibility.baseline, sizeof alert->visibility.baseline, "%s", words);
	alert->visibility.baseline_age_s =
		profile->last_ns > profile->first_ns ? (double)(profile->last_ns - profile->first_ns) / 1e9 : 0;
}

static void add_permission(struct nj_alert *alert, const struct nj_detector *detector)
{
	size_t used = strlen(alert->summary);
	snprintf(alert->summary + used, sizeof alert->summary - used, "; the inventory permits it (permitted: %s)",
		 detector->permission_word);
}

/* What could not be seen stands in the text, once it is enough to matter. */
static void add_blindness(struct nj_alert *alert)
{
	size_t used = strlen(alert->summary);
	if (alert->visibility.dropped_share >= 0.01)
		snprintf(alert->summary + used, sizeof alert->summary - used,
			 "; %.0f %% of the frames were lost meanwhile", 100 * alert->visibility.dropped_share);
	used = strlen(alert->summary);
	if (alert->visibility.one_sided_share >= ONE_SIDED_TOLD)
		snprintf(alert->summary + used, sizeof alert->summary - used,
			 "; %.0f %% of its flows were seen from one side only",
			 100 * alert->visibility.one_sided_share);
}

static uint64_t alert_id(const struct nj_desk *desk, const struct nj_score *score)
{
	struct {
		uint64_t key, start_ns, now_ns;
		uint32_t detector, kind;
	} facts = {repeat_key(desk, score), score->start_ns, desk->now_ns, score->detector, score->kind};
	uint64_t id = nj_hash64(&facts, sizeof facts, desk->options.hash_key);
	return id != 0 ? id : 1;
}

static bool is_peer(const struct nj_alert *alert, const struct nj_client *client)
{
	for (uint8_t i = 0; i < alert->peers_n; i++)
		if (alert->peers[i].port == client->port && nj_addr_equal(&alert->peers[i].addr, &client->peer))
			return true;
	return false;
}

/* The program behind it: one seen with a peer of the alert in this window; for calls and uploads on connections opened
 * earlier, the agent's usual one. */
static void name_client(const struct nj_view *view, const struct nj_score *score, struct nj_alert *alert)
{
	const char *text = "";
	bool by_connection = score->detector == NJ_DETECTOR_BEACON || score->detector == NJ_DETECTOR_EXFIL_NEW ||
			     score->detector == NJ_DETECTOR_EXFIL_VOLUME ||
			     score->detector == NJ_DETECTOR_EXFIL_DIRECTION;
	if (by_connection)
		text = view->profile->client;
	for (uint32_t i = 0; i < view->window->clients_n; i++)
		if (is_peer(alert, &view->window->clients[i])) {
			text = view->window->clients[i].text;
			break;
		}
	nj_label_ascii(text, strnlen(text, NJ_CLIENT_TEXT_MAX), alert->client, sizeof alert->client);
}

static void fill(struct nj_desk *desk, const struct nj_judged *judged, const struct nj_score *score, double ln_p,
		 enum nj_severity severity, bool permitted, struct nj_alert *alert)
{
	const struct nj_detector *detector = nj_detectors[score->detector];
	const struct nj_view *view = &judged->views[score->view];
	const struct nj_inventory_agent *known = nj_inventory_agent(desk->options.inventory, &score->agent);
	alert->id = alert_id(desk, score);
	alert->time_ns = desk->now_ns;
	alert->start_ns =
		score->start_ns != 0 && score->start_ns < desk->now_ns ? score->start_ns : judged->judgement->start_ns;
	alert->end_ns = desk->now_ns - 1;
	alert->agent = score->agent;
	if (known != NULL)
		nj_label(known->name, strlen(known->name), alert->agent_name, sizeof alert->agent_name);
	snprintf(alert->detector, sizeof alert->detector, "%s", detector->name);
	alert->severity = severity;
	alert->p = exp(ln_p);
	alert->score = -ln_p / M_LN10 + 0.0;
	describe_baseline(desk, score, view->profile, alert);
	memcpy(alert->sensor, desk->sensor, sizeof alert->sensor);
	detector->explain(judged->judgement, view, score, alert);
	nj_ai_add_context(view->profile, alert);
	name_client(view, score, alert);
	if (alert->end_ns < alert->start_ns)
		alert->end_ns = alert->start_ns;
	if (permitted)
		add_permission(alert, detector);
	add_blindness(alert);
}

static bool within_budget(struct nj_desk *desk, const struct nj_alert *alert, bool certain)
{
	if (certain)
		return true;
	if ((double)desk->paged_today < desk->options.alerts_per_day) {
		desk->paged_today++;
		return true;
	}
	if (alert->severity >= NJ_SEVERITY_HIGH && (double)desk->paged_severe_today < desk->options.alerts_per_day) {
		desk->paged_severe_today++;
		return true;
	}
	return false;
}

static void raise_score(struct nj_desk *desk, const struct nj_judged *judged, const struct nj_score *score, double ln_p,
			struct nj_alert *alert)
{
	const struct nj_detector *detector = nj_detectors[score->detector];
	const struct nj_view *view = &judged->views[score->view];
	const struct nj_inventory_agent *known = nj_inventory_agent(desk->options.inventory, &score->agent);
	bool permitted = known != NULL && (known->permitted & detector->permission) != 0;
	enum nj_severity severity = severity_of(score, view->profile, permitted);
	uint64_t key = repeat_key(desk, score);
	struct repeat *repeat = repeat_of(desk, key);
	desk->counts.raised++;
	if (repeat->key == key && desk->now_ns - repeat->raised_ns < REPEAT_NS && severity <= repeat->severity) {
		desk->counts.merged++;
		repeat->merged += repeat->merged < UINT32_MAX;
		if (desk->merged != NULL)
			desk->merged(desk->context, repeat->alert_id, repeat->merged);
		return;
	}
	fill(desk, judged, score, ln_p, severity, permitted, alert);
	alert->queued = !within_budget(desk, alert, score->certain);
	desk->counts.paged += !alert->queued;
	desk->counts.queued += alert->queued;
	if (repeat->key != 0 && repeat->key != key && desk->now_ns - repeat->raised_ns < REPEAT_NS)
		desk->counts.repeats_forgotten++;
	*repeat = (struct repeat){
		.key = key, .raised_ns = desk->now_ns, .alert_id = alert->id, .severity = (uint8_t)severity};
	if (!score->certain)
		nj_budget_alerted(&desk->budget, desk->now_ns);
	if (desk->alert != NULL)
		desk->alert(desk->context, alert);
}

static void judge_score(struct nj_desk *desk, const struct nj_judged *judged, const struct nj_score *score)
{
	const struct nj_profile *profile = judged->views[score->view].profile;
	struct nj_alert alert = {0};
	double ln_p = calibrated_ln_p(desk, score);
	if (!score->certain)
		ln_p = nj_ln_clamp(ln_p * confidence(desk, score, profile, &alert));
	else
		(void)confidence(desk, score, profile, &alert);
	double strength = -ln_p / M_LN10;
	if (desk->options.learn_only) {
		nj_tail_learn(&desk->tails[score->detector], score->value);
		return;
	}
	const struct nj_detector *detector = nj_detectors[score->detector];
	bool strange = -score->ln_p / M_LN10 >= NJ_DESK_CLOSED_MIN && strength >= desk->threshold;
	bool raised = score->certain || strange;
	if (raised && detector->explained_away != NULL &&
	    detector->explained_away(judged->views, judged->views_n, score)) {
		desk->counts.explained_away++;
		return;
	}
	if (!score->certain && strength >= desk->budget.params.peak_min)
		nj_budget_observe(&desk->budget, desk->runs, desk->runs_n, desk->now_ns, profile->hash, strength);
	if (raised) {
		raise_score(desk, judged, score, ln_p, &alert);
		return;
	}
	enum nj_tail_verdict verdict;
	(void)nj_tail_step(&desk->tails[score->detector], score->value, &verdict, NULL);
}

static void set_threshold(struct nj_desk *desk)
{
	uint64_t elapsed_ns = desk->now_ns - desk->first_ns;
	if (elapsed_ns < RATE_SPAN_NS)
		elapsed_ns = RATE_SPAN_NS;
	double tests_per_day = (double)desk->tests * ((double)NJ_DAY_NS / (double)elapsed_ns);
	desk->budget.params.tests_per_day = tests_per_day > NJ_DESK_TESTS_MIN ? tests_per_day : NJ_DESK_TESTS_MIN;
	desk->threshold = fmax(nj_budget_tick(&desk->budget, desk->now_ns), NJ_DESK_STRENGTH_MIN);
}

void nj_desk_judged(void *context, const struct nj_judged *judged)
{
	struct nj_desk *desk = context;
	desk->tests += judged->tests;
	desk->counts.tests = desk->tests;
	desk->counts.scores += judged->scores_n;
	set_threshold(desk);
	for (uint32_t i = 0; i < judged->scores_n; i++)
		judge_score(desk, judged, &judged->scores[i]);
}

double nj_desk_threshold(const struct nj_desk *desk)
{
	return desk->threshold;
}

struct nj_desk_counts nj_desk_counts(const struct nj_desk *desk)
{
	return desk->counts;
}

void nj_desk_tails(const struct nj_desk *desk, struct nj_prior *prior)
{
	for (int i = 0; i < NJ_DETECTORS; i++)
		memcpy(prior->tail[i], desk->tails[i].count, sizeof prior->tail[i]);
}

/* ---- snapshots */

static const struct nj_field counts_rows[] = {
	NJ_FIELD(struct nj_desk_counts, raised),         NJ_FIELD(struct nj_desk_counts, paged),
	NJ_FIELD(struct nj_desk_counts, queued),         NJ_FIELD(struct nj_desk_counts, merged),
	NJ_FIELD(struct nj_desk_counts, tests),          NJ_FIELD(struct nj_desk_counts, scores),
	NJ_FIELD(struct nj_desk_counts, explained_away), NJ_FIELD(struct nj_desk_counts, repeats_forgotten),
};
static const struct nj_fields counts_fields = NJ_FIELDS(struct nj_desk_counts, counts_rows, NULL);

static const struct nj_field account_rows[] = {
	NJ_FIELD(struct account, start_ns),
	NJ_FIELD(struct account, seen),
	NJ_FIELD(struct account, lost),
};
static const struct nj_fields account_fields = NJ_FIELDS(struct account, account_rows, NULL);

static const struct nj_field repeat_rows[] = {
	NJ_FIELD(struct repeat, key),    NJ_FIELD(struct repeat, raised_ns), NJ_FIELD(struct repeat, alert_id),
	NJ_FIELD(struct repeat, merged), NJ_FIELD(struct repeat, severity),  NJ_FIELD(struct repeat, reserved),
};
static const struct nj_fields repeat_fields = NJ_FIELDS(struct repeat, repeat_rows, NULL);

static const struct nj_field desk_rows[] = {
	NJ_FIELD_SKIP(struct nj_desk, options),
	NJ_FIELD_STRUCT(struct nj_desk, counts, &counts_fields),
	NJ_FIELD_SKIP(struct nj_desk, alert),
	NJ_FIELD_SKIP(struct nj_desk, merged),
	NJ_FIELD_SKIP(struct nj_desk, context),
	NJ_FIELD_SKIP(struct nj_desk, tails), /* sections of their own, as runs and repeats */
	NJ_FIELD_STRUCT(struct nj_desk, budget, &nj_budget_fields),
	NJ_FIELD_SKIP(struct nj_desk, runs),
	NJ_FIELD_SKIP(struct nj_desk, runs_n),
	NJ_FIELD_SKIP(struct nj_desk, repeats),
	NJ_FIELD_SKIP(struct nj_desk, repeats_mask),
	NJ_FIELD(struct nj_desk, threshold),
	NJ_FIELD(struct nj_desk, first_ns),
	NJ_FIELD(struct nj_desk, now_ns),
	NJ_FIELD(struct nj_desk, day),
	NJ_FIELD(struct nj_desk, tests),
	NJ_FIELD(struct nj_desk, paged_today),
	NJ_FIELD(struct nj_desk, paged_severe_today),
	NJ_FIELD_STRUCT(struct nj_desk, accounts, &account_fields),
	NJ_FIELD(struct nj_desk, accounts_n),
	NJ_FIELD(struct nj_desk, sensor),
};
static const struct nj_fields desk_fields = NJ_FIELDS(struct nj_desk, desk_rows, NULL);

struct named_tail {
	char detector[32];
	struct nj_tail tail;
};

static const struct nj_field named_tail_rows[] = {
	NJ_FIELD(struct named_tail, detector),
	NJ_FIELD_STRUCT(struct named_tail, tail, &nj_tail_fields),
};
static const struct nj_fields named_tail_fields = NJ_FIELDS(struct named_tail, named_tail_rows, NULL);

void nj_desk_save(const struct nj_desk *desk, struct nj_snapshot_writer *writer)
{
	nj_snapshot_section(writer, "desk", &desk_fields);
	nj_snapshot_record(writer, 0, desk);
	nj_snapshot_section(writer, "tail", &named_tail_fields);
	for (uint32_t i = 0; i < NJ_DETECTORS; i++) {
		struct named_tail named = {.tail = desk->tails[i]};
		snprintf(named.detector, sizeof named.detector, "%s", nj_detectors[i]->name);
		nj_snapshot_record(writer, i, &named);
	}
	nj_snapshot_section(writer, "run", &nj_budget_run_fields);
	for (uint32_t i = 0; i < desk->runs_n; i++)
		if (desk->runs[i].key != 0)
			nj_snapshot_record(writer, i, &desk->runs[i]);
	nj_snapshot_section(writer, "repeat", &repeat_fields);
	for (uint32_t i = 0; i < (desk->repeats_mask + 1) * REPEAT_WAYS; i++)
		if (desk->repeats[i].key != 0)
			nj_snapshot_record(writer, i, &desk->repeats[i]);
}

static int take_desk(void *context, const struct nj_snapshot_item *item, struct nj_message *message)
{
	struct nj_desk *desk = context, kept = *desk;
	(void)message;
	*desk = *(const struct nj_desk *)item->record;
	desk->options = kept.options;
	desk->alert = kept.alert;
	desk->merged = kept.merged;
	desk->context = kept.context;
	memcpy(desk->tails, kept.tails, sizeof desk->tails);
	desk->runs = kept.runs;
	desk->runs_n = kept.runs_n;
	desk->repeats = kept.repeats;
	desk->repeats_mask = kept.repeats_mask;
	if (desk->budget.params.alerts_per_day < desk->options.alerts_per_day ||
	    desk->budget.params.alerts_per_day > desk->options.alerts_per_day)
		desk->budget.alerts_effective = desk->options.alerts_per_day;
	desk->budget.params.alerts_per_day = desk->options.alerts_per_day;
	return NJ_OK;
}

static int take_tail(void *context, const struct nj_snapshot_item *item, struct nj_message *message)
{
	struct nj_desk *desk = context;
	const struct named_tail *named = item->record;
	(void)message;
	for (int i = 0; i < NJ_DETECTORS; i++)
		if (strcmp(nj_detectors[i]->name, named->detector) == 0)
			desk->tails[i] = named->tail;
	return NJ_OK;
}

static int take_run(void *context, const struct nj_snapshot_item *item, struct nj_message *message)
{
	struct nj_desk *desk = context;
	(void)message;
	nj_budget_adopt(desk->runs, desk->runs_n, item->key, item->record);
	return NJ_OK;
}

/* At its old place when that is in its set, which it is unless the table has another size now. */
static int take_repeat(void *context, const struct nj_snapshot_item *item, struct nj_message *message)
{
	struct nj_desk *desk = context;
	const struct repeat *from = item->record;
	(void)message;
	uint32_t first = (uint32_t)(from->key & desk->repeats_mask) * REPEAT_WAYS;
	bool at_home = item->key >= first && item->key < first + REPEAT_WAYS;
	*(at_home ? &desk->repeats[item->key] : repeat_of(desk, from->key)) = *from;
	return NJ_OK;
}

void nj_desk_takers(struct nj_desk *desk, struct nj_snapshot_taker *taker)
{
	taker[0] = (struct nj_snapshot_taker){"desk", &desk_fields, true, take_desk, desk};
	taker[1] = (struct nj_snapshot_taker){"tail", &named_tail_fields, true, take_tail, desk};
	taker[2] = (struct nj_snapshot_taker){"run", &nj_budget_run_fields, true, take_run, desk};
	taker[3] = (struct nj_snapshot_taker){"repeat", &repeat_fields, true, take_repeat, desk};
}
