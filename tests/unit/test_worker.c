/* Scripted scenarios through the whole worker: frames with times go in, windows and flow records come out. */
#include "common/inventory.h"
#include "sensor/worker.h"
#include "tests/unit/frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define S            1000000000ull
#define T0           (1700000000ull * S) /* a multiple of 10 s */
#define CLIENT       0x0a000001u
#define SERVER       0x0a000002u
#define OUTSIDE      0x08080808u
#define WINDOWS_MAX  256
#define FLOWS_MAX    64
#define CONTACTS_MAX 16

struct seen_window {
	struct nj_window window;
	struct nj_contact contacts[CONTACTS_MAX];
	struct nj_domain domains[4];
	struct nj_client clients[4];
	uint64_t durations;
};

struct rig {
	struct nj_worker *worker;
	struct nj_networks home;
	struct seen_window windows[WINDOWS_MAX];
	struct nj_flow_record flows[FLOWS_MAX];
	struct nj_sensor_account account; /* summed */
	uint32_t windows_n, flows_n, ends_n;
	uint64_t last_start_ns;
	struct frame_buffer frame;
};

static void on_window(void *context, const struct nj_window *window)
{
	struct rig *rig = context;
	assert_true(rig->windows_n < WINDOWS_MAX);
	struct seen_window *seen = &rig->windows[rig->windows_n++];
	seen->window = *window;
	for (uint32_t i = 0; i < window->contacts_n && i < CONTACTS_MAX; i++)
		seen->contacts[i] = window->contacts[i];
	for (uint32_t i = 0; i < window->domains_n && i < 4; i++)
		seen->domains[i] = window->domains[i];
	for (uint32_t i = 0; i < window->clients_n && i < 4; i++)
		seen->clients[i] = window->clients[i];
	for (uint32_t i = 0; window->flow_duration_ms != NULL && i < NJ_HISTOGRAM_BUCKETS; i++)
		seen->durations += window->flow_duration_ms[i];
}

static void on_window_end(void *context, uint64_t start_ns, const struct nj_sensor_account *account)
{
	struct rig *rig = context;
	rig->ends_n++;
	rig->last_start_ns = start_ns;
	rig->account.frames_seen += account->frames_seen;
	rig->account.frames_decoded += account->frames_decoded;
	rig->account.flows_opened += account->flows_opened;
	rig->account.flows_ended += account->flows_ended;
	rig->account.flows_evicted += account->flows_evicted;
	rig->account.flows_one_sided += account->flows_one_sided;
	rig->account.clock_clamps += account->clock_clamps;
	rig->account.contacts_lost += account->contacts_lost;
}

static void on_flow(void *context, const struct nj_flow_record *flow)
{
	struct rig *rig = context;
	assert_true(rig->flows_n < FLOWS_MAX);
	rig->flows[rig->flows_n++] = *flow;
}

static struct rig *rig_new_with(void (*change)(struct nj_worker_options *options))
{
	struct rig *rig = calloc(1, sizeof *rig);
	struct nj_worker_options options;
	struct nj_worker_sink sink = {rig, on_window, on_window_end, on_flow};
	assert_non_null(rig);
	nj_worker_options_init(&options);
	nj_networks_private(&rig->home);
	options.home = &rig->home;
	options.flows_max = 256;
	options.classifying_max = 64;
	options.inspecting_max = 16;
	options.ledger_entries_max = 1024;
	options.fragments_max = 16;
	nj_hash_key_derive("test", &options.hash_key);
	if (change != NULL)
		change(&options);
	assert_int_equal(nj_worker_new(&options, &sink, NULL, &rig->worker), 0);
	return rig;
}

static struct rig *rig_new(void)
{
	return rig_new_with(NULL);
}

static void rig_free(struct rig *rig)
{
	nj_worker_free(&rig->worker);
	free(rig);
}

static void push(struct rig *rig, uint64_t t_ns)
{
	struct nj_frame frame = {.t_ns = t_ns,
				 .data = rig->frame.byte,
				 .captured_bytes = rig->frame.bytes,
				 .wire_bytes = rig->frame.bytes,
				 .link_type = 1};
	nj_worker_push(rig->worker, &frame);
}

/* One direction of the usual connection 10.0.0.1:40000 -> 10.0.0.2:port. */
static void out(struct rig *rig, double at_s, uint16_t port, uint8_t flags, uint32_t sequence, const char *payload)
{
	struct tcp tcp = {CLIENT, SERVER, 40000, port, flags, sequence, flags & NJ_TCP_ACK ? 1001 : 0};
	frame_tcp(&rig->frame, &tcp, payload, (uint32_t)strlen(payload));
	push(rig, T0 + (uint64_t)(at_s * 1e9));
}

static void in(struct rig *rig, double at_s, uint16_t port, uint8_t flags, uint32_t sequence, const char *payload)
{
	struct tcp tcp = {SERVER, CLIENT, port, 40000, flags, sequence, 1};
	frame_tcp(&rig->frame, &tcp, payload, (uint32_t)strlen(payload));
	push(rig, T0 + (uint64_t)(at_s * 1e9));
}

