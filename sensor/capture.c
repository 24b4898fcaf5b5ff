/* The files stand in three places: those whose first frame lies ahead wait in an array sorted by it, those being read
 * stand in a binary heap by the time of their next frame, the rest is done. One step hands out the heap's top; the next
 * step advances that file first, because its frame is borrowed until then. Equal times go by the order of the files, so
 * a merge is always the same. With one file left the heap costs one comparison a frame.
 *
 * Clock jumps are judged per file, one frame ahead: a frame more than NJ_CAPTURE_JUMP_NS after its predecessor is
 * copied aside, and the frame behind it says whether it was alone. This happens at a file's first frame and at real
 * gaps only.
 *
 * Filters are libpcap's (sensor/libpcap.h); files are read by sensor/savefile.c, which says why. */
#include "sensor/capture.h"

#include "sensor/decode.h"
#include "sensor/libpcap.h"
#include "sensor/savefile.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_BYTES_MAX   4096
#define FOLDER_DEPTH_MAX 64
#define FILTER_LINKS_MAX 64

struct file {
	char *path;
	char *problem; /* NULL: none */
	bool from_folder, failed, skipped, reopens;
	uint64_t frames, bytes_total, bytes_consumed;
	uint64_t first_ns; /* of its first frame, set when it is first opened */
	/* while it is being read */
	struct nj_input *input;
	struct nj_savefile *savefile;
	struct nj_frame frame; /* its next one, once read */
	struct nj_frame ahead; /* the one behind it, if that was looked at */
	bool has_ahead, has_last;
	uint64_t last_ns; /* time of the frame before */
	uint8_t *aside;   /* the bytes of frame while ahead is known */
	size_t aside_bytes;
};

/* A filter for one link type; a filter that means nothing there takes no frame. */
struct filter {
	int link_type;
	struct nj_libpcap_filter *program; /* NULL: takes nothing */
};

struct nj_capture {
	struct file *files;
	uint32_t files_n, files_room;
	uint32_t *waiting; /* indices of files, by first_ns */
	uint32_t waiting_n, waiting_at;
	uint32_t *heap; /* indices of files being read, by time of their next frame */
	uint32_t heap_n;
	bool top_taken; /* the top's frame was handed out and is still borrowed */
	bool stopped;   /* by nj_capture_stop() */
	uint64_t clock_ns;
	struct nj_capture_stats stats;
	struct nj_input_pool pool;
	char *filter_text;
	struct filter filters[FILTER_LINKS_MAX];
	uint32_t filters_n;
};

/* ---- one file ---- */

static int file_fail(struct file *file, const char *text)
{
	file->failed = true;
	if (file->problem == NULL)
		file->problem = strdup(text);
	return file->problem != NULL ? NJ_OK : NJ_ERR_MEMORY;
}

static void file_close(struct file *file)
{
	if (file->input != NULL)
		file->bytes_consumed = file->input->bytes_consumed;
	nj_savefile_close(&file->savefile);
	nj_input_close(&file->input);
	free(file->aside);
	file->aside = NULL;
	file->has_ahead = file->has_last = false;
}

/* The next frame of the file as it stands there. 1, 0 at the end or after damage (noted in the file), or NJ_ERR_MEMORY.
 */
static int file_read(struct file *file, struct nj_frame *ret)
{
	struct nj_message message;
	int result = nj_savefile_next(file->savefile, ret, &message);
	if (result >= 0) {
		file->frames += (uint64_t)result;
		return result;
	}
	return file_fail(file, message.text);
}

/* Copies the frame aside, so that the one behind it can be read. */
static int file_put_aside(struct file *file)
{
	if (file->aside == NULL || file->aside_bytes < file->frame.captured_bytes) {
		free(file->aside);
		file->aside_bytes = file->frame.captured_bytes + 1;
		file->aside = malloc(file->aside_bytes);
		if (file->aside == NULL)
			return NJ_ERR_MEMORY;
	}
	memcpy(file->aside, file->frame.data, file->frame.captured_bytes);
	file->frame.data = file->aside;
	return NJ_OK;
}

