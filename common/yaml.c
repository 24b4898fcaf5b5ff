/* libyaml's event stream, turned into nodes of one arena. Building is a loop over events with an explicit stack:
 * hostile nesting meets the depth bound, not the C stack. */
#include "common/yaml.h"

#include "common/arena.h"
#include "common/file.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* The densest file, a list of single letters, needs 40 bytes a byte. */
#define ARENA_BYTES_PER_BYTE 48
#define ARENA_BYTES_MIN      4096

struct nj_yaml {
	const char *name;
	struct nj_arena arena;
	struct nj_yaml_node *root;
};

/* An open list or map. */
struct level {
	struct nj_yaml_node *node, *last;
	const char *key; /* read, its value not yet */
	uint32_t keys_n;
	uint32_t key_line; /* where key stands */
};

struct builder {
	struct nj_yaml *yaml;
	struct nj_message *message;
	struct level level[NJ_YAML_DEPTH_MAX];
	uint32_t depth;
};

static int fail_at(const struct nj_yaml *yaml, size_t line, struct nj_message *message, const char *what)
{
	return nj_fail(message, NJ_ERR_USAGE, "%s:%zu: %s", yaml->name, line, what);
}

int nj_yaml_fail(const struct nj_yaml *yaml, const struct nj_yaml_node *node, struct nj_message *message,
		 const char *format, ...)
{
	char what[384];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(what, sizeof what, format, arguments);
	va_end(arguments);
	return fail_at(yaml, node->line, message, what);
}

static const char *copy_text(struct builder *b, const yaml_event_t *event)
{
	char *text = nj_arena_take(&b->yaml->arena, event->data.scalar.length + 1);
	if (text != NULL)
		memcpy(text, event->data.scalar.value, event->data.scalar.length);
	return text;
}

static bool has_key(const struct nj_yaml_node *map, const char *key)
{
	for (const struct nj_yaml_node *node = map->first; node != NULL; node = node->next)
		if (strcmp(node->key, key) == 0)
			return true;
	return false;
}

/* Hangs a new node into the open list or map, or makes it the root. */
static int attach(struct builder *b, struct nj_yaml_node *node)
{
	if (b->depth == 0) {
		b->yaml->root = node;
		return NJ_OK;
	}
	struct level *level = &b->level[b->depth - 1];
	if (level->node->kind == NJ_YAML_MAP) {
		if (has_key(level->node, level->key))
			return nj_yaml_fail(b->yaml, node, b->message, "key '%s' stands twice", level->key);
		if (++level->keys_n > NJ_YAML_KEYS_MAX)
			return nj_yaml_fail(b->yaml, node, b->message, "more than %u keys", NJ_YAML_KEYS_MAX);
		node->key = level->key;
		node->line = level->key_line; /* of a map the key is what people look for */
		level->key = NULL;
	}
	if (level->last == NULL)
		level->node->first = node;
	else
		level->last->next = node;
	level->last = node;
	return NJ_OK;
}

static bool awaits_key(const struct builder *b)
{
	return b->depth > 0 && b->level[b->depth - 1].node->kind == NJ_YAML_MAP && b->level[b->depth - 1].key == NULL;
}

static int add_node(struct builder *b, const yaml_event_t *event, enum nj_yaml_kind kind)
{
	size_t line = event->start_mark.line + 1;
	const char *text = NULL;
	if (kind != NJ_YAML_TEXT && awaits_key(b))
		return fail_at(b->yaml, line, b->message, "a key must be plain text");
	if (kind != NJ_YAML_TEXT && b->depth == NJ_YAML_DEPTH_MAX)
		return fail_at(b->yaml, line, b->message, "nested too deep");
	struct nj_yaml_node *node = NULL;
	if (kind != NJ_YAML_TEXT || ((text = copy_text(b, event)) != NULL && !awaits_key(b)))
		node = nj_arena_take(&b->yaml->arena, sizeof *node);
	if (kind == NJ_YAML_TEXT && text != NULL && awaits_key(b)) {
		b->level[b->depth - 1].key = text;
		b->level[b->depth - 1].key_line = (uint32_t)line;
		return NJ_OK;
	}
	if (node == NULL)
		return fail_at(b->yaml, line, b->message, "too much for its size");
	*node = (struct nj_yaml_node){.text = text, .line = (uint32_t)line, .kind = kind};
	int err = attach(b, node);
	if (err == NJ_OK && kind != NJ_YAML_TEXT)
		b->level[b->depth++] = (struct level){.node = node};
	return err;
}