#define SYN NJ_TCP_SYN
#define ACK NJ_TCP_ACK
#define FIN NJ_TCP_FIN
#define RST NJ_TCP_RST

/* The window of *agent* that starts *at_s* after T0; fails when there is none. */
static const struct seen_window *window_of(const struct rig *rig, uint32_t agent, double at_s)
{
	uint8_t bytes[4];
	put32(bytes, agent);
	struct nj_addr addr = nj_addr_v4(bytes);
	for (uint32_t i = 0; i < rig->windows_n; i++) {
		const struct nj_window *w = &rig->windows[i].window;
		if (nj_addr_equal(&w->agent.addr, &addr) && w->start_ns == T0 + (uint64_t)(at_s * 1e9))
			return &rig->windows[i];
	}
	fail_msg("no window of %08x at %.0f s", agent, at_s);
	return NULL;
}

static const struct nj_flow_record *only_flow(const struct rig *rig)
{
	assert_int_equal(rig->flows_n, 1);
	return &rig->flows[0];
}

static void handshake(struct rig *rig, double at_s, uint16_t port)
{
	out(rig, at_s, port, SYN, 0, "");
	in(rig, at_s + 0.01, port, SYN | ACK, 1000, "");
	out(rig, at_s + 0.02, port, ACK, 1, "");
}

static void answered_flow_counts_on_both_ends(void **state)
{
	(void)state;
	struct rig *rig = rig_new();
	handshake(rig, 1, 8000);
	out(rig, 1.1, 8000, ACK, 1, "hello there");
	in(rig, 1.2, 8000, ACK, 1001, "and you");
	out(rig, 1.3, 8000, FIN | ACK, 12, "");
	in(rig, 1.4, 8000, FIN | ACK, 1008, "");
	nj_worker_finish(rig->worker);

	const struct nj_flow_record *flow = only_flow(rig);
	assert_int_equal(flow->outcome, NJ_OUTCOME_ANSWERED);
	assert_int_equal(flow->end_reason, NJ_END_CLOSED);
	assert_int_equal(flow->packets_out, 4);
	assert_int_equal(flow->packets_in, 3);
	assert_int_equal(flow->bytes_out, 11);
	assert_int_equal(flow->bytes_in, 7);
	assert_int_equal(flow->wire_bytes_out, 4 * 54 + 11);
	assert_int_equal(flow->client_port, 40000);
	assert_true(flow->seen_start);

	const struct seen_window *w = window_of(rig, CLIENT, 0);
	assert_int_equal(w->window.contacts_n, 1);
	const struct nj_contact *c = &w->contacts[0];
	assert_int_equal(c->port, 8000);
	assert_int_equal(c->role, NJ_ROLE_CLIENT);
	assert_int_equal(c->flow_port, 40000);
	assert_int_equal(c->opened, 1);
	assert_int_equal(c->answered, 1);
	assert_int_equal(c->bytes_out, 11);
	assert_int_equal(c->bytes_in, 7);
	assert_int_equal(c->bursts, 1);
	assert_int_equal(c->burst_ms[0], 1000);
	assert_int_equal(c->first_ns, T0 + S);
	assert_int_equal(w->window.features.flows_opened, 1);
	assert_int_equal(w->window.features.flows_answered, 1);
	assert_int_equal(w->window.features.bytes_out_internal, 11);
	assert_int_equal(w->window.features.bytes_out_external, 0);
	assert_int_equal(w->durations, 1);

	w = window_of(rig, SERVER, 0);
	assert_int_equal(w->contacts[0].role, NJ_ROLE_SERVER);
	assert_int_equal(w->contacts[0].port, 8000);
	assert_int_equal(w->contacts[0].bytes_out, 7);
	assert_int_equal(w->window.features.flows_accepted, 1);
	assert_int_equal(w->window.features.flows_opened, 0);
	assert_int_equal(w->window.features.flows_answered, 0);
	rig_free(rig);
}

static void established_is_answered_when_time_is_up(void **state)
{
	(void)state;
	struct rig *rig = rig_new();
	handshake(rig, 1, 8000);
	nj_worker_tick(rig->worker, T0 + 20 * S);
	assert_int_equal(window_of(rig, CLIENT, 0)->contacts[0].answered, 1);
	nj_worker_finish(rig->worker);
	assert_int_equal(only_flow(rig)->outcome, NJ_OUTCOME_ANSWERED);
	rig_free(rig);
}

static void reset_before_handshake_is_refused(void **state)
{
	(void)state;
	struct rig *rig = rig_new();
	out(rig, 1, 81, SYN, 0, "");
	in(rig, 1.01, 81, RST | ACK, 0, "");
	nj_worker_finish(rig->worker);
	assert_int_equal(only_flow(rig)->outcome, NJ_OUTCOME_REFUSED);
	assert_int_equal(window_of(rig, CLIENT, 0)->contacts[0].refused, 1);
	assert_int_equal(window_of(rig, CLIENT, 0)->window.features.flows_refused, 1);
	rig_free(rig);
}

