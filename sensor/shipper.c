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

#include "common/journal.h"
#include "common/link.h"
#include "common/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_MAX         8 /* frames in the link; the rest waits in the journal */
#define SLICE_MS          50
#define JOURNAL_MAX       (256ull << 20)
#define FORGET_LAZILY_MAX 16 /* batches acknowledged before they are forgotten without waiting for a commit */

enum standing { STRANGER, GREETED, KNOWN };

struct nj_shipper {
	struct nj_shipper_options options;
	struct nj_shipper_counts counts;
	struct nj_link_context *own_context;
	struct nj_link *link;
	struct nj_journal *journal;
	struct nj_wire_writer *writer;
	struct nj_wire_self self;
	uint64_t building_ns, width_ms; /* window of the batch being built */
	uint64_t acked, sent, sent_ever, committed;
	uint32_t credit, ticks_uncommitted;
	uint64_t windows_uncommitted, pushed_uncommitted; /* in the open transaction: appended, and pushed out for it */
	uint32_t silence_ms;                              /* waited since the last word while one is due */
	enum standing standing;
	int refused; /* for good */
	struct nj_message message;
};

void nj_shipper_options_init(struct nj_shipper_options *options)
{
	*options = (struct nj_shipper_options){.journal_path = ":memory:",
					       .journal_bytes_max = JOURNAL_MAX,
					       .commit_ticks = 1,
					       .silence_ms = 3000,
					       .finish_ms = 30000};
}

/* The writer's two buffers grow by doubling; the link holds QUEUE_MAX frames. */
uint64_t nj_shipper_memory_bytes(const struct nj_shipper_options *options)
{
	uint64_t in_memory = strcmp(options->journal_path, ":memory:") == 0 ? options->journal_bytes_max : 0;
	return sizeof(struct nj_shipper) + (4 + QUEUE_MAX) * (uint64_t)NJ_BATCH_BYTES_MAX + in_memory;
}

/* =============================== journal =============================== */

/* Windows in the committed entries from..until, which are still held. */
static int count_windows(struct nj_shipper *s, uint64_t from, uint64_t until, uint64_t *ret_windows)
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

/* What the failed transaction held is gone, what it pushed out is back. In a live sensor a full disk must not end the
 * run: it is counted, and the next tick tries again. */
static int lose_uncommitted(struct nj_shipper *s, int err)
{
	s->counts.windows_dropped_error += s->windows_uncommitted;
	s->counts.windows_dropped_full -= s->pushed_uncommitted;
	s->counts.windows_spooled += s->pushed_uncommitted - s->windows_uncommitted;
	s->windows_uncommitted = s->pushed_uncommitted = 0;
	s->ticks_uncommitted = 0;
	return s->options.wait_when_full ? err : NJ_OK;
}

static int commit(struct nj_shipper *s)
{
	int err = nj_journal_forget(s->journal, s->acked, &s->message);
	if (err == NJ_OK)
		err = nj_journal_commit(s->journal, &s->message);
	if (err < 0)
		return lose_uncommitted(s, err);
	s->committed = nj_journal_state(s->journal).next;
	s->windows_uncommitted = s->pushed_uncommitted = 0;
	s->ticks_uncommitted = 0;
	return NJ_OK;
}

/* =============================== talking =============================== */

static int send_hello(struct nj_shipper *s)
{
	uint8_t buffer[NJ_WIRE_SMALL_MAX];
	struct nj_journal_state st = nj_journal_state(s->journal);
	struct nj_wire_hello hello = {.self = s->self,
				      .boot = st.boot,
				      .oldest = st.oldest > s->acked ? st.oldest : s->acked,
				      .dropped = st.dropped};
	snprintf(hello.sensor, sizeof hello.sensor, "%s", s->options.sensor);
	snprintf(hello.tap_group, sizeof hello.tap_group, "%s", s->options.tap_group);
	int err = nj_link_send(s->link, NULL, buffer, nj_wire_hello_encode(&hello, buffer));
	if (err == NJ_ERR_AGAIN)
		return NJ_OK;
	if (err < 0)
		return nj_fail(&s->message, err, "%s: sending failed", s->options.aggregator);
	s->standing = GREETED;
	s->silence_ms = 0;
	s->counts.greetings++;
	return NJ_OK;
}

