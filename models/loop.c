/* With exchanges k = 1..n that end at E_k, actions towards other peers, and W = 3 s:
 *
 *   X_k = 1  if an action begins in (E_k, E_k + W]
 *
 *   Y_k = 1  if the next exchange begins within 5 s of the end of the last action of the turn (or while it still runs)
 *
 *   loop     = 1/n sum X_k Y_k
 *
 *   nats     = 1/n sum [ X_k ln(r/q0) + (1 - X_k) ln((1 - r)/(1 - q0)) ],  r = 0.8
 *
 *   q0       = 1 - e^(-lambda W), kept in 0.02..0.8; lambda the rate of actions outside turns, drawn to one a minute by
 *              a minute's weight. A turn is the exchange, the W after it, and the W after the end of each action in it:
 *              agents do several things on one answer
 *
 * A host that acts in bursts all day has a high q0 outside its turns as well, and nats says so. What nats cannot see is
 * an activity that merely comes and goes together with the exchanges (both by day, say). So the exchanges are moved
 * around a circle as long as the time looked at, by j * 63.7 s (j = 1..10; j/11 of the circle where that is shorter
 * than 701 s), and z = (loop - mean)/max(sd, 0.03) says how far the true alignment stands out. 63.7 and not 60, so that
 * a turn time that divides a minute does not fall onto itself.
 *
 * Time looked at: from the later of the first kept exchange and, where the list of actions is full, the first kept
 * action, to the last exchange's end plus W. Turns before it are left out. All in whole milliseconds: deterministic.
 *
 * Sources: the project's own derivation; the null is the circular shift of time-series practice. Cost 16 us at 32 turns
 * and 48 actions. */
#include "models/loop.h"

#include "models/math.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define ACT_MS        3000
#define RETURN_MS     5000
#define ACT_CHANCE    0.8
#define BASE_MIN      0.02
#define BASE_MAX      0.8 /* more would make it evidence to act less than usual */
#define PRIOR_ACTIONS 1.0 /* a rate from little idle time is drawn to one action a minute */
#define PRIOR_MS      60000.0
#define SHIFT_MS      63700
#define DUTY_MINUTES  10 /* a younger loop is taken as if it had been watched so long */
#define SD_MIN        0.03
#define SAME_ACT_MS   1000
#define LASTED_MS     16u
#define FORGET_MS     (UINT64_C(1) << 30) /* 12 days of silence: 32 bits would soon be ambiguous */

static_assert(NJ_LOOP_TURNS <= NJ_SMALL_MAX, "turn times are sorted on the stack");

/* Milliseconds by which *ms* lies before *latest_ms*; what is later counts as the same. */
static uint64_t age_ms(uint64_t latest_ms, uint32_t ms)
{
	int32_t age = (int32_t)((uint32_t)latest_ms - ms);
	return age > 0 ? (uint64_t)age : 0;
}

static bool before(const struct nj_loop_stretch *a, const struct nj_loop_stretch *b, bool by_end)
{
	int32_t end = (int32_t)(a->end_ms - b->end_ms), start = (int32_t)(a->start_ms - b->start_ms);
	int32_t first = by_end ? end : start, second = by_end ? start : end;
	return first != 0 ? first < 0 : second < 0;
}

static struct nj_loop_stretch stretch_of(uint64_t start_ns, uint64_t end_ns)
{
	uint64_t start_ms = start_ns / 1000000, end_ms = end_ns / 1000000;
	if (end_ms < start_ms)
		end_ms = start_ms;
	if (end_ms - start_ms > FORGET_MS)
		end_ms = start_ms + FORGET_MS;
	return (struct nj_loop_stretch){(uint32_t)start_ms, (uint32_t)end_ms};
}

/* ---- actions */

static bool action_before(const struct nj_loop_action *a, const struct nj_loop_action *b)
{
	int32_t start = (int32_t)(a->start_ms - b->start_ms);
	return start != 0 ? start < 0 : a->peer < b->peer;
}

static uint32_t action_end_ms(const struct nj_loop_action *action)
{
	return action->start_ms + action->lasted * LASTED_MS;
}

