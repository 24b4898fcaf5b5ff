/* `nightjar flows`: one JSON object a flow, in the order of first packet, then Community ID, whatever order flows ended
 * in and however many workers there were. A flow is known when it ends, so the order needs them all: the lines wait in
 * a temporary file, 88 bytes of each (where it lies and what it is sorted by) in memory. */
#include "cli/verbs.h"

#include "aggregator/alert.h"
#include "cli/evidence.h"
#include "cli/reading.h"
#include "common/community_id.h"
#include "common/json_out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	uint64_t first_ns, last_ns, bytes;
	uint64_t offset;
	uint32_t length;
	nj_segment segment;
	char id[NJ_COMMUNITY_ID_TEXT_MAX];
};

struct flows {
	FILE *lines;
	uint64_t written;
	struct entry *entries;
	size_t entries_n, entries_capacity;
	struct nj_json_out out;
	int error_number; /* first failure of the temporary file or of memory */
};

static const char *const ends[] = {"", "idle", "active", "closed", "evicted", "finish"};

static const char *word_of(const char *const *words, size_t n, unsigned index)
{
	return index < n ? words[index] : "unknown";
}

static void add_text(struct nj_json_out *out, const char *key, const char *text)
{
	if (text[0] != '\0')
		nj_json_out_text(out, key, text);
}

static void add_number(struct nj_json_out *out, const char *key, uint64_t value)
{
	if (value != 0)
		nj_json_out_u64(out, key, value);
}

static void write_ends(struct nj_json_out *out, const struct nj_flow_record *flow)
{
	char client[NJ_ADDR_TEXT_MAX], server[NJ_ADDR_TEXT_MAX], segment[NJ_SEGMENT_TEXT_MAX],
		protocol[NJ_PROTOCOL_TEXT_MAX];
	bool icmp = flow->protocol == NJ_PROTOCOL_ICMP || flow->protocol == NJ_PROTOCOL_ICMPV6;
	bool ports = flow->protocol == NJ_PROTOCOL_TCP || flow->protocol == NJ_PROTOCOL_UDP ||
		     flow->protocol == NJ_PROTOCOL_SCTP;
	add_text(out, "segment", nj_segment_text(flow->segment, segment));
	nj_json_out_text(out, "protocol", nj_protocol_text(flow->protocol, protocol));
	nj_json_out_text(out, "client", nj_addr_text(&flow->client, client));
	if (ports)
		nj_json_out_u64(out, "client_port", flow->client_port);
	nj_json_out_text(out, "server", nj_addr_text(&flow->server, server));
	if (ports)
		nj_json_out_u64(out, "server_port", flow->server_port);
	if (icmp) {
		nj_json_out_u64(out, "icmp_type", flow->client_port);
		nj_json_out_u64(out, "icmp_code", flow->server_port);
	}
}

static void write_volume(struct nj_json_out *out, const struct nj_flow_record *flow)
{
	nj_json_out_u64(out, "packets_out", flow->packets_out);
	nj_json_out_u64(out, "packets_in", flow->packets_in);
	nj_json_out_u64(out, "wire_bytes_out", flow->wire_bytes_out);
	nj_json_out_u64(out, "wire_bytes_in", flow->wire_bytes_in);
	nj_json_out_u64(out, "bytes_out", flow->bytes_out);
	nj_json_out_u64(out, "bytes_in", flow->bytes_in);
	add_number(out, "retransmitted_bytes", flow->retransmitted_bytes);
	add_number(out, "requests", flow->requests);
}

static void write_names(struct nj_json_out *out, const struct nj_flow_record *flow)
{
	char risks[24];
	add_text(out, "server_name", flow->server_name);
	add_text(out, "alpn", flow->alpn);
	add_number(out, "tls_version", flow->tls_version);
	add_number(out, "tls_cipher", flow->tls_cipher);
	add_text(out, "ja4", flow->ja4);
	add_text(out, "hassh", flow->hassh);
	add_text(out, "hassh_server", flow->hassh_server);
	add_text(out, "client_text", flow->client_text);
	add_text(out, "dns_name", flow->dns_name);
	add_number(out, "dns_type", flow->dns_type);
	if (flow->ndpi_risks != 0) {
		snprintf(risks, sizeof risks, "0x%jx",
			 (uintmax_t)flow->ndpi_risks); /* 64 bits: more than a JSON number holds exactly */
		nj_json_out_text(out, "ndpi_risks", risks);
	}
}

static void write_flow(struct nj_json_out *out, const struct nj_flow_record *flow, const char *id)
{
	nj_json_out_object(out, NULL);
	nj_json_out_time(out, "first", flow->first_ns);
	nj_json_out_time(out, "last", flow->last_ns);
	add_text(out, "community_id", id);
	write_ends(out, flow);
	add_text(out, "app", flow->app);
	nj_json_out_text(out, "outcome", nj_outcome_text(flow->outcome));
	nj_json_out_text(out, "end", word_of(ends, sizeof ends / sizeof ends[0], flow->end_reason));
	nj_json_out_bool(out, "seen_start", flow->seen_start != 0);
	write_volume(out, flow);
	write_names(out, flow);
	nj_json_out_end(out);
	nj_json_out_newline(out);
}

