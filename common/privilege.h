/* Gives up what a daemon was started with: capabilities, groups, user. For main programs, once, while there is one
 * thread: capabilities belong to a thread, and threads made later inherit what this one has left. Call it after what
 * needs rights is open (capture sockets, a listening port below 1024, a key only root reads) and before what is written
 * is opened, so that files are made by the user who keeps them. */
#ifndef NJ_COMMON_PRIVILEGE_H
#define NJ_COMMON_PRIVILEGE_H

#include "common/error.h"

#include <stdbool.h>

struct nj_privilege_options {
	const char *user;  /* name to become with its groups; "" stays who one is */
	bool keep_net_raw; /* CAP_NET_RAW stays, if it was there: an interface that came back must be opened again */
};

struct nj_privilege_state {
	char user[64];    /* name, or number where it has none */
	bool is_root;     /* user id 0 still, if without its powers */
	bool has_net_raw; /* the one capability that may be left */
};

/* Whatever happens: no new privileges, every capability set emptied but for keep_net_raw. NJ_ERR_USAGE: no such user,
 * or another user wanted without being root; NJ_ERR_PERMISSION: the kernel refused, or root could be had back. */
NJ_MUST_CHECK int nj_privilege_drop(const struct nj_privilege_options *options, struct nj_message *message,
				    struct nj_privilege_state *ret_state);

#endif
