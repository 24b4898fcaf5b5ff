/* See findings.h. Bins: bin 0 starts with the first tick or window; when something falls beyond the last bin, pairs of
 * bins join and the width doubles, for the traffic and for every agent's points alike, so that all plots share one
 * axis. Amortised cost is constant, since each doubling halves what is there. */
#include "cli/findings.h"

#include "cli/ai_told.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS (NJ_FINDING_AGENTS_MAX * 2u) /* a power of two: at most half full */

static_assert(sizeof(struct nj_point) <= 64, "there may be a quarter of a million");

static const struct course_row {
	const char *name, *unit, *words;
	bool most;
} courses[] = {
#define JOIN_ADD                            false
#define JOIN_MOST                           true
#define COURSE_ROW(name, unit, join, words) {#name, unit, words, JOIN_##join},
	NJ_COURSES(COURSE_ROW)
#undef COURSE_ROW
};

const char *nj_course_words(enum nj_course course)
{
	return courses[course].words;
}

const char *nj_course_unit(enum nj_course course)
{
	return courses[course].unit;
}

/* Words inside feature names, most telling first, and the course that shows them. Detectors may add features freely:
 * one that matches nothing has no plot. */
bool nj_course_of_feature(const char *feature, enum nj_course *ret_course)
{
	static const struct {
		const char *word;
		enum nj_course course;
	} words[] = {
		{"dns_quer", NJ_COURSE_dns_queries},
		{"dns", NJ_COURSE_dns_name_bytes},
		{"icmp", NJ_COURSE_icmp_payload_bytes_out},
		{"auth", NJ_COURSE_auth_failed},
		{"fail", NJ_COURSE_flows_failed},
		{"refused", NJ_COURSE_flows_failed},
		{"unanswered", NJ_COURSE_flows_failed},
		{"request", NJ_COURSE_requests},
		{"response", NJ_COURSE_requests},
		{"http", NJ_COURSE_requests},
		{"bytes_out_internal", NJ_COURSE_bytes_out_internal},
		{"bytes_in_internal", NJ_COURSE_bytes_in_internal},
		{"bytes_in", NJ_COURSE_bytes_in_external},
		{"bytes", NJ_COURSE_bytes_out_external},
		{"upload", NJ_COURSE_bytes_out_external},
		{"pcr", NJ_COURSE_bytes_out_external},
		{"first_contacts", NJ_COURSE_contacts},
		{"peer", NJ_COURSE_contacts},
		{"port", NJ_COURSE_contacts},
		{"network", NJ_COURSE_contacts},
		{"edge", NJ_COURSE_contacts},
		{"contact", NJ_COURSE_contacts},
		{"flow", NJ_COURSE_flows_opened},
		{"beacon", NJ_COURSE_flows_opened},
		{"interval", NJ_COURSE_flows_opened},
		{"period", NJ_COURSE_flows_opened},
		{"packets", NJ_COURSE_packets_out},
	};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strstr(feature, words[i].word) != NULL) {
			*ret_course = words[i].course;
			return true;
		}
	}
	return false;
}

int nj_findings_init(struct nj_findings *findings, bool keep_courses)
{
	memset(findings, 0, sizeof *findings);
	findings->courses = keep_courses;
	findings->window_ns = (uint64_t)NJ_WINDOW_WIDTH_MS * 1000000;
	findings->agents = calloc(SLOTS, sizeof *findings->agents);
	return findings->agents != NULL ? NJ_OK : NJ_ERR_MEMORY;
}

void nj_findings_fini(struct nj_findings *findings)
{
	free(findings->alerts);
	free(findings->agents);
	free(findings->points);
	free(findings->ai);
	memset(findings, 0, sizeof *findings);
}

