/* RFC 8259 as far as texts, keys and nesting go; JSON-RPC 2.0; method names of the Model Context Protocol
 * (modelcontextprotocol.io, specification 2025-11-25 and 2026-07-28) and of Agent2Agent (a2a-protocol.org, 0.3
 * and 1.0).
 *
 * A call is an object at depth 1. Its keys "method" and "jsonrpc" stand there; "name" and "uri" at depth 2 below
 * "params". The call is complete when its object closes. */
#include "sensor/json_rpc.h"

#include <string.h>

enum place { ELSEWHERE, KEY, METHOD, VERSION, NAME };

void nj_json_rpc_begin(struct nj_json_rpc *r)
{
	memset(r, 0, sizeof *r);
}

static bool key_is(const struct nj_json_rpc *r, const char *key)
{
	return strncmp(r->key, key, sizeof r->key) == 0;
}

static bool matters(const struct nj_json_rpc *r)
{
	return r->depth == 1 || (r->depth == 2 && r->in_params);
}

static enum place place_of_value(const struct nj_json_rpc *r)
{
	if (r->depth == 1 && key_is(r, "method"))
		return METHOD;
	if (r->depth == 1 && key_is(r, "jsonrpc"))
		return VERSION;
	if (r->depth == 2 && r->in_params && (key_is(r, "name") || key_is(r, "uri")))
		return NAME;
	return ELSEWHERE;
}

static void text_begins(struct nj_json_rpc *r)
{
	r->in_text = true;
	r->escaped = false;
	r->unicode = 0;
	r->text_n = 0;
	if (!matters(r)) {
		r->place = ELSEWHERE;
		return;
	}
	r->place = (uint8_t)(r->is_key ? KEY : place_of_value(r));
	if (r->place == KEY)
		memset(r->key, 0, sizeof r->key);
	else if (r->place == METHOD)
		memset(r->method, 0, sizeof r->method);
	else if (r->place == NAME)
		memset(r->name, 0, sizeof r->name);
}

static void put(char *text, size_t size, uint8_t *n, uint8_t byte)
{
	if (*n + 1u < size)
		text[(*n)++] = byte >= ' ' && byte <= '~' ? (char)byte : '?';
}

static void text_byte(struct nj_json_rpc *r, uint8_t byte)
{
	switch (r->place) {
	case KEY:
		put(r->key, sizeof r->key, &r->text_n, byte);
		break;
	case METHOD:
		put(r->method, sizeof r->method, &r->text_n, byte);
		break;
	case NAME:
		put(r->name, sizeof r->name, &r->text_n, byte);
		break;
	default:
		break;
	}
}

static void text_ends(struct nj_json_rpc *r)
{
	r->in_text = false;
	r->has_version = r->has_version || r->place == VERSION;
	r->is_key = false;
}

static void in_text(struct nj_json_rpc *r, uint8_t byte)
{
	if (r->unicode > 0) {
		r->unicode--;
	} else if (r->escaped) {
		r->escaped = false;
		r->unicode = byte == 'u' ? 4 : 0;
		text_byte(r, byte == '"' || byte == '\\' || byte == '/' ? byte : '?');
	} else if (byte == '\\') {
		r->escaped = true;
	} else if (byte == '"') {
		text_ends(r);
	} else {
		text_byte(r, byte);
	}
}

static void opens(struct nj_json_rpc *r, uint8_t byte)
{
	if (r->depth == 0 && byte == '[') {
		r->batch = true;
		return;
	}
	if (r->depth == NJ_JSON_RPC_DEPTH_MAX) {
		r->over = true;
		return;
	}
	if (r->depth == 1)
		r->in_params = byte == '{' && key_is(r, "params");
	r->depth++;
	r->is_key = byte == '{';
}

