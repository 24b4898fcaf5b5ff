/* Open addressing with linear probing in a table of hot lines, at most three quarters full: neighbours are prefetched
 * by the machine, so the second probe costs little. Removing closes the hole by moving later lines back (Knuth, TAOCP
 * 3, 6.4, algorithm R), which keeps probes short for ever; a move is told to the cold part.
 *
 * Silence is judged lazily: a flow stands in the wheel slot of the window in which it would end if it stayed silent
 * from when it was put there. When that window closes the flow is looked at, and put further on if it has spoken since.
 * So packets cost the wheel nothing. */
#include "sensor/flow.h"

#include "common/block.h"

#include <stdlib.h>
#include <string.h>

#define PROBED_FOR_OLDEST_MAX 16
#define LOOKED_AT_NS                                                                                                   \
	30000000000ull /* a long idle timeout is asked after this often: the flow may have closed meanwhile */

static uint32_t slots_for(uint32_t flows_max)
{
	return flows_max + flows_max / 3 + 16;
}

static uint32_t wheel_slots_for(const struct nj_flows_options *options)
{
	uint64_t longest = 0;
	for (unsigned i = 0; i < NJ_IDLE_N; i++)
		longest = options->idle_ns[i] > longest ? options->idle_ns[i] : longest;
	if (longest > LOOKED_AT_NS)
		longest = LOOKED_AT_NS;
	return (uint32_t)(longest / options->width_ns) + 3;
}

uint64_t nj_flows_memory_bytes(const struct nj_flows_options *options)
{
	return (uint64_t)slots_for(options->flows_max) * sizeof(struct nj_flow_hot) +
	       ((uint64_t)options->flows_max + 1) * (sizeof(struct nj_flow) + 4 * sizeof(uint32_t)) +
	       (uint64_t)wheel_slots_for(options) * sizeof(uint32_t);
}

int nj_flows_init(struct nj_flows *flows, const struct nj_flows_options *options)
{
	assert(options->flows_max > 0);
	assert(options->flows_max < NJ_FLOW_NONE / 2);
	assert(options->width_ns > 0);
	*flows = (struct nj_flows){.slots = slots_for(options->flows_max),
				   .flows_max = options->flows_max,
				   .wheel_slots = wheel_slots_for(options),
				   .width_ns = options->width_ns};
	memcpy(flows->idle_ns, options->idle_ns, sizeof flows->idle_ns);
	flows->idle_min_ns = UINT64_MAX;
	for (unsigned i = 0; i < NJ_IDLE_N; i++)
		flows->idle_min_ns =
			options->idle_ns[i] < flows->idle_min_ns ? options->idle_ns[i] : flows->idle_min_ns;
	size_t n = (size_t)flows->flows_max + 1; /* index 0 stays unused */
	flows->hot = nj_block_new((size_t)flows->slots * sizeof *flows->hot);
	flows->flow = nj_block_new(n * sizeof *flows->flow);
	flows->slot = malloc(n * sizeof *flows->slot);
	flows->due_next = malloc(n * sizeof *flows->due_next);
	flows->free = malloc(n * sizeof *flows->free);
	flows->touched = malloc(n * sizeof *flows->touched);
	flows->wheel = malloc((size_t)flows->wheel_slots * sizeof *flows->wheel);
	if (flows->hot == NULL || flows->flow == NULL || flows->slot == NULL || flows->due_next == NULL ||
	    flows->free == NULL || flows->touched == NULL || flows->wheel == NULL) {
		nj_flows_fini(flows);
		return NJ_ERR_MEMORY;
	}
	flows->fresh = 1;
	for (uint32_t i = 0; i < flows->wheel_slots; i++)
		flows->wheel[i] = NJ_FLOW_NONE;
	return NJ_OK;
}

void nj_flows_fini(struct nj_flows *flows)
{
	nj_block_free(flows->hot, (size_t)flows->slots * sizeof *flows->hot);
	nj_block_free(flows->flow, ((size_t)flows->flows_max + 1) * sizeof *flows->flow);
	free(flows->slot);
	free(flows->due_next);
	free(flows->free);
	free(flows->touched);
	free(flows->wheel);
	*flows = (struct nj_flows){0};
}