/* The row of the same agent and brain, or a new one; NULL: no room. */
static struct nj_ai_row *ai_slot(struct nj_findings *findings, const struct nj_ai_row *row)
{
	for (uint32_t i = 0; i < findings->ai_n; i++)
		if (findings->ai[i].key == row->key && nj_agent_id_compare(&findings->ai[i].agent, &row->agent) == 0)
			return &findings->ai[i];
	if (findings->ai_n == NJ_FINDING_AI_MAX) {
		findings->ai_lost++;
		return NULL;
	}
	if (findings->ai_n == findings->ai_capacity) {
		uint32_t capacity = findings->ai_capacity != 0 ? findings->ai_capacity * 2 : 16;
		struct nj_ai_row *rows = realloc(findings->ai, capacity * sizeof *rows);
		if (rows == NULL) {
			findings->failed = true;
			return NULL;
		}
		findings->ai = rows;
		findings->ai_capacity = capacity;
	}
	return &findings->ai[findings->ai_n++];
}

void nj_findings_ai(void *context, const struct nj_ai_row *row)
{
	struct nj_ai_row *slot = ai_slot(context, row);
	if (slot != NULL)
		*slot = *row;
}

void nj_findings_alert(void *context, const struct nj_alert *alert)
{
	struct nj_findings *findings = context;
	assert(alert->severity >= NJ_SEVERITY_LOW && alert->severity <= NJ_SEVERITY_CRITICAL);
	findings->by_severity[alert->severity]++;
	findings->queued += alert->queued;
	if (findings->alerts_n == NJ_FINDING_ALERTS_MAX) {
		findings->alerts_lost++;
		return;
	}
	if (findings->alerts_n == findings->alerts_capacity) {
		uint32_t capacity = findings->alerts_capacity != 0 ? findings->alerts_capacity * 2 : 16;
		struct nj_alert *alerts = realloc(findings->alerts, capacity * sizeof *alerts);
		if (alerts == NULL) {
			findings->failed = true;
			findings->alerts_lost++;
			return;
		}
		findings->alerts = alerts;
		findings->alerts_capacity = capacity;
	}
	findings->alerts[findings->alerts_n++] = *alert;
}

static void join_values(float *into, const float *from)
{
	for (unsigned c = 0; c < NJ_COURSES_N; c++) {
		if (courses[c].most)
			into[c] = into[c] > from[c] ? into[c] : from[c];
		else
			into[c] += from[c];
	}
}

static void release_point(struct nj_findings *findings, uint32_t index)
{
	findings->points[index].next = findings->points_free;
	findings->points_free = index + 1;
}

/* Halves the bins of one agent's chain and joins points that now share one. */
static void halve_chain(struct nj_findings *findings, struct nj_finding_agent *agent)
{
	for (uint32_t at = agent->point_first; at != 0;) {
		struct nj_point *point = &findings->points[at - 1];
		point->bin /= 2;
		while (point->next != 0 && findings->points[point->next - 1].bin / 2 == point->bin) {
			uint32_t joined = point->next - 1;
			join_values(point->value, findings->points[joined].value);
			point->next = findings->points[joined].next;
			release_point(findings, joined);
		}
		if (point->next == 0)
			agent->point_last = at;
		at = point->next;
	}
}

static void double_bins(struct nj_findings *findings)
{
	for (uint32_t i = 0; i < findings->bins_n; i++) {
		struct nj_bin bin = findings->bins[i];
		findings->bins[i] = (struct nj_bin){0};
		struct nj_bin *into = &findings->bins[i / 2];
		into->frames += bin.frames;
		into->bytes += bin.bytes;
		into->dropped += bin.dropped;
	}
	findings->bins_n = (findings->bins_n + 1) / 2;
	findings->bin_ns *= 2;
	for (uint32_t i = 0; i < SLOTS; i++) {
		if (findings->agents[i].used)
			halve_chain(findings, &findings->agents[i]);
	}
}

/* The bin of a moment; makes room for it. */
static uint32_t bin_of(struct nj_findings *findings, uint64_t t_ns)
{
	if (findings->bin_ns == 0) {
		findings->origin_ns = t_ns;
		findings->bin_ns = findings->window_ns;
	}
	if (t_ns < findings->origin_ns)
		return 0; /* nothing should come late; if it does, it is not worth a shift of everything */
	while ((t_ns - findings->origin_ns) / findings->bin_ns >= NJ_BINS_MAX)
		double_bins(findings);
	uint32_t bin = (uint32_t)((t_ns - findings->origin_ns) / findings->bin_ns);
	if (bin >= findings->bins_n)
		findings->bins_n = bin + 1;
	return bin;
}

