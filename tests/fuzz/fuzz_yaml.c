/* Any text as YAML: a tree within its bounds, or words that name a line. */
#include "common/yaml.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

static uint32_t check_depth(const struct nj_yaml_node *node, uint32_t depth)
{
	uint32_t nodes = 1;
	assert(depth <= NJ_YAML_DEPTH_MAX);
	assert((node->kind == NJ_YAML_TEXT) == (node->text != NULL));
	for (const struct nj_yaml_node *child = node->first; child != NULL; child = child->next) {
		assert((child->key != NULL) == (node->kind == NJ_YAML_MAP));
		nodes += check_depth(child, depth + 1);
	}
	return nodes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nj_yaml *yaml = NULL;
	struct nj_message message = {""};
	if (nj_yaml_parse("fuzz", (const char *)data, size, &message, &yaml) == NJ_OK)
		assert(check_depth(nj_yaml_root(yaml), 0) <= size + 1);
	else
		assert(strncmp(message.text, "fuzz:", 5) == 0);
	nj_yaml_free(&yaml);
	return 0;
}