static void last_until(struct nj_loop_action *action, uint32_t end_ms)
{
	int32_t lasted_ms = (int32_t)(end_ms - action->start_ms);
	uint32_t lasted = lasted_ms > 0 ? ((uint32_t)lasted_ms + LASTED_MS - 1) / LASTED_MS : 0;
	if (lasted > action->lasted)
		action->lasted = lasted < UINT16_MAX ? (uint16_t)lasted : UINT16_MAX;
}

/* Joins it to an action towards the same peer that began less than a second away. */
static bool join_action(struct nj_actions *actions, const struct nj_loop_action *add)
{
	for (uint32_t i = actions->n; i-- > 0;) {
		struct nj_loop_action *known = &actions->action[i];
		int32_t apart = (int32_t)(add->start_ms - known->start_ms);
		if (apart >= SAME_ACT_MS)
			return false; /* ascending: all others are further away */
		if (apart <= -SAME_ACT_MS || known->peer != add->peer)
			continue;
		last_until(known, action_end_ms(add));
		return true;
	}
	return false;
}

void nj_actions_add(struct nj_actions *actions, uint64_t peer_hash, uint64_t start_ns, uint64_t end_ns)
{
	struct nj_loop_stretch at_ms = stretch_of(start_ns, end_ns);
	struct nj_loop_action add = {.start_ms = at_ms.start_ms, .peer = (uint16_t)peer_hash};
	last_until(&add, at_ms.end_ms);
	uint64_t start_ms = start_ns / 1000000;
	if (actions->n > 0 && start_ms > actions->latest_ms + FORGET_MS)
		actions->n = 0;
	if (start_ms + FORGET_MS < actions->latest_ms || join_action(actions, &add))
		return;
	actions->seen++;
	uint32_t at = actions->n;
	while (at > 0 && action_before(&add, &actions->action[at - 1]))
		at--;
	if (actions->n == NJ_LOOP_ACTIONS) {
		if (at == 0)
			return; /* older than all that is kept */
		memmove(&actions->action[0], &actions->action[1], (at - 1) * sizeof add);
		at--;
	} else {
		memmove(&actions->action[at + 1], &actions->action[at], (actions->n - at) * sizeof add);
		actions->n++;
	}
	actions->action[at] = add;
	if (start_ms > actions->latest_ms)
		actions->latest_ms = start_ms;
}

/* ---- exchanges */

static void mark_minute(struct nj_loop *loop, uint64_t end_ms)
{
	uint64_t minute = end_ms / 60000, latest = loop->latest_ms / 60000;
	if (minute > latest) {
		loop->minutes = minute - latest < 64 ? loop->minutes << (minute - latest) : 0;
		loop->minutes |= 1;
	} else if (latest - minute < 64) {
		loop->minutes |= UINT64_C(1) << (latest - minute);
	}
}

void nj_loop_add(struct nj_loop *loop, uint64_t start_ns, uint64_t end_ns)
{
	struct nj_loop_stretch add = stretch_of(start_ns, end_ns);
	uint64_t end_ms = end_ns / 1000000;
	if (end_ns < start_ns)
		end_ms = start_ns / 1000000;
	if (loop->n > 0 && end_ms > loop->latest_ms + FORGET_MS)
		loop->n = 0;
	if (end_ms + FORGET_MS < loop->latest_ms)
		return;
	loop->turns++;
	mark_minute(loop, end_ms);
	if (end_ms > loop->latest_ms)
		loop->latest_ms = end_ms;
	uint32_t at = loop->n;
	while (at > 0 && before(&add, &loop->exchange[at - 1], true))
		at--;
	if (loop->n == NJ_LOOP_TURNS) {
		if (at == 0)
			return;
		memmove(&loop->exchange[0], &loop->exchange[1], (at - 1) * sizeof add);
		at--;
	} else {
		memmove(&loop->exchange[at + 1], &loop->exchange[at], (loop->n - at) * sizeof add);
		loop->n++;
	}
	loop->exchange[at] = add;
}

/* ---- judgement: everything as milliseconds from the start of the time looked at */

struct span {
	int64_t start, end;
};

struct scene {
	int64_t length; /* of the time looked at */
	uint32_t turns, actions;
	struct span exchange[NJ_LOOP_TURNS];
	int64_t reach[NJ_LOOP_TURNS]; /* until when an action counts as following that answer */
	struct span action[NJ_LOOP_ACTIONS];
};

