/* Names are found by their last two labels, which no pattern may leave open; the few patterns with the same two are
 * compared label by label from the right, the latest read first, so that an operator's file goes before the shipped
 * one. */
#include "common/ai_endpoints.h"

#include "common/yaml.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

extern const char nj_ai_endpoints_text[]; /* made by the build from common/ai_endpoints.yaml */
extern const size_t nj_ai_endpoints_text_bytes;

/* --- look-up --- */

/* Where the last two labels of a name begin; NULL: it has less. */
static const char *last_two(const char *name, size_t size)
{
	unsigned dots = 0;
	for (const char *at = name + size; at > name; at--)
		if (at[-1] == '.' && ++dots == 2)
			return at;
	return dots == 1 ? name : NULL;
}

static uint32_t slot_of(const char *two, size_t size)
{
	uint32_t hash = 2166136261u;
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (uint8_t)two[i]) * 16777619u;
	return (hash ^ hash >> 15) % NJ_AI_SLOTS;
}

/* The size of the last label of the first *size* bytes. */
static size_t label_bytes(const char *name, size_t size)
{
	size_t n = 0;
	while (n < size && name[size - 1 - n] != '.')
		n++;
	return n;
}

/* '*' alone is any label; before other letters it is any beginning of one. */
static bool label_fits(const char *pattern, size_t pattern_bytes, const char *label, size_t bytes)
{
	if (pattern_bytes == 0 || pattern[0] != '*')
		return bytes == pattern_bytes && memcmp(pattern, label, bytes) == 0;
	size_t rest = pattern_bytes - 1;
	return bytes > rest && memcmp(pattern + 1, label + bytes - rest, rest) == 0;
}

/* Whether the name is what the pattern says, or below it. */
static bool name_fits(const char *pattern, const char *name, size_t name_bytes)
{
	size_t p = strlen(pattern), n = name_bytes;
	for (;;) {
		size_t p_label = label_bytes(pattern, p), n_label = label_bytes(name, n);
		if (!label_fits(pattern + p - p_label, p_label, name + n - n_label, n_label))
			return false;
		if (p == p_label)
			return true;
		if (n == n_label)
			return false;
		p -= p_label + 1;
		n -= n_label + 1;
	}
}

const struct nj_ai_endpoint *nj_ai_endpoints_name(const struct nj_ai_endpoints *e, const char *name)
{
	size_t size = strlen(name);
	if (size > 0 && name[size - 1] == '.')
		size--;
	const char *two = last_two(name, size);
	if (two == NULL)
		return NULL;
	for (uint16_t at = e->slot[slot_of(two, (size_t)(name + size - two))]; at != 0; at = e->next[at - 1])
		if (name_fits(e->name[at - 1].pattern, name, size))
			return &e->name[at - 1].endpoint;
	return NULL;
}

const struct nj_ai_endpoint *nj_ai_endpoints_port(const struct nj_ai_endpoints *e, uint16_t port)
{
	for (uint32_t i = e->ports_n; i > 0; i--)
		if (e->port[i - 1].port == port)
			return &e->port[i - 1].endpoint;
	return NULL;
}

enum nj_ai_api nj_ai_endpoints_path(const struct nj_ai_endpoints *e, const char *path)
{
	size_t size = strcspn(path, "?#");
	for (uint32_t i = e->paths_n; i > 0; i--) {
		const struct nj_ai_path *p = &e->path[i - 1];
		if (size >= p->bytes && memcmp(path + size - p->bytes, p->text, p->bytes) == 0)
			return (enum nj_ai_api)p->api;
	}
	return NJ_API_NONE;
}

bool nj_ai_endpoints_header(const struct nj_ai_endpoints *e, const void *name, size_t size)
{
	for (uint32_t i = 0; i < e->headers_n; i++) {
		const struct nj_ai_header *h = &e->header[i];
		if ((h->begins ? size > h->bytes : size == h->bytes) && strncasecmp(name, h->text, h->bytes) == 0)
			return true;
	}
	return false;
}

/* --- reading --- */

struct reading {
	struct nj_ai_endpoints *to;
	const struct nj_yaml *yaml;
	struct nj_message *message;
};

static int text_of(const struct reading *r, const struct nj_yaml_node *node, char *ret_text, size_t size)
{
	if (node->kind != NJ_YAML_TEXT || node->text[0] == '\0' || strlen(node->text) >= size)
		return nj_yaml_fail(r->yaml, node, r->message, "expected a text of 1 to %zu characters", size - 1);
	memset(ret_text, 0, size);
	for (size_t i = 0; node->text[i] != '\0'; i++) {
		if (node->text[i] <= ' ' || node->text[i] > '~')
			return nj_yaml_fail(r->yaml, node, r->message, "printable ASCII without spaces is expected");
		ret_text[i] = (char)tolower((unsigned char)node->text[i]);
	}
	return NJ_OK;
}

