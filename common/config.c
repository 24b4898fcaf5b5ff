/* Every value passes parse_value(), wherever it comes from: defaults, file or command line. */
#include "common/config.h"

#include "common/yaml.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct suffix {
	const char *text;
	double factor;
};

static const struct suffix durations_ms[] = {{"ms", 1},    {"s", 1e3},    {"min", 6e4},
					     {"h", 3.6e6}, {"d", 8.64e7}, {NULL, 0}};
static const struct suffix sizes[] = {{"", 1},          {"B", 1},         {"k", 1 << 10},
				      {"KiB", 1 << 10}, {"M", 1 << 20},   {"MiB", 1 << 20},
				      {"G", 1 << 30},   {"GiB", 1 << 30}, {NULL, 0}};

static const struct nj_option *find(const struct nj_schema *schema, const char *name, size_t length)
{
	for (size_t i = 0; i < schema->options_n; i++)
		if (strlen(schema->options[i].name) == length && memcmp(schema->options[i].name, name, length) == 0)
			return &schema->options[i];
	return NULL;
}

static double factor_of(const struct suffix *suffixes, const char *text)
{
	for (; suffixes->text != NULL; suffixes++)
		if (strcmp(suffixes->text, text) == 0)
			return suffixes->factor;
	return NAN;
}

/* What one unit of the written number is worth in units of the option; NAN for a suffix that says nothing here. */
static double scale(const struct nj_option *option, const char *suffix)
{
	if (option->type == NJ_OPTION_BYTES)
		return factor_of(sizes, suffix);
	if (*suffix == '\0')
		return 1;
	if (option->type == NJ_OPTION_DURATION)
		return factor_of(durations_ms, suffix) / factor_of(durations_ms, option->unit);
	return NAN;
}

static int parse_number(const struct nj_option *option, const char *text, struct nj_message *message, double *ret_value)
{
	char *end;
	double number = strtod(text, &end);
	bool is_number =
		end != text && strcspn(text, "xXnN") >= (size_t)(end - text); /* no hexadecimal, no "nan", no "inf" */
	while (*end == ' ')
		end++;
	double value = number * scale(option, end);
	bool whole = option->type == NJ_OPTION_REAL || floor(value) == value;
	if (!is_number || isnan(value) || !whole)
		return nj_fail(message, NJ_ERR_USAGE, "%s: '%.40s' is not a number%s%s", option->name, text,
			       *option->unit ? " of " : "", option->unit);
	if (value < option->min || value > option->max)
		return nj_fail(message, NJ_ERR_USAGE, "%s: %.40s is outside %.15g..%.15g %s", option->name, text,
			       option->min, option->max, option->unit);
	*ret_value = value;
	return NJ_OK;
}

static int parse_flag(const struct nj_option *option, const char *text, struct nj_message *message, bool *ret_flag)
{
	static const char *const words[2][3] = {{"false", "no", "off"}, {"true", "yes", "on"}};
	for (int value = 0; value < 2; value++)
		for (int i = 0; i < 3; i++)
			if (strcmp(text, words[value][i]) == 0)
				return *ret_flag = value, NJ_OK;
	return nj_fail(message, NJ_ERR_USAGE, "%s: '%.40s' is neither true nor false", option->name, text);
}

/* The place of *text* among the words "a|b|c". */
static int parse_choice(const struct nj_option *option, const char *text, struct nj_message *message,
			uint32_t *ret_place)
{
	size_t length = strlen(text);
	uint32_t place = 0;
	for (const char *word = option->unit;; place++) {
		size_t n = strcspn(word, "|");
		if (n == length && memcmp(word, text, n) == 0)
			return *ret_place = place, NJ_OK;
		if (word[n] == '\0')
			break;
		word += n + 1;
	}
	return nj_fail(message, NJ_ERR_USAGE, "%s: '%.40s' is none of %s", option->name, text, option->unit);
}

