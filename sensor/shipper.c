/* What is sent is always read back from the journal: one way for fresh batches, repeated ones and those of an earlier
 * run. Three numbers tell where we are:
 *
 *     journal.oldest <= acked <= sent <= committed <= journal.next
 *
 * acked moves with the aggregator's word, sent goes back to acked when the aggregator asks for it or has been silent,
 * and only what is committed is sent, so that no number ever stands for two different batches. Forgetting what was
 * acknowledged waits for the next commit, so that it costs none of its own.
 *
 * Time is what was spent waiting: the shipper has no clock. */
#include "sensor/shipper.h"

#include "sensor/shipper_parts.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_MAX   8 /* frames in a link; the rest waits in the journal */
#define SLICE_MS    50
#define JOURNAL_MAX (256ull << 20)

void nj_shipper_options_init(struct nj_shipper_options *options)
{
	*options = (struct nj_shipper_options){.journal_path = ":memory:",
					       .journal_bytes_max = JOURNAL_MAX,
					       .commit_ticks = 1,
					       .silence_ms = 3000,
					       .failover_ms = 10000,
					       .failback_ms = 30000,
					       .finish_ms = 30000};
}

/* The writer's two buffers grow by doubling; each link holds QUEUE_MAX frames. */
uint64_t nj_shipper_memory_bytes(const struct nj_shipper_options *options)
{
	uint64_t in_memory = strcmp(options->journal_path, ":memory:") == 0 ? options->journal_bytes_max : 0;
	return sizeof(struct nj_shipper) + (4 + (1 + options->others_n) * QUEUE_MAX) * (uint64_t)NJ_BATCH_BYTES_MAX +
	       in_memory;
}

/* =============================== journal =============================== */

int nj_shipper_count_windows(struct nj_shipper *s, uint64_t from, uint64_t until, uint64_t *ret_windows)
{
	uint64_t windows = 0, at;
	const void *data;
	size_t size;
	int err = 0;
	while (from < until && (err = nj_journal_read(s->journal, from, &s->message, &at, &data, &size)) == 1 &&
	       at < until) {
		windows += nj_wire_batch_windows(data, size);
		from = at + 1;
	}
	*ret_windows = windows;
	return err < 0 ? err : NJ_OK;
}

/* The entries that appending *size* bytes would push out, and have not been acknowledged, are counted before they go.
 */
static int count_pushed_out(struct nj_shipper *s, size_t size)
{
	struct nj_journal_state st = nj_journal_state(s->journal);
	uint64_t freed = 0, at;
	const void *data;
	size_t entry;
	int err = 1;
	for (uint64_t from = st.oldest; err == 1 && st.bytes - freed + size > s->options.journal_bytes_max;
	     from = at + 1) {
		err = nj_journal_read(s->journal, from, &s->message, &at, &data, &entry);
		if (err != 1)
			break;
		uint64_t windows = at >= s->acked ? nj_wire_batch_windows(data, entry) : 0;
		freed += entry;
		s->counts.windows_dropped_full += windows;
		s->counts.windows_spooled -= windows;
		if (at >= s->committed)
			s->windows_uncommitted -= windows;
		else
			s->pushed_uncommitted += windows;
	}
	return err < 0 ? err : NJ_OK;
}

/* What the failed transaction held is gone, what it pushed out is back. */
static void lose_uncommitted(struct nj_shipper *s)
{
	s->counts.windows_dropped_error += s->windows_uncommitted;
	s->counts.windows_dropped_full -= s->pushed_uncommitted;
	s->counts.windows_spooled += s->pushed_uncommitted - s->windows_uncommitted;
	s->windows_uncommitted = s->pushed_uncommitted = 0;
	s->ticks_uncommitted = 0;
}

int nj_shipper_bear(struct nj_shipper *s, int err)
{
	if (err == NJ_OK)
		return err;
	s->counts.journal_errors++;
	return s->options.wait_when_full ? err : NJ_OK;
}

/* Entries are as old as they are far from the young end: the oldest go until half of the bound is left. */
int nj_shipper_forget(struct nj_shipper *s)
{
	struct nj_journal_state st = nj_journal_state(s->journal);
	uint64_t until = st.oldest, bytes = st.bytes, at;
	const void *data;
	size_t size;
	if (s->in_memory || nj_shipper_has_several(s))
		return nj_journal_forget(s->journal, s->acked, &s->message);
	while (until < s->acked && bytes > s->options.journal_bytes_max / 2) {
		int more = nj_journal_read(s->journal, until, &s->message, &at, &data, &size);
		if (more != 1)
			return more;
		bytes -= size;
		until = at + 1;
	}
	return nj_journal_forget(s->journal, until, &s->message);
}

