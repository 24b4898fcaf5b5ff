/* RFC 9112 2 to 5, read as far as a passive observer needs: lines end with LF, a CR before it is dropped, header names
 * match in any case, the first of each wins. Anything whose first line does not end with HTTP/1.x is refused when that
 * line is complete, binary protocols at their first byte. */
#include "sensor/http.h"

#include <strings.h>

static bool is_token(uint8_t byte)
{
	return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') ||
	       byte == '-' || byte == '_';
}

static void keep(struct nj_http_text from, char *text, size_t text_max)
{
	size_t n = from.size < text_max - 1 ? from.size : text_max - 1;
	for (size_t i = 0; i < n; i++)
		text[i] = from.at[i] >= ' ' && from.at[i] <= '~' ? (char)from.at[i] : '?';
	text[n] = '\0';
}

static struct nj_http_text trim(struct nj_http_text t)
{
	while (t.size > 0 && (t.at[0] == ' ' || t.at[0] == '\t'))
		t.at++, t.size--;
	while (t.size > 0 && (t.at[t.size - 1] == ' ' || t.at[t.size - 1] == '\t'))
		t.size--;
	return t;
}

/* The next line without its end. False: it is not complete. */
static bool next_line(struct nj_cursor *c, struct nj_http_text *ret_line)
{
	size_t left = nj_cursor_left(c);
	const uint8_t *end = left > 0 ? memchr(c->at, '\n', left) : NULL;
	if (end == NULL)
		return false;
	size_t size = (size_t)(end - c->at);
	const uint8_t *at = nj_cursor_take(c, size + 1);
	*ret_line = (struct nj_http_text){at, size > 0 && at[size - 1] == '\r' ? size - 1 : size};
	return true;
}

/* The method of a request, judged byte by byte so that other protocols are refused early. */
static enum nj_parse method_size(const uint8_t *data, size_t size, size_t *ret_size)
{
	for (size_t i = 0; i < size && i < NJ_HTTP_METHOD_MAX; i++) {
		if (data[i] == ' ' && i > 0) {
			*ret_size = i;
			return NJ_PARSE_DONE;
		}
		if (!is_token(data[i]))
			return NJ_PARSE_NO;
	}
	return size < NJ_HTTP_METHOD_MAX ? NJ_PARSE_MORE : NJ_PARSE_NO;
}

static bool read_request_line(struct nj_http_text line, size_t method_bytes, struct nj_http_request *request)
{
	static const char version[] = " HTTP/1.";
	size_t version_size = sizeof version; /* with the digit in place of the NUL */
	if (line.size < method_bytes + 1 + version_size)
		return false;
	const uint8_t *tail = line.at + line.size - version_size;
	uint8_t minor = tail[version_size - 1];
	if (memcmp(tail, version, version_size - 1) != 0 || minor < '0' || minor > '9')
		return false;
	struct nj_http_text target =
		trim((struct nj_http_text){line.at + method_bytes + 1, line.size - method_bytes - 1 - version_size});
	keep((struct nj_http_text){line.at, method_bytes}, request->method, sizeof request->method);
	keep(target, request->path, sizeof request->path);
	request->path_bytes = (uint16_t)target.size;
	request->version_minor = (uint8_t)(minor - '0');
	return true;
}

static bool header_value(struct nj_http_text line, const char *name, size_t name_size, struct nj_http_text *ret_value)
{
	if (line.size <= name_size || line.at[name_size] != ':' ||
	    strncasecmp((const char *)line.at, name, name_size) != 0)
		return false;
	*ret_value = trim((struct nj_http_text){line.at + name_size + 1, line.size - name_size - 1});
	return true;
}

static void read_mcp_header(struct nj_http_text line, struct nj_http_request *request)
{
	struct nj_http_text value;
	if (header_value(line, "Mcp-Method", 10, &value)) {
		request->is_mcp = true;
		if (request->mcp_method[0] == '\0')
			keep(value, request->mcp_method, sizeof request->mcp_method);
	} else if (header_value(line, "Mcp-Name", 8, &value)) {
		if (request->mcp_name[0] == '\0')
			keep(value, request->mcp_name, sizeof request->mcp_name);
	} else if (header_value(line, "Mcp-Session-Id", 14, &value) ||
		   header_value(line, "Mcp-Protocol-Version", 20, &value)) {
		request->is_mcp = true;
	}
}