void nj_findings_tick(void *context, uint64_t start_ns, const struct nj_sensor_account *account)
{
	struct nj_findings *findings = context;
	if (account->frames_seen == 0)
		return;
	struct nj_bin *bin = &findings->bins[bin_of(findings, start_ns)];
	bin->frames += account->frames_seen;
	bin->bytes += account->bytes_seen;
	bin->dropped +=
		account->frames_seen - account->frames_decoded + account->kernel_drops + account->interface_drops;
}

static uint32_t agent_hash(const struct nj_agent_id *id)
{
	uint64_t h = id->segment * 0x9e3779b97f4a7c15u;
	for (unsigned i = 0; i < 16; i++)
		h = (h ^ id->addr.byte[i]) * 0x100000001b3u;
	return (uint32_t)(h ^ h >> 29);
}

/* The slot that holds *id*, or the free one where it belongs. */
static struct nj_finding_agent *find_slot(const struct nj_findings *findings, const struct nj_agent_id *id)
{
	uint32_t slot = agent_hash(id) & (SLOTS - 1);
	while (findings->agents[slot].used && nj_agent_id_compare(&findings->agents[slot].id, id) != 0)
		slot = (slot + 1) & (SLOTS - 1);
	return &findings->agents[slot];
}

static int by_bytes(const void *a, const void *b)
{
	const struct nj_finding_agent *left = a, *right = b;
	uint64_t l = left->bytes_out + left->bytes_in, r = right->bytes_out + right->bytes_in;
	if (l != r)
		return l > r ? -1 : 1;
	return nj_agent_id_compare(&left->id, &right->id);
}

static void release_chain(struct nj_findings *findings, const struct nj_finding_agent *agent)
{
	for (uint32_t at = agent->point_first; at != 0;) {
		uint32_t next = findings->points[at - 1].next;
		release_point(findings, at - 1);
		at = next;
	}
}

/* The table is full: the quieter half goes. Agents with alerts are looked up by their alerts, so they stay whatever
 * their bytes. */
static void drop_quiet_half(struct nj_findings *findings)
{
	struct nj_finding_agent *kept = malloc(findings->agents_n * sizeof *kept);
	uint32_t n = 0;
	if (kept == NULL) {
		findings->failed = true;
		return;
	}
	for (uint32_t i = 0; i < findings->alerts_n; i++) {
		struct nj_finding_agent *agent = find_slot(findings, &findings->alerts[i].agent);
		agent->alerts += agent->used;
	}
	for (uint32_t i = 0; i < SLOTS; i++) {
		if (findings->agents[i].used)
			kept[n++] = findings->agents[i];
	}
	qsort(kept, n, sizeof *kept, by_bytes);
	memset(findings->agents, 0, SLOTS * sizeof *findings->agents);
	findings->agents_n = 0;
	for (uint32_t i = 0; i < n; i++) {
		if (i >= n / 2 && kept[i].alerts == 0) {
			release_chain(findings, &kept[i]);
			findings->agents_dropped++;
			continue;
		}
		kept[i].alerts = 0;
		*find_slot(findings, &kept[i].id) = kept[i];
		findings->agents_n++;
	}
	free(kept);
}

static uint32_t take_point(struct nj_findings *findings)
{
	if (findings->points_free != 0) {
		uint32_t index = findings->points_free - 1;
		findings->points_free = findings->points[index].next;
		return index + 1;
	}
	if (findings->points_n == findings->points_capacity) {
		uint32_t capacity = findings->points_capacity != 0 ? findings->points_capacity * 2 : 1024;
		struct nj_point *points =
			capacity <= NJ_FINDING_POINTS_MAX ? realloc(findings->points, capacity * sizeof *points) : NULL;
		if (points == NULL)
			return 0;
		findings->points = points;
		findings->points_capacity = capacity;
	}
	return ++findings->points_n;
}