int nj_shipper_commit(struct nj_shipper *s)
{
	int err = nj_journal_begin(s->journal, &s->message);
	if (err == NJ_OK)
		err = nj_shipper_forget(s);
	if (err == NJ_OK && !s->in_memory)
		err = nj_told_save(s->told, s->acked, &s->message);
	if (err == NJ_OK)
		err = nj_journal_commit(s->journal, &s->message);
	if (err < 0) {
		lose_uncommitted(s);
		return err;
	}
	s->committed = nj_journal_state(s->journal).next;
	s->windows_uncommitted = s->pushed_uncommitted = 0;
	s->ticks_uncommitted = 0;
	uint64_t had = s->had < s->committed ? s->had : s->committed;
	return had > s->acked ? nj_shipper_move_acked(s, had) : NJ_OK;
}

/* =============================== waiting =============================== */

static int no_progress(struct nj_shipper *s, const char *for_what)
{
	const char *trouble = nj_shipper_trouble(s);
	return nj_fail(&s->message, NJ_ERR_AGAIN, "%s: no progress for %u s while waiting for %s%s%s",
		       s->outlets[s->current].endpoint, s->options.finish_ms / 1000, for_what,
		       trouble != NULL ? "; " : "", trouble != NULL ? trouble : "");
}

static bool has_room(const struct nj_shipper *s, size_t size)
{
	return nj_journal_has_room(s->journal, size);
}

/* Goes on until *done* says so; NJ_ERR_AGAIN after finish_ms without the aggregator taking anything. */
static int wait_until(struct nj_shipper *s, bool (*done)(const struct nj_shipper *s, size_t size), size_t size,
		      const char *for_what)
{
	uint32_t waited_ms = 0;
	int err = NJ_OK;
	while (err == NJ_OK && !done(s, size)) {
		uint64_t before = s->acked;
		err = nj_shipper_exchange(s, SLICE_MS);
		waited_ms = s->acked != before ? 0 : waited_ms + SLICE_MS;
		if (err == NJ_OK && waited_ms >= s->options.finish_ms)
			return no_progress(s, for_what);
		if (err == NJ_OK && s->acked != before)
			err = done == has_room ? nj_journal_forget(s->journal, s->acked, &s->message)
					       : nj_shipper_forget(s);
	}
	return err;
}

static bool is_settled(const struct nj_shipper *s, size_t size)
{
	(void)size;
	return nj_shipper_is_settled(s);
}

static int make_room(struct nj_shipper *s, size_t size)
{
	if (has_room(s, size))
		return NJ_OK;
	int err;
	if (!s->options.wait_when_full) {
		/* What was acknowledged goes first, so that the journal counts as dropped only what nobody has. */
		err = nj_journal_forget(s->journal, s->acked, &s->message);
		return err == NJ_OK ? count_pushed_out(s, size) : err;
	}
	err = nj_shipper_commit(s);
	if (err == NJ_OK && !has_room(s, size)) /* what is kept for an aggregator's misfortune gives way first */
		err = nj_journal_forget(s->journal, s->acked, &s->message);
	return err == NJ_OK ? wait_until(s, has_room, size, "room in the journal") : err;
}

/* =============================== building =============================== */

static int lose(struct nj_shipper *s, int err)
{
	if (err < 0)
		lose_uncommitted(s);
	return nj_shipper_bear(s, err);
}

static int close_batch(struct nj_shipper *s, uint32_t flags, const struct nj_sensor_account *account)
{
	struct nj_journal_state st = nj_journal_state(s->journal);
	if (nj_shipper_has_several(s))
		flags |= NJ_BATCH_SEVERAL;
	struct nj_batch head = {.key_id = s->options.key_id,
				.boot = st.boot,
				.sequence = st.next,
				.start_ns = s->building_ns,
				.width_ms = (uint32_t)s->width_ms,
				.flags = flags};
	snprintf(head.sensor, sizeof head.sensor, "%s", s->options.sensor);
	snprintf(head.tap_group, sizeof head.tap_group, "%s", s->options.tap_group);
	if (account != NULL)
		head.account = *account;
	const uint8_t *data;
	size_t size;
	uint32_t windows = nj_wire_writer_windows(s->writer);
	s->windows_uncommitted += windows;
	int err = nj_wire_writer_finish(s->writer, &head, &data, &size);
	if (err < 0)
		return lose(s, nj_fail(&s->message, err, "a batch could not be built: %s", nj_error_text(err)));
	err = make_room(s, size);
	if (err < 0)
		return err;
	err = nj_journal_begin(s->journal, &s->message);
	if (err == NJ_OK)
		err = nj_journal_append(s->journal, data, size, &s->message);
	if (err == NJ_OK)
		nj_told_note(s->told, s->building_ns, windows > 0 ? &s->last : NULL, (flags & NJ_BATCH_TICK) != 0,
			     (flags & NJ_BATCH_FINISH) != 0);
	struct nj_outlet *current = &s->outlets[s->current];
	if (nj_journal_state(s->journal).oldest > s->acked && current->standing == NJ_STANDING_KNOWN)
		current->standing =
			NJ_STANDING_STRANGER; /* something was pushed out that the aggregator still waits for */
	return lose(s, err);
}

