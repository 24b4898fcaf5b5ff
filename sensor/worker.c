/* One pass per packet: decode, find the flow by one hash, add to its hot line, and leave; everything else is behind a
 * bit of the flow's state that is mostly clear. Windows close when a packet or a tick has reached their end, and what a
 * window says depends on packet times alone:
 *
 *   silence        a flow is over when a packet comes no earlier than last + idle (judged at the packet), or when a
 * window ends later than that; both tell its end in the window in which the silence was over outcomes       judged at
 * the packet that decides, or at the first window end by which answer_s has passed clock          a frame older than
 * its predecessor has its predecessor's time (counted)
 *
 * Memory is the sum of the parts' (nj_worker_memory_bytes). */
#include "sensor/worker.h"

#include "common/ai_endpoints.h"
#include "sensor/classify.h"
#include "sensor/decode.h"
#include "sensor/flow.h"
#include "sensor/fragment.h"
#include "sensor/icmp_error.h"
#include "sensor/inspect.h"
#include "sensor/ledger.h"
#include "sensor/note.h"
#include "sensor/outcome.h"
#include "sensor/tell.h"
#include "sensor/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS 1000000ull
#define NS_PER_S  1000000000ull
#define CLOSED_S                                                                                                       \
	10 /* a closed flow stays known for late packets: twice the longest retransmission timeout seen in practice */
#define BURST_NS NS_PER_S
#define EVICTED_SILENT_NS                                                                                              \
	NS_PER_S /* an opening pushed out that waited so long, the time after which it would be repeated, is           \
		    unanswered */
#define WIRE_BYTES_MAX                                                                                                 \
	(1u << 28) /* a frame that claims more is counted as this: it keeps the hot counters from overflowing */
#define TIME_MAX_NS                 (UINT64_MAX / 4)
#define FRAGMENT_BLOCKS_OF_DATAGRAM 4
#define CALLED_FLOWS                16 /* touched flows whose lines are read together */
#define BATCH_PACKETS               16 /* decoded ahead: their flows' lines come from memory meanwhile */

/* A packet on its way, decoded and with the hash of its flow, but without any effect yet. */
struct arrival {
	struct nj_packet packet;
	struct nj_flow_key key;
	struct nj_hash128 id;
	struct nj_packet about; /* of an ICMP error (key.about is not 0) */
	const struct nj_frame *frame;
	unsigned side;
};

struct nj_worker {
	struct nj_worker_options options;
	struct nj_worker_sink sink;
	struct nj_flows flows;
	struct nj_texts texts;
	struct nj_fragment *fragment;
	struct nj_classify *classify;
	struct nj_ledger *ledger;
	struct nj_tell *tell;
	struct nj_note note;
	struct nj_inspect *inspect;
	struct nj_ai_endpoints *endpoints;
	struct arrival batch[BATCH_PACKETS];
	uint32_t batch_n;
	uint64_t now_ns, width_ns, answer_ns, active_ns;
	uint64_t window; /* number: start / width */
	uint64_t window_end_ns;
	bool started, finished;
	uint64_t drained_ns; /* when the source ended; UINT64_MAX: it goes on */
	uint16_t arp_label;
	struct nj_sensor_account account; /* of the window under way */
	struct nj_frame_counts counted;   /* as of the last window's end */
	uint64_t gave_up_classifying;
};

void nj_worker_options_init(struct nj_worker_options *options)
{
	*options = (struct nj_worker_options){
		.flows_max = 200000,
		.classifying_max = 16384,
		.inspecting_max = 4096,
		.ledger_entries_max = 131072,
		.fragments_max = 1024,
		.window_ms = NJ_WINDOW_WIDTH_MS,
		.idle_tcp_s = 300,
		.idle_udp_s = 60,
		.idle_icmp_s = 60,
		.active_s = 0,
		.answer_s = 5,
		.ndpi_tcp_packets_max = 10,
		.ndpi_udp_packets_max = 6,
	};
}

static void flows_options(const struct nj_worker_options *options, struct nj_flows_options *ret_flows)
{
	*ret_flows = (struct nj_flows_options){
		.flows_max = options->flows_max,
		.idle_ns = {[NJ_IDLE_TCP] = options->idle_tcp_s * NS_PER_S,
			    [NJ_IDLE_UDP] = options->idle_udp_s * NS_PER_S,
			    [NJ_IDLE_ICMP] = options->idle_icmp_s * NS_PER_S,
			    [NJ_IDLE_CLOSED] = CLOSED_S * NS_PER_S},
		.width_ns = options->window_ms * NS_PER_MS,
	};
}

static void fragment_options(const struct nj_worker_options *options, struct nj_fragment_options *ret_fragment)
{
	nj_fragment_options_init(ret_fragment);
	ret_fragment->datagrams_max = options->fragments_max;
	ret_fragment->blocks_max = options->fragments_max * FRAGMENT_BLOCKS_OF_DATAGRAM;
	if (ret_fragment->blocks_max < NJ_FRAGMENT_BLOCKS_MIN)
		ret_fragment->blocks_max = NJ_FRAGMENT_BLOCKS_MIN;
	ret_fragment->hash_key = &options->hash_key;
}

static uint32_t texts_max(const struct nj_worker_options *options)
{
	return options->flows_max / 4 + 64;
}

