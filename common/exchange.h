/* What a sensor tells about talk with language models and tools: exchanges, one request and its answer each, and tools
 * asked for by name. Both are elements of the agent window's lists (common/window.h): what they are, how they are
 * ordered, added and ranked. Elements are plain bytes without padding, texts are padded with NUL, so that equal
 * elements are equal bytes. Pure; any thread. */
#ifndef NJ_COMMON_EXCHANGE_H
#define NJ_COMMON_EXCHANGE_H

#include "common/addr.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#define NJ_EXCHANGES_MAX       32 /* in a window */
#define NJ_TOOLS_MAX           32
#define NJ_EXCHANGE_CLIENT_MAX 48 /* with the NUL, as NJ_CLIENT_TEXT_MAX */
#define NJ_EXCHANGE_NAME_MAX   64 /* a longer one keeps its last 63 characters */
#define NJ_TOOL_METHOD_MAX     32 /* both are cut at the end */
#define NJ_TOOL_NAME_MAX       64
#define NJ_SCORE_ONE           1000 /* a score of 1 */
#define NJ_SCORE_STREAMED      500  /* from here on an answer counts as a token stream */

/* How the answer came. */
enum nj_exchange_form {
	NJ_FORM_UNKNOWN = 0,  /* neither of the below */
	NJ_FORM_STREAMED = 1, /* a run of small records over time: score is its token-stream shape */
	NJ_FORM_SINGLE = 2,   /* all at once: at most 4 records or 50 ms */
};

/* What clear text, names and ports said of it. Bits. */
enum nj_exchange_flag {
	NJ_EXCHANGE_ENCRYPTED = 1,     /* TLS or QUIC: sizes are of records, or datagrams */
	NJ_EXCHANGE_EXTERNAL = 2,      /* the peer is outside the home networks */
	NJ_EXCHANGE_KNOWN_NAME = 4,    /* the server's name is one of ai_endpoints */
	NJ_EXCHANGE_KNOWN_PORT = 8,    /* the server's port is one of ai_endpoints: weak */
	NJ_EXCHANGE_KNOWN_PATH = 16,   /* clear text: the path is that of a model's interface; api says which */
	NJ_EXCHANGE_KNOWN_HEADER = 32, /* clear text: a header only such interfaces use */
	NJ_EXCHANGE_EVENT_STREAM = 64, /* clear text: the answer is text/event-stream */
	NJ_EXCHANGE_JSON_LINES = 128,  /* clear text: the answer is application/x-ndjson or the like */
	NJ_EXCHANGE_JSON_RPC = 256,    /* clear text: the request is a JSON-RPC call (MCP, A2A) */
	NJ_EXCHANGE_API_SHAPE = 512,   /* U >= 2 kB, 1..60 s of silence, 0.3..30 kB back (detection.md F-SSE, S_api) */
	NJ_EXCHANGE_FAILED = 1024,     /* clear text: the answer's status is 400 or more */
	NJ_EXCHANGE_MIDSTREAM = 2048,  /* the flow's start was not seen: name and client are unknown for that reason */
	NJ_EXCHANGE_TUNNELLED = 4096,  /* inside CONNECT, SOCKS or after STARTTLS: peer is the proxy */
};
#define NJ_EXCHANGE_MODEL_MARKS                                                                                        \
	(NJ_EXCHANGE_KNOWN_NAME | NJ_EXCHANGE_KNOWN_PATH | NJ_EXCHANGE_KNOWN_HEADER) /* each says 'language model' */

/* Which interface clear text speaks; for encrypted ones what the endpoint's entry says it speaks. */
enum nj_ai_api {
	NJ_API_NONE = 0,
	NJ_API_OPENAI_CHAT = 1,      /* POST /v1/chat/completions */
	NJ_API_OPENAI_RESPONSES = 2, /* POST /v1/responses */
	NJ_API_OPENAI_OTHER = 3,     /* /v1/completions, /v1/embeddings and the like */
	NJ_API_ANTHROPIC = 4,        /* POST /v1/messages */
	NJ_API_GEMINI = 5,           /* :generateContent, :streamGenerateContent */
	NJ_API_OLLAMA = 6,           /* POST /api/chat, /api/generate */
	NJ_API_MCP = 7,
	NJ_API_A2A = 8,
	NJ_API_OTHER = 9,
	NJ_APIS_N
};

