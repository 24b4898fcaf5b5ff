/* Worker i of a group of n gets the frames for which the program's result modulo n is i, i counting in the order of
 * joining. All interfaces run the same program and workers join everywhere in the same order, so a flow whose
 * directions come in on two interfaces meets in one worker as well. */
#include "sensor/packet_socket.h"

#include "sensor/spread.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>

uint32_t nj_fanout_word(uint32_t group)
{
	if (group == NJ_FANOUT_NEW)
		return (PACKET_FANOUT_CBPF | PACKET_FANOUT_FLAG_UNIQUEID) << 16;
	return PACKET_FANOUT_CBPF << 16 | group;
}

static bool found(int fd, uint32_t *group)
{
	struct sock_filter steps[NJ_SPREAD_STEPS_MAX];
	struct sock_fprog program = {.len = (unsigned short)nj_spread_program(steps), .filter = steps};
	uint32_t word;
	socklen_t size = sizeof word;
	if (setsockopt(fd, SOL_PACKET, PACKET_FANOUT_DATA, &program, sizeof program) != 0 ||
	    getsockopt(fd, SOL_PACKET, PACKET_FANOUT, &word, &size) != 0)
		return false;
	*group = word & UINT16_MAX; /* 0 is a number like any other */
	return true;
}

int nj_fanout_join(int fd, uint32_t *group, struct nj_message *message)
{
	uint32_t word = nj_fanout_word(*group);
	bool joined = setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &word, sizeof word) == 0;
	if (joined && *group == NJ_FANOUT_NEW)
		joined = found(fd, group);
	if (!joined)
		return nj_fail(message, NJ_ERR_IO, "the kernel does not share it among workers (PACKET_FANOUT): %s",
			       strerror(errno));
	return NJ_OK;
}

/* libpcap reads the stamp from the ring; this option, meant for recvmsg(), makes the kernel take it at reception. */
void nj_packet_socket_stamp(int fd)
{
	int yes = 1;
	(void)setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof yes); /* else some microseconds later */
}

uint32_t nj_packet_socket_drops(int fd)
{
	struct tpacket_stats_v3 stats = {0};
	socklen_t size = sizeof stats;
	return getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size) == 0 ? stats.tp_drops : 0;
}

void nj_packet_socket_shut(int fd)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = {.len = 1, .filter = &nothing};
	(void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
			 sizeof program); /* else the drain has a time limit */
}