uint64_t nj_worker_memory_bytes(const struct nj_worker_options *options)
{
	struct nj_flows_options flows;
	struct nj_fragment_options fragment;
	flows_options(options, &flows);
	fragment_options(options, &fragment);
	return sizeof(struct nj_worker) + sizeof(struct nj_tell) + sizeof(struct nj_ai_endpoints) +
	       nj_flows_memory_bytes(&flows) + nj_fragment_memory_bytes(&fragment) +
	       nj_classify_memory_bytes(options->classifying_max) +
	       nj_ledger_memory_bytes(options->ledger_entries_max) + nj_texts_memory_bytes(texts_max(options)) +
	       nj_inspect_memory_bytes(options->inspecting_max) + nj_note_memory_bytes();
}

static int options_check(const struct nj_worker_options *o, struct nj_message *message)
{
	if (o->home == NULL)
		return nj_fail(message, NJ_ERR_USAGE, "worker: home networks are not set");
	if (o->flows_max < 16 || o->flows_max > 1u << 28)
		return nj_fail(message, NJ_ERR_USAGE, "worker: flows_max %u is not within 16..%u", o->flows_max,
			       1u << 28);
	if (o->classifying_max < 1 || o->inspecting_max < 1 || o->classifying_max > 1u << 24 ||
	    o->inspecting_max > 1u << 24)
		return nj_fail(message, NJ_ERR_USAGE, "worker: classifying_max and inspecting_max must be within 1..%u",
			       1u << 24);
	if (o->ledger_entries_max < 64 || o->ledger_entries_max > 1u << 27)
		return nj_fail(message, NJ_ERR_USAGE, "worker: ledger_entries_max %u is not within 64..%u",
			       o->ledger_entries_max, 1u << 27);
	if (o->fragments_max < 1 || o->fragments_max > 1u << 20)
		return nj_fail(message, NJ_ERR_USAGE, "worker: fragments_max %u is not within 1..%u", o->fragments_max,
			       1u << 20);
	if (o->window_ms < 10 || o->window_ms > 65000)
		return nj_fail(message, NJ_ERR_USAGE, "worker: window_ms %u is not within 10..65000", o->window_ms);
	if (o->idle_tcp_s < 1 || o->idle_udp_s < 1 || o->idle_icmp_s < 1 || o->answer_s < 1)
		return nj_fail(message, NJ_ERR_USAGE, "worker: timeouts must be at least 1 s");
	if (o->idle_tcp_s > 86400 || o->idle_udp_s > 86400 || o->idle_icmp_s > 86400 || o->answer_s > 86400)
		return nj_fail(message, NJ_ERR_USAGE, "worker: timeouts must be at most 86400 s");
	return NJ_OK;
}

static int parts_new(struct nj_worker *w, struct nj_message *message)
{
	struct nj_flows_options flows;
	struct nj_fragment_options fragment;
	flows_options(&w->options, &flows);
	fragment_options(&w->options, &fragment);
	const struct nj_hash_key *key = &w->options.hash_key;
	w->tell = calloc(1, sizeof *w->tell);
	if (w->tell == NULL || nj_flows_init(&w->flows, &flows) != NJ_OK ||
	    nj_texts_init(&w->texts, texts_max(&w->options), key) != NJ_OK ||
	    nj_fragment_new(&fragment, &w->fragment) != NJ_OK ||
	    nj_ledger_new(w->options.ledger_entries_max, key, &w->ledger) != NJ_OK ||
	    nj_note_init(&w->note, w->ledger, &w->texts, key) != NJ_OK ||
	    nj_inspect_new(w->options.inspecting_max, &w->flows, &w->note, &w->inspect) != NJ_OK)
		return nj_fail(message, NJ_ERR_MEMORY, "worker: no memory for its tables (%llu bytes)",
			       (unsigned long long)nj_worker_memory_bytes(&w->options));
	w->note.endpoints = w->endpoints;
	return nj_classify_new(w->options.classifying_max, message, &w->classify);
}

static int endpoints_new(struct nj_worker *w, struct nj_message *message)
{
	const char *path = w->options.ai_endpoints;
	w->endpoints = malloc(sizeof *w->endpoints);
	if (w->endpoints == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "worker: no memory");
	int err = nj_ai_endpoints_init(w->endpoints, message);
	if (err == NJ_OK && path != NULL && path[0] != '\0')
		err = nj_ai_endpoints_load(w->endpoints, path, message);
	return err;
}

int nj_worker_new(const struct nj_worker_options *options, const struct nj_worker_sink *sink,
		  struct nj_message *message, struct nj_worker **ret_worker)
{
	int err = options_check(options, message);
	if (err < 0)
		return err;
	struct nj_worker *w = calloc(1, sizeof *w);
	if (w == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "worker: no memory");
	w->options = *options;
	w->sink = *sink;
	w->width_ns = options->window_ms * NS_PER_MS;
	w->answer_ns = options->answer_s * NS_PER_S;
	w->active_ns = options->active_s * NS_PER_S;
	w->drained_ns = UINT64_MAX;
	err = endpoints_new(w, message);
	if (err == NJ_OK)
		err = parts_new(w, message);
	if (err < 0) {
		nj_worker_free(&w);
		return err;
	}
	w->arp_label = nj_classify_label_make(w->classify, "ARP");
	w->tell->ledger = w->ledger;
	w->tell->width_ms = options->window_ms;
	w->tell->classify = w->classify;
	w->tell->texts = &w->texts;
	nj_tell_set_home(w->tell, options->home);
	w->texts.keep_questions = sink->flow != NULL;
	*ret_worker = w;
	return NJ_OK;
}

void nj_worker_set_home(struct nj_worker *w, const struct nj_networks *home)
{
	nj_tell_set_home(w->tell, home);
}

