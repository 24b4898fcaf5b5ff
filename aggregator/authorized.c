/* Entries lie ascending by key in one block; the folder is read in whatever order the system gives, so a complaint
 * about two files with one key names both. */
#include "aggregator/authorized.h"

#include "common/batch.h"
#include "common/file.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUFFIX        ".pub"
#define PATH_SIZE_MAX 4096

struct entry {
	struct nj_curve_key key;
	char sensor[NJ_SENSOR_ID_MAX];
};
static_assert(sizeof(struct entry) <= 68, "the price a key in the header");

struct nj_authorized {
	uint32_t n;
	struct entry entries[NJ_AUTHORIZED_MAX];
};

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, NJ_CURVE_KEY_BYTES);
}

/* The length of the sensor's name in *file*, 0: not a file of ours. */
static size_t name_length(const char *file)
{
	size_t length = strlen(file), suffix = strlen(SUFFIX);
	bool ours = file[0] != '.' && length > suffix && strcmp(file + length - suffix, SUFFIX) == 0;
	return ours ? length - suffix : 0;
}

static int read_entry(const char *folder, const char *file, struct nj_message *message, struct entry *ret_entry)
{
	char path[PATH_SIZE_MAX];
	size_t length = name_length(file);
	if (snprintf(path, sizeof path, "%s/%s", folder, file) >= (int)sizeof path)
		return nj_fail(message, NJ_ERR_LIMIT, "%.200s/%.200s: too long a path", folder, file);
	if (length >= sizeof ret_entry->sensor)
		return nj_fail(message, NJ_ERR_FORMAT, "%s: sensors have names of 1 to %d characters", path,
			       NJ_SENSOR_ID_MAX - 1);
	memcpy(ret_entry->sensor, file, length);
	ret_entry->sensor[length] = '\0';
	if (!nj_is_sensor_name(ret_entry->sensor))
		return nj_fail(message, NJ_ERR_FORMAT, "%s: sensors have names of letters, digits, '-', '_' and '.'",
			       path);
	return nj_curve_file_load(path, NJ_CURVE_PUBLIC, message, &ret_entry->key);
}

static int read_folder(struct nj_authorized *authorized, DIR *directory, const char *folder, struct nj_message *message)
{
	const struct dirent *file;
	int err = NJ_OK;
	errno = 0;
	while (err == NJ_OK && (file = readdir(directory)) != NULL) {
		if (name_length(file->d_name) == 0)
			continue;
		if (authorized->n == NJ_AUTHORIZED_MAX)
			return nj_fail(message, NJ_ERR_LIMIT, "%s: more than %d keys", folder, NJ_AUTHORIZED_MAX);
		err = read_entry(folder, file->d_name, message, &authorized->entries[authorized->n]);
		authorized->n++;
		errno = 0;
	}
	return err == NJ_OK && errno != 0 ? nj_file_fail(message, folder, errno) : err;
}

static int check_unique(const struct nj_authorized *authorized, const char *folder, struct nj_message *message)
{
	for (uint32_t i = 1; i < authorized->n; i++) {
		const struct entry *a = &authorized->entries[i - 1], *b = &authorized->entries[i];
		if (nj_curve_key_equal(&a->key, &b->key))
			return nj_fail(message, NJ_ERR_USAGE, "%s: %s%s and %s%s hold the same key", folder, a->sensor,
				       SUFFIX, b->sensor, SUFFIX);
	}
	return NJ_OK;
}

int nj_authorized_load(const char *folder, struct nj_message *message, struct nj_authorized **ret_authorized)
{
	struct nj_authorized *authorized = calloc(1, sizeof *authorized);
	if (authorized == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "%s: out of memory", folder);
	DIR *directory = opendir(folder);
	int err = directory != NULL ? read_folder(authorized, directory, folder, message)
				    : nj_file_fail(message, folder, errno);
	if (directory != NULL)
		closedir(directory);
	if (err == NJ_OK) {
		qsort(authorized->entries, authorized->n, sizeof *authorized->entries, compare);
		err = check_unique(authorized, folder, message);
	}
	if (err < 0)
		nj_authorized_free(&authorized);
	else
		*ret_authorized = authorized;
	return err;
}

void nj_authorized_free(struct nj_authorized **authorized)
{
	free(*authorized);
	*authorized = NULL;
}

const char *nj_authorized_sensor(const struct nj_authorized *authorized, const struct nj_curve_key *key)
{
	const struct entry *entry =
		bsearch(key, authorized->entries, authorized->n, sizeof *authorized->entries, compare);
	return entry != NULL ? entry->sensor : NULL;
}

uint32_t nj_authorized_n(const struct nj_authorized *authorized)
{
	return authorized->n;
}