static int copy_text(const struct nj_option *option, const char *text, size_t length, struct nj_message *message,
		     char *ret_text)
{
	if (length >= NJ_OPTION_TEXT_MAX)
		return nj_fail(message, NJ_ERR_USAGE, "%s: text longer than %d characters", option->name,
			       NJ_OPTION_TEXT_MAX - 1);
	memcpy(ret_text, text, length);
	ret_text[length] = '\0';
	return NJ_OK;
}

static int parse_text(const struct nj_option *option, const char *text, struct nj_message *message, char *ret_text)
{
	size_t length = strlen(text);
	if ((double)length < option->min || (double)length > option->max)
		return nj_fail(message, NJ_ERR_USAGE, "%s: '%.40s' must have %.15g to %.15g characters", option->name,
			       text, option->min, option->max);
	return copy_text(option, text, length, message, ret_text);
}

static int append(const struct nj_option *option, const char *text, size_t length, struct nj_message *message,
		  struct nj_option_list *list)
{
	if (list->n >= NJ_OPTION_LIST_MAX || list->n >= option->max)
		return nj_fail(message, NJ_ERR_USAGE, "%s: more than %u elements", option->name, list->n);
	int err = copy_text(option, text, length, message, list->text[list->n]);
	if (err == NJ_OK)
		list->n++;
	return err;
}

static int check_list(const struct nj_option *option, const struct nj_option_list *list, struct nj_message *message)
{
	if (list->n < option->min)
		return nj_fail(message, NJ_ERR_USAGE, "%s: needs at least %.15g elements", option->name, option->min);
	return NJ_OK;
}

static int add_elements(const struct nj_option *option, const char *text, struct nj_message *message,
			struct nj_option_list *list)
{
	int err = NJ_OK;
	for (const char *at = text; *at != '\0' && err == NJ_OK;) {
		size_t length = strcspn(at, ",");
		err = append(option, at, length, message, list);
		at += length + (at[length] == ',');
	}
	return err;
}

static int parse_list(const struct nj_option *option, const char *text, struct nj_message *message,
		      struct nj_option_list *list)
{
	list->n = 0;
	int err = add_elements(option, text, message, list);
	return err == NJ_OK ? check_list(option, list, message) : err;
}

static void store_number(const struct nj_option *option, double value, void *field)
{
	if (option->type == NJ_OPTION_REAL)
		*(double *)field = value;
	else if (option->type == NJ_OPTION_BYTES)
		*(uint64_t *)field = (uint64_t)value;
	else
		*(uint32_t *)field = (uint32_t)value;
}

static int parse_value(const struct nj_option *option, const char *text, void *config, struct nj_message *message)
{
	void *field = (char *)config + option->offset;
	double value = 0;
	int err;
	switch (option->type) {
	case NJ_OPTION_FLAG:
		return parse_flag(option, text, message, field);
	case NJ_OPTION_TEXT:
		return parse_text(option, text, message, field);
	case NJ_OPTION_CHOICE:
		return parse_choice(option, text, message, field);
	case NJ_OPTION_LIST:
		return parse_list(option, text, message, field);
	default:
		err = parse_number(option, text, message, &value);
		if (err == NJ_OK)
			store_number(option, value, field);
		return err;
	}
}

void nj_config_defaults(const struct nj_schema *schema, void *config)
{
	for (size_t i = 0; i < schema->options_n; i++) {
		int err = parse_value(&schema->options[i], schema->options[i].otherwise, config, NULL);
		assert(err == NJ_OK);
	}
}

static int take_list(const struct nj_option *option, const struct nj_yaml_node *node, void *config,
		     struct nj_message *message)
{
	struct nj_option_list *list = (void *)((char *)config + option->offset);
	int err = NJ_OK;
	list->n = 0;
	for (const struct nj_yaml_node *item = node->first; item != NULL && err == NJ_OK; item = item->next)
		err = item->kind == NJ_YAML_TEXT
			      ? append(option, item->text, strlen(item->text), message, list)
			      : nj_fail(message, NJ_ERR_USAGE, "%s: an element must be plain text", option->name);
	return err == NJ_OK ? check_list(option, list, message) : err;
}

