/* Any file as a configuration with options of every type: it is refused whole, or what it set can be dumped, loaded
 * again and is the same. */
#include "common/config.h"

#include "tests/fuzz/memory_file.h"

#include <assert.h>
#include <string.h>

#define OPTIONS(OPT)                                                                                                   \
	OPT(flows, COUNT, "flows", 1, 1000, "100", "table size")                                                       \
	OPT(idle, DURATION, "s", 1, 3600, "60", "silence")                                                             \
	OPT(spool, BYTES, "B", 1024, 1e12, "64M", "journal bound")                                                     \
	OPT(budget, REAL, "1/d", 0.1, 1000, "2.5", "alerts a day")                                                     \
	OPT(strict, FLAG, "", 0, 0, "false", "be strict")                                                              \
	OPT(sensor, TEXT, "", 0, 8, "", "name")                                                                        \
	OPT(peers, LIST, "", 1, 3, "a,b", "endpoints")

struct config {
	OPTIONS(NJ_OPTION_FIELD)
};

#define ROW(...) NJ_OPTION_ROW(struct config, __VA_ARGS__)
static const struct nj_option rows[] = {OPTIONS(ROW)};
static const struct nj_schema schema = {rows, sizeof rows / sizeof *rows};

/* Only ASCII texts come back the same from YAML; others need not even be valid UTF-8. */
static bool is_ascii(const struct config *c)
{
	const char *texts[] = {c->sensor, c->peers.text[0], c->peers.text[1], c->peers.text[2]};
	for (size_t i = 0; i < 4; i++)
		for (const char *at = texts[i]; (i == 0 || i <= c->peers.n) && *at != '\0'; at++)
			if ((unsigned char)*at >= 0x7f)
				return false;
	return true;
}

static void check_dump(const struct config *config)
{
	char *text = NULL, path[64];
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	nj_config_dump(&schema, config, file);
	fclose(file);
	int fd = memory_file((uint8_t *)text, size, path);
	struct config again;
	struct nj_message message;
	nj_config_defaults(&schema, &again);
	assert(nj_config_load(&schema, path, &again, sizeof again, &message) == NJ_OK);
	assert(again.flows == config->flows && again.idle == config->idle && again.spool == config->spool);
	assert(again.budget == config->budget && again.strict == config->strict && again.peers.n == config->peers.n);
	assert(strcmp(again.sensor, config->sensor) == 0);
	close(fd);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[64];
	int fd = memory_file(data, size, path);
	struct config config;
	struct nj_message message = {""};
	memset(&config, 0, sizeof config);
	nj_config_defaults(&schema, &config);
	if (nj_config_load(&schema, path, &config, sizeof config, &message) < 0)
		assert(strncmp(message.text, path, strlen(path)) == 0);
	else if (is_ascii(&config))
		check_dump(&config);
	close(fd);
	return 0;
}
