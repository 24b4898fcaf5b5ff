/* Events go to the window of the flow's client, wherever the packet came from: a failed login is told by the server and
 * belongs to who tried. Names are compared and weighed in lower case, since resolvers mix case at random (0x20) and
 * each mixture would look like a new name. */
#include "sensor/note.h"

#include "common/ai_endpoints.h"
#include "common/psl.h"
#include "models/dnsinfo.h"
#include "sensor/ja4.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define PLACES         4096 /* a power of two */
#define MDNS_PORT      5353
#define NAME_BYTES_MAX 255

/* The Public Suffix List is slow, names repeat: name by hash to the offset of its registered domain. A slot holds the
 * last name that fell into it. */
struct nj_domain_place {
	uint64_t name; /* hash; 0: empty */
	uint32_t offset;
};

uint64_t nj_note_memory_bytes(void)
{
	return PLACES * sizeof(struct nj_domain_place);
}

int nj_note_init(struct nj_note *note, struct nj_ledger *ledger, struct nj_texts *texts, const struct nj_hash_key *key)
{
	*note = (struct nj_note){.ledger = ledger, .texts = texts, .key = key};
	note->places = calloc(PLACES, sizeof *note->places);
	if (note->places == NULL)
		return NJ_ERR_MEMORY;
	for (unsigned n = 2; n < 256; n++)
		note->count_log[n] = (uint32_t)llround(n * log2(n) * 65536);
	int err = nj_psl_open(&note->psl);
	return err == NJ_ERR_MEMORY ? err : NJ_OK;
}

void nj_note_fini(struct nj_note *note)
{
	nj_psl_close(&note->psl);
	free(note->places);
	note->places = NULL;
}

static unsigned client_of(const struct nj_flow_hot *hot)
{
	return (hot->state & NJ_FLOW_CLIENT_1) != 0;
}

static uint32_t client_agent(struct nj_note *note, const struct nj_flow_hot *hot, const struct nj_flow *flow)
{
	const struct nj_addr *addr = &flow->key.addr[client_of(hot)];
	if (nj_addr_is_multicast(addr) || nj_addr_is_unspecified(addr))
		return NJ_LEDGER_NONE;
	return nj_ledger_agent(note->ledger, addr, flow->key.segment, flow->addr_hash[client_of(hot)]);
}

/* A text once and for all: what was taken first stays. */
static void text_set(struct nj_note *note, uint32_t *id, const char *text)
{
	if (*id == NJ_TEXT_NONE)
		*id = nj_texts_take(note->texts, text);
}

/* Printable ASCII in lower case, cut; host names mean the same in any case. */
static void host_clean(char *into, size_t size, const char *from)
{
	size_t n = 0;
	for (; n + 1 < size && from[n] != '\0'; n++)
		into[n] = from[n] > 0x20 && from[n] < 0x7f ? (char)tolower((unsigned char)from[n]) : '?';
	into[n] = '\0';
}

/* The name of the flow's server, as a client gave it. */
static void server_name_set(struct nj_note *note, struct nj_flow *flow, const char *name)
{
	if (flow->server_name != NJ_TEXT_NONE)
		return;
	text_set(note, &flow->server_name, name);
	if (note->endpoints != NULL && nj_ai_endpoints_name(note->endpoints, name) != NULL)
		flow->facts |= NJ_FACT_AI_NAME;
}

/* ------------------------------------------------------------------ DNS */

static const char *last_two_labels(const char *name)
{
	const char *last = NULL, *second = NULL;
	for (const char *at = name; (at = strchr(at, '.')) != NULL; at++) {
		second = last;
		last = at;
	}
	return second != NULL ? second + 1 : name;
}

static const char *registered_of(struct nj_note *note, const char *name, uint64_t hash)
{
	struct nj_domain_place *place = &note->places[hash % PLACES];
	if (place->name != hash || hash == 0) {
		const char *registered = note->psl != NULL ? nj_psl_registered(note->psl, name) : last_two_labels(name);
		place->name = hash;
		place->offset = (uint32_t)(registered - name);
	}
	return name + place->offset;
}

