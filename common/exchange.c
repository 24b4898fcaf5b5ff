/* Rules that commute and associate: an exchange is one event, so that two tellings of it are not added, the better one
 * stays whole - a maximum of a total order; tools are counted. */
#include "common/exchange.h"

#include <string.h>

static const char *const api_texts[NJ_APIS_N] = {
	[NJ_API_NONE] = "",
	[NJ_API_OPENAI_CHAT] = "openai_chat",
	[NJ_API_OPENAI_RESPONSES] = "openai_responses",
	[NJ_API_OPENAI_OTHER] = "openai_other",
	[NJ_API_ANTHROPIC] = "anthropic",
	[NJ_API_GEMINI] = "gemini",
	[NJ_API_OLLAMA] = "ollama",
	[NJ_API_MCP] = "mcp",
	[NJ_API_A2A] = "a2a",
	[NJ_API_OTHER] = "other",
};

const char *nj_ai_api_text(uint8_t api)
{
	return api < NJ_APIS_N ? api_texts[api] : "";
}

enum nj_ai_api nj_ai_api_of(const char *text)
{
	for (unsigned i = 1; i < NJ_APIS_N; i++)
		if (strcmp(text, api_texts[i]) == 0)
			return (enum nj_ai_api)i;
	return NJ_API_NONE;
}

static int order_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

int nj_exchange_compare(const struct nj_exchange *a, const struct nj_exchange *b)
{
	int order = order_u64(a->start_ns, b->start_ns);
	if (order == 0)
		order = nj_addr_compare(&a->peer, &b->peer);
	if (order == 0)
		order = order_u64(a->port, b->port);
	if (order == 0)
		order = order_u64(a->protocol, b->protocol);
	return order != 0 ? order : order_u64(a->flow_port, b->flow_port);
}

int nj_tool_compare(const struct nj_tool *a, const struct nj_tool *b)
{
	int order = nj_addr_compare(&a->peer, &b->peer);
	if (order == 0)
		order = order_u64(a->port, b->port);
	if (order == 0)
		order = order_u64(a->kind, b->kind);
	if (order == 0)
		order = strcmp(a->method, b->method);
	return order != 0 ? order : strcmp(a->name, b->name);
}

static unsigned is_marked(const struct nj_exchange *e)
{
	return (e->flags & NJ_EXCHANGE_MODEL_MARKS) != 0;
}

static unsigned has_api_shape(const struct nj_exchange *e)
{
	return (e->flags & NJ_EXCHANGE_API_SHAPE) != 0;
}

bool nj_exchange_is_better(const struct nj_exchange *a, const struct nj_exchange *b)
{
	int order = order_u64(is_marked(b), is_marked(a));
	if (order == 0)
		order = order_u64(b->score, a->score);
	if (order == 0)
		order = order_u64(has_api_shape(b), has_api_shape(a));
	if (order == 0)
		order = order_u64(b->bytes_up, a->bytes_up);
	return order != 0 ? order < 0 : memcmp(a, b, sizeof *a) < 0;
}

bool nj_tool_is_better(const struct nj_tool *a, const struct nj_tool *b)
{
	int order = order_u64(b->calls, a->calls);
	return order != 0 ? order < 0 : nj_tool_compare(a, b) < 0;
}

void nj_exchange_add(struct nj_exchange *into, const struct nj_exchange *from)
{
	if (nj_exchange_is_better(from, into))
		*into = *from;
}

void nj_tool_add(struct nj_tool *into, const struct nj_tool *from)
{
	into->calls = into->calls + from->calls < into->calls ? UINT32_MAX : into->calls + from->calls;
	into->external |= from->external;
	if (into->first_ns == 0 || (from->first_ns != 0 && from->first_ns < into->first_ns))
		into->first_ns = from->first_ns;
}
