/* `nightjar config check FILE...`: reads each inventory as the programs would and says what is wrong with it, by line.
 * The configurations of sensor and aggregator are checked by these programs themselves (--check), which know their
 * tables. */
#include "cli/verbs.h"

#include "common/inventory.h"
#include "common/label.h"

#include <string.h>

static bool check_file(const char *path, struct nj_console *console)
{
	struct nj_inventory *inventory = NULL;
	struct nj_message message = {""};
	char line[sizeof message.text * 2];
	int error = nj_inventory_load(path, &message, &inventory);
	nj_inventory_free(&inventory);
	if (error == NJ_OK) {
		nj_label(path, strlen(path), line, sizeof line);
		fprintf(console->out, "%s: good\n", line);
		return true;
	}
	const char *words = message.text[0] != '\0' ? message.text : nj_error_text(error);
	nj_label(words, strlen(words), line, sizeof line);
	fprintf(console->err, "nightjar config: %s\n", line);
	return false;
}

enum nj_exit nj_config_run(const struct nj_arguments *arguments, struct nj_console *console)
{
	struct nj_message message = {""};
	bool good = true;
	if (strcmp(arguments->operands[0], "check") != 0) {
		nj_fail(&message, NJ_ERR_USAGE, "'%.80s' is not known: nightjar config check FILE...",
			arguments->operands[0]);
		return nj_verb_fail(arguments, console, NJ_ERR_USAGE, &message);
	}
	for (uint32_t i = 1; i < arguments->operands_n; i++)
		good = check_file(arguments->operands[i], console) && good;
	int error = nj_console_flush(console, &message);
	if (error != NJ_OK && error != NJ_ERR_AGAIN)
		return nj_verb_fail(arguments, console, error, &message);
	return good ? NJ_EXIT_DONE : NJ_EXIT_USAGE;
}