static int on_window(void *context, const struct nj_window *window)
{
	struct nj_shipper *s = context;
	if (s->refused < 0)
		return s->refused;
	if (nj_told_window(s->told, window)) {
		s->counts.windows_told++;
		return NJ_OK;
	}
	int err = nj_wire_writer_fits(s->writer, window) ? NJ_OK : close_batch(s, 0, NULL);
	if (err < 0)
		return err;
	s->building_ns = window->start_ns;
	s->width_ms = window->width_ms;
	nj_wire_writer_add(s->writer, window);
	s->last = window->agent;
	s->counts.windows_taken++;
	s->counts.windows_spooled++;
	return NJ_OK;
}

static int on_tick(void *context, uint64_t start_ns, uint32_t width_ms, const struct nj_sensor_account *account,
		   bool finish)
{
	struct nj_shipper *s = context;
	if (s->refused < 0)
		return s->refused;
	if (nj_told_tick(s->told, start_ns, finish))
		return nj_shipper_exchange(s, 0);
	s->building_ns = start_ns;
	s->width_ms = width_ms;
	int err = close_batch(s, NJ_BATCH_TICK | (finish ? NJ_BATCH_FINISH : 0), account);
	if (err < 0)
		return err;
	s->ticks_uncommitted++;
	bool idle = s->acked == s->committed; /* the aggregator has nothing to do: do not let it wait for the group */
	if (s->ticks_uncommitted >= s->options.commit_ticks || finish || idle)
		err = nj_shipper_bear(s, nj_shipper_commit(s));
	return err == NJ_OK ? nj_shipper_exchange(s, 0) : err;
}

struct nj_window_sink nj_shipper_sink(struct nj_shipper *shipper)
{
	return (struct nj_window_sink){.context = shipper, .window = on_window, .tick = on_tick};
}

/* =============================== verbs =============================== */

int nj_shipper_pump(struct nj_shipper *shipper, int timeout_ms)
{
	int err = shipper->refused;
	do {
		int slice = timeout_ms < SLICE_MS ? timeout_ms : SLICE_MS;
		if (err == NJ_OK)
			err = nj_shipper_exchange(shipper, (uint32_t)slice);
		timeout_ms -= slice;
	} while (err == NJ_OK && timeout_ms > 0);
	return err;
}

int nj_shipper_finish(struct nj_shipper *shipper)
{
	int err = shipper->refused < 0 ? shipper->refused : nj_shipper_bear(shipper, nj_shipper_commit(shipper));
	if (err == NJ_OK)
		err = wait_until(shipper, is_settled, 0, "the last acknowledgement");
	int kept = nj_shipper_bear(shipper, nj_shipper_commit(shipper)); /* the acknowledgements, for the next run */
	return err < 0 ? err : kept;
}

const char *nj_shipper_trouble(const struct nj_shipper *shipper)
{
	return nj_link_trouble(shipper->outlets[shipper->current].link);
}

void nj_shipper_clock(struct nj_shipper *shipper, uint64_t now_ms)
{
	uint64_t passed = shipper->clocked && now_ms > shipper->clock_ms ? now_ms - shipper->clock_ms : 0;
	shipper->clocked = true;
	shipper->clock_ms = now_ms;
	nj_shipper_pass(shipper, passed < UINT32_MAX ? (uint32_t)passed : UINT32_MAX);
}

