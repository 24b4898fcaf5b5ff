/* A JSON-RPC call in the body of a request, read byte by byte as it comes: the method, and the tool, resource or prompt
 * that its parameters name ({"method": "tools/call", "params": {"name": "read_file", ...}}). No tree, no copy of the
 * body: a few counters and the two texts, 144 bytes; about 2 ns a byte, and at most NJ_JSON_RPC_BYTES_MAX of a body are
 * read.
 *
 * What is no JSON does not hurt: sizes of HTTP chunks between the bytes of a call are passed over unless they fall into
 * one of the two texts. Pure; one state belongs to one flow. */
#ifndef NJ_SENSOR_JSON_RPC_H
#define NJ_SENSOR_JSON_RPC_H

#include "common/exchange.h"

#include <stddef.h>

#define NJ_JSON_RPC_BYTES_MAX 16384 /* of a body */
#define NJ_JSON_RPC_DEPTH_MAX 64    /* deeper nesting ends the reading */
#define NJ_JSON_RPC_CALLS_MAX 16    /* of a batch */

struct nj_json_rpc {
	uint32_t bytes; /* read so far */
	uint8_t depth;  /* of objects and arrays, a batch's own array not counted */
	uint8_t calls;  /* complete ones told */
	bool batch, in_text, escaped, is_key, over;
	uint8_t place;   /* what the text under way is, enum in json_rpc.c */
	uint8_t unicode; /* digits of \uXXXX still to come */
	uint8_t key_n, text_n;
	bool in_params, has_version;
	char key[12];                    /* the last key at a depth that matters, cut */
	char method[NJ_TOOL_METHOD_MAX]; /* printable ASCII, '?' for the rest; empty: none yet */
	char name[NJ_TOOL_NAME_MAX];
};

void nj_json_rpc_begin(struct nj_json_rpc *rpc);

/* Reads on until a call is complete: true, with method and name set (say what is needed of them, then call again with
 * the rest); false: all *size* bytes are read, or nothing more will come of this body (over). *ret_used*: bytes read.
 */
bool nj_json_rpc_read(struct nj_json_rpc *rpc, const uint8_t *data, size_t size, size_t *ret_used);

/* At a body's end, or when no more of it will be seen: whether a call was under way whose method is known. */
bool nj_json_rpc_finish(struct nj_json_rpc *rpc);

/* Whose method it is, as far as the two protocols' specifications name it. */
enum nj_tool_kind nj_json_rpc_kind(const char *method);

#endif
