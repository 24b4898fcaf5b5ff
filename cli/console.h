/* What stands at the other end of standard output and error: a terminal or a pipe, how wide, with colour or without.
 * Made once by main.c from the environment; a test makes one by hand. All text for people goes through it, so that a
 * closed pipe is noticed in one place. */
#ifndef NJ_CLI_CONSOLE_H
#define NJ_CLI_CONSOLE_H

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum nj_ink {
	NJ_INK_PLAIN,
	NJ_INK_BOLD,
	NJ_INK_DIM,
	NJ_INK_RED,
	NJ_INK_ORANGE,
	NJ_INK_YELLOW,
	NJ_INK_BLUE,
	NJ_INK_GREEN,
	NJ_INK_ALARM
};

struct nj_console {
	FILE *out, *err;            /* borrowed */
	bool colour;                /* escape codes on out */
	bool utf8;                  /* out takes more than ASCII */
	bool terminal;              /* out is a terminal */
	bool live;                  /* err is a terminal: progress may be drawn */
	unsigned width;             /* columns of out, 40..200 */
	unsigned err_width;         /* of err */
	uint64_t (*clock_ns)(void); /* monotonic; set by main.c, the only one to read a clock */
};

/* *color*: "auto", "always" or "never". Reads NO_COLOR, TERM, COLUMNS, LC_ALL/LC_CTYPE/LANG and asks the terminals. */
void nj_console_init(struct nj_console *console, FILE *out, FILE *err, const char *color);

/* The escape code that switches to *ink*, or "" without colour; NJ_INK_PLAIN ends it. */
const char *nj_ink(const struct nj_console *console, enum nj_ink ink);

/* Flushes out. NJ_OK: fine. NJ_ERR_AGAIN: the reader has gone (EPIPE), which is no failure: stop writing. NJ_ERR_IO
 * with a message: disk full and the like. */
NJ_MUST_CHECK int nj_console_flush(struct nj_console *console, struct nj_message *message);

/* Writes *words* from column *indent* on, wrapped at blanks before *width*; the cursor stands at *column* (== indent:
 * nothing written yet). Ends the line. Widths count characters of UTF-8, not bytes. */
void nj_console_wrap(struct nj_console *console, const char *words, unsigned column, unsigned indent);

/* Characters of a UTF-8 text. */
unsigned nj_utf8_length(const char *text);
/* Writes *text* cut to *width* characters ("…" or "~" marks a cut) and padded to it. */
void nj_console_cell(struct nj_console *console, const char *text, unsigned width, bool right);

#endif
