/* What matters on a tap: receive offloads glue frames together before anybody sees them, so sizes, counts and gaps are
 * no longer the wire's; a small receive ring loses bursts before the kernel sees them; and several receive queues with
 * a hash that tells directions apart let an answer overtake its question by some microseconds. */
#include "sensor/nic_check.h"

#include <assert.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEY_BYTES_USUAL 40
#define RULES_BYTES     4096 /* the queue table that comes before the key */

/* ------------------------------------------------------------------ asking */

static bool ask(int fd, const char *name, void *question)
{
	struct ifreq request = {0};
	snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
	request.ifr_data = question;
	return ioctl(fd, SIOCETHTOOL, &request) == 0;
}

static enum nj_nic_answer ask_value(int fd, const char *name, uint32_t command, uint32_t mask)
{
	struct ethtool_value value = {.cmd = command};
	if (!ask(fd, name, &value))
		return NJ_NIC_UNKNOWN;
	return value.data & mask ? NJ_NIC_YES : NJ_NIC_NO;
}

static void ask_ring(int fd, const char *name, struct nj_nic_features *f)
{
	struct ethtool_ringparam ring = {.cmd = ETHTOOL_GRINGPARAM};
	if (!ask(fd, name, &ring))
		return;
	f->ring = ring.rx_pending;
	f->ring_max = ring.rx_max_pending;
}

static void ask_queues(int fd, const char *name, struct nj_nic_features *f)
{
	struct ethtool_rxnfc queues = {.cmd = ETHTOOL_GRXRINGS};
	if (ask(fd, name, &queues))
		f->queues = (uint32_t)queues.data;
}

/* The byte behind hfunc became input_xfrm in later headers: there the driver says that it swaps addresses itself. */
static bool swaps_by_itself(const struct ethtool_rxfh *hash)
{
	return ((const uint8_t *)&hash->hfunc)[1] != 0;
}

static void ask_hash(int fd, const char *name, struct nj_nic_features *f)
{
	struct ethtool_rxfh sizes = {.cmd = ETHTOOL_GRSSH};
	if (!ask(fd, name, &sizes) || sizes.key_size == 0 || sizes.key_size > NJ_NIC_KEY_BYTES_MAX ||
	    sizes.indir_size > RULES_BYTES / sizeof(uint32_t))
		return;
	struct ethtool_rxfh *hash = calloc(1, sizeof *hash + sizes.indir_size * sizeof(uint32_t) + sizes.key_size);
	if (hash == NULL)
		return;
	*hash = sizes;
	hash->cmd = ETHTOOL_GRSSH;
	if (ask(fd, name, hash)) {
		const uint8_t *key = (const uint8_t *)(hash->rss_config + sizes.indir_size);
		bool symmetric = nj_nic_key_is_symmetric(key, sizes.key_size) || swaps_by_itself(hash);
		f->key_bytes = sizes.key_size;
		f->symmetric = symmetric ? NJ_NIC_YES : NJ_NIC_NO;
	}
	free(hash);
}

static bool may_capture(void)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

void nj_nic_ask(int fd, const char *name, struct nj_nic_features *ret_features)
{
	struct nj_nic_features *f = ret_features;
	*f = (struct nj_nic_features){.may_capture = may_capture()};
	nj_nic_look(fd, name, &f->state);
	if (f->state.index == 0)
		return;
	f->gro = ask_value(fd, name, ETHTOOL_GGRO, UINT32_MAX);
	f->lro = ask_value(fd, name, ETHTOOL_GFLAGS, ETH_FLAG_LRO);
	f->gso = ask_value(fd, name, ETHTOOL_GGSO, UINT32_MAX);
	f->tso = ask_value(fd, name, ETHTOOL_GTSO, UINT32_MAX);
	ask_ring(fd, name, f);
	ask_queues(fd, name, f);
	ask_hash(fd, name, f);
}