/* One request and its answer on a flow that the agent opened. Once answered it is told in every window in which records
 * of it came, each time with all that is known by then: whoever remembers it replaces what it knows under the same key.
 * It is over when another begins on the flow, or when it is not told in a window; the last telling's end_ns is then its
 * end. Key: start_ns, peer, port, protocol, flow_port. */
struct nj_exchange {
	uint64_t start_ns; /* first record of the request */
	struct nj_addr peer;
	uint16_t port;                 /* the server's */
	uint16_t flow_port;            /* the agent's: tells its flows apart */
	uint8_t protocol;              /* 6 TCP, 17 QUIC */
	uint8_t form;                  /* enum nj_exchange_form */
	uint16_t score;                /* token-stream shape, 0..NJ_SCORE_ONE (models/tokens.h); 0 unless streamed */
	uint64_t end_ns;               /* last record of the answer */
	uint64_t bytes_up, bytes_down; /* U and D: sizes of records, encryption included; clear text: payload */
	uint32_t burst_ms;             /* first to last record of the request */
	uint32_t wait_ms;              /* last of the request to first of the answer: time to first token */
	uint32_t answer_ms;            /* first to last of the answer */
	uint32_t records_up, records_down;
	uint32_t record_p50_bytes;           /* median of the answer's records, of a sample */
	uint32_t gap_p50_us;                 /* median of the gaps between them */
	uint16_t flags;                      /* enum nj_exchange_flag */
	uint8_t api;                         /* enum nj_ai_api */
	uint8_t client_kind;                 /* enum nj_client_kind, 0 unknown */
	char client[NJ_EXCHANGE_CLIENT_MAX]; /* fingerprint of the program, as in the list of clients */
	char name[NJ_EXCHANGE_NAME_MAX];     /* SNI or HTTP Host, printable ASCII; empty when unknown */
};
static_assert(sizeof(struct nj_exchange) == 200, "no padding: compared as bytes");

enum nj_tool_kind { NJ_TOOL_MCP = 1, NJ_TOOL_A2A = 2, NJ_TOOL_JSON_RPC = 3, NJ_TOOL_RPC = 4 };

/* A method called on a tool server in clear text, and the tool, resource or prompt it named. Or a Windows remote
 * procedure call: the interface, and the operation; empty when it was only bound. Key: peer, port, kind, method, name.
 */
struct nj_tool {
	struct nj_addr peer;
	uint16_t port;
	uint8_t kind;     /* enum nj_tool_kind */
	uint8_t external; /* 1: the peer is outside the home networks */
	uint32_t calls;
	uint64_t first_ns;               /* earliest call in the window */
	char method[NJ_TOOL_METHOD_MAX]; /* "tools/call"; printable ASCII */
	char name[NJ_TOOL_NAME_MAX];     /* "read_file"; empty when the method names none */
};
static_assert(sizeof(struct nj_tool) == 128, "no padding: compared as bytes");

/* "openai_chat" ...; empty for none and for what a later release knows. Static. */
const char *nj_ai_api_text(uint8_t api);
/* NJ_API_NONE for a text that names none. */
enum nj_ai_api nj_ai_api_of(const char *text);

/* Canonical order: by key. */
int nj_exchange_compare(const struct nj_exchange *a, const struct nj_exchange *b);
int nj_tool_compare(const struct nj_tool *a, const struct nj_tool *b);

/* *a* goes before *b* when a window keeps only the best; no two different elements are equal in it. Exchanges: marks
 * of a model, then score, then the shape of an API answer, then most bytes up; tools: most calls. */
bool nj_exchange_is_better(const struct nj_exchange *a, const struct nj_exchange *b);
bool nj_tool_is_better(const struct nj_tool *a, const struct nj_tool *b);

/* Adds *from* into *into*, of the same key. An exchange told twice is one: the better telling stays. */
void nj_exchange_add(struct nj_exchange *into, const struct nj_exchange *from);
void nj_tool_add(struct nj_tool *into, const struct nj_tool *from);

#endif