struct nj_worker_counts nj_worker_counts(const struct nj_worker *w)
{
	return (struct nj_worker_counts){.classify_gave_up = w->gave_up_classifying,
					 .inspect_gave_up = nj_inspect_gave_up(w->inspect),
					 .inspect_no_buffer = nj_inspect_no_buffer(w->inspect),
					 .names_refused = w->texts.refused};
}

void nj_worker_free(struct nj_worker **worker)
{
	struct nj_worker *w = *worker;
	if (w == NULL)
		return;
	nj_flows_fini(&w->flows);
	nj_texts_fini(&w->texts);
	nj_fragment_free(&w->fragment);
	nj_inspect_free(&w->inspect);
	nj_note_fini(&w->note);
	nj_ledger_free(&w->ledger);
	nj_classify_free(&w->classify);
	free(w->tell);
	free(w->endpoints);
	free(w);
	*worker = NULL;
}

/* ------------------------------------------------------------------ a flow's life */

static void outcome_set(struct nj_worker *w, struct nj_flow_hot *hot, struct nj_flow *flow, enum nj_outcome outcome,
			uint64_t t_ns)
{
	flow->outcome = (uint8_t)outcome;
	flow->outcome_ns = t_ns;
	flow->news |= NJ_NEWS_OUTCOME;
	hot->state &= ~(uint32_t)NJ_FLOW_PENDING;
	if (!(hot->state & NJ_FLOW_TOUCHED))
		nj_flows_touch(&w->flows, hot);
}

static void classify_finish(struct nj_worker *w, struct nj_flow_hot *hot, struct nj_flow *flow, bool guess)
{
	struct nj_classify_result result;
	hot->state &= ~(uint32_t)NJ_FLOW_CLASSIFY;
	if (flow->ndpi == NJ_FLOW_NONE)
		return;
	nj_classify_finish(w->classify, flow->ndpi, guess, &result);
	flow->ndpi = NJ_FLOW_NONE;
	flow->label = result.label;
	flow->risks |= result.risks;
}

static void classify_packet(struct nj_worker *w, struct nj_flow_hot *hot, struct nj_flow *flow,
			    const struct nj_packet *packet)
{
	if (flow->ndpi == NJ_FLOW_NONE) {
		uint32_t owner = hot->flow;
		flow->ndpi = nj_classify_begin(w->classify, owner);
		if (flow->ndpi == NJ_FLOW_NONE) {
			uint32_t oldest = nj_classify_oldest_owner(w->classify);
			classify_finish(w, nj_flows_hot(&w->flows, oldest), &w->flows.flow[oldest], false);
			w->gave_up_classifying++;
			flow->ndpi = nj_classify_begin(w->classify, owner);
		}
	}
	unsigned most =
		packet->protocol == NJ_PROTOCOL_TCP ? w->options.ndpi_tcp_packets_max : w->options.ndpi_udp_packets_max;
	if (nj_classify_packet(w->classify, flow->ndpi, packet) || ++flow->ndpi_packets >= most)
		classify_finish(w, hot, flow, true);
}

/* What is counted when a flow is over, whether or not it lingers in the table. */
static void flow_over(struct nj_worker *w, struct nj_flow_hot *hot, struct nj_flow *flow, enum nj_flow_end reason)
{
	if (hot->state & NJ_FLOW_ENDED)
		return;
	hot->state |= NJ_FLOW_ENDED;
	flow->end_reason = (uint8_t)reason;
	classify_finish(w, hot, flow, true);
	nj_inspect_finish(w->inspect, hot, flow);
	nj_note_ssh_login(&w->note, hot, flow, reason == NJ_END_IDLE || reason == NJ_END_CLOSED);
	if (nj_tell_one_sided(w->tell, hot, flow, true))
		w->account.flows_one_sided++;
	nj_tell_end(w->tell, hot, flow);
	w->account.flows_ended++;
	/* Told like any silent flow; but its record must not claim a silence that nobody was there to hear. */
	if (reason == NJ_END_IDLE && nj_flows_due_ns(&w->flows, hot) > w->drained_ns)
		flow->end_reason = NJ_END_FINISH;
}

static void flow_record(struct nj_worker *w, const struct nj_flow_hot *hot, const struct nj_flow *flow)
{
	if (w->sink.flow == NULL)
		return;
	struct nj_flow_record record;
	nj_tell_record(w->tell, hot, flow, &record);
	w->sink.flow(w->sink.context, &record);
}

static void flow_texts_release(struct nj_worker *w, struct nj_flow *flow)
{
	uint32_t *ids[] = {&flow->server_name,  &flow->client_text, &flow->fingerprint,
			   &flow->hassh_server, &flow->alpn,        &flow->dns_name};
	for (unsigned i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		nj_texts_release(&w->texts, *ids[i]);
		*ids[i] = NJ_TEXT_NONE;
	}
}

/* Tells all that is left to tell of a flow that leaves its place. *t_ns*: when it was over. */
static void flow_leave(struct nj_worker *w, struct nj_flow_hot *hot, struct nj_flow *flow, enum nj_flow_end reason,
		       uint64_t t_ns)
{
	bool waited = reason != NJ_END_EVICTED || t_ns >= flow->first_ns + EVICTED_SILENT_NS;
	if ((hot->state & NJ_FLOW_PENDING) && waited)
		outcome_set(w, hot, flow, nj_outcome_overdue(hot), t_ns);
	flow_over(w, hot, flow, reason);
	flow_record(w, hot, flow);
	nj_tell_window(w->tell, hot, flow);
	if (hot->state & NJ_FLOW_TOUCHED)
		nj_flows_untouch(&w->flows, hot);
	flow_texts_release(w, flow);
}

