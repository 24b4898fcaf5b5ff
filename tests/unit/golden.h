/* Golden files: what a function printed once, looked at and accepted. A mismatch prints the first lines that differ and
 * the command that accepts the new text; nothing accepts by itself. Tests run in the source folder. */
#ifndef NJ_TESTS_GOLDEN_H
#define NJ_TESTS_GOLDEN_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOLDEN_LINES_SHOWN 20

static bool golden_accept; /* set by main from "--accept" */

static inline char *golden_read(const char *path)
{
	FILE *file = fopen(path, "rb");
	if (file == NULL)
		return calloc(1, 1);
	fseek(file, 0, SEEK_END);
	long size = ftell(file);
	rewind(file);
	char *text = calloc(1, (size_t)size + 1);
	if (text != NULL && fread(text, 1, (size_t)size, file) != (size_t)size)
		text[0] = '\0';
	fclose(file);
	return text;
}

static inline void golden_difference(const char *wanted, const char *got)
{
	for (unsigned line = 1, shown = 0; (*wanted != '\0' || *got != '\0') && shown < GOLDEN_LINES_SHOWN; line++) {
		size_t w = strcspn(wanted, "\n"), g = strcspn(got, "\n");
		if (w != g || memcmp(wanted, got, w) != 0) {
			fprintf(stderr, "%4u - %.*s\n     + %.*s\n", line, (int)w, wanted, (int)g, got);
			shown++;
		}
		wanted += w + (wanted[w] == '\n');
		got += g + (got[g] == '\n');
	}
}

/* Whether *got* equals tests/golden/NAME. */
static inline bool golden_equal(const char *test, const char *name, const char *got)
{
	char path[256];
	snprintf(path, sizeof path, "tests/golden/%s", name);
	if (golden_accept) {
		FILE *file = fopen(path, "wb");
		if (file == NULL || fputs(got, file) < 0 || fclose(file) != 0)
			return false;
		return true;
	}
	char *wanted = golden_read(path);
	bool equal = wanted != NULL && strcmp(wanted, got) == 0;
	if (!equal && wanted != NULL) {
		golden_difference(wanted, got);
		fprintf(stderr,
			"%s differs. If the new text is right: %s --accept (in the source folder), and commit it with "
			"the reason\n",
			path, test);
	}
	free(wanted);
	return equal;
}

#endif
