/* TPACKET_V3 is what libpcap uses when immediate mode is off. Time stamps are the host's (CLOCK_REALTIME at reception),
 * in nanoseconds where the kernel gives them.
 *
 * Why frames are read in a callback and never by pcap_next_ex(): libpcap gives a block back to the kernel as soon as
 * its last frame was handled, before it returns. A pointer kept longer would show bytes that change while they are
 * parsed. */
#include "sensor/libpcap.h"

#include "sensor/decode.h"

#include <pcap.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_BYTES_MAX 262144
#define NS_PER_S        1000000000ull

struct nj_libpcap_filter {
	struct bpf_program program;
};

struct nj_libpcap_device {
	pcap_t *pcap;
	int link_type;
	uint64_t ns_per_tick; /* of the sub-second part of a time stamp */
	/* of the reading under way */
	void (*take)(void *context, const struct nj_frame *frame);
	void *context;
};

/* ---- filters */

/* libpcap counts raw IP by another number than files do; all others that the filter can speak of are the same. */
static int dlt_of(int link_type)
{
	return link_type == NJ_LINK_RAW || link_type == NJ_LINK_RAW_DLT_14 ? DLT_RAW : link_type;
}

static int link_type_of(int dlt)
{
	return dlt == DLT_RAW ? NJ_LINK_RAW : dlt;
}

int nj_libpcap_filter_new(const char *text, int link_type, struct nj_message *message,
			  struct nj_libpcap_filter **ret_filter)
{
	struct nj_libpcap_filter *filter = malloc(sizeof *filter);
	pcap_t *pcap = pcap_open_dead(dlt_of(link_type), FRAME_BYTES_MAX);
	int err = filter == NULL || pcap == NULL ? nj_fail(message, NJ_ERR_MEMORY, "filter: no memory") : NJ_OK;
	if (err == NJ_OK && pcap_compile(pcap, &filter->program, text, 1, PCAP_NETMASK_UNKNOWN) != 0)
		err = nj_fail(message, NJ_ERR_USAGE, "filter \"%s\": %s", text, pcap_geterr(pcap));
	if (pcap != NULL)
		pcap_close(pcap);
	if (err < 0) {
		free(filter);
		return err;
	}
	*ret_filter = filter;
	return NJ_OK;
}

bool nj_libpcap_filter_takes(const struct nj_libpcap_filter *filter, const struct nj_frame *frame)
{
	struct pcap_pkthdr header = {.caplen = frame->captured_bytes, .len = frame->wire_bytes};
	return pcap_offline_filter(&filter->program, &header, frame->data) != 0;
}

void nj_libpcap_filter_free(struct nj_libpcap_filter **filter)
{
	if (*filter == NULL)
		return;
	pcap_freecode(&(*filter)->program);
	free(*filter);
	*filter = NULL;
}

/* ---- live devices */

static int activate(pcap_t *pcap, const struct nj_libpcap_options *o, struct nj_message *message)
{
	bool set = pcap_set_snaplen(pcap, (int)o->snap_bytes) == 0 && pcap_set_promisc(pcap, o->promiscuous) == 0 &&
		   pcap_set_timeout(pcap, (int)o->read_timeout_ms) == 0 &&
		   pcap_set_buffer_size(pcap, (int)o->ring_bytes) == 0 && pcap_set_immediate_mode(pcap, 0) == 0;
	if (!set)
		return nj_fail(message, NJ_ERR_USAGE, "%s: libpcap refuses the ring or its time limit", o->interface);
	(void)pcap_set_tstamp_precision(pcap, PCAP_TSTAMP_PRECISION_NANO); /* else microseconds */
	int result = pcap_activate(pcap);
	if (result >= 0)
		return NJ_OK;
	const char *why = pcap_geterr(pcap);
	int err = result == PCAP_ERROR_NO_SUCH_DEVICE || result == PCAP_ERROR_IFACE_NOT_UP       ? NJ_ERR_NOT_FOUND
		  : result == PCAP_ERROR_PERM_DENIED || result == PCAP_ERROR_PROMISC_PERM_DENIED ? NJ_ERR_PERMISSION
		  : strstr(why, "allocate memory") != NULL                                       ? NJ_ERR_MEMORY
												 : NJ_ERR_IO;
	return nj_fail(message, err, "%s: %s%s%.300s", o->interface, pcap_statustostr(result),
		       why[0] != '\0' ? ": " : "", why);
}