void nj_shipper_health(const struct nj_shipper *shipper, struct nj_sensor_health *health)
{
	struct nj_journal_state st = nj_journal_state(shipper->journal);
	uint64_t first = st.oldest > shipper->acked ? st.oldest : shipper->acked;
	snprintf(health->sensor, sizeof health->sensor, "%s", shipper->options.sensor);
	health->boot = st.boot;
	health->next = st.next;
	health->oldest = st.oldest;
	health->spooled_batches = st.next - first;
	/* What was acknowledged gives way to what was not: it fills nothing. */
	if (nj_journal_bytes_from(shipper->journal, first, NULL, &health->journal_bytes) < 0)
		health->journal_bytes = st.bytes;
	health->journal_bytes_max = shipper->options.journal_bytes_max;
	health->journal_dropped = st.dropped;
	health->windows_taken = shipper->counts.windows_taken;
	health->windows_dropped_full = shipper->counts.windows_dropped_full;
	health->windows_dropped_error = shipper->counts.windows_dropped_error;
	health->failovers = shipper->counts.failovers;
}

struct nj_shipper_counts nj_shipper_counts(const struct nj_shipper *shipper)
{
	return shipper->counts;
}

const char *nj_shipper_aggregator(const struct nj_shipper *shipper)
{
	return shipper->outlets[shipper->current].endpoint;
}

const char *nj_shipper_message(const struct nj_shipper *shipper)
{
	return shipper->message.text;
}

/* =============================== life =============================== */

static bool is_name(const char *text, size_t max)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	size_t length = strlen(text);
	return length > 0 && length < max && strspn(text, letters) == length;
}

static int check_options(const struct nj_shipper_options *options, struct nj_message *message)
{
	if (!is_name(options->sensor, NJ_SENSOR_ID_MAX) || !is_name(options->tap_group, NJ_TAP_GROUP_MAX))
		return nj_fail(message, NJ_ERR_USAGE,
			       "sensor and tap group have names of 1 to %d letters, digits, '-', '_' and '.'",
			       NJ_SENSOR_ID_MAX - 1);
	if (options->journal_bytes_max < NJ_BATCH_BYTES_MAX)
		return nj_fail(message, NJ_ERR_USAGE, "the journal must hold at least %u bytes", NJ_BATCH_BYTES_MAX);
	return NJ_OK;
}

/* The keys behind *ret_options*: the secret is for the caller to wipe. */
struct keys {
	struct nj_curve_key secret, aggregator;
};

/* How to reach the first aggregator (0) or one of the others, which has a key of its own or shares the first one's. */
static int link_options(const struct nj_shipper_options *options, uint32_t index, struct nj_message *message,
			struct keys *ret_keys, struct nj_link_options *ret_options)
{
	const char *key = options->aggregator_key;
	if (index > 0 && options->other_keys[index - 1] != NULL)
		key = options->other_keys[index - 1];
	bool keyed = options->secret_key != NULL;
	if (keyed != (key != NULL))
		return nj_fail(message, NJ_ERR_USAGE, "encryption needs both secret_key and aggregator_key");
	*ret_options =
		(struct nj_link_options){.endpoint = index == 0 ? options->aggregator : options->others[index - 1],
					 .plain_tcp = options->plain_tcp,
					 .queue_max = QUEUE_MAX,
					 .frame_bytes_max = NJ_BATCH_BYTES_MAX,
					 .secret_key = keyed ? &ret_keys->secret : NULL,
					 .server_key = keyed ? &ret_keys->aggregator : NULL};
	int err = NJ_OK;
	if (keyed)
		err = nj_curve_file_load(options->secret_key, NJ_CURVE_SECRET, message, &ret_keys->secret);
	if (keyed && err == NJ_OK)
		err = nj_curve_file_load(key, NJ_CURVE_PUBLIC, message, &ret_keys->aggregator);
	return err;
}

int nj_shipper_check(const struct nj_shipper_options *options, struct nj_message *message)
{
	struct keys keys;
	struct nj_link_options link;
	int err = NJ_OK;
	for (uint32_t i = 0; i <= options->others_n && err == NJ_OK; i++) {
		err = link_options(options, i, message, &keys, &link);
		if (err == NJ_OK)
			err = nj_link_check(&link, message);
		nj_curve_key_wipe(&keys.secret);
	}
	return err;
}

static int open_links(struct nj_shipper *s, struct nj_message *message)
{
	struct keys keys;
	struct nj_link_options options;
	struct nj_link_context *context = s->options.link_context;
	int err = context == NULL ? nj_link_context_new(message, &s->own_context) : NJ_OK;
	for (uint32_t i = 0; i < s->outlets_n && err == NJ_OK; i++) {
		err = link_options(&s->options, i, message, &keys, &options);
		if (err == NJ_OK)
			err = nj_link_open(context != NULL ? context : s->own_context, &options, message,
					   &s->outlets[i].link);
		nj_curve_key_wipe(&keys.secret);
	}
	return err;
}

