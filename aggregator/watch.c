/* Each condition has a level that begins it and one that ends it. The alert's id is made of sensor, condition and the
 * moment it began: two that follow each other are two. */
#include "aggregator/watch.h"

#include "common/hash.h"
#include "common/json_out.h"
#include "common/label.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES_MIN 1000            /* between two heartbeats, before their losses are a share */
#define GAP_NS     600000000000ull /* without another loss, after which a gap is over */

/* How a condition is told. */
static const struct row {
	const char *name, *feature, *unit;
	enum nj_severity severity;
} rows[NJ_CONDITIONS] = {
	[NJ_CONDITION_SILENT] = {"silent", "silence", "s", NJ_SEVERITY_HIGH},
	[NJ_CONDITION_DROPPING] = {"dropping", "frames lost", "", NJ_SEVERITY_MEDIUM},
	[NJ_CONDITION_CLOCK] = {"clock", "clock offset", "s", NJ_SEVERITY_MEDIUM},
	[NJ_CONDITION_JOURNAL] = {"journal", "journal filled", "", NJ_SEVERITY_MEDIUM},
	[NJ_CONDITION_GAP] = {"gap", "batches lost", "batches", NJ_SEVERITY_HIGH},
	[NJ_CONDITION_BLIND] = {"blind", "interfaces down", "interfaces", NJ_SEVERITY_HIGH},
};

struct nj_watch {
	struct nj_watch_options options;
	uint64_t now_ns; /* 0: nobody has told the time */
	uint64_t raised;
	uint64_t since_ns[NJ_WATCH_SENSORS_MAX][NJ_CONDITIONS];
	struct nj_watched sensors[NJ_WATCH_SENSORS_MAX];
	uint32_t sensors_n;
};

const char *nj_condition_text(enum nj_condition condition)
{
	return condition < NJ_CONDITIONS ? rows[condition].name : "";
}

void nj_watch_options_init(struct nj_watch_options *options)
{
	*options = (struct nj_watch_options){
		.silent_s = 300, .dropped_share = 0.01, .clock_offset_s = 2, .journal_share = 0.8};
}

int nj_watch_new(const struct nj_watch_options *options, struct nj_watch **ret_watch)
{
	struct nj_watch *watch = calloc(1, sizeof *watch);
	if (watch == NULL)
		return NJ_ERR_MEMORY;
	watch->options = *options;
	*ret_watch = watch;
	return NJ_OK;
}

void nj_watch_free(struct nj_watch **watch)
{
	free(*watch);
	*watch = NULL;
}

/* ---- alerts */

static uint64_t alert_id(const struct nj_watch *watch, const struct nj_watched *sensor, enum nj_condition condition,
			 uint64_t since_ns, bool over)
{
	struct {
		char sensor[NJ_SENSOR_ID_MAX];
		uint64_t condition, since_ns, over;
	} facts = {.condition = condition, .since_ns = since_ns, .over = over};
	memcpy(facts.sensor, sensor->sensor, sizeof facts.sensor);
	uint64_t id = nj_hash64(&facts, sizeof facts, watch->options.hash_key);
	return id != 0 ? id : 1;
}

static void raise(struct nj_watch *watch, const struct nj_watched *sensor, enum nj_condition condition, bool over,
		  double value, double usual, const char *summary)
{
	const struct row *row = &rows[condition];
	uint64_t since_ns = watch->since_ns[sensor - watch->sensors][condition];
	struct nj_alert alert = {.id = alert_id(watch, sensor, condition, since_ns, over),
				 .time_ns = watch->now_ns,
				 .start_ns = since_ns,
				 .end_ns = watch->now_ns,
				 .severity = over ? NJ_SEVERITY_LOW : row->severity,
				 .p = 1,
				 .techniques_n = 1,
				 .features_n = 1};
	snprintf(alert.agent_name, sizeof alert.agent_name, "%s", sensor->sensor);
	snprintf(alert.detector, sizeof alert.detector, "%s", NJ_WATCH_DETECTOR);
	snprintf(alert.technique[0], sizeof alert.technique[0], "T1562"); /* what blinds a sensor may be meant to */
	snprintf(alert.features[0].name, sizeof alert.features[0].name, "%s", row->feature);
	snprintf(alert.features[0].unit, sizeof alert.features[0].unit, "%s", row->unit);
	alert.features[0].value = value;
	alert.features[0].usual = usual;
	alert.features[0].peers = NAN;
	alert.features[0].share = 1;
	snprintf(alert.summary, sizeof alert.summary, "sensor %s: %s", sensor->sensor, summary);
	snprintf(alert.visibility.baseline, sizeof alert.visibility.baseline, "operations");
	memcpy(alert.sensor, sensor->sensor, sizeof alert.sensor);
	watch->raised++;
	if (watch->options.alert != NULL)
		watch->options.alert(watch->options.context, &alert);
}

