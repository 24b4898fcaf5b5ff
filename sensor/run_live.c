/* nightjar-sensor --interface: the coordinator's thread. It reads the clocks for all others, takes part in the talk
 * with the aggregator between two steps, logs what workers took and lost, and answers signals:
 *
 *   SIGTERM  lets nothing in any more, tells what is in the rings, delivers, ends; a second one ends it at once
 *   SIGHUP   reads the configuration again and takes all of it over, or nothing
 *
 * A capture cannot be repeated: each window is committed before the next, and a full journal gives way instead of
 * holding capture up. */
#include "common/inventory.h"
#include "common/log.h"
#include "sensor/live.h"
#include "sensor/nic_check.h"
#include "sensor/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STEP_MS  20
#define NS_PER_S 1000000000ull

struct live_run {
	struct nj_run run;
	struct nj_live_options options;
	struct nj_sensor_lists lists;
	struct nj_window_sink sink; /* the shipper's, once it is there */
	struct nj_live *live;
	struct nj_sensor_config *reloaded; /* in force beside the first one, whose texts others keep; NULL: none yet */
	struct nj_sensor_config *retired;  /* no longer in force, freed when all workers have taken the new one over */
	struct nj_inventory *retired_inventory;
	bool reload, taking, stopped; /* a reload is wanted; workers are taking one over; SIGTERM has come */
	uint64_t event_ns;            /* end of the last window told */
	uint64_t stats_ns;            /* of the last line */
	struct nj_lane_counts *told;  /* per worker */
};