static int api_of(const struct reading *r, const struct nj_yaml_node *node, uint8_t *ret_api)
{
	*ret_api = node->kind == NJ_YAML_TEXT ? (uint8_t)nj_ai_api_of(node->text) : NJ_API_NONE;
	if (*ret_api == NJ_API_NONE)
		return nj_yaml_fail(r->yaml, node, r->message, "no api is called '%s'",
				    node->kind == NJ_YAML_TEXT ? node->text : "");
	return NJ_OK;
}

static bool is_pattern(const char *pattern)
{
	const char *two = last_two(pattern, strlen(pattern)), *end = pattern + strlen(pattern);
	if (two == NULL || memchr(two, '*', (size_t)(end - two)) != NULL || strstr(pattern, "..") != NULL ||
	    pattern[0] == '.' || end[-1] == '.')
		return false;
	for (const char *star = pattern; (star = strchr(star, '*')) != NULL; star++)
		if (star > pattern && star[-1] != '.') /* only where a label begins */
			return false;
	return true;
}

static int read_name(const struct reading *r, const struct nj_yaml_node *node, const struct nj_ai_endpoint *endpoint)
{
	struct nj_ai_endpoints *e = r->to;
	if (e->names_n == NJ_AI_NAMES_MAX)
		return nj_yaml_fail(r->yaml, node, r->message, "more than %d names", NJ_AI_NAMES_MAX);
	struct nj_ai_name *name = &e->name[e->names_n];
	int err = text_of(r, node, name->pattern, sizeof name->pattern);
	if (err < 0)
		return err;
	if (!is_pattern(name->pattern))
		return nj_yaml_fail(
			r->yaml, node, r->message,
			"'%s' is no host name of two labels or more; '*' may begin a label, not one of the last two",
			node->text);
	name->endpoint = *endpoint;
	const char *two = last_two(name->pattern, strlen(name->pattern));
	uint32_t slot = slot_of(two, strlen(two));
	e->next[e->names_n] = e->slot[slot];
	e->slot[slot] = (uint16_t)++e->names_n;
	return NJ_OK;
}

static int read_port(const struct reading *r, const struct nj_yaml_node *node, const struct nj_ai_endpoint *endpoint)
{
	struct nj_ai_endpoints *e = r->to;
	char *end = NULL;
	long port = node->kind == NJ_YAML_TEXT ? strtol(node->text, &end, 10) : 0;
	if (port < 1 || port > UINT16_MAX || *end != '\0')
		return nj_yaml_fail(r->yaml, node, r->message, "expected a port from 1 to 65535");
	if (e->ports_n == NJ_AI_PORTS_MAX)
		return nj_yaml_fail(r->yaml, node, r->message, "more than %d ports", NJ_AI_PORTS_MAX);
	e->port[e->ports_n++] = (struct nj_ai_port){.endpoint = *endpoint, .port = (uint16_t)port};
	return NJ_OK;
}

/* One provider or server: name, api and chat come before the list that they describe, wherever they stand. */
static int read_entry(const struct reading *r, const struct nj_yaml_node *entry, const char *list,
		      int (*read)(const struct reading *, const struct nj_yaml_node *, const struct nj_ai_endpoint *))
{
	struct nj_ai_endpoint endpoint = {.api = NJ_API_NONE};
	const struct nj_yaml_node *items = NULL;
	int err = entry->kind == NJ_YAML_MAP ? NJ_OK : nj_yaml_fail(r->yaml, entry, r->message, "expected a map");
	for (const struct nj_yaml_node *at = entry->first; at != NULL && err == NJ_OK; at = at->next) {
		if (strcmp(at->key, "name") == 0)
			err = text_of(r, at, endpoint.provider, sizeof endpoint.provider);
		else if (strcmp(at->key, "api") == 0)
			err = api_of(r, at, &endpoint.api);
		else if (strcmp(at->key, "chat") == 0 && at->kind == NJ_YAML_TEXT)
			endpoint.chat = strcmp(at->text, "true") == 0;
		else if (strcmp(at->key, list) == 0 && at->kind == NJ_YAML_LIST)
			items = at;
		else
			err = nj_yaml_fail(r->yaml, at, r->message, "unknown key '%s'", at->key);
	}
	if (err == NJ_OK && (endpoint.provider[0] == '\0' || items == NULL))
		err = nj_yaml_fail(r->yaml, entry, r->message, "an entry needs a name and a list '%s'", list);
	for (const struct nj_yaml_node *at = items != NULL ? items->first : NULL; at != NULL && err == NJ_OK;
	     at = at->next)
		err = read(r, at, &endpoint);
	return err;
}

