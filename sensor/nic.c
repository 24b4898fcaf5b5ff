/* State by ioctl; drops from the link statistics that getifaddrs() brings over netlink. rx_missed_errors and
 * rx_fifo_errors are what a full receive ring costs; rx_dropped is left out, since the kernel counts frames there that
 * no protocol of its own wanted, which is most of what a tap sees. */
#include "sensor/nic.h"

#include <assert.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static_assert(NJ_NIC_NAME_BYTES == IFNAMSIZ, "names of interfaces");

int nj_nic_open(struct nj_message *message, int *ret_fd)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return nj_fail(message, NJ_ERR_IO, "cannot ask for the state of interfaces: %s", strerror(errno));
	*ret_fd = fd;
	return NJ_OK;
}

void nj_nic_look(int fd, const char *name, struct nj_nic_state *ret_state)
{
	struct ifreq request = {0};
	*ret_state = (struct nj_nic_state){0};
	snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
	if (ioctl(fd, SIOCGIFINDEX, &request) != 0)
		return;
	ret_state->index = (uint32_t)request.ifr_ifindex;
	if (ioctl(fd, SIOCGIFFLAGS, &request) != 0)
		return;
	ret_state->up = (request.ifr_flags & IFF_UP) != 0;
	ret_state->running = ret_state->up && (request.ifr_flags & IFF_RUNNING) != 0;
}

void nj_nic_drops(const char *const *names, uint32_t names_n, uint32_t *drops)
{
	struct ifaddrs *all;
	if (getifaddrs(&all) != 0)
		return;
	for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
		if (one->ifa_addr == NULL || one->ifa_addr->sa_family != AF_PACKET || one->ifa_data == NULL)
			continue;
		const struct rtnl_link_stats *stats = one->ifa_data;
		for (uint32_t i = 0; i < names_n; i++)
			if (strcmp(names[i], one->ifa_name) == 0)
				drops[i] = stats->rx_missed_errors + stats->rx_fifo_errors;
	}
	freeifaddrs(all);
}