/* Shannon entropy per byte in 1/1000 bit: log2 n - (sum c log2 c) / n. */
static uint32_t entropy_mbit(const struct nj_note *note, const char *text, size_t size)
{
	uint8_t count[256] = {0};
	uint64_t sum = 0;
	for (size_t i = 0; i < size; i++)
		count[(uint8_t)text[i]]++;
	for (unsigned i = 0; i < 256; i++)
		sum += note->count_log[count[i]];
	return (uint32_t)((note->count_log[size] - sum) * 1000 / (65536 * size));
}

struct name {
	char text[NJ_DNS_NAME_TEXT_MAX]; /* lower case */
	const char *registered;          /* in text */
	size_t sub_bytes;                /* left of it, without the dot */
	uint64_t hash;
};

static void name_read(struct nj_note *note, const struct nj_dns_question *question, struct name *ret)
{
	size_t size = question->text_bytes;
	for (size_t i = 0; i <= size; i++)
		ret->text[i] = (char)tolower((unsigned char)question->name[i]);
	ret->hash = nj_hash64(ret->text, size, note->key);
	ret->registered = registered_of(note, ret->text, ret->hash);
	size_t before = (size_t)(ret->registered - ret->text);
	ret->sub_bytes = before > 0 ? before - 1 : 0;
	if (ret->sub_bytes > NAME_BYTES_MAX)
		ret->sub_bytes = NAME_BYTES_MAX;
}

static void question_sample(struct nj_domain *domain, const struct name *name)
{
	struct nj_dns_sample sample;
	static_assert(sizeof sample.value == sizeof domain->sample,
		      "one form of the sample in the window and in the model");
	memcpy(sample.value, domain->sample, sizeof sample.value);
	nj_dns_sample_add(&sample, nj_dns_value(name->hash, nj_dns_weight(name->text, name->sub_bytes)));
	memcpy(domain->sample, sample.value, sizeof sample.value);
	domain->sample_n = (uint8_t)nj_dns_sample_count(&sample);
}

static void question_note(struct nj_note *note, uint32_t agent, const struct nj_dns_question *question)
{
	struct name name;
	struct nj_features *f = nj_ledger_features(note->ledger, agent);
	bool free_text = nj_dns_type_is_free_text(question->type);
	f->dns_queries++;
	f->dns_free_text += free_text;
	f->dns_name_bytes += question->name_bytes;
	nj_ledger_histogram(note->ledger, agent, NJ_LEDGER_dns_name_length, question->name_bytes);
	name_read(note, question, &name);
	if (name.sub_bytes > 0)
		nj_ledger_histogram(note->ledger, agent, NJ_LEDGER_dns_name_entropy,
				    entropy_mbit(note, name.text, name.sub_bytes));
	struct nj_domain *domain = nj_ledger_domain(note->ledger, agent, name.registered);
	if (domain == NULL)
		return;
	domain->queries++;
	domain->free_text += free_text;
	domain->name_bytes += question->name_bytes;
	if (name.sub_bytes > 0)
		question_sample(domain, &name);
}

static void answer_note(struct nj_note *note, uint32_t agent, const struct nj_dns *dns)
{
	struct nj_features *f = nj_ledger_features(note->ledger, agent);
	bool missing = dns->rcode == NJ_DNS_NXDOMAIN;
	f->dns_responses++;
	f->dns_nxdomain += missing;
	f->dns_answer_bytes += dns->answer_bytes;
	if (dns->questions_kept == 0)
		return;
	struct name name;
	name_read(note, &dns->questions[0], &name);
	struct nj_domain *domain = nj_ledger_domain(note->ledger, agent, name.registered);
	if (domain == NULL)
		return;
	domain->nxdomain += missing;
	domain->answer_bytes += dns->answer_bytes;
}

void nj_note_dns(struct nj_note *note, const struct nj_flow_hot *hot, struct nj_flow *flow, bool from_client,
		 const struct nj_dns *dns)
{
	if (dns->questions_kept > 0 && flow->dns_name == NJ_TEXT_NONE) {
		flow->dns_type = dns->questions[0].type;
		if (note->texts->keep_questions)
			text_set(note, &flow->dns_name, dns->questions[0].name);
	}
	/* Multicast DNS is talk among neighbours, not questions to a server. */
	if (flow->key.port[0] == MDNS_PORT || flow->key.port[1] == MDNS_PORT)
		return;
	uint32_t agent = client_agent(note, hot, flow);
	if (agent == NJ_LEDGER_NONE)
		return;
	if (dns->response && !from_client)
		answer_note(note, agent, dns);
	else if (!dns->response && from_client)
		for (unsigned i = 0; i < dns->questions_kept; i++)
			question_note(note, agent, &dns->questions[i]);
}