static void half_open_probe_is_reset(void **state)
{
	(void)state;
	struct rig *rig = rig_new();
	out(rig, 1, 22, SYN, 0, "");
	in(rig, 1.01, 22, SYN | ACK, 1000, "");
	out(rig, 1.02, 22, RST, 1, "");
	nj_worker_finish(rig->worker);
	assert_int_equal(only_flow(rig)->outcome, NJ_OUTCOME_RESET);
	assert_int_equal(window_of(rig, CLIENT, 0)->window.features.flows_reset, 1);
	rig_free(rig);
}

static void late_reset_changes_no_outcome(void **state)
{
	(void)state;
	struct rig *rig = rig_new();
	handshake(rig, 1, 8000);
	out(rig, 1.1, 8000, ACK, 1, "x");
	in(rig, 1.2, 8000, RST, 1001, "");
	nj_worker_finish(rig->worker);
	assert_int_equal(only_flow(rig)->outcome, NJ_OUTCOME_ANSWERED);
	assert_int_equal(only_flow(rig)->end_reason, NJ_END_CLOSED);
	rig_free(rig);
}

/* Opened 7 s into a window, answer_s 5: judged when the next window ends, in that window's contact, at its last
 * nanosecond. */
static void unanswered_is_told_when_known(void **state)
{
	(void)state;
	struct rig *rig = rig_new();
	out(rig, 7, 445, SYN, 0, "");
	nj_worker_tick(rig->worker, T0 + 30 * S);
	assert_int_equal(window_of(rig, CLIENT, 0)->contacts[0].opened, 1);
	assert_int_equal(window_of(rig, CLIENT, 0)->contacts[0].unanswered, 0);
	const struct seen_window *w = window_of(rig, CLIENT, 10);
	assert_int_equal(w->contacts[0].opened, 0);
	assert_int_equal(w->contacts[0].unanswered, 1);
	assert_int_equal(w->contacts[0].packets_out, 0);
	assert_int_equal(w->contacts[0].first_ns, T0 + 20 * S - 1);
	assert_int_equal(w->contacts[0].last_ns, T0 + 20 * S - 1);
	assert_int_equal(w->window.features.flows_unanswered, 1);
	nj_worker_finish(rig->worker);
	assert_int_equal(only_flow(rig)->outcome, NJ_OUTCOME_UNANSWERED);
	rig_free(rig);
}

static void unanswered_early_in_a_window_is_told_in_it(void **state)
{
	(void)state;
	struct rig *rig = rig_new();
	out(rig, 2, 445, SYN, 0, "");
	nj_worker_tick(rig->worker, T0 + 10 * S);
	assert_int_equal(window_of(rig, CLIENT, 0)->contacts[0].unanswered, 1);
	nj_worker_finish(rig->worker);
	rig_free(rig);
}

static void pending_at_the_end_is_unanswered(void **state)
{
	(void)state;
	struct rig *rig = rig_new();
	out(rig, 9, 445, SYN, 0, "");
	nj_worker_finish(rig->worker);
	assert_int_equal(window_of(rig, CLIENT, 0)->contacts[0].unanswered, 1);
	assert_int_equal(only_flow(rig)->outcome, NJ_OUTCOME_UNANSWERED);
	rig_free(rig);
}

static void midstream_has_no_outcome_and_finds_its_server(void **state)
{
	(void)state;
	struct rig *rig = rig_new();
	in(rig, 1, 443, ACK, 5000, "data");
	out(rig, 1.1, 443, ACK, 1, "");
	nj_worker_finish(rig->worker);
	const struct nj_flow_record *flow = only_flow(rig);
	assert_int_equal(flow->outcome, NJ_OUTCOME_MIDSTREAM);
	assert_int_equal(flow->server_port, 443);
	assert_int_equal(flow->bytes_in, 4);
	assert_false(flow->seen_start);
	assert_int_equal(window_of(rig, CLIENT, 0)->window.features.flows_midstream, 1);
	assert_int_equal(window_of(rig, CLIENT, 0)->window.features.flows_opened, 0);
	assert_int_equal(window_of(rig, CLIENT, 0)->contacts[0].role, NJ_ROLE_CLIENT);
	rig_free(rig);
}

static void null_probe_is_an_opening(void **state)
{
	(void)state;
	struct rig *rig = rig_new();
	out(rig, 1, 9999, FIN | NJ_TCP_PSH | NJ_TCP_URG, 0, "");
	in(rig, 1.01, 9999, RST | ACK, 0, "");
	nj_worker_finish(rig->worker);
	assert_int_equal(only_flow(rig)->outcome, NJ_OUTCOME_REFUSED);
	rig_free(rig);
}

