/* Agents lie sorted by address, then segment, and are found by bisection; decoys lie sorted by prefix, longest first,
 * so that the first match is the most particular. A file is read row by row: each known key has a function that takes
 * its node. */
#include "common/inventory.h"

#include "common/yaml.h"

#include <stdlib.h>

#define AGENTS_MAX 65536
#define DECOYS_MAX 1024

struct nj_inventory {
	struct nj_networks home, monitors;
	struct nj_inventory_agent *agents;
	struct nj_inventory_decoy *decoys;
	uint32_t agents_n, decoys_n;
	struct nj_policy_list ai_providers;
	uint32_t registered;      /* agents with a policy */
	bool ai_stated, ai_alert; /* ai_unregistered stands in the file; as alert */
};

/* What one loading function needs to know. */
struct reader {
	const struct nj_yaml *yaml;
	struct nj_message *message;
	struct nj_inventory *inventory;
};

#define FAIL(reader, node, ...) nj_yaml_fail((reader)->yaml, node, (reader)->message, __VA_ARGS__)

void nj_networks_private(struct nj_networks *ret_networks)
{
	static const char *const texts[] = {"10.0.0.0/8",    "172.16.0.0/12",  "192.168.0.0/16",
					    "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8",
					    "fc00::/7",      "fe80::/10",      "::1"};
	ret_networks->n = 0;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		ret_networks->n += nj_network_parse(texts[i], &ret_networks->network[ret_networks->n]);
}

bool nj_networks_contain(const struct nj_networks *networks, const struct nj_addr *addr)
{
	for (uint32_t i = 0; i < networks->n; i++)
		if (nj_network_contains(&networks->network[i], addr))
			return true;
	return false;
}

static int compare_agents(const void *a, const void *b)
{
	const struct nj_inventory_agent *x = a, *y = b;
	int order = nj_addr_compare(&x->id.addr, &y->id.addr);
	if (order != 0)
		return order;
	if (x->any_segment != y->any_segment)
		return x->any_segment ? 1 : -1;
	return (x->id.segment > y->id.segment) - (x->id.segment < y->id.segment);
}

static int compare_decoys(const void *a, const void *b)
{
	const struct nj_inventory_decoy *x = a, *y = b;
	if (x->network.prefix_bits != y->network.prefix_bits)
		return x->network.prefix_bits > y->network.prefix_bits ? -1 : 1;
	return nj_addr_compare(&x->network.addr, &y->network.addr);
}

static int take_name(const struct reader *r, const struct nj_yaml_node *node, char name[NJ_INVENTORY_NAME_MAX])
{
	size_t length = node->kind == NJ_YAML_TEXT ? strlen(node->text) : 0;
	if (length == 0 || length >= NJ_INVENTORY_NAME_MAX)
		return FAIL(r, node, "%s must be text of 1 to %d characters", node->key, NJ_INVENTORY_NAME_MAX - 1);
	memcpy(name, node->text, length + 1);
	return NJ_OK;
}

static int take_network(const struct reader *r, const struct nj_yaml_node *node, struct nj_network *network)
{
	if (node->kind != NJ_YAML_TEXT || !nj_network_parse(node->text, network))
		return FAIL(r, node, "'%.60s' is not a network such as 10.0.0.0/8",
			    node->kind == NJ_YAML_TEXT ? node->text : "(list)");
	return NJ_OK;
}

static int take_networks(const struct reader *r, const struct nj_yaml_node *node, struct nj_networks *networks)
{
	int err = node->kind == NJ_YAML_LIST ? NJ_OK : FAIL(r, node, "%s must be a list", node->key);
	networks->n = 0;
	for (const struct nj_yaml_node *item = node->first; err == NJ_OK && item != NULL; item = item->next)
		err = networks->n < NJ_NETWORKS_MAX ? take_network(r, item, &networks->network[networks->n++])
						    : FAIL(r, item, "more than %d networks", NJ_NETWORKS_MAX);
	return err;
}

