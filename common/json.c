/* The only file that knows jansson: its parser is fast enough for a baseline of tens of megabytes and refuses what RFC
 * 8259 refuses. */
#include "common/json.h"

#include <jansson.h>

/* struct nj_json is never defined: a pointer to one is a json_t pointer in disguise, and this file is the only one that
 * lifts it. */
static const json_t *lift(const struct nj_json *value)
{
	return (const json_t *)value;
}

int nj_json_parse(const char *name, const char *text, size_t size, struct nj_message *message,
		  struct nj_json **ret_root)
{
	if (size > NJ_JSON_BYTES_MAX)
		return nj_fail(message, NJ_ERR_LIMIT, "%s: larger than %u MiB", name, NJ_JSON_BYTES_MAX >> 20);
	json_error_t error;
	json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
	if (root == NULL)
		return nj_fail(message, NJ_ERR_FORMAT, "%s:%d: %s", name, error.line, error.text);
	*ret_root = (struct nj_json *)root;
	return NJ_OK;
}

void nj_json_free(struct nj_json **root)
{
	json_decref((json_t *)*root);
	*root = NULL;
}

const struct nj_json *nj_json_get(const struct nj_json *value, const char *key)
{
	return (const struct nj_json *)json_object_get(lift(value), key);
}

const struct nj_json *nj_json_at(const struct nj_json *value, size_t index)
{
	return (const struct nj_json *)json_array_get(lift(value), index);
}

size_t nj_json_size(const struct nj_json *value)
{
	return json_is_object(lift(value)) ? json_object_size(lift(value)) : json_array_size(lift(value));
}

const char *nj_json_text(const struct nj_json *value, const char *otherwise)
{
	return json_is_string(lift(value)) ? json_string_value(lift(value)) : otherwise;
}

double nj_json_double(const struct nj_json *value, double otherwise)
{
	return json_is_number(lift(value)) ? json_number_value(lift(value)) : otherwise;
}

uint64_t nj_json_u64(const struct nj_json *value, uint64_t otherwise)
{
	if (!json_is_integer(lift(value)) || json_integer_value(lift(value)) < 0)
		return otherwise;
	return (uint64_t)json_integer_value(lift(value));
}

bool nj_json_bool(const struct nj_json *value, bool otherwise)
{
	return json_is_boolean(lift(value)) ? json_is_true(lift(value)) : otherwise;
}
