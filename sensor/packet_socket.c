/* Which worker the kernel gives a frame to: reciprocal_scale(hash, members), where hash is that of
 * __skb_get_hash_symmetric(): addresses and ports of the innermost headers its flow dissector reaches, in an order that
 * does not depend on the direction, with a key that all groups of the machine share. So the same worker of every
 * interface gets both directions of a flow, as long as members joined everywhere in the same order. docs/capture.md
 * says which tunnels the dissector sees through. */
#include "sensor/packet_socket.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>

uint32_t nj_fanout_word(uint32_t group)
{
	uint32_t mode = PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_DEFRAG;
	if (group == NJ_FANOUT_NEW)
		return (mode | PACKET_FANOUT_FLAG_UNIQUEID) << 16;
	return mode << 16 | group;
}

int nj_fanout_join(int fd, uint32_t *group, struct nj_message *message)
{
	uint32_t word = nj_fanout_word(*group);
	socklen_t size = sizeof word;
	if (setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &word, size) != 0 ||
	    getsockopt(fd, SOL_PACKET, PACKET_FANOUT, &word, &size) != 0)
		return nj_fail(message, NJ_ERR_IO, "the kernel does not share it among workers (PACKET_FANOUT): %s",
			       strerror(errno));
	*group = word & UINT16_MAX; /* 0 is a number like any other */
	return NJ_OK;
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
