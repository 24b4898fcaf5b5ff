/* libcap-ng knows the order that the kernel wants: keep the capabilities over the change of user, change, set what is
 * left, empty the bounding set in between. Root that stays root is emptied all the same: it then owns its files as any
 * user does, and can neither load, mount, trace nor read what others keep to themselves. */
#include "common/privilege.h"

#include <cap-ng.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static void select_kept(bool net_raw)
{
	capng_clear(CAPNG_SELECT_ALL);
	if (net_raw)
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_RAW);
}

static int refused(struct nj_message *message, const char *what)
{
	return nj_fail(message, NJ_ERR_PERMISSION, "giving up privileges: %s: %s", what, strerror(errno));
}

static int become(const struct passwd *user, bool net_raw, struct nj_message *message)
{
	select_kept(net_raw);
	int failed = capng_change_id((int)user->pw_uid, (int)user->pw_gid,
				     CAPNG_INIT_SUPP_GRP | CAPNG_CLEAR_BOUNDING | CAPNG_CLEAR_AMBIENT);
	if (failed != 0)
		return nj_fail(message, NJ_ERR_PERMISSION, "giving up privileges: cannot become %s (step %d)",
			       user->pw_name, -failed);
	return NJ_OK;
}

/* Who stays need not be able to empty the bounding set: without capabilities and with no_new_privs it gives nothing. */
static int stay(bool net_raw, struct nj_message *message)
{
	if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP)) {
		select_kept(net_raw);
		if (capng_apply(CAPNG_SELECT_BOUNDS) != 0)
			return refused(message, "the bounding set");
	}
	select_kept(net_raw);
	if (capng_apply(CAPNG_SELECT_AMBIENT) != 0 || capng_apply(CAPNG_SELECT_CAPS) != 0)
		return refused(message, "capabilities");
	return NJ_OK;
}

static int change(const char *name, bool net_raw, struct nj_message *message)
{
	if (name[0] == '\0')
		return stay(net_raw, message);
	errno = 0;
	const struct passwd *user = getpwnam(name);
	if (user == NULL)
		return nj_fail(message, NJ_ERR_USAGE, "user: there is no user '%s'%s%s", name, errno != 0 ? ": " : "",
			       errno != 0 ? strerror(errno) : "");
	if (user->pw_uid == geteuid())
		return stay(net_raw, message);
	if (geteuid() != 0)
		return nj_fail(message, NJ_ERR_USAGE, "user: only root can become '%s'; start as root or as that user",
			       name);
	return become(user, net_raw, message);
}

/* What was given up must be gone: asked of the kernel, not of the code above. */
static int verify(bool net_raw, struct nj_message *message)
{
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_get_caps_process() != 0)
		return refused(message, "reading back");
	for (int capability = 0; capability <= CAP_LAST_CAP; capability++) {
		bool is_kept = net_raw && capability == CAP_NET_RAW;
		if (!is_kept && (capng_have_capability(CAPNG_EFFECTIVE, (unsigned)capability) ||
				 capng_have_capability(CAPNG_PERMITTED, (unsigned)capability)))
			return nj_fail(message, NJ_ERR_PERMISSION, "giving up privileges: capability %s is still there",
				       capng_capability_to_name((unsigned)capability));
	}
	if (geteuid() != 0 && (setuid(0) == 0 || seteuid(0) == 0))
		return nj_fail(message, NJ_ERR_PERMISSION, "giving up privileges: root can be had back");
	return NJ_OK;
}

static void tell(bool net_raw, struct nj_privilege_state *ret_state)
{
	const struct passwd *user = getpwuid(geteuid());
	ret_state->is_root = geteuid() == 0;
	ret_state->has_net_raw = net_raw;
	if (user != NULL)
		snprintf(ret_state->user, sizeof ret_state->user, "%s", user->pw_name);
	else
		snprintf(ret_state->user, sizeof ret_state->user, "%u", (unsigned)geteuid());
}

int nj_privilege_drop(const struct nj_privilege_options *options, struct nj_message *message,
		      struct nj_privilege_state *ret_state)
{
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_get_caps_process() != 0)
		return refused(message, "reading capabilities");
	bool net_raw = options->keep_net_raw && capng_have_capability(CAPNG_PERMITTED, CAP_NET_RAW);
	int err = change(options->user, net_raw, message);
	if (err == NJ_OK && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		err = refused(message, "no new privileges");
	if (err == NJ_OK)
		err = verify(net_raw, message);
	if (err == NJ_OK)
		tell(net_raw, ret_state);
	return err;
}
