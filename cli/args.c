/* See args.h. Options may stand before, between and after operands; "--" ends them; "-" is an operand (standard input).
 * Long options take their value as
 * "--name value" or "--name=value", short ones as "-n value" or "-nvalue". No abbreviations: a script written today
 * must mean the same tomorrow. The nearest name for a suggestion is the one of least edit distance with transpositions
 * (Damerau 1964, restricted form), if that is at most a third of its length. */
#include "cli/args.h"

#include "cli/text.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind {
	KIND_FLAG,
	KIND_TEXT,
	KIND_CHOICE,
	KIND_COUNT,
	KIND_BYTES,
	KIND_MILLISECONDS,
	KIND_TIME,
	KIND_NUMBER,
	KIND_SEVERITY
};

struct option {
	const char *field;
	char short_name;
	enum kind kind;
	const char *form;
	double least, most;
	uint32_t verbs;
	size_t offset;
	const char *help;
};

static const struct option options[] = {
#define OPTION_ROW(field, short_name, kind, form, least, most, fallback, verbs, help)                                  \
	{#field, short_name, KIND_##kind, form, least, most, verbs, offsetof(struct nj_arguments, field), help},
	NJ_ARGUMENTS(OPTION_ROW)
#undef OPTION_ROW
};

#define OPTIONS_N       (sizeof options / sizeof options[0])
#define NAME_MAX_LENGTH 64

static const struct verb {
	const char *name;
	uint32_t least, most;
	const char *form, *what;
} verbs[] = {
#define VERB_ROW(symbol, name, least, most, form, what) {name, least, most, form, what},
	NJ_VERBS(VERB_ROW)
#undef VERB_ROW
};

const char *nj_verb_name(enum nj_verb verb)
{
	return verb < NJ_VERBS_N ? verbs[verb].name : "";
}

bool nj_verb_parse(const char *text, enum nj_verb *ret_verb)
{
	for (unsigned v = 0; v < NJ_VERBS_N; v++) {
		if (strcmp(text, verbs[v].name) == 0) {
			*ret_verb = (enum nj_verb)v;
			return true;
		}
	}
	return false;
}

/* "fail_on" -> "fail-on". */
static void long_name(const struct option *option, char name[NAME_MAX_LENGTH])
{
	size_t i = 0;
	for (; option->field[i] != '\0' && i + 1 < NAME_MAX_LENGTH; i++)
		name[i] = option->field[i] == '_' ? '-' : option->field[i];
	name[i] = '\0';
}

static size_t least_of(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t edit_distance(const char *a, const char *b)
{
	size_t n = least_of(strlen(a), NAME_MAX_LENGTH - 1), m = least_of(strlen(b), NAME_MAX_LENGTH - 1);
	size_t row[3][NAME_MAX_LENGTH]; /* of i-2, i-1 and i, by i % 3 */
	for (size_t j = 0; j <= m; j++)
		row[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t *now = row[i % 3], *before = row[(i + 2) % 3], *earlier = row[(i + 1) % 3];
		now[0] = i;
		for (size_t j = 1; j <= m; j++) {
			now[j] = least_of(least_of(before[j], now[j - 1]) + 1, before[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least_of(now[j], earlier[j - 2] + 1);
		}
	}
	return row[n % 3][m];
}

static bool near_enough(const char *typed, const char *name, size_t *best)
{
	size_t distance = edit_distance(typed, name),
	       longest = strlen(name) > strlen(typed) ? strlen(name) : strlen(typed);
	if (distance * 3 > longest + 1 || distance >= *best)
		return false;
	*best = distance;
	return true;
}

static const char *nearest_verb(const char *typed)
{
	const char *found = NULL;
	size_t best = SIZE_MAX;
	for (unsigned v = 0; v < NJ_VERBS_N; v++) {
		if (near_enough(typed, verbs[v].name, &best))
			found = verbs[v].name;
	}
	return found;
}

static const struct option *nearest_option(enum nj_verb verb, const char *typed)
{
	const struct option *found = NULL;
	size_t best = SIZE_MAX;
	for (size_t i = 0; i < OPTIONS_N; i++) {
		char name[NAME_MAX_LENGTH];
		long_name(&options[i], name);
		if ((options[i].verbs >> verb & 1) != 0 && near_enough(typed, name, &best))
			found = &options[i];
	}
	return found;
}

/* The option of any verb by its name; length bytes of *typed*. */
static const struct option *find_long(const char *typed, size_t length)
{
	for (size_t i = 0; i < OPTIONS_N; i++) {
		char name[NAME_MAX_LENGTH];
		long_name(&options[i], name);
		if (strlen(name) == length && memcmp(name, typed, length) == 0)
			return &options[i];
	}
	return NULL;
}

static const struct option *find_short(char typed)
{
	for (size_t i = 0; i < OPTIONS_N; i++) {
		if (options[i].short_name != 0 && options[i].short_name == typed)
			return &options[i];
	}
	return NULL;
}

static bool parse_number(const char *text, double *ret_value, const char **ret_rest)
{
	if (!isdigit((unsigned char)text[0]) && text[0] != '.')
		return false; /* strtod would also take signs, blanks, "inf" and "nan" */
	char *rest;
	errno = 0;
	double value = strtod(text, &rest);
	if (rest == text || errno != 0 || !isfinite(value))
		return false;
	*ret_value = value;
	*ret_rest = rest;
	return true;
}

static bool parse_count(const char *text, double *ret_value)
{
	size_t digits = strspn(text, "0123456789");
	const char *rest;
	return digits > 0 && digits <= 15 && text[digits] == '\0' && parse_number(text, ret_value, &rest);
}

struct suffix {
	const char *text;
	double factor;
};

static const struct suffix byte_suffixes[] = {{"", 1},     {"B", 1},    {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30},
					      {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9},    {NULL, 0}};
static const struct suffix time_suffixes[] = {{"", 1e3}, {"ms", 1}, {"s", 1e3}, {"m", 6e4}, {"min", 6e4}, {NULL, 0}};

static bool parse_scaled(const char *text, const struct suffix *suffixes, double *ret_value)
{
	const char *rest;
	double value;
	if (!parse_number(text, &value, &rest))
		return false;
	for (; suffixes->text != NULL; suffixes++) {
		if (strcmp(rest, suffixes->text) == 0) {
			*ret_value = value * suffixes->factor;
			return true;
		}
	}
	return false;
}

/* Days from the epoch of a proleptic Gregorian date: years counted from March, so that the leap day is the last of its
 * year. */
static int64_t days_from_date(int64_t year, int64_t month, int64_t day)
{
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t year_of_era = year - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

/* The part after the seconds: ".5", "Z", "+01:00" or nothing (UTC). */
static bool parse_time_end(const char *rest, double *fraction, int64_t *offset_s)
{
	if (*rest == '.') {
		const char *after;
		if (!parse_number(rest, fraction, &after))
			return false;
		rest = after;
	}
	int hours, minutes, used = 0;
	char sign;
	if (*rest == '\0' || strcmp(rest, "Z") == 0 || strcmp(rest, "z") == 0)
		return true;
	if (sscanf(rest, "%c%2d:%2d%n", &sign, &hours, &minutes, &used) != 3 || rest[used] != '\0' ||
	    (sign != '+' && sign != '-'))
		return false;
	*offset_s = (sign == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
	return true;
}

bool nj_time_parse(const char *text, uint64_t *ret_t_ns)
{
	int year, month, day, hour = 0, minute = 0, second = 0, used = 0;
	double fraction = 0, seconds;
	const char *rest;
	if (strchr(text, '-') == NULL) {
		if (!parse_number(text, &seconds, &rest) || *rest != '\0' || seconds > 1.8e10)
			return false;
		*ret_t_ns = (uint64_t)llround(seconds * 1e3) * 1000000;
		return true;
	}
	if (sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &used) != 3 || year < 1970 || month < 1 || month > 12 ||
	    day < 1 || day > 31)
		return false;
	int64_t offset_s = 0;
	rest = text + used;
	if (*rest != '\0') {
		if ((*rest != 'T' && *rest != 't' && *rest != ' ') ||
		    sscanf(rest + 1, "%2d:%2d:%2d%n", &hour, &minute, &second, &used) != 3)
			return false;
		if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 ||
		    !parse_time_end(rest + 1 + used, &fraction, &offset_s))
			return false;
	}
	int64_t t_s = days_from_date(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset_s;
	if (t_s < 0)
		return false;
	*ret_t_ns = (uint64_t)t_s * 1000000000u + (uint64_t)llround(fraction * 1e9);
	return true;
}

/* Whether *value* is one of "a|b|c". */
static bool among(const char *form, const char *value)
{
	size_t length = strlen(value);
	for (const char *at = form; length > 0; at++) {
		size_t n = strcspn(at, "|");
		if (n == length && memcmp(at, value, n) == 0)
			return true;
		at += n;
		if (*at == '\0')
			break;
	}
	return false;
}

static int bad_value(enum nj_verb verb, const struct option *option, const char *value, const char *wanted,
		     struct nj_message *message)
{
	char name[NAME_MAX_LENGTH];
	long_name(option, name);
	return nj_fail(message, NJ_ERR_USAGE, "nightjar %s: --%s %.80s: %s", verbs[verb].name, name, value, wanted);
}

static int out_of_range(enum nj_verb verb, const struct option *option, const char *value, struct nj_message *message)
{
	char wanted[96];
	if (option->kind == KIND_MILLISECONDS)
		snprintf(wanted, sizeof wanted, "must be from %gs to %gs", option->least / 1e3, option->most / 1e3);
	else if (option->kind == KIND_BYTES)
		snprintf(wanted, sizeof wanted, "must be from %.0fM to %.0fG", option->least / (1 << 20),
			 option->most / (1 << 30));
	else
		snprintf(wanted, sizeof wanted, "must be from %.15g to %.15g", option->least, option->most);
	return bad_value(verb, option, value, wanted, message);
}

static int set_number(struct nj_arguments *arguments, const struct option *option, const char *value,
		      struct nj_message *message)
{
	const char *rest;
	double number;
	bool read = option->kind == KIND_COUNT          ? parse_count(value, &number)
		    : option->kind == KIND_BYTES        ? parse_scaled(value, byte_suffixes, &number)
		    : option->kind == KIND_MILLISECONDS ? parse_scaled(value, time_suffixes, &number)
							: parse_number(value, &number, &rest) && *rest == '\0';
	if (!read)
		return bad_value(arguments->verb, option, value,
				 option->kind == KIND_BYTES          ? "not a size like 512M or 4G"
				 : option->kind == KIND_MILLISECONDS ? "not a time like 10s or 500ms"
								     : "not a number",
				 message);
	if (number < option->least || number > option->most)
		return out_of_range(arguments->verb, option, value, message);
	char *field = (char *)arguments + option->offset;
	if (option->kind == KIND_NUMBER)
		*(double *)field = number;
	else
		*(uint64_t *)field = (uint64_t)number;
	return NJ_OK;
}

static int set_value(struct nj_arguments *arguments, const struct option *option, const char *value,
		     struct nj_message *message)
{
	char *field = (char *)arguments + option->offset;
	enum nj_severity severity;
	switch (option->kind) {
	case KIND_FLAG:
		*(bool *)field = true;
		return NJ_OK;
	case KIND_CHOICE:
		if (!among(option->form, value))
			return bad_value(arguments->verb, option, value, option->form, message);
		*(const char **)field = value;
		return NJ_OK;
	case KIND_TEXT:
		if (value[0] == '\0')
			return bad_value(arguments->verb, option, "''", "must not be empty", message);
		*(const char **)field = value;
		return NJ_OK;
	case KIND_SEVERITY:
		if (!nj_severity_parse(value, &severity))
			return bad_value(arguments->verb, option, value, "must be low, medium, high or critical",
					 message);
		*(enum nj_severity *)field = severity;
		return NJ_OK;
	case KIND_TIME:
		if (!nj_time_parse(value, (uint64_t *)field))
			return bad_value(arguments->verb, option, value,
					 "not a time like 2026-11-24T20:00:00Z or Unix seconds", message);
		return NJ_OK;
	default:
		return set_number(arguments, option, value, message);
	}
}

static int unknown_option(enum nj_verb verb, const char *typed, const struct option *other, struct nj_message *message)
{
	const char *name = verbs[verb].name;
	if (other != NULL) {
		for (unsigned v = 0; v < NJ_VERBS_N; v++) {
			if ((other->verbs >> v & 1) != 0)
				return nj_fail(message, NJ_ERR_USAGE,
					       "nightjar %s: %.80s is an option of 'nightjar %s', not of '%s'; see "
					       "'nightjar help %s'",
					       name, typed, verbs[v].name, name, name);
		}
	}
	char bare[NAME_MAX_LENGTH], near_name[NAME_MAX_LENGTH];
	snprintf(bare, sizeof bare, "%.*s", (int)least_of(strcspn(typed + 2 * (typed[1] == '-'), "="), sizeof bare - 1),
		 typed + 2 * (typed[1] == '-'));
	const struct option *near = typed[1] == '-' ? nearest_option(verb, bare) : NULL;
	if (near == NULL)
		return nj_fail(message, NJ_ERR_USAGE,
			       "nightjar %s: unknown option %.80s; 'nightjar help %s' lists what there is", name, typed,
			       name);
	long_name(near, near_name);
	return nj_fail(message, NJ_ERR_USAGE, "nightjar %s: unknown option %.80s; did you mean --%s?", name, typed,
		       near_name);
}

struct reader {
	int argc, at; /* next element of argv */
	char *const *argv;
};

/* One "--name", "--name=value", "-n" or "-nvalue" at argv[at], which is consumed with its value. */
static int read_option(struct reader *reader, struct nj_arguments *arguments, struct nj_message *message)
{
	const char *typed = reader->argv[reader->at++], *value = NULL;
	const struct option *option;
	if (typed[1] == '-') {
		size_t length = strcspn(typed + 2, "=");
		option = find_long(typed + 2, length);
		value = typed[2 + length] == '=' ? typed + 3 + length : NULL;
	} else {
		option = find_short(typed[1]);
		value = typed[2] != '\0' ? typed + 2 : NULL;
	}
	if (option == NULL || (option->verbs >> arguments->verb & 1) == 0)
		return unknown_option(arguments->verb, typed, option, message);
	char name[NAME_MAX_LENGTH];
	long_name(option, name);
	if (option->kind == KIND_FLAG && value != NULL)
		return nj_fail(message, NJ_ERR_USAGE, "nightjar %s: --%s takes no value", verbs[arguments->verb].name,
			       name);
	if (option->kind != KIND_FLAG && value == NULL) {
		if (reader->at >= reader->argc)
			return nj_fail(message, NJ_ERR_USAGE, "nightjar %s: --%s needs a value: --%s %s",
				       verbs[arguments->verb].name, name, name, option->form);
		value = reader->argv[reader->at++];
	}
	return set_value(arguments, option, value, message);
}

static int read_rest(struct reader *reader, struct nj_arguments *arguments, struct nj_message *message)
{
	bool only_operands = false;
	while (reader->at < reader->argc) {
		const char *typed = reader->argv[reader->at];
		if (!only_operands && strcmp(typed, "--") == 0) {
			only_operands = true;
			reader->at++;
		} else if (!only_operands && typed[0] == '-' && typed[1] != '\0') {
			int error = read_option(reader, arguments, message);
			if (error != NJ_OK)
				return error;
		} else if (arguments->operands_n == NJ_OPERANDS_MAX) {
			return nj_fail(message, NJ_ERR_USAGE, "nightjar %s: more than %d operands",
				       verbs[arguments->verb].name, NJ_OPERANDS_MAX);
		} else {
			arguments->operands[arguments->operands_n++] = typed;
			reader->at++;
		}
	}
	return NJ_OK;
}

static int check_operands(const struct nj_arguments *arguments, struct nj_message *message)
{
	const struct verb *verb = &verbs[arguments->verb];
	if (arguments->help)
		return NJ_OK;
	if (arguments->operands_n < verb->least)
		return nj_fail(message, NJ_ERR_USAGE, "nightjar %s: what to read is missing: nightjar %s %s",
			       verb->name, verb->name, verb->form);
	if (arguments->operands_n > verb->most)
		return nj_fail(message, NJ_ERR_USAGE,
			       "nightjar %s: '%.80s' is one operand too many: nightjar %s [option...] %s", verb->name,
			       arguments->operands[verb->most], verb->name, verb->form);
	return NJ_OK;
}

static int unknown_verb(const char *typed, struct nj_message *message)
{
	const char *near = nearest_verb(typed);
	if (near != NULL)
		return nj_fail(message, NJ_ERR_USAGE, "nightjar: unknown verb '%.80s'; did you mean '%s'?", typed,
			       near);
	if (strpbrk(typed, "./") != NULL)
		return nj_fail(message, NJ_ERR_USAGE,
			       "nightjar: '%.200s' is no verb; to look into a capture: nightjar replay %.200s", typed,
			       typed);
	return nj_fail(message, NJ_ERR_USAGE, "nightjar: unknown verb '%.80s'; 'nightjar help' lists the verbs", typed);
}

static void set_defaults(struct nj_arguments *arguments)
{
	memset(arguments, 0, sizeof *arguments);
	arguments->verb = NJ_VERB_HELP;
#define DEFAULT_ROW(field, short_name, kind, form, least, most, fallback, verbs, help) arguments->field = fallback;
	NJ_ARGUMENTS(DEFAULT_ROW)
#undef DEFAULT_ROW
}

int nj_arguments_parse(int argc, char *const argv[], struct nj_message *message, struct nj_arguments *ret_arguments)
{
	set_defaults(ret_arguments);
	if (argc < 2)
		return nj_fail(message, NJ_ERR_USAGE,
			       "nightjar: a verb is missing; 'nightjar help' lists them, 'nightjar replay FILE' looks "
			       "into a capture");
	struct reader reader = {.argc = argc, .at = 2, .argv = argv};
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		ret_arguments->verb = NJ_VERB_HELP;
	else if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
		ret_arguments->verb = NJ_VERB_VERSION;
	else if (!nj_verb_parse(argv[1], &ret_arguments->verb))
		return unknown_verb(argv[1], message);
	int error = read_rest(&reader, ret_arguments, message);
	return error != NJ_OK ? error : check_operands(ret_arguments, message);
}

/* Adds *words* from column *indent* on, broken at blanks before *width*; the cursor stands at *column*. */
static void add_wrapped(struct nj_text *text, const char *words, unsigned column, unsigned indent, unsigned width)
{
	bool first = true;
	while (*words != '\0') {
		unsigned length = (unsigned)strcspn(words, " ");
		if (!first && column + 1 + length > width) {
			nj_text_format(text, "\n%*s", (int)indent, "");
			column = indent;
		} else if (!first) {
			nj_text_add(text, " ");
			column++;
		}
		nj_text_add_bytes(text, words, length);
		column += length;
		words += length;
		words += strspn(words, " ");
		first = false;
	}
	nj_text_add(text, "\n");
}

static void add_default(struct nj_text *text, size_t row)
{
	static const struct nj_arguments *none;
	struct nj_arguments *arguments = malloc(sizeof *none);
	if (arguments == NULL)
		return;
	set_defaults(arguments);
	const char *field = (const char *)arguments + options[row].offset;
	if (options[row].kind == KIND_COUNT)
		nj_text_format(text, " (default %ju)", (uintmax_t) * (const uint64_t *)field);
	else if (options[row].kind == KIND_NUMBER)
		nj_text_format(text, " (default %g)", *(const double *)field);
	else if (options[row].kind == KIND_MILLISECONDS)
		nj_text_format(text, " (default %gs)", (double)*(const uint64_t *)field / 1e3);
	else if (options[row].kind == KIND_BYTES)
		nj_text_format(text, " (default %gG)", (double)*(const uint64_t *)field / (1 << 30));
	free(arguments);
}

#define HELP_COLUMN 26

static void add_option_help(struct nj_text *text, size_t row, unsigned width)
{
	struct nj_text words = {0};
	char name[NAME_MAX_LENGTH], head[NAME_MAX_LENGTH * 2], dash[6] = "    ";
	long_name(&options[row], name);
	if (options[row].short_name != 0)
		snprintf(dash, sizeof dash, "-%c, ", options[row].short_name);
	snprintf(head, sizeof head, "  %s--%s%s%s", dash, name, options[row].form != NULL ? " " : "",
		 options[row].form != NULL ? options[row].form : "");
	nj_text_format(text, "%-*s", HELP_COLUMN - 1, head);
	unsigned column = (unsigned)strlen(head) > HELP_COLUMN - 1 ? (unsigned)strlen(head) : HELP_COLUMN - 1;
	nj_text_add(text, " ");
	nj_text_add(&words, options[row].help);
	add_default(&words, row);
	add_wrapped(text, words.data != NULL ? words.data : "", column + 1, HELP_COLUMN, width);
	nj_text_fini(&words);
}

static void add_overview(struct nj_text *text, unsigned width)
{
	nj_text_add(
		text,
		"nightjar: what did agents do on this network?\n\nusage: nightjar VERB [option...] [operand...]\n\n");
	for (unsigned v = 0; v < NJ_VERBS_N; v++) {
		nj_text_format(text, "  %-10s ", verbs[v].name);
		add_wrapped(text, verbs[v].what, 13, 13, width);
	}
	nj_text_add(text,
		    "\nstart with:\n"
		    "  nightjar replay capture.pcap                        explain a capture on the terminal\n"
		    "  nightjar replay --report report.html capture.pcap   draw it as a page\n"
		    "  nightjar help replay                                all options of a verb\n\n"
		    "exit: 0 done, 1 findings (only with --fail-on), 2 wrong usage, 3 failure or damaged input\n");
}

char *nj_verb_help(enum nj_verb verb, unsigned width)
{
	struct nj_text text = {0};
	if (verb >= NJ_VERBS_N) {
		add_overview(&text, width);
		return nj_text_take(&text);
	}
	nj_text_format(&text, "usage: nightjar %s [option...]%s%s\n\n", verbs[verb].name,
		       verbs[verb].form[0] != '\0' ? " " : "", verbs[verb].form);
	add_wrapped(&text, verbs[verb].what, 0, 0, width);
	nj_text_add(&text, "\n");
	for (size_t i = 0; i < OPTIONS_N; i++) {
		if ((options[i].verbs >> verb & 1) != 0)
			add_option_help(&text, i, width);
	}
	if (verbs[verb].least > 0 && verb != NJ_VERB_EVALUATE && verb != NJ_VERB_CONFIG)
		nj_text_add(&text, "\nFILE: pcap or pcapng, plain, gzip or zstd; DIR: all captures in it; '-': "
				   "standard input.\nMany files are merged in time order.\n");
	return nj_text_take(&text);
}