static void icmp_unreachable_refuses_the_flow_it_names(void **state)
{
	(void)state;
	struct rig *rig = rig_new();
	frame_udp(&rig->frame, CLIENT, 40000, SERVER, 161, "get", 3);
	push(rig, T0 + S);
	uint8_t about[28];
	memcpy(about, rig->frame.byte + 14, sizeof about);
	frame_icmp(&rig->frame, 0x0a0000fe, CLIENT, 3, 3, 0, about, sizeof about);
	push(rig, T0 + 2 * S);
	nj_worker_finish(rig->worker);
	const struct seen_window *w = window_of(rig, CLIENT, 0);
	assert_int_equal(w->window.features.flows_refused, 1);
	assert_int_equal(w->window.features.icmp_unreachable_in, 1);
	assert_int_equal(w->window.contacts_n, 2); /* with the server, and with the router that complained */
	rig_free(rig);
}

static void udp_reply_answers(void **state)
{
	(void)state;
	struct rig *rig = rig_new();
	frame_udp(&rig->frame, CLIENT, 40000, OUTSIDE, 5000, "ping", 4);
	push(rig, T0 + S);
	frame_udp(&rig->frame, OUTSIDE, 5000, CLIENT, 40000, "pong!", 5);
	push(rig, T0 + 2 * S);
	nj_worker_finish(rig->worker);
	assert_int_equal(only_flow(rig)->outcome, NJ_OUTCOME_ANSWERED);
	const struct seen_window *w = window_of(rig, CLIENT, 0);
	assert_int_equal(w->contacts[0].external, 1);
	assert_int_equal(w->window.features.bytes_out_external, 4);
	assert_int_equal(w->window.features.bytes_in_external, 5);
	assert_int_equal(w->contacts[0].bursts, 2); /* a second of silence between them */
	assert_int_equal(__builtin_popcountll(w->contacts[0].began), 2);
	rig_free(rig);
}

static void multicast_expects_nothing_and_is_no_agent(void **state)
{
	(void)state;
	struct rig *rig = rig_new();
	frame_udp(&rig->frame, CLIENT, 40000, 0xeffffffau, 1900, "notify", 6);
	push(rig, T0 + S);
	nj_worker_finish(rig->worker);
	assert_int_equal(rig->windows_n, 1);
	const struct seen_window *w = window_of(rig, CLIENT, 0);
	assert_int_equal(w->contacts[0].answered, 1);
	assert_int_equal(w->contacts[0].external, 0);
	rig_free(rig);
}

static void directed_broadcast_is_no_agent(void **state)
{
	(void)state;
	struct rig *rig = rig_new();
	frame_udp(&rig->frame, CLIENT, 137, 0x0a0000ff, 137, "who?", 4);
	memset(rig->frame.byte, 0xff, 6);
	push(rig, T0 + S);
	nj_worker_finish(rig->worker);
	assert_int_equal(rig->windows_n, 1);
	assert_int_equal(window_of(rig, CLIENT, 0)->contacts[0].answered, 1);
	rig_free(rig);
}

static void arp_sweep_shows_as_unanswered_contacts(void **state)
{
	(void)state;
	struct rig *rig = rig_new();
	for (uint32_t i = 10; i < 15; i++) {
		frame_arp(&rig->frame, 1, CLIENT, 0x0a000000 + i);
		push(rig, T0 + S);
	}
	frame_arp(&rig->frame, 2, 0x0a00000a, CLIENT);
	push(rig, T0 + S + 1000);
	nj_worker_finish(rig->worker);
	const struct seen_window *w = window_of(rig, CLIENT, 0);
	assert_int_equal(w->window.features.arp_requests, 5);
	assert_int_equal(w->window.features.flows_answered, 1);
	assert_int_equal(w->window.features.flows_unanswered, 4);
	assert_string_equal(w->contacts[0].app, "ARP");
	rig_free(rig);
}

static void echo_is_compared(void **state)
{
	(void)state;
	struct rig *rig = rig_new();
	uint8_t data[100];
	for (unsigned i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 7);
	frame_icmp(&rig->frame, CLIENT, SERVER, 8, 0, 0x00010001, data, sizeof data);
	push(rig, T0 + S);
	frame_icmp(&rig->frame, SERVER, CLIENT, 0, 0, 0x00010001, data, sizeof data);
	push(rig, T0 + S + 1);
	frame_icmp(&rig->frame, CLIENT, SERVER, 8, 0, 0x00010002, data, sizeof data);
	push(rig, T0 + S + 2);
	data[50] ^= 1;
	frame_icmp(&rig->frame, SERVER, CLIENT, 0, 0, 0x00010002, data, sizeof data);
	push(rig, T0 + S + 3);
	frame_icmp(&rig->frame, SERVER, CLIENT, 0, 0, 0x00010003, data, 10);
	push(rig, T0 + S + 4);
	nj_worker_finish(rig->worker);
	const struct nj_features *f = &window_of(rig, SERVER, 0)->window.features;
	assert_int_equal(f->icmp_echo_out, 3);
	assert_int_equal(f->icmp_payload_bytes_out, 210);
	assert_int_equal(f->icmp_large_out, 2);
	assert_int_equal(f->icmp_mismatched, 1);
	assert_int_equal(f->icmp_unsolicited_out, 1);
	assert_true(f->icmp_entropy_mbit > 2 * 6000 && f->icmp_entropy_mbit < 2 * 8000);
	assert_int_equal(window_of(rig, CLIENT, 0)->window.features.icmp_mismatched, 0);
	rig_free(rig);
}

