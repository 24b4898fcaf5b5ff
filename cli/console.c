/* See console.h. Colours are the sixteen every terminal has; orange is the 256-colour one, which terminals of the last
 * two decades know. */
#include "cli/console.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define WIDTH_LEAST   40
#define WIDTH_MOST    200
#define WIDTH_UNKNOWN 100

static bool is_set(const char *name)
{
	const char *value = getenv(name);
	return value != NULL && value[0] != '\0';
}

static bool speaks_utf8(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
	for (unsigned i = 0; i < 3; i++) {
		if (!is_set(names[i]))
			continue;
		const char *value = getenv(names[i]);
		return strcasestr(value, "utf-8") != NULL || strcasestr(value, "utf8") != NULL;
	}
	return false;
}

static unsigned columns_of(FILE *file)
{
	struct winsize size;
	long columns = 0;
	if (is_set("COLUMNS"))
		columns = strtol(getenv("COLUMNS"), NULL, 10);
	if (columns <= 0 && ioctl(fileno(file), TIOCGWINSZ, &size) == 0)
		columns = size.ws_col;
	if (columns <= 0)
		columns = WIDTH_UNKNOWN;
	return columns < WIDTH_LEAST ? WIDTH_LEAST : columns > WIDTH_MOST ? WIDTH_MOST : (unsigned)columns;
}

void nj_console_init(struct nj_console *console, FILE *out, FILE *err, const char *color)
{
	bool terminal = isatty(fileno(out)) == 1;
	bool dumb = getenv("TERM") != NULL && strcmp(getenv("TERM"), "dumb") == 0;
	*console = (struct nj_console){.out = out, .err = err, .terminal = terminal};
	console->colour = strcmp(color, "always") == 0 ||
			  (strcmp(color, "auto") == 0 && terminal && !dumb && !is_set("NO_COLOR"));
	console->utf8 = speaks_utf8();
	console->live = isatty(fileno(err)) == 1 && !dumb;
	console->width = columns_of(out);
	console->err_width = columns_of(err);
}

const char *nj_ink(const struct nj_console *console, enum nj_ink ink)
{
	static const char *const codes[] = {"\033[0m",  "\033[1m",  "\033[2m",  "\033[31m",     "\033[38;5;208m",
					    "\033[33m", "\033[36m", "\033[32m", "\033[1;37;41m"};
	return console->colour ? codes[ink] : "";
}

int nj_console_flush(struct nj_console *console, struct nj_message *message)
{
	struct pollfd poll_out = {.fd = fileno(console->out), .events = POLLOUT};
	errno = 0;
	if (fflush(console->out) == 0 && !ferror(console->out))
		return NJ_OK;
	/* An earlier write may have failed, whose errno is gone: a pipe without a reader still says so. */
	int error_number = errno;
	if (error_number == EPIPE || (poll(&poll_out, 1, 0) == 1 && (poll_out.revents & POLLERR) != 0))
		return NJ_ERR_AGAIN;
	errno = error_number;
	return nj_fail(message, NJ_ERR_IO, "standard output: %s", errno != 0 ? strerror(errno) : "write failed");
}

static bool starts_character(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

unsigned nj_utf8_length(const char *text)
{
	unsigned n = 0;
	for (; *text != '\0'; text++)
		n += starts_character(*text);
	return n;
}

static unsigned word_width(const char *word, size_t bytes)
{
	unsigned n = 0;
	for (size_t i = 0; i < bytes; i++)
		n += starts_character(word[i]);
	return n;
}

void nj_console_wrap(struct nj_console *console, const char *words, unsigned column, unsigned indent)
{
	bool first = true;
	while (*words != '\0') {
		size_t bytes = strcspn(words, " ");
		unsigned length = word_width(words, bytes);
		bool fresh = first && column == indent;
		if (!fresh && column + 1 + length > console->width) {
			fprintf(console->out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (!fresh) {
			putc(' ', console->out);
			column++;
		}
		fwrite(words, 1, bytes, console->out);
		column += length;
		words += bytes;
		words += strspn(words, " ");
		first = false;
	}
	putc('\n', console->out);
}

void nj_console_cell(struct nj_console *console, const char *text, unsigned width, bool right)
{
	unsigned length = nj_utf8_length(text);
	if (right && length < width)
		fprintf(console->out, "%*s", (int)(width - length), "");
	if (length <= width) {
		fputs(text, console->out);
	} else {
		unsigned n = 0;
		for (; *text != '\0' && (n + 1 < width || !starts_character(*text)); text++) {
			n += starts_character(text[1]);
			putc(*text, console->out);
		}
		fputs(console->utf8 ? "\xe2\x80\xa6" : "~", console->out);
	}
	if (!right && length < width)
		fprintf(console->out, "%*s", (int)(width - length), "");
}