void nj_note_dns_malformed(struct nj_note *note, const struct nj_flow_hot *hot, const struct nj_flow *flow)
{
	nj_ledger_features(note->ledger, client_agent(note, hot, flow))->dns_malformed++;
}

/* ------------------------------------------------------------------ Kerberos */

static bool offers_only_rc4(const struct nj_kerberos *kerberos)
{
	for (unsigned i = 0; i < kerberos->etypes_n; i++)
		if (kerberos->etypes[i] != NJ_ETYPE_RC4)
			return false;
	return kerberos->etypes_n > 0;
}

static void principal_note(struct nj_note *note, uint32_t agent, enum nj_ledger_vector vector, const char *name,
			   const char *realm)
{
	char text[2 * NJ_KERBEROS_NAME_MAX];
	if (name[0] == '\0')
		return;
	int size = snprintf(text, sizeof text, "%s@%s", name, realm);
	assert(size > 0);
	for (int i = 0; i < size; i++)
		text[i] = (char)tolower((unsigned char)text[i]);
	nj_ledger_distinct(note->ledger, agent, vector, text, (size_t)size);
}

void nj_note_kerberos(struct nj_note *note, const struct nj_flow_hot *hot, const struct nj_flow *flow,
		      const struct nj_kerberos *kerberos)
{
	uint32_t agent = client_agent(note, hot, flow);
	struct nj_features *f = nj_ledger_features(note->ledger, agent);
	switch (kerberos->type) {
	case NJ_KERBEROS_AS_REQ:
		principal_note(note, agent, NJ_LEDGER_principals, kerberos->client, kerberos->realm);
		break;
	case NJ_KERBEROS_TGS_REQ:
		f->tickets_requested++;
		f->tickets_rc4 += offers_only_rc4(kerberos);
		principal_note(note, agent, NJ_LEDGER_services_asked, kerberos->service, kerberos->realm);
		break;
	case NJ_KERBEROS_AS_REP:
		f->auth_succeeded++;
		break;
	case NJ_KERBEROS_ERROR:
		f->auth_failed += kerberos->error == NJ_KERBEROS_PREAUTH_FAILED ||
				  kerberos->error == NJ_KERBEROS_UNKNOWN_CLIENT ||
				  kerberos->error == NJ_KERBEROS_REVOKED;
		break;
	default:
		break;
	}
}

/* ------------------------------------------------------------------ TLS, SSH, HTTP */

static void client_set(struct nj_note *note, struct nj_flow *flow, enum nj_client_kind kind, uint32_t *id,
		       const char *text)
{
	if (flow->client_kind != 0)
		return;
	text_set(note, id, text);
	if (*id == NJ_TEXT_NONE)
		return;
	flow->client_kind = (uint8_t)kind;
	flow->news |= NJ_NEWS_CLIENT;
}

void nj_note_client_hello(struct nj_note *note, const struct nj_flow_hot *hot, struct nj_flow *flow,
			  const struct nj_client_hello *hello)
{
	char name[NJ_TLS_NAME_MAX], ja4[NJ_JA4_TEXT_MAX];
	if (flow->facts & NJ_FACT_TLS)
		return;
	flow->facts |= NJ_FACT_TLS;
	bool quic = flow->key.protocol == NJ_PROTOCOL_UDP;
	struct nj_features *f = nj_ledger_features(note->ledger, client_agent(note, hot, flow));
	f->tls_flows += !quic;
	f->quic_flows += quic;
	host_clean(name, sizeof name, hello->sni);
	server_name_set(note, flow, name);
	host_clean(name, sizeof name, (const char *)hello->alpn);
	text_set(note, &flow->alpn, name);
	if (nj_ja4(hello, quic ? 'q' : 't', ja4))
		client_set(note, flow, NJ_CLIENT_JA4, &flow->fingerprint, ja4);
}