static void flow_evict(struct nj_worker *w, uint64_t t_ns)
{
	uint32_t oldest = nj_flows_oldest(&w->flows);
	struct nj_flow_hot *hot = nj_flows_hot(&w->flows, oldest);
	flow_leave(w, hot, &w->flows.flow[oldest], NJ_END_EVICTED, t_ns);
	nj_flows_remove(&w->flows, hot);
	w->account.flows_evicted++;
}

/* A directed broadcast: an IPv4 address ending in 255 inside an Ethernet frame to everybody. Its netmask is nowhere to
 * be seen. */
static bool is_directed_broadcast(const struct nj_frame *frame, const struct nj_addr *addr)
{
	static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	return addr->byte[15] == 0xff && nj_addr_is_v4(addr) && frame->link_type == NJ_LINK_ETHERNET &&
	       frame->captured_bytes >= 6 && memcmp(frame->data, everybody, sizeof everybody) == 0;
}

/* Traffic that nobody is expected to answer: it is answered as soon as it is there. */
static bool expects_nothing(const struct nj_packet *packet, uint64_t about, bool broadcast)
{
	if (broadcast || nj_addr_is_multicast(&packet->dst) || nj_addr_is_unspecified(&packet->src) ||
	    nj_addr_is_unspecified(&packet->dst))
		return true;
	switch (packet->protocol) {
	case NJ_PROTOCOL_TCP:
	case NJ_PROTOCOL_UDP:
	case NJ_PROTOCOL_SCTP:
		return false;
	case NJ_PROTOCOL_ARP:
		return packet->arp_operation != 1 || nj_addr_equal(&packet->src, &packet->dst);
	case NJ_PROTOCOL_ICMP:
		return about != 0 || (packet->icmp_type != 8 && packet->icmp_type != 13 && packet->icmp_type != 15 &&
				      packet->icmp_type != 17);
	case NJ_PROTOCOL_ICMPV6:
		return about != 0 || (packet->icmp_type != 128 && packet->icmp_type != 135);
	default:
		return true;
	}
}

static enum nj_flow_idle idle_of(const struct nj_packet *packet, bool opening)
{
	switch (packet->protocol) {
	case NJ_PROTOCOL_TCP:
		return opening ? NJ_IDLE_UDP : NJ_IDLE_TCP; /* an unanswered attempt is not worth a long memory */
	case NJ_PROTOCOL_UDP:
	case NJ_PROTOCOL_SCTP:
		return NJ_IDLE_UDP;
	default:
		return NJ_IDLE_ICMP;
	}
}

static void flow_open(struct nj_worker *w, struct nj_flow_hot *hot, struct nj_flow *flow, const struct arrival *arrival)
{
	const struct nj_packet *packet = &arrival->packet;
	unsigned side = arrival->side;
	bool tcp = packet->protocol == NJ_PROTOCOL_TCP, opening = nj_outcome_is_opening(packet);
	if (packet->protocol == NJ_PROTOCOL_ICMP || packet->protocol == NJ_PROTOCOL_ICMPV6)
		memset(&flow->echo, 0, sizeof flow->echo);
	for (unsigned s = 0; s < 2; s++)
		flow->addr_hash[s] = nj_ledger_addr_hash(w->ledger, &flow->key.addr[s], flow->key.segment);
	bool broadcast = is_directed_broadcast(arrival->frame, &packet->dst);
	hot->state = (uint32_t)idle_of(packet, opening) << NJ_FLOW_IDLE_SHIFT;
	hot->state |= nj_outcome_client(packet, side) ? NJ_FLOW_CLIENT_1 : 0u;
	hot->state |= tcp ? NJ_FLOW_TCP : 0u;
	hot->state |= packet->ip != NULL ? NJ_FLOW_CLASSIFY : 0u;
	flow->label = packet->protocol == NJ_PROTOCOL_ARP ? w->arp_label : NJ_LABEL_UNKNOWN;
	flow->icmp = (uint16_t)(packet->icmp_type << 8 | packet->icmp_code);
	flow->no_agent = broadcast ? (uint8_t)(!side + 1) : 0;
	flow->seen_start = opening;
	flow->external = (uint8_t)(nj_tell_is_external(w->tell, &flow->key.addr[0]) |
				   nj_tell_is_external(w->tell, &flow->key.addr[1]) << 1);
	if (broadcast)
		flow->external &= (uint8_t) ~(1u << !side);
	nj_inspect_open(hot, packet);
	w->account.flows_opened++;
	if (!opening) {
		flow->outcome = NJ_OUTCOME_MIDSTREAM;
		flow->news = NJ_NEWS_MIDSTREAM;
		return;
	}
	flow->news = NJ_NEWS_OPENED;
	flow->outcome = NJ_OUTCOME_PENDING;
	hot->state |= NJ_FLOW_PENDING;
	if (expects_nothing(packet, flow->key.about, broadcast))
		outcome_set(w, hot, flow, NJ_OUTCOME_ANSWERED, packet->t_ns);
}

/* ------------------------------------------------------------------ a packet */

static void count_spill(struct nj_flow_hot *hot, struct nj_flow *flow, unsigned side)
{
	if (!flow->spilled) {
		memset(flow->spilled_bytes, 0, sizeof flow->spilled_bytes);
		memset(flow->spilled_wire_bytes, 0, sizeof flow->spilled_wire_bytes);
		flow->spilled = 1;
	}
	flow->spilled_bytes[side] += hot->bytes[side];
	flow->spilled_wire_bytes[side] += hot->wire_bytes[side];
	hot->bytes[side] = 0;
	hot->wire_bytes[side] = 0;
}