/* Judges the frame's time by its neighbours. */
static int file_judge_time(struct file *file, uint64_t *jumps)
{
	uint64_t t_ns = file->frame.t_ns, before_ns = file->has_last ? file->last_ns : 0;
	if (t_ns == NJ_SAVEFILE_NO_TIME) {
		file->frame.t_ns = before_ns;
		++*jumps;
		return NJ_OK;
	}
	if (file->has_last && (t_ns < before_ns || t_ns - before_ns <= NJ_CAPTURE_JUMP_NS))
		return NJ_OK;
	if (file_put_aside(file) != NJ_OK)
		return NJ_ERR_MEMORY;
	int result = file_read(file, &file->ahead);
	file->has_ahead = result > 0;
	if (result > 0 && file->ahead.t_ns < t_ns && t_ns - file->ahead.t_ns > NJ_CAPTURE_JUMP_NS) {
		file->frame.t_ns = file->has_last ? before_ns : file->ahead.t_ns;
		++*jumps;
	}
	return result < 0 ? result : NJ_OK;
}

/* Makes the file's next frame known, with its time judged. 1, 0 at the end, or NJ_ERR_MEMORY. */
static int file_advance(struct file *file, uint64_t *jumps)
{
	if (file->has_ahead) {
		file->frame = file->ahead;
		file->has_ahead = false;
	} else {
		int result = file->failed ? 0 : file_read(file, &file->frame);
		if (result <= 0)
			return result;
	}
	if (file_judge_time(file, jumps) != NJ_OK)
		return NJ_ERR_MEMORY;
	file->last_ns = file->frame.t_ns;
	file->has_last = true;
	return 1;
}

/* A file that was merely found is no failure when it is no capture. */
static int file_refuse(struct file *file, int error, const char *text)
{
	if (error == NJ_ERR_MEMORY)
		return error;
	bool unknown = file->input != NULL && file->savefile == NULL && file->from_folder && error == NJ_ERR_FORMAT;
	int result = file_fail(file, text);
	if (unknown) {
		file->failed = false;
		file->skipped = true;
	}
	return result;
}

/* Opens the file and reads its first frame. 1, 0 when there is none, or NJ_ERR_MEMORY. */
static int file_open(struct nj_capture *c, struct file *file, uint64_t *jumps)
{
	struct nj_message message;
	file->frames = 0;
	int error = nj_input_open(file->path, &c->pool, &message, &file->input);
	if (error == NJ_OK) {
		file->bytes_total = file->input->bytes_total;
		file->reopens = !file->input->pinned;
		error = nj_savefile_open(file->input, &message, &file->savefile);
	}
	int result = error != NJ_OK ? file_refuse(file, error, message.text) : file_advance(file, jumps);
	if (result <= 0)
		file_close(file);
	return result;
}

/* ---- the heap ---- */

static bool earlier(const struct nj_capture *c, uint32_t a, uint32_t b)
{
	uint64_t a_ns = c->files[a].frame.t_ns, b_ns = c->files[b].frame.t_ns;
	return a_ns != b_ns ? a_ns < b_ns : a < b;
}

static void heap_swap(struct nj_capture *c, uint32_t i, uint32_t j)
{
	uint32_t other = c->heap[i];
	c->heap[i] = c->heap[j];
	c->heap[j] = other;
}

/* Sinks the top to its place. */
static void heap_settle(struct nj_capture *c)
{
	for (uint32_t i = 0;;) {
		uint32_t child = 2 * i + 1;
		if (child >= c->heap_n)
			return;
		if (child + 1 < c->heap_n && earlier(c, c->heap[child + 1], c->heap[child]))
			child++;
		if (!earlier(c, c->heap[child], c->heap[i]))
			return;
		heap_swap(c, i, child);
		i = child;
	}
}

static void heap_add(struct nj_capture *c, uint32_t index)
{
	uint32_t i = c->heap_n++;
	c->heap[i] = index;
	while (i > 0 && earlier(c, c->heap[i], c->heap[(i - 1) / 2])) {
		heap_swap(c, i, (i - 1) / 2);
		i = (i - 1) / 2;
	}
}

