/* See extract.h. Memory: a writer an alert. Cost: decoding again, and per packet a comparison of time and two addresses
 * with each alert. */
#include "cli/extract.h"

#include "cli/human.h"
#include "cli/interrupt.h"
#include "common/file.h"
#include "sensor/capture.h"
#include "sensor/capture_writer.h"
#include "sensor/decode.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SWEEP_PEERS_LEAST 3

static bool one_address(const struct nj_alert *alert)
{
	for (unsigned i = 1; i < alert->peers_n; i++) {
		if (!nj_addr_equal(&alert->peers[i].addr, &alert->peers[0].addr))
			return false;
	}
	return true;
}

/* An alert about a sweep lists examples only: it is about more ends than it lists. */
static bool is_sweep(const struct nj_alert *alert)
{
	return alert->peers_n >= SWEEP_PEERS_LEAST &&
	       (strstr(alert->detector, "scan") != NULL || strstr(alert->detector, "fanout") != NULL);
}

static bool has_ports(uint8_t protocol)
{
	return protocol == NJ_PROTOCOL_TCP || protocol == NJ_PROTOCOL_UDP || protocol == NJ_PROTOCOL_SCTP;
}

static bool matches_peer(const struct nj_alert_peer *peer, const struct nj_packet *packet, const struct nj_addr *other,
			 bool any_address, bool any_port)
{
	if (!any_address && !nj_addr_equal(&peer->addr, other))
		return false;
	if (packet->protocol != peer->protocol)
		return false;
	return any_port || !has_ports(peer->protocol) || packet->src_port == peer->port ||
	       packet->dst_port == peer->port;
}

bool nj_extract_matches(const struct nj_alert *alert, const struct nj_packet *packet, bool fragment)
{
	if (packet->t_ns < alert->start_ns || packet->t_ns > alert->end_ns || packet->segment != alert->agent.segment)
		return false;
	bool sent = nj_addr_equal(&packet->src, &alert->agent.addr);
	if (!sent && !nj_addr_equal(&packet->dst, &alert->agent.addr))
		return false;
	const struct nj_addr *other = sent ? &packet->dst : &packet->src;
	bool sweep = is_sweep(alert), vertical = sweep && one_address(alert);
	bool any_address = sweep && !vertical, any_port = fragment || vertical;
	for (unsigned i = 0; i < alert->peers_n; i++) {
		if (matches_peer(&alert->peers[i], packet, other, any_address, any_port))
			return true;
	}
	return alert->peers_n == 0;
}

static void file_name(const struct nj_extract_plan *plan, uint32_t index, char *path, size_t size)
{
	const struct nj_alert *alert = &plan->findings->alerts[index];
	nj_human agent;
	nj_human_agent(&alert->agent, agent);
	for (char *c = agent; *c != '\0'; c++)
		*c = (char)(*c == ':' || *c == '/' ? '-' : *c);
	snprintf(path, size, "%s/%02u-%s-%s-%s.pcapng", plan->folder, index + 1, nj_severity_text(alert->severity),
		 alert->detector, agent);
}

static int open_writers(const struct nj_extract_plan *plan, struct nj_capture_writer **writers, uint32_t n,
			struct nj_message *message)
{
	char path[4096];
	if (mkdir(plan->folder, 0777) != 0 && errno != EEXIST)
		return nj_file_fail(message, plan->folder, errno);
	for (uint32_t i = 0; i < n; i++) {
		file_name(plan, i, path, sizeof path);
		int error = nj_capture_writer_open(path, plan->findings->alerts[i].summary, message, &writers[i]);
		if (error != NJ_OK)
			return error;
	}
	return NJ_OK;
}

static int close_writers(struct nj_capture_writer **writers, uint32_t n, const struct nj_extract_plan *plan,
			 struct nj_message *message)
{
	char path[4096];
	int first = NJ_OK;
	for (uint32_t i = 0; i < n; i++) {
		if (writers[i] == NULL)
			continue;
		int error = nj_capture_writer_close(&writers[i]);
		if (error != NJ_OK && first == NJ_OK) {
			file_name(plan, i, path, sizeof path);
			first = nj_fail(message, error, "%s: could not be written whole", path);
		}
	}
	return first;
}

static int put_frame(const struct nj_extract_plan *plan, struct nj_capture_writer **writers, uint32_t n,
		     const struct nj_frame *frame, uint64_t *packets)
{
	struct nj_packet packet;
	enum nj_drop drop = nj_decode(frame, &packet);
	if (drop != NJ_DROP_NONE && drop != NJ_DROP_FRAGMENT)
		return NJ_OK;
	for (uint32_t i = 0; i < n; i++) {
		if (!nj_extract_matches(&plan->findings->alerts[i], &packet, drop == NJ_DROP_FRAGMENT))
			continue;
		int error = nj_capture_writer_put(writers[i], frame, NULL);
		if (error != NJ_OK)
			return error;
		++*packets;
	}
	return NJ_OK;
}

static int copy_frames(const struct nj_extract_plan *plan, struct nj_capture_writer **writers, uint32_t n,
		       struct nj_message *message, uint64_t *packets)
{
	struct nj_capture_inputs inputs = {.paths = plan->paths, .paths_n = plan->paths_n, .filter = plan->filter};
	struct nj_capture *capture = NULL;
	struct nj_frame frame;
	int error = nj_capture_open_files(&inputs, message, &capture), more = 0;
	while (error == NJ_OK && !nj_interrupted() && (more = nj_capture_next(capture, &frame)) > 0)
		error = put_frame(plan, writers, n, &frame, packets);
	nj_capture_close(&capture);
	if (error == NJ_OK && more < 0)
		error = more;
	return error == NJ_OK || message->text[0] != '\0'
		       ? error
		       : nj_fail(message, error, "%s: %s", plan->folder, nj_error_text(error));
}

int nj_extract_run(const struct nj_extract_plan *plan, struct nj_message *message, uint64_t *ret_packets)
{
	struct nj_capture_writer *writers[NJ_EXTRACT_ALERTS_MAX] = {NULL};
	uint32_t n =
		plan->findings->alerts_n < NJ_EXTRACT_ALERTS_MAX ? plan->findings->alerts_n : NJ_EXTRACT_ALERTS_MAX;
	uint64_t packets = 0;
	int error = open_writers(plan, writers, n, message);
	if (error == NJ_OK)
		error = copy_frames(plan, writers, n, message, &packets);
	struct nj_message closing = {""};
	int close_error = close_writers(writers, n, plan, &closing);
	if (error == NJ_OK && close_error != NJ_OK) {
		*message = closing;
		error = close_error;
	}
	if (error == NJ_OK)
		*ret_packets = packets;
	return error;
}
