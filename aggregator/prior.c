/* The prior in YAML: numbers by name, tails by detector. The shipped text is models/prior.yaml, turned into an array by
 * the build, so that a program alone suffices; the file's own header says where each number comes from. */
#include "aggregator/prior.h"

#include "common/file.h"
#include "common/yaml.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const char nj_prior_text[]; /* made by the build from models/prior.yaml */

static const struct {
	const char *name;
	size_t offset;
	double least, largest, value;
	const char *meaning;
} numbers[] = {
#define ROW(name, value, least, largest, meaning)                                                                      \
	{#name, offsetof(struct nj_prior, name), least, largest, value, meaning},
	NJ_PRIOR_NUMBERS(ROW)
#undef ROW
};

#define NUMBERS (sizeof numbers / sizeof *numbers)

static double *number_at(struct nj_prior *prior, size_t i)
{
	return (double *)(void *)((char *)prior + numbers[i].offset);
}

static bool read_double(const char *text, double *ret_value)
{
	char *end;
	errno = 0;
	double value = strtod(text, &end);
	if (end == text || *end != '\0' || errno != 0 || !isfinite(value))
		return false;
	*ret_value = value;
	return true;
}

static int read_number(const struct nj_yaml *yaml, const struct nj_yaml_node *node, struct nj_message *message,
		       struct nj_prior *prior)
{
	for (size_t i = 0; i < NUMBERS; i++) {
		if (strcmp(numbers[i].name, node->key) != 0)
			continue;
		double value;
		if (node->kind != NJ_YAML_TEXT || !read_double(node->text, &value) || value < numbers[i].least ||
		    value > numbers[i].largest)
			return nj_yaml_fail(yaml, node, message, "%s must be a number from %g to %g", node->key,
					    numbers[i].least, numbers[i].largest);
		*number_at(prior, i) = value;
		return 0;
	}
	return nj_yaml_fail(yaml, node, message, "unknown key '%s'", node->key);
}

static int read_tail(const struct nj_yaml *yaml, const struct nj_yaml_node *node, struct nj_message *message,
		     struct nj_prior *prior)
{
	int detector = 0;
	while (detector < NJ_DETECTORS && strcmp(nj_detectors[detector]->name, node->key) != 0)
		detector++;
	if (detector == NJ_DETECTORS)
		return nj_yaml_fail(yaml, node, message, "no detector is called '%s'", node->key);
	if (node->kind != NJ_YAML_MAP)
		return nj_yaml_fail(yaml, node, message, "a tail is a map of buckets to counts");
	for (const struct nj_yaml_node *at = node->first; at != NULL; at = at->next) {
		double bucket, count;
		if (at->kind != NJ_YAML_TEXT || !read_double(at->key, &bucket) || !read_double(at->text, &count) ||
		    bucket < 0 || bucket >= NJ_DDSKETCH_BUCKETS || bucket != floor(bucket) || count < 0 || count > 1e9)
			return nj_yaml_fail(yaml, at, message, "expected a bucket from 0 to %d and a count up to 1e9",
					    NJ_DDSKETCH_BUCKETS - 1);
		prior->tail[detector][(int)bucket] = (uint32_t)count;
	}
	return 0;
}

static int read_prior(const struct nj_yaml *yaml, const struct nj_yaml_node *node, struct nj_message *message,
		      struct nj_prior *prior)
{
	for (const struct nj_yaml_node *at = node->first; at != NULL; at = at->next) {
		int error = 0;
		if (strcmp(at->key, "version") == 0) {
			if (at->kind != NJ_YAML_TEXT || strcmp(at->text, "1") != 0)
				error = nj_yaml_fail(yaml, at, message, "this program reads version 1 of a baseline");
		} else if (strcmp(at->key, "source") == 0) {
			if (at->kind != NJ_YAML_TEXT || strlen(at->text) >= sizeof prior->source)
				error = nj_yaml_fail(yaml, at, message, "source is a text of up to %zu characters",
						     sizeof prior->source - 1);
			else
				snprintf(prior->source, sizeof prior->source, "%s", at->text);
		} else if (strcmp(at->key, "tails") == 0) {
			for (const struct nj_yaml_node *tail = at->first; tail != NULL && error == 0; tail = tail->next)
				error = tail->key != NULL
						? read_tail(yaml, tail, message, prior)
						: nj_yaml_fail(yaml, tail, message, "tails is a map of detectors");
		} else {
			error = read_number(yaml, at, message, prior);
		}
		if (error != 0)
			return error;
	}
	return 0;
}

static int read_document(const struct nj_yaml *yaml, struct nj_message *message, struct nj_prior *prior)
{
	const struct nj_yaml_node *root = nj_yaml_root(yaml);
	if (root->kind != NJ_YAML_MAP || root->first == NULL || strcmp(root->first->key, "prior") != 0 ||
	    root->first->next != NULL || root->first->kind != NJ_YAML_MAP)
		return nj_yaml_fail(yaml, root, message, "a baseline has one key, 'prior'");
	return read_prior(yaml, root->first, message, prior);
}

static void start(struct nj_prior *prior)
{
	memset(prior, 0, sizeof *prior);
	snprintf(prior->source, sizeof prior->source, "prior");
	for (size_t i = 0; i < NUMBERS; i++)
		*number_at(prior, i) = numbers[i].value;
}

int nj_prior_shipped(struct nj_message *message, struct nj_prior *ret_prior)
{
	struct nj_yaml *yaml;
	struct nj_prior prior;
	start(&prior);
	int error = nj_yaml_parse("shipped prior", nj_prior_text, strlen(nj_prior_text), message, &yaml);
	if (error != 0)
		return error;
	error = read_document(yaml, message, &prior);
	nj_yaml_free(&yaml);
	if (error == 0)
		*ret_prior = prior;
	return error;
}

int nj_prior_load(const char *path, struct nj_message *message, struct nj_prior *ret_prior)
{
	struct nj_yaml *yaml;
	struct nj_prior prior;
	int error = nj_prior_shipped(message, &prior);
	if (error != 0)
		return error;
	error = nj_yaml_load(path, message, &yaml);
	if (error != 0)
		return error;
	error = read_document(yaml, message, &prior);
	nj_yaml_free(&yaml);
	if (error == 0)
		*ret_prior = prior;
	return error;
}

static void write_tails(const struct nj_prior *prior, FILE *file)
{
	fprintf(file, "  tails:\n");
	for (int detector = 0; detector < NJ_DETECTORS; detector++) {
		const char *separator = "";
		fprintf(file, "    %s: {", nj_detectors[detector]->name);
		for (int bucket = 0; bucket < NJ_DDSKETCH_BUCKETS; bucket++) {
			uint32_t count = prior->tail[detector][bucket];
			if (count == 0)
				continue;
			fprintf(file, "%s%d: %u", separator, bucket, count < 1000000000 ? count : 1000000000);
			separator = ", ";
		}
		fprintf(file, "}\n");
	}
}

int nj_prior_save(const struct nj_prior *prior, const char *path, struct nj_message *message)
{
	char temporary[4096];
	int length = snprintf(temporary, sizeof temporary, "%s.new", path);
	if (length < 0 || (size_t)length >= sizeof temporary)
		return nj_fail(message, NJ_ERR_USAGE, "%.100s...: path too long", path);
	FILE *file = fopen(temporary, "we");
	if (file == NULL)
		return nj_file_fail(message, temporary, errno);
	fprintf(file,
		"# A Nightjar baseline: what is usual. Read by --baseline; the format is described in "
		"docs/detectors.md.\nprior:\n"
		"  version: 1\n  source: \"%s\"\n",
		prior->source);
	for (size_t i = 0; i < NUMBERS; i++)
		fprintf(file, "  %s: %.6g # %s\n", numbers[i].name, *number_at((struct nj_prior *)(uintptr_t)prior, i),
			numbers[i].meaning);
	write_tails(prior, file);
	bool written = fflush(file) == 0 && fsync(fileno(file)) == 0;
	int write_error = errno;
	if (fclose(file) != 0 || !written || rename(temporary, path) != 0) {
		int error = nj_file_fail(message, path, written ? errno : write_error);
		unlink(temporary);
		return error;
	}
	return 0;
}
