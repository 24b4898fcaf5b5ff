/* Sends frames at a rate, for tests/bench/rates.py: those of a capture over and over, or a flood of SYNs from as many
 * addresses as wanted with a scan hidden in it. Frames go out by sendmmsg() past the queueing discipline, in bursts
 * that keep to the rate; prints what was sent, and how fast.
 *
 *   sender INTERFACE RATE SECONDS FILE            RATE 0: as fast as it goes
 *   sender INTERFACE RATE SECONDS flood ADDRESSES the scan: 10.20.1.5 to port 445 of 600 hosts, spread over the time */
#include "sensor/capture.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BURST        64
#define FRAMES_MAX   2000000u
#define SYN_BYTES    54
#define SCAN_HOSTS   600
#define NS_PER_S     1000000000ull
#define NAP_NS       200000
#define RATE_TURNING 150000      /* from this rate on a nap would come back too late for the next burst */
#define FLOOD_HOST   0x0a141e0au /* who is flooded: 10.20.30.10 */
#define SCANNER      0x0a140105u /* 10.20.1.5 */
#define SCANNED      0x0a142801u /* 10.20.40.1 and on */
#define FLOOD_FIRST  0x0b000000u /* 11.0.0.0 and on */

struct frames {
	struct iovec *frame;
	uint32_t n;
};

struct flood {
	uint64_t addresses, sent, total; /* total: frames of the whole run, to place the scan */
	uint32_t scanned;
	uint8_t burst[BURST][SYN_BYTES];
};

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int open_socket(const char *interface)
{
	int fd = socket(AF_PACKET, SOCK_RAW, 0), yes = 1, bytes = 8 << 20;
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(interface)};
	if (fd < 0 || to.sll_ifindex == 0 || bind(fd, (struct sockaddr *)&to, sizeof to) != 0)
		die(interface);
	(void)setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof yes);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);
	return fd;
}

static struct frames read_frames(const char *path)
{
	struct nj_message message = {.text = ""};
	struct nj_capture *capture;
	struct nj_frame frame;
	struct frames all = {.frame = calloc(FRAMES_MAX, sizeof(struct iovec))};
	if (nj_capture_open_files(&(struct nj_capture_inputs){.paths = &path, .paths_n = 1}, &message, &capture) < 0) {
		fprintf(stderr, "sender: %s\n", message.text);
		exit(1);
	}
	while (all.frame != NULL && all.n < FRAMES_MAX && nj_capture_next(capture, &frame) > 0) {
		void *copy = malloc(frame.captured_bytes);
		if (copy == NULL || frame.captured_bytes > 1514)
			continue;
		all.frame[all.n++] =
			(struct iovec){memcpy(copy, frame.data, frame.captured_bytes), frame.captured_bytes};
	}
	nj_capture_close(&capture);
	return all;
}

/* A SYN with a right IPv4 checksum and none of TCP's, as with offload. */
static void make_syn(uint8_t f[SYN_BYTES], uint32_t from, uint32_t to, uint16_t sport, uint16_t dport)
{
	static const uint8_t head[] = {2, 0,    0, 0, 1,  2, 2, 0,    0, 0,  0, 1, 8,
				       0, 0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0};
	memset(f, 0, SYN_BYTES);
	memcpy(f, head, sizeof head);
	from = htonl(from);
	to = htonl(to);
	memcpy(f + 26, &from, 4);
	memcpy(f + 30, &to, 4);
	uint32_t sum = 0;
	for (int i = 14; i < 34; i += 2)
		sum += (uint32_t)f[i] << 8 | f[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	f[24] = (uint8_t)(~sum >> 8);
	f[25] = (uint8_t)~sum;
	f[34] = (uint8_t)(sport >> 8);
	f[35] = (uint8_t)sport;
	f[36] = (uint8_t)(dport >> 8);
	f[37] = (uint8_t)dport;
	f[38] = 1;
	f[46] = 5 << 4;
	f[47] = 2;
	f[48] = f[49] = 0xff;
}

static void flood_next(struct flood *flood, uint8_t f[SYN_BYTES])
{
	if (flood->scanned < SCAN_HOSTS && flood->sent >= flood->total / SCAN_HOSTS * flood->scanned) {
		make_syn(f, SCANNER, SCANNED + flood->scanned, (uint16_t)(40000 + flood->scanned), 445);
		flood->scanned++;
	} else {
		uint64_t which = flood->sent % flood->addresses;
		make_syn(f, FLOOD_FIRST + (uint32_t)which, FLOOD_HOST, (uint16_t)(1024 + which % 60000), 443);
	}
	flood->sent++;
}

static uint32_t fill(struct mmsghdr *messages, struct iovec *vectors, const struct frames *all, struct flood *flood,
		     uint64_t sent)
{
	for (uint32_t i = 0; i < BURST; i++) {
		if (all->n > 0) {
			vectors[i] = all->frame[(sent + i) % all->n];
		} else {
			flood_next(flood, flood->burst[i]);
			vectors[i] = (struct iovec){flood->burst[i], SYN_BYTES};
		}
		messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &vectors[i], .msg_iovlen = 1}};
	}
	return BURST;
}

static uint64_t send_all(int fd, uint64_t rate, uint64_t end_ns, uint64_t start_ns, const struct frames *all,
			 struct flood *flood)
{
	struct mmsghdr messages[BURST];
	struct iovec vectors[BURST];
	uint64_t sent = 0, now;
	while ((now = now_ns()) < end_ns) {
		if (rate > 0 && sent >= (now - start_ns) * rate / NS_PER_S) {
			if (rate < RATE_TURNING)
				nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
			continue;
		}
		uint32_t n = fill(messages, vectors, all, flood, sent), done = 0;
		while (done < n) {
			int went = sendmmsg(fd, messages + done, n - done, 0);
			if (went > 0)
				done += (uint32_t)went;
		}
		sent += n;
	}
	return sent;
}

int main(int argc, char **argv)
{
	if (argc < 5)
		return fprintf(stderr, "usage: sender INTERFACE RATE SECONDS FILE | flood ADDRESSES\n"), 2;
	uint64_t rate = strtoull(argv[2], NULL, 10), seconds = strtoull(argv[3], NULL, 10);
	struct frames all = {0};
	struct flood flood = {.addresses = argc > 5 ? strtoull(argv[5], NULL, 10) : 1, .total = rate * seconds};
	if (strcmp(argv[4], "flood") != 0) {
		all = read_frames(argv[4]);
		if (all.n == 0)
			return fprintf(stderr, "sender: nothing to send in %s\n", argv[4]), 1;
	}
	int fd = open_socket(argv[1]);
	uint64_t start_ns = now_ns(), sent = send_all(fd, rate, start_ns + seconds * NS_PER_S, start_ns, &all, &flood);
	printf("%llu frames at %.0f a second\n", (unsigned long long)sent,
	       (double)sent * 1e9 / (double)(now_ns() - start_ns));
	close(fd);
	for (uint32_t i = 0; i < all.n; i++)
		free(all.frame[i].iov_base);
	free(all.frame);
	return 0;
}
