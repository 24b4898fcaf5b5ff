/* One line a frame of what decoding makes of capture files, for tests/oracle/decode_vs_tshark.py:
 *
 *   dump_packets FILE...
 *   F <tab> file number <tab> path                       begins a file
 *   frame <tab> fate <tab> src <tab> dst <tab> protocol <tab> src port <tab> dst port <tab> segment <tab> frames <tab>
 * encapsulations E <tab> frames <tab> fragments <tab> error           ends it
 *
 * fate: decoded, held (a fragment; addresses and protocol are those of its IP header), or the drop reason. Exits 1 when
 * the counts of a file do not add up. */
#include "sensor/capture.h"
#include "sensor/decode.h"
#include "sensor/fragment.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct nj_hash_key hash_key;

static const char *fate_of(const struct nj_frame_counts *before, const struct nj_frame_counts *after, bool whole)
{
	if (whole)
		return "decoded";
	if (after->held > before->held) /* the frame's own, even when older datagrams went in the same step */
		return "held";
	for (int i = NJ_DROPS_N - 1; i > NJ_DROP_NONE; i--)
		if (after->dropped[i] > before->dropped[i])
			return nj_drop_name((enum nj_drop)i);
	return "held";
}

static void print_packet(uint64_t number, const char *fate, const struct nj_packet *p)
{
	char src[NJ_ADDR_TEXT_MAX], dst[NJ_ADDR_TEXT_MAX], segment[NJ_SEGMENT_TEXT_MAX];
	printf("%" PRIu64 "\t%s\t%s\t%s\t%u\t%u\t%u\t%s\t%u\t%u\n", number, fate, nj_addr_text(&p->src, src),
	       nj_addr_text(&p->dst, dst), p->protocol, p->src_port, p->dst_port, nj_segment_text(p->segment, segment),
	       p->frames, p->encapsulations);
}

static void dump_frame(struct nj_fragment *fragment, uint64_t number, const struct nj_frame *frame, uint64_t *fragments)
{
	struct nj_packet first, packet;
	struct nj_frame_counts before = *nj_fragment_counts(fragment);
	enum nj_drop drop = nj_decode(frame, &first);
	bool whole = nj_fragment_decode(fragment, frame, &packet);
	const char *fate = fate_of(&before, nj_fragment_counts(fragment), whole);
	*fragments += drop == NJ_DROP_FRAGMENT;
	if (whole)
		print_packet(number, fate, &packet);
	else if (drop == NJ_DROP_FRAGMENT)
		print_packet(number, fate, &first);
	else
		printf("%" PRIu64 "\t%s\n", number, fate);
}

static bool counts_add_up(const struct nj_frame_counts *counts)
{
	uint64_t sum = counts->decoded + counts->held;
	for (int i = 1; i < NJ_DROPS_N; i++)
		sum += counts->dropped[i];
	return sum == counts->seen && counts->held == 0;
}

static bool dump_file(int index, const char *path)
{
	struct nj_capture_inputs inputs = {.paths = &path, .paths_n = 1};
	struct nj_fragment_options options;
	struct nj_capture *capture;
	struct nj_fragment *fragment;
	struct nj_message message;
	struct nj_frame frame;
	struct nj_capture_report report;
	uint64_t number = 0, fragments = 0;
	nj_fragment_options_init(&options);
	options.hash_key = &hash_key;
	if (nj_capture_open_files(&inputs, &message, &capture) != NJ_OK ||
	    nj_fragment_new(&options, &fragment) != NJ_OK) {
		fprintf(stderr, "%s: %s\n", path, message.text);
		exit(2);
	}
	printf("F\t%d\t%s\n", index, path);
	while (nj_capture_next(capture, &frame) == 1)
		dump_frame(fragment, ++number, &frame, &fragments);
	nj_capture_report(capture, 0, &report);
	printf("E\t%" PRIu64 "\t%" PRIu64 "\t%s\n", number, fragments, report.error);
	nj_fragment_finish(fragment);
	bool ok = counts_add_up(nj_fragment_counts(fragment));
	if (!ok)
		fprintf(stderr, "%s: frames seen are not decoded + dropped\n", path);
	nj_fragment_free(&fragment);
	nj_capture_close(&capture);
	return ok;
}

int main(int argc, char **argv)
{
	bool ok = true;
	nj_hash_key_derive("", &hash_key);
	for (int i = 1; i < argc; i++)
		ok = dump_file(i - 1, argv[i]) && ok;
	return ok ? 0 : 1;
}