/* The low half first, as whole numbers: which end is the smaller does not matter, only that it is always the same. */
static bool src_is_larger(const struct nj_packet *p)
{
	uint64_t src[2], dst[2];
	memcpy(src, p->src.byte, sizeof src);
	memcpy(dst, p->dst.byte, sizeof dst);
	if (src[1] != dst[1])
		return src[1] > dst[1];
	if (src[0] != dst[0])
		return src[0] > dst[0];
	return p->src_port > p->dst_port;
}

void nj_flow_key_make(const struct nj_packet *packet, uint64_t about, struct nj_flow_key *ret_key, unsigned *ret_side)
{
	unsigned side = src_is_larger(packet);
	ret_key->addr[side] = packet->src;
	ret_key->addr[!side] = packet->dst;
	ret_key->port[side] = packet->src_port;
	ret_key->port[!side] = packet->dst_port;
	ret_key->segment = packet->segment;
	ret_key->protocol = packet->protocol;
	ret_key->reserved = 0;
	ret_key->about = about;
	*ret_side = side;
}

static uint32_t home_of(const struct nj_flows *flows, struct nj_hash128 id)
{
	return (uint32_t)((unsigned __int128)id.low * flows->slots >> 64);
}

static uint32_t next_slot(const struct nj_flows *flows, uint32_t slot)
{
	return slot + 1 < flows->slots ? slot + 1 : 0;
}

struct nj_flow_hot *nj_flows_find(struct nj_flows *flows, struct nj_hash128 id)
{
	for (uint32_t slot = home_of(flows, id);; slot = next_slot(flows, slot)) {
		struct nj_flow_hot *hot = &flows->hot[slot];
		if (hot->flow == 0)
			return NULL;
		if (hot->id.low == id.low && hot->id.high == id.high)
			return hot;
	}
}

uint32_t nj_flows_call(const struct nj_flows *flows, struct nj_hash128 id)
{
	return flows->hot[home_of(flows, id)].flow;
}

static void wheel_put(struct nj_flows *flows, uint32_t index, uint64_t due_ns)
{
	uint64_t window = due_ns / flows->width_ns, look = flows->wheel_now + LOOKED_AT_NS / flows->width_ns + 1;
	if (window > look)
		window = look;
	if (window < flows->wheel_now)
		window = flows->wheel_now;
	assert(window - flows->wheel_now < flows->wheel_slots);
	uint32_t *first = &flows->wheel[window % flows->wheel_slots];
	flows->due_next[index] = *first;
	*first = index;
}

static void flow_begin(struct nj_flow_hot *hot, struct nj_flow *flow, uint64_t t_ns)
{
	hot->last_ns = t_ns;
	memset(hot->next_sequence, 0, offsetof(struct nj_flow_hot, flow) - offsetof(struct nj_flow_hot, next_sequence));
	memset((uint8_t *)flow + offsetof(struct nj_flow, window_ns), 0,
	       offsetof(struct nj_flow, gap) - offsetof(struct nj_flow, window_ns));
	flow->ndpi = NJ_FLOW_NONE;
	flow->inspection = NJ_FLOW_NONE;
	flow->first_ns = t_ns;
}

struct nj_flow_hot *nj_flows_add(struct nj_flows *flows, struct nj_hash128 id, const struct nj_flow_key *key,
				 uint64_t t_ns)
{
	if (flows->free_n == 0 && flows->fresh > flows->flows_max)
		return NULL;
	uint32_t slot = home_of(flows, id);
	while (flows->hot[slot].flow != 0)
		slot = next_slot(flows, slot);
	uint32_t index = flows->free_n > 0 ? flows->free[--flows->free_n] : flows->fresh++;
	struct nj_flow_hot *hot = &flows->hot[slot];
	struct nj_flow *flow = &flows->flow[index];
	hot->id = id;
	hot->flow = index;
	flow->key = *key;
	flows->slot[index] = slot;
	flow_begin(hot, flow, t_ns);
	if (nj_flows_n(flows) == 1 && t_ns / flows->width_ns > flows->wheel_now)
		flows->wheel_now = t_ns / flows->width_ns;
	wheel_put(flows, index, t_ns + flows->idle_min_ns);
	return hot;
}