static uint64_t clock_ns(clockid_t id)
{
	struct timespec now;
	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void log_event(void *context, bool warning, const char *text)
{
	(void)context;
	nj_log(warning ? NJ_LOG_WARNING : NJ_LOG_NOTICE, "%s", text);
}

/* ------------------------------------------------------------------ statistics */

static void log_worker(struct live_run *r, uint32_t worker)
{
	struct nj_lane_counts now, *told = &r->told[worker];
	nj_live_counts(r->live, worker, &now);
	nj_log(NJ_LOG_NOTICE,
	       "worker %u: %llu frames, %llu bytes, %llu dropped by the kernel, %llu late, %llu from the future; in "
	       "all "
	       "%llu frames, %llu dropped",
	       worker, (unsigned long long)(now.frames - told->frames), (unsigned long long)(now.bytes - told->bytes),
	       (unsigned long long)(now.kernel_drops - told->kernel_drops), (unsigned long long)(now.late - told->late),
	       (unsigned long long)(now.early - told->early), (unsigned long long)now.frames,
	       (unsigned long long)now.kernel_drops);
	*told = now;
}

static void log_interface(struct live_run *r, uint32_t index, uint64_t steady_ns)
{
	struct nj_live_state state;
	nj_live_state(r->live, index, steady_ns, &state);
	nj_log(NJ_LOG_NOTICE, "%s: %s; in all %llu dropped by the interface, %llu gaps of %.1f s together", state.name,
	       state.open ? "open" : "away", (unsigned long long)state.interface_drops, (unsigned long long)state.gaps,
	       (double)state.gap_ns / 1e9);
}

static void log_drop_reasons(const struct nj_sensor_account *account)
{
	for (uint32_t i = 0; i < account->drops_n; i++)
		nj_log(NJ_LOG_NOTICE, "not decoded: %llu frames, %s", (unsigned long long)account->drops[i].frames,
		       account->drops[i].name);
}

static const struct nj_sensor_config *in_force(const struct live_run *r)
{
	return r->reloaded != NULL ? r->reloaded : r->run.config;
}

static void log_stats(struct live_run *r, uint64_t steady_ns)
{
	r->stats_ns = steady_ns;
	for (uint32_t i = 0; i < r->options.interfaces_n; i++)
		log_interface(r, i, steady_ns);
	for (uint32_t i = 0; i < r->options.workers; i++)
		log_worker(r, i);
	log_drop_reasons(nj_live_total(r->live));
}

/* ------------------------------------------------------------------ reload */

/* All or nothing; *ret_inventory* and *wanted* are in force when it succeeds. */
static int reload_take(struct live_run *r, struct nj_sensor_config *wanted, struct nj_inventory **ret_inventory,
		       struct nj_message *message)
{
	int err = nj_daemon_reload(r->run.daemon, wanted, message);
	if (err < 0)
		return err;
	const char *name = nj_sensor_config_needs_restart(in_force(r), wanted);
	if (name != NULL)
		return nj_fail(message, NJ_ERR_USAGE, "%s changes only with a restart", name);
	struct nj_inventory *inventory = NULL;
	err = nj_run_inventory(wanted, message, &inventory);
	if (err == NJ_OK)
		err = nj_live_set_filter(r->live, wanted->bpf, message);
	if (err < 0) {
		nj_inventory_free(&inventory);
		return err;
	}
	nj_live_set_home(r->live, nj_inventory_home(inventory));
	*ret_inventory = inventory;
	return NJ_OK;
}

static void reload(struct live_run *r)
{
	struct nj_message message = {.text = ""};
	struct nj_inventory *inventory = NULL;
	nj_notify_reloading(clock_ns(CLOCK_MONOTONIC));
	struct nj_sensor_config *wanted = malloc(sizeof *wanted);
	int err = wanted != NULL ? reload_take(r, wanted, &inventory, &message) : NJ_ERR_MEMORY;
	if (err < 0) {
		free(wanted);
		nj_log(NJ_LOG_WARNING, "the configuration is not taken over: %s; everything stays as it was",
		       message.text[0] != '\0' ? message.text : nj_error_text(err));
		nj_notify_ready("watching; the last reload was refused");
		return;
	}
	r->retired = r->reloaded;
	r->retired_inventory = r->run.inventory;
	r->reloaded = wanted;
	r->run.inventory = inventory;
	r->taking = true;
}

/* One reload at a time; what it replaces is kept until no worker looks at it any more. */
static void reload_step(struct live_run *r)
{
	r->reload = nj_daemon_reload_wanted() || r->reload;
	if (!nj_live_is_settled(r->live))
		return;
	if (r->taking) {
		nj_log(NJ_LOG_NOTICE, "the configuration was read again and taken over");
		nj_notify_ready("watching");
	}
	r->taking = false;
	free(r->retired);
	r->retired = NULL;
	nj_inventory_free(&r->retired_inventory);
	if (r->reload && !nj_daemon_stopping()) {
		r->reload = false;
		reload(r);
	}
}

/* ------------------------------------------------------------------ the run */

static int pass_window(void *context, const struct nj_window *window)
{
	const struct nj_window_sink *to = &((struct live_run *)context)->sink;
	return to->window(to->context, window);
}

static int pass_tick(void *context, uint64_t start_ns, uint32_t width_ms, const struct nj_sensor_account *account,
		     bool finish)
{
	struct live_run *r = context;
	const struct nj_window_sink *to = &r->sink;
	r->event_ns = start_ns + (uint64_t)width_ms * 1000000;
	return to->tick(to->context, start_ns, width_ms, account, finish);
}

/* The sockets need rights, the journal must not be made with them, so the shipper comes after what delivers to it. */
static int open_parts(struct live_run *r, struct nj_message *message)
{
	const struct nj_window_sink sink = {.context = r, .window = pass_window, .tick = pass_tick};
	r->told = calloc(r->options.workers, sizeof *r->told);
	if (r->told == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "no memory");
	int err = nj_live_open(&r->options, &sink, clock_ns(CLOCK_REALTIME), clock_ns(CLOCK_MONOTONIC), message,
			       &r->live);
	if (err == NJ_OK)
		err = nj_run_confine(&r->run, true, message);
	if (err == NJ_OK)
		err = nj_shipper_new(&r->run.shipper_options, message, &r->run.shipper);
	if (err < 0)
		return err;
	r->sink = nj_shipper_sink(r->run.shipper);
	err = nj_live_start(r->live, message);
	return err == NJ_OK ? nj_run_confine_calls(&r->run, clock_ns(CLOCK_MONOTONIC), "watching", message) : err;
}

static void stop(struct live_run *r)
{
	if (!r->stopped)
		nj_notify_stopping("telling what is in the rings");
	r->stopped = true;
	nj_live_stop(r->live);
}

static int heartbeat(struct live_run *r, uint64_t steady_ns)
{
	struct nj_sensor_health health = {.interfaces_n = r->options.interfaces_n};
	if (health.interfaces_n > NJ_HEALTH_INTERFACES_MAX)
		health.interfaces_n = NJ_HEALTH_INTERFACES_MAX;
	for (uint32_t i = 0; i < health.interfaces_n; i++) {
		struct nj_interface_health *at = &health.interfaces[i];
		struct nj_live_state state;
		nj_live_state(r->live, i, steady_ns, &state);
		snprintf(at->name, sizeof at->name, "%.15s", state.name);
		at->state = state.open ? NJ_INTERFACE_UP : NJ_INTERFACE_DOWN;
		at->gaps = state.gaps;
		at->gap_ms = state.gap_ns / 1000000;
	}
	nj_health_account(nj_live_total(r->live), &health);
	health.event_ns = r->event_ns;
	return nj_run_heartbeat(&r->run, steady_ns, &health);
}

/* Until a signal has come and everything is told. */
static int watch(struct live_run *r)
{
	int more, err = NJ_OK;
	uint64_t steady_ns = clock_ns(CLOCK_MONOTONIC);
	r->stats_ns = steady_ns;
	while ((more = nj_live_step(r->live, clock_ns(CLOCK_REALTIME), steady_ns)) > 0 && err == NJ_OK) {
		if (nj_daemon_stopping())
			stop(r);
		reload_step(r);
		nj_shipper_clock(r->run.shipper, steady_ns / 1000000);
		err = nj_shipper_pump(r->run.shipper, STEP_MS);
		steady_ns = clock_ns(CLOCK_MONOTONIC);
		if (err == NJ_OK && nj_run_heartbeat_is_due(&r->run, steady_ns))
			err = heartbeat(r, steady_ns);
		if (nj_run_alive_is_due(&r->run, steady_ns))
			nj_run_alive(&r->run, steady_ns, nj_live_total(r->live));
		if (steady_ns - r->stats_ns >= in_force(r)->stats * NS_PER_S)
			log_stats(r, steady_ns);
	}
	log_stats(r, steady_ns);
	return more < 0 ? more : err;
}

/* What lies in a journal on disk is delivered by the next run; what lies in memory would be lost. */
static int deliver_rest(struct live_run *r, struct nj_message *message)
{
	int err = nj_shipper_finish(r->run.shipper);
	if (err == NJ_ERR_AGAIN && strcmp(r->run.config->journal, ":memory:") != 0) {
		nj_log(NJ_LOG_WARNING, "%s; what is left stays in %s for the next run",
		       nj_shipper_message(r->run.shipper), r->run.config->journal);
		return NJ_OK;
	}
	if (err < 0)
		nj_fail(message, err, "%s", nj_shipper_message(r->run.shipper));
	return err;
}

/* What stands in the way of seeing everything, each with the command that mends it; 0 or an interface is missing. */
static int check_interfaces(const struct live_run *r, struct nj_message *message)
{
	int fd, err = nj_nic_open(message, &fd);
	if (err < 0)
		return err;
	for (uint32_t i = 0; i < r->options.interfaces_n; i++) {
		const char *name = r->options.interfaces[i];
		struct nj_nic_features features;
		struct nj_nic_finding findings[NJ_NIC_FINDINGS_MAX];
		nj_nic_ask(fd, name, &features);
		uint32_t n = nj_nic_findings(name, &features, findings);
		for (uint32_t k = 0; k < n; k++)
			printf("%s%s%s\n", findings[k].text, findings[k].mend[0] != '\0' ? "\n    " : "",
			       findings[k].mend);
		if (n == 0)
			printf("%s: nothing stands in the way\n", name);
		if (features.state.index == 0)
			err = nj_fail(message, NJ_ERR_NOT_FOUND, "%s: no such interface", name);
	}
	close(fd);
	return err;
}

static int run(struct live_run *r, struct nj_message *message)
{
	int err = nj_sensor_config_live(r->run.config, &r->lists, &r->options, message);
	if (err < 0)
		return err;
	r->options.worker.home = nj_inventory_home(r->run.inventory);
	r->options.tell = log_event;
	err = nj_run_weigh(&r->run, nj_live_memory_bytes(&r->options), message);
	if (err < 0)
		return err;
	if (r->run.daemon->check)
		return check_interfaces(r, message);
	err = open_parts(r, message);
	if (err < 0)
		return err;
	nj_daemon_watch_signals();
	nj_log(NJ_LOG_NOTICE, "watching with %u workers on %u interfaces", r->options.workers, r->options.interfaces_n);
	err = watch(r);
	if (err == NJ_OK)
		err = deliver_rest(r, message);
	else if (nj_shipper_message(r->run.shipper)[0] != '\0')
		nj_fail(message, err, "%s", nj_shipper_message(r->run.shipper));
	nj_run_report(&r->run, nj_live_total(r->live));
	return err;
}

int nj_run_live(const struct nj_daemon *daemon, const struct nj_sensor_config *config, struct nj_message *message)
{
	struct live_run *r = calloc(1, sizeof *r);
	if (r == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "no memory");
	int err = nj_run_prepare(&r->run, daemon, config, message);
	if (err == NJ_OK)
		err = run(r, message);
	nj_live_close(&r->live);
	nj_run_end(&r->run);
	nj_inventory_free(&r->retired_inventory);
	free(r->reloaded);
	free(r->retired);
	free(r->told);
	free(r);
	return err;
}
