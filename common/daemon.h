/* What both daemons do alike around their work: the command line (--config, --set, --check, --dump-config, --version,
 * --help and the program's own switches), reading it again on SIGHUP, signals, and exit codes. For main programs only,
 * on their main thread. Signals are asked for, never acted upon here: a first SIGTERM or SIGINT asks to stop, a second
 * one ends the process at once, SIGHUP asks to read the configuration again. */
#ifndef NJ_COMMON_DAEMON_H
#define NJ_COMMON_DAEMON_H

#include "common/config.h"

/* A switch of the program's own. Without any target, --NAME VALUE sets the option of that name ('-' stands for '_'). */
struct nj_daemon_switch {
	const char *name;
	bool *flag;        /* --NAME: becomes true */
	const char **text; /* --NAME VALUE: *borrows* the value */
	bool operand;      /* --NAME VALUE: joins the operands, and others may follow the options */
	const char *list;  /* --NAME VALUE: the first replaces the LIST option of this name, later ones add to it */
};

struct nj_daemon {
	const char *program;
	const char *usage; /* of --help, before the options of the schema */
	const struct nj_schema *schema;
	void *config; /* of the schema: defaults, then whatever the command line says, in its order */
	size_t config_size;
	const struct nj_daemon_switch *switches;
	size_t switches_n;
	int argc;
	char **argv;
	/* what nj_daemon_parse() found */
	bool check, dump, version, help;
	const char *config_path; /* the last --config; NULL without one */
	const char **operands;   /* argv's; room for all */
	uint32_t operands_n;
};

/* Fills config and the targets of the switches. NJ_ERR_USAGE and whatever loading a file may give. */
NJ_MUST_CHECK int nj_daemon_parse(struct nj_daemon *daemon, struct nj_message *message);
void nj_daemon_fini(struct nj_daemon *daemon);

/* --help, --version or --dump-config was asked for: prints it, and there is nothing else to do. */
bool nj_daemon_told(const struct nj_daemon *daemon);

/* The configuration as the same command line would give it now, into *ret_config* of config_size bytes, which is
 * untouched on failure. Switches with targets are left alone. */
NJ_MUST_CHECK int nj_daemon_reload(const struct nj_daemon *daemon, void *ret_config, struct nj_message *message);

void nj_daemon_watch_signals(void);
bool nj_daemon_stopping(void);      /* any thread */
bool nj_daemon_reload_wanted(void); /* true once for the SIGHUPs since the last call */

/* Logs a failure, if it is one; *returns* the exit code. */
int nj_daemon_exit(int error, const struct nj_message *message);

#endif
