/* Replays a fuzz target's corpus in the ordinary test run: every file of the folder named on the command line is handed
 * to LLVMFuzzerTestOneInput once, whole and cut short at every power of two, so that each saved input also tests
 * truncation. */
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *read_file(const char *path, size_t *ret_size)
{
	FILE *file = fopen(path, "rb");
	if (file == NULL)
		return NULL;
	fseek(file, 0, SEEK_END);
	long size = ftell(file);
	rewind(file);
	uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
	if (data != NULL && size >= 0)
		*ret_size = fread(data, 1, (size_t)size, file);
	fclose(file);
	return data;
}

/* A copy of exact size, so that the address sanitizer sees a read past the end of the shortened input. */
static void run_prefix(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size > 0 ? size : 1);
	if (copy == NULL)
		abort();
	for (size_t i = 0; i < size; i++)
		copy[i] = data[i];
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static int run_file(const char *path)
{
	size_t size = 0;
	uint8_t *data = read_file(path, &size);
	if (data == NULL) {
		fprintf(stderr, "cannot read %s\n", path);
		return 1;
	}
	for (size_t cut = 1; cut < size; cut *= 2) {
		run_prefix(data, cut);
		run_prefix(data, size - cut);
	}
	run_prefix(data, size);
	free(data);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned inputs = 0, failed = 0;
	for (int i = 1; i < argc; i++) {
		DIR *folder = opendir(argv[i]);
		if (folder == NULL) {
			fprintf(stderr, "cannot open corpus folder %s\n", argv[i]);
			return 2;
		}
		for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
			char path[PATH_MAX];
			if (entry->d_name[0] == '.')
				continue;
			snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
			failed += (unsigned)run_file(path);
			inputs++;
		}
		closedir(folder);
	}
	printf("%u inputs replayed, %u unreadable\n", inputs, failed);
	return inputs == 0 || failed > 0;
}
