/* The whole worker on foreign bytes. An input is a list of frames: link type selector (1), milliseconds since the last
 * frame (2, little end first), length (2), bytes. Options are tiny so that every table fills; the laws are asserted at
 * the end. A worker is made anew for each input, so that a finding stands alone; nDPI's start-up makes that slow (about
 * 15 ms). */
#include "common/inventory.h"
#include "sensor/decode.h"
#include "sensor/worker.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sums {
	uint64_t frames, decoded, dropped, opened, ended, flows, windows, told;
	uint64_t last_start_ns;
};

static void on_window(void *context, const struct nj_window *w)
{
	struct sums *sums = context;
	uint64_t out = 0;
	for (uint32_t i = 0; i < w->contacts_n; i++) {
		assert(i == 0 || nj_contact_compare(&w->contacts[i - 1], &w->contacts[i]) < 0);
		assert(w->contacts[i].first_ns >= w->start_ns);
		assert(w->contacts[i].last_ns < w->start_ns + w->width_ms * 1000000ull);
		assert(memchr(w->contacts[i].name, '\0', sizeof w->contacts[i].name) != NULL);
		out += w->contacts[i].bytes_out;
	}
	assert(out == w->features.bytes_out_external + w->features.bytes_out_internal);
	for (uint32_t i = 1; i < w->domains_n; i++)
		assert(strcmp(w->domains[i - 1].name, w->domains[i].name) < 0);
	sums->windows++;
}

static void on_window_end(void *context, uint64_t start_ns, const struct nj_sensor_account *a)
{
	struct sums *sums = context;
	uint64_t dropped = 0;
	for (uint32_t i = 0; i < a->drops_n; i++)
		dropped += a->drops[i].frames;
	assert(a->frames_seen == a->frames_decoded + dropped);
	assert(start_ns >= sums->last_start_ns);
	sums->last_start_ns = start_ns;
	sums->frames += a->frames_seen;
	sums->opened += a->flows_opened;
	sums->ended += a->flows_ended;
	sums->told += a->windows_closed;
}

static void on_flow(void *context, const struct nj_flow_record *flow)
{
	assert(flow->first_ns <= flow->last_ns);
	assert(memchr(flow->server_name, '\0', sizeof flow->server_name) != NULL);
	((struct sums *)context)->flows++;
}

static struct nj_worker *worker_new(struct sums *sums)
{
	static struct nj_networks home;
	struct nj_worker_options options;
	struct nj_worker_sink sink = {sums, on_window, on_window_end, on_flow};
	struct nj_worker *worker;
	nj_networks_private(&home);
	nj_worker_options_init(&options);
	options.home = &home;
	options.flows_max = 16;
	options.classifying_max = 4;
	options.inspecting_max = 4;
	options.ledger_entries_max = 64;
	options.fragments_max = 4;
	options.idle_tcp_s = 20;
	options.idle_udp_s = 10;
	options.active_s = 30;
	nj_hash_key_derive("fuzz", &options.hash_key);
	if (nj_worker_new(&options, &sink, NULL, &worker) != 0)
		abort();
	return worker;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int links[] = {NJ_LINK_ETHERNET,   NJ_LINK_ETHERNET, NJ_LINK_RAW, NJ_LINK_LINUX_SLL,
				    NJ_LINK_LINUX_SLL2, NJ_LINK_NULL,     NJ_LINK_PPP, 999};
	struct sums sums = {0};
	struct nj_worker *worker = worker_new(&sums);
	uint64_t t_ns = 1000000000, pushed = 0;
	while (size >= 5) {
		uint32_t length = (uint32_t)data[3] | (uint32_t)data[4] << 8;
		t_ns += ((uint64_t)data[1] | (uint64_t)data[2] << 8) * 1000000;
		int link = links[data[0] % (sizeof links / sizeof links[0])];
		data += 5;
		size -= 5;
		if (length > size)
			length = (uint32_t)size;
		uint8_t *copy = malloc(length > 0 ? length : 1); /* of exact size, so that a read past its end shows */
		if (copy == NULL)
			abort();
		memcpy(copy, data, length);
		nj_worker_push(worker, &(struct nj_frame){.t_ns = t_ns,
							  .data = copy,
							  .captured_bytes = length,
							  .wire_bytes = length,
							  .link_type = link});
		free(copy);
		data += length;
		size -= length;
		pushed++;
	}
	nj_worker_finish(worker);
	assert(sums.frames == pushed);
	assert(sums.opened == sums.ended);
	assert(sums.windows == sums.told);
	nj_worker_free(&worker);
	return 0;
}