static int take_permitted(const struct reader *r, const struct nj_yaml_node *node, uint32_t *ret_bits)
{
	static const char *const words[] = {"scan", "exfil", "beacon", "dns", "fanout", "icmp", "admin"};
	uint32_t bits = 0;
	if (node->kind != NJ_YAML_LIST)
		return FAIL(r, node, "permitted must be a list");
	for (const struct nj_yaml_node *item = node->first; item != NULL; item = item->next) {
		uint32_t bit = 0;
		for (size_t i = 0; i < sizeof words / sizeof *words; i++)
			if (item->kind == NJ_YAML_TEXT && strcmp(item->text, words[i]) == 0)
				bit = 1u << i;
		if (bit == 0)
			return FAIL(r, item, "permitted: expects scan, exfil, beacon, dns, fanout, icmp or admin");
		bits |= bit;
	}
	*ret_bits = bits;
	return NJ_OK;
}

static int take_policy(const struct reader *r, const struct nj_yaml_node *node, struct nj_inventory_agent *agent)
{
	struct nj_policy *policy = malloc(sizeof *policy);
	if (policy == NULL)
		return nj_fail(r->message, NJ_ERR_MEMORY, "out of memory for a policy");
	agent->policy = policy; /* owned by the inventory; freed with it, whatever follows */
	int err = nj_policy_read(r->yaml, node, r->message, policy);
	r->inventory->registered += err == NJ_OK;
	return err;
}

static int take_unregistered(const struct reader *r, const struct nj_yaml_node *node)
{
	bool alert = node->kind == NJ_YAML_TEXT && strcmp(node->text, "alert") == 0;
	if (!alert && (node->kind != NJ_YAML_TEXT || strcmp(node->text, "ignore") != 0))
		return FAIL(r, node, "ai_unregistered is alert or ignore");
	r->inventory->ai_stated = true;
	r->inventory->ai_alert = alert;
	return NJ_OK;
}

static int take_agent_key(const struct reader *r, const struct nj_yaml_node *node, struct nj_inventory_agent *agent,
			  bool *addressed)
{
	if (strcmp(node->key, "name") == 0)
		return take_name(r, node, agent->name);
	if (strcmp(node->key, "group") == 0)
		return take_name(r, node, agent->group);
	if (strcmp(node->key, "permitted") == 0)
		return take_permitted(r, node, &agent->permitted);
	if (strcmp(node->key, "ai") == 0)
		return take_policy(r, node, agent);
	if (strcmp(node->key, "address") == 0) {
		*addressed = node->kind == NJ_YAML_TEXT && nj_addr_parse(node->text, &agent->id.addr);
		return *addressed ? NJ_OK : FAIL(r, node, "address is not an IP address");
	}
	if (strcmp(node->key, "segment") == 0) {
		agent->any_segment = false;
		if (node->kind == NJ_YAML_TEXT && nj_segment_parse(node->text, &agent->id.segment))
			return NJ_OK;
		return FAIL(r, node, "segment is not of the form vlan:7, qinq:3.7, vni:5000 or \"\"");
	}
	return FAIL(r, node, "unknown key '%.60s'", node->key);
}

static int take_agent(const struct reader *r, const struct nj_yaml_node *node, struct nj_inventory_agent *agent)
{
	bool addressed = false;
	int err = node->kind == NJ_YAML_MAP ? NJ_OK : FAIL(r, node, "an agent must be a map with an address");
	*agent = (struct nj_inventory_agent){.any_segment = true};
	for (const struct nj_yaml_node *key = node->first; err == NJ_OK && key != NULL; key = key->next)
		err = take_agent_key(r, key, agent, &addressed);
	return err == NJ_OK && !addressed ? FAIL(r, node, "agent without an address") : err;
}

static int take_port(const struct reader *r, const struct nj_yaml_node *node, struct nj_inventory_decoy *decoy)
{
	char *end = "";
	unsigned long port = node->kind == NJ_YAML_TEXT ? strtoul(node->text, &end, 10) : 0;
	if (port == 0 || port > 65535 || *end != '\0')
		return FAIL(r, node, "a port is a number from 1 to 65535");
	if (decoy->ports_n == NJ_DECOY_PORTS_MAX)
		return FAIL(r, node, "more than %d ports", NJ_DECOY_PORTS_MAX);
	decoy->ports[decoy->ports_n++] = (uint16_t)port;
	return NJ_OK;
}