/* Gives the payload bytes that were not there before. */
static uint32_t count_bytes(struct nj_flow_hot *hot, struct nj_flow *flow, unsigned side,
			    const struct nj_packet *packet)
{
	uint32_t bytes = packet->payload_wire_bytes < WIRE_BYTES_MAX ? packet->payload_wire_bytes : WIRE_BYTES_MAX;
	if (bytes > 0 && (hot->state & NJ_FLOW_TCP)) {
		uint32_t sequence = packet->tcp_sequence + ((packet->tcp_flags & NJ_TCP_SYN) != 0);
		uint32_t fresh = nj_flow_new_bytes(hot, flow, side, sequence, bytes);
		if (fresh < bytes)
			flow->retransmitted_window += bytes - fresh;
		bytes = fresh;
	}
	hot->packets[side]++;
	hot->bytes[side] += bytes;
	hot->wire_bytes[side] += packet->wire_bytes < WIRE_BYTES_MAX ? packet->wire_bytes : WIRE_BYTES_MAX;
	if ((hot->bytes[side] | hot->wire_bytes[side]) >= NJ_FLOW_SPILL_BYTES)
		count_spill(hot, flow, side);
	return bytes;
}

/* First packet of a side: its first sequence number is what tells a repeated SYN from a new conversation. */
static void side_begin(struct nj_flow_hot *hot, struct nj_flow *flow, unsigned side, const struct nj_packet *packet)
{
	hot->state |= (uint32_t)NJ_FLOW_SEEN << side;
	flow->initial_sequence[side] = packet->tcp_sequence;
	if (packet->tcp_flags & NJ_TCP_SYN) {
		hot->state |= (uint32_t)(NJ_FLOW_SEQUENCE | NJ_FLOW_BEGAN) << side;
		hot->next_sequence[side] = packet->tcp_sequence + 1;
	}
}

static uint16_t offset_ms(const struct nj_worker *w, uint64_t t_ns)
{
	return (uint16_t)((t_ns - w->tell->start_ns) / NS_PER_MS);
}

/* A burst begins, and the one before it ended with the flow's last packet. *in_window*: that one lies in this window.
 */
static void burst_note(struct nj_worker *w, const struct nj_flow_hot *hot, struct nj_flow *flow, uint64_t t_ns,
		       bool in_window)
{
	if (flow->bursts < NJ_FLOW_BURSTS_MAX) {
		flow->burst_ms[flow->bursts] = offset_ms(w, t_ns);
		flow->pause_ms[flow->bursts] = in_window ? offset_ms(w, hot->last_ns) : NJ_FLOW_NO_PAUSE;
	}
	flow->bursts++;
}

/* An ICMP error that names a flow still awaiting its answer decides it. */
static void icmp_refuses(struct nj_worker *w, const struct nj_packet *about, uint64_t t_ns)
{
	struct nj_flow_key key;
	unsigned side;
	nj_flow_key_make(about, 0, &key, &side);
	struct nj_flow_hot *hot = nj_flows_find(&w->flows, nj_hash128(&key, sizeof key, &w->options.hash_key));
	if (hot == NULL || !(hot->state & NJ_FLOW_PENDING) || nj_flows_due_ns(&w->flows, hot) <= t_ns)
		return;
	if (side != ((hot->state & NJ_FLOW_CLIENT_1) != 0))
		return; /* speaks of the server's packet */
	outcome_set(w, hot, &w->flows.flow[hot->flow], NJ_OUTCOME_REFUSED, t_ns);
}

/* What an ICMP error speaks of as a number: 0 for all other packets. Errors about different address pairs are different
 * flows, since they must go to the workers that know those pairs. */
static uint64_t about_of(const struct nj_worker *w, const struct nj_packet *packet, struct nj_packet *ret_about)
{
	if ((packet->protocol != NJ_PROTOCOL_ICMP && packet->protocol != NJ_PROTOCOL_ICMPV6) ||
	    !nj_icmp_error(packet, ret_about))
		return 0;
	bool swap = nj_addr_compare(&ret_about->src, &ret_about->dst) > 0;
	struct nj_addr pair[2] = {swap ? ret_about->dst : ret_about->src, swap ? ret_about->src : ret_about->dst};
	return nj_hash64(pair, sizeof pair, &w->options.hash_key) | 1;
}

static void icmp_unreachable(struct nj_worker *w, const struct nj_packet *packet, const struct nj_packet *about)
{
	icmp_refuses(w, about, packet->t_ns);
	if (!nj_tell_is_agent(&packet->dst))
		return;
	uint32_t hash = nj_ledger_addr_hash(w->ledger, &packet->dst, packet->segment);
	uint32_t agent = nj_ledger_agent(w->ledger, &packet->dst, packet->segment, hash);
	nj_ledger_features(w->ledger, agent)->icmp_unreachable_in++;
}

static struct nj_flow_hot *flow_begin(struct nj_worker *w, struct nj_hash128 id, const struct nj_flow_key *key,
				      const struct nj_packet *packet)
{
	struct nj_flow_hot *hot = nj_flows_add(&w->flows, id, key, packet->t_ns);
	if (hot == NULL) {
		flow_evict(w, packet->t_ns);
		hot = nj_flows_add(&w->flows, id, key, packet->t_ns);
	}
	return hot;
}

/* The flow of a packet: the one there is, a new one, or a new one in the place of one that is over. *ret_new*: it
 * begins with this packet. */
