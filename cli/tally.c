/* See tally.h. Counters stand in the order in which what they count goes its way: source, sensor, shipper, aggregator.
 */
#include "cli/tally.h"

#include "common/json_out.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_source(struct nj_json_out *out, const struct nj_facts *facts)
{
	nj_json_out_object(out, "capture");
	nj_json_out_u64(out, "inputs", facts->inputs_n);
	nj_json_out_u64(out, "inputs_failed", facts->inputs_failed);
	nj_json_out_u64(out, "frames", facts->frames);
	nj_json_out_u64(out, "filtered", facts->filtered);
	nj_json_out_u64(out, "clock_jumps", facts->clock_jumps);
	nj_json_out_end(out);
}

static void add_sensor(struct nj_json_out *out, const struct nj_sensor_account *account)
{
	nj_json_out_object(out, "sensor");
	nj_json_out_u64(out, "frames_seen", account->frames_seen);
	nj_json_out_u64(out, "frames_decoded", account->frames_decoded);
	nj_json_out_object(out, "drops");
	for (uint32_t i = 0; i < account->drops_n; i++)
		nj_json_out_u64(out, account->drops[i].name, account->drops[i].frames);
	nj_json_out_end(out);
	nj_json_out_u64(out, "bytes_seen", account->bytes_seen);
	nj_json_out_u64(out, "flows_opened", account->flows_opened);
	nj_json_out_u64(out, "flows_ended", account->flows_ended);
	nj_json_out_u64(out, "flows_evicted", account->flows_evicted);
	nj_json_out_u64(out, "flows_one_sided", account->flows_one_sided);
	nj_json_out_u64(out, "windows_closed", account->windows_closed);
	nj_json_out_u64(out, "windows_dropped", account->windows_dropped);
	nj_json_out_u64(out, "contacts_lost", account->contacts_lost);
	nj_json_out_u64(out, "clock_clamps", account->clock_clamps);
	nj_json_out_end(out);
}

static void add_shipper(struct nj_json_out *out, const struct nj_shipper_counts *counts)
{
	nj_json_out_object(out, "shipper");
	nj_json_out_u64(out, "windows_taken", counts->windows_taken);
	nj_json_out_u64(out, "windows_shipped", counts->windows_shipped);
	nj_json_out_u64(out, "windows_spooled", counts->windows_spooled);
	nj_json_out_u64(out, "windows_dropped_full", counts->windows_dropped_full);
	nj_json_out_u64(out, "windows_dropped_error", counts->windows_dropped_error);
	nj_json_out_u64(out, "batches_shipped", counts->batches_shipped);
	nj_json_out_u64(out, "batches_sent", counts->batches_sent);
	nj_json_out_u64(out, "batches_resent", counts->batches_resent);
	nj_json_out_u64(out, "bytes_sent", counts->bytes_sent);
	nj_json_out_end(out);
}

static void add_aggregator(struct nj_json_out *out, const struct nj_aggregator_counts *counts)
{
	nj_json_out_object(out, "aggregator");
	nj_json_out_u64(out, "batches_received", counts->batches_received);
	nj_json_out_u64(out, "batches_refused", counts->batches_refused);
	nj_json_out_u64(out, "batches_repeated", counts->batches_repeated);
	nj_json_out_u64(out, "gaps", counts->gaps);
	nj_json_out_u64(out, "windows_received", counts->windows_received);
	nj_json_out_u64(out, "windows_merged", counts->windows_merged);
	nj_json_out_u64(out, "windows_late", counts->windows_late);
	nj_json_out_u64(out, "agents", counts->agents);
	nj_json_out_u64(out, "agents_folded", counts->agents_folded);
	nj_json_out_u64(out, "alerts_raised", counts->alerts_raised);
	nj_json_out_u64(out, "alerts_paged", counts->alerts_paged);
	nj_json_out_u64(out, "alerts_queued", counts->alerts_queued);
	nj_json_out_u64(out, "alerts_merged", counts->alerts_merged);
	nj_json_out_end(out);
}

static int write_text(const char *path, const char *text, struct nj_message *message)
{
	FILE *file = fopen(path, "we");
	if (file == NULL)
		return nj_fail(message, NJ_ERR_IO, "%s: %s", path, strerror(errno));
	bool written = fprintf(file, "%s\n", text) > 0;
	if (fclose(file) != 0 || !written)
		return nj_fail(message, NJ_ERR_IO, "%s: %s", path, strerror(errno));
	return NJ_OK;
}

int nj_tally_write(const char *path, const struct nj_facts *facts, struct nj_message *message)
{
	struct nj_json_out out = {0};
	nj_json_out_object(&out, NULL);
	add_source(&out, facts);
	add_sensor(&out, &facts->account);
	add_shipper(&out, &facts->shipped);
	add_aggregator(&out, &facts->counts);
	nj_json_out_u64(&out, "memory_bytes", facts->memory_bytes);
	nj_json_out_end(&out);
	char *text = nj_json_out_take(&out);
	if (text == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "%s: out of memory", path);
	int error = write_text(path, text, message);
	free(text);
	return error;
}