/* Moves the top's file to its next frame, or out. */
static int heap_advance(struct nj_capture *c)
{
	struct file *file = &c->files[c->heap[0]];
	int result = file_advance(file, &c->stats.clock_jumps);
	if (result < 0)
		return result;
	if (result == 0) {
		file_close(file);
		c->heap[0] = c->heap[--c->heap_n];
	}
	heap_settle(c);
	return NJ_OK;
}

/* Takes the files whose first frame is due into the heap. */
static int admit_waiting(struct nj_capture *c)
{
	while (c->waiting_at < c->waiting_n) {
		uint32_t index = c->waiting[c->waiting_at];
		struct file *file = &c->files[index];
		if (c->heap_n > 0 && c->files[c->heap[0]].frame.t_ns < file->first_ns)
			return NJ_OK;
		c->waiting_at++;
		int result = file->input != NULL ? 1 : file_open(c, file, &c->stats.clock_jumps);
		if (result < 0)
			return result;
		if (result > 0)
			heap_add(c, index);
	}
	return NJ_OK;
}

/* ---- filter ---- */

static struct filter *filter_for(struct nj_capture *c, int link_type)
{
	for (uint32_t i = 0; i < c->filters_n; i++)
		if (c->filters[i].link_type == link_type)
			return &c->filters[i];
	if (c->filters_n == FILTER_LINKS_MAX) /* no sane capture; its frames are not taken */
		return NULL;
	struct filter *filter = &c->filters[c->filters_n++];
	filter->link_type = link_type;
	filter->program = NULL;
	return nj_libpcap_filter_new(c->filter_text, link_type, NULL, &filter->program) != NJ_ERR_MEMORY ? filter
													 : NULL;
}

static bool filter_takes(struct nj_capture *c, const struct nj_frame *frame)
{
	const struct filter *filter = filter_for(c, frame->link_type);
	return filter != NULL && filter->program != NULL && nj_libpcap_filter_takes(filter->program, frame);
}

/* The text must mean something for Ethernet or for a link type of the files, else it is a mistake of the user's. */
static int filter_open(struct nj_capture *c, const int *link_types, uint32_t n, const char *text,
		       struct nj_message *message)
{
	struct nj_libpcap_filter *program = NULL;
	int err = nj_libpcap_filter_new(text, NJ_LINK_ETHERNET, message, &program);
	for (uint32_t i = 0; err < 0 && i < n; i++)
		err = nj_libpcap_filter_new(text, link_types[i], NULL, &program);
	if (err < 0)
		return err;
	nj_libpcap_filter_free(&program);
	c->filter_text = strdup(text);
	return c->filter_text != NULL ? NJ_OK : nj_fail(message, NJ_ERR_MEMORY, "no memory");
}

/* ---- finding files ---- */

