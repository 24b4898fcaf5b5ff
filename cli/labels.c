/* See labels.h. CSV as in RFC 4180: quoted fields may hold commas, doubled quotes and line ends. */
#include "cli/labels.h"

#include "common/file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FIELDS_MAX       16
#define LABELS_BYTES_MAX (64u << 20)

struct csv {
	char *at;
	unsigned line;
	char *field[FIELDS_MAX]; /* of the current row, in the file's own bytes */
	unsigned fields_n;
};

/* Takes one field off csv->at, unquoting in place; gives what ended it: ',', '\n' or '\0'. */
static char take_field(struct csv *csv, char **ret_field)
{
	char *in = csv->at, *out = csv->at;
	bool quoted = *in == '"';
	*ret_field = out;
	in += quoted;
	while (*in != '\0') {
		if (quoted && in[0] == '"' && in[1] == '"') {
			in++;
		} else if (quoted && *in == '"') {
			quoted = false;
			in++;
			continue;
		} else if (!quoted && (*in == ',' || *in == '\n')) {
			break;
		}
		csv->line += *in == '\n';
		if (quoted || *in != '\r')
			*out++ = *in;
		in++;
	}
	char end = *in;
	csv->at = end != '\0' ? in + 1 : in;
	*out = '\0';
	return end;
}

/* False at the end. Blank lines are skipped. */
static bool next_row(struct csv *csv)
{
	do {
		if (*csv->at == '\0')
			return false;
		csv->line++;
		csv->fields_n = 0;
		char end = ',';
		while (end == ',') {
			char *field;
			end = take_field(csv, &field);
			if (csv->fields_n < FIELDS_MAX)
				csv->field[csv->fields_n++] = field;
		}
	} while (csv->fields_n == 1 && csv->field[0][0] == '\0');
	return true;
}

struct columns {
	const char *const *names;
	int index[FIELDS_MAX]; /* of names[i] in the file; -1: not there */
};

static bool find_columns(const struct csv *csv, const char *const *names, unsigned n, int *ret_index)
{
	bool all = true;
	for (unsigned i = 0; i < n; i++) {
		ret_index[i] = -1;
		for (unsigned f = 0; f < csv->fields_n; f++) {
			if (strcmp(csv->field[f], names[i]) == 0)
				ret_index[i] = (int)f;
		}
		all = all && ret_index[i] >= 0;
	}
	return all;
}

static const char *value_of(const struct csv *csv, int index)
{
	return index >= 0 && (unsigned)index < csv->fields_n ? csv->field[index] : "";
}

static bool is_address_character(char c)
{
	return isxdigit((unsigned char)c) || c == '.' || c == ':' || c == '/';
}

uint32_t nj_label_addresses(const char *words, struct nj_network *ret_addresses, uint32_t most)
{
	uint32_t n = 0;
	while (*words != '\0' && n < most) {
		size_t length = 0;
		char word[NJ_NETWORK_TEXT_MAX];
		while (is_address_character(words[length]))
			length++;
		if (length == 0) {
			words++;
			continue;
		}
		if (length < sizeof word && strspn(words, "0123456789") != length) {
			memcpy(word, words, length);
			word[length] = '\0';
			char *port = strchr(word, '.') != NULL ? strchr(word, ':') : NULL; /* 10.0.5.13:8080 */
			if (port != NULL)
				*port = '\0';
			n += nj_network_parse(word, &ret_addresses[n]);
		}
		words += length;
	}
	return n;
}

static void copy_words(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
}

static enum nj_label_kind kind_of(const char *label, const char *technique)
{
	if (strncmp(label, "benign", 6) == 0 || strcmp(label, "protocol-sample") == 0 ||
	    strstr(technique, "negative for") != NULL)
		return NJ_LABEL_BENIGN;
	if (strcmp(label, "malformed") == 0 || strstr(label, "-relay") != NULL)
		return NJ_LABEL_NEITHER;
	return NJ_LABEL_ATTACK;
}

static struct nj_labelled_capture *add_capture(struct nj_labels *labels, const char *dir, const char *name)
{
	if (labels->captures_n == labels->captures_capacity) {
		uint32_t capacity = labels->captures_capacity != 0 ? labels->captures_capacity * 2 : 64;
		struct nj_labelled_capture *captures = realloc(labels->captures, capacity * sizeof *captures);
		if (captures == NULL)
			return NULL;
		labels->captures = captures;
		labels->captures_capacity = capacity;
	}
	struct nj_labelled_capture *capture = &labels->captures[labels->captures_n];
	memset(capture, 0, sizeof *capture);
	if (asprintf(&capture->path, "%s/%s", dir, name) < 0)
		return NULL;
	capture->name = strdup(name);
	if (capture->name == NULL) {
		free(capture->path);
		return NULL;
	}
	labels->captures_n++;
	return capture;
}

