/* What is publicly known of language models' servers: names, default ports, paths and headers
 * (common/ai_endpoints.yaml, which travels inside the programs). All of it is evidence, none of it is needed to find a
 * model.
 *
 * Read at start; afterwards immutable, any thread. A look-up by name is one hash and one or two comparisons, about 50
 * ns; by path some 20 comparisons. 90 kB. */
#ifndef NJ_COMMON_AI_ENDPOINTS_H
#define NJ_COMMON_AI_ENDPOINTS_H

#include "common/error.h"
#include "common/exchange.h"

#include <stddef.h>

#define NJ_AI_NAMES_MAX    768
#define NJ_AI_NAME_MAX     96 /* with the NUL, as every text here */
#define NJ_AI_PORTS_MAX    64
#define NJ_AI_PATHS_MAX    64
#define NJ_AI_PATH_MAX     48
#define NJ_AI_HEADERS_MAX  32
#define NJ_AI_HEADER_MAX   32
#define NJ_AI_PROVIDER_MAX 24
#define NJ_AI_SLOTS        2048 /* of the hash of names */

struct nj_ai_endpoint {
	char provider[NJ_AI_PROVIDER_MAX];
	uint8_t api; /* enum nj_ai_api: what it speaks; NJ_API_NONE unknown */
	bool chat;   /* a page for people, not an interface for programs */
};

struct nj_ai_name {
	struct nj_ai_endpoint endpoint;
	char pattern[NJ_AI_NAME_MAX]; /* lower case; '*' is a label, or the beginning of one */
};

struct nj_ai_port {
	struct nj_ai_endpoint endpoint;
	uint16_t port;
};

struct nj_ai_path {
	char text[NJ_AI_PATH_MAX];
	uint8_t bytes, api;
};

struct nj_ai_header {
	char text[NJ_AI_HEADER_MAX];
	uint8_t bytes;
	bool begins; /* all headers that begin with it */
};

struct nj_ai_endpoints {
	struct nj_ai_name name[NJ_AI_NAMES_MAX];
	uint16_t slot[NJ_AI_SLOTS],
		next[NJ_AI_NAMES_MAX]; /* first and next of the names with one hash; 0 none, else index + 1 */
	struct nj_ai_port port[NJ_AI_PORTS_MAX];
	struct nj_ai_path path[NJ_AI_PATHS_MAX];
	struct nj_ai_header header[NJ_AI_HEADERS_MAX];
	uint32_t names_n, ports_n, paths_n, headers_n;
};

/* Those shipped with the program. NJ_ERR_MEMORY. */
NJ_MUST_CHECK int nj_ai_endpoints_init(struct nj_ai_endpoints *endpoints, struct nj_message *message);

/* Adds an operator's file, whose entries go before those already there. NJ_ERR_USAGE with "FILE:LINE: what". */
NJ_MUST_CHECK int nj_ai_endpoints_load(struct nj_ai_endpoints *endpoints, const char *path, struct nj_message *message);
NJ_MUST_CHECK int nj_ai_endpoints_parse(struct nj_ai_endpoints *endpoints, const char *name, const char *text,
					size_t size, struct nj_message *message);

/* By host name, in lower case; NULL: unknown. *borrowed* as long as the endpoints. */
const struct nj_ai_endpoint *nj_ai_endpoints_name(const struct nj_ai_endpoints *endpoints, const char *name);
const struct nj_ai_endpoint *nj_ai_endpoints_port(const struct nj_ai_endpoints *endpoints, uint16_t port);

/* By the path of a clear-text request, its query included or not. */
enum nj_ai_api nj_ai_endpoints_path(const struct nj_ai_endpoints *endpoints, const char *path);

/* Whether only language models are sent a header of this name; *name* in any case, *size* bytes. */
bool nj_ai_endpoints_header(const struct nj_ai_endpoints *endpoints, const void *name, size_t size);

#endif
