/* See daemon.h. The table for getopt is made of the common switches and the program's own; an option's value is its
 * place in that table. */
#include "common/daemon.h"

#include "common/log.h"

#include <assert.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define SWITCHES_MAX 32

enum { AT_CONFIG, AT_SET, AT_CHECK, AT_DUMP, AT_VERSION, AT_HELP, AT_OWN };

/* One reading of the command line: at the start into everything, later into a configuration alone. */
struct reading {
	struct nj_daemon *daemon; /* NULL: the switches' targets are left alone */
	const struct nj_daemon *of;
	void *config;
	bool list_begun[SWITCHES_MAX];
};

static volatile sig_atomic_t stopping, reload_wanted;

static void table_make(const struct nj_daemon *d, struct option *ret_table)
{
	static const struct option common[AT_OWN] = {
		[AT_CONFIG] = {"config", required_argument, NULL, 'c'},
		[AT_SET] = {"set", required_argument, NULL, 256 + AT_SET},
		[AT_CHECK] = {"check", no_argument, NULL, 256 + AT_CHECK},
		[AT_DUMP] = {"dump-config", no_argument, NULL, 256 + AT_DUMP},
		[AT_VERSION] = {"version", no_argument, NULL, 256 + AT_VERSION},
		[AT_HELP] = {"help", no_argument, NULL, 'h'},
	};
	assert(AT_OWN + d->switches_n < SWITCHES_MAX);
	memcpy(ret_table, common, sizeof common);
	for (size_t i = 0; i < d->switches_n; i++)
		ret_table[AT_OWN + i] = (struct option){d->switches[i].name,
							d->switches[i].flag != NULL ? no_argument : required_argument,
							NULL, (int)(256 + AT_OWN + i)};
	ret_table[AT_OWN + d->switches_n] = (struct option){0};
}

static int take_option(struct reading *r, const char *name, const char *value, struct nj_message *message)
{
	char option[64];
	size_t length = strlen(name);
	assert(length < sizeof option);
	for (size_t i = 0; i <= length; i++)
		option[i] = name[i] == '-' ? '_' : name[i];
	return nj_config_set_option(r->of->schema, option, value, r->config, message);
}

static int take_own(struct reading *r, size_t index, const char *value, struct nj_message *message)
{
	const struct nj_daemon_switch *s = &r->of->switches[index];
	if (s->list != NULL) {
		bool more = r->list_begun[index];
		r->list_begun[index] = true;
		return more ? nj_config_add(r->of->schema, s->list, value, r->config, message)
			    : nj_config_set_option(r->of->schema, s->list, value, r->config, message);
	}
	if (s->flag == NULL && s->text == NULL && !s->operand)
		return take_option(r, s->name, value, message);
	if (r->daemon == NULL)
		return NJ_OK;
	if (s->flag != NULL)
		*s->flag = true;
	else if (s->text != NULL)
		*s->text = value;
	else
		r->daemon->operands[r->daemon->operands_n++] = value;
	return NJ_OK;
}

static int take_common(struct reading *r, int at, const char *value, struct nj_message *message)
{
	const struct nj_daemon *of = r->of;
	struct nj_daemon ignored, *d = r->daemon != NULL ? r->daemon : &ignored;
	switch (at) {
	case AT_CONFIG:
		d->config_path = value;
		return nj_config_load(of->schema, value, r->config, of->config_size, message);
	case AT_SET:
		return nj_config_set(of->schema, value, r->config, message);
	case AT_CHECK:
		d->check = true;
		return NJ_OK;
	case AT_DUMP:
		d->dump = true;
		return NJ_OK;
	case AT_VERSION:
		d->version = true;
		return NJ_OK;
	default:
		d->help = true;
		return NJ_OK;
	}
}

static int take(struct reading *r, int option, const char *value, struct nj_message *message)
{
	int at = option == 'c' ? AT_CONFIG : option == 'h' ? AT_HELP : option - 256;
	return at < AT_OWN ? take_common(r, at, value, message) : take_own(r, (size_t)(at - AT_OWN), value, message);
}

