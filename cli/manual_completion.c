/* Completions for bash, zsh and fish. Each stands alone: no helper that a system may lack. For a daemon, --set
 * completes the names of the schema; for nightjar, the first word is a verb and the options are those of that verb. */
#include "cli/args.h"
#include "cli/manual.h"

#include <string.h>

static const struct verb {
	const char *name, *what;
	bool takes_files;
} verbs[] = {
#define VERB_ROW(symbol, name, least, most, form, what)                                                                \
	{name, what, (most) > 1 || NJ_VERB_##symbol == NJ_VERB_EVALUATE},
	NJ_VERBS(VERB_ROW)
#undef VERB_ROW
};

#define VERBS_N (sizeof verbs / sizeof verbs[0])

/* "_nightjar_sensor": what a shell takes as the name of a function. */
static void add_function_name(const struct nj_manual *manual, struct nj_text *text)
{
	nj_text_add(text, "_");
	for (const char *at = manual->program; *at != '\0'; at++)
		nj_text_add_bytes(text, *at == '-' ? "_" : at, 1);
}

/* "a|b|c" with *between* in place of the bars. */
static void add_words(const char *form, const char *between, struct nj_text *text)
{
	for (; *form != '\0'; form++)
		nj_text_add_bytes(text, *form == '|' ? between : form, 1);
}

/* Inside single quotes of a POSIX shell. */
static void add_quoted(const char *piece, struct nj_text *text)
{
	for (; *piece != '\0'; piece++) {
		if (*piece == '\'')
			nj_text_add(text, "'\\''");
		else
			nj_text_add_bytes(text, piece, 1);
	}
}

static void add_settings(const struct nj_manual *manual, const char *before, const char *after, struct nj_text *text)
{
	for (size_t i = 0; i < manual->schema->options_n; i++)
		nj_text_format(text, "%s%s=%s", before, manual->schema->options[i].name, after);
}

/* --- bash --- */

static void bash_values(const struct nj_manual *manual, struct nj_text *text)
{
	for (uint32_t i = 0; i < manual->options_n; i++) {
		const struct nj_manual_option *option = &manual->options[i];
		if (option->value == NJ_MANUAL_NONE)
			continue;
		if (option->short_name != 0)
			nj_text_format(text, "\t-%c|", option->short_name);
		nj_text_format(text, "%s--%s)\n", option->short_name != 0 ? "" : "\t", option->name);
		if (option->value == NJ_MANUAL_FILE)
			nj_text_add(text, "\t\tCOMPREPLY=($(compgen -f -- \"$current\"))\n");
		if (option->value == NJ_MANUAL_CHOICE) {
			nj_text_add(text, "\t\tCOMPREPLY=($(compgen -W \"");
			add_words(option->form, " ", text);
			nj_text_add(text, "\" -- \"$current\"))\n");
		}
		nj_text_add(text, "\t\treturn ;;\n");
	}
}

static void bash_options(const struct nj_manual *manual, uint32_t verbs_wanted, struct nj_text *text)
{
	for (uint32_t i = 0; i < manual->options_n; i++)
		if (verbs_wanted == 0 || (manual->options[i].verbs & verbs_wanted) != 0)
			nj_text_format(text, " --%s", manual->options[i].name);
}

static void bash_nightjar(const struct nj_manual *manual, struct nj_text *text)
{
	nj_text_add(text, "\tlocal options=\n\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n\t\tCOMPREPLY=($(compgen -W \"");
	for (size_t v = 0; v < VERBS_N; v++)
		nj_text_format(text, " %s", verbs[v].name);
	nj_text_add(text, "\" -- \"$current\"))\n\t\treturn\n\tfi\n\tcase ${COMP_WORDS[1]} in\n");
	for (size_t v = 0; v < VERBS_N; v++) {
		nj_text_format(text, "\t%s) options=\"", verbs[v].name);
		bash_options(manual, 1u << v, text);
		nj_text_add(text, "\" ;;\n");
	}
	nj_text_add(text, "\tesac\n");
}

void nj_manual_bash(const struct nj_manual *manual, struct nj_text *text)
{
	nj_text_format(text, "# bash completion for %s; made by nj_manual from the program's own tables.\n",
		       manual->program);
	add_function_name(manual, text);
	nj_text_add(text, "() {\n\tlocal current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
			  "\tCOMPREPLY=()\n\tcase $before in\n");
	if (manual->schema != NULL) {
		nj_text_add(text, "\t--set)\n\t\tcompopt -o nospace 2>/dev/null\n\t\tCOMPREPLY=($(compgen -W \"");
		add_settings(manual, " ", "", text);
		nj_text_add(text, "\" -- \"$current\"))\n\t\treturn ;;\n");
	}
	bash_values(manual, text);
	nj_text_add(text, "\tesac\n");
	if (manual->schema == NULL)
		bash_nightjar(manual, text);
	nj_text_add(text, "\tcase $current in\n\t-*) COMPREPLY=($(compgen -W \"");
	if (manual->schema == NULL)
		nj_text_add(text, "$options");
	else
		bash_options(manual, 0, text);
	nj_text_add(text, "\" -- \"$current\")) ;;\n\t*) COMPREPLY=($(compgen -f -- \"$current\")) ;;\n\tesac\n}\n"
			  "complete -o filenames -F ");
	add_function_name(manual, text);
	nj_text_format(text, " %s\n", manual->program);
}

/* --- zsh --- */

/* The text of a [description]: brackets and colons would end it. */
static void zsh_described(const char *words, struct nj_text *text)
{
	for (; *words != '\0'; words++) {
		if (strchr("[]:\\", *words) != NULL)
			nj_text_add(text, "\\");
		char one[2] = {*words, '\0'};
		add_quoted(one, text);
	}
}

static void zsh_option(const struct nj_manual *manual, const struct nj_manual_option *option, struct nj_text *text)
{
	nj_text_format(text, " \\\n\t\t\t'--%s", option->name);
	nj_text_add(text, "[");
	zsh_described(option->help, text);
	nj_text_add(text, "]");
	if (option->value != NJ_MANUAL_NONE)
		nj_text_add(text, ":value:");
	if (manual->schema != NULL && strcmp(option->name, "set") == 0) {
		nj_text_add(text, "(");
		add_settings(manual, " ", "", text);
		nj_text_add(text, ")");
	} else if (option->value == NJ_MANUAL_FILE) {
		nj_text_add(text, "_files");
	} else if (option->value == NJ_MANUAL_CHOICE) {
		nj_text_add(text, "(");
		add_words(option->form, " ", text);
		nj_text_add(text, ")");
	}
	nj_text_add(text, "'");
}

static void zsh_verbs(const struct nj_manual *manual, struct nj_text *text)
{
	nj_text_add(text, "\tlocal -a verbs=(");
	for (size_t v = 0; v < VERBS_N; v++) {
		nj_text_format(text, "\n\t\t'%s:", verbs[v].name);
		add_quoted(verbs[v].what, text);
		nj_text_add(text, "'");
	}
	nj_text_add(text, ")\n\tif (( CURRENT == 2 )); then\n\t\t_describe verb verbs\n\t\treturn\n\tfi\n"
			  "\tlocal verb=$words[2]\n\tshift words\n\t(( CURRENT-- ))\n\tcase $verb in\n");
	for (size_t v = 0; v < VERBS_N; v++) {
		nj_text_format(text, "\t%s)\n\t\t_arguments", verbs[v].name);
		for (uint32_t i = 0; i < manual->options_n; i++)
			if ((manual->options[i].verbs >> v & 1) != 0)
				zsh_option(manual, &manual->options[i], text);
		nj_text_format(text, "%s ;;\n", verbs[v].takes_files ? " \\\n\t\t\t'*:file:_files'" : "");
	}
	nj_text_add(text, "\tesac\n");
}

void nj_manual_zsh(const struct nj_manual *manual, struct nj_text *text)
{
	nj_text_format(text, "#compdef %s\n# Made by nj_manual from the program's own tables.\n", manual->program);
	add_function_name(manual, text);
	nj_text_add(text, "() {\n");
	if (manual->schema == NULL) {
		zsh_verbs(manual, text);
	} else {
		nj_text_add(text, "\t_arguments");
		for (uint32_t i = 0; i < manual->options_n; i++)
			zsh_option(manual, &manual->options[i], text);
		nj_text_add(text, " \\\n\t\t\t'*:file:_files'\n");
	}
	nj_text_add(text, "}\n");
	add_function_name(manual, text);
	nj_text_add(text, " \"$@\"\n");
}

/* --- fish --- */

static void fish_verbs(const struct nj_manual *manual, struct nj_text *text)
{
	for (size_t v = 0; v < VERBS_N; v++) {
		nj_text_format(text, "complete -c %s -f -n __fish_use_subcommand -a %s -d '", manual->program,
			       verbs[v].name);
		add_quoted(verbs[v].what, text);
		nj_text_add(text, "'\n");
	}
}

static void fish_option(const struct nj_manual *manual, const struct nj_manual_option *option, struct nj_text *text)
{
	nj_text_format(text, "complete -c %s", manual->program);
	if (manual->schema == NULL) {
		nj_text_add(text, " -n '__fish_seen_subcommand_from");
		for (size_t v = 0; v < VERBS_N; v++)
			if ((option->verbs >> v & 1) != 0)
				nj_text_format(text, " %s", verbs[v].name);
		nj_text_add(text, "'");
	}
	if (option->short_name != 0)
		nj_text_format(text, " -s %c", option->short_name);
	nj_text_format(text, " -l %s", option->name);
	if (manual->schema != NULL && strcmp(option->name, "set") == 0) {
		nj_text_add(text, " -x -a '");
		add_settings(manual, " ", "", text);
		nj_text_add(text, "'");
	} else if (option->value == NJ_MANUAL_FILE) {
		nj_text_add(text, " -r -F");
	} else if (option->value == NJ_MANUAL_CHOICE) {
		nj_text_add(text, " -x -a '");
		add_words(option->form, " ", text);
		nj_text_add(text, "'");
	} else if (option->value == NJ_MANUAL_OTHER) {
		nj_text_add(text, " -x");
	}
	if (option->help[0] != '\0') {
		nj_text_add(text, " -d '");
		add_quoted(option->help, text);
		nj_text_add(text, "'");
	}
	nj_text_add(text, "\n");
}

void nj_manual_fish(const struct nj_manual *manual, struct nj_text *text)
{
	nj_text_format(text, "# fish completion for %s; made by nj_manual from the program's own tables.\n",
		       manual->program);
	if (manual->schema == NULL)
		fish_verbs(manual, text);
	for (uint32_t i = 0; i < manual->options_n; i++)
		fish_option(manual, &manual->options[i], text);
}