static int read_paths(const struct reading *r, const struct nj_yaml_node *map)
{
	struct nj_ai_endpoints *e = r->to;
	int err = map->kind == NJ_YAML_MAP ? NJ_OK
					   : nj_yaml_fail(r->yaml, map, r->message, "paths is a map of path to api");
	for (const struct nj_yaml_node *at = map->first; at != NULL && err == NJ_OK; at = at->next) {
		size_t size = strlen(at->key);
		if (e->paths_n == NJ_AI_PATHS_MAX || size < 2 || size >= NJ_AI_PATH_MAX)
			return nj_yaml_fail(r->yaml, at, r->message, "at most %d paths of 2 to %d characters",
					    NJ_AI_PATHS_MAX, NJ_AI_PATH_MAX - 1);
		struct nj_ai_path *path = &e->path[e->paths_n];
		memcpy(path->text, at->key, size + 1);
		path->bytes = (uint8_t)size;
		err = api_of(r, at, &path->api);
		e->paths_n += err == NJ_OK;
	}
	return err;
}

static int read_headers(const struct reading *r, const struct nj_yaml_node *list)
{
	struct nj_ai_endpoints *e = r->to;
	int err = list->kind == NJ_YAML_LIST ? NJ_OK : nj_yaml_fail(r->yaml, list, r->message, "headers is a list");
	for (const struct nj_yaml_node *at = list->first; at != NULL && err == NJ_OK; at = at->next) {
		if (e->headers_n == NJ_AI_HEADERS_MAX)
			return nj_yaml_fail(r->yaml, at, r->message, "more than %d headers", NJ_AI_HEADERS_MAX);
		struct nj_ai_header *header = &e->header[e->headers_n];
		err = text_of(r, at, header->text, sizeof header->text);
		if (err < 0)
			return err;
		header->bytes = (uint8_t)strlen(header->text);
		header->begins = header->text[header->bytes - 1] == '-';
		e->headers_n++;
	}
	return err;
}

static int read_list(const struct reading *r, const struct nj_yaml_node *list)
{
	bool servers = strcmp(list->key, "servers") == 0;
	int err =
		list->kind == NJ_YAML_LIST ? NJ_OK : nj_yaml_fail(r->yaml, list, r->message, "%s is a list", list->key);
	for (const struct nj_yaml_node *at = list->first; at != NULL && err == NJ_OK; at = at->next)
		err = servers ? read_entry(r, at, "ports", read_port) : read_entry(r, at, "names", read_name);
	return err;
}

static int read_part(const struct reading *r, const struct nj_yaml_node *part)
{
	if (strcmp(part->key, "version") == 0 && part->kind == NJ_YAML_TEXT && strcmp(part->text, "1") == 0)
		return NJ_OK;
	if (strcmp(part->key, "version") == 0)
		return nj_yaml_fail(r->yaml, part, r->message, "this program reads version 1 of ai_endpoints");
	if (strcmp(part->key, "providers") == 0 || strcmp(part->key, "servers") == 0)
		return read_list(r, part);
	if (strcmp(part->key, "paths") == 0)
		return read_paths(r, part);
	if (strcmp(part->key, "headers") == 0)
		return read_headers(r, part);
	return nj_yaml_fail(r->yaml, part, r->message, "unknown key '%s'", part->key);
}

static int read_document(struct nj_ai_endpoints *endpoints, const struct nj_yaml *yaml, struct nj_message *message)
{
	const struct reading r = {endpoints, yaml, message};
	const struct nj_yaml_node *root = nj_yaml_root(yaml), *top = root->first;
	if (root->kind != NJ_YAML_MAP || top == NULL || strcmp(top->key, "ai_endpoints") != 0 || top->next != NULL ||
	    top->kind != NJ_YAML_MAP)
		return nj_yaml_fail(yaml, root, message, "such a file has one key, 'ai_endpoints'");
	int err = NJ_OK;
	for (const struct nj_yaml_node *at = top->first; at != NULL && err == NJ_OK; at = at->next)
		err = read_part(&r, at);
	return err;
}

int nj_ai_endpoints_parse(struct nj_ai_endpoints *endpoints, const char *name, const char *text, size_t size,
			  struct nj_message *message)
{
	struct nj_yaml *yaml = NULL;
	int err = nj_yaml_parse(name, text, size, message, &yaml);
	if (err == NJ_OK)
		err = read_document(endpoints, yaml, message);
	nj_yaml_free(&yaml);
	return err;
}

int nj_ai_endpoints_load(struct nj_ai_endpoints *endpoints, const char *path, struct nj_message *message)
{
	struct nj_yaml *yaml = NULL;
	int err = nj_yaml_load(path, message, &yaml);
	if (err == NJ_OK)
		err = read_document(endpoints, yaml, message);
	nj_yaml_free(&yaml);
	return err;
}

int nj_ai_endpoints_init(struct nj_ai_endpoints *endpoints, struct nj_message *message)
{
	memset(endpoints, 0, sizeof *endpoints);
	return nj_ai_endpoints_parse(endpoints, "ai_endpoints.yaml", nj_ai_endpoints_text, nj_ai_endpoints_text_bytes,
				     message);
}