static int take_decoy_key(const struct reader *r, const struct nj_yaml_node *node, struct nj_inventory_decoy *decoy,
			  bool *placed)
{
	if (strcmp(node->key, "name") == 0)
		return take_name(r, node, decoy->name);
	if (strcmp(node->key, "network") == 0) {
		*placed = true;
		return take_network(r, node, &decoy->network);
	}
	if (strcmp(node->key, "ports") != 0)
		return FAIL(r, node, "unknown key '%.60s'", node->key);
	int err = node->kind == NJ_YAML_LIST && node->first != NULL ? NJ_OK : FAIL(r, node, "ports must be a list");
	for (const struct nj_yaml_node *item = node->first; err == NJ_OK && item != NULL; item = item->next)
		err = take_port(r, item, decoy);
	return err;
}

static int take_decoy(const struct reader *r, const struct nj_yaml_node *node, struct nj_inventory_decoy *decoy)
{
	bool placed = false;
	int err = NJ_OK;
	*decoy = (struct nj_inventory_decoy){0};
	if (node->kind == NJ_YAML_TEXT)
		return take_network(r, node, &decoy->network);
	for (const struct nj_yaml_node *key = node->first; err == NJ_OK && key != NULL; key = key->next)
		err = node->kind == NJ_YAML_MAP ? take_decoy_key(r, key, decoy, &placed)
						: FAIL(r, node, "a decoy is a network or a map");
	return err == NJ_OK && !placed ? FAIL(r, node, "decoy without a network") : err;
}

static uint32_t count_items(const struct nj_yaml_node *list)
{
	uint32_t n = 0;
	for (const struct nj_yaml_node *item = list->first; item != NULL; item = item->next)
		n++;
	return n;
}

/* Room for a list's elements, zeroed; refused when it is none or has too many. */
static int make_room(const struct reader *r, const struct nj_yaml_node *node, uint32_t max, size_t size,
		     void **ret_room)
{
	if (node->kind != NJ_YAML_LIST)
		return FAIL(r, node, "%s must be a list", node->key);
	uint32_t n = count_items(node);
	if (n > max)
		return FAIL(r, node, "more than %u %s", max, node->key);
	*ret_room = calloc(n + 1, size);
	return *ret_room != NULL ? NJ_OK : nj_fail(r->message, NJ_ERR_MEMORY, "out of memory for %s", node->key);
}

static int take_agents(const struct reader *r, const struct nj_yaml_node *node)
{
	struct nj_inventory *inventory = r->inventory;
	void *room;
	int err = make_room(r, node, AGENTS_MAX, sizeof *inventory->agents, &room);
	if (err < 0)
		return err;
	inventory->agents = room;
	for (const struct nj_yaml_node *item = node->first; err == NJ_OK && item != NULL; item = item->next)
		err = take_agent(r, item, &inventory->agents[inventory->agents_n++]);
	qsort(inventory->agents, inventory->agents_n, sizeof *inventory->agents, compare_agents);
	for (uint32_t i = 1; err == NJ_OK && i < inventory->agents_n; i++)
		if (compare_agents(&inventory->agents[i - 1], &inventory->agents[i]) == 0) {
			char text[NJ_ADDR_TEXT_MAX];
			err = FAIL(r, node, "agent %s stands twice", nj_addr_text(&inventory->agents[i].id.addr, text));
		}
	return err;
}

static int take_decoys(const struct reader *r, const struct nj_yaml_node *node)
{
	struct nj_inventory *inventory = r->inventory;
	void *room;
	int err = make_room(r, node, DECOYS_MAX, sizeof *inventory->decoys, &room);
	if (err < 0)
		return err;
	inventory->decoys = room;
	for (const struct nj_yaml_node *item = node->first; err == NJ_OK && item != NULL; item = item->next)
		err = take_decoy(r, item, &inventory->decoys[inventory->decoys_n++]);
	qsort(inventory->decoys, inventory->decoys_n, sizeof *inventory->decoys, compare_decoys);
	return err;
}

