/* Names are those of the feature table and of the structs in common/window.h: one vocabulary from the sensor to the
 * reader. */
#include "common/window_json.h"

#include "common/feature.h"

static void put_addr(struct nj_json_out *out, const char *key, const struct nj_addr *addr)
{
	char text[NJ_ADDR_TEXT_MAX];
	nj_json_out_text(out, key, nj_addr_text(addr, text));
}

/* Most texts are empty most of the time. */
static void put_some_text(struct nj_json_out *out, const char *key, const char *text)
{
	if (*text != '\0')
		nj_json_out_text(out, key, text);
}

static void put_count(struct nj_json_out *out, const char *key, uint64_t value)
{
	if (value != 0)
		nj_json_out_u64(out, key, value);
}

static void put_scalars(struct nj_json_out *out, const struct nj_window *w)
{
	nj_json_out_object(out, "features");
	for (size_t i = 0; i < NJ_SCALARS_N; i++)
		put_count(out, nj_scalar_rows[i].name, *nj_scalar((struct nj_features *)&w->features, i));
	nj_json_out_end(out);
}

static uint64_t element(const void *vector, size_t index, enum nj_vector_kind kind)
{
	return kind == NJ_VECTOR_DISTINCT ? ((const uint8_t *)vector)[index] : ((const uint32_t *)vector)[index];
}

static void put_vector(struct nj_json_out *out, const struct nj_vector_row *row, const void *vector)
{
	nj_json_out_array(out, row->name);
	for (size_t i = 0; i < row->length; i++) {
		if (element(vector, i, row->kind) == 0)
			continue;
		nj_json_out_array(out, NULL);
		nj_json_out_u64(out, NULL, i);
		nj_json_out_u64(out, NULL, element(vector, i, row->kind));
		nj_json_out_end(out);
	}
	nj_json_out_end(out);
}

