/* Man pages and shell completions, written from the tables that the programs themselves read: verbs and options of
 * cli/args.h, the schemas of the daemons, and the head of their --help. A build tool, not part of any program. */
#ifndef NJ_CLI_MANUAL_H
#define NJ_CLI_MANUAL_H

#include "cli/text.h"
#include "common/config.h"

/* What takes an option's value on a command line. */
enum nj_manual_value {
	NJ_MANUAL_NONE,   /* a switch */
	NJ_MANUAL_FILE,   /* names a file or folder */
	NJ_MANUAL_CHOICE, /* one of form's words, "a|b|c" */
	NJ_MANUAL_OTHER,
};

struct nj_manual_option {
	char name[40], short_name; /* without dashes; 0: no short one */
	char form[64];             /* of its value; "" for a switch */
	enum nj_manual_value value;
	uint32_t verbs; /* of nightjar; bit 1 << verb */
	const char *help;
	char range[96]; /* "default 10s", or "" */
};

#define NJ_MANUAL_OPTIONS_MAX 96

struct nj_manual {
	const char *program, *section;
	const struct nj_schema *schema; /* of a daemon; NULL for nightjar */
	char *head;                     /* --help of a daemon up to its table of options; NULL for nightjar */
	struct nj_manual_option options[NJ_MANUAL_OPTIONS_MAX]; /* of the command line */
	uint32_t options_n;
};

/* Each adds a whole file to *text*. */
void nj_manual_page(const struct nj_manual *manual, struct nj_text *text);
void nj_manual_bash(const struct nj_manual *manual, struct nj_text *text);
void nj_manual_zsh(const struct nj_manual *manual, struct nj_text *text);
void nj_manual_fish(const struct nj_manual *manual, struct nj_text *text);

#endif
