/* Confines this thread, and those it makes later, to files below stated folders (Linux 5.13 on). For main programs,
 * once, while there is one thread. Files already open stay usable. Where the kernel has no Landlock nothing is refused:
 * the caller says so. */
#ifndef NJ_COMMON_LANDLOCK_H
#define NJ_COMMON_LANDLOCK_H

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

struct nj_landlock_rule {
	const char *path; /* a folder with all below it, or one file; one that does not exist opens nothing */
	bool write;       /* also write, make, rename within a folder, remove; never run */
};

/* *ret_version*: of the kernel's interface, 0 where there is none. NJ_ERR_PERMISSION: the kernel has it and refused. */
NJ_MUST_CHECK int nj_landlock_restrict(const struct nj_landlock_rule *rules, uint32_t rules_n,
				       struct nj_message *message, int *ret_version);

#endif
