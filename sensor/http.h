/* Clear-text HTTP/1.x: request line with Host, User-Agent and the headers of the Model Context Protocol, and the status
 * and kind of an answer. Values are printable ASCII ('?' for the rest), cut at their bounds. Pure; reads at most
 * NJ_HTTP_HEAD_BYTES_MAX bytes, once. */
#ifndef NJ_SENSOR_HTTP_H
#define NJ_SENSOR_HTTP_H

#include "sensor/parse.h"

#include "common/cursor.h"
#include "common/exchange.h"

#include <stddef.h>
#include <stdint.h>

#define NJ_HTTP_METHOD_MAX     24 /* all with the NUL */
#define NJ_HTTP_PATH_MAX       256
#define NJ_HTTP_HOST_MAX       256
#define NJ_HTTP_AGENT_MAX      128
#define NJ_HTTP_HEAD_BYTES_MAX 16384 /* a head that has not ended by here counts as complete */

struct nj_http_request {
	char method[NJ_HTTP_METHOD_MAX]; /* empty until the request line was complete */
	char path[NJ_HTTP_PATH_MAX];     /* the request target as sent */
	char host[NJ_HTTP_HOST_MAX];     /* as sent, a port included */
	char user_agent[NJ_HTTP_AGENT_MAX];
	char mcp_method[NJ_TOOL_METHOD_MAX]; /* Mcp-Method: what the body calls, since revision 2026-07-28 of that
						protocol */
	char mcp_name[NJ_TOOL_NAME_MAX];     /* Mcp-Name */
	bool is_mcp;                         /* Mcp-Method, Mcp-Session-Id or MCP-Protocol-Version is there */
	uint16_t path_bytes;                 /* length on the wire, may exceed what is kept */
	uint8_t version_minor;               /* HTTP/1.x */
	uint16_t head_bytes;                 /* request line and headers with the empty line */
};

/* From the first byte of a request. After MORE, what stands on complete lines is already set. */
enum nj_parse nj_http_request(const uint8_t *data, size_t size, struct nj_http_request *ret_request);

/* From the first byte of an answer: its status code, 100..599 (999 at most). */
enum nj_parse nj_http_status(const uint8_t *data, size_t size, uint16_t *ret_status);

/* What an answer carries, as far as the lines of its head that are at hand say. */
enum nj_http_content { NJ_HTTP_OTHER, NJ_HTTP_EVENT_STREAM, NJ_HTTP_JSON_LINES };

struct nj_http_answer {
	uint16_t status;
	enum nj_http_content content;
};

/* From the first byte of an answer; DONE as soon as the status is known. */
enum nj_parse nj_http_answer(const uint8_t *data, size_t size, struct nj_http_answer *ret_answer);

/* The next header line of a head behind its first line: name and value, *borrowed* from the bytes. False: no further
 * complete line, or the head's end. */
struct nj_http_text {
	const uint8_t *at;
	size_t size;
};
bool nj_http_header_next(struct nj_cursor *head, struct nj_http_text *ret_name, struct nj_http_text *ret_value);

#endif
