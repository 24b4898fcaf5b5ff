/* `nightjar config check FILE...`: reads each file as the programs would and says what is wrong with it, by line. A
 * file is taken for what knows most of its keys: the aggregator's options, the sensor's, or else an inventory. */
#include "cli/verbs.h"

#include "aggregator/aggregator_config.h"
#include "common/inventory.h"
#include "common/label.h"
#include "common/yaml.h"
#include "sensor/sensor_config.h"

#include <string.h>

static bool knows(const struct nj_schema *schema, const char *key)
{
	for (size_t i = 0; i < schema->options_n; i++) {
		if (strcmp(schema->options[i].name, key) == 0)
			return true;
	}
	return false;
}

/* How many keys of each schema the file has; none when it is no YAML: then the inventory's reader will complain. */
static void count_keys(const char *path, unsigned *aggregator_n, unsigned *sensor_n)
{
	struct nj_yaml *yaml = NULL;
	*aggregator_n = *sensor_n = 0;
	if (nj_yaml_load(path, NULL, &yaml) != NJ_OK)
		return;
	const struct nj_yaml_node *root = nj_yaml_root(yaml);
	for (const struct nj_yaml_node *node = root->kind == NJ_YAML_MAP ? root->first : NULL; node != NULL;
	     node = node->next) {
		*aggregator_n += knows(&nj_aggregator_schema, node->key);
		*sensor_n += knows(&nj_sensor_schema, node->key);
	}
	nj_yaml_free(&yaml);
}

/* What *path* is, as a word; its complaint goes to *message*. */
static int read_file(const char *path, const char **ret_kind, struct nj_message *message)
{
	unsigned aggregator_n, sensor_n;
	count_keys(path, &aggregator_n, &sensor_n);
	if (aggregator_n > 0 && aggregator_n >= sensor_n) {
		struct nj_aggregator_config config;
		*ret_kind = "configuration of an aggregator";
		nj_config_defaults(&nj_aggregator_schema, &config);
		return nj_config_load(&nj_aggregator_schema, path, &config, sizeof config, message);
	}
	if (sensor_n > 0) {
		struct nj_sensor_config config;
		*ret_kind = "configuration of a sensor";
		nj_config_defaults(&nj_sensor_schema, &config);
		return nj_config_load(&nj_sensor_schema, path, &config, sizeof config, message);
	}
	struct nj_inventory *inventory = NULL;
	*ret_kind = "inventory";
	int error = nj_inventory_load(path, message, &inventory);
	nj_inventory_free(&inventory);
	return error;
}

/* The exit code of one file. */
static enum nj_exit check_file(const char *path, struct nj_console *console)
{
	struct nj_message message = {""};
	const char *kind;
	char line[sizeof message.text * 2];
	int error = read_file(path, &kind, &message);
	if (error == NJ_OK) {
		nj_label(path, strlen(path), line, sizeof line);
		fprintf(console->out, "%s: good (%s)\n", line, kind);
		return NJ_EXIT_DONE;
	}
	const char *words = message.text[0] != '\0' ? message.text : nj_error_text(error);
	nj_label(words, strlen(words), line, sizeof line);
	fprintf(console->err, "nightjar config: %s\n", line);
	return error == NJ_ERR_USAGE ? NJ_EXIT_USAGE : NJ_EXIT_FAILURE;
}

enum nj_exit nj_config_run(const struct nj_arguments *arguments, struct nj_console *console)
{
	struct nj_message message = {""};
	enum nj_exit worst = NJ_EXIT_DONE;
	if (strcmp(arguments->operands[0], "check") != 0) {
		nj_fail(&message, NJ_ERR_USAGE, "'%.80s' is not known: nightjar config check FILE...",
			arguments->operands[0]);
		return nj_verb_fail(arguments, console, NJ_ERR_USAGE, &message);
	}
	for (uint32_t i = 1; i < arguments->operands_n; i++) {
		enum nj_exit code = check_file(arguments->operands[i], console);
		worst = code > worst ? code : worst;
	}
	int error = nj_console_flush(console, &message);
	if (error != NJ_OK && error != NJ_ERR_AGAIN)
		return nj_verb_fail(arguments, console, error, &message);
	return worst;
}