static void read_header(struct nj_http_text line, struct nj_http_request *request)
{
	struct nj_http_text value;
	if (request->host[0] == '\0' && header_value(line, "Host", 4, &value))
		keep(value, request->host, sizeof request->host);
	else if (request->user_agent[0] == '\0' && header_value(line, "User-Agent", 10, &value))
		keep(value, request->user_agent, sizeof request->user_agent);
	else if (line.size > 4 && strncasecmp((const char *)line.at, "mcp-", 4) == 0)
		read_mcp_header(line, request);
}

enum nj_parse nj_http_request(const uint8_t *data, size_t size, struct nj_http_request *ret_request)
{
	*ret_request = (struct nj_http_request){.version_minor = 0};
	bool whole = size >= NJ_HTTP_HEAD_BYTES_MAX;
	struct nj_cursor c = nj_cursor_make(data, whole ? NJ_HTTP_HEAD_BYTES_MAX : size);
	struct nj_http_text line;
	size_t method_bytes = 0;
	enum nj_parse verdict = method_size(data, size, &method_bytes);
	if (verdict != NJ_PARSE_DONE)
		return verdict;
	if (!next_line(&c, &line))
		return whole ? NJ_PARSE_NO : NJ_PARSE_MORE;
	if (!read_request_line(line, method_bytes, ret_request))
		return NJ_PARSE_NO;
	bool ended = false;
	while (!ended && next_line(&c, &line)) {
		ended = line.size == 0;
		read_header(line, ret_request);
	}
	ret_request->head_bytes = (uint16_t)(c.at - data);
	return ended || whole ? NJ_PARSE_DONE : NJ_PARSE_MORE;
}

enum nj_parse nj_http_status(const uint8_t *data, size_t size, uint16_t *ret_status)
{
	static const char form[] = "HTTP/1.d ddd"; /* d: a digit */
	uint16_t status = 0;
	for (size_t i = 0; i < sizeof form - 1; i++) {
		if (i >= size)
			return NJ_PARSE_MORE;
		bool digit = data[i] >= '0' && data[i] <= '9';
		if (form[i] == 'd' ? !digit : data[i] != (uint8_t)form[i])
			return NJ_PARSE_NO;
		if (i >= 9)
			status = (uint16_t)(status * 10 + data[i] - '0');
	}
	if (status < 100)
		return NJ_PARSE_NO;
	*ret_status = status;
	return NJ_PARSE_DONE;
}

bool nj_http_header_next(struct nj_cursor *head, struct nj_http_text *ret_name, struct nj_http_text *ret_value)
{
	struct nj_http_text line;
	if (!next_line(head, &line) || line.size == 0)
		return false;
	const uint8_t *colon = memchr(line.at, ':', line.size);
	size_t name = colon != NULL ? (size_t)(colon - line.at) : line.size;
	*ret_name = (struct nj_http_text){line.at, name};
	*ret_value = (struct nj_http_text){line.at + name, 0};
	if (colon != NULL)
		*ret_value = trim((struct nj_http_text){colon + 1, line.size - name - 1});
	return true;
}

static bool begins(struct nj_http_text value, const char *text)
{
	size_t n = strlen(text);
	return value.size >= n && strncasecmp((const char *)value.at, text, n) == 0;
}

static enum nj_http_content content_of(struct nj_http_text type)
{
	if (begins(type, "text/event-stream"))
		return NJ_HTTP_EVENT_STREAM;
	if (begins(type, "application/x-ndjson") || begins(type, "application/ndjson") ||
	    begins(type, "application/jsonl") || begins(type, "application/stream+json") ||
	    begins(type, "application/json-seq"))
		return NJ_HTTP_JSON_LINES;
	return NJ_HTTP_OTHER;
}

enum nj_parse nj_http_answer(const uint8_t *data, size_t size, struct nj_http_answer *ret_answer)
{
	struct nj_http_answer answer = {.content = NJ_HTTP_OTHER};
	enum nj_parse parsed = nj_http_status(data, size, &answer.status);
	if (parsed != NJ_PARSE_DONE)
		return parsed;
	struct nj_cursor head = nj_cursor_make(data, size < NJ_HTTP_HEAD_BYTES_MAX ? size : NJ_HTTP_HEAD_BYTES_MAX);
	struct nj_http_text line, name, value;
	for (bool more = next_line(&head, &line); more && nj_http_header_next(&head, &name, &value);)
		if (name.size == 12 && begins(name, "Content-Type"))
			answer.content = content_of(value);
	*ret_answer = answer;
	return NJ_PARSE_DONE;
}
