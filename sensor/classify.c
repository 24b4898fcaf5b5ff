/* nDPI's interface changed often; what differs stands in the first part of this file, by version:
 *   4.2   no input_info argument; caches are members of the module, made on first use, without a switch
 *   4.8   cache sizes by ndpi_set_lru_cache_size()
 *   4.10  ndpi_set_config(); a global context, which we need not have; whether to guess is set for the module
 *   4.12  the protocol pair is a struct of its own
 *   5.0   no protocol bitmask; the verdict of detection has a state; one call sets all allocators
 *   6.0   a licence argument: some dissectors (TLS, QUIC, DNS) are under a second licence for use with profit. We
 *         cannot know who runs this, so we declare the use that needs no contract, which loads the LGPL dissectors
 *         alone; flows of those protocols then have a guessed label or none
 * Built and run against 4.2 only. The branches for 4.8, 4.10, 4.12, 4.14, 5.0 and 6.0 were compiled (syntax alone)
 * against declarations of just the calls used here, copied by hand from what is published, never against a complete
 * release; docs/dependencies.md says from where, and what is inferred.
 *
 * The caches of 4.2 (32-bit keys made of addresses, seven of them) cannot be disabled, so they are made with one entry,
 * and that entry is emptied after every packet: within one packet they work as intended, from packet to packet they
 * remember nothing. The eighth, of tinc, is freed whenever it appears; later versions hide it and have no switch for
 * it, so there tinc is not looked for at all. */
#include <ndpi_define.h>
#define NJ_NDPI (NDPI_MAJOR * 100 + NDPI_MINOR)
#if NJ_NDPI < 402 || (NJ_NDPI > 402 && NJ_NDPI < 408)
#error "nDPI 4.2, or 4.8 and later"
#endif
#if NJ_NDPI == 402
/* Exception: 4.2 shows the members of its module only to itself, and there is no other way to its caches. */
#define NDPI_LIB_COMPILATION 1
#endif
#include <ndpi_api.h>

#include "sensor/classify.h"

#include <assert.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_SLOTS 8192 /* a power of two, twice NJ_LABELS_MAX */
#define OWN_LABELS  0xffff0000u

struct label {
	uint32_t id; /* master << 16 | application; our own: OWN_LABELS | number */
	char text[NJ_LABEL_TEXT_MAX];
};

struct state {
	uint32_t owner, older, newer; /* in order of beginning; free states are linked by newer */
};

struct nj_classify {
	struct ndpi_detection_module_struct *module;
	uint8_t *flows; /* states_max of nDPI's flow structs */
	struct state *state;
	uint32_t states_max, free, oldest, newest;
	uint16_t labels_n;
	uint16_t slot[LABEL_SLOTS]; /* label + 1 */
	struct label label[NJ_LABELS_MAX];
};

/* nDPI's allocations are counted, since nothing else bounds them: strings of the flows in the pool, and the module. */
static _Atomic uint64_t library_bytes;

static void *counted_malloc(size_t size)
{
	void *block = malloc(size);
	atomic_fetch_add_explicit(&library_bytes, malloc_usable_size(block), memory_order_relaxed);
	return block;
}

static void counted_free(void *block)
{
	atomic_fetch_sub_explicit(&library_bytes, malloc_usable_size(block), memory_order_relaxed);
	free(block);
}

#if NJ_NDPI >= 500
static void *counted_calloc(size_t count, size_t size)
{
	void *block = calloc(count, size);
	atomic_fetch_add_explicit(&library_bytes, malloc_usable_size(block), memory_order_relaxed);
	return block;
}

static void *counted_realloc(void *block, size_t size)
{
	size_t before = malloc_usable_size(block);
	void *grown = realloc(block, size);
	if (grown != NULL || size == 0) /* else the old block stands */
		atomic_fetch_add_explicit(&library_bytes, malloc_usable_size(grown) - before, memory_order_relaxed);
	return grown;
}

static void allocations_count(void)
{
	ndpi_set_memory_alloction_functions(counted_malloc, counted_free, counted_calloc, counted_realloc, NULL, NULL,
					    NULL, NULL);
}
#else
static void allocations_count(void)
{
	set_ndpi_malloc(counted_malloc);
	set_ndpi_free(counted_free);
}
#endif

#if NJ_NDPI == 402
/* Of libndpi's own third_party/include/libcache.h, which is not installed; exported without a prefix. */
void cache_free(struct cache *cache);

#define CACHES_OF(X)                                                                                                   \
	X(ookla_cache)                                                                                                 \
	X(bittorrent_cache) X(zoom_cache) X(stun_cache) X(tls_cert_cache) X(mining_cache) X(msteams_cache)

