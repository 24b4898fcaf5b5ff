/* The floor no sensor on libpcap and nDPI can go below, measured on a capture file: stage 0 reads; stage 1 adds a plain
 * Ethernet/IPv4 decode and a flow table of one probe a packet; stage 2 adds nDPI on the first payload packets of each
 * flow (10 TCP, 6 other), freed once known. It keeps no window, computes no feature and answers no question: what
 * `nightjar replay` takes beyond it is the price of those.
 *
 * usage: floor STAGE FILE   prints one line: stage, packets, flows, labelled flows, seconds of CPU. */
#include <ndpi_api.h>
#include <pcap/pcap.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLOTS (1u << 20)

struct tuple {
	uint32_t low_addr, high_addr;
	uint16_t low_port, high_port;
	uint8_t protocol;
};

struct slot {
	struct tuple tuple;
	uint8_t used, known, shown;
	uint64_t packets, bytes;
	struct ndpi_flow_struct *ndpi;
};

struct view {
	struct tuple tuple;
	const uint8_t *ip;
	uint32_t ip_bytes, payload_bytes;
};

static struct slot *table;
static uint64_t flows, labelled;

static uint16_t be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static int decode(const uint8_t *frame, uint32_t bytes, struct view *ret_view)
{
	uint32_t at = 12;
	while (at + 2 <= bytes && (be16(frame + at) == 0x8100 || be16(frame + at) == 0x88a8))
		at += 4;
	if (at + 2 + 20 > bytes || be16(frame + at) != 0x0800)
		return 0;
	const uint8_t *ip = frame + at + 2;
	uint32_t left = bytes - at - 2, header = (ip[0] & 15u) * 4, total = be16(ip + 2);
	if (header < 20 || header + 8 > left)
		return 0;
	struct tuple t = {.protocol = ip[9]};
	memcpy(&t.low_addr, ip + 12, 4);
	memcpy(&t.high_addr, ip + 16, 4);
	uint32_t transport = 0;
	if (t.protocol == 6 || t.protocol == 17) {
		t.low_port = be16(ip + header);
		t.high_port = be16(ip + header + 2);
		transport = t.protocol == 17 ? 8 : header + 13 <= left ? (ip[header + 12] >> 4) * 4u : 20;
	}
	if (t.low_addr > t.high_addr || (t.low_addr == t.high_addr && t.low_port > t.high_port)) {
		t = (struct tuple){t.high_addr, t.low_addr, t.high_port, t.low_port, t.protocol};
	}
	*ret_view = (struct view){t, ip, total < left ? total : left,
				  total > header + transport ? total - header - transport : 0};
	return 1;
}

static struct slot *find(const struct tuple *t)
{
	uint64_t h = ((uint64_t)t->low_addr << 32 | t->high_addr) * 0xff51afd7ed558ccdull;
	h ^= (((uint64_t)t->low_port << 24) ^ ((uint64_t)t->high_port << 8) ^ t->protocol) * 0xc4ceb9fe1a85ec53ull;
	h ^= h >> 31;
	for (uint32_t i = (uint32_t)h & (SLOTS - 1);; i = (i + 1) & (SLOTS - 1)) {
		struct slot *slot = &table[i];
		if (!slot->used) {
			slot->used = 1;
			slot->tuple = *t;
			flows++;
			return slot;
		}
		const struct tuple *s = &slot->tuple;
		if (s->low_addr == t->low_addr && s->high_addr == t->high_addr && s->low_port == t->low_port &&
		    s->high_port == t->high_port && s->protocol == t->protocol)
			return slot;
	}
}

static void classify(struct ndpi_detection_module_struct *module, struct slot *slot, const struct view *view,
		     uint64_t t_ms)
{
	int by_payload = view->tuple.protocol == 6 || view->tuple.protocol == 17;
	if (slot->known || (by_payload && view->payload_bytes == 0))
		return;
	if (slot->ndpi == NULL)
		slot->ndpi = ndpi_flow_malloc(SIZEOF_FLOW_STRUCT), memset(slot->ndpi, 0, SIZEOF_FLOW_STRUCT);
#if NDPI_MAJOR < 4 || (NDPI_MAJOR == 4 && NDPI_MINOR < 4)
	ndpi_protocol label =
		ndpi_detection_process_packet(module, slot->ndpi, view->ip, (uint16_t)view->ip_bytes, t_ms);
#else
	ndpi_protocol label =
		ndpi_detection_process_packet(module, slot->ndpi, view->ip, (uint16_t)view->ip_bytes, t_ms, NULL);
#endif
	if (label.app_protocol == 0 && ++slot->shown < (view->tuple.protocol == 6 ? 10 : 6))
		return;
	slot->known = 1;
	labelled += label.app_protocol != 0;
	ndpi_flow_free(slot->ndpi);
	slot->ndpi = NULL;
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: floor STAGE FILE\n");
		return 2;
	}
	int stage = atoi(argv[1]);
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_open_offline(argv[2], error);
	if (pcap == NULL) {
		fprintf(stderr, "%s\n", error);
		return 3;
	}
	struct ndpi_detection_module_struct *module = NULL;
	if (stage > 1) {
		module = ndpi_init_detection_module(ndpi_no_prefs);
		NDPI_PROTOCOL_BITMASK all;
		NDPI_BITMASK_SET_ALL(all);
		ndpi_set_protocol_detection_bitmask2(module, &all);
		ndpi_finalize_initialization(module);
	}
	table = calloc(SLOTS, sizeof *table);
	if (table == NULL)
		return 3;
	struct pcap_pkthdr *header;
	const u_char *data;
	uint64_t packets = 0;
	while (pcap_next_ex(pcap, &header, &data) == 1) {
		struct view view;
		packets++;
		if (stage == 0 || !decode(data, header->caplen, &view))
			continue;
		struct slot *slot = find(&view.tuple);
		slot->packets++;
		slot->bytes += header->len;
		if (stage > 1)
			classify(module, slot, &view,
				 (uint64_t)header->ts.tv_sec * 1000 + (uint64_t)header->ts.tv_usec / 1000);
	}
	printf("stage %d: %lu packets, %lu flows, %lu labelled, %.3f s CPU\n", stage, (unsigned long)packets,
	       (unsigned long)flows, (unsigned long)labelled, (double)clock() / CLOCKS_PER_SEC);
	return 0;
}
