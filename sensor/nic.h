/* A network interface as the kernel tells of it: is it there, is it up, what did it lose. For the thread that
 * coordinates live capture; a look costs two system calls, the drops a few more. */
#ifndef NJ_SENSOR_NIC_H
#define NJ_SENSOR_NIC_H

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

#define NJ_NIC_NAME_BYTES 16

struct nj_nic_state {
	uint32_t index; /* 0: there is none of this name; another one of the same name has another index */
	bool up;        /* switched on */
	bool running;   /* and its link works */
};

/* A descriptor to ask with, or NJ_ERR_IO. */
NJ_MUST_CHECK int nj_nic_open(struct nj_message *message, int *ret_fd);

void nj_nic_look(int fd, const char *name, struct nj_nic_state *ret_state);

/* Frames the interface lost before the kernel saw them (missed and overrun), since it was made. *drops_n* of them, in
 * the order of the names; those it does not know are left as they are. */
void nj_nic_drops(const char *const *names, uint32_t names_n, uint32_t *drops);

#endif