static int send_batches(struct nj_shipper *s)
{
	const void *data;
	size_t size;
	uint64_t at;
	while (s->standing == KNOWN && s->sent < s->committed && s->sent < s->acked + s->credit) {
		int err = nj_journal_read(s->journal, s->sent, &s->message, &at, &data, &size);
		if (err < 0)
			return err;
		if (err == 0 ||
		    at != s->sent) { /* pushed out meanwhile: the aggregator must hear that it will not come */
			s->standing = STRANGER;
			return NJ_OK;
		}
		err = nj_link_send(s->link, NULL, data, size);
		if (err == NJ_ERR_AGAIN)
			return NJ_OK;
		if (err < 0)
			return nj_fail(&s->message, err, "%s: sending failed", s->options.aggregator);
		s->counts.batches_sent++;
		s->counts.bytes_sent += size;
		s->counts.batches_resent += at < s->sent_ever;
		s->sent = at + 1;
		s->sent_ever = s->sent > s->sent_ever ? s->sent : s->sent_ever;
	}
	return NJ_OK;
}

static int move_acked(struct nj_shipper *s, uint64_t next)
{
	uint64_t windows, oldest = nj_journal_state(s->journal).oldest, from = s->acked > oldest ? s->acked : oldest;
	int err = count_windows(s, from, next, &windows);
	if (err < 0)
		return err;
	s->counts.batches_shipped +=
		next > from ? next - from : 0; /* below the oldest: dropped, and the aggregator knows */
	s->counts.windows_shipped += windows;
	s->counts.windows_spooled -= windows;
	s->acked = next;
	s->sent = s->sent > next ? s->sent : next;
	bool all = s->acked == nj_journal_state(s->journal).next;
	bool now = all || s->acked - oldest >= FORGET_LAZILY_MAX;
	return now ? nj_journal_forget(s->journal, s->acked, &s->message) : NJ_OK;
}

/* What was never sent cannot be acknowledged; a word about another series is not for us. */
static int take_ack(struct nj_shipper *s, const struct nj_link_frame *frame)
{
	struct nj_wire_ack ack;
	if (nj_wire_ack_decode(frame->data, frame->size, NULL, &ack) < 0 ||
	    ack.boot != nj_journal_state(s->journal).boot)
		return NJ_OK;
	s->credit = ack.credit;
	s->standing = KNOWN;
	s->silence_ms = 0;
	int err = ack.next > s->acked && ack.next <= s->committed ? move_acked(s, ack.next) : NJ_OK;
	if (ack.rewind)
		s->sent = s->acked;
	return err;
}

static int take_refusal(struct nj_shipper *s, const struct nj_link_frame *frame)
{
	struct nj_wire_refuse refuse;
	if (nj_wire_refuse_decode(frame->data, frame->size, NULL, &refuse) < 0)
		return NJ_OK;
	s->counts.refusals++;
	if (refuse.code == NJ_WIRE_REFUSED_STRANGER) {
		if (s->standing == KNOWN) /* else a greeting is on its way already */
			s->standing = STRANGER;
		return NJ_OK;
	}
	s->refused = refuse.code == NJ_WIRE_REFUSED_MALFORMED ? NJ_ERR_FORMAT : NJ_ERR_VERSION;
	return nj_fail(&s->message, s->refused, "%s refuses: %s", s->options.aggregator, refuse.reason);
}

static int take_frame(struct nj_shipper *s, const struct nj_link_frame *frame)
{
	enum nj_wire_kind kind;
	uint32_t major;
	if (!nj_wire_peek(frame->data, frame->size, &kind, &major))
		return NJ_OK;
	return kind == NJ_WIRE_ACK ? take_ack(s, frame) : kind == NJ_WIRE_REFUSE ? take_refusal(s, frame) : NJ_OK;
}

/* Nothing came for so long although something is due: greet again, which tells both sides where they stand. */
static void note_silence(struct nj_shipper *s, uint32_t waited_ms)
{
	if (s->standing == STRANGER || (s->standing == KNOWN && s->sent == s->acked))
		return;
	s->silence_ms += waited_ms;
	if (s->silence_ms >= s->options.silence_ms)
		s->standing = STRANGER;
}