/* Until the device is let go, the kernel hands it nothing. */
static int shut(pcap_t *pcap, struct nj_message *message)
{
	struct bpf_insn nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct bpf_program program = {.bf_len = 1, .bf_insns = &nothing};
	char text[PCAP_ERRBUF_SIZE] = "";
	if (pcap_setfilter(pcap, &program) != 0)
		return nj_fail(message, NJ_ERR_IO, "cannot shut the device: %.300s", pcap_geterr(pcap));
	if (pcap_setnonblock(pcap, 1, text) != 0)
		return nj_fail(message, NJ_ERR_IO, "cannot make the device not block: %.300s", text);
	return NJ_OK;
}

int nj_libpcap_open(const struct nj_libpcap_options *options, struct nj_message *message,
		    struct nj_libpcap_device **ret_device)
{
	char text[PCAP_ERRBUF_SIZE] = "";
	struct nj_libpcap_device *device = calloc(1, sizeof *device);
	if (device == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "%s: no memory", options->interface);
	device->pcap = pcap_create(options->interface, text);
	int err = device->pcap == NULL ? nj_fail(message, NJ_ERR_IO, "%s: %.300s", options->interface, text) : NJ_OK;
	if (err == NJ_OK)
		err = activate(device->pcap, options, message);
	if (err == NJ_OK)
		err = shut(device->pcap, message);
	if (err < 0) {
		nj_libpcap_close(&device);
		return err;
	}
	device->link_type = link_type_of(pcap_datalink(device->pcap));
	bool nano = pcap_get_tstamp_precision(device->pcap) == PCAP_TSTAMP_PRECISION_NANO;
	device->ns_per_tick = nano ? 1 : 1000;
	*ret_device = device;
	return NJ_OK;
}

void nj_libpcap_close(struct nj_libpcap_device **device)
{
	if (*device == NULL)
		return;
	if ((*device)->pcap != NULL)
		pcap_close((*device)->pcap);
	free(*device);
	*device = NULL;
}

int nj_libpcap_let_pass(struct nj_libpcap_device *device, const char *filter, struct nj_message *message)
{
	struct bpf_program program;
	if (pcap_compile(device->pcap, &program, filter, 1, PCAP_NETMASK_UNKNOWN) != 0)
		return nj_fail(message, NJ_ERR_USAGE, "filter \"%s\": %.300s", filter, pcap_geterr(device->pcap));
	int result = pcap_setfilter(device->pcap, &program);
	pcap_freecode(&program);
	if (result != 0)
		return nj_fail(message, NJ_ERR_USAGE, "filter \"%s\": %.300s", filter, pcap_geterr(device->pcap));
	return NJ_OK;
}

static void on_frame(u_char *user, const struct pcap_pkthdr *header, const u_char *bytes)
{
	struct nj_libpcap_device *device = (struct nj_libpcap_device *)user;
	struct nj_frame frame = {.t_ns = (uint64_t)header->ts.tv_sec * NS_PER_S +
					 (uint64_t)header->ts.tv_usec * device->ns_per_tick,
				 .data = bytes,
				 .captured_bytes = header->caplen,
				 .wire_bytes = header->len,
				 .link_type = device->link_type};
	device->take(device->context, &frame);
}

int nj_libpcap_read(struct nj_libpcap_device *device, uint32_t frames_max,
		    void (*take)(void *context, const struct nj_frame *frame), void *context,
		    struct nj_message *message)
{
	device->take = take;
	device->context = context;
	int result = pcap_dispatch(device->pcap, (int)frames_max, on_frame, (u_char *)device);
	if (result < 0)
		return nj_fail(message, NJ_ERR_IO, "%.400s", pcap_geterr(device->pcap));
	return result;
}

int nj_libpcap_link_type(const struct nj_libpcap_device *device)
{
	return device->link_type;
}

int nj_libpcap_fd(const struct nj_libpcap_device *device)
{
	return pcap_get_selectable_fd(device->pcap);
}