static bool has_room(struct flows *flows)
{
	if (flows->entries_n < flows->entries_capacity)
		return true;
	size_t capacity = flows->entries_capacity != 0 ? flows->entries_capacity * 2 : 4096;
	struct entry *entries = realloc(flows->entries, capacity * sizeof *entries);
	if (entries == NULL) {
		flows->error_number = ENOMEM;
		return false;
	}
	flows->entries = entries;
	flows->entries_capacity = capacity;
	return true;
}

static void on_flow(void *context, const struct nj_flow_record *flow)
{
	struct flows *flows = context;
	if (flows->error_number != 0 || !has_room(flows))
		return;
	struct entry *entry = &flows->entries[flows->entries_n];
	*entry = (struct entry){.first_ns = flow->first_ns,
				.last_ns = flow->last_ns,
				.bytes = flow->wire_bytes_out + flow->wire_bytes_in,
				.segment = flow->segment};
	if (flow->protocol != NJ_PROTOCOL_ARP)
		nj_community_id(0, flow->protocol, &flow->client, &flow->server, flow->client_port, flow->server_port,
				entry->id);
	nj_json_out_reset(&flows->out);
	write_flow(&flows->out, flow, entry->id);
	if (!nj_json_out_ok(&flows->out)) {
		flows->error_number = ENOMEM;
		return;
	}
	if (fwrite(flows->out.text, 1, flows->out.used, flows->lines) != flows->out.used) {
		flows->error_number = errno;
		return;
	}
	entry->offset = flows->written;
	entry->length = (uint32_t)flows->out.used;
	flows->written += flows->out.used;
	flows->entries_n++;
}

static int by_time(const void *a, const void *b)
{
	const struct entry *left = a, *right = b;
	if (left->first_ns != right->first_ns)
		return left->first_ns < right->first_ns ? -1 : 1;
	int order = strcmp(left->id, right->id);
	if (order != 0)
		return order;
	if (left->segment != right->segment)
		return left->segment < right->segment ? -1 : 1;
	if (left->last_ns != right->last_ns)
		return left->last_ns < right->last_ns ? -1 : 1;
	return left->bytes < right->bytes ? -1 : left->bytes > right->bytes;
}

static int copy_line(struct flows *flows, const struct entry *entry, FILE *out)
{
	static char line[65536];
	if (entry->length > sizeof line || fseeko(flows->lines, (off_t)entry->offset, SEEK_SET) != 0 ||
	    fread(line, 1, entry->length, flows->lines) != entry->length)
		return NJ_ERR_IO;
	fwrite(line, 1, entry->length, out);
	return NJ_OK;
}

static int print_flows(struct flows *flows, struct nj_console *console, struct nj_message *message)
{
	if (flows->error_number != 0 || fflush(flows->lines) != 0)
		return nj_fail(message, NJ_ERR_IO, "temporary file: %s",
			       strerror(flows->error_number != 0 ? flows->error_number : errno));
	if (flows->entries_n > 0)
		qsort(flows->entries, flows->entries_n, sizeof *flows->entries, by_time);
	for (size_t i = 0; i < flows->entries_n; i++) {
		if (copy_line(flows, &flows->entries[i], console->out) != NJ_OK)
			return nj_fail(message, NJ_ERR_IO, "temporary file: %s", strerror(errno));
		if (ferror(console->out))
			break;
	}
	return nj_console_flush(console, message);
}

static int on_tick(void *context, uint64_t start_ns, uint32_t width_ms, const struct nj_sensor_account *account,
		   bool finish)
{
	(void)context, (void)start_ns, (void)width_ms, (void)account, (void)finish;
	return NJ_OK;
}

static int read_flows(struct flows *flows, const struct nj_arguments *arguments, struct nj_console *console,
		      struct nj_message *message, uint32_t *ret_damaged)
{
	struct nj_reading reading;
	struct nj_reading_plan plan = {.arguments = arguments,
				       .paths = arguments->operands,
				       .paths_n = arguments->operands_n,
				       .windows = {.tick = on_tick},
				       .flow = on_flow,
				       .flow_context = flows};
	int error = nj_reading_open(&reading, &plan, message);
	if (error != NJ_OK)
		return error;
	error = nj_reading_run(&reading, arguments, console, message);
	*ret_damaged = nj_reading_tell_damage(&reading, console) + reading.interrupted;
	nj_reading_close(&reading);
	return error;
}

enum nj_exit nj_flows_run(const struct nj_arguments *arguments, struct nj_console *console)
{
	struct flows flows = {.lines = tmpfile()};
	struct nj_message message = {""};
	uint32_t damaged = 0;
	int error = flows.lines != NULL ? NJ_OK : nj_fail(&message, NJ_ERR_IO, "temporary file: %s", strerror(errno));
	if (error == NJ_OK)
		error = read_flows(&flows, arguments, console, &message, &damaged);
	if (error == NJ_OK)
		error = print_flows(&flows, console, &message);
	if (flows.lines != NULL)
		fclose(flows.lines);
	free(flows.entries);
	nj_json_out_fini(&flows.out);
	if (error != NJ_OK && error != NJ_ERR_AGAIN)
		return nj_verb_fail(arguments, console, error, &message);
	return damaged > 0 ? NJ_EXIT_FAILURE : NJ_EXIT_DONE;
}
