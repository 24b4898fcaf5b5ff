/* Everything that confines a daemon, in the order the kernel wants it. For main programs:
 *
 *   nj_confine_init(&c, profile); nj_confine_allow*(&c, ...) for each path of the configuration
 *   open what needs rights: capture sockets
 *   nj_confine_start(&c, user, landlock, message)    one thread; user, capabilities and files are confined from here on
 *   open the rest, start threads
 *   nj_confine_finish(&c, mode, message)             system calls too
 *   nj_confine_text(&c, ...)                         what holds now, for the start line */
#ifndef NJ_COMMON_CONFINE_H
#define NJ_COMMON_CONFINE_H

#include "common/landlock.h"
#include "common/privilege.h"
#include "common/seccomp.h"

#include <stddef.h>

#define NJ_CONFINE_PATHS_MAX  40
#define NJ_CONFINE_PATH_BYTES 512

struct nj_confine {
	enum nj_seccomp_profile profile;
	uint32_t paths_n, own_n; /* own_n: what the daemon asked for; the rest is every program's */
	struct nj_landlock_rule rules[NJ_CONFINE_PATHS_MAX];
	char paths[NJ_CONFINE_PATHS_MAX][NJ_CONFINE_PATH_BYTES];
	/* what came of it */
	struct nj_privilege_state privilege;
	int landlock_version; /* 0: not confined, by wish or because the kernel has none */
	bool landlock_wanted;
	enum nj_seccomp_mode mode;
	uint32_t calls_n;
};

void nj_confine_init(struct nj_confine *c, enum nj_seccomp_profile profile);

/* One file, or a folder and all below it; "" and ":memory:" are no paths. A path too many or too long is NJ_ERR_LIMIT
 * from nj_confine_start(), so that nothing is opened by mistake. */
void nj_confine_allow(struct nj_confine *c, const char *path, bool write);

/* The folder that holds *path*: databases lay files beside theirs, and who edits a file often replaces it. */
void nj_confine_allow_beside(struct nj_confine *c, const char *path, bool write);

/* The same for an endpoint: ipc:// has a path, others have none. */
void nj_confine_allow_endpoint(struct nj_confine *c, const char *endpoint, bool write);

/* Errors of nj_privilege_drop() and nj_landlock_restrict(). Under sanitizers, which read and write where they like,
 * files are not confined. */
NJ_MUST_CHECK int nj_confine_start(struct nj_confine *c, const char *user, bool landlock, struct nj_message *message);
NJ_MUST_CHECK int nj_confine_finish(struct nj_confine *c, enum nj_seccomp_mode mode, struct nj_message *message);

/* "user nightjar, no capabilities, 120 system calls, files below /etc/nightjar (read) ..." */
void nj_confine_text(const struct nj_confine *c, char *text, size_t size);

#endif
