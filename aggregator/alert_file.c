/* Plain system calls: a line is written by one write and then synchronised, before the store remembers it. Alerts are
 * rare, so both may take their time. */
#include "aggregator/alert_file.h"

#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAIL_MAX (256u << 10) /* more than the longest line */

struct nj_alert_file {
	int file;
	char path[512];
	uint64_t last;
	struct nj_message message;
};

/* Of a line as nj_alert_write() begins it. */
static uint64_t id_of(const char *line)
{
	static const char start[] = "{\"id\":\"";
	char *end;
	if (strncmp(line, start, sizeof start - 1) != 0)
		return 0;
	uint64_t id = strtoull(line + sizeof start - 1, &end, 16);
	return *end == '"' ? id : 0;
}

/* Takes off what follows the last newline, and reads the id of the line before it. */
static int mend_end(struct nj_alert_file *f, struct nj_message *message)
{
	struct stat facts;
	if (fstat(f->file, &facts) != 0)
		return nj_file_fail(message, f->path, errno);
	off_t from = facts.st_size > TAIL_MAX ? facts.st_size - (off_t)TAIL_MAX : 0;
	size_t size = (size_t)(facts.st_size - from);
	char *tail = malloc(size + 1);
	if (tail == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "%s: out of memory", f->path);
	int err = pread(f->file, tail, size, from) == (ssize_t)size ? NJ_OK : nj_file_fail(message, f->path, errno);
	size_t end = size;
	while (end > 0 && tail[end - 1] != '\n')
		end--;
	if (err == NJ_OK && end == 0 && from > 0)
		err = nj_fail(message, NJ_ERR_FORMAT, "%s: holds no lines of alerts", f->path);
	if (err == NJ_OK && end < size && ftruncate(f->file, from + (off_t)end) != 0)
		err = nj_file_fail(message, f->path, errno);
	if (err == NJ_OK && end > 0) {
		size_t start = end - 1;
		tail[end - 1] = '\0';
		while (start > 0 && tail[start - 1] != '\n')
			start--;
		f->last = id_of(tail + start);
		if (f->last == 0)
			err = nj_fail(message, NJ_ERR_FORMAT, "%s: its last line is no alert", f->path);
	}
	free(tail);
	return err;
}

int nj_alert_file_open(const char *path, struct nj_message *message, struct nj_alert_file **ret_file)
{
	struct nj_alert_file *f = calloc(1, sizeof *f);
	if (f == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "%s: out of memory", path);
	int err = NJ_OK;
	strncpy(f->path, path[0] != '\0' ? path : "standard output", sizeof f->path - 1);
	f->file = path[0] != '\0' ? open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0640) : STDOUT_FILENO;
	if (f->file < 0)
		err = nj_file_fail(message, path, errno);
	else if (path[0] != '\0')
		err = mend_end(f, message);
	if (err < 0)
		nj_alert_file_close(&f);
	else
		*ret_file = f;
	return err;
}

void nj_alert_file_close(struct nj_alert_file **file)
{
	if (*file == NULL)
		return;
	if ((*file)->file > STDERR_FILENO)
		close((*file)->file);
	free(*file);
	*file = NULL;
}

uint64_t nj_alert_file_last(const struct nj_alert_file *file)
{
	return file->last;
}

static int write_all(struct nj_alert_file *f, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(f->file, data, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return nj_file_fail(&f->message, f->path, n < 0 ? errno : ENOSPC);
		data += n;
		size -= (size_t)n;
	}
	return NJ_OK;
}

int nj_alert_file_line(void *file, const char *json)
{
	struct nj_alert_file *f = file;
	size_t size = strlen(json);
	char *line = malloc(size + 1);
	if (line == NULL)
		return nj_fail(&f->message, NJ_ERR_MEMORY, "%s: out of memory", f->path);
	memcpy(line, json, size);
	line[size] = '\n';
	int err = write_all(f, line, size + 1);
	free(line);
	if (err == NJ_OK && f->file > STDERR_FILENO && fdatasync(f->file) != 0)
		err = nj_file_fail(&f->message, f->path, errno);
	return err;
}

const char *nj_alert_file_message(const struct nj_alert_file *file)
{
	return file->message.text;
}
