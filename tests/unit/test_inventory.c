/* Who is who: a file with every key, look-ups by the most particular entry, and each kind of mistake refused by line.
 */
#include "common/inventory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int load(const char *text, struct nj_message *message, struct nj_inventory **ret_inventory)
{
	char path[] = "/tmp/nj_test_inventory_XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	FILE *file = fdopen(fd, "w");
	fputs(text, file);
	fclose(file);
	int err = nj_inventory_load(path, message, ret_inventory);
	unlink(path);
	return err;
}

static struct nj_addr addr(const char *text)
{
	struct nj_addr a;
	assert_true(nj_addr_parse(text, &a));
	return a;
}

static void test_default_home(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool home;
	} cases[] = {{"10.1.2.3", true},    {"172.31.255.255", true},  {"172.32.0.0", false}, {"192.168.0.1", true},
		     {"100.127.0.1", true}, {"169.254.169.254", true}, {"127.0.0.1", true},   {"8.8.8.8", false},
		     {"fd00::1", true},     {"fe80::1", true},         {"::1", true},         {"::2", false},
		     {"2001:db8::1", false}};
	struct nj_inventory *inventory;
	assert_int_equal(nj_inventory_new(&inventory), NJ_OK);
	assert_int_equal(nj_inventory_home(inventory)->n, 9);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct nj_addr a = addr(cases[i].text);
		if (nj_networks_contain(nj_inventory_home(inventory), &a) != cases[i].home)
			fail_msg("%s", cases[i].text);
	}
	assert_null(nj_inventory_agent(inventory, &(struct nj_agent_id){0}));
	nj_inventory_free(&inventory);
	assert_null(inventory);
	nj_inventory_free(&inventory);
}

static const char full[] =
	"home_networks: [10.0.0.0/8, fd00::/8]\n"
	"agents:\n"
	"  - { address: 10.20.1.5, segment: \"vlan:20\", name: build-7, group: ci, permitted: [scan, dns] }\n"
	"  - { address: 10.20.1.5, name: elsewhere }\n"
	"  - { address: fd00::5, segment: \"\", name: untagged }\n"
	"decoys:\n"
	"  - 10.20.9.9\n"
	"  - { network: 10.20.250.0/24, ports: [22, 445], name: empty rack }\n"
	"  - { network: 10.20.250.7, name: one host }\n";

static const char *name_of(const struct nj_inventory *inventory, const char *address, const char *segment)
{
	struct nj_agent_id id = {.addr = addr(address)};
	assert_true(nj_segment_parse(segment, &id.segment));
	const struct nj_inventory_agent *agent = nj_inventory_agent(inventory, &id);
	return agent != NULL ? agent->name : "unknown";
}

static void test_look_ups(void **state)
{
	(void)state;
	struct nj_inventory *inventory;
	struct nj_message message;
	if (load(full, &message, &inventory) != NJ_OK)
		fail_msg("%s", message.text);
	struct nj_addr outside = addr("192.168.0.1"), rack = addr("10.20.250.8"), host = addr("10.20.250.7"),
		       lone = addr("10.20.9.9");
	assert_false(nj_networks_contain(nj_inventory_home(inventory), &outside));
	assert_string_equal(name_of(inventory, "10.20.1.5", "vlan:20"), "build-7");
	assert_string_equal(name_of(inventory, "10.20.1.5", "vlan:21"), "elsewhere");
	assert_string_equal(name_of(inventory, "10.20.1.5", ""), "elsewhere");
	assert_string_equal(name_of(inventory, "fd00::5", ""), "untagged");
	assert_string_equal(name_of(inventory, "fd00::5", "vni:9"), "unknown");
	struct nj_agent_id id = {addr("10.20.1.5"), nj_segment_make(NJ_SEGMENT_VLAN, 20)};
	assert_int_equal(nj_inventory_agent(inventory, &id)->permitted, NJ_PERMIT_SCAN | NJ_PERMIT_DNS);
	assert_string_equal(nj_inventory_agent(inventory, &id)->group, "ci");
	assert_string_equal(nj_inventory_decoy(inventory, &rack, 445)->name, "empty rack");
	assert_null(nj_inventory_decoy(inventory, &rack, 80));
	assert_string_equal(nj_inventory_decoy(inventory, &host, 22)->name, "one host");
	assert_string_equal(nj_inventory_decoy(inventory, &lone, 1)->name, "");
	assert_null(nj_inventory_decoy(inventory, &outside, 22));
	nj_inventory_free(&inventory);
}

static void refuse(const char *text, const char *expected)
{
	struct nj_inventory *inventory = NULL;
	struct nj_message message = {""};
	assert_int_equal(load(text, &message, &inventory), NJ_ERR_USAGE);
	assert_null(inventory);
	if (strstr(message.text, expected) == NULL)
		fail_msg("'%s' lacks '%s'", message.text, expected);
}

static void test_mistakes_are_refused_by_line(void **state)
{
	(void)state;
	refuse("agent: []\n", ":1: unknown key 'agent'");
	refuse("home_networks: []\ndecois:\n  - 10.0.0.1\n", ":2: unknown key 'decois'");
	refuse("- a\n", ":1: must be a map");
	refuse("home_networks: 10.0.0.0/8\n", "must be a list");
	refuse("home_networks:\n  - 10.0.0.0/8\n  - 10.0.0.1/8\n", ":3: '10.0.0.1/8' is not a network");
	refuse("agents:\n  - { name: x }\n", ":2: agent without an address");
	refuse("agents:\n  - { address: 10.0.0.300 }\n", ":2: address is not");
	refuse("agents:\n  - { address: 10.0.0.3, segment: vlan }\n", ":2: segment is not");
	refuse("agents:\n  - { address: 10.0.0.3, permitted: [fly] }\n", ":2: permitted: expects");
	refuse("agents:\n  - { address: 10.0.0.3, nmae: x }\n", ":2: unknown key 'nmae'");
	refuse("agents:\n  - { address: 10.0.0.3 }\n  - { address: 10.0.0.3 }\n", "agent 10.0.0.3 stands twice");
	refuse("agents:\n  - 10.0.0.3\n", ":2: an agent must be a map");
	refuse("decoys:\n  - 10.0.0.x\n", ":2: '10.0.0.x' is not a network");
	refuse("decoys:\n  - { ports: [1] }\n", ":2: decoy without a network");
	refuse("decoys:\n  - { network: 10.0.0.1, ports: [0] }\n", ":2: a port is a number");
	refuse("decoys:\n  - { network: 10.0.0.1, ports: [70000] }\n", ":2: a port is a number");
	refuse("decoys:\n  - { network: 10.0.0.1, ports: [] }\n", ":2: ports must be a list");
	refuse("decoys:\n  - [10.0.0.1]\n", ":2: a decoy is");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default_home),
		cmocka_unit_test(test_look_ups),
		cmocka_unit_test(test_mistakes_are_refused_by_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