static int read_operands(struct reading *r, struct nj_message *message)
{
	const struct nj_daemon *of = r->of;
	for (; r->daemon != NULL && optind < of->argc; optind++) {
		if (r->daemon->operands_n == 0)
			return nj_fail(message, NJ_ERR_USAGE, "%s: what is it for? See --help", of->argv[optind]);
		r->daemon->operands[r->daemon->operands_n++] = of->argv[optind];
	}
	return NJ_OK;
}

static int read_all(struct reading *r, struct nj_message *message)
{
	struct option table[SWITCHES_MAX];
	const struct nj_daemon *of = r->of;
	int option, err = NJ_OK;
	table_make(of, table);
	opterr = 0;
	optind = 0; /* from the beginning, whatever was read before */
	while (err == NJ_OK && (option = getopt_long(of->argc, of->argv, "c:h", table, NULL)) != -1) {
		if (option == '?')
			return nj_fail(message, NJ_ERR_USAGE, "%s: unknown option or missing value; see --help",
				       of->argv[optind - 1]);
		err = take(r, option, optarg, message);
	}
	return err == NJ_OK ? read_operands(r, message) : err;
}

int nj_daemon_parse(struct nj_daemon *daemon, struct nj_message *message)
{
	struct reading reading = {.daemon = daemon, .of = daemon, .config = daemon->config};
	daemon->operands = calloc((size_t)daemon->argc, sizeof *daemon->operands);
	if (daemon->operands == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "no memory for the command line");
	nj_config_defaults(daemon->schema, daemon->config);
	return read_all(&reading, message);
}

void nj_daemon_fini(struct nj_daemon *daemon)
{
	free(daemon->operands);
	daemon->operands = NULL;
}

int nj_daemon_reload(const struct nj_daemon *daemon, void *ret_config, struct nj_message *message)
{
	struct reading reading = {.of = daemon, .config = malloc(daemon->config_size)};
	if (reading.config == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "no memory for the configuration");
	memset(reading.config, 0, daemon->config_size);
	nj_config_defaults(daemon->schema, reading.config);
	int err = read_all(&reading, message);
	if (err == NJ_OK)
		memcpy(ret_config, reading.config, daemon->config_size);
	free(reading.config);
	return err;
}

bool nj_daemon_told(const struct nj_daemon *d)
{
	if (d->help) {
		printf("%s %s: %s", d->program, NJ_VERSION, d->usage);
		nj_config_help(d->schema, stdout);
	} else if (d->version) {
		printf("%s %s\n", d->program, NJ_VERSION);
	} else if (d->dump) {
		nj_config_dump(d->schema, d->config, stdout);
	}
	return d->help || d->version || d->dump;
}

static void on_stop(int number)
{
	(void)number;
	if (stopping)
		_Exit(NJ_EXIT_FAILURE);
	stopping = 1;
}

static void on_reload(int number)
{
	(void)number;
	reload_wanted = 1;
}

void nj_daemon_watch_signals(void)
{
	struct sigaction stop = {.sa_handler = on_stop}, reload = {.sa_handler = on_reload};
	sigemptyset(&stop.sa_mask);
	sigemptyset(&reload.sa_mask);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGHUP, &reload, NULL);
	signal(SIGPIPE, SIG_IGN);
}

bool nj_daemon_stopping(void)
{
	return stopping != 0;
}

bool nj_daemon_reload_wanted(void)
{
	bool wanted = reload_wanted != 0;
	if (wanted)
		reload_wanted = 0;
	return wanted;
}

int nj_daemon_exit(int error, const struct nj_message *message)
{
	if (error == NJ_OK)
		return NJ_EXIT_DONE;
	nj_log(NJ_LOG_ERROR, "%s", message->text[0] != '\0' ? message->text : nj_error_text(error));
	return error == NJ_ERR_USAGE ? NJ_EXIT_USAGE : NJ_EXIT_FAILURE;
}
