/* Any file as an inventory: one that answers look-ups, or words that name the file. */
#include "common/inventory.h"

#include "tests/fuzz/memory_file.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[64];
	int fd = memory_file(data, size, path);
	struct nj_inventory *inventory = NULL;
	struct nj_message message = {""};
	if (nj_inventory_load(path, &message, &inventory) == NJ_OK) {
		struct nj_agent_id id = {{{0}}, 0};
		nj_addr_parse("10.20.1.5", &id.addr);
		const struct nj_inventory_agent *agent = nj_inventory_agent(inventory, &id);
		if (agent != NULL && agent->policy != NULL) {
			(void)nj_policy_reaches(agent->policy, "a.example.com", &id.addr, true, 6, 443);
			(void)nj_policy_in_hours(agent->policy, UINT64_C(1795551371) * 1000000000);
		}
		(void)nj_policy_names(nj_inventory_ai_providers(inventory), "a.example.com.", &id.addr, false);
		(void)nj_inventory_decoy(inventory, &id.addr, 22);
		assert(nj_inventory_home(inventory)->n <= NJ_NETWORKS_MAX);
	} else {
		assert(strncmp(message.text, path, strlen(path)) == 0);
	}
	nj_inventory_free(&inventory);
	close(fd);
	return 0;
}