static bool caches_off(struct ndpi_detection_module_struct *module)
{
	/* The members are where these headers say only if the library was built with the same switches; this one lies
	 * just before the caches. */
	assert(module->ndpi_num_supported_protocols == ndpi_get_num_supported_protocols(module));
#define CACHE_OF_ONE(name)                                                                                             \
	if (module->name != NULL)                                                                                      \
		ndpi_lru_free_cache(module->name);                                                                     \
	module->name = ndpi_lru_cache_init(1);                                                                         \
	if (module->name == NULL)                                                                                      \
		return false;
	CACHES_OF(CACHE_OF_ONE)
#undef CACHE_OF_ONE
	return true;
}

static inline void caches_forget(struct ndpi_detection_module_struct *module)
{
#define CACHE_FORGET(name) module->name->entries[0].is_full = 0;
	CACHES_OF(CACHE_FORGET)
#undef CACHE_FORGET
	if (module->tinc_cache != NULL) {
		cache_free(module->tinc_cache);
		module->tinc_cache = NULL;
	}
}
#elif NJ_NDPI < 410
static bool caches_off(struct ndpi_detection_module_struct *module)
{
	for (int cache = 0; cache < NDPI_LRUCACHE_MAX; cache++)
		ndpi_set_lru_cache_size(module, (lru_cache_type)cache, 0);
	return true;
}

static inline void caches_forget(struct ndpi_detection_module_struct *module)
{
	(void)module;
}
#else
static bool caches_off(struct ndpi_detection_module_struct *module)
{
	/* Of every version; one that has no such cache refuses the key, and there is nothing to disable. */
	static const char *const keys[] = {"lru.ookla.size",  "lru.bittorrent.size", "lru.zoom.size",
					   "lru.stun.size",   "lru.stun_zoom.size",  "lru.tls_cert.size",
					   "lru.mining.size", "lru.msteams.size",    "lru.fpc_dns.size",
					   "lru.signal.size", "hostname_dns_check",  "dpi.address_cache_size"};
	for (unsigned i = 0; i < sizeof keys / sizeof keys[0]; i++)
		(void)ndpi_set_config(module, NULL, keys[i], "0");
	return true;
}

static inline void caches_forget(struct ndpi_detection_module_struct *module)
{
	(void)module;
}
#endif

static struct ndpi_detection_module_struct *module_init(void)
{
#if NJ_NDPI >= 600
	return ndpi_init_detection_module(NULL, NDPI_LICENSE_FOR_PROFIT_LGPL);
#elif NJ_NDPI >= 410
	return ndpi_init_detection_module(NULL);
#else
	return ndpi_init_detection_module(ndpi_no_prefs);
#endif
}

static bool module_enable(struct ndpi_detection_module_struct *module)
{
#if NJ_NDPI >= 500
	(void)ndpi_set_config(module, "TINC", "enable", "0");
	return ndpi_finalize_initialization(module) == 0;
#else
	NDPI_PROTOCOL_BITMASK all;
	NDPI_BITMASK_SET_ALL(all);
#if NJ_NDPI > 402
	NDPI_BITMASK_DEL(all, NDPI_PROTOCOL_TINC);
#endif
	ndpi_set_protocol_detection_bitmask2(module, &all);
	(void)ndpi_finalize_initialization(module);
	return true;
#endif
}

#if NJ_NDPI >= 412
#define PROTOCOL_PAIR(p) ((p).proto)
#else
#define PROTOCOL_PAIR(p) (p)
#endif

static ndpi_protocol packet_process(struct ndpi_detection_module_struct *module, struct ndpi_flow_struct *flow,
				    const struct nj_packet *packet)
{
	uint16_t size = packet->ip_bytes < UINT16_MAX ? (uint16_t)packet->ip_bytes : UINT16_MAX;
#if NJ_NDPI == 402
	return ndpi_detection_process_packet(module, flow, packet->ip, size, packet->t_ns / 1000000);
#else
	return ndpi_detection_process_packet(module, flow, packet->ip, size, packet->t_ns / 1000000, NULL);
#endif
}

static bool is_final(const ndpi_protocol *found)
{
#if NJ_NDPI >= 500
	return found->state == NDPI_STATE_CLASSIFIED ||
	       found->state == NDPI_STATE_MONITORING; /* a partial verdict may still change */
#else
	return PROTOCOL_PAIR(*found).app_protocol != NDPI_PROTOCOL_UNKNOWN;
#endif
}

