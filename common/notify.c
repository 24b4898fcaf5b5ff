/* A sign of life goes out at least three times in the time after which the supervisor loses patience, so that one late
 * step of the loop costs nothing; and every ten seconds, since it carries the status line. */
#include "common/notify.h"

#include <inttypes.h>
#include <systemd/sd-daemon.h>

#define STATUS_NS        UINT64_C(10000000000)
#define SIGNS_A_DEADLINE 3
#define NS_A_US          1000

void nj_notify_init(struct nj_notify *n, uint64_t now_ns)
{
	uint64_t deadline_us = 0;
	n->is_watched = sd_watchdog_enabled(0, &deadline_us) > 0;
	uint64_t sign_ns = deadline_us * NS_A_US / SIGNS_A_DEADLINE;
	n->interval_ns = n->is_watched && sign_ns < STATUS_NS ? sign_ns : STATUS_NS;
	n->next_ns = now_ns;
}

void nj_notify_ready(const char *status)
{
	(void)sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void nj_notify_reloading(uint64_t now_ns)
{
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, now_ns / NS_A_US);
}

void nj_notify_stopping(const char *status)
{
	(void)sd_notifyf(0, "STOPPING=1\nSTATUS=%s", status);
}

bool nj_notify_is_due(const struct nj_notify *n, uint64_t now_ns)
{
	return now_ns >= n->next_ns;
}

void nj_notify_alive(struct nj_notify *n, uint64_t now_ns, const char *status)
{
	(void)sd_notifyf(0, "%sSTATUS=%s", n->is_watched ? "WATCHDOG=1\n" : "", status);
	n->next_ns = now_ns + n->interval_ns;
}