static struct nj_flow_hot *flow_for(struct nj_worker *w, const struct arrival *arrival, bool *ret_new)
{
	const struct nj_packet *packet = &arrival->packet;
	struct nj_flow_hot *hot = nj_flows_find(&w->flows, arrival->id);
	*ret_new = hot == NULL;
	if (hot == NULL) {
		hot = flow_begin(w, arrival->id, &arrival->key, packet);
	} else {
		struct nj_flow *flow = &w->flows.flow[hot->flow];
		uint64_t due_ns = nj_flows_due_ns(&w->flows, hot);
		bool silent = due_ns <= packet->t_ns;
		if (!silent &&
		    !((packet->tcp_flags & NJ_TCP_SYN) && nj_outcome_starts_anew(hot, flow, arrival->side, packet)))
			return hot;
		flow_leave(w, hot, flow, silent ? NJ_END_IDLE : NJ_END_CLOSED, silent ? due_ns : packet->t_ns);
		nj_flows_restart(&w->flows, hot, packet->t_ns);
		*ret_new = true;
	}
	flow_open(w, hot, &w->flows.flow[hot->flow], arrival);
	return hot;
}

static void flow_cut(struct nj_worker *w, struct nj_flow_hot *hot, struct nj_flow *flow, uint64_t t_ns)
{
	flow->end_reason = NJ_END_ACTIVE;
	flow_record(w, hot, flow);
	flow->end_reason = 0;
	flow->first_ns = t_ns;
	/* Totals are told up to here; this window's counters, which are added to them later, must then give what came
	 * after (modulo 2^64). */
	for (unsigned side = 0; side < 2; side++) {
		flow->packets[side] = -(uint64_t)hot->packets[side];
		flow->bytes[side] = -nj_flow_window_bytes(hot, flow, side);
		flow->wire_bytes[side] = -nj_flow_window_wire_bytes(hot, flow, side);
	}
	flow->retransmitted = -(uint64_t)flow->retransmitted_window;
	flow->requests = -flow->requests_window;
}

static void echo_note(struct nj_features *f, struct nj_flow *flow, const struct nj_packet *packet)
{
	f->icmp_echo_out++;
	f->icmp_payload_bytes_out += packet->payload_wire_bytes;
	if (packet->payload_wire_bytes > NJ_ECHO_LARGE) {
		f->icmp_large_out++;
		f->icmp_entropy_mbit += nj_echo_entropy_mbit(packet->payload, packet->payload_bytes);
	}
	if (nj_echo_is_request(packet)) {
		nj_echo_request(&flow->echo, packet);
		return;
	}
	enum nj_echo_verdict verdict = nj_echo_reply(&flow->echo, packet);
	f->icmp_mismatched += verdict == NJ_ECHO_MISMATCHED;
	f->icmp_unsolicited_out += verdict == NJ_ECHO_UNSOLICITED;
}

/* What counts for its sender without a flow's help: echo and ARP requests. */
static void note_other(struct nj_worker *w, struct nj_flow *flow, const struct nj_packet *packet)
{
	bool echo = nj_echo_is_request(packet) || nj_echo_is_reply(packet);
	bool arp_request = packet->protocol == NJ_PROTOCOL_ARP && packet->arp_operation == 1;
	if ((!echo && !arp_request) || !nj_tell_is_agent(&packet->src))
		return;
	uint32_t hash = nj_ledger_addr_hash(w->ledger, &packet->src, packet->segment);
	struct nj_features *f =
		nj_ledger_features(w->ledger, nj_ledger_agent(w->ledger, &packet->src, packet->segment, hash));
	if (echo)
		echo_note(f, flow, packet);
	else
		f->arp_requests++;
}

static void packet_take(struct nj_worker *w, const struct arrival *arrival)
{
	const struct nj_packet *packet = &arrival->packet;
	unsigned side = arrival->side;
	bool begins;
	if (arrival->key.about != 0 && nj_icmp_unreachable(packet))
		icmp_unreachable(w, packet, &arrival->about);
	struct nj_flow_hot *hot = flow_for(w, arrival, &begins);
	struct nj_flow *flow = &w->flows.flow[hot->flow];
	if (!(hot->state & (uint32_t)NJ_FLOW_SEEN << side))
		side_begin(hot, flow, side, packet);
	if (w->active_ns > 0 && packet->t_ns - flow->first_ns >= w->active_ns)
		flow_cut(w, hot, flow, packet->t_ns);
	bool first = (hot->packets[0] | hot->packets[1]) == 0;
	if (first) {
		flow->window_ns = packet->t_ns;
		if (!(hot->state & NJ_FLOW_TOUCHED))
			nj_flows_touch(&w->flows, hot);
	}
	if (begins || packet->t_ns - hot->last_ns >= BURST_NS)
		burst_note(w, hot, flow, packet->t_ns, !first);
	hot->last_ns = packet->t_ns;
	uint32_t fresh_bytes = count_bytes(hot, flow, side, packet);
	if (packet->tcp_flags & (NJ_TCP_SYN | NJ_TCP_FIN | NJ_TCP_RST) || (hot->state & NJ_FLOW_PENDING)) {
		enum nj_outcome outcome = nj_outcome_packet(hot, side, packet);
		if (outcome != NJ_OUTCOME_NONE)
			outcome_set(w, hot, flow, outcome, packet->t_ns);
	}
	bool has_payload = packet->payload_bytes > 0 ||
			   (packet->protocol != NJ_PROTOCOL_TCP && packet->protocol != NJ_PROTOCOL_UDP);
	if (has_payload && (hot->state & NJ_FLOW_CLASSIFY))
		classify_packet(w, hot, flow, packet);
	if (packet->payload_bytes > 0 && (hot->state & (uint32_t)NJ_FLOW_INSPECT << side))
		nj_inspect_packet(w->inspect, hot, flow, side, packet, fresh_bytes);
	if (packet->protocol != NJ_PROTOCOL_TCP && packet->protocol != NJ_PROTOCOL_UDP)
		note_other(w, flow, packet);
	if ((hot->state & (NJ_FLOW_CLOSED | NJ_FLOW_ENDED)) == NJ_FLOW_CLOSED)
		flow_over(w, hot, flow, NJ_END_CLOSED);
}

