/* Reads a whole small file (configuration, inventory, baseline) with a bound. Blocks; any thread. */
#ifndef NJ_COMMON_FILE_H
#define NJ_COMMON_FILE_H

#include "common/error.h"

#include <stddef.h>

/* *returns owned* bytes with a NUL after them. Messages begin with the path. NJ_ERR_NOT_FOUND, _PERMISSION, _IO,
 * _LIMIT, _MEMORY. */
NJ_MUST_CHECK int nj_file_read(const char *path, size_t size_max, struct nj_message *message, char **ret_bytes,
			       size_t *ret_size);

/* The error code and the words for what errno says about *path*. */
int nj_file_fail(struct nj_message *message, const char *path, int error_number);

#endif