#if NJ_NDPI >= 410
static ndpi_protocol flow_giveup(struct ndpi_detection_module_struct *module, struct ndpi_flow_struct *flow, bool guess)
{
	if (!guess) { /* the call would: dpi.guess_on_giveup, on by default, is set for the whole module */
		ndpi_protocol found;
		memset(&found, 0, sizeof found);
		PROTOCOL_PAIR(found).app_protocol = flow->detected_protocol_stack[0];
		PROTOCOL_PAIR(found).master_protocol = flow->detected_protocol_stack[1];
		return found;
	}
#if NJ_NDPI >= 500
	return ndpi_detection_giveup(module, flow);
#else
	u_int8_t guessed = 0;
	return ndpi_detection_giveup(module, flow, &guessed);
#endif
}
#else
static ndpi_protocol flow_giveup(struct ndpi_detection_module_struct *module, struct ndpi_flow_struct *flow, bool guess)
{
	u_int8_t guessed = 0;
	return ndpi_detection_giveup(module, flow, guess, &guessed);
}
#endif

static ndpi_protocol ports_guess(struct ndpi_detection_module_struct *module, uint8_t protocol, uint32_t src,
				 uint16_t src_port, uint32_t dst, uint16_t dst_port)
{
#if NJ_NDPI == 402
	return ndpi_guess_undetected_protocol(module, NULL, protocol, src, src_port, dst, dst_port);
#else
	return ndpi_guess_undetected_protocol_v4(module, NULL, protocol, src, src_port, dst, dst_port);
#endif
}

/* ------------------------------------------------------------------ the same for every version from here on */

uint64_t nj_classify_library_bytes(void)
{
	return atomic_load_explicit(&library_bytes, memory_order_relaxed);
}

const char *nj_classify_library_version(void)
{
	return ndpi_revision();
}

static size_t flow_bytes(void)
{
	return (sizeof(struct ndpi_flow_struct) + 63) & ~(size_t)63;
}

uint64_t nj_classify_memory_bytes(uint32_t states_max)
{
	return sizeof(struct nj_classify) + (uint64_t)states_max * (flow_bytes() + sizeof(struct state));
}

static void pool_init(struct nj_classify *classify)
{
	for (uint32_t i = 0; i < classify->states_max; i++)
		classify->state[i].newer = i + 1 < classify->states_max ? i + 1 : NJ_CLASSIFY_NONE;
	classify->free = 0;
	classify->oldest = NJ_CLASSIFY_NONE;
	classify->newest = NJ_CLASSIFY_NONE;
}

int nj_classify_new(uint32_t states_max, struct nj_message *message, struct nj_classify **ret_classify)
{
	assert(states_max > 0);
	allocations_count();
	struct nj_classify *classify = calloc(1, sizeof *classify);
	if (classify == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "no memory for the classifier");
	classify->states_max = states_max;
	classify->flows = aligned_alloc(64, states_max * flow_bytes());
	classify->state = malloc(states_max * sizeof *classify->state);
	classify->module = module_init();
	if (classify->flows == NULL || classify->state == NULL || classify->module == NULL ||
	    !caches_off(classify->module) || !module_enable(classify->module)) {
		nj_classify_free(&classify);
		return nj_fail(message, NJ_ERR_MEMORY, "no memory for the classifier (nDPI %s)",
			       nj_classify_library_version());
	}
	pool_init(classify);
	(void)nj_classify_label_make(classify, "Unknown");
	*ret_classify = classify;
	return NJ_OK;
}

void nj_classify_free(struct nj_classify **classify_pointer)
{
	struct nj_classify *classify = *classify_pointer;
	if (classify == NULL)
		return;
	if (classify->flows != NULL && classify->state != NULL && classify->module != NULL)
		while (classify->oldest != NJ_CLASSIFY_NONE) {
			struct nj_classify_result ignored;
			nj_classify_finish(classify, classify->oldest, false, &ignored);
		}
	if (classify->module != NULL)
		ndpi_exit_detection_module(classify->module);
	free(classify->flows);
	free(classify->state);
	free(classify);
	*classify_pointer = NULL;
}

static struct ndpi_flow_struct *flow_of(const struct nj_classify *classify, uint32_t state)
{
	assert(state < classify->states_max);
	return (struct ndpi_flow_struct *)(void *)(classify->flows + state * flow_bytes());
}