static void look(const struct nj_loop *loop, const struct nj_actions *actions, uint16_t peer, struct scene *scene)
{
	uint64_t latest_ms = loop->latest_ms > actions->latest_ms ? loop->latest_ms : actions->latest_ms;
	uint64_t oldest = loop->n > 0 ? age_ms(latest_ms, loop->exchange[0].start_ms) : 0;
	if (actions->seen > actions->n && actions->n > 0 && age_ms(latest_ms, actions->action[0].start_ms) < oldest)
		oldest = age_ms(latest_ms, actions->action[0].start_ms);
	int64_t origin = (int64_t)oldest; /* ages count down to the latest */
	scene->turns = scene->actions = 0;
	for (uint32_t i = 0; i < loop->n; i++) {
		struct span span = {origin - (int64_t)age_ms(latest_ms, loop->exchange[i].start_ms),
				    origin - (int64_t)age_ms(latest_ms, loop->exchange[i].end_ms)};
		if (span.start >= 0)
			scene->exchange[scene->turns++] = span;
	}
	for (uint32_t i = 0; i < actions->n; i++) {
		const struct nj_loop_action *action = &actions->action[i];
		struct span span = {origin - (int64_t)age_ms(latest_ms, action->start_ms),
				    origin - (int64_t)age_ms(latest_ms, action_end_ms(action))};
		if (action->peer != peer && span.start >= 0)
			scene->action[scene->actions++] = span;
	}
	scene->length = scene->turns > 0 ? scene->exchange[scene->turns - 1].end + ACT_MS : 0;
	for (uint32_t k = 0; k < scene->turns; k++) {
		scene->reach[k] = scene->exchange[k].end + ACT_MS;
		for (uint32_t i = 0; i < scene->actions; i++)
			if (scene->action[i].start > scene->exchange[k].end &&
			    scene->action[i].start <= scene->reach[k] &&
			    scene->action[i].end + ACT_MS > scene->reach[k])
				scene->reach[k] = scene->action[i].end + ACT_MS;
		if (scene->reach[k] > scene->length)
			scene->reach[k] = scene->length;
	}
}

/* Whether t lies in an exchange or in what follows one. */
static bool is_covered(const struct scene *scene, int64_t t)
{
	for (uint32_t i = 0; i < scene->turns; i++)
		if (t >= scene->exchange[i].start && t <= scene->reach[i])
			return true;
	return false;
}

static int64_t covered_ms(const struct scene *scene)
{
	int64_t total = 0, until = 0;
	for (uint32_t left = scene->turns; left > 0; left--) {
		/* the uncounted stretch that begins first; parallel exchanges overlap and end in another order */
		int64_t start = INT64_MAX, end = 0;
		for (uint32_t i = 0; i < scene->turns; i++) {
			const struct span *exchange = &scene->exchange[i];
			int64_t from = exchange->start > until ? exchange->start : until;
			if (scene->reach[i] > until && from < start) {
				start = from;
				end = scene->reach[i];
			}
		}
		if (start == INT64_MAX)
			break;
		total += end - start;
		until = end;
	}
	return total;
}

static double base_rate(const struct scene *scene)
{
	double outside = PRIOR_ACTIONS, idle_ms = PRIOR_MS + fmax(0, (double)(scene->length - covered_ms(scene)));
	for (uint32_t i = 0; i < scene->actions; i++)
		outside += scene->action[i].start < scene->length && !is_covered(scene, scene->action[i].start);
	double rate = outside / idle_ms;
	return fmin(fmax(-expm1(-rate * ACT_MS), BASE_MIN), BASE_MAX);
}

struct turn_counts {
	uint32_t acted, returned;
};

/* One turn: the answer at *end*, the next question at *next* (negative: none yet). */
static void count_turn(const struct scene *scene, int64_t end, int64_t next, struct turn_counts *counts)
{
	bool acted = false;
	int64_t last_end = -1;
	for (uint32_t i = 0; i < scene->actions; i++) {
		const struct span *action = &scene->action[i];
		if (action->start <= end || (next >= 0 && action->start > next))
			continue;
		acted = acted || action->start <= end + ACT_MS;
		last_end = action->end > last_end ? action->end : last_end;
	}
	counts->acted += acted;
	counts->returned += acted && next >= 0 && next <= last_end + RETURN_MS;
}