static int add_file(struct nj_capture *c, const char *path, bool from_folder, struct nj_message *message)
{
	if (c->files_n == NJ_CAPTURE_INPUTS_MAX)
		return nj_fail(message, NJ_ERR_LIMIT, "%s: more than %u files", path, NJ_CAPTURE_INPUTS_MAX);
	if (c->files_n == c->files_room) {
		uint32_t room = c->files_room == 0 ? 16 : c->files_room * 2;
		struct file *larger = realloc(c->files, room * sizeof *larger);
		if (larger == NULL)
			return nj_fail(message, NJ_ERR_MEMORY, "no memory for %u files", room);
		c->files = larger;
		c->files_room = room;
	}
	char *copy = strdup(path);
	if (copy == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "no memory for %u files", c->files_n);
	c->files[c->files_n++] = (struct file){.path = copy, .from_folder = from_folder};
	return NJ_OK;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int add_folder(struct nj_capture *c, const char *path, unsigned depth, struct nj_message *message);

/* An entry of a folder: files and what links to files, and folders but not links to them, so that no loop can be
 * walked. */
static int add_entry(struct nj_capture *c, const char *folder, const char *name, unsigned depth,
		     struct nj_message *message)
{
	char path[PATH_BYTES_MAX];
	struct stat st, target;
	if ((size_t)snprintf(path, sizeof path, "%s%s%s", folder, folder[strlen(folder) - 1] == '/' ? "" : "/", name) >=
	    sizeof path)
		return nj_fail(message, NJ_ERR_LIMIT, "%s: a path below it is longer than %d bytes", folder,
			       PATH_BYTES_MAX - 1);
	if (lstat(path, &st) != 0)
		return NJ_OK; /* gone since the folder was read */
	if (S_ISDIR(st.st_mode))
		return add_folder(c, path, depth + 1, message);
	bool is_file =
		S_ISREG(st.st_mode) || (S_ISLNK(st.st_mode) && stat(path, &target) == 0 && S_ISREG(target.st_mode));
	return is_file ? add_file(c, path, true, message) : NJ_OK;
}

static int add_folder(struct nj_capture *c, const char *path, unsigned depth, struct nj_message *message)
{
	struct dirent **entries = NULL;
	if (depth > FOLDER_DEPTH_MAX)
		return nj_fail(message, NJ_ERR_LIMIT, "%s: folders more than %d deep", path, FOLDER_DEPTH_MAX);
	int n = scandir(path, &entries, not_hidden, by_name);
	if (n < 0 && errno == ENOMEM)
		return nj_fail(message, NJ_ERR_MEMORY, "%s: no memory", path);
	if (n < 0) { /* told like a file that cannot be opened */
		char text[512];
		snprintf(text, sizeof text, "cannot read the folder: %s", strerror(errno));
		int result = add_file(c, path, true, message);
		return result == NJ_OK ? file_fail(&c->files[c->files_n - 1], text) : result;
	}
	int result = NJ_OK;
	for (int i = 0; i < n; i++) {
		if (result == NJ_OK)
			result = add_entry(c, path, entries[i]->d_name, depth, message);
		free(entries[i]);
	}
	free(entries);
	return result;
}

static int add_path(struct nj_capture *c, const char *path, struct nj_message *message)
{
	struct stat st;
	if (path[0] == '\0')
		return nj_fail(message, NJ_ERR_USAGE, "an empty path");
	if (strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return add_folder(c, path, 0, message);
	return add_file(c, path, false, message);
}

/* ---- opening ---- */

static int by_first_time(const void *a, const void *b, void *context)
{
	const struct nj_capture *c = context;
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	uint64_t i_ns = c->files[i].first_ns, j_ns = c->files[j].first_ns;
	return i_ns != j_ns ? (i_ns < j_ns ? -1 : 1) : i < j ? -1 : i > j;
}

static void note_link_type(int *link_types, uint32_t *n, int link_type)
{
	for (uint32_t i = 0; i < *n; i++)
		if (link_types[i] == link_type)
			return;
	if (*n < FILTER_LINKS_MAX)
		link_types[(*n)++] = link_type;
}

/* Reads every file's first frame. The only file stays open, and so does what cannot be opened twice. */
static int probe_files(struct nj_capture *c, int *link_types, uint32_t *links_n)
{
	for (uint32_t i = 0; i < c->files_n; i++) {
		struct file *file = &c->files[i];
		if (file->failed)
			continue;
		uint64_t jumps = 0;
		int result = file_open(c, file, &jumps);
		if (result < 0)
			return result;
		if (result == 0)
			continue;
		file->first_ns = file->frame.t_ns;
		note_link_type(link_types, links_n, file->frame.link_type);
		c->waiting[c->waiting_n++] = i;
		if (c->files_n == 1 || !file->reopens) {
			c->stats.clock_jumps += jumps;
			continue;
		}
		file_close(file);
		file->bytes_consumed = file->frames = 0;
		free(file->problem); /* damage just behind the first frame is met again */
		file->problem = NULL;
		file->failed = false;
	}
	qsort_r(c->waiting, c->waiting_n, sizeof *c->waiting, by_first_time, c);
	return NJ_OK;
}

static int open_files(struct nj_capture *c, const struct nj_capture_inputs *inputs, struct nj_message *message)
{
	int link_types[FILTER_LINKS_MAX], result = NJ_OK;
	uint32_t links_n = 0;
	if (inputs->paths_n == 0)
		return nj_fail(message, NJ_ERR_USAGE, "no capture file given");
	for (uint32_t i = 0; i < inputs->paths_n && result == NJ_OK; i++)
		result = add_path(c, inputs->paths[i], message);
	if (result != NJ_OK)
		return result;
	c->waiting = calloc(c->files_n + 1, sizeof *c->waiting);
	c->heap = calloc(c->files_n + 1, sizeof *c->heap);
	if (c->waiting == NULL || c->heap == NULL || probe_files(c, link_types, &links_n) != NJ_OK)
		return nj_fail(message, NJ_ERR_MEMORY, "no memory to read %u files", c->files_n);
	return inputs->filter != NULL ? filter_open(c, link_types, links_n, inputs->filter, message) : NJ_OK;
}

int nj_capture_open_files(const struct nj_capture_inputs *inputs, struct nj_message *message,
			  struct nj_capture **ret_capture)
{
	struct nj_capture *c = calloc(1, sizeof *c);
	if (c == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "no memory");
	c->pool.open_max = NJ_CAPTURE_OPEN_MAX;
	int result = open_files(c, inputs, message);
	if (result != NJ_OK) {
		nj_capture_close(&c);
		return result;
	}
	*ret_capture = c;
	return NJ_OK;
}

void nj_capture_close(struct nj_capture **capture)
{
	struct nj_capture *c = *capture;
	if (c == NULL)
		return;
	for (uint32_t i = 0; i < c->files_n; i++) {
		file_close(&c->files[i]);
		free(c->files[i].path);
		free(c->files[i].problem);
	}
	for (uint32_t i = 0; i < c->filters_n; i++)
		nj_libpcap_filter_free(&c->filters[i].program);
	free(c->files);
	free(c->waiting);
	free(c->heap);
	free(c->filter_text);
	free(c);
	*capture = NULL;
}

/* ---- reading ---- */

static int next_of_files(struct nj_capture *c, struct nj_frame *ret)
{
	for (;;) {
		int result = c->top_taken ? heap_advance(c) : NJ_OK;
		c->top_taken = false;
		if (result == NJ_OK && c->waiting_at < c->waiting_n)
			result = admit_waiting(c);
		if (result != NJ_OK)
			return result;
		if (c->heap_n == 0)
			return 0;
		*ret = c->files[c->heap[0]].frame;
		c->top_taken = true;
		if (c->filter_text == NULL || filter_takes(c, ret))
			return 1;
		c->stats.filtered++;
	}
}

int nj_capture_next(struct nj_capture *capture, struct nj_frame *ret_frame)
{
	int result = capture->stopped ? 0 : next_of_files(capture, ret_frame);
	if (result <= 0)
		return result;
	if (ret_frame->t_ns < capture->clock_ns) {
		ret_frame->t_ns = capture->clock_ns;
		capture->stats.clock_clamps++;
	}
	capture->clock_ns = ret_frame->t_ns;
	capture->stats.frames++;
	return 1;
}

void nj_capture_stop(struct nj_capture *capture)
{
	capture->stopped = true;
}

void nj_capture_stats(const struct nj_capture *capture, struct nj_capture_stats *ret_stats)
{
	bool unknown = false;
	*ret_stats = capture->stats;
	ret_stats->inputs_n = capture->files_n;
	for (uint32_t i = 0; i < capture->files_n; i++) {
		const struct file *file = &capture->files[i];
		ret_stats->bytes_consumed += file->input != NULL ? file->input->bytes_consumed : file->bytes_consumed;
		ret_stats->bytes_total += file->bytes_total;
		ret_stats->inputs_failed += file->failed;
		ret_stats->inputs_skipped += file->skipped;
		unknown = unknown || (file->bytes_total == 0 && file->frames > 0);
	}
	if (unknown)
		ret_stats->bytes_total = 0;
}

void nj_capture_report(const struct nj_capture *capture, uint32_t index, struct nj_capture_report *ret_report)
{
	assert(index < capture->files_n);
	const struct file *file = &capture->files[index];
	*ret_report = (struct nj_capture_report){
		.path = file->path,
		.frames = file->frames,
		.failed = file->failed,
		.skipped = file->skipped,
		.error = file->problem != NULL ? file->problem : "",
	};
}