static int take_node(const struct nj_schema *schema, const struct nj_yaml_node *node, void *config,
		     struct nj_message *message)
{
	const struct nj_option *option = find(schema, node->key, strlen(node->key));
	if (option == NULL)
		return nj_fail(message, NJ_ERR_USAGE, "unknown key '%.60s'", node->key);
	if (option->type == NJ_OPTION_LIST && node->kind == NJ_YAML_LIST)
		return take_list(option, node, config, message);
	if (node->kind != NJ_YAML_TEXT)
		return nj_fail(message, NJ_ERR_USAGE, "%s: expects one value", option->name);
	return parse_value(option, node->text, config, message);
}

int nj_config_load(const struct nj_schema *schema, const char *path, void *config, size_t config_size,
		   struct nj_message *message)
{
	struct nj_yaml *yaml;
	struct nj_message what;
	int err = nj_yaml_load(path, message, &yaml);
	if (err < 0)
		return err;
	void *draft = malloc(config_size);
	const struct nj_yaml_node *root = nj_yaml_root(yaml), *node = root->first;
	if (draft == NULL)
		err = nj_fail(message, NJ_ERR_MEMORY, "%s: out of memory", path);
	else if (root->kind != NJ_YAML_MAP)
		err = nj_yaml_fail(yaml, root, message, "must be a map of options");
	else
		memcpy(draft, config, config_size);
	for (; err == NJ_OK && node != NULL; node = node->next) {
		err = take_node(schema, node, draft, &what);
		if (err < 0)
			nj_yaml_fail(yaml, node, message, "%.380s", what.text);
	}
	if (err == NJ_OK)
		memcpy(config, draft, config_size);
	free(draft);
	nj_yaml_free(&yaml);
	return err;
}

int nj_config_set(const struct nj_schema *schema, const char *assignment, void *config, struct nj_message *message)
{
	size_t length = strcspn(assignment, "=");
	if (assignment[length] != '=')
		return nj_fail(message, NJ_ERR_USAGE, "'%.60s' is not NAME=VALUE", assignment);
	const struct nj_option *option = find(schema, assignment, length);
	if (option == NULL)
		return nj_fail(message, NJ_ERR_USAGE, "unknown option '%.*s'", (int)(length < 60 ? length : 60),
			       assignment);
	return parse_value(option, assignment + length + 1, config, message);
}

int nj_config_set_option(const struct nj_schema *schema, const char *name, const char *value, void *config,
			 struct nj_message *message)
{
	char assignment[NJ_OPTION_TEXT_MAX + 64];
	int length = snprintf(assignment, sizeof assignment, "%s=%s", name, value);
	if (length < 0 || (size_t)length >= sizeof assignment)
		return nj_fail(message, NJ_ERR_USAGE, "--%s: the value is too long", name);
	return nj_config_set(schema, assignment, config, message);
}

int nj_config_add(const struct nj_schema *schema, const char *name, const char *value, void *config,
		  struct nj_message *message)
{
	const struct nj_option *option = find(schema, name, strlen(name));
	if (option == NULL || option->type != NJ_OPTION_LIST)
		return nj_fail(message, NJ_ERR_USAGE, "'%.60s' is no list", name);
	return add_elements(option, value, message, (void *)((char *)config + option->offset));
}

static bool equal_lists(const struct nj_option_list *a, const struct nj_option_list *b)
{
	bool equal = a->n == b->n;
	for (uint32_t i = 0; equal && i < a->n; i++)
		equal = strcmp(a->text[i], b->text[i]) == 0;
	return equal;
}