/* One look at the link, of at most *wait_ms*. */
static int exchange(struct nj_shipper *s, uint32_t wait_ms)
{
	int err = s->standing == STRANGER ? send_hello(s) : NJ_OK;
	if (err == NJ_OK)
		err = send_batches(s);
	struct nj_link_frame frame;
	for (bool first = true; err == NJ_OK; first = false) {
		err = nj_link_receive(s->link, first ? (int)wait_ms : 0, &frame);
		if (err == NJ_ERR_AGAIN) {
			if (first)
				note_silence(s, wait_ms);
			return send_batches(s);
		}
		err = err < 0 ? nj_fail(&s->message, err, "%s: receiving failed", s->options.aggregator)
			      : take_frame(s, &frame);
	}
	return err;
}

static int no_progress(struct nj_shipper *s, const char *for_what)
{
	const char *trouble = nj_shipper_trouble(s);
	return nj_fail(&s->message, NJ_ERR_AGAIN, "%s: no progress for %u s while waiting for %s%s%s",
		       s->options.aggregator, s->options.finish_ms / 1000, for_what, trouble != NULL ? "; " : "",
		       trouble != NULL ? trouble : "");
}

/* Goes on until *done* says so; NJ_ERR_AGAIN after finish_ms without the aggregator taking anything. */
static int wait_until(struct nj_shipper *s, bool (*done)(const struct nj_shipper *s, size_t size), size_t size,
		      const char *for_what)
{
	uint32_t waited_ms = 0;
	int err = NJ_OK;
	while (err == NJ_OK && !done(s, size)) {
		uint64_t before = s->acked;
		err = exchange(s, SLICE_MS);
		waited_ms = s->acked != before ? 0 : waited_ms + SLICE_MS;
		if (err == NJ_OK && waited_ms >= s->options.finish_ms)
			return no_progress(s, for_what);
		if (err == NJ_OK && s->acked != before)
			err = nj_journal_forget(s->journal, s->acked, &s->message);
	}
	return err;
}

static bool is_all_acked(const struct nj_shipper *s, size_t size)
{
	(void)size;
	return s->acked >= nj_journal_state(s->journal).next;
}

static bool has_room(const struct nj_shipper *s, size_t size)
{
	return nj_journal_has_room(s->journal, size);
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
	err = commit(s);
	return err == NJ_OK ? wait_until(s, has_room, size, "room in the journal") : err;
}

/* =============================== building =============================== */

static int close_batch(struct nj_shipper *s, uint32_t flags, const struct nj_sensor_account *account)
{
	struct nj_journal_state st = nj_journal_state(s->journal);
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
		return lose_uncommitted(
			s, nj_fail(&s->message, err, "a batch could not be built: %s", nj_error_text(err)));
	err = make_room(s, size);
	if (err < 0)
		return err;
	err = nj_journal_begin(s->journal, &s->message);
	if (err == NJ_OK)
		err = nj_journal_append(s->journal, data, size, &s->message);
	if (nj_journal_state(s->journal).oldest > s->acked && s->standing == KNOWN)
		s->standing = STRANGER; /* something was pushed out that the aggregator still waits for */
	return err < 0 ? lose_uncommitted(s, err) : NJ_OK;
}

static int on_window(void *context, const struct nj_window *window)
{
	struct nj_shipper *s = context;
	if (s->refused < 0)
		return s->refused;
	int err = nj_wire_writer_fits(s->writer, window) ? NJ_OK : close_batch(s, 0, NULL);
	if (err < 0)
		return err;
	s->building_ns = window->start_ns;
	s->width_ms = window->width_ms;
	nj_wire_writer_add(s->writer, window);
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
	s->building_ns = start_ns;
	s->width_ms = width_ms;
	int err = close_batch(s, NJ_BATCH_TICK | (finish ? NJ_BATCH_FINISH : 0), account);
	if (err < 0)
		return err;
	s->ticks_uncommitted++;
	bool idle = s->acked == s->committed; /* the aggregator has nothing to do: do not let it wait for the group */
	if (s->ticks_uncommitted >= s->options.commit_ticks || finish || idle)
		err = commit(s);
	return err == NJ_OK ? exchange(s, 0) : err;
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
			err = exchange(shipper, (uint32_t)slice);
		timeout_ms -= slice;
	} while (err == NJ_OK && timeout_ms > 0);
	return err;
}