void nj_note_quic_unread(struct nj_note *note, const struct nj_flow_hot *hot, const struct nj_flow *flow)
{
	nj_ledger_features(note->ledger, client_agent(note, hot, flow))->quic_unread++;
}

void nj_note_server_hello(struct nj_note *note, struct nj_flow *flow, const struct nj_server_hello *hello)
{
	(void)note;
	flow->tls_version = hello->version;
	flow->tls_cipher = hello->cipher;
}

void nj_note_ssh(struct nj_note *note, const struct nj_flow_hot *hot, struct nj_flow *flow, bool from_client,
		 const struct nj_ssh *ssh)
{
	if (!from_client) {
		text_set(note, &flow->hassh_server, ssh->hassh);
		return;
	}
	if (!(flow->facts & NJ_FACT_SSH) && ssh->version != 0) {
		flow->facts |= NJ_FACT_SSH;
		nj_ledger_features(note->ledger, client_agent(note, hot, flow))->ssh_flows++;
	}
	text_set(note, &flow->client_text, ssh->software);
	if (ssh->hassh[0] != '\0')
		client_set(note, flow, NJ_CLIENT_HASSH, &flow->fingerprint, ssh->hassh);
}

void nj_note_http_request(struct nj_note *note, struct nj_flow *flow, const struct nj_http_request *request)
{
	char host[NJ_HTTP_HOST_MAX];
	host_clean(host, sizeof host, request->host);
	char *port = strrchr(host, ':');
	if (port != NULL && strchr(host, ':') == port) /* one colon: a port, not an IPv6 address */
		*port = '\0';
	server_name_set(note, flow, host);
	bool tunnel = strcmp(request->method, "CONNECT") == 0; /* the program is told by the hello inside */
	if (request->user_agent[0] != '\0' && !tunnel)
		client_set(note, flow, NJ_CLIENT_HTTP, &flow->client_text, request->user_agent);
}

void nj_note_http_status(struct nj_note *note, const struct nj_flow_hot *hot, const struct nj_flow *flow,
			 uint16_t status)
{
	if (status < 400 || status > 599)
		return;
	struct nj_features *f = nj_ledger_features(note->ledger, client_agent(note, hot, flow));
	f->http_errors++;
	f->auth_failed += status == 401;
}

void nj_note_request(struct nj_flow *flow)
{
	flow->requests_window++;
}

void nj_note_exchange(struct nj_note *note, const struct nj_flow_hot *hot, const struct nj_flow *flow,
		      uint64_t request_bytes, uint64_t response_bytes)
{
	uint32_t agent = client_agent(note, hot, flow);
	unsigned server = !client_of(hot);
	nj_ledger_histogram(note->ledger, agent, NJ_LEDGER_request_size, request_bytes);
	if (response_bytes > 0)
		nj_ledger_answer(note->ledger, agent, &flow->key.addr[server], flow->key.port[server], response_bytes);
}

/* Printable, padded with NUL; a longer text keeps its end or its beginning. */
static void text_cut(char *into, size_t size, const char *text, bool keep_end)
{
	size_t length = strlen(text);
	if (length >= size && keep_end)
		text += length - (size - 1);
	strncpy(into, text, size - 1);
}

/* What the flow says of every exchange in it. */
static void exchange_of_flow(const struct nj_note *note, const struct nj_flow_hot *hot, const struct nj_flow *flow,
			     struct nj_exchange *e)
{
	unsigned client = client_of(hot);
	uint32_t text = flow->client_kind == NJ_CLIENT_HTTP ? flow->client_text : flow->fingerprint;
	e->peer = flow->key.addr[!client];
	e->port = flow->key.port[!client];
	e->flow_port = flow->key.port[client];
	e->protocol = (uint8_t)flow->key.protocol;
	e->client_kind = flow->client_kind;
	if (flow->external >> !client & 1)
		e->flags |= NJ_EXCHANGE_EXTERNAL;
	if (flow->facts & NJ_FACT_AI_NAME)
		e->flags |= NJ_EXCHANGE_KNOWN_NAME;
	if (note->endpoints != NULL && nj_ai_endpoints_port(note->endpoints, e->port) != NULL)
		e->flags |= NJ_EXCHANGE_KNOWN_PORT;
	if (flow->client_kind != 0)
		text_cut(e->client, sizeof e->client, nj_texts_get(note->texts, text), false);
	text_cut(e->name, sizeof e->name, nj_texts_get(note->texts, flow->server_name), true);
}

