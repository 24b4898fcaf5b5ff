/* The system calls a daemon may make once it runs; anything else ends it. For main programs, after every thread was
 * started and every part opened: the filter is laid over all threads at once and can never be taken off. */
#ifndef NJ_COMMON_SECCOMP_H
#define NJ_COMMON_SECCOMP_H

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

enum nj_seccomp_profile {
	NJ_SECCOMP_SENSOR,      /* reads files, connects to aggregators */
	NJ_SECCOMP_SENSOR_LIVE, /* and opens capture sockets again */
	NJ_SECCOMP_AGGREGATOR,  /* listens */
};

enum nj_seccomp_mode {
	NJ_SECCOMP_OFF,
	NJ_SECCOMP_LOG,  /* a call that is not listed goes to the kernel's audit log and is done */
	NJ_SECCOMP_KILL, /* it ends the process by SIGSYS, and goes to the log too */
};

/* Whether this build can be confined: sanitizers make calls of their own. */
bool nj_seccomp_is_possible(void);

/* *ret_calls_n*: how many calls are open. NJ_ERR_PERMISSION: the kernel refused. Needs nj_seccomp_is_possible(). */
NJ_MUST_CHECK int nj_seccomp_enter(enum nj_seccomp_profile profile, enum nj_seccomp_mode mode,
				   struct nj_message *message, uint32_t *ret_calls_n);

#endif
