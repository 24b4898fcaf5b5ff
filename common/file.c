/* Reads through stdio, so that files, pipes and /dev/stdin behave alike. */
#include "common/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int nj_file_fail(struct nj_message *message, const char *path, int error_number)
{
	int error = error_number == ENOENT                            ? NJ_ERR_NOT_FOUND
		    : error_number == EACCES || error_number == EPERM ? NJ_ERR_PERMISSION
								      : NJ_ERR_IO;
	return nj_fail(message, error, "%s: %s", path, strerror(error_number));
}

/* Reads until the end or one byte over the bound: the size of a pipe or of /proc files is not known before. */
static int read_all(FILE *file, const char *path, size_t size_max, struct nj_message *message, char **ret_bytes,
		    size_t *ret_size)
{
	size_t size = 0, capacity = 0;
	char *bytes = NULL;
	do {
		capacity = capacity == 0 ? 4096 : capacity * 2;
		char *grown = realloc(bytes, capacity + 1);
		if (grown == NULL) {
			free(bytes);
			return nj_fail(message, NJ_ERR_MEMORY, "%s: out of memory", path);
		}
		bytes = grown;
		size += fread(bytes + size, 1, capacity - size, file);
	} while (size == capacity && size <= size_max);
	int err = NJ_OK;
	if (ferror(file))
		err = nj_file_fail(message, path, errno);
	else if (size > size_max)
		err = nj_fail(message, NJ_ERR_LIMIT, "%s: larger than %zu bytes", path, size_max);
	if (err < 0) {
		free(bytes);
		return err;
	}
	bytes[size] = '\0';
	*ret_bytes = bytes;
	*ret_size = size;
	return NJ_OK;
}

int nj_file_read(const char *path, size_t size_max, struct nj_message *message, char **ret_bytes, size_t *ret_size)
{
	FILE *file = fopen(path, "rb");
	if (file == NULL)
		return nj_file_fail(message, path, errno);
	int err = read_all(file, path, size_max, message, ret_bytes, ret_size);
	fclose(file);
	return err;
}
