/* Writes docs/features.md from the feature table, or checks that it is up to date.
 *
 *   nj_feature_page FILE            writes it (cmake --build BUILD --target docs)
 *   nj_feature_page --check FILE    exits 1 when the table gives another page */
#include "common/feature.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void write_intro(FILE *file)
{
	fprintf(file,
		"# Features\n\n"
		"Generated from `common/feature_table.h`; to refresh: `cmake --build BUILD --target docs`.\n\n"
		"An agent window holds these numbers about one agent (segment and address) for one width of event "
		"time, 10 s by default.\n"
		"*Out* is what the agent sent, *in* what it received; *external* is a peer outside the home networks. "
		"Bytes are application payload\n"
		"without retransmissions unless the row says otherwise. Features merge by their rule when the windows "
		"of several workers or sensors\n"
		"join, so the result does not depend on how the traffic was divided.\n\n"
		"The id of this table is `0x%08x`. A sensor and an aggregator whose tables do not extend one another "
		"refuse each other (docs/wire.md).\n",
		nj_feature_table_id());
}

static void write_scalars(FILE *file)
{
	fprintf(file,
		"\n## Scalars\n\nUnsigned 64-bit integers. The index is the one on the wire. MIN takes 0 as absent.\n\n"
		"| index | name | unit | rule | meaning |\n|---:|---|---|---|---|\n");
	for (size_t i = 0; i < NJ_SCALARS_N; i++)
		fprintf(file, "| %zu | `%s` | %s | %s | %s |\n", i, nj_scalar_rows[i].name, nj_scalar_rows[i].unit,
			nj_scalar_rows[i].rule, nj_scalar_rows[i].meaning);
}

static void write_vectors(FILE *file)
{
	fprintf(file,
		"\n## Vectors\n\n"
		"DISTINCT: %d HyperLogLog registers of keyed 64-bit hashes; the register is the low 8 bits of the "
		"hash, its rank the number of\n"
		"leading zeros of the other 56 bits plus 1; merged by the larger. HISTOGRAM: %d counts in logarithmic "
		"buckets, merged by sum.\n\n"
		"| index | name | unit | kind | meaning |\n|---:|---|---|---|---|\n",
		NJ_DISTINCT_REGISTERS, NJ_HISTOGRAM_BUCKETS);
	for (size_t i = 0; i < NJ_VECTORS_N; i++)
		fprintf(file, "| %zu | `%s` | %s | %s | %s |\n", i, nj_vector_rows[i].name, nj_vector_rows[i].unit,
			nj_vector_rows[i].rule, nj_vector_rows[i].meaning);
}

/* A '|' would end the table cell. */
static void write_cell(FILE *file, const char *text)
{
	for (; *text != '\0'; text++)
		fprintf(file, *text == '|' ? "\\%c" : "%c", *text);
}

static void write_derived(FILE *file)
{
	fprintf(file, "\n## Derived\n\nNot shipped: computed in the aggregator from the above, the contacts and the "
		      "agent's profile.\n\n"
		      "| name | unit | source | meaning |\n|---|---|---|---|\n");
	for (size_t i = 0; i < NJ_DERIVED_N; i++) {
		fprintf(file, "| `%s` | %s | ", nj_derived_rows[i].name, nj_derived_rows[i].unit);
		write_cell(file, nj_derived_rows[i].source);
		fprintf(file, " | %s |\n", nj_derived_rows[i].meaning);
	}
}

static void write_page(FILE *file)
{
	write_intro(file);
	write_scalars(file);
	write_vectors(file);
	write_derived(file);
}

/* The first line in which two texts differ; 0 when in none. */
static unsigned difference(FILE *a, FILE *b)
{
	for (unsigned line = 1;;) {
		int x = getc(a), y = getc(b);
		if (x != y)
			return line;
		if (x == EOF)
			return 0;
		line += x == '\n';
	}
}

static int check_page(const char *path)
{
	FILE *is = fopen(path, "r"), *should = tmpfile();
	if (is == NULL || should == NULL) {
		perror(path);
		return 3;
	}
	write_page(should);
	rewind(should);
	unsigned line = difference(is, should);
	fclose(is);
	fclose(should);
	if (line != 0)
		fprintf(stderr,
			"%s:%u: not what the feature table gives; refresh it with: cmake --build BUILD --target docs\n",
			path, line);
	return line != 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--check") == 0)
		return check_page(argv[2]);
	FILE *file = argc == 2 ? fopen(argv[1], "w") : NULL;
	if (file == NULL) {
		fprintf(stderr, "usage: nj_feature_page [--check] FILE\n");
		return 2;
	}
	write_page(file);
	return fclose(file) == 0 ? 0 : 3;
}
