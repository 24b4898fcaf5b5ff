/* One flow is two views: the client's and the server's, which differ in who is out and who is in. All that a contact
 * can hold goes there; features hold the rest, so that the common flow touches no features at all (see
 * nj_ledger_sweep()). */
#include "sensor/tell.h"

#include "sensor/note.h"

#include <stdio.h>
#include <string.h>

#define DNS_OVER_TLS_PORT 853
/* What a sender may send unheard: a handshake and the initial window of ten segments (RFC 6928), and some sent again.
 */
#define UNHEARD_PACKETS_MAX 20

bool nj_tell_is_agent(const struct nj_addr *addr)
{
	return !nj_addr_is_multicast(addr) && !nj_addr_is_unspecified(addr);
}

bool nj_tell_is_external(const struct nj_tell *tell, const struct nj_addr *addr)
{
	uint64_t half[2];
	memcpy(half, addr->byte, sizeof half);
	for (uint32_t i = 0; i < tell->home_n; i++) {
		const struct nj_tell_network *network = &tell->home[i];
		if ((((half[0] ^ network->addr[0]) & network->mask[0]) |
		     ((half[1] ^ network->addr[1]) & network->mask[1])) == 0)
			return false;
	}
	return nj_tell_is_agent(addr);
}

void nj_tell_set_home(struct nj_tell *tell, const struct nj_networks *home)
{
	tell->home_n = home->n;
	for (uint32_t i = 0; i < home->n; i++) {
		uint8_t mask[16] = {0};
		for (unsigned bit = 0; bit < home->network[i].prefix_bits; bit++)
			mask[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
		memcpy(tell->home[i].mask, mask, sizeof mask);
		memcpy(tell->home[i].addr, home->network[i].addr.byte, sizeof tell->home[i].addr);
	}
}

static const char *app_of(struct nj_tell *tell, uint16_t label)
{
	for (; tell->labels_n <= label; tell->labels_n++) {
		char *app = tell->app[tell->labels_n];
		memset(app, 0, NJ_APP_TEXT_MAX);
		const char *text = nj_classify_label(tell->classify, (uint16_t)tell->labels_n);
		memcpy(app, text, strnlen(text, NJ_APP_TEXT_MAX - 1));
		tell->encrypted_dns[tell->labels_n] = strstr(text, "DoH_DoT") != NULL;
	}
	return tell->app[label];
}

/* One end's view of a flow in this window. */
struct view {
	unsigned self, peer; /* sides */
	uint8_t role;
	uint64_t bytes[2], wire_bytes[2]; /* per side */
	uint64_t first_ns, last_ns;
	uint64_t began, ended; /* slots of the window */
	uint16_t server_port, client_port;
	bool external;
};

static void name_add(struct nj_contact *contact, const char *name)
{
	size_t length = strlen(name);
	if (length == 0)
		return;
	if (length >= NJ_NAME_TEXT_MAX)
		name += length - (NJ_NAME_TEXT_MAX - 1);
	if (contact->name[0] != '\0' && strcmp(contact->name, name) <= 0)
		return;
	memset(contact->name, 0, sizeof contact->name);
	memcpy(contact->name, name, strlen(name));
}

static void contact_count_outcome(struct nj_contact *contact, const struct nj_flow *flow)
{
	if (flow->news & NJ_NEWS_OPENED)
		contact->opened++;
	if (!(flow->news & NJ_NEWS_OUTCOME))
		return;
	switch (flow->outcome) {
	case NJ_OUTCOME_ANSWERED:
		contact->answered++;
		break;
	case NJ_OUTCOME_REFUSED:
		contact->refused++;
		break;
	case NJ_OUTCOME_UNANSWERED:
		contact->unanswered++;
		break;
	case NJ_OUTCOME_RESET:
		contact->reset++;
		break;
	default:
		break;
	}
}

/* As merging windows has it (common/window.c): a flow with a port, then with most bytes, then with the lowest port. */
static bool names_better_flow(const struct nj_contact *contact, uint16_t port, uint64_t bytes)
{
	if ((port != 0) != (contact->flow_port != 0))
		return port != 0;
	if (bytes != contact->flow_bytes)
		return bytes > contact->flow_bytes;
	return port < contact->flow_port;
}

static uint64_t slot_of(const struct nj_tell *tell, uint32_t offset_ms)
{
	return (uint64_t)1 << nj_window_slot(tell->width_ms, offset_ms);
}

/* When the flow's bursts began and ended; its last one ended, as far as this window knows, with its last packet. */
static void slots_fill(const struct nj_tell *tell, const struct nj_flow *flow, bool spoke, struct view *view)
{
	for (unsigned i = 0; i < flow->bursts && i < NJ_FLOW_BURSTS_MAX; i++) {
		view->began |= slot_of(tell, flow->burst_ms[i]);
		if (flow->pause_ms[i] != NJ_FLOW_NO_PAUSE)
			view->ended |= slot_of(tell, flow->pause_ms[i]);
	}
	if (spoke)
		view->ended |= slot_of(tell, (uint32_t)((view->last_ns - tell->start_ns) / 1000000));
}

static void contact_add(struct nj_contact *contact, const struct nj_tell *tell, const struct view *view,
			const struct nj_flow_hot *hot, const struct nj_flow *flow)
{
	uint64_t bytes = view->bytes[0] + view->bytes[1];
	bool first = contact->first_ns == 0;
	if (names_better_flow(contact, view->client_port, bytes)) {
		contact->flow_port = view->client_port;
		contact->flow_bytes = bytes;
	}
	contact->external = view->external;
	contact->packets_out += hot->packets[view->self];
	contact->packets_in += hot->packets[view->peer];
	contact->bytes_out += view->bytes[view->self];
	contact->bytes_in += view->bytes[view->peer];
	contact->requests += flow->requests_window;
	contact->bursts += flow->bursts;
	for (unsigned i = 0; i < flow->bursts && i < NJ_FLOW_BURSTS_MAX; i++)
		nj_ledger_burst(contact, flow->burst_ms[i]);
	contact->began |= view->began;
	contact->ended |= view->ended;
	contact_count_outcome(contact, flow);
	if (first || view->first_ns < contact->first_ns)
		contact->first_ns = view->first_ns;
	if (view->last_ns > contact->last_ns)
		contact->last_ns = view->last_ns;
	if (flow->server_name != NJ_TEXT_NONE)
		name_add(contact, nj_texts_get(tell->texts, flow->server_name));
}

/* What the contact cannot tell when the window is swept (nj_ledger_sweep); mostly nothing. */
static void features_add(struct nj_tell *tell, uint32_t agent, const struct nj_flow *flow)
{
	bool midstream = (flow->news & NJ_NEWS_MIDSTREAM) != 0;
	if (!midstream && flow->retransmitted_window == 0 && flow->risks == 0)
		return;
	struct nj_features *f = nj_ledger_features(tell->ledger, agent);
	f->flows_midstream += midstream;
	f->retransmitted_bytes += flow->retransmitted_window;
	f->ndpi_risks |= flow->risks;
}

/* A flow whose program is known adds to that program's entry of the client. */
static void client_add(struct nj_tell *tell, uint32_t agent, const struct view *view, const struct nj_flow *flow)
{
	uint32_t text = flow->client_kind == NJ_CLIENT_HTTP ? flow->client_text : flow->fingerprint;
	struct nj_client *client =
		nj_ledger_client(tell->ledger, agent, flow->client_kind, nj_texts_get(tell->texts, text));
	if (client == NULL)
		return;
	client->flows += (flow->news & NJ_NEWS_CLIENT) != 0;
	client->bytes_out += view->bytes[view->self];
	const struct nj_addr *peer = &flow->key.addr[view->peer];
	if (client->first_ns != 0 && view->first_ns > client->first_ns)
		return;
	if (client->first_ns == view->first_ns) {
		int order = nj_addr_compare(peer, &client->peer);
		if (order > 0 || (order == 0 && view->server_port >= client->port))
			return;
	}
	client->first_ns = view->first_ns;
	client->peer = *peer;
	client->port = view->server_port;
}

/* Once a flow, when it is known. */
static void encrypted_dns_note(struct nj_tell *tell, uint32_t agent, const struct view *view, struct nj_flow *flow)
{
	if (flow->facts & NJ_FACT_ENCRYPTED_DNS || flow->outcome == NJ_OUTCOME_MIDSTREAM)
		return;
	if (view->server_port != DNS_OVER_TLS_PORT && !tell->encrypted_dns[flow->label])
		return;
	flow->facts |= NJ_FACT_ENCRYPTED_DNS;
	nj_ledger_features(tell->ledger, agent)->dns_encrypted_flows++;
}

static void tell_end(struct nj_tell *tell, const struct view *view, const struct nj_flow_hot *hot, struct nj_flow *flow)
{
	const struct nj_addr *self = &flow->key.addr[view->self];
	if (!nj_tell_is_agent(self) || flow->no_agent == view->self + 1)
		return;
	uint32_t agent = nj_ledger_agent(tell->ledger, self, flow->key.segment, flow->addr_hash[view->self]);
	struct nj_ledger_contact_key key = {.peer = flow->key.addr[view->peer],
					    .peer_hash = flow->addr_hash[view->peer],
					    .port = view->server_port,
					    .protocol = (uint8_t)flow->key.protocol,
					    .role = view->role,
					    .agent = agent};
	struct nj_contact *contact = nj_ledger_contact(tell->ledger, &key, app_of(tell, flow->label));
	if (contact != NULL)
		contact_add(contact, tell, view, hot, flow);
	features_add(tell, agent, flow);
	if (view->role == NJ_ROLE_CLIENT)
		encrypted_dns_note(tell, agent, view, flow);
	if (flow->client_kind != 0 && view->role == NJ_ROLE_CLIENT)
		client_add(tell, agent, view, flow);
}

static void window_clear(struct nj_flow_hot *hot, struct nj_flow *flow, const struct view *view)
{
	for (unsigned side = 0; side < 2; side++) {
		flow->packets[side] += hot->packets[side];
		flow->bytes[side] += view->bytes[side];
		flow->wire_bytes[side] += view->wire_bytes[side];
		hot->packets[side] = 0;
		hot->bytes[side] = 0;
		hot->wire_bytes[side] = 0;
	}
	flow->spilled = 0;
	flow->retransmitted += flow->retransmitted_window;
	flow->requests += flow->requests_window;
	flow->retransmitted_window = 0;
	flow->requests_window = 0;
	flow->bursts = 0;
	flow->news = 0;
}

static uint16_t server_port_of(const struct nj_flow *flow, unsigned server)
{
	bool icmp = flow->key.protocol == NJ_PROTOCOL_ICMP || flow->key.protocol == NJ_PROTOCOL_ICMPV6;
	return icmp ? flow->icmp : flow->key.port[server];
}

void nj_tell_window(struct nj_tell *tell, struct nj_flow_hot *hot, struct nj_flow *flow)
{
	unsigned client = (hot->state & NJ_FLOW_CLIENT_1) != 0;
	bool spoke = (hot->packets[0] | hot->packets[1]) != 0;
	if (!spoke && flow->news == 0)
		return;
	struct view view = {.self = client,
			    .peer = !client,
			    .role = NJ_ROLE_CLIENT,
			    .first_ns = spoke ? flow->window_ns : flow->outcome_ns,
			    .last_ns = spoke ? hot->last_ns : flow->outcome_ns,
			    .server_port = server_port_of(flow, !client),
			    .client_port = flow->key.port[client]};
	slots_fill(tell, flow, spoke, &view);
	for (unsigned side = 0; side < 2; side++) {
		view.bytes[side] = nj_flow_window_bytes(hot, flow, side);
		view.wire_bytes[side] = nj_flow_window_wire_bytes(hot, flow, side);
	}
	view.external = flow->external >> view.peer & 1;
	/* A flood from any number of outside addresses must not push those at home out of the ledger. */
	if ((flow->external >> client & 1) && nj_ledger_is_crowded(tell->ledger)) {
		nj_ledger_lose(tell->ledger, 2);
		window_clear(hot, flow, &view);
		return;
	}
	tell_end(tell, &view, hot, flow);
	view.self = !client;
	view.peer = client;
	view.role = NJ_ROLE_SERVER;
	view.external = flow->external >> view.peer & 1;
	tell_end(tell, &view, hot, flow);
	window_clear(hot, flow, &view);
}

static bool one_sided(const struct nj_flow_hot *hot, const struct nj_flow *flow)
{
	if (!(hot->state & NJ_FLOW_TCP) || (hot->state & 3u * NJ_FLOW_SEEN) == 3u * NJ_FLOW_SEEN)
		return false;
	return flow->outcome == NJ_OUTCOME_ANSWERED || flow->outcome == NJ_OUTCOME_MIDSTREAM;
}

bool nj_tell_one_sided(struct nj_tell *tell, struct nj_flow_hot *hot, const struct nj_flow *flow, bool ended)
{
	if ((hot->state & NJ_FLOW_ONE_SIDED) || !one_sided(hot, flow))
		return false;
	if (!ended && flow->packets[0] + flow->packets[1] + hot->packets[0] + hot->packets[1] <= UNHEARD_PACKETS_MAX)
		return false;
	hot->state |= NJ_FLOW_ONE_SIDED;
	for (unsigned side = 0; side < 2; side++) {
		if (!nj_tell_is_agent(&flow->key.addr[side]) || flow->no_agent == side + 1)
			continue;
		uint32_t agent =
			nj_ledger_agent(tell->ledger, &flow->key.addr[side], flow->key.segment, flow->addr_hash[side]);
		nj_ledger_features(tell->ledger, agent)->flows_one_sided++;
	}
	return true;
}

void nj_tell_end(struct nj_tell *tell, const struct nj_flow_hot *hot, const struct nj_flow *flow)
{
	for (unsigned side = 0; side < 2 && flow->end_reason == NJ_END_CLOSED; side++) {
		if (!nj_tell_is_agent(&flow->key.addr[side]) || flow->no_agent == side + 1)
			continue;
		uint32_t agent =
			nj_ledger_agent(tell->ledger, &flow->key.addr[side], flow->key.segment, flow->addr_hash[side]);
		nj_ledger_histogram(tell->ledger, agent, NJ_LEDGER_flow_duration_ms,
				    (hot->last_ns - flow->first_ns) / 1000000);
	}
}

/* A flow without payload has no label in its contacts; its record has what ports and addresses suggest, as ndpiReader's
 * has. */
static uint16_t record_label(struct nj_tell *tell, const struct nj_flow *flow, const struct nj_flow_record *r)
{
	if (flow->label != NJ_LABEL_UNKNOWN || flow->ndpi_packets > 0)
		return flow->label;
	return nj_classify_guess(tell->classify, r->protocol, &r->client, r->client_port, &r->server, r->server_port);
}

static void record_texts(struct nj_tell *tell, const struct nj_flow *flow, struct nj_flow_record *r)
{
	snprintf(r->app, sizeof r->app, "%s", nj_classify_label(tell->classify, record_label(tell, flow, r)));
	snprintf(r->server_name, sizeof r->server_name, "%s", nj_texts_get(tell->texts, flow->server_name));
	snprintf(r->alpn, sizeof r->alpn, "%s", nj_texts_get(tell->texts, flow->alpn));
	snprintf(r->dns_name, sizeof r->dns_name, "%s", nj_texts_get(tell->texts, flow->dns_name));
	snprintf(r->client_text, sizeof r->client_text, "%s", nj_texts_get(tell->texts, flow->client_text));
	snprintf(r->hassh_server, sizeof r->hassh_server, "%s", nj_texts_get(tell->texts, flow->hassh_server));
	const char *fingerprint = nj_texts_get(tell->texts, flow->fingerprint);
	if (flow->client_kind == NJ_CLIENT_JA4)
		snprintf(r->ja4, sizeof r->ja4, "%s", fingerprint);
	else if (flow->client_kind == NJ_CLIENT_HASSH)
		snprintf(r->hassh, sizeof r->hassh, "%s", fingerprint);
}

void nj_tell_record(struct nj_tell *tell, const struct nj_flow_hot *hot, const struct nj_flow *flow,
		    struct nj_flow_record *r)
{
	unsigned client = (hot->state & NJ_FLOW_CLIENT_1) != 0, server = !client;
	bool icmp = flow->key.protocol == NJ_PROTOCOL_ICMP || flow->key.protocol == NJ_PROTOCOL_ICMPV6;
	memset(r, 0, sizeof *r);
	r->client = flow->key.addr[client];
	r->server = flow->key.addr[server];
	r->segment = flow->key.segment;
	r->client_port = icmp ? flow->icmp >> 8 : flow->key.port[client];
	r->server_port = icmp ? flow->icmp & 0xff : flow->key.port[server];
	r->protocol = (uint8_t)flow->key.protocol;
	r->outcome = flow->outcome;
	r->end_reason = flow->end_reason;
	r->seen_start = flow->seen_start;
	r->first_ns = flow->first_ns;
	r->last_ns = hot->last_ns;
	r->packets_out = flow->packets[client] + hot->packets[client];
	r->packets_in = flow->packets[server] + hot->packets[server];
	r->bytes_out = flow->bytes[client] + nj_flow_window_bytes(hot, flow, client);
	r->bytes_in = flow->bytes[server] + nj_flow_window_bytes(hot, flow, server);
	r->wire_bytes_out = flow->wire_bytes[client] + nj_flow_window_wire_bytes(hot, flow, client);
	r->wire_bytes_in = flow->wire_bytes[server] + nj_flow_window_wire_bytes(hot, flow, server);
	r->retransmitted_bytes = flow->retransmitted + flow->retransmitted_window;
	r->requests = flow->requests + flow->requests_window;
	r->ndpi_risks = flow->risks;
	r->tls_version = flow->tls_version;
	r->tls_cipher = flow->tls_cipher;
	r->dns_type = flow->dns_type;
	record_texts(tell, flow, r);
}
