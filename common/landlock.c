/* Three system calls without wrappers in the C library: make a set of handled rights, add the exceptions, restrict. A
 * right that an older kernel does not know is not asked for, so the set shrinks with the version: 1 files and folders,
 * 2 renaming across folders, 3 truncation, 5 device control. Reference: landlock(7). */
#include "common/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than some headers we build with. */
#define RIGHT_REFER     (UINT64_C(1) << 13)
#define RIGHT_TRUNCATE  (UINT64_C(1) << 14)
#define RIGHT_IOCTL_DEV (UINT64_C(1) << 15)

#define RIGHTS_FIRST ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)
#define RIGHTS_READ  (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define RIGHTS_WRITE                                                                                                   \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |              \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SOCK | RIGHT_TRUNCATE)
#define RIGHTS_OF_A_FILE (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | RIGHT_TRUNCATE)

static uint64_t handled_by(int version)
{
	uint64_t rights = RIGHTS_FIRST;
	if (version >= 2)
		rights |= RIGHT_REFER;
	if (version >= 3)
		rights |= RIGHT_TRUNCATE;
	if (version >= 5)
		rights |= RIGHT_IOCTL_DEV;
	return rights;
}

static int add(int set, uint64_t handled, const struct nj_landlock_rule *rule, struct nj_message *message)
{
	struct stat status;
	int err = NJ_OK, fd = open(rule->path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return NJ_OK; /* opens nothing, and whoever needs it will name it */
	uint64_t rights = rule->write ? RIGHTS_READ | RIGHTS_WRITE : RIGHTS_READ;
	if (fstat(fd, &status) == 0 && !S_ISDIR(status.st_mode))
		rights &= RIGHTS_OF_A_FILE;
	struct landlock_path_beneath_attr beneath = {.allowed_access = rights & handled, .parent_fd = fd};
	if (syscall(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) != 0)
		err = nj_fail(message, NJ_ERR_PERMISSION, "confining files to %s: %s", rule->path, strerror(errno));
	close(fd);
	return err;
}

int nj_landlock_restrict(const struct nj_landlock_rule *rules, uint32_t rules_n, struct nj_message *message,
			 int *ret_version)
{
	int version = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (version <= 0) {
		*ret_version = 0;
		return NJ_OK;
	}
	struct landlock_ruleset_attr attributes = {.handled_access_fs = handled_by(version)};
	int err = NJ_OK,
	    set = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes.handled_access_fs, 0);
	if (set < 0)
		return nj_fail(message, NJ_ERR_PERMISSION, "confining files: %s", strerror(errno));
	for (uint32_t i = 0; i < rules_n && err == NJ_OK; i++)
		err = add(set, attributes.handled_access_fs, &rules[i], message);
	if (err == NJ_OK && syscall(SYS_landlock_restrict_self, set, 0) != 0)
		err = nj_fail(message, NJ_ERR_PERMISSION, "confining files: %s", strerror(errno));
	close(set);
	if (err == NJ_OK)
		*ret_version = version;
	return err;
}