/* Begins, holds or ends a condition by its measure. */
static void judge(struct nj_watch *watch, struct nj_watched *sensor, enum nj_condition condition, double value,
		  double begin, double end, const char *summary)
{
	uint32_t bit = 1u << condition;
	bool holds = (sensor->conditions & bit) != 0;
	if (watch->now_ns == 0 || (holds ? value > end : value <= begin))
		return;
	char words[200];
	uint64_t *since_ns = &watch->since_ns[sensor - watch->sensors][condition];
	sensor->conditions ^= bit;
	if (!holds) {
		*since_ns = watch->now_ns;
		raise(watch, sensor, condition, false, value, begin, summary);
		return;
	}
	snprintf(words, sizeof words, "no longer %s, after %.0f s", rows[condition].name,
		 (double)(watch->now_ns - *since_ns) / 1e9);
	raise(watch, sensor, condition, true, value, end, words);
}

/* ---- what is heard */

/* Whoever was silent longest gives its place. */
static struct nj_watched *sensor_of(struct nj_watch *watch, const char *name)
{
	struct nj_watched *at = &watch->sensors[0];
	for (uint32_t i = 0; i < watch->sensors_n; i++) {
		if (strcmp(watch->sensors[i].sensor, name) == 0)
			return &watch->sensors[i];
		at = watch->sensors[i].heard_ns < at->heard_ns ? &watch->sensors[i] : at;
	}
	if (watch->sensors_n < NJ_WATCH_SENSORS_MAX)
		at = &watch->sensors[watch->sensors_n++];
	*at = (struct nj_watched){.first_ns = watch->now_ns, .heard_ns = watch->now_ns};
	memset(watch->since_ns[at - watch->sensors], 0, sizeof watch->since_ns[0]);
	snprintf(at->sensor, sizeof at->sensor, "%s", name);
	return at;
}

static void judge_silence(struct nj_watch *watch, struct nj_watched *sensor)
{
	double silent_s = (double)(watch->now_ns - sensor->heard_ns) / 1e9;
	char words[120];
	if (watch->options.silent_s == 0 || sensor->finished)
		silent_s = 0;
	snprintf(words, sizeof words, "nothing was heard of it for %.0f s: what its tap sees is not judged", silent_s);
	judge(watch, sensor, NJ_CONDITION_SILENT, silent_s, watch->options.silent_s, watch->options.silent_s / 2.0,
	      words);
}

static void hear(struct nj_watch *watch, struct nj_watched *sensor)
{
	sensor->heard_ns = watch->now_ns;
	judge_silence(watch, sensor);
}

void nj_watch_batch(struct nj_watch *watch, const struct nj_batch *batch)
{
	if (watch->now_ns == 0)
		return;
	struct nj_watched *sensor = sensor_of(watch, batch->sensor);
	sensor->finished = (batch->flags & NJ_BATCH_FINISH) != 0;
	hear(watch, sensor);
}