static int take_root(const struct reader *r, const struct nj_yaml_node *root)
{
	int err = root->kind == NJ_YAML_MAP ? NJ_OK : FAIL(r, root, "must be a map");
	for (const struct nj_yaml_node *node = root->first; err == NJ_OK && node != NULL; node = node->next) {
		if (strcmp(node->key, "home_networks") == 0)
			err = take_networks(r, node, &r->inventory->home);
		else if (strcmp(node->key, "monitors") == 0)
			err = take_networks(r, node, &r->inventory->monitors);
		else if (strcmp(node->key, "agents") == 0)
			err = take_agents(r, node);
		else if (strcmp(node->key, "decoys") == 0)
			err = take_decoys(r, node);
		else if (strcmp(node->key, "ai_providers") == 0)
			err = nj_policy_read_list(r->yaml, node, r->message, &r->inventory->ai_providers);
		else if (strcmp(node->key, "ai_unregistered") == 0)
			err = take_unregistered(r, node);
		else
			err = FAIL(r, node, "unknown key '%.60s'", node->key);
	}
	return err;
}

int nj_inventory_new(struct nj_inventory **ret_inventory)
{
	struct nj_inventory *inventory = calloc(1, sizeof *inventory);
	if (inventory == NULL)
		return NJ_ERR_MEMORY;
	nj_networks_private(&inventory->home);
	*ret_inventory = inventory;
	return NJ_OK;
}

int nj_inventory_load(const char *path, struct nj_message *message, struct nj_inventory **ret_inventory)
{
	struct nj_inventory *inventory = NULL;
	struct nj_yaml *yaml;
	int err = nj_yaml_load(path, message, &yaml);
	if (err < 0)
		return err;
	err = nj_inventory_new(&inventory);
	if (err == NJ_OK)
		err = take_root(&(struct reader){yaml, message, inventory}, nj_yaml_root(yaml));
	else
		nj_fail(message, err, "%s: out of memory", path);
	nj_yaml_free(&yaml);
	if (err < 0)
		nj_inventory_free(&inventory);
	else
		*ret_inventory = inventory;
	return err;
}

void nj_inventory_free(struct nj_inventory **inventory)
{
	if (*inventory == NULL)
		return;
	for (uint32_t i = 0; i < (*inventory)->agents_n; i++)
		free((struct nj_policy *)(*inventory)->agents[i].policy);
	free((*inventory)->agents);
	free((*inventory)->decoys);
	free(*inventory);
	*inventory = NULL;
}

const struct nj_networks *nj_inventory_home(const struct nj_inventory *inventory)
{
	return &inventory->home;
}

const struct nj_networks *nj_inventory_monitors(const struct nj_inventory *inventory)
{
	return &inventory->monitors;
}

const struct nj_policy_list *nj_inventory_ai_providers(const struct nj_inventory *inventory)
{
	return &inventory->ai_providers;
}

bool nj_inventory_ai_must_register(const struct nj_inventory *inventory)
{
	return inventory->ai_stated ? inventory->ai_alert : inventory->registered > 0;
}

const struct nj_inventory_agent *nj_inventory_agent(const struct nj_inventory *inventory, const struct nj_agent_id *id)
{
	if (inventory->agents_n == 0)
		return NULL;
	const struct nj_inventory_agent exact = {.id = *id}, any = {.id = {.addr = id->addr}, .any_segment = true};
	const struct nj_inventory_agent *found =
		bsearch(&exact, inventory->agents, inventory->agents_n, sizeof exact, compare_agents);
	return found != NULL ? found
			     : bsearch(&any, inventory->agents, inventory->agents_n, sizeof any, compare_agents);
}

static bool has_port(const struct nj_inventory_decoy *decoy, uint16_t port)
{
	for (uint8_t i = 0; i < decoy->ports_n; i++)
		if (decoy->ports[i] == port)
			return true;
	return decoy->ports_n == 0;
}

const struct nj_inventory_decoy *nj_inventory_decoy(const struct nj_inventory *inventory, const struct nj_addr *addr,
						    uint16_t port)
{
	for (uint32_t i = 0; i < inventory->decoys_n; i++)
		if (nj_network_contains(&inventory->decoys[i].network, addr) && has_port(&inventory->decoys[i], port))
			return &inventory->decoys[i];
	return NULL;
}
