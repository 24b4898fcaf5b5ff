/* See evidence.h. The index is the sorted ids of the alerts, a few thousand at most; the ring is walked once and each
 * flow looked up in it. */
#include "cli/evidence.h"

#include "common/label.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RING_FIRST 4096

static_assert(sizeof(struct nj_evidence_flow) <= 208, "there may be a hundred thousand");

const char *nj_outcome_text(uint8_t outcome)
{
	static const char *const words[] = {"none",       "pending", "answered", "refused",
					    "unanswered", "reset",   "midstream"};
	return outcome < sizeof words / sizeof words[0] ? words[outcome] : "unknown";
}

static struct nj_evidence_flow *next_place(struct nj_evidence *evidence)
{
	if (evidence->flows_n < evidence->flows_capacity)
		return &evidence->flows[evidence->flows_n++];
	if (evidence->flows_capacity == NJ_EVIDENCE_FLOWS_MAX)
		return &evidence->flows[evidence->seen % NJ_EVIDENCE_FLOWS_MAX]; /* the oldest */
	uint32_t capacity = evidence->flows_capacity != 0 ? evidence->flows_capacity * 2 : RING_FIRST;
	struct nj_evidence_flow *flows = realloc(evidence->flows, capacity * sizeof *flows);
	if (flows == NULL) {
		evidence->failed = true;
		return NULL;
	}
	evidence->flows = flows;
	evidence->flows_capacity = capacity;
	return &evidence->flows[evidence->flows_n++];
}

void nj_evidence_flow(void *context, const struct nj_flow_record *record)
{
	struct nj_evidence *evidence = context;
	if (record->protocol == 254 /* ARP has no Community ID */ || evidence->failed)
		return;
	struct nj_evidence_flow *flow = next_place(evidence);
	if (flow == NULL)
		return;
	evidence->seen++;
	*flow = (struct nj_evidence_flow){.first_ns = record->first_ns,
					  .last_ns = record->last_ns,
					  .packets = record->packets_out + record->packets_in,
					  .bytes_out = record->bytes_out,
					  .bytes_in = record->bytes_in,
					  .client = record->client,
					  .server = record->server,
					  .client_port = record->client_port,
					  .server_port = record->server_port,
					  .protocol = record->protocol,
					  .outcome = record->outcome};
	const char *name = record->server_name[0] != '\0' ? record->server_name : record->dns_name;
	nj_community_id(0, record->protocol, &record->client, &record->server, record->client_port, record->server_port,
			flow->id);
	nj_label_ascii(record->app, strlen(record->app), flow->app, sizeof flow->app);
	nj_label_ascii(name, strlen(name), flow->name, sizeof flow->name);
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct nj_evidence_entry *)a)->id, ((const struct nj_evidence_entry *)b)->id);
}

static struct nj_evidence_entry *entry_of(const struct nj_evidence *evidence, const char *id)
{
	struct nj_evidence_entry key = {.flow = 0};
	snprintf(key.id, sizeof key.id, "%s", id);
	if (evidence->index_n == 0)
		return NULL;
	return bsearch(&key, evidence->index, evidence->index_n, sizeof key, by_id);
}

/* Two alerts may name one flow: then its id stands twice, and either entry may be the one that is found, every time the
 * same. */
static void enter_ids(struct nj_evidence *evidence, const struct nj_alert *alerts, uint32_t alerts_n)
{
	evidence->index_n = 0;
	for (uint32_t i = 0; i < alerts_n; i++) {
		for (unsigned f = 0; f < alerts[i].flows_n; f++) {
			struct nj_evidence_entry *entry = &evidence->index[evidence->index_n++];
			snprintf(entry->id, sizeof entry->id, "%s", alerts[i].flows[f]);
			entry->flow = 0;
		}
	}
	if (evidence->index_n > 0)
		qsort(evidence->index, evidence->index_n, sizeof *evidence->index, by_id);
}

int nj_evidence_index(struct nj_evidence *evidence, const struct nj_alert *alerts, uint32_t alerts_n)
{
	free(evidence->index);
	evidence->index = calloc((size_t)alerts_n * NJ_ALERT_FLOWS_MAX + 1, sizeof *evidence->index);
	if (evidence->index == NULL)
		return NJ_ERR_MEMORY;
	enter_ids(evidence, alerts, alerts_n);
	for (uint32_t i = 0; i < evidence->flows_n; i++) {
		struct nj_evidence_entry *entry = entry_of(evidence, evidence->flows[i].id);
		if (entry != NULL &&
		    (entry->flow == 0 || evidence->flows[entry->flow - 1].packets < evidence->flows[i].packets))
			entry->flow = i + 1;
	}
	return NJ_OK;
}

const struct nj_evidence_flow *nj_evidence_find(const struct nj_evidence *evidence, const char *id)
{
	const struct nj_evidence_entry *entry =
		evidence != NULL && evidence->index != NULL ? entry_of(evidence, id) : NULL;
	return entry != NULL && entry->flow != 0 ? &evidence->flows[entry->flow - 1] : NULL;
}

void nj_evidence_fini(struct nj_evidence *evidence)
{
	free(evidence->flows);
	free(evidence->index);
	memset(evidence, 0, sizeof *evidence);
}