/* All turns with the exchanges moved by *shift* around the circle. The next question of a turn is the earliest that
 * begins after its answer. */
static struct turn_counts count_turns(const struct scene *scene, int64_t shift)
{
	struct turn_counts counts = {0};
	int64_t length = scene->length > 0 ? scene->length : 1, start[NJ_LOOP_TURNS], end[NJ_LOOP_TURNS];
	for (uint32_t i = 0; i < scene->turns; i++) {
		int64_t lasted = scene->exchange[i].end - scene->exchange[i].start;
		start[i] = (scene->exchange[i].start + shift) % length;
		end[i] = start[i] + lasted;
	}
	for (uint32_t i = 0; i < scene->turns; i++) {
		int64_t next = -1;
		for (uint32_t j = 0; j < scene->turns; j++)
			if (j != i && start[j] >= end[i] && (next < 0 || start[j] < next))
				next = start[j];
		count_turn(scene, end[i], next, &counts);
	}
	return counts;
}

static double shifted_z(const struct scene *scene, double loop)
{
	double sum = 0, squares = 0;
	int64_t step = scene->length > (NJ_LOOP_NULLS + 1) * SHIFT_MS ? SHIFT_MS : scene->length / (NJ_LOOP_NULLS + 1);
	for (int j = 1; j <= NJ_LOOP_NULLS; j++) {
		double null = (double)count_turns(scene, j * step).returned / scene->turns;
		sum += null;
		squares += null * null;
	}
	double mean = sum / NJ_LOOP_NULLS, variance = squares / NJ_LOOP_NULLS - mean * mean;
	return (loop - mean) / fmax(sqrt(fmax(variance, 0)), SD_MIN);
}

static double median_turn_s(const struct nj_loop *loop)
{
	double gap[NJ_LOOP_TURNS];
	if (loop->n < 2)
		return 0;
	for (uint32_t i = 1; i < loop->n; i++)
		gap[i - 1] = (double)(int32_t)(loop->exchange[i].end_ms - loop->exchange[i - 1].end_ms) / 1000;
	return nj_median(gap, loop->n - 1);
}

/* Exchanges that overlap (parallel agents) have no pause between them. */
static double median_pause_s(const struct nj_loop *loop)
{
	double gap[NJ_LOOP_TURNS];
	if (loop->n < 2)
		return 0;
	for (uint32_t i = 1; i < loop->n; i++) {
		int32_t pause_ms = (int32_t)(loop->exchange[i].start_ms - loop->exchange[i - 1].end_ms);
		gap[i - 1] = pause_ms > 0 ? pause_ms / 1000.0 : 0;
	}
	return nj_median(gap, loop->n - 1);
}

static double duty_of(const struct nj_loop *loop)
{
	uint64_t hour = loop->minutes & ((UINT64_C(1) << 60) - 1);
	int known = hour != 0 ? 64 - __builtin_clzll(hour) : 0; /* minutes since the earliest one of the hour */
	return __builtin_popcountll(hour) / (double)(known > DUTY_MINUTES ? known : DUTY_MINUTES);
}

void nj_loop_judge(const struct nj_loop *loop, const struct nj_actions *actions, uint64_t peer_hash,
		   struct nj_loop_verdict *ret_verdict)
{
	struct scene scene;
	look(loop, actions, (uint16_t)peer_hash, &scene);
	*ret_verdict = (struct nj_loop_verdict){.turns = scene.turns,
						.turn_s = median_turn_s(loop),
						.pause_s = median_pause_s(loop),
						.duty = duty_of(loop)};
	if (scene.turns < NJ_LOOP_TURN_MIN)
		return;
	double n = scene.turns, base = base_rate(&scene);
	struct turn_counts counts = count_turns(&scene, 0);
	ret_verdict->base = base;
	ret_verdict->acted = counts.acted / n;
	ret_verdict->loop = counts.returned / n;
	ret_verdict->nats = ret_verdict->acted * log(ACT_CHANCE / base) +
			    (1 - ret_verdict->acted) * log((1 - ACT_CHANCE) / (1 - base));
	ret_verdict->z = shifted_z(&scene, ret_verdict->loop);
	ret_verdict->actions_a_turn = scene.actions / n;
}