static void retransmissions_and_late_segments(void **state)
{
	(void)state;
	struct rig *rig = rig_new();
	handshake(rig, 1, 8000);
	out(rig, 1.1, 8000, ACK, 1, "aaaaaaaaaa");  /* 1..10 */
	out(rig, 1.2, 8000, ACK, 1, "aaaaaaaaaa");  /* again */
	out(rig, 1.3, 8000, ACK, 21, "cccccccccc"); /* 21..30, leaving a hole */
	out(rig, 1.4, 8000, ACK, 11, "bbbbbbbbbb"); /* fills it */
	out(rig, 1.5, 8000, ACK, 11, "bbbbbbbbbb"); /* again */
	out(rig, 1.6, 8000, ACK, 26, "cccccddddd"); /* half of it again */
	nj_worker_finish(rig->worker);
	assert_int_equal(only_flow(rig)->bytes_out, 35);
	assert_int_equal(only_flow(rig)->retransmitted_bytes, 25);
	assert_int_equal(window_of(rig, CLIENT, 0)->window.features.retransmitted_bytes, 25);
	assert_int_equal(window_of(rig, SERVER, 0)->window.features.retransmitted_bytes, 25);
	rig_free(rig);
}

static void repeated_syn_is_the_same_flow_and_a_new_one_is_not(void **state)
{
	(void)state;
	struct rig *rig = rig_new();
	out(rig, 1, 8000, SYN, 0, "");
	out(rig, 2, 8000, SYN, 0, "");
	in(rig, 2.1, 8000, RST | ACK, 0, "");
	out(rig, 3, 8000, SYN, 77777, "");
	in(rig, 3.1, 8000, RST | ACK, 0, "");
	nj_worker_finish(rig->worker);
	assert_int_equal(rig->flows_n, 2);
	const struct nj_contact *c = &window_of(rig, CLIENT, 0)->contacts[0];
	assert_int_equal(c->opened, 2);
	assert_int_equal(c->refused, 2);
	assert_int_equal(rig->account.flows_opened, 2);
	assert_int_equal(rig->account.flows_ended, 2);
	rig_free(rig);
}

static void silence_ends_a_flow_whenever_ticks_come(void **state)
{
	(void)state;
	for (int ticks = 0; ticks < 2; ticks++) {
		struct rig *rig = rig_new();
		frame_udp(&rig->frame, CLIENT, 40000, SERVER, 5000, "a", 1);
		push(rig, T0 + S);
		for (int i = 0; ticks && i <= 61; i++)
			nj_worker_tick(rig->worker, T0 + S + (uint64_t)i * S);
		frame_udp(&rig->frame, CLIENT, 40000, SERVER, 5000, "a", 1);
		push(rig, T0 + 62 * S); /* idle_udp_s is 60 */
		nj_worker_finish(rig->worker);
		assert_int_equal(rig->flows_n, 2);
		assert_int_equal(rig->flows[0].end_reason, NJ_END_IDLE);
		assert_int_equal(window_of(rig, CLIENT, 60)->contacts[0].opened, 1);
		assert_int_equal(window_of(rig, CLIENT, 60)->durations, 0); /* only closing has a time of its own */
		rig_free(rig);
	}
}

static void just_within_the_timeout_is_one_flow(void **state)
{
	(void)state;
	struct rig *rig = rig_new();
	frame_udp(&rig->frame, CLIENT, 40000, SERVER, 5000, "a", 1);
	push(rig, T0 + S);
	push(rig, T0 + 61 * S - 1);
	nj_worker_finish(rig->worker);
	assert_int_equal(rig->flows_n, 1);
	rig_free(rig);
}

static void few_flows(struct nj_worker_options *options)
{
	options->flows_max = 16;
}

static void full_table_evicts_and_counts(void **state)
{
	(void)state;
	struct rig *rig = rig_new_with(few_flows);
	for (uint16_t i = 0; i < 40; i++) {
		struct tcp tcp = {CLIENT, SERVER, 40000, (uint16_t)(1000 + i), SYN, 5, 0};
		frame_tcp(&rig->frame, &tcp, "", 0);
		push(rig, T0 + i * S / 10);
	}
	nj_worker_finish(rig->worker);
	assert_int_equal(rig->account.flows_opened, 40);
	assert_int_equal(rig->account.flows_ended, 40);
	assert_int_equal(rig->account.flows_evicted, 24);
	uint64_t opened = 0;
	const struct seen_window *w = window_of(rig, CLIENT, 0);
	assert_int_equal(w->window.contacts_n, 40); /* an evicted flow has told its window */
	for (uint32_t i = 0; i < CONTACTS_MAX; i++)
		opened += w->contacts[i].opened;
	assert_int_equal(opened, CONTACTS_MAX);
	rig_free(rig);
}

