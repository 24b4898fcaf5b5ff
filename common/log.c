/* Plain lines. A person reads "program: error: what"; systemd reads "<3>what" and keeps program and time itself. */
#include "common/log.h"

#include "common/label.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES_MAX 1024

static const char *program_name = "nightjar";
static int under_systemd;

void nj_log_init(const char *program)
{
	program_name = program;
	under_systemd = getenv("JOURNAL_STREAM") != NULL;
}

static const char *level_word(enum nj_log_level level)
{
	return level == NJ_LOG_ERROR ? "error: " : level == NJ_LOG_WARNING ? "warning: " : "";
}

void nj_log(enum nj_log_level level, const char *format, ...)
{
	char raw[LINE_BYTES_MAX], safe[LINE_BYTES_MAX];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(raw, sizeof raw, format, arguments);
	va_end(arguments);
	nj_label(raw, strlen(raw), safe, sizeof safe);
	if (under_systemd)
		fprintf(stderr, "<%d>%s\n", level, safe);
	else
		fprintf(stderr, "%s: %s%s\n", program_name, level_word(level), safe);
}