static void window_values(const struct nj_window *window, float *value)
{
	const struct nj_features *f = &window->features;
	value[NJ_COURSE_bytes_out_external] = (float)f->bytes_out_external;
	value[NJ_COURSE_bytes_in_external] = (float)f->bytes_in_external;
	value[NJ_COURSE_bytes_out_internal] = (float)f->bytes_out_internal;
	value[NJ_COURSE_bytes_in_internal] = (float)f->bytes_in_internal;
	value[NJ_COURSE_flows_opened] = (float)f->flows_opened;
	value[NJ_COURSE_flows_failed] = (float)(f->flows_refused + f->flows_unanswered);
	value[NJ_COURSE_contacts] = (float)(window->contacts_n + f->contacts_rest);
	value[NJ_COURSE_dns_queries] = (float)f->dns_queries;
	value[NJ_COURSE_dns_name_bytes] = (float)f->dns_name_bytes;
	value[NJ_COURSE_icmp_payload_bytes_out] = (float)f->icmp_payload_bytes_out;
	value[NJ_COURSE_packets_out] = (float)f->packets_out;
	value[NJ_COURSE_requests] = (float)f->requests;
	value[NJ_COURSE_auth_failed] = (float)f->auth_failed;
}

static void add_point(struct nj_findings *findings, struct nj_finding_agent *agent, uint32_t bin,
		      const struct nj_window *window)
{
	float value[NJ_COURSES_N];
	window_values(window, value);
	if (agent->point_last != 0 && findings->points[agent->point_last - 1].bin >= bin) {
		join_values(findings->points[agent->point_last - 1].value, value);
		return;
	}
	uint32_t index = take_point(findings);
	if (index == 0) {
		findings->points_lost++;
		return;
	}
	struct nj_point *point = &findings->points[index - 1];
	point->bin = bin;
	point->next = 0;
	memcpy(point->value, value, sizeof value);
	if (agent->point_last != 0)
		findings->points[agent->point_last - 1].next = index;
	else
		agent->point_first = index;
	agent->point_last = index;
}

static uint32_t name_hash(const char *name)
{
	uint32_t h = 2166136261u; /* FNV-1a: names are a dozen letters of our own library */
	for (; *name != '\0'; name++)
		h = (h ^ (uint8_t)*name) * 16777619u;
	return h;
}

/* The row of an application, made if new; once all but one are taken, the last one gathers the rest. */
static struct nj_finding_app *app_of(struct nj_findings *findings, const char *name)
{
	uint32_t slot = name_hash(name) & (NJ_FINDING_APP_SLOTS - 1);
	while (findings->app_slots[slot] != 0) {
		struct nj_finding_app *app = &findings->apps[findings->app_slots[slot] - 1];
		if (strcmp(app->name, name) == 0)
			return app;
		slot = (slot + 1) & (NJ_FINDING_APP_SLOTS - 1);
	}
	if (findings->apps_n == NJ_FINDING_APPS_MAX)
		return &findings->apps[NJ_FINDING_APPS_MAX - 1];
	struct nj_finding_app *app = &findings->apps[findings->apps_n++];
	findings->app_slots[slot] = (uint16_t)findings->apps_n;
	snprintf(app->name, sizeof app->name, "%s", findings->apps_n < NJ_FINDING_APPS_MAX ? name : "others");
	return app;
}

/* A flow stands in the windows of both its ends; only the client's end counts it here. */
static void count_apps(struct nj_findings *findings, const struct nj_window *window)
{
	for (uint32_t i = 0; i < window->contacts_n; i++) {
		const struct nj_contact *contact = &window->contacts[i];
		if (contact->role != NJ_ROLE_CLIENT)
			continue;
		struct nj_finding_app *app = app_of(findings, contact->app[0] != '\0' ? contact->app : "Unknown");
		app->bytes += contact->bytes_out + contact->bytes_in;
		app->flows += contact->opened;
	}
}

void nj_findings_window(void *context, const struct nj_window *window)
{
	struct nj_findings *findings = context;
	const struct nj_features *f = &window->features;
	struct nj_finding_agent *agent = find_slot(findings, &window->agent);
	findings->windows++;
	count_apps(findings, window);
	if (!agent->used) {
		if (findings->agents_n == NJ_FINDING_AGENTS_MAX) {
			drop_quiet_half(findings);
			agent = find_slot(findings, &window->agent);
		}
		*agent = (struct nj_finding_agent){.id = window->agent, .used = true, .first_ns = window->start_ns};
		findings->agents_n++;
	}
	agent->last_ns = window->start_ns + (uint64_t)window->width_ms * 1000000;
	agent->bytes_out += f->bytes_out_external + f->bytes_out_internal;
	agent->bytes_in += f->bytes_in_external + f->bytes_in_internal;
	agent->flows_opened += f->flows_opened;
	agent->flows_accepted += f->flows_accepted;
	agent->flows_failed += f->flows_refused + f->flows_unanswered;
	if (window->contacts_n + f->contacts_rest > agent->contacts_most)
		agent->contacts_most = window->contacts_n + f->contacts_rest;
	if (findings->courses) {
		uint32_t bin = bin_of(findings, window->start_ns);
		add_point(findings, agent, bin, window);
	}
}

