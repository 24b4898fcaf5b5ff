/* nj_manual KIND PROGRAM: writes one page or completion file to standard output, at build time. Of a daemon the head of
 * its --help is read from standard input, so that a switch is described in one place only: in the daemon. */
#include "cli/manual.h"

#include "aggregator/aggregator_config.h"
#include "cli/args.h"
#include "sensor/sensor_config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES_MAX 65536

/* A row's default as a number, where it has one worth telling. */
#define NUMBER_OF_FLAG(x)         0.0
#define NUMBER_OF_TEXT(x)         0.0
#define NUMBER_OF_CHOICE(x)       0.0
#define NUMBER_OF_SEVERITY(x)     0.0
#define NUMBER_OF_TIME(x)         0.0
#define NUMBER_OF_COUNT(x)        ((double)(x))
#define NUMBER_OF_NUMBER(x)       ((double)(x))
#define NUMBER_OF_MILLISECONDS(x) ((double)(x) / 1e3)
#define NUMBER_OF_BYTES(x)        ((double)(x) / (1 << 20))

#define UNIT_OF_FLAG         ""
#define UNIT_OF_TEXT         ""
#define UNIT_OF_CHOICE       ""
#define UNIT_OF_SEVERITY     ""
#define UNIT_OF_TIME         ""
#define UNIT_OF_COUNT        ""
#define UNIT_OF_NUMBER       ""
#define UNIT_OF_MILLISECONDS "s"
#define UNIT_OF_BYTES        "M"

static const struct row {
	const char *field;
	char short_name;
	const char *kind, *form, *unit;
	double fallback;
	uint32_t verbs;
	const char *help;
} rows[] = {
#define ROW(field, short_name, kind, form, least, most, fallback, verbs, help)                                         \
	{#field, short_name, #kind, form, UNIT_OF_##kind, NUMBER_OF_##kind(fallback), verbs, help},
	NJ_ARGUMENTS(ROW)
#undef ROW
};

static bool names_file(const char *form)
{
	return strstr(form, "FILE") != NULL || strstr(form, "DIR") != NULL || strcmp(form, "PATH") == 0;
}

static enum nj_manual_value value_of(const char *form)
{
	if (form[0] == '\0')
		return NJ_MANUAL_NONE;
	if (strchr(form, '|') != NULL)
		return NJ_MANUAL_CHOICE;
	return names_file(form) ? NJ_MANUAL_FILE : NJ_MANUAL_OTHER;
}

static void take_row(const struct row *row, struct nj_manual_option *option)
{
	const char *form = row->form != NULL ? row->form : "";
	if (strcmp(row->kind, "SEVERITY") == 0)
		form = "low|medium|high|critical";
	snprintf(option->name, sizeof option->name, "%s", row->field);
	for (char *at = option->name; *at != '\0'; at++)
		*at = *at == '_' ? '-' : *at;
	snprintf(option->form, sizeof option->form, "%s", form);
	option->short_name = row->short_name;
	option->value = value_of(form);
	option->verbs = row->verbs;
	option->help = row->help;
	if (row->fallback > 0)
		snprintf(option->range, sizeof option->range, "default %g%s", row->fallback, row->unit);
}

static void take_verbs(struct nj_manual *manual)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0] && i < NJ_MANUAL_OPTIONS_MAX; i++)
		take_row(&rows[i], &manual->options[manual->options_n++]);
}

static bool knows(const struct nj_manual *manual, const char *name, size_t length)
{
	for (uint32_t i = 0; i < manual->options_n; i++)
		if (strncmp(manual->options[i].name, name, length) == 0 && manual->options[i].name[length] == '\0')
			return true;
	return false;
}

/* "--name" or "--name VALUE", as the head of --help writes them; a value is in capitals. */
static const char *take_switch(struct nj_manual *manual, const char *at)
{
	size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789-");
	const char *value = at + length + (at[length] == ' ');
	size_t value_length = at[length] == ' ' ? strcspn(value, " \n]") : 0;
	struct nj_manual_option *option = &manual->options[manual->options_n];
	if (length == 0 || length >= sizeof option->name || value_length >= sizeof option->form ||
	    manual->options_n == NJ_MANUAL_OPTIONS_MAX || knows(manual, at, length))
		return at + length;
	memcpy(option->name, at, length);
	if (value_length > 0 && isupper((unsigned char)value[0]))
		memcpy(option->form, value, value_length);
	option->value = value_of(option->form);
	option->help = "";
	manual->options_n++;
	return at + length;
}

static int take_daemon(struct nj_manual *manual)
{
	static char bytes[HEAD_BYTES_MAX];
	size_t size = fread(bytes, 1, sizeof bytes - 1, stdin);
	bytes[size] = '\0';
	manual->head = bytes;
	char *table = strstr(bytes, "\nOptions:\n");
	if (table == NULL)
		return -1;
	*table = '\0';
	for (const char *at = bytes; (at = strstr(at, "--")) != NULL;)
		at = take_switch(manual, at + 2);
	return 0;
}

static int gather(const char *program, struct nj_manual *manual)
{
	manual->program = program;
	manual->section = "8";
	if (strcmp(program, "nightjar") == 0) {
		manual->section = "1";
		take_verbs(manual);
		return 0;
	}
	if (strcmp(program, "nightjar-sensor") == 0)
		manual->schema = &nj_sensor_schema;
	else if (strcmp(program, "nightjar-aggregator") == 0)
		manual->schema = &nj_aggregator_schema;
	return manual->schema != NULL ? take_daemon(manual) : -1;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *kind;
		void (*write)(const struct nj_manual *manual, struct nj_text *text);
	} kinds[] = {
		{"man", nj_manual_page}, {"bash", nj_manual_bash}, {"zsh", nj_manual_zsh}, {"fish", nj_manual_fish}};
	static struct nj_manual manual;
	struct nj_text text = {0};
	for (size_t i = 0; argc == 3 && i < sizeof kinds / sizeof kinds[0]; i++) {
		if (strcmp(argv[1], kinds[i].kind) != 0 || gather(argv[2], &manual) != 0)
			continue;
		kinds[i].write(&manual, &text);
		char *whole = nj_text_take(&text);
		bool written = whole != NULL && fputs(whole, stdout) >= 0 && fflush(stdout) == 0;
		free(whole);
		return written ? NJ_EXIT_DONE : NJ_EXIT_FAILURE;
	}
	fprintf(stderr, "usage: nj_manual man|bash|zsh|fish nightjar\n"
			"       nightjar-DAEMON --help | nj_manual man|bash|zsh|fish nightjar-DAEMON\n");
	return NJ_EXIT_USAGE;
}
