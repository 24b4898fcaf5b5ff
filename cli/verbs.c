/* What all verbs share. */
#include "cli/verbs.h"

#include "common/label.h"

#include <string.h>

enum nj_exit nj_verb_fail(const struct nj_arguments *arguments, struct nj_console *console, int error,
			  const struct nj_message *message)
{
	const char *words = message->text[0] != '\0' ? message->text : nj_error_text(error);
	char line[sizeof message->text * 2];
	nj_label(words, strlen(words), line, sizeof line);
	fprintf(console->err, "nightjar %s: %s\n", nj_verb_name(arguments->verb), line);
	return error == NJ_ERR_USAGE ? NJ_EXIT_USAGE : NJ_EXIT_FAILURE;
}