bool nj_nic_key_is_symmetric(const uint8_t *key, uint32_t bytes)
{
	for (uint32_t i = 2; i < bytes; i++)
		if (key[i] != key[i - 2])
			return false;
	return bytes > 2;
}

/* ------------------------------------------------------------------ judging */

struct list {
	struct nj_nic_finding *findings;
	uint32_t n;
};

static struct nj_nic_finding *add(struct list *list, const char *format, ...) __attribute__((format(printf, 2, 3)));

static struct nj_nic_finding *add(struct list *list, const char *format, ...)
{
	assert(list->n < NJ_NIC_FINDINGS_MAX);
	struct nj_nic_finding *finding = &list->findings[list->n++];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(finding->text, sizeof finding->text, format, arguments);
	va_end(arguments);
	finding->mend[0] = '\0';
	return finding;
}

static void mend(struct nj_nic_finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void mend(struct nj_nic_finding *finding, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(finding->mend, sizeof finding->mend, format, arguments);
	va_end(arguments);
}

static void judge_offloads(struct list *list, const char *name, const struct nj_nic_features *f)
{
	const struct {
		const char *name;
		enum nj_nic_answer on;
	} offloads[] = {{"gro", f->gro}, {"lro", f->lro}, {"gso", f->gso}, {"tso", f->tso}};
	char on[32] = "", off[64] = "";
	for (size_t i = 0; i < sizeof offloads / sizeof offloads[0]; i++) {
		if (offloads[i].on != NJ_NIC_YES)
			continue;
		snprintf(on + strlen(on), sizeof on - strlen(on), "%s%s", on[0] != '\0' ? ", " : "", offloads[i].name);
		snprintf(off + strlen(off), sizeof off - strlen(off), " %s off", offloads[i].name);
	}
	if (on[0] == '\0')
		return;
	struct nj_nic_finding *finding =
		add(list, "%s: %s on: frames are glued together, their sizes and counts are not the wire's", name, on);
	mend(finding, "ethtool -K %s%s", name, off);
}

static void judge_hash(struct list *list, const char *name, const struct nj_nic_features *f)
{
	if (f->queues < 2 || f->symmetric != NJ_NIC_NO)
		return;
	uint32_t bytes = f->key_bytes > 0 ? f->key_bytes : KEY_BYTES_USUAL;
	struct nj_nic_finding *finding =
		add(list, "%s: its %u queues take the two directions of a flow apart: answers can overtake questions",
		    name, f->queues);
	mend(finding, "ethtool -X %s hkey 6d:5a", name);
	for (uint32_t i = 2; i < bytes; i++) {
		size_t used = strlen(finding->mend);
		snprintf(finding->mend + used, sizeof finding->mend - used, i % 2 ? ":5a" : ":6d");
	}
}

uint32_t nj_nic_findings(const char *name, const struct nj_nic_features *f,
			 struct nj_nic_finding findings[NJ_NIC_FINDINGS_MAX])
{
	struct list list = {.findings = findings};
	if (f->state.index == 0) {
		mend(add(&list, "%s: no such interface", name), "ip -brief link");
		return list.n;
	}
	if (!f->may_capture)
		mend(add(&list, "%s: no right to capture, nor to listen promiscuously, for this user", name),
		     "systemctl start nightjar-sensor (which has CAP_NET_RAW), or check as root");
	if (!f->state.up)
		mend(add(&list, "%s: is down", name), "ip link set dev %s up", name);
	else if (!f->state.running)
		(void)add(&list, "%s: has no link; look at the cable and at the mirror port", name);
	judge_offloads(&list, name, f);
	if (f->ring_max > f->ring && f->ring > 0)
		mend(add(&list, "%s: its receive ring holds %u frames and could hold %u: bursts get lost in the card",
			 name, f->ring, f->ring_max),
		     "ethtool -G %s rx %u", name, f->ring_max);
	judge_hash(&list, name, f);
	return list.n;
}