/* 40 openings that nobody answers into 16 places; gives how many count as unanswered. */
static uint64_t unanswered_of_evicted(uint64_t gap_ns)
{
	struct rig *rig = rig_new_with(few_flows);
	for (uint16_t i = 0; i < 40; i++) {
		struct tcp tcp = {CLIENT, SERVER, 40000, (uint16_t)(1000 + i), SYN, 5, 0};
		frame_tcp(&rig->frame, &tcp, "", 0);
		push(rig, T0 + i * gap_ns);
	}
	nj_worker_finish(rig->worker);
	assert_int_equal(rig->account.flows_evicted, 24);
	uint64_t unanswered = window_of(rig, CLIENT, 0)->window.features.flows_unanswered;
	rig_free(rig);
	return unanswered;
}

static void evicted_after_a_second_is_unanswered(void **state)
{
	(void)state;
	assert_int_equal(unanswered_of_evicted(S / 10), 40);
	assert_int_equal(unanswered_of_evicted(S / 20), 16); /* those pushed out had waited 0.8 s: nobody knows */
}

static void small_ledger(struct nj_worker_options *options)
{
	options->ledger_entries_max = 64;
}

static void a_flood_from_outside_leaves_room_for_home(void **state)
{
	(void)state;
	struct rig *rig = rig_new_with(small_ledger);
	for (uint32_t i = 0; i < 56; i++) {
		struct tcp tcp = {0xcb007100u + i, SERVER, 40000, 443, SYN, 5, 0};
		frame_tcp(&rig->frame, &tcp, "", 0);
		push(rig, T0 + i * S / 100);
	}
	for (uint32_t i = 0; i < 5; i++) {
		struct tcp tcp = {CLIENT, 0x0a000100u + i, 40000, 445, SYN, 5, 0};
		frame_tcp(&rig->frame, &tcp, "", 0);
		push(rig, T0 + 3 * S + i);
	}
	nj_worker_finish(rig->worker);
	assert_int_equal(window_of(rig, CLIENT, 0)->window.contacts_n, 5);
	assert_in_range(rig->account.contacts_lost, 60, 100); /* two a flow that was not entered */
	rig_free(rig);
}

static void time_never_goes_back(void **state)
{
	(void)state;
	struct rig *rig = rig_new();
	frame_udp(&rig->frame, CLIENT, 40000, SERVER, 5000, "a", 1);
	push(rig, T0 + 15 * S);
	push(rig, T0 + 3 * S);
	push(rig, UINT64_MAX);
	nj_worker_finish(rig->worker);
	assert_int_equal(rig->account.clock_clamps, 2);
	assert_int_equal(window_of(rig, CLIENT, 10)->window.features.packets_out, 3);
	assert_int_equal(rig->flows[0].last_ns, T0 + 15 * S);
	rig_free(rig);
}

static void windows_do_not_depend_on_ticks(void **state)
{
	(void)state;
	struct rig *with = rig_new(), *without = rig_new();
	struct rig *rigs[] = {with, without};
	for (int r = 0; r < 2; r++) {
		for (int i = 0; i < 50; i++) {
			struct tcp tcp = {
				CLIENT + (uint32_t)i % 3, SERVER, (uint16_t)(40000 + i), 80, SYN, (uint32_t)i, 0};
			frame_tcp(&rigs[r]->frame, &tcp, "", 0);
			push(rigs[r], T0 + (uint64_t)i * S * 3 / 2);
			for (int k = 0; r == 0 && k < 3; k++)
				nj_worker_tick(rigs[r]->worker, T0 + (uint64_t)i * S * 3 / 2 + (uint64_t)k * S / 2);
		}
		nj_worker_finish(rigs[r]->worker);
	}
	assert_int_equal(with->windows_n, without->windows_n);
	for (uint32_t i = 0; i < with->windows_n; i++) {
		assert_memory_equal(&with->windows[i].window.features, &without->windows[i].window.features,
				    sizeof(struct nj_features));
		assert_memory_equal(with->windows[i].contacts, without->windows[i].contacts,
				    sizeof with->windows[i].contacts);
	}
	rig_free(with);
	rig_free(without);
}