/* ------------------------------------------------------------------ windows */

static void flows_expire(struct nj_worker *w)
{
	for (uint32_t at; (at = nj_flows_expired(&w->flows, w->window)) != NJ_FLOW_NONE;) {
		struct nj_flow_hot *hot = nj_flows_hot(&w->flows, at);
		flow_leave(w, hot, &w->flows.flow[at], NJ_END_IDLE, nj_flows_due_ns(&w->flows, hot));
		nj_flows_remove(&w->flows, hot);
	}
}

/* Touched flows lie scattered over two large tables, their agents over a third. Lines are read for some flows at a
 * time, with nothing between the reads, so that the misses overlap; a prefetch instruction is dropped when its page is
 * not in the translation buffer, which here is the common case (measured: it gained nothing, this gains 4 % of the
 * whole run). */
static void flows_call(const struct nj_worker *w, uint32_t from)
{
	uint64_t sum = 0;
	uint32_t to = from + CALLED_FLOWS < w->flows.touched_n ? from + CALLED_FLOWS : w->flows.touched_n;
	for (uint32_t i = from; i < to; i++) {
		uint32_t at = w->flows.touched[i];
		const struct nj_flow *flow = &w->flows.flow[at];
		sum += w->flows.hot[w->flows.slot[at]].state + flow->key.segment + flow->window_ns + flow->packets[0];
	}
	for (uint32_t i = from; i < to; i++) {
		const struct nj_flow *flow = &w->flows.flow[w->flows.touched[i]];
		sum += nj_ledger_call(w->ledger, flow->addr_hash[0]) + nj_ledger_call(w->ledger, flow->addr_hash[1]);
	}
	__asm__ volatile("" ::"r"(sum)); /* the reads are wanted, their values are not */
}

/* Every touched flow tells its window; those still awaiting an answer stay in the list for the next. */
static void flows_tell(struct nj_worker *w)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < w->flows.touched_n; i++) {
		uint32_t at = w->flows.touched[i];
		if (i % CALLED_FLOWS == 0)
			flows_call(w, i);
		struct nj_flow *flow = &w->flows.flow[at];
		struct nj_flow_hot *hot = nj_flows_hot(&w->flows, at);
		if ((hot->state & NJ_FLOW_PENDING) && flow->first_ns + w->answer_ns <= w->window_end_ns)
			outcome_set(w, hot, flow, nj_outcome_overdue(hot), w->window_end_ns - 1);
		if ((flow->facts & (NJ_FACT_SSH_KEYS | NJ_FACT_SSH_JUDGED)) == NJ_FACT_SSH_KEYS)
			nj_note_ssh_login(&w->note, hot, flow, false);
		nj_inspect_tell(w->inspect, hot, flow, w->window_end_ns);
		if (nj_tell_one_sided(w->tell, hot, flow, false))
			w->account.flows_one_sided++;
		nj_tell_window(w->tell, hot, flow);
		if (hot->state & NJ_FLOW_PENDING) {
			flow->touched_at = kept;
			w->flows.touched[kept++] = at;
		} else {
			hot->state &= ~(uint32_t)NJ_FLOW_TOUCHED;
		}
	}
	w->flows.touched_n = kept;
}

/* The frames whose fate became known in this window, by fate. */
static void account_frames(struct nj_worker *w)
{
	const struct nj_frame_counts *now = nj_fragment_counts(w->fragment);
	struct nj_sensor_account *a = &w->account;
	a->frames_decoded = now->decoded - w->counted.decoded;
	a->frames_seen = (now->seen - now->held) - (w->counted.seen - w->counted.held);
	a->drops_n = 0;
	for (unsigned reason = 1; reason < NJ_DROPS_N; reason++) {
		uint64_t frames = now->dropped[reason] - w->counted.dropped[reason];
		if (frames == 0 || a->drops_n == NJ_DROP_REASONS_MAX)
			continue;
		struct nj_drop_count *drop = &a->drops[a->drops_n++];
		snprintf(drop->name, sizeof drop->name, "%s", nj_drop_name((enum nj_drop)reason));
		drop->frames = frames;
	}
	w->counted = *now;
}

static void window_begin(struct nj_worker *w, uint64_t window)
{
	w->window = window;
	w->window_end_ns = (window + 1) * w->width_ns;
	w->tell->start_ns = window * w->width_ns;
}

static void window_close(struct nj_worker *w, bool last)
{
	struct nj_sensor_account *a = &w->account;
	account_frames(w);
	flows_tell(w);
	a->flows_active = nj_flows_n(&w->flows);
	a->contacts_lost = nj_ledger_lost(w->ledger);
	a->windows_closed = nj_ledger_agents_n(w->ledger);
	bool something = a->frames_seen > 0 || a->bytes_seen > 0 || a->windows_closed > 0 || a->flows_ended > 0 ||
			 a->clock_clamps > 0 || a->flows_active > 0;
	nj_ledger_sweep(w->ledger, w->tell->start_ns, w->options.window_ms, w->sink.window, w->sink.context);
	if (something || last)
		w->sink.window_end(w->sink.context, w->tell->start_ns, a);
	*a = (struct nj_sensor_account){0};
}