static uint64_t news_of(uint64_t now, uint64_t *told)
{
	uint64_t news = now > *told ? now - *told : 0;
	*told += news;
	return news;
}

/* Sums grow by what is new since the last telling. */
static void exchange_count(struct nj_features *f, struct nj_dialogue *d, const struct nj_exchange *e)
{
	uint8_t is = NJ_TOLD_ANSWERED;
	is |= e->score >= NJ_SCORE_STREAMED ? NJ_TOLD_STREAMED : 0;
	is |= (e->flags & NJ_EXCHANGE_MODEL_MARKS) != 0 ? NJ_TOLD_MARKED : 0;
	uint8_t fresh = is & (uint8_t)~d->told;
	d->told |= is;
	f->exchanges += (fresh & NJ_TOLD_ANSWERED) != 0;
	f->exchanges_streamed += (fresh & NJ_TOLD_STREAMED) != 0;
	f->exchanges_marked += (fresh & NJ_TOLD_MARKED) != 0;
	f->exchange_bytes_up += news_of(d->bytes_up, &d->told_up);
	f->exchange_bytes_down += news_of(d->bytes_down, &d->told_down);
}

void nj_note_dialogue(struct nj_note *note, const struct nj_flow_hot *hot, const struct nj_flow *flow,
		      struct nj_dialogue *dialogue)
{
	struct nj_exchange exchange;
	uint32_t agent = client_agent(note, hot, flow);
	nj_dialogue_tell(dialogue, &exchange);
	exchange_of_flow(note, hot, flow, &exchange);
	exchange_count(nj_ledger_features(note->ledger, agent), dialogue, &exchange);
	if (exchange.bytes_up <= NJ_DIALOGUE_BULK_BYTES && exchange.bytes_down <= NJ_DIALOGUE_BULK_BYTES)
		nj_ledger_exchange(note->ledger, agent, &exchange);
}

void nj_note_tool(struct nj_note *note, const struct nj_flow_hot *hot, const struct nj_flow *flow,
		  const struct nj_note_call *call)
{
	unsigned server = !client_of(hot);
	uint32_t agent = client_agent(note, hot, flow);
	struct nj_tool tool = {.peer = flow->key.addr[server],
			       .port = flow->key.port[server],
			       .kind = (uint8_t)call->kind,
			       .external = flow->external >> server & 1,
			       .calls = 1,
			       .first_ns = call->t_ns};
	text_cut(tool.method, sizeof tool.method, call->method, false);
	text_cut(tool.name, sizeof tool.name, call->name, false);
	nj_ledger_features(note->ledger, agent)->tool_calls++;
	nj_ledger_tool(note->ledger, agent, &tool);
	if (tool.name[0] == '\0')
		return;
	uint8_t named[sizeof tool.peer + sizeof tool.port + sizeof tool.name];
	memcpy(named, &tool.peer, sizeof tool.peer);
	memcpy(named + sizeof tool.peer, &tool.port, sizeof tool.port);
	memcpy(named + sizeof tool.peer + sizeof tool.port, tool.name, sizeof tool.name);
	nj_ledger_distinct(note->ledger, agent, NJ_LEDGER_tool_names, named, sizeof named);
}

uint64_t nj_note_bytes(const struct nj_flow_hot *hot, const struct nj_flow *flow, unsigned side)
{
	return flow->bytes[side] + nj_flow_window_bytes(hot, flow, side);
}

void nj_note_ssh_login(struct nj_note *note, const struct nj_flow_hot *hot, struct nj_flow *flow, bool over)
{
	if (!(flow->facts & NJ_FACT_SSH_KEYS) || (flow->facts & NJ_FACT_SSH_JUDGED))
		return;
	bool through = nj_note_bytes(hot, flow, !client_of(hot)) > NJ_SSH_LOGIN_BYTES;
	if (!through && !over)
		return;
	flow->facts |= NJ_FACT_SSH_JUDGED;
	struct nj_features *f = nj_ledger_features(note->ledger, client_agent(note, hot, flow));
	f->auth_succeeded += through;
	f->auth_failed += !through;
}