static void dns_is_counted_for_who_asks(void **state)
{
	(void)state;
	static const uint8_t query[] = {0x12, 0x34, 1,   0,   0,   1,   0,   0,   0,   0,   0,   0,   6,
					's',  'E',  'c', 'r', 'e', 't', 7,   'e', 'x', 'a', 'm', 'p', 'l',
					'e',  2,    'c', 'o', 2,   'u', 'k', 0,   0,   16,  0,   1};
	struct rig *rig = rig_new();
	frame_udp(&rig->frame, CLIENT, 40000, SERVER, 53, query, sizeof query);
	push(rig, T0 + S);
	uint8_t answer[sizeof query];
	memcpy(answer, query, sizeof query);
	answer[2] = 0x81;
	answer[3] = 0x83;
	frame_udp(&rig->frame, SERVER, 53, CLIENT, 40000, answer, sizeof answer);
	push(rig, T0 + S + 1000);
	frame_udp(&rig->frame, CLIENT, 40000, SERVER, 53, "x", 1);
	push(rig, T0 + S + 2000);
	nj_worker_finish(rig->worker);
	const struct seen_window *w = window_of(rig, CLIENT, 0);
	const struct nj_features *f = &w->window.features;
	assert_int_equal(f->dns_queries, 1);
	assert_int_equal(f->dns_responses, 1);
	assert_int_equal(f->dns_nxdomain, 1);
	assert_int_equal(f->dns_free_text, 1);
	assert_int_equal(f->dns_name_bytes, 20);
	assert_int_equal(f->dns_malformed, 1);
	assert_int_equal(w->window.domains_n, 1);
	assert_string_equal(w->domains[0].name, "example.co.uk");
	assert_int_equal(w->domains[0].queries, 1);
	assert_int_equal(w->domains[0].nxdomain, 1);
	assert_int_equal(w->domains[0].sample_n, 1);
	assert_string_equal(rig->flows[0].dns_name, "sEcret.example.co.uk");
	assert_int_equal(rig->flows[0].dns_type, 16);
	assert_int_equal(window_of(rig, SERVER, 0)->window.features.dns_queries, 0);
	rig_free(rig);
}

