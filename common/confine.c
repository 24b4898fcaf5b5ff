/* Beside its own folders every program needs a few files of the system: the name service's, chance, and what tells it
 * about itself. They hold nothing that another user could not read. */
#include "common/confine.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const system_paths[] = {"/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/gai.conf",
					   "/etc/host.conf", "/etc/localtime", "/dev/urandom", "/dev/null",
					   "/proc/self", "/proc/stat", "/proc/meminfo", "/proc/loadavg",
					   /* where a live sensor asks for the state of its links */
					   "/sys/class/net", "/sys/devices"};

#define SYSTEM_PATHS_N (sizeof system_paths / sizeof system_paths[0])
#define LIVE_ONLY_N    2
#define OVERFULL       UINT32_MAX

void nj_confine_init(struct nj_confine *c, enum nj_seccomp_profile profile)
{
	memset(c, 0, sizeof *c);
	c->profile = profile;
}

static void keep(struct nj_confine *c, const char *path, size_t length, bool write)
{
	if (c->paths_n >= NJ_CONFINE_PATHS_MAX || length >= NJ_CONFINE_PATH_BYTES) {
		c->paths_n = OVERFULL;
		return;
	}
	char *kept = c->paths[c->paths_n];
	memcpy(kept, path, length);
	kept[length] = '\0';
	for (uint32_t i = 0; i < c->paths_n; i++) {
		if (strcmp(c->rules[i].path, kept) == 0) {
			c->rules[i].write |= write;
			return;
		}
	}
	c->rules[c->paths_n++] = (struct nj_landlock_rule){.path = kept, .write = write};
}

static bool is_path(const char *path)
{
	return path[0] != '\0' && strcmp(path, ":memory:") != 0;
}

void nj_confine_allow(struct nj_confine *c, const char *path, bool write)
{
	if (is_path(path))
		keep(c, path, strlen(path), write);
}

void nj_confine_allow_beside(struct nj_confine *c, const char *path, bool write)
{
	if (!is_path(path))
		return;
	const char *slash = strrchr(path, '/');
	if (slash == NULL)
		keep(c, ".", 1, write);
	else
		keep(c, path, slash == path ? 1 : (size_t)(slash - path), write);
}

void nj_confine_allow_endpoint(struct nj_confine *c, const char *endpoint, bool write)
{
	if (strncmp(endpoint, "ipc://", 6) == 0)
		nj_confine_allow_beside(c, endpoint + 6, write);
}

int nj_confine_start(struct nj_confine *c, const char *user, bool landlock, struct nj_message *message)
{
	bool live = c->profile == NJ_SECCOMP_SENSOR_LIVE;
	const struct nj_privilege_options privilege = {.user = user, .keep_net_raw = live};
	c->own_n = c->paths_n;
	for (size_t i = 0; i < SYSTEM_PATHS_N - (live ? 0 : LIVE_ONLY_N); i++)
		nj_confine_allow(c, system_paths[i], false);
	if (c->paths_n == OVERFULL)
		return nj_fail(message, NJ_ERR_LIMIT,
			       "the configuration names too many or too long paths to confine to");
	int err = nj_privilege_drop(&privilege, message, &c->privilege);
	c->landlock_wanted = landlock && nj_seccomp_is_possible();
	if (err == NJ_OK && c->landlock_wanted)
		err = nj_landlock_restrict(c->rules, c->paths_n, message, &c->landlock_version);
	return err;
}

int nj_confine_finish(struct nj_confine *c, enum nj_seccomp_mode mode, struct nj_message *message)
{
	c->mode = nj_seccomp_is_possible() ? mode : NJ_SECCOMP_OFF;
	return c->mode == NJ_SECCOMP_OFF ? NJ_OK : nj_seccomp_enter(c->profile, c->mode, message, &c->calls_n);
}

/* Text that fills up and is then cut. */
struct words {
	char *text;
	size_t size, used;
};

static void say(struct words *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct words *w, const char *format, ...)
{
	va_list arguments;
	if (w->used >= w->size)
		return;
	va_start(arguments, format);
	int length = vsnprintf(w->text + w->used, w->size - w->used, format, arguments);
	va_end(arguments);
	assert(length >= 0);
	w->used += (size_t)length;
}

static void say_calls(const struct nj_confine *c, struct words *w)
{
	if (c->mode == NJ_SECCOMP_OFF)
		say(w, ", any system call%s", nj_seccomp_is_possible() ? "" : " (sanitizer build)");
	else
		say(w, ", %u system calls%s", c->calls_n, c->mode == NJ_SECCOMP_LOG ? " (others only logged)" : "");
}

static void say_files(const struct nj_confine *c, struct words *w)
{
	if (c->landlock_version == 0) {
		say(w, ", files by their permissions only%s",
		    c->landlock_wanted ? " (this kernel offers no Landlock)" : "");
		return;
	}
	say(w, ", files below");
	for (uint32_t i = 0; i < c->own_n; i++)
		say(w, "%s %s (%s)", i > 0 ? "," : "", c->rules[i].path, c->rules[i].write ? "write" : "read");
	say(w, "%s", c->own_n == 0 ? " no folder" : "");
}

void nj_confine_text(const struct nj_confine *c, char *text, size_t size)
{
	struct words w = {.text = text, .size = size};
	say(&w, "user %s%s, %s", c->privilege.user, c->privilege.is_root ? " without its powers" : "",
	    c->privilege.has_net_raw ? "capability net_raw alone" : "no capabilities");
	say_calls(c, &w);
	say_files(c, &w);
}
