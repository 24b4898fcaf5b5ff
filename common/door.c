/* A socket filter that passes nothing. Some kernels let nobody but root filter: then packets are kept out by the hops
 * they have left. Nearly everyone starts with 64 or 128, and who comes from beyond this network has lost one; only a
 * neighbour who sends 255 gets through, up to the limit of descriptors. Reference: socket(7), ip(7). */
#include "common/door.h"

#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define HOPS_MAX 255

bool nj_door_set(int listener, bool closed)
{
	struct sock_filter drop_all = BPF_STMT(BPF_RET | BPF_K, 0);
	const struct sock_fprog program = {.len = 1, .filter = &drop_all};
	int option = closed ? SO_ATTACH_FILTER : SO_DETACH_FILTER;
	int hops = closed ? HOPS_MAX : 0;
	if (setsockopt(listener, SOL_SOCKET, option, &program, sizeof program) == 0)
		return true;
	bool v6 = setsockopt(listener, IPPROTO_IPV6, IPV6_MINHOPCOUNT, &hops, sizeof hops) == 0;
	bool v4 = setsockopt(listener, IPPROTO_IP, IP_MINTTL, &hops, sizeof hops) == 0;
	return v4 || v6;
}