static void http_requests_names_and_errors(void **state)
{
	(void)state;
	struct rig *rig = rig_new();
	handshake(rig, 1, 8080);
	/* the first head in two segments, out of order */
	static const char head[] = "GET /a HTTP/1.1\r\nHost: Shop.Example.com:8080\r\nUser-Agent: curl/8\r\n\r\n";
	char first[21], second[sizeof head];
	memcpy(first, head, 20);
	first[20] = '\0';
	memcpy(second, head + 20, sizeof head - 20);
	out(rig, 1.1, 8080, ACK, 21, second);
	out(rig, 1.2, 8080, ACK, 1, first);
	in(rig, 1.3, 8080, ACK, 1001, "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
	uint32_t sent = 1 + sizeof head - 1;
	out(rig, 1.4, 8080, ACK, sent, "GET /b HTTP/1.1\r\n\r\n");
	out(rig, 1.41, 8080, ACK, sent, "GET /b HTTP/1.1\r\n\r\n"); /* a retransmission is no request */
	in(rig, 1.5, 8080, ACK, 1001 + 47, "HTTP/1.1 401 Unauthorized\r\n\r\n");
	nj_worker_finish(rig->worker);
	const struct seen_window *w = window_of(rig, CLIENT, 0);
	assert_int_equal(w->window.features.requests, 2);
	assert_int_equal(w->window.features.http_errors, 2);
	assert_int_equal(w->window.features.auth_failed, 1);
	assert_int_equal(w->contacts[0].requests, 2);
	assert_string_equal(w->contacts[0].name, "shop.example.com");
	assert_int_equal(w->window.clients_n, 1);
	assert_int_equal(w->clients[0].kind, NJ_CLIENT_HTTP);
	assert_string_equal(w->clients[0].text, "curl/8");
	assert_int_equal(w->clients[0].flows, 1);
	assert_int_equal(w->window.features.response_mode_count, 1);
	assert_int_equal(only_flow(rig)->requests, 2);
	rig_free(rig);
}

static void two_conversations_in_two_segments_stay_apart(void **state)
{
	(void)state;
	struct rig *rig = rig_new();
	for (unsigned vlan = 1; vlan <= 2; vlan++) {
		frame_udp(&rig->frame, CLIENT, 40000, SERVER, 5000, "a", 1);
		memmove(rig->frame.byte + 18, rig->frame.byte + 14, rig->frame.bytes - 14);
		put16(rig->frame.byte + 12, 0x8100);
		put16(rig->frame.byte + 14, vlan);
		put16(rig->frame.byte + 16, 0x0800);
		rig->frame.bytes += 4;
		push(rig, T0 + S);
	}
	nj_worker_finish(rig->worker);
	assert_int_equal(rig->flows_n, 2);
	assert_int_equal(rig->windows_n, 4);
	rig_free(rig);
}

static void short_active(struct nj_worker_options *options)
{
	options->active_s = 5;
}

static void active_timeout_cuts_records_not_contacts(void **state)
{
	(void)state;
	struct rig *rig = rig_new_with(short_active);
	frame_udp(&rig->frame, CLIENT, 40000, SERVER, 5000, "abc", 3);
	for (uint64_t i = 0; i < 10; i++)
		push(rig, T0 + i * S);
	nj_worker_finish(rig->worker);
	assert_int_equal(rig->flows_n, 2);
	assert_int_equal(rig->flows[0].end_reason, NJ_END_ACTIVE);
	assert_int_equal(rig->flows[0].packets_out, 5);
	assert_int_equal(rig->flows[1].packets_out, 5);
	assert_int_equal(rig->flows[1].bytes_out, 15);
	assert_int_equal(rig->flows[1].first_ns, T0 + 5 * S);
	const struct nj_contact *c = &window_of(rig, CLIENT, 0)->contacts[0];
	assert_int_equal(c->packets_out, 10);
	assert_int_equal(c->opened, 1);
	rig_free(rig);
}

static void without_frames_one_window_end_comes(void **state)
{
	(void)state;
	struct rig *rig = rig_new();
	nj_worker_finish(rig->worker);
	assert_int_equal(rig->ends_n, 1);
	assert_int_equal(rig->windows_n, 0);
	rig_free(rig);
}

static void pick_keeps_conversations_and_their_errors_together(void **state)
{
	(void)state;
	struct frame_buffer there, back, error;
	for (uint32_t i = 0; i < 64; i++) {
		frame_udp(&there, CLIENT + i, 40000, SERVER, 161, "get", 3);
		frame_udp(&back, SERVER, 161, CLIENT + i, 40000, "got", 3);
		frame_icmp(&error, 0x0a0000fe, CLIENT + i, 3, 3, 0, there.byte + 14, 28);
		struct nj_frame a = {
			.data = there.byte, .captured_bytes = there.bytes, .wire_bytes = there.bytes, .link_type = 1};
		struct nj_frame b = {
			.data = back.byte, .captured_bytes = back.bytes, .wire_bytes = back.bytes, .link_type = 1};
		struct nj_frame c = {
			.data = error.byte, .captured_bytes = error.bytes, .wire_bytes = error.bytes, .link_type = 1};
		uint32_t picked = nj_worker_pick(&a, 7);
		assert_true(picked < 7);
		assert_int_equal(picked, nj_worker_pick(&b, 7));
		assert_int_equal(picked, nj_worker_pick(&c, 7));
		assert_int_equal(nj_worker_pick(&a, 1), 0);
	}
}

static void wrong_options_are_refused(void **state)
{
	(void)state;
	struct nj_worker_options options;
	struct nj_worker_sink sink = {NULL, on_window, on_window_end, NULL};
	struct nj_message message = {0};
	struct nj_worker *worker = NULL;
	nj_worker_options_init(&options);
	assert_int_equal(nj_worker_new(&options, &sink, &message, &worker), NJ_ERR_USAGE);
	assert_non_null(strstr(message.text, "home"));
	assert_null(worker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answered_flow_counts_on_both_ends),
		cmocka_unit_test(established_is_answered_when_time_is_up),
		cmocka_unit_test(reset_before_handshake_is_refused),
		cmocka_unit_test(half_open_probe_is_reset),
		cmocka_unit_test(late_reset_changes_no_outcome),
		cmocka_unit_test(unanswered_is_told_when_known),
		cmocka_unit_test(unanswered_early_in_a_window_is_told_in_it),
		cmocka_unit_test(pending_at_the_end_is_unanswered),
		cmocka_unit_test(midstream_has_no_outcome_and_finds_its_server),
		cmocka_unit_test(null_probe_is_an_opening),
		cmocka_unit_test(icmp_unreachable_refuses_the_flow_it_names),
		cmocka_unit_test(udp_reply_answers),
		cmocka_unit_test(multicast_expects_nothing_and_is_no_agent),
		cmocka_unit_test(directed_broadcast_is_no_agent),
		cmocka_unit_test(arp_sweep_shows_as_unanswered_contacts),
		cmocka_unit_test(echo_is_compared),
		cmocka_unit_test(retransmissions_and_late_segments),
		cmocka_unit_test(repeated_syn_is_the_same_flow_and_a_new_one_is_not),
		cmocka_unit_test(silence_ends_a_flow_whenever_ticks_come),
		cmocka_unit_test(just_within_the_timeout_is_one_flow),
		cmocka_unit_test(full_table_evicts_and_counts),
		cmocka_unit_test(evicted_after_a_second_is_unanswered),
		cmocka_unit_test(a_flood_from_outside_leaves_room_for_home),
		cmocka_unit_test(time_never_goes_back),
		cmocka_unit_test(windows_do_not_depend_on_ticks),
		cmocka_unit_test(dns_is_counted_for_who_asks),
		cmocka_unit_test(http_requests_names_and_errors),
		cmocka_unit_test(two_conversations_in_two_segments_stay_apart),
		cmocka_unit_test(active_timeout_cuts_records_not_contacts),
		cmocka_unit_test(without_frames_one_window_end_comes),
		cmocka_unit_test(pick_keeps_conversations_and_their_errors_together),
		cmocka_unit_test(wrong_options_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
