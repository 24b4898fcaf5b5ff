/* roff in the man macros, understood by groff and mandoc alike. What comes from tables is escaped: a backslash or a dot
 * at the beginning of a line would be an instruction, and a plain '-' would be printed as a hyphen that nobody can
 * search for or paste. */
#include "cli/args.h"
#include "cli/manual.h"

#include <stdio.h>
#include <string.h>

static const struct verb {
	const char *name, *form, *what;
} verbs[] = {
#define VERB_ROW(symbol, name, least, most, form, what) {name, form, what},
	NJ_VERBS(VERB_ROW)
#undef VERB_ROW
};

static void add_escaped_bytes(struct nj_text *text, const char *piece, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		bool begins_line = i == 0 || piece[i - 1] == '\n';
		if (begins_line && (piece[i] == '.' || piece[i] == '\''))
			nj_text_add(text, "\\&");
		if (piece[i] == '\\')
			nj_text_add(text, "\\e");
		else if (piece[i] == '-')
			nj_text_add(text, "\\-");
		else
			nj_text_add_bytes(text, &piece[i], 1);
	}
}

static void add_escaped(struct nj_text *text, const char *piece)
{
	add_escaped_bytes(text, piece, strlen(piece));
}

static void add_bold(struct nj_text *text, const char *before, const char *words, const char *after)
{
	nj_text_format(text, "%s\\fB", before);
	add_escaped(text, words);
	nj_text_format(text, "\\fR%s", after);
}

static void add_italic(struct nj_text *text, const char *words, const char *after)
{
	if (words[0] == '\0')
		return;
	nj_text_add(text, " \\fI");
	add_escaped(text, words);
	nj_text_format(text, "\\fR%s", after);
}

static void add_title(const struct nj_manual *manual, const char *what, struct nj_text *text)
{
	nj_text_add(text, ".\\\" Made by nj_manual from the program's own tables.\n.TH ");
	for (const char *at = manual->program; *at != '\0'; at++) {
		char upper[2] = {*at >= 'a' && *at <= 'z' ? (char)(*at - 'a' + 'A') : *at, '\0'};
		add_escaped(text, upper);
	}
	nj_text_format(text, " %s \"\" \"nightjar %s\" \"Nightjar\"\n.SH NAME\n", manual->section, NJ_VERSION);
	add_escaped(text, manual->program);
	nj_text_add(text, " \\- ");
	add_escaped(text, what);
	nj_text_add(text, "\n");
}

static void add_exit_status(bool findings, struct nj_text *text)
{
	nj_text_add(text, ".SH \"EXIT STATUS\"\n.TP\n.B 0\nDone.\n");
	if (findings)
		nj_text_add(text,
			    ".TP\n.B 1\nSomething was found that is as severe as \\fB\\-\\-fail\\-on\\fR asks.\n");
	nj_text_add(text, ".TP\n.B 2\nA wrong option, configuration or inventory; the message names the place.\n"
			  ".TP\n.B 3\nA failure, or input that is damaged or cannot be read.\n");
}

/* --- nightjar --- */

static void add_verbs(struct nj_text *text)
{
	nj_text_add(text, ".SH VERBS\n");
	for (size_t v = 0; v < sizeof verbs / sizeof verbs[0]; v++) {
		nj_text_add(text, ".TP\n");
		add_bold(text, "", verbs[v].name, "");
		add_italic(text, verbs[v].form, "");
		nj_text_add(text, "\n");
		add_escaped(text, verbs[v].what);
		nj_text_add(text, ".\n");
	}
}

static void add_verbs_of(uint32_t set, struct nj_text *text)
{
	const char *before = "Of ";
	if (set == NJ_FOR_ALL) {
		nj_text_add(text, "Of every verb.\n");
		return;
	}
	for (size_t v = 0; v < sizeof verbs / sizeof verbs[0]; v++) {
		if ((set >> v & 1) == 0)
			continue;
		add_bold(text, before, verbs[v].name, "");
		before = ", ";
	}
	nj_text_add(text, ".\n");
}

static void add_option(const struct nj_manual_option *option, struct nj_text *text)
{
	nj_text_add(text, ".TP\n\\fB");
	if (option->short_name != 0)
		nj_text_format(text, "\\-%c\\fR, \\fB", option->short_name);
	nj_text_add(text, "\\-\\-");
	add_escaped(text, option->name);
	nj_text_add(text, "\\fR");
	add_italic(text, option->form, "");
	nj_text_add(text, "\n");
	add_escaped(text, option->help);
	if (option->range[0] != '\0')
		nj_text_format(text, " (%s)", option->range);
	nj_text_add(text, ".\n");
	add_verbs_of(option->verbs, text);
}

