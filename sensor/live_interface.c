/* See live_interface.h. Sockets are opened shut, join their group one after another, and are let go together: a flow
 * does not change its worker because a later one joined. */
#include "sensor/live_interface.h"

#include "sensor/packet_socket.h"

#include <stdatomic.h>

static enum nj_tap_state tap_state(const struct nj_live_interface *i, uint32_t lane)
{
	return atomic_load_explicit(&i->lane[lane].tap[i->index].state, memory_order_acquire);
}

static void devices_close(const struct nj_live_interface *i)
{
	for (uint32_t k = 0; k < i->lanes_n; k++)
		nj_libpcap_close(&i->lane[k].tap[i->index].device);
}

/* Opens one socket a lane and lets them share the interface. */
static int devices_open(const struct nj_live_interface *i, struct nj_message *message)
{
	uint32_t group = NJ_FANOUT_NEW;
	int err = NJ_OK;
	for (uint32_t k = 0; err == NJ_OK && k < i->lanes_n; k++) {
		struct nj_tap *tap = &i->lane[k].tap[i->index];
		err = nj_libpcap_open(&i->device, message, &tap->device);
		if (err < 0)
			break;
		nj_packet_socket_stamp(nj_libpcap_fd(tap->device));
		if (i->lanes_n > 1)
			err = nj_fanout_join(nj_libpcap_fd(tap->device), &group, message);
	}
	for (uint32_t k = 0; err == NJ_OK && k < i->lanes_n; k++)
		err = nj_libpcap_let_pass(i->lane[k].tap[i->index].device, i->filter, message);
	if (err < 0)
		devices_close(i);
	return err;
}

static void hand_over(struct nj_live_interface *i, const struct nj_nic_state *state)
{
	i->link_type = nj_libpcap_link_type(i->lane[0].tap[i->index].device);
	for (uint32_t k = 0; k < i->lanes_n; k++)
		atomic_store_explicit(&i->lane[k].tap[i->index].state, NJ_TAP_OPEN, memory_order_release);
	i->phase = NJ_INTERFACE_OPEN;
	i->nic_index = state->index;
	i->link = state->running;
	i->retry_ns = NJ_LIVE_RETRY_MIN_NS;
}

static void gap_begin(struct nj_live_interface *i, uint64_t steady_ns)
{
	if (i->gap)
		return;
	i->gap = true;
	i->gaps++;
	i->gap_start_ns = steady_ns;
}

static uint64_t gap_end(struct nj_live_interface *i, uint64_t steady_ns)
{
	if (!i->gap)
		return 0;
	i->gap = false;
	i->gap_total_ns += steady_ns - i->gap_start_ns;
	return steady_ns - i->gap_start_ns;
}

static void go_away(struct nj_live_interface *i, uint64_t steady_ns)
{
	i->phase = NJ_INTERFACE_AWAY;
	i->retry_at_ns = steady_ns;
	i->retry_ns = NJ_LIVE_RETRY_MIN_NS;
}

int nj_live_interface_open(struct nj_live_interface *i, const struct nj_nic_state *state, uint64_t steady_ns,
			   enum nj_interface_news *ret_news, struct nj_message *message)
{
	*ret_news = NJ_INTERFACE_NO_NEWS;
	if (state->index == 0)
		return nj_fail(message, NJ_ERR_NOT_FOUND, "%s: no such interface", i->device.interface);
	if (!state->up) {
		gap_begin(i, steady_ns);
		go_away(i, steady_ns);
		*ret_news = NJ_INTERFACE_IS_DOWN;
		return NJ_OK;
	}
	int err = devices_open(i, message);
	if (err < 0)
		return err;
	hand_over(i, state);
	return NJ_OK;
}

/* A lane has lost its socket, or the kernel says that it will. */
static bool is_lost(const struct nj_live_interface *i, const struct nj_nic_state *state)
{
	bool lost = !state->up || state->index != i->nic_index;
	for (uint32_t k = 0; k < i->lanes_n; k++)
		lost = lost || tap_state(i, k) == NJ_TAP_NONE;
	return lost;
}

static void close_begin(struct nj_live_interface *i, uint64_t steady_ns)
{
	for (uint32_t k = 0; k < i->lanes_n; k++) {
		enum nj_tap_state open = NJ_TAP_OPEN; /* else the lane has closed it meanwhile */
		atomic_compare_exchange_strong(&i->lane[k].tap[i->index].state, &open, NJ_TAP_CLOSING);
	}
	i->phase = NJ_INTERFACE_CLOSING;
	gap_begin(i, steady_ns);
}

static enum nj_interface_news watch_open(struct nj_live_interface *i, const struct nj_nic_state *state,
					 uint64_t steady_ns, uint64_t *ret_gap_ns)
{
	if (is_lost(i, state)) {
		close_begin(i, steady_ns);
		return NJ_INTERFACE_IS_DOWN;
	}
	if (state->running == i->link)
		return NJ_INTERFACE_NO_NEWS;
	i->link = state->running;
	if (i->link)
		*ret_gap_ns = gap_end(i, steady_ns);
	else
		gap_begin(i, steady_ns);
	return i->link ? NJ_INTERFACE_LINK_BACK : NJ_INTERFACE_LINK_LOST;
}

static void watch_closing(struct nj_live_interface *i, uint64_t steady_ns)
{
	for (uint32_t k = 0; k < i->lanes_n; k++)
		if (tap_state(i, k) != NJ_TAP_NONE)
			return;
	go_away(i, steady_ns);
}

static enum nj_interface_news watch_away(struct nj_live_interface *i, const struct nj_nic_state *state,
					 uint64_t steady_ns, uint64_t *ret_gap_ns, struct nj_message *message)
{
	if (!state->up || steady_ns < i->retry_at_ns)
		return NJ_INTERFACE_NO_NEWS;
	bool first = i->retry_ns == NJ_LIVE_RETRY_MIN_NS;
	if (devices_open(i, message) < 0) {
		i->retry_at_ns = steady_ns + i->retry_ns;
		i->retry_ns = i->retry_ns * 2 < NJ_LIVE_RETRY_MAX_NS ? i->retry_ns * 2 : NJ_LIVE_RETRY_MAX_NS;
		return first ? NJ_INTERFACE_CANNOT_OPEN : NJ_INTERFACE_NO_NEWS;
	}
	hand_over(i, state);
	if (!i->link)
		return NJ_INTERFACE_LINK_LOST; /* the gap goes on */
	*ret_gap_ns = gap_end(i, steady_ns);
	return NJ_INTERFACE_IS_BACK;
}

enum nj_interface_news nj_live_interface_watch(struct nj_live_interface *i, const struct nj_nic_state *state,
					       uint64_t steady_ns, uint64_t *ret_gap_ns, struct nj_message *message)
{
	*ret_gap_ns = 0;
	switch (i->phase) {
	case NJ_INTERFACE_OPEN:
		return watch_open(i, state, steady_ns, ret_gap_ns);
	case NJ_INTERFACE_CLOSING:
		watch_closing(i, steady_ns);
		return NJ_INTERFACE_NO_NEWS;
	case NJ_INTERFACE_AWAY:
		return watch_away(i, state, steady_ns, ret_gap_ns, message);
	}
	return NJ_INTERFACE_NO_NEWS;
}