static int by_weight(const void *a, const void *b)
{
	const struct nj_alert *left = a, *right = b;
	if (left->queued != right->queued)
		return left->queued ? 1 : -1;
	if (left->severity != right->severity)
		return left->severity > right->severity ? -1 : 1;
	if (left->p != right->p)
		return left->p < right->p ? -1 : 1;
	if (left->time_ns != right->time_ns)
		return left->time_ns < right->time_ns ? -1 : 1;
	return left->id < right->id ? -1 : left->id > right->id;
}

void nj_findings_sort(struct nj_findings *findings)
{
	if (findings->ai_n > 0)
		qsort(findings->ai, findings->ai_n, sizeof *findings->ai, nj_ai_by_weight);
	if (findings->alerts_n > 0)
		qsort(findings->alerts, findings->alerts_n, sizeof *findings->alerts, by_weight);
	for (uint32_t i = 0; i < SLOTS; i++)
		findings->agents[i].alerts = 0;
	for (uint32_t i = 0; i < findings->alerts_n; i++) {
		struct nj_finding_agent *agent = find_slot(findings, &findings->alerts[i].agent);
		agent->alerts += agent->used;
	}
}

bool nj_findings_reach(const struct nj_findings *findings, enum nj_severity severity)
{
	for (unsigned s = severity; s <= NJ_SEVERITY_CRITICAL; s++) {
		if (findings->by_severity[s] > 0)
			return true;
	}
	return false;
}

const struct nj_finding_agent *nj_findings_agent(const struct nj_findings *findings, const struct nj_agent_id *id)
{
	const struct nj_finding_agent *agent = find_slot(findings, id);
	return agent->used ? agent : NULL;
}

/* Insertion into a short sorted list: n is a table's few rows. */
uint32_t nj_findings_talkers(const struct nj_findings *findings, const struct nj_finding_agent **ret_agents, uint32_t n)
{
	uint32_t held = 0;
	for (uint32_t i = 0; i < SLOTS && n > 0; i++) {
		const struct nj_finding_agent *agent = &findings->agents[i];
		if (!agent->used || (held == n && by_bytes(agent, ret_agents[held - 1]) > 0))
			continue;
		uint32_t at = held < n ? held++ : n - 1;
		while (at > 0 && by_bytes(agent, ret_agents[at - 1]) < 0) {
			ret_agents[at] = ret_agents[at - 1];
			at--;
		}
		ret_agents[at] = agent;
	}
	return held;
}

static int app_by_bytes(const void *a, const void *b)
{
	const struct nj_finding_app *left = a, *right = b;
	if (left->bytes != right->bytes)
		return left->bytes > right->bytes ? -1 : 1;
	if (left->flows != right->flows)
		return left->flows > right->flows ? -1 : 1;
	return strcmp(left->name, right->name);
}

void nj_findings_sort_apps(struct nj_findings *findings)
{
	qsort(findings->apps, findings->apps_n, sizeof findings->apps[0], app_by_bytes);
	memset(findings->app_slots, 0, sizeof findings->app_slots);
}

void nj_findings_course(const struct nj_findings *findings, const struct nj_finding_agent *agent, enum nj_course course,
			double *ret_values)
{
	memset(ret_values, 0, NJ_BINS_MAX * sizeof *ret_values);
	for (uint32_t at = agent->point_first; at != 0; at = findings->points[at - 1].next) {
		const struct nj_point *point = &findings->points[at - 1];
		assert(point->bin < NJ_BINS_MAX);
		ret_values[point->bin] = point->value[course];
	}
}