/* Tags and anchors would let text mean what it does not say; "!" alone is what libyaml gives a quoted scalar. */
static bool is_plain(const yaml_char_t *anchor, const yaml_char_t *tag)
{
	return anchor == NULL && tag == NULL;
}

static int take_scalar(struct builder *b, const yaml_event_t *event)
{
	size_t line = event->start_mark.line + 1;
	if (!is_plain(event->data.scalar.anchor, event->data.scalar.tag))
		return fail_at(b->yaml, line, b->message, "anchors and tags are not allowed");
	if (memchr(event->data.scalar.value, '\0', event->data.scalar.length) != NULL)
		return fail_at(b->yaml, line, b->message, "text contains a NUL");
	return add_node(b, event, NJ_YAML_TEXT);
}

static int take_event(struct builder *b, const yaml_event_t *event)
{
	size_t line = event->start_mark.line + 1;
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		return b->yaml->root == NULL ? NJ_OK : fail_at(b->yaml, line, b->message, "a second document begins");
	case YAML_SCALAR_EVENT:
		return take_scalar(b, event);
	case YAML_SEQUENCE_START_EVENT:
		if (!is_plain(event->data.sequence_start.anchor, event->data.sequence_start.tag))
			return fail_at(b->yaml, line, b->message, "anchors and tags are not allowed");
		return add_node(b, event, NJ_YAML_LIST);
	case YAML_MAPPING_START_EVENT:
		if (!is_plain(event->data.mapping_start.anchor, event->data.mapping_start.tag))
			return fail_at(b->yaml, line, b->message, "anchors and tags are not allowed");
		return add_node(b, event, NJ_YAML_MAP);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		b->depth--;
		return NJ_OK;
	case YAML_ALIAS_EVENT:
		return fail_at(b->yaml, line, b->message, "aliases are not allowed");
	default:
		return NJ_OK;
	}
}

static int build(struct builder *b, yaml_parser_t *parser)
{
	for (bool more = true; more;) {
		yaml_event_t event;
		if (!yaml_parser_parse(parser, &event))
			return fail_at(b->yaml, parser->problem_mark.line + 1, b->message,
				       parser->problem != NULL ? parser->problem : "cannot be parsed");
		more = event.type != YAML_STREAM_END_EVENT;
		int err = take_event(b, &event);
		yaml_event_delete(&event);
		if (err < 0)
			return err;
	}
	return NJ_OK;
}

static int parse_into(struct nj_yaml *yaml, const char *text, size_t size, struct nj_message *message)
{
	yaml_parser_t parser;
	if (!yaml_parser_initialize(&parser))
		return NJ_ERR_MEMORY;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	struct builder b = {.yaml = yaml, .message = message};
	int err = build(&b, &parser);
	yaml_parser_delete(&parser);
	if (err == NJ_OK && yaml->root == NULL) {
		yaml->root = nj_arena_take(&yaml->arena, sizeof *yaml->root);
		*yaml->root = (struct nj_yaml_node){.line = 1, .kind = NJ_YAML_MAP};
	}
	return err;
}

int nj_yaml_parse(const char *name, const char *text, size_t size, struct nj_message *message,
		  struct nj_yaml **ret_yaml)
{
	if (size > NJ_YAML_BYTES_MAX)
		return nj_fail(message, NJ_ERR_LIMIT, "%s: larger than %u MiB", name, NJ_YAML_BYTES_MAX >> 20);
	struct nj_yaml *yaml = calloc(1, sizeof *yaml);
	if (yaml == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "%s: out of memory", name);
	yaml->name = name;
	int err = nj_arena_init(&yaml->arena, ARENA_BYTES_PER_BYTE * size + ARENA_BYTES_MIN);
	if (err == NJ_OK)
		err = parse_into(yaml, text, size, message);
	if (err == NJ_ERR_MEMORY)
		nj_fail(message, err, "%s: out of memory", name);
	if (err < 0)
		nj_yaml_free(&yaml);
	else
		*ret_yaml = yaml;
	return err;
}

int nj_yaml_load(const char *path, struct nj_message *message, struct nj_yaml **ret_yaml)
{
	char *text;
	size_t size;
	int err = nj_file_read(path, NJ_YAML_BYTES_MAX, message, &text, &size);
	if (err < 0)
		return err;
	err = nj_yaml_parse(path, text, size, message, ret_yaml);
	free(text);
	return err;
}

void nj_yaml_free(struct nj_yaml **yaml)
{
	if (*yaml == NULL)
		return;
	nj_arena_fini(&(*yaml)->arena);
	free(*yaml);
	*yaml = NULL;
}

const struct nj_yaml_node *nj_yaml_root(const struct nj_yaml *yaml)
{
	return yaml->root;
}