static bool is_zero(const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

static void put_vectors(struct nj_json_out *out, const struct nj_window *w)
{
	nj_json_out_object(out, "vectors");
	for (size_t i = 0; i < NJ_VECTORS_N; i++) {
		const void *vector = nj_vector(w, i);
		if (vector != NULL && !is_zero(vector, nj_vector_bytes(i)))
			put_vector(out, &nj_vector_rows[i], vector);
	}
	nj_json_out_end(out);
}

static void put_bursts(struct nj_json_out *out, const struct nj_contact *c)
{
	put_count(out, "bursts", c->bursts);
	if (c->bursts_n == 0)
		return;
	nj_json_out_array(out, "burst_ms");
	for (uint8_t i = 0; i < c->bursts_n; i++)
		nj_json_out_u64(out, NULL, c->burst_ms[i]);
	nj_json_out_end(out);
}

/* The slots whose bit is set. */
static void put_slots(struct nj_json_out *out, const char *key, uint64_t slots)
{
	if (slots == 0)
		return;
	nj_json_out_array(out, key);
	for (; slots != 0; slots &= slots - 1)
		nj_json_out_u64(out, NULL, (uint64_t)__builtin_ctzll(slots));
	nj_json_out_end(out);
}

static void put_contact(struct nj_json_out *out, const struct nj_contact *c)
{
	nj_json_out_object(out, NULL);
	put_addr(out, "peer", &c->peer);
	nj_json_out_u64(out, "port", c->port);
	nj_json_out_u64(out, "protocol", c->protocol);
	nj_json_out_text(out, "role", c->role == NJ_ROLE_CLIENT ? "client" : "server");
	nj_json_out_text(out, "app", c->app);
	put_some_text(out, "name", c->name);
	nj_json_out_bool(out, "external", c->external);
	nj_json_out_u64(out, "flow_port", c->flow_port);
	put_count(out, "flow_bytes", c->flow_bytes);
	put_count(out, "opened", c->opened);
	put_count(out, "answered", c->answered);
	put_count(out, "refused", c->refused);
	put_count(out, "unanswered", c->unanswered);
	put_count(out, "reset", c->reset);
	put_count(out, "requests", c->requests);
	nj_json_out_u64(out, "packets_out", c->packets_out);
	nj_json_out_u64(out, "packets_in", c->packets_in);
	nj_json_out_u64(out, "bytes_out", c->bytes_out);
	nj_json_out_u64(out, "bytes_in", c->bytes_in);
	nj_json_out_u64(out, "first_ns", c->first_ns);
	nj_json_out_u64(out, "last_ns", c->last_ns);
	put_bursts(out, c);
	put_slots(out, "began", c->began);
	put_slots(out, "ended", c->ended);
	nj_json_out_end(out);
}

static void put_domain(struct nj_json_out *out, const struct nj_domain *d)
{
	nj_json_out_object(out, NULL);
	nj_json_out_text(out, "name", d->name);
	nj_json_out_u64(out, "queries", d->queries);
	put_count(out, "nxdomain", d->nxdomain);
	put_count(out, "free_text", d->free_text);
	nj_json_out_u64(out, "name_bytes", d->name_bytes);
	nj_json_out_u64(out, "answer_bytes", d->answer_bytes);
	nj_json_out_array(out, "sample");
	for (uint8_t i = 0; i < d->sample_n; i++)
		nj_json_out_u64(out, NULL, d->sample[i]);
	nj_json_out_end(out);
	nj_json_out_end(out);
}

static const char *client_kind(uint8_t kind)
{
	static const char *const kinds[] = {"", "ja4", "hassh", "http"};
	return kind <= NJ_CLIENT_HTTP ? kinds[kind] : "";
}

static void put_client(struct nj_json_out *out, const struct nj_client *c)
{
	nj_json_out_object(out, NULL);
	nj_json_out_text(out, "kind", client_kind(c->kind));
	nj_json_out_text(out, "text", c->text);
	nj_json_out_u64(out, "flows", c->flows);
	nj_json_out_u64(out, "bytes_out", c->bytes_out);
	nj_json_out_u64(out, "first_ns", c->first_ns);
	put_addr(out, "peer", &c->peer);
	nj_json_out_u64(out, "port", c->port);
	nj_json_out_end(out);
}

static void put_flags(struct nj_json_out *out, uint16_t flags)
{
	static const char *const names[] = {"encrypted",    "external",     "known_name", "known_port", "known_path",
					    "known_header", "event_stream", "json_lines", "json_rpc",   "api_shape",
					    "failed",       "midstream",    "tunnelled"};
	nj_json_out_array(out, "flags");
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if (flags >> i & 1)
			nj_json_out_text(out, NULL, names[i]);
	nj_json_out_end(out);
}

static void put_exchange(struct nj_json_out *out, const struct nj_exchange *e)
{
	static const char *const forms[] = {"unknown", "streamed", "single"};
	nj_json_out_object(out, NULL);
	nj_json_out_u64(out, "start_ns", e->start_ns);
	nj_json_out_u64(out, "end_ns", e->end_ns);
	put_addr(out, "peer", &e->peer);
	nj_json_out_u64(out, "port", e->port);
	nj_json_out_u64(out, "flow_port", e->flow_port);
	nj_json_out_u64(out, "protocol", e->protocol);
	put_some_text(out, "name", e->name);
	put_some_text(out, "client_kind", client_kind(e->client_kind));
	put_some_text(out, "client", e->client);
	nj_json_out_text(out, "form", e->form <= NJ_FORM_SINGLE ? forms[e->form] : forms[0]);
	nj_json_out_u64(out, "score", e->score);
	nj_json_out_text(out, "api", nj_ai_api_text(e->api));
	put_flags(out, e->flags);
	nj_json_out_u64(out, "bytes_up", e->bytes_up);
	nj_json_out_u64(out, "bytes_down", e->bytes_down);
	nj_json_out_u64(out, "burst_ms", e->burst_ms);
	nj_json_out_u64(out, "wait_ms", e->wait_ms);
	nj_json_out_u64(out, "answer_ms", e->answer_ms);
	nj_json_out_u64(out, "records_up", e->records_up);
	nj_json_out_u64(out, "records_down", e->records_down);
	put_count(out, "record_p50_bytes", e->record_p50_bytes);
	put_count(out, "gap_p50_us", e->gap_p50_us);
	nj_json_out_end(out);
}

static void put_tool(struct nj_json_out *out, const struct nj_tool *t)
{
	static const char *const kinds[] = {"", "mcp", "a2a", "json-rpc"};
	nj_json_out_object(out, NULL);
	put_addr(out, "peer", &t->peer);
	nj_json_out_u64(out, "port", t->port);
	nj_json_out_text(out, "kind", t->kind <= NJ_TOOL_JSON_RPC ? kinds[t->kind] : "");
	nj_json_out_bool(out, "external", t->external);
	nj_json_out_text(out, "method", t->method);
	put_some_text(out, "name", t->name);
	nj_json_out_u64(out, "calls", t->calls);
	nj_json_out_u64(out, "first_ns", t->first_ns);
	nj_json_out_end(out);
}

static void put_ai(struct nj_json_out *out, const struct nj_window *w)
{
	nj_json_out_array(out, "exchanges");
	for (uint32_t i = 0; i < w->exchanges_n; i++)
		put_exchange(out, &w->exchanges[i]);
	nj_json_out_end(out);
	nj_json_out_array(out, "tools");
	for (uint32_t i = 0; i < w->tools_n; i++)
		put_tool(out, &w->tools[i]);
	nj_json_out_end(out);
}

static void put_lists(struct nj_json_out *out, const struct nj_window *w)
{
	nj_json_out_array(out, "contacts");
	for (uint32_t i = 0; i < w->contacts_n; i++)
		put_contact(out, &w->contacts[i]);
	nj_json_out_end(out);
	nj_json_out_array(out, "domains");
	for (uint32_t i = 0; i < w->domains_n; i++)
		put_domain(out, &w->domains[i]);
	nj_json_out_end(out);
	nj_json_out_array(out, "clients");
	for (uint32_t i = 0; i < w->clients_n; i++)
		put_client(out, &w->clients[i]);
	nj_json_out_end(out);
}

void nj_window_json(struct nj_json_out *out, const char *key, const struct nj_window *window)
{
	char segment[NJ_SEGMENT_TEXT_MAX];
	nj_json_out_object(out, key);
	put_addr(out, "address", &window->agent.addr);
	nj_json_out_text(out, "segment", nj_segment_text(window->agent.segment, segment));
	nj_json_out_u64(out, "start_ns", window->start_ns);
	nj_json_out_u64(out, "width_ms", window->width_ms);
	put_scalars(out, window);
	put_vectors(out, window);
	put_lists(out, window);
	put_ai(out, window);
	nj_json_out_end(out);
}
