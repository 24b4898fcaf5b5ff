/* What a sensor's journal holds, as `nightjar windows --json` would print it: one window a line. With an aggregator
 * that is not there, a sensor keeps all it made, so live windows can be held against those of a file.
 *
 *   journal_windows JOURNAL */
#include "common/journal.h"
#include "common/window_json.h"
#include "common/wire.h"

#include <stdio.h>
#include <stdlib.h>

#define ARENA_BYTES (64u << 20)

static int fail(const char *what, const struct nj_message *message)
{
	fprintf(stderr, "journal_windows: %s: %s\n", what, message->text);
	return EXIT_FAILURE;
}

static void print_windows(struct nj_json_out *out, const struct nj_batch *batch)
{
	for (uint32_t i = 0; i < batch->windows_n; i++) {
		nj_json_out_reset(out);
		nj_window_json(out, NULL, &batch->windows[i]);
		nj_json_out_newline(out);
		if (nj_json_out_ok(out))
			fwrite(out->text, 1, out->used, stdout);
	}
}

int main(int argc, char **argv)
{
	struct nj_message message = {.text = ""};
	struct nj_journal *journal;
	struct nj_arena arena;
	struct nj_json_out out = {0};
	if (argc != 2)
		return fprintf(stderr, "usage: journal_windows JOURNAL\n"), EXIT_FAILURE;
	const struct nj_journal_options options = {.path = argv[1], .bytes_max = UINT32_MAX};
	if (nj_arena_init(&arena, ARENA_BYTES) < 0 || nj_journal_open(&options, &message, &journal) < 0)
		return fail(argv[1], &message);
	const void *data;
	size_t size;
	int more;
	for (uint64_t at, from = 0; (more = nj_journal_read(journal, from, &message, &at, &data, &size)) == 1;
	     from = at + 1) {
		struct nj_batch batch;
		nj_arena_reset(&arena);
		if (nj_wire_batch_decode(data, size, NULL, &arena, &message, &batch) < 0)
			return fail(argv[1], &message);
		print_windows(&out, &batch);
	}
	nj_json_out_fini(&out);
	nj_journal_close(&journal);
	nj_arena_fini(&arena);
	return more < 0 ? fail(argv[1], &message) : EXIT_SUCCESS;
}