static uint64_t grown(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

/* Since the last heartbeat of the same process; too few frames say nothing. */
static void judge_drops(struct nj_watch *watch, struct nj_watched *sensor, const struct nj_sensor_health *now)
{
	const struct nj_sensor_health *before = &sensor->health;
	bool same = sensor->heartbeat_ns != 0 && now->uptime_ms > before->uptime_ms;
	uint64_t seen = grown(now->frames_seen, same ? before->frames_seen : 0);
	uint64_t lost = grown(now->kernel_drops, same ? before->kernel_drops : 0) +
			grown(now->interface_drops, same ? before->interface_drops : 0);
	if (seen + lost < FRAMES_MIN)
		return;
	char words[160];
	double share = (double)lost / (double)(seen + lost), limit = watch->options.dropped_share;
	sensor->dropped_share = share;
	snprintf(words, sizeof words, "%.1f %% of the frames were lost before it could look at them (%llu of %llu)",
		 100 * share, (unsigned long long)lost, (unsigned long long)(seen + lost));
	judge(watch, sensor, NJ_CONDITION_DROPPING, share, limit, limit / 2, words);
}

static void judge_clock(struct nj_watch *watch, struct nj_watched *sensor, const struct nj_sensor_health *now)
{
	char words[120];
	sensor->clock_offset_ns = (int64_t)(now->sent_ns - watch->now_ns);
	double offset_s = (double)sensor->clock_offset_ns / 1e9, limit = watch->options.clock_offset_s;
	snprintf(words, sizeof words, "its clock is %.1f s %s: its windows are joined with those of another time",
		 fabs(offset_s), offset_s > 0 ? "ahead" : "behind");
	judge(watch, sensor, NJ_CONDITION_CLOCK, fabs(offset_s), limit, limit / 2, words);
}

static void judge_journal(struct nj_watch *watch, struct nj_watched *sensor, const struct nj_sensor_health *now)
{
	char words[160];
	double limit = watch->options.journal_share;
	double share = now->journal_bytes_max > 0 ? (double)now->journal_bytes / (double)now->journal_bytes_max : 0;
	snprintf(words, sizeof words,
		 "its journal is %.0f %% full with %llu batches: when it is full, the oldest are dropped", 100 * share,
		 (unsigned long long)now->spooled_batches);
	judge(watch, sensor, NJ_CONDITION_JOURNAL, share, limit, limit / 2, words);
}

static void judge_interfaces(struct nj_watch *watch, struct nj_watched *sensor, const struct nj_sensor_health *now)
{
	uint32_t down = 0;
	char words[120] = "";
	for (uint32_t i = 0; i < now->interfaces_n; i++)
		if (now->interfaces[i].state == NJ_INTERFACE_DOWN && down++ == 0)
			snprintf(words, sizeof words, "interface %.15s is down", now->interfaces[i].name);
	judge(watch, sensor, NJ_CONDITION_BLIND, down, 0, 0, words);
}

void nj_watch_heartbeat(struct nj_watch *watch, const struct nj_sensor_health *health)
{
	if (watch->now_ns == 0)
		return;
	struct nj_watched *sensor = sensor_of(watch, health->sensor);
	sensor->finished = false;
	hear(watch, sensor);
	judge_drops(watch, sensor, health);
	judge_clock(watch, sensor, health);
	judge_journal(watch, sensor, health);
	judge_interfaces(watch, sensor, health);
	sensor->health = *health;
	sensor->heartbeat_ns = watch->now_ns;
}

void nj_watch_gap(struct nj_watch *watch, const char *name, uint64_t batches_lost)
{
	if (watch->now_ns == 0 || batches_lost == 0)
		return;
	char words[160];
	struct nj_watched *sensor = sensor_of(watch, name);
	sensor->batches_lost += batches_lost;
	sensor->lost_ns = watch->now_ns;
	snprintf(words, sizeof words,
		 "%llu batches were dropped before any aggregator had them: those minutes are not judged",
		 (unsigned long long)batches_lost);
	judge(watch, sensor, NJ_CONDITION_GAP, (double)batches_lost, 0, 0, words);
}

void nj_watch_tick(struct nj_watch *watch, uint64_t now_ns)
{
	watch->now_ns = now_ns > watch->now_ns ? now_ns : watch->now_ns;
	for (uint32_t i = 0; i < watch->sensors_n; i++) {
		struct nj_watched *sensor = &watch->sensors[i];
		judge_silence(watch, sensor);
		if (watch->now_ns - sensor->lost_ns >= GAP_NS)
			judge(watch, sensor, NJ_CONDITION_GAP, 0, 0, 0, "");
	}
}

uint64_t nj_watch_raised(const struct nj_watch *watch)
{
	return watch->raised;
}

uint32_t nj_watch_n(const struct nj_watch *watch)
{
	return watch->sensors_n;
}

const struct nj_watched *nj_watch_at(const struct nj_watch *watch, uint32_t index)
{
	assert(index < watch->sensors_n);
	return &watch->sensors[index];
}

/* ---- as JSON */

static void write_conditions(const struct nj_watched *sensor, struct nj_json_out *out)
{
	nj_json_out_array(out, "conditions");
	for (int i = 0; i < NJ_CONDITIONS; i++)
		if ((sensor->conditions & 1u << i) != 0)
			nj_json_out_text(out, NULL, rows[i].name);
	nj_json_out_end(out);
}

static void write_lists(const struct nj_sensor_health *health, struct nj_json_out *out)
{
	static const char *const states[] = {"unknown", "up", "down"};
	nj_json_out_array(out, "interfaces");
	for (uint32_t i = 0; i < health->interfaces_n; i++) {
		const struct nj_interface_health *at = &health->interfaces[i];
		char name[NJ_INTERFACE_TEXT_MAX * 3];
		nj_label(at->name, strnlen(at->name, sizeof at->name), name, sizeof name);
		nj_json_out_object(out, NULL);
		nj_json_out_text(out, "name", name);
		nj_json_out_text(out, "state", states[at->state < 3 ? at->state : 0]);
		nj_json_out_u64(out, "gaps", at->gaps);
		nj_json_out_u64(out, "gap_ms", at->gap_ms);
		nj_json_out_end(out);
	}
	nj_json_out_end(out);
	nj_json_out_array(out, "drops");
	for (uint32_t i = 0; i < health->drops_n; i++) {
		char name[NJ_DROP_NAME_MAX * 3];
		nj_label(health->drops[i].name, strnlen(health->drops[i].name, NJ_DROP_NAME_MAX), name, sizeof name);
		nj_json_out_object(out, NULL);
		nj_json_out_text(out, "reason", name);
		nj_json_out_u64(out, "frames", health->drops[i].frames);
		nj_json_out_end(out);
	}
	nj_json_out_end(out);
}

static void write_health(const struct nj_watched *sensor, struct nj_json_out *out)
{
	const struct nj_sensor_health *h = &sensor->health;
	char software[NJ_SOFTWARE_TEXT_MAX * 3];
	nj_label(h->software, strnlen(h->software, sizeof h->software), software, sizeof software);
	nj_json_out_time(out, "heartbeat", sensor->heartbeat_ns);
	nj_json_out_text(out, "software", software);
	nj_json_out_double(out, "clock_offset_s", (double)sensor->clock_offset_ns / 1e9);
	nj_json_out_double(out, "dropped_share", sensor->dropped_share);
	nj_json_out_u64(out, "uptime_ms", h->uptime_ms);
	if (h->event_ns != 0)
		nj_json_out_time(out, "event", h->event_ns);
	nj_json_out_u64(out, "frames", h->frames_seen);
	nj_json_out_u64(out, "kernel_drops", h->kernel_drops);
	nj_json_out_u64(out, "interface_drops", h->interface_drops);
	nj_json_out_u64(out, "spooled_batches", h->spooled_batches);
	nj_json_out_u64(out, "journal_bytes", h->journal_bytes);
	nj_json_out_u64(out, "journal_bytes_max", h->journal_bytes_max);
	nj_json_out_u64(out, "journal_dropped", h->journal_dropped);
	nj_json_out_u64(out, "windows_dropped", h->windows_dropped_full + h->windows_dropped_error);
	nj_json_out_u64(out, "failovers", h->failovers);
	nj_json_out_u64(out, "cpu_permille", h->cpu_permille);
	nj_json_out_u64(out, "memory_bytes", h->memory_bytes);
	nj_json_out_u64(out, "memory_bound_bytes", h->memory_bound_bytes);
	write_lists(h, out);
}

char *nj_watched_json(const struct nj_watched *sensor)
{
	struct nj_json_out out = {0};
	nj_json_out_object(&out, NULL);
	nj_json_out_text(&out, "sensor", sensor->sensor);
	nj_json_out_time(&out, "first", sensor->first_ns);
	nj_json_out_time(&out, "heard", sensor->heard_ns);
	nj_json_out_bool(&out, "finished", sensor->finished);
	write_conditions(sensor, &out);
	nj_json_out_u64(&out, "batches_lost", sensor->batches_lost);
	if (sensor->heartbeat_ns != 0)
		write_health(sensor, &out);
	nj_json_out_end(&out);
	char *text = nj_json_out_take(&out);
	nj_json_out_fini(&out);
	return text;
}