void nj_flows_restart(struct nj_flows *flows, struct nj_flow_hot *hot, uint64_t t_ns)
{
	assert(!(hot->state & NJ_FLOW_TOUCHED));
	flow_begin(hot, &flows->flow[hot->flow], t_ns);
}

/* Moves back what stands behind the hole as long as it may: a line may not stand before its home. */
static void close_hole(struct nj_flows *flows, uint32_t hole)
{
	for (uint32_t slot = next_slot(flows, hole); flows->hot[slot].flow != 0; slot = next_slot(flows, slot)) {
		uint32_t home = home_of(flows, flows->hot[slot].id);
		bool stays = hole <= slot ? hole < home && home <= slot : hole < home || home <= slot;
		if (stays)
			continue;
		flows->hot[hole] = flows->hot[slot];
		flows->slot[flows->hot[hole].flow] = hole;
		hole = slot;
	}
	flows->hot[hole].flow = 0;
}

void nj_flows_remove(struct nj_flows *flows, struct nj_flow_hot *hot)
{
	assert(!(hot->state & NJ_FLOW_TOUCHED));
	uint32_t index = hot->flow;
	flows->free[flows->free_n++] = index;
	close_hole(flows, (uint32_t)(hot - flows->hot));
}

static uint32_t wheel_pop(struct nj_flows *flows, uint64_t window)
{
	uint32_t *first = &flows->wheel[window % flows->wheel_slots], index = *first;
	*first = flows->due_next[index];
	if (*first == NJ_FLOW_NONE)
		return index;
	/* The next but one is called from memory: its hot line, and what its end touches of the cold part. */
	uint32_t next = flows->due_next[*first] != NJ_FLOW_NONE ? flows->due_next[*first] : *first;
	__builtin_prefetch(nj_flows_hot(flows, next));
	__builtin_prefetch(&flows->flow[next].window_ns);
	__builtin_prefetch(&flows->flow[next].first_ns);
	return index;
}

static bool wheel_slot_is_empty(const struct nj_flows *flows, uint64_t window)
{
	return flows->wheel[window % flows->wheel_slots] == NJ_FLOW_NONE;
}

uint32_t nj_flows_expired(struct nj_flows *flows, uint64_t window)
{
	if (nj_flows_n(flows) == 0 && flows->wheel_now <= window) {
		flows->wheel_now = window + 1;
		return NJ_FLOW_NONE;
	}
	for (; flows->wheel_now <= window; flows->wheel_now++) {
		while (!wheel_slot_is_empty(flows, flows->wheel_now)) {
			uint32_t index = wheel_pop(flows, flows->wheel_now);
			uint64_t due_ns = nj_flows_due_ns(flows, nj_flows_hot(flows, index));
			if (due_ns < (flows->wheel_now + 1) * flows->width_ns)
				return index;
			wheel_put(flows, index, due_ns);
		}
	}
	return NJ_FLOW_NONE;
}

/* Takes some of those that would be looked at next anyway; the one whose silence would be over first goes, the others
 * are put back where they belong. */
uint32_t nj_flows_oldest(struct nj_flows *flows)
{
	assert(nj_flows_n(flows) > 0);
	uint32_t taken[PROBED_FOR_OLDEST_MAX], n = 0, oldest = 0;
	for (uint64_t window = flows->wheel_now;
	     n < PROBED_FOR_OLDEST_MAX && window < flows->wheel_now + flows->wheel_slots; window++)
		while (n < PROBED_FOR_OLDEST_MAX && !wheel_slot_is_empty(flows, window))
			taken[n++] = wheel_pop(flows, window);
	assert(n > 0);
	for (uint32_t i = 1; i < n; i++)
		if (nj_flows_due_ns(flows, nj_flows_hot(flows, taken[i])) <
		    nj_flows_due_ns(flows, nj_flows_hot(flows, taken[oldest])))
			oldest = i;
	for (uint32_t i = 0; i < n; i++)
		if (i != oldest)
			wheel_put(flows, taken[i], nj_flows_due_ns(flows, nj_flows_hot(flows, taken[i])));
	return taken[oldest];
}