static struct nj_label_row *add_row(struct nj_labelled_capture *capture)
{
	struct nj_label_row *rows = realloc(capture->rows, (capture->rows_n + 1) * sizeof *rows);
	if (rows == NULL)
		return NULL;
	capture->rows = rows;
	memset(&rows[capture->rows_n], 0, sizeof *rows);
	return &rows[capture->rows_n++];
}

static const char *const capture_columns[] = {"capture", "label", "technique", "attacker", "victim"};

static int read_capture_rows(struct csv *csv, const int *index, const char *dir, const char *path,
			     struct nj_message *message, struct nj_labels *labels)
{
	while (next_row(csv)) {
		const char *name = value_of(csv, index[0]);
		if (name[0] == '\0')
			return nj_fail(message, NJ_ERR_FORMAT, "%s:%u: no capture named", path, csv->line);
		struct nj_labelled_capture *capture = add_capture(labels, dir, name);
		struct nj_label_row *row = capture != NULL ? add_row(capture) : NULL;
		if (row == NULL)
			return nj_fail(message, NJ_ERR_MEMORY, "%s: out of memory", path);
		copy_words(row->label, sizeof row->label, value_of(csv, index[1]));
		copy_words(row->words, sizeof row->words, value_of(csv, index[2]));
		row->kind = kind_of(row->label, row->words);
		row->agents_n = nj_label_addresses(value_of(csv, index[3]), row->address, NJ_LABEL_ADDRESSES_MAX);
		row->addresses_n =
			row->agents_n + nj_label_addresses(value_of(csv, index[4]), row->address + row->agents_n,
							   NJ_LABEL_ADDRESSES_MAX - row->agents_n);
		row->end_ns = UINT64_MAX;
	}
	return NJ_OK;
}

static const char *const action_columns[] = {"start", "end", "agent", "technique", "label", "peer", "words"};

static bool seconds_to_ns(const char *text, uint64_t *ret_ns)
{
	char *rest;
	double seconds = strtod(text, &rest);
	if (rest == text || *rest != '\0' || !(seconds >= 0) || seconds > 1.8e10)
		return false;
	*ret_ns = (uint64_t)llround(seconds * 1e6) * 1000;
	return true;
}

static int read_action_rows(struct csv *csv, const int *index, const char *path, struct nj_message *message,
			    struct nj_labelled_capture *capture)
{
	while (next_row(csv)) {
		struct nj_label_row *row = add_row(capture);
		if (row == NULL)
			return nj_fail(message, NJ_ERR_MEMORY, "%s: out of memory", path);
		if (!seconds_to_ns(value_of(csv, index[0]), &row->start_ns) ||
		    !seconds_to_ns(value_of(csv, index[1]), &row->end_ns))
			return nj_fail(message, NJ_ERR_FORMAT, "%s:%u: start and end must be seconds since the epoch",
				       path, csv->line);
		copy_words(row->technique, sizeof row->technique, value_of(csv, index[3]));
		copy_words(row->label, sizeof row->label, value_of(csv, index[4]));
		copy_words(row->words, sizeof row->words, value_of(csv, index[6]));
		row->kind = kind_of(row->label, row->words);
		row->agents_n = nj_label_addresses(value_of(csv, index[2]), row->address, NJ_LABEL_ADDRESSES_MAX);
		row->addresses_n =
			row->agents_n + nj_label_addresses(value_of(csv, index[5]), row->address + row->agents_n,
							   NJ_LABEL_ADDRESSES_MAX - row->agents_n);
	}
	return NJ_OK;
}

/* The capture beside labels of actions: STEM.pcap, STEM.pcapng, either with .gz or .zst. */
static int add_capture_beside(struct nj_labels *labels, const char *dir, const char *stem, const char *name,
			      struct nj_message *message, struct nj_labelled_capture **ret_capture)
{
	static const char *const endings[] = {"pcap", "pcap.zst", "pcap.gz", "pcapng", "pcapng.zst", "pcapng.gz"};
	char path[4096], file[512];
	struct stat status;
	for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
		snprintf(file, sizeof file, "%s.%s", stem, endings[i]);
		snprintf(path, sizeof path, "%s/%s", dir, file);
		if (stat(path, &status) != 0)
			continue;
		struct nj_labelled_capture *capture = add_capture(labels, dir, file);
		if (capture == NULL)
			return nj_fail(message, NJ_ERR_MEMORY, "%s: out of memory", dir);
		free(capture->name);
		capture->name = strdup(name);
		snprintf(path, sizeof path, "%s/inventory.yaml", dir);
		if (stat(path, &status) == 0)
			capture->inventory = strdup(path);
		*ret_capture = capture;
		return capture->name != NULL ? NJ_OK : NJ_ERR_MEMORY;
	}
	return nj_fail(message, NJ_ERR_NOT_FOUND, "%s: labels, but no %s.pcap or the like beside them", dir, stem);
}