uint32_t nj_classify_begin(struct nj_classify *classify, uint32_t owner)
{
	uint32_t state = classify->free;
	if (state == NJ_CLASSIFY_NONE)
		return state;
	classify->free = classify->state[state].newer;
	classify->state[state] = (struct state){.owner = owner, .older = classify->newest, .newer = NJ_CLASSIFY_NONE};
	if (classify->newest != NJ_CLASSIFY_NONE)
		classify->state[classify->newest].newer = state;
	else
		classify->oldest = state;
	classify->newest = state;
	memset(flow_of(classify, state), 0, sizeof(struct ndpi_flow_struct));
	return state;
}

uint32_t nj_classify_oldest_owner(const struct nj_classify *classify)
{
	assert(classify->oldest != NJ_CLASSIFY_NONE);
	return classify->state[classify->oldest].owner;
}

static void pool_release(struct nj_classify *classify, uint32_t state)
{
	struct state *s = &classify->state[state];
	if (s->older != NJ_CLASSIFY_NONE)
		classify->state[s->older].newer = s->newer;
	else
		classify->oldest = s->newer;
	if (s->newer != NJ_CLASSIFY_NONE)
		classify->state[s->newer].older = s->older;
	else
		classify->newest = s->older;
	s->newer = classify->free;
	classify->free = state;
}

bool nj_classify_packet(struct nj_classify *classify, uint32_t state, const struct nj_packet *packet)
{
	ndpi_protocol found = packet_process(classify->module, flow_of(classify, state), packet);
	caches_forget(classify->module);
	return is_final(&found);
}

static uint16_t label_find(struct nj_classify *classify, uint32_t id, uint32_t *ret_slot)
{
	uint32_t slot = id * 2654435761u >> 19;
	while (classify->slot[slot] != 0 && classify->label[classify->slot[slot] - 1].id != id)
		slot = (slot + 1) % LABEL_SLOTS;
	*ret_slot = slot;
	return classify->slot[slot];
}

static uint16_t label_add(struct nj_classify *classify, uint32_t id, uint32_t slot, const char *text)
{
	if (classify->labels_n == NJ_LABELS_MAX)
		return NJ_LABEL_UNKNOWN;
	struct label *label = &classify->label[classify->labels_n++];
	label->id = id;
	snprintf(label->text, sizeof label->text, "%s", text);
	classify->slot[slot] = classify->labels_n;
	return (uint16_t)(classify->labels_n - 1);
}

static uint16_t label_of(struct nj_classify *classify, ndpi_protocol found)
{
	uint32_t id = (uint32_t)PROTOCOL_PAIR(found).master_protocol << 16 | PROTOCOL_PAIR(found).app_protocol, slot;
	if (id == NDPI_PROTOCOL_UNKNOWN)
		return NJ_LABEL_UNKNOWN;
	uint16_t known = label_find(classify, id, &slot);
	if (known != 0)
		return (uint16_t)(known - 1);
	char text[NJ_LABEL_TEXT_MAX];
	ndpi_protocol2name(classify->module, PROTOCOL_PAIR(found), text, sizeof text);
	return label_add(classify, id, slot, text);
}

void nj_classify_finish(struct nj_classify *classify, uint32_t state, bool guess, struct nj_classify_result *ret_result)
{
	struct ndpi_flow_struct *flow = flow_of(classify, state);
	ndpi_protocol found = flow_giveup(classify->module, flow, guess);
	caches_forget(classify->module);
	ret_result->label = label_of(classify, found);
	ret_result->risks = flow->risk;
	ndpi_free_flow_data(flow);
	pool_release(classify, state);
}

/* As a number in host order; IPv6 has none, and is guessed by ports. */
static uint32_t ipv4_of(const struct nj_addr *addr)
{
	const uint8_t *b = addr->byte + 12;
	return nj_addr_is_v4(addr) ? (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3] : 0;
}

uint16_t nj_classify_guess(struct nj_classify *classify, uint8_t protocol, const struct nj_addr *src, uint16_t src_port,
			   const struct nj_addr *dst, uint16_t dst_port)
{
	return label_of(classify,
			ports_guess(classify->module, protocol, ipv4_of(src), src_port, ipv4_of(dst), dst_port));
}

const char *nj_classify_label(const struct nj_classify *classify, uint16_t label)
{
	assert(label < classify->labels_n);
	return classify->label[label].text;
}

uint16_t nj_classify_label_make(struct nj_classify *classify, const char *text)
{
	uint32_t slot;
	for (uint16_t i = 0; i < classify->labels_n; i++)
		if (classify->label[i].id >= OWN_LABELS && strcmp(classify->label[i].text, text) == 0)
			return i;
	uint32_t id = OWN_LABELS | classify->labels_n;
	(void)label_find(classify, id, &slot);
	return label_add(classify, id, slot, text);
}