/* What an earlier run left in the journal goes first. Every entry is read, and thereby held against its checksum. */
static int read_journal(struct nj_shipper *s, struct nj_message *message)
{
	const struct nj_journal_options options = {s->options.journal_path, s->options.journal_bytes_max,
						   s->options.reading & INT64_MAX};
	uint64_t acked = 0;
	int err = nj_journal_open(&options, message, &s->journal);
	if (err == NJ_OK)
		err = nj_told_new(nj_journal_db(s->journal), s->options.reading, message, &s->told, &acked);
	if (err < 0)
		return err;
	struct nj_journal_state st = nj_journal_state(s->journal);
	bool kept = !nj_shipper_has_several(s) && acked > st.oldest && acked <= st.next;
	s->acked = s->sent = s->acked_first = kept ? acked : st.oldest;
	s->committed = st.next;
	err = nj_shipper_count_windows(s, s->acked, st.next, &s->counts.windows_spooled);
	s->counts.windows_taken = s->counts.windows_spooled;
	if (err < 0 && message != NULL)
		*message = s->message;
	return err;
}

/* A damaged journal must not keep a sensor from watching: it is set aside, and a new series begins. What it held is
 * lost, the aggregator sees a new boot, and the notice says how much it was, as far as that can be told. */
static int open_journal(struct nj_shipper *s, struct nj_message *message)
{
	int err = read_journal(s, message);
	if (err != NJ_ERR_FORMAT || !nj_journal_is_ours(s->options.journal_path))
		return err;
	struct nj_journal_state st = {0};
	char held[64] = "what it held";
	if (s->journal != NULL) {
		st = nj_journal_state(s->journal);
		snprintf(held, sizeof held, "its %llu batches", (unsigned long long)(st.next - st.oldest));
	}
	snprintf(s->notice, sizeof s->notice,
		 "%s is damaged (%.200s): it is set aside as %s.damaged, %s cannot be delivered",
		 s->options.journal_path, message != NULL ? message->text : "", s->options.journal_path, held);
	nj_told_free(&s->told);
	nj_journal_close(&s->journal);
	s->counts.windows_spooled = s->counts.windows_taken = 0;
	s->counts.journal_errors++;
	err = nj_journal_set_aside(s->options.journal_path, message);
	return err == NJ_OK ? read_journal(s, message) : err;
}

const char *nj_shipper_notice(const struct nj_shipper *shipper)
{
	return shipper->notice;
}

int nj_shipper_new(const struct nj_shipper_options *options, struct nj_message *message,
		   struct nj_shipper **ret_shipper)
{
	assert(options->others_n < NJ_SHIPPER_AGGREGATORS_MAX);
	struct nj_shipper *s = calloc(1, sizeof *s);
	if (s == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "shipper: out of memory");
	s->options = *options;
	s->in_memory = strcmp(options->journal_path, ":memory:") == 0;
	if (s->options.tap_group == NULL || *s->options.tap_group == '\0')
		s->options.tap_group = s->options.sensor;
	s->outlets[s->outlets_n++].endpoint = options->aggregator;
	for (uint32_t i = 0; i < options->others_n; i++)
		s->outlets[s->outlets_n++].endpoint = options->others[i];
	nj_feature_table_ids(&s->self.tables);
	s->self.key_id = options->key_id;
	int err = check_options(&s->options, message);
	if (err == NJ_OK && (err = nj_wire_writer_new(&s->writer)) < 0)
		nj_fail(message, err, "shipper: out of memory");
	if (err == NJ_OK)
		err = open_journal(s, message);
	if (err == NJ_OK)
		err = nj_route_open(s, message);
	if (err == NJ_OK)
		err = open_links(s, message);
	if (err < 0)
		nj_shipper_free(&s);
	else
		*ret_shipper = s;
	return err;
}

void nj_shipper_free(struct nj_shipper **shipper)
{
	struct nj_shipper *s = *shipper;
	if (s == NULL)
		return;
	for (uint32_t i = 0; i < s->outlets_n; i++)
		nj_link_close(&s->outlets[i].link);
	nj_link_context_free(&s->own_context);
	nj_route_close(s);
	nj_told_free(&s->told);
	nj_journal_close(&s->journal);
	nj_wire_writer_free(&s->writer);
	free(s);
	*shipper = NULL;
}