static int read_rows(char *text, const char *dir, const char *stem, const char *name, const char *path,
		     struct nj_message *message, struct nj_labels *labels)
{
	struct csv csv = {.at = text};
	int index[FIELDS_MAX];
	struct nj_labelled_capture *capture = NULL;
	if (!next_row(&csv))
		return nj_fail(message, NJ_ERR_FORMAT, "%s:1: empty, where a header should be", path);
	if (find_columns(&csv, capture_columns, sizeof capture_columns / sizeof capture_columns[0], index))
		return read_capture_rows(&csv, index, dir, path, message, labels);
	if (!find_columns(&csv, action_columns, sizeof action_columns / sizeof action_columns[0], index))
		return nj_fail(message, NJ_ERR_FORMAT,
			       "%s:1: the header is neither capture,label,technique,attacker,victim nor "
			       "start,end,agent,technique,label,peer,words",
			       path);
	int error = add_capture_beside(labels, dir, stem, name, message, &capture);
	return error != NJ_OK ? error : read_action_rows(&csv, index, path, message, capture);
}

static int read_file(const char *dir, const char *stem, const char *name, const char *path, struct nj_message *message,
		     struct nj_labels *labels)
{
	char *text;
	size_t size;
	int error = nj_file_read(path, LABELS_BYTES_MAX, message, &text, &size);
	if (error != NJ_OK)
		return error;
	error = read_rows(text, dir, stem, name, path, message, labels);
	free(text);
	return error;
}

static int has_name(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* X.labels.csv labels the X.pcap or the like beside it. Its name is X. */
static int read_beside(const char *dir, const char *file, struct nj_message *message, struct nj_labels *labels)
{
	char path[4200], stem[256];
	size_t length = strlen(file), ending = strlen(".labels.csv");
	if (length <= ending || strcmp(file + length - ending, ".labels.csv") != 0)
		return NJ_OK;
	snprintf(path, sizeof path, "%s/%s", dir, file);
	snprintf(stem, sizeof stem, "%.*s", (int)(length - ending), file);
	return read_file(dir, stem, stem, path, message, labels);
}

static int read_subfolders(const char *dir, struct nj_message *message, struct nj_labels *labels)
{
	struct dirent **entries;
	char folder[4096], path[4200];
	struct stat status;
	int n = scandir(dir, &entries, has_name, alphasort), error = NJ_OK;
	if (n < 0)
		return nj_file_fail(message, dir, errno);
	for (int i = 0; i < n; i++) {
		snprintf(folder, sizeof folder, "%s/%s", dir, entries[i]->d_name);
		snprintf(path, sizeof path, "%s/labels.csv", folder);
		if (error == NJ_OK && stat(path, &status) == 0)
			error = read_file(folder, "capture", entries[i]->d_name, path, message, labels);
		else if (error == NJ_OK)
			error = read_beside(dir, entries[i]->d_name, message, labels);
		free(entries[i]);
	}
	free(entries);
	if (error == NJ_OK && labels->captures_n == 0)
		return nj_fail(message, NJ_ERR_NOT_FOUND,
			       "%s: no labels.csv in it or in its folders, and no NAME.labels.csv", dir);
	return error;
}

int nj_labels_load(const char *dir, const char *labels_path, struct nj_message *message, struct nj_labels *ret_labels)
{
	char path[4096];
	struct stat status;
	int error;
	memset(ret_labels, 0, sizeof *ret_labels);
	snprintf(path, sizeof path, "%s/labels.csv", dir);
	if (labels_path != NULL)
		error = read_file(dir, "capture", dir, labels_path, message, ret_labels);
	else if (stat(path, &status) == 0)
		error = read_file(dir, "capture", dir, path, message, ret_labels);
	else
		error = read_subfolders(dir, message, ret_labels);
	if (error != NJ_OK)
		nj_labels_free(ret_labels);
	return error;
}

void nj_labels_free(struct nj_labels *labels)
{
	for (uint32_t i = 0; i < labels->captures_n; i++) {
		free(labels->captures[i].path);
		free(labels->captures[i].name);
		free(labels->captures[i].inventory);
		free(labels->captures[i].rows);
	}
	free(labels->captures);
	memset(labels, 0, sizeof *labels);
}