int nj_shipper_finish(struct nj_shipper *shipper)
{
	int err = shipper->refused < 0 ? shipper->refused : commit(shipper);
	if (err == NJ_OK)
		err = wait_until(shipper, is_all_acked, 0, "the last acknowledgement");
	int kept = nj_journal_forget(shipper->journal, shipper->acked, NULL);
	return err < 0 ? err : kept;
}

const char *nj_shipper_trouble(const struct nj_shipper *shipper)
{
	return nj_link_trouble(shipper->link);
}

struct nj_shipper_counts nj_shipper_counts(const struct nj_shipper *shipper)
{
	return shipper->counts;
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

static int link_options(const struct nj_shipper_options *options, struct nj_message *message, struct keys *ret_keys,
			struct nj_link_options *ret_options)
{
	bool keyed = options->secret_key != NULL;
	if (keyed != (options->aggregator_key != NULL))
		return nj_fail(message, NJ_ERR_USAGE, "encryption needs both secret_key and aggregator_key");
	*ret_options = (struct nj_link_options){.endpoint = options->aggregator,
						.plain_tcp = options->plain_tcp,
						.queue_max = QUEUE_MAX,
						.frame_bytes_max = NJ_BATCH_BYTES_MAX,
						.secret_key = keyed ? &ret_keys->secret : NULL,
						.server_key = keyed ? &ret_keys->aggregator : NULL};
	int err = NJ_OK;
	if (keyed)
		err = nj_curve_file_load(options->secret_key, NJ_CURVE_SECRET, message, &ret_keys->secret);
	if (keyed && err == NJ_OK)
		err = nj_curve_file_load(options->aggregator_key, NJ_CURVE_PUBLIC, message, &ret_keys->aggregator);
	return err;
}

int nj_shipper_check(const struct nj_shipper_options *options, struct nj_message *message)
{
	struct keys keys;
	struct nj_link_options link;
	int err = link_options(options, message, &keys, &link);
	if (err == NJ_OK)
		err = nj_link_check(&link, message);
	nj_curve_key_wipe(&keys.secret);
	return err;
}

static int open_link(struct nj_shipper *s, struct nj_message *message)
{
	struct keys keys;
	struct nj_link_options options;
	struct nj_link_context *context = s->options.link_context;
	int err = link_options(&s->options, message, &keys, &options);
	if (err == NJ_OK && context == NULL)
		err = nj_link_context_new(message, &s->own_context);
	if (err == NJ_OK)
		err = nj_link_open(context != NULL ? context : s->own_context, &options, message, &s->link);
	nj_curve_key_wipe(&keys.secret);
	return err;
}

/* What an earlier run left in the journal goes first. */
static int open_journal(struct nj_shipper *s, struct nj_message *message)
{
	const struct nj_journal_options options = {s->options.journal_path, s->options.journal_bytes_max};
	int err = nj_journal_open(&options, message, &s->journal);
	if (err < 0)
		return err;
	struct nj_journal_state st = nj_journal_state(s->journal);
	s->acked = s->sent = st.oldest;
	s->committed = st.next;
	err = count_windows(s, st.oldest, st.next, &s->counts.windows_spooled);
	s->counts.windows_taken = s->counts.windows_spooled;
	if (err < 0 && message != NULL)
		*message = s->message;
	return err;
}

int nj_shipper_new(const struct nj_shipper_options *options, struct nj_message *message,
		   struct nj_shipper **ret_shipper)
{
	struct nj_shipper *s = calloc(1, sizeof *s);
	if (s == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "shipper: out of memory");
	s->options = *options;
	if (s->options.tap_group == NULL || *s->options.tap_group == '\0')
		s->options.tap_group = s->options.sensor;
	nj_feature_table_ids(&s->self.tables);
	s->self.key_id = options->key_id;
	int err = check_options(&s->options, message);
	if (err == NJ_OK && (err = nj_wire_writer_new(&s->writer)) < 0)
		nj_fail(message, err, "shipper: out of memory");
	if (err == NJ_OK)
		err = open_journal(s, message);
	if (err == NJ_OK)
		err = open_link(s, message);
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
	nj_link_close(&s->link);
	nj_link_context_free(&s->own_context);
	nj_journal_close(&s->journal);
	nj_wire_writer_free(&s->writer);
	free(s);
	*shipper = NULL;
}