static void write_nightjar(const struct nj_manual *manual, struct nj_text *text)
{
	add_title(manual, "find what agents did in captures, and ask what was found", text);
	nj_text_add(text, ".SH SYNOPSIS\n.B nightjar\n.I verb\n[\\fIoption\\fR...] [\\fIoperand\\fR...]\n");
	nj_text_add(
		text,
		".SH DESCRIPTION\nTurns captures into flows, flows into what each agent did in ten seconds, and says "
		"which agent\nscans, tunnels, calls home or carries data out.\n"
		"A \\fIFILE\\fR is pcap or pcapng, plain, gzip or zstd; a \\fIDIR\\fR stands for all captures in "
		"it, \\- for standard\ninput; many files are merged in time order.\n");
	add_verbs(text);
	nj_text_add(text, ".SH OPTIONS\nThey may stand before, between and after operands.\n");
	for (uint32_t i = 0; i < manual->options_n; i++)
		add_option(&manual->options[i], text);
	add_exit_status(true, text);
	nj_text_add(text, ".SH \"SEE ALSO\"\n.BR nightjar\\-sensor (8),\n.BR nightjar\\-aggregator (8)\n");
}

/* --- daemons --- */

/* "NAME VERSION: what it does\n\n..." *ret_rest*: after that line. */
static size_t what_of(const char *head, const char **ret_what, const char **ret_rest)
{
	const char *colon = strstr(head, ": ");
	*ret_what = colon != NULL ? colon + 2 : head;
	size_t size = strcspn(*ret_what, "\n");
	*ret_rest = *ret_what + size + strspn(*ret_what + size, "\n");
	return size;
}

static void add_setting(const struct nj_option *option, struct nj_text *text)
{
	static const char *const kinds[] = {
		[NJ_OPTION_COUNT] = "a number",     [NJ_OPTION_DURATION] = "a time",    [NJ_OPTION_BYTES] = "a size",
		[NJ_OPTION_REAL] = "a number",      [NJ_OPTION_FLAG] = "true or false", [NJ_OPTION_TEXT] = "text",
		[NJ_OPTION_CHOICE] = "one word of", [NJ_OPTION_LIST] = "a list",
	};
	bool has_range = option->type == NJ_OPTION_COUNT || option->type == NJ_OPTION_DURATION ||
			 option->type == NJ_OPTION_BYTES || option->type == NJ_OPTION_REAL;
	add_bold(text, ".TP\n", option->name, "");
	nj_text_format(text, " (%s%s", kinds[option->type], option->unit[0] != '\0' ? " " : "");
	if (has_range && option->unit[0] != '\0')
		nj_text_add(text, "in ");
	add_escaped(text, option->unit);
	if (has_range)
		nj_text_format(text, ", %.15g to %.15g", option->min, option->max);
	nj_text_add(text, "; default ");
	add_escaped(text, option->otherwise[0] != '\0' ? option->otherwise : "none");
	nj_text_add(text, ")\n");
	add_escaped(text, option->meaning);
	nj_text_add(text, ".\n");
}

static const char daemon_words[] =
	".SH SIGNALS\n.TP\n.B SIGTERM, SIGINT\nEnd orderly: what was taken is passed on first. A second one ends it at "
	"once.\n"
	".TP\n.B SIGHUP\nRead the configuration again; one that is wrong is refused whole and the old one stays.\n"
	".SH ENVIRONMENT\n.TP\n.B NOTIFY_SOCKET, WATCHDOG_USEC\nA supervisor that follows\n.BR sd_notify (3)\nis told "
	"when the program is ready, alive and stopping.\n";

static void write_daemon(const struct nj_manual *manual, struct nj_text *text)
{
	const char *what, *rest;
	size_t size = what_of(manual->head, &what, &rest);
	char line[256];
	snprintf(line, sizeof line, "%.*s", (int)size, what);
	add_title(manual, line, text);
	nj_text_add(text, ".SH SYNOPSIS\n.nf\n");
	add_escaped(text, rest);
	nj_text_add(text,
		    "\n.fi\n.SH CONFIGURATION\nEach option is a key of the YAML file given with \\fB\\-\\-config\\fR "
		    "and a name for \\fB\\-\\-set\\fR.\nA time may be written with ms, s, min, h or d, a size "
		    "with k, M or G (powers of 1024).\nAn unknown key and a value out of range are refused.\n");
	for (size_t i = 0; i < manual->schema->options_n; i++)
		add_setting(&manual->schema->options[i], text);
	nj_text_add(text, daemon_words);
	const char *name = strchr(manual->program, '-') + 1;
	nj_text_format(text,
		       ".SH FILES\n.TP\n.I /etc/nightjar/%s.yaml\nThe configuration that the service reads.\n"
		       ".TP\n.I /var/lib/nightjar/%s\nWhat the service keeps.\n",
		       name, name);
	add_exit_status(false, text);
	nj_text_add(text, ".SH \"SEE ALSO\"\n.BR nightjar (1),\n");
	nj_text_format(text, ".BR nightjar\\-%s (8)\n", strcmp(name, "sensor") == 0 ? "aggregator" : "sensor");
}

void nj_manual_page(const struct nj_manual *manual, struct nj_text *text)
{
	if (manual->schema == NULL)
		write_nightjar(manual, text);
	else
		write_daemon(manual, text);
}
