/* Tells a supervisor that follows sd_notify(3) what a daemon is about: ready, alive, reloading, stopping. For main
 * programs, one thread. Without such a supervisor every call does nothing; one that does not listen is no reason to
 * stop, so nothing here fails. */
#ifndef NJ_COMMON_NOTIFY_H
#define NJ_COMMON_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

struct nj_notify {
	bool is_watched;      /* the supervisor wants signs of life */
	uint64_t interval_ns; /* between two of them, and between two status lines */
	uint64_t next_ns;     /* when the next is due */
};

/* Reads the supervisor's wishes from the environment. *now_ns* here and below: the monotonic clock. */
void nj_notify_init(struct nj_notify *n, uint64_t now_ns);

void nj_notify_ready(const char *status);
void nj_notify_reloading(uint64_t now_ns); /* to be followed by nj_notify_ready() */
void nj_notify_stopping(const char *status);

/* Whether a sign of life is due: ask in the loop whose standstill is to be noticed, then make the status and send. */
bool nj_notify_is_due(const struct nj_notify *n, uint64_t now_ns);
void nj_notify_alive(struct nj_notify *n, uint64_t now_ns, const char *status);

#endif