static bool equal_values(const struct nj_option *option, const void *a, const void *b)
{
	switch (option->type) {
	case NJ_OPTION_TEXT:
		return strcmp(a, b) == 0;
	case NJ_OPTION_LIST:
		return equal_lists(a, b);
	case NJ_OPTION_FLAG:
		return *(const bool *)a == *(const bool *)b;
	case NJ_OPTION_BYTES:
	case NJ_OPTION_REAL:
		return memcmp(a, b, 8) == 0;
	default:
		return *(const uint32_t *)a == *(const uint32_t *)b;
	}
}

const char *nj_config_difference(const struct nj_schema *schema, const void *a, const void *b, const char *after)
{
	const struct nj_option *option = schema->options, *end = option + schema->options_n;
	if (after != NULL)
		option = find(schema, after, strlen(after)) + 1;
	for (; option < end; option++)
		if (!equal_values(option, (const char *)a + option->offset, (const char *)b + option->offset))
			return option->name;
	return NULL;
}

static bool has_range(const struct nj_option *option)
{
	return option->type != NJ_OPTION_FLAG && option->type != NJ_OPTION_TEXT && option->type != NJ_OPTION_LIST &&
	       option->type != NJ_OPTION_CHOICE;
}

void nj_config_help(const struct nj_schema *schema, FILE *file)
{
	for (size_t i = 0; i < schema->options_n; i++) {
		const struct nj_option *option = &schema->options[i];
		fprintf(file, "  %-24s %s", option->name, option->meaning);
		if (has_range(option))
			fprintf(file, "\n  %-24s   %.15g to %.15g %s, default %s", "", option->min, option->max,
				option->unit, option->otherwise);
		else if (option->type == NJ_OPTION_CHOICE)
			fprintf(file, "\n  %-24s   %s, default %s", "", option->unit, option->otherwise);
		else
			fprintf(file, "\n  %-24s   default %s", "",
				*option->otherwise != '\0' ? option->otherwise : "none");
		fputc('\n', file);
	}
}

/* Double quotes, so that nothing a text may contain means anything to YAML. */
static void dump_text(const char *text, FILE *file)
{
	fputc('"', file);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', file);
		if ((unsigned char)*text < 0x20)
			fprintf(file, "\\x%02x", (unsigned char)*text);
		else
			fputc(*text, file);
	}
	fputc('"', file);
}

static void dump_choice(const struct nj_option *option, uint32_t place, FILE *file)
{
	const char *word = option->unit;
	for (; place > 0; place--)
		word += strcspn(word, "|") + 1;
	fprintf(file, "\"%.*s\"", (int)strcspn(word, "|"), word);
}

static void dump_list(const struct nj_option_list *list, FILE *file)
{
	fputc('[', file);
	for (uint32_t i = 0; i < list->n; i++) {
		fputs(i > 0 ? ", " : "", file);
		dump_text(list->text[i], file);
	}
	fputc(']', file);
}

static void dump_value(const struct nj_option *option, const void *field, FILE *file)
{
	switch (option->type) {
	case NJ_OPTION_FLAG:
		fputs(*(const bool *)field ? "true" : "false", file);
		break;
	case NJ_OPTION_TEXT:
		dump_text(field, file);
		break;
	case NJ_OPTION_CHOICE:
		dump_choice(option, *(const uint32_t *)field, file);
		break;
	case NJ_OPTION_LIST:
		dump_list(field, file);
		break;
	case NJ_OPTION_REAL:
		fprintf(file, "%.17g", *(const double *)field);
		break;
	case NJ_OPTION_BYTES:
		fprintf(file, "%llu", (unsigned long long)*(const uint64_t *)field);
		break;
	default:
		fprintf(file, "%u", *(const uint32_t *)field);
	}
}

void nj_config_dump(const struct nj_schema *schema, const void *config, FILE *file)
{
	for (size_t i = 0; i < schema->options_n; i++) {
		const struct nj_option *option = &schema->options[i];
		fprintf(file, "# %s%s%s\n%s: ", option->meaning, *option->unit != '\0' ? "; unit: " : "", option->unit,
			option->name);
		dump_value(option, (const char *)config + option->offset, file);
		fputc('\n', file);
	}
}