/* True: a call is complete. */
static bool closes(struct nj_json_rpc *r)
{
	if (r->depth == 0) {
		r->over = true; /* the batch's own end, or nonsense */
		return false;
	}
	r->depth--;
	if (r->depth == 1)
		r->in_params = false;
	if (r->depth > 0)
		return false;
	r->over = !r->batch || ++r->calls == NJ_JSON_RPC_CALLS_MAX;
	return r->method[0] != '\0' && r->has_version;
}

static void forget_call(struct nj_json_rpc *r)
{
	memset(r->method, 0, sizeof r->method);
	memset(r->name, 0, sizeof r->name);
	memset(r->key, 0, sizeof r->key);
	r->has_version = false;
}

/* White space, and what sizes of chunks are made of. */
static bool may_stand_outside(uint8_t byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n' || (byte >= '0' && byte <= '9') ||
	       (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
}

/* True: a call is complete. */
static bool step(struct nj_json_rpc *r, uint8_t byte)
{
	if (r->in_text) {
		in_text(r, byte);
		return false;
	}
	switch (byte) {
	case '"':
		r->over = r->depth == 0;
		if (!r->over)
			text_begins(r);
		break;
	case '{':
	case '[':
		if (byte == '{' && r->depth == 0)
			forget_call(r);
		opens(r, byte);
		break;
	case '}':
	case ']':
		return closes(r);
	case ',':
		r->is_key = matters(
			r); /* in an array of parameters the texts that follow are no keys, but none of them matters */
		break;
	default:
		r->over = r->depth == 0 && !may_stand_outside(byte);
		break;
	}
	return false;
}

bool nj_json_rpc_read(struct nj_json_rpc *r, const uint8_t *data, size_t size, size_t *ret_used)
{
	size_t at = 0;
	bool complete = false;
	while (at < size && !r->over && !complete) {
		complete = step(r, data[at++]);
		r->over = r->over || ++r->bytes >= NJ_JSON_RPC_BYTES_MAX;
	}
	*ret_used = at;
	return complete;
}

bool nj_json_rpc_finish(struct nj_json_rpc *r)
{
	bool known = r->depth > 0 && r->method[0] != '\0' && r->has_version && !(r->in_text && r->place == METHOD);
	r->over = true;
	r->depth = 0;
	return known;
}

enum nj_tool_kind nj_json_rpc_kind(const char *method)
{
	static const struct {
		const char *text;
		bool begins;
		enum nj_tool_kind kind;
	} methods[] = {
		{"initialize", false, NJ_TOOL_MCP},
		{"tools/", true, NJ_TOOL_MCP},
		{"resources/", true, NJ_TOOL_MCP},
		{"prompts/", true, NJ_TOOL_MCP},
		{"completion/", true, NJ_TOOL_MCP},
		{"logging/", true, NJ_TOOL_MCP},
		{"notifications/", true, NJ_TOOL_MCP},
		{"sampling/", true, NJ_TOOL_MCP},
		{"elicitation/", true, NJ_TOOL_MCP},
		{"roots/", true, NJ_TOOL_MCP},
		{"server/discover", false, NJ_TOOL_MCP},
		{"subscriptions/", true, NJ_TOOL_MCP},
		{"message/", true, NJ_TOOL_A2A},
		{"tasks/", true, NJ_TOOL_A2A},
		{"agent/", true, NJ_TOOL_A2A},
		{"SendMessage", false, NJ_TOOL_A2A},
		{"SendStreamingMessage", false, NJ_TOOL_A2A},
		{"GetTask", false, NJ_TOOL_A2A},
		{"ListTasks", false, NJ_TOOL_A2A},
		{"CancelTask", false, NJ_TOOL_A2A},
		{"SubscribeToTask", false, NJ_TOOL_A2A},
		{"GetExtendedAgentCard", false, NJ_TOOL_A2A},
	};
	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
		size_t n = strlen(methods[i].text);
		if (strncmp(method, methods[i].text, n) == 0 && (methods[i].begins || method[n] == '\0'))
			return methods[i].kind;
	}
	return NJ_TOOL_JSON_RPC;
}