void nj_flows_touch(struct nj_flows *flows, struct nj_flow_hot *hot)
{
	assert(!(hot->state & NJ_FLOW_TOUCHED));
	assert(flows->touched_n < flows->flows_max);
	hot->state |= NJ_FLOW_TOUCHED;
	flows->flow[hot->flow].touched_at = flows->touched_n;
	flows->touched[flows->touched_n++] = hot->flow;
}

void nj_flows_untouch(struct nj_flows *flows, struct nj_flow_hot *hot)
{
	assert(hot->state & NJ_FLOW_TOUCHED);
	hot->state &= ~(uint32_t)NJ_FLOW_TOUCHED;
	uint32_t at = flows->flow[hot->flow].touched_at;
	uint32_t moved = flows->touched[--flows->touched_n];
	flows->touched[at] = moved;
	flows->flow[moved].touched_at = at;
}

static uint32_t later(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0 ? a : b;
}

static uint32_t earlier(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0 ? a : b;
}

static void gap_remember(struct nj_flow_gap gap[NJ_FLOW_GAPS_MAX], uint32_t start, uint32_t end)
{
	unsigned at = 0;
	while (at < NJ_FLOW_GAPS_MAX - 1 && gap[at].start != gap[at].end)
		at++;
	if (gap[at].start != gap[at].end) { /* all taken: the oldest is forgotten */
		memmove(gap, gap + 1, (NJ_FLOW_GAPS_MAX - 1) * sizeof *gap);
		at = NJ_FLOW_GAPS_MAX - 1;
	}
	gap[at] = (struct nj_flow_gap){start, end};
}

/* Bytes of [start, end) that lie in holes; the holes shrink. A piece out of the middle leaves the part behind it. */
static uint32_t gaps_fill(struct nj_flow_gap gap[NJ_FLOW_GAPS_MAX], uint32_t start, uint32_t end)
{
	uint32_t filled = 0;
	for (unsigned i = 0; i < NJ_FLOW_GAPS_MAX; i++) {
		uint32_t from = later(start, gap[i].start), to = earlier(end, gap[i].end);
		if (gap[i].start == gap[i].end || (int32_t)(to - from) <= 0)
			continue;
		filled += to - from;
		if (to == gap[i].end && from != gap[i].start)
			gap[i].end = from;
		else
			gap[i].start = to;
	}
	return filled;
}

static bool gaps_open(const struct nj_flow_gap gap[NJ_FLOW_GAPS_MAX])
{
	for (unsigned i = 0; i < NJ_FLOW_GAPS_MAX; i++)
		if (gap[i].start != gap[i].end)
			return true;
	return false;
}

uint32_t nj_flow_new_bytes(struct nj_flow_hot *hot, struct nj_flow *flow, unsigned side, uint32_t sequence,
			   uint32_t size)
{
	uint32_t known = (uint32_t)NJ_FLOW_SEQUENCE << side, gap = (uint32_t)NJ_FLOW_GAP << side;
	uint32_t next = hot->next_sequence[side], end = sequence + size;
	int32_t ahead = (int32_t)(sequence - next);
	if (!(hot->state & known) || ahead == 0) {
		hot->state |= known;
		hot->next_sequence[side] = end;
		return size;
	}
	if (ahead >= 1 << 30 || ahead <= -(1 << 30)) {
		hot->state &= ~gap;
		hot->next_sequence[side] = end;
		return size;
	}
	if (ahead > 0) {
		if (!(hot->state & gap))
			memset(flow->gap[side], 0, sizeof flow->gap[side]);
		gap_remember(flow->gap[side], next, sequence);
		hot->state |= gap;
		hot->next_sequence[side] = end;
		return size;
	}
	uint32_t fresh = 0;
	if ((int32_t)(end - next) > 0) {
		fresh = end - next;
		hot->next_sequence[side] = end;
	}
	if (hot->state & gap) {
		fresh += gaps_fill(flow->gap[side], sequence, earlier(end, next));
		if (!gaps_open(flow->gap[side]))
			hot->state &= ~gap;
	}
	return fresh;
}