bool nj_worker_is_idle(const struct nj_worker *w)
{
	return nj_flows_n(&w->flows) == 0 && nj_fragment_counts(w->fragment)->held == 0;
}

/* Closes every window that ends at or before t_ns; where nothing is left that could speak, time jumps. */
static void windows_reach(struct nj_worker *w, uint64_t t_ns)
{
	while (t_ns >= w->window_end_ns) {
		nj_fragment_expire(w->fragment, w->window_end_ns);
		flows_expire(w);
		window_close(w, false);
		window_begin(w, nj_worker_is_idle(w) ? t_ns / w->width_ns : w->window + 1);
	}
}

static void batch_work_off(struct nj_worker *w)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < w->batch_n; i++)
		sum += nj_flows_call(&w->flows, w->batch[i].id);
	__asm__ volatile("" ::"r"(sum)); /* the lines are wanted, see flows_call() */
	for (uint32_t i = 0; i < w->batch_n; i++)
		packet_take(w, &w->batch[i]);
	w->batch_n = 0;
}

/* The frame's time, clamped. All before it is worked off before a window closes. */
static uint64_t clock_take(struct nj_worker *w, uint64_t t_ns)
{
	if (t_ns == 0)
		t_ns = 1; /* a window's features use 0 for "never" */
	if (!w->started && t_ns <= TIME_MAX_NS) {
		w->started = true;
		w->now_ns = t_ns;
		window_begin(w, t_ns / w->width_ns);
	}
	if (t_ns < w->now_ns || t_ns > TIME_MAX_NS) {
		w->account.clock_clamps++;
		return w->now_ns;
	}
	w->now_ns = t_ns;
	if (t_ns >= w->window_end_ns) {
		batch_work_off(w);
		windows_reach(w, t_ns);
	}
	return t_ns;
}

static void frame_arrives(struct nj_worker *w, const struct nj_frame *frame)
{
	struct nj_frame timed = *frame;
	timed.t_ns = clock_take(w, frame->t_ns);
	w->account.bytes_seen += frame->wire_bytes;
	struct arrival *a = &w->batch[w->batch_n];
	if (!nj_fragment_decode(w->fragment, &timed, &a->packet))
		return;
	a->frame = frame;
	nj_flow_key_make(&a->packet, about_of(w, &a->packet, &a->about), &a->key, &a->side);
	a->id = nj_hash128(&a->key, sizeof a->key, &w->options.hash_key);
	w->batch_n++;
	if (w->batch_n == BATCH_PACKETS ||
	    a->packet.frames > 1) /* a datagram put together stands in a buffer that the next frame may overwrite */
		batch_work_off(w);
}

void nj_worker_push_many(struct nj_worker *w, const struct nj_frame *frames, uint32_t n)
{
	assert(!w->finished);
	for (uint32_t i = 0; i < n; i++)
		frame_arrives(w, &frames[i]);
	batch_work_off(w);
}

void nj_worker_push(struct nj_worker *w, const struct nj_frame *frame)
{
	nj_worker_push_many(w, frame, 1);
}

void nj_worker_tick(struct nj_worker *w, uint64_t t_ns)
{
	assert(!w->finished);
	if (!w->started || t_ns <= w->now_ns || t_ns > TIME_MAX_NS)
		return;
	w->now_ns = t_ns;
	windows_reach(w, t_ns);
}

void nj_worker_drain(struct nj_worker *w, uint64_t t_ns)
{
	assert(!w->finished);
	w->drained_ns = t_ns;
}

void nj_worker_finish(struct nj_worker *w)
{
	assert(!w->finished);
	w->finished = true;
	if (!w->started)
		window_begin(w, 0);
	nj_fragment_finish(w->fragment);
	for (uint32_t slot = 0; slot < w->flows.slots; slot++) {
		struct nj_flow_hot *hot = &w->flows.hot[slot];
		if (hot->flow == 0)
			continue;
		flow_leave(w, hot, &w->flows.flow[hot->flow], NJ_END_FINISH, w->window_end_ns - 1);
	}
	window_close(w, true);
}

/* ------------------------------------------------------------------ which worker */

static uint64_t mix(uint64_t value)
{
	value ^= value >> 31;
	value *= 0x9e3779b97f4a7c15ull;
	value ^= value >> 29;
	value *= 0xbf58476d1ce4e5b9ull;
	return value ^ value >> 32;
}

static uint64_t addr_mix(const struct nj_addr *addr)
{
	uint64_t half[2];
	memcpy(half, addr->byte, sizeof half);
	return mix(half[0] + 0x94d049bb133111ebull) ^ mix(half[1]);
}

/* An ICMP error goes to the worker of the flow it speaks of. The sum does not care which address comes first. */
uint32_t nj_worker_pick(const struct nj_frame *frame, uint32_t workers)
{
	struct nj_packet packet, about;
	enum nj_drop drop = nj_decode(frame, &packet);
	if (workers <= 1 || (drop != NJ_DROP_NONE && drop != NJ_DROP_FRAGMENT))
		return 0;
	bool error = drop == NJ_DROP_NONE && nj_icmp_error(&packet, &about);
	const struct nj_packet *of = error ? &about : &packet;
	uint64_t hash = mix(addr_mix(&of->src) + addr_mix(&of->dst) + of->segment);
	return (uint32_t)((unsigned __int128)hash * workers >> 64);
}
