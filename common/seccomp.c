/* One table: call, whose, what for. It began as what strace saw of both daemons through the end-to-end tests (files,
 * ipc, tcp, CURVE, journals, stores, kills and restarts) and of libpcap opening an interface; beside each stand its
 * siblings, which another release of the C library or another architecture takes for the same job; the tests run under
 * it ever since. A name that this architecture or libseccomp does not know is left out.
 *
 * Calls that do too much are open for certain arguments only: sockets of certain families and kinds, threads but no
 * processes, memory that is not executable, signals to this process alone, limits read but not set. Executable memory
 * and clone3, whose arguments a filter cannot see, fail with a code instead: libraries try them and go on without.
 *
 * Cost: the kernel keeps the calls that are open whatever their arguments in a bitmap; the others run a binary search
 * of some ten steps. */
#include "common/seccomp.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define FILES (1u << NJ_SECCOMP_SENSOR)
#define LIVE  (1u << NJ_SECCOMP_SENSOR_LIVE)
#define AGG   (1u << NJ_SECCOMP_AGGREGATOR)
#define ALL   (FILES | LIVE | AGG)

struct call {
	const char *name;
	uint32_t profiles;
};

static const struct call calls[] = {
	/* memory */
	{"brk", ALL},
	{"munmap", ALL},
	{"mremap", ALL},
	{"madvise", ALL},
	{"mlock", ALL}, /* libsodium keeps secret keys out of swap */
	{"munlock", ALL},
	/* threads and their waiting */
	{"futex", ALL},
	{"futex_waitv", ALL},
	{"set_robust_list", ALL},
	{"rseq", ALL},
	{"membarrier", ALL},
	{"getcpu", ALL},
	{"gettid", ALL},
	{"getpid", ALL},
	{"sched_yield", ALL},
	{"sched_getaffinity", ALL},
	{"sched_setaffinity", ALL},
	{"sched_getparam", ALL},
	{"sched_getscheduler", ALL},
	{"sched_setscheduler", ALL}, /* libzmq gives its threads the ordinary class; a higher one needs a capability */
	{"exit", ALL},
	{"exit_group", ALL},
	/* signals, as they arrive here */
	{"rt_sigaction", ALL},
	{"rt_sigprocmask", ALL},
	{"rt_sigreturn", ALL},
	{"sigaltstack", ALL},
	{"restart_syscall", ALL},
	/* clocks and chance */
	{"clock_gettime", ALL},
	{"clock_getres", ALL},
	{"clock_nanosleep", ALL},
	{"nanosleep", ALL},
	{"gettimeofday", ALL},
	{"time", ALL},
	{"getrandom", ALL},
	/* files; which ones is Landlock's and the file system's to say */
	{"openat", ALL},
	{"open", ALL},
	{"close", ALL},
	{"close_range", ALL},
	{"read", ALL},
	{"readv", ALL},
	{"pread64", ALL},
	{"preadv", ALL},
	{"write", ALL},
	{"writev", ALL},
	{"pwrite64", ALL},
	{"pwritev", ALL},
	{"lseek", ALL},
	{"fstat", ALL},
	{"stat", ALL},
	{"lstat", ALL},
	{"newfstatat", ALL},
	{"fstatat64", ALL},
	{"statx", ALL},
	{"statfs", ALL},
	{"fstatfs", ALL},
	{"access", ALL},
	{"faccessat", ALL},
	{"faccessat2", ALL},
	{"readlink", ALL},
	{"readlinkat", ALL},
	{"getdents64", ALL},
	{"getcwd", ALL},
	{"fcntl", ALL},
	{"fadvise64", ALL},
	/* what SQLite and the writing of whole files need on top */
	{"fsync", ALL},
	{"fdatasync", ALL},
	{"ftruncate", ALL},
	{"fallocate", ALL},
	{"flock", ALL},
	{"fchmod", ALL},
	{"fchown", ALL},
	{"unlink", ALL},
	{"unlinkat", ALL},
	{"rename", ALL},
	{"renameat", ALL},
	{"renameat2", ALL},
	/* who and where we are */
	{"getuid", ALL},
	{"geteuid", ALL},
	{"getgid", ALL},
	{"getegid", ALL},
	{"getrusage", ALL},
	{"sysinfo", ALL}, /* qsort() asks how much memory there is */
	{"uname", ALL},
	/* waiting for many */
	{"poll", ALL},
	{"ppoll", ALL},
	{"select", ALL},
	{"pselect6", ALL},
	{"epoll_create1", ALL},
	{"epoll_ctl", ALL},
	{"epoll_wait", ALL},
	{"epoll_pwait", ALL},
	{"epoll_pwait2", ALL},
	{"eventfd2", ALL},
	/* sockets; which kinds is below */
	{"connect", ALL},
	{"bind", ALL}, /* the name service binds its netlink socket, libpcap its capture socket */
	{"getsockname", ALL},
	{"getpeername", ALL},
	{"getsockopt", ALL},
	{"setsockopt", ALL},
	{"sendto", ALL},
	{"sendmsg", ALL},
	{"sendmmsg", ALL},
	{"recvfrom", ALL},
	{"recvmsg", ALL},
	{"shutdown", ALL},
	{"listen", AGG},
	{"accept", AGG},
	{"accept4", AGG},
};

/* A call open only where (argument & mask) == value. */
struct narrow {
	const char *name;
	uint32_t profiles;
	uint32_t action; /* 0: open it; else the errno it fails with */
	struct scmp_arg_cmp arguments[2];
	uint32_t arguments_n;
};

#define WHERE(argument, mask, value)                                                                                   \
	{                                                                                                              \
		argument, SCMP_CMP_MASKED_EQ, mask, value                                                              \
	}
#define IS(argument, value)                                                                                            \
	{                                                                                                              \
		argument, SCMP_CMP_EQ, value, 0                                                                        \
	}
#define KIND        0xf /* of a socket, without SOCK_NONBLOCK and SOCK_CLOEXEC */
#define THREAD      (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)
#define NAME_MEMORY 0x53564d41 /* PR_SET_VMA: allocators name what they map */
#define TERMINAL2   0x802c542a /* TCGETS2, by which newer C libraries ask whether this is a terminal */

static const struct narrow narrow_calls[] = {
	{"mmap", ALL, 0, {WHERE(2, PROT_EXEC, 0)}, 1},
	{"mmap", ALL, EACCES, {WHERE(2, PROT_EXEC, PROT_EXEC)}, 1},
	{"mprotect", ALL, 0, {WHERE(2, PROT_EXEC, 0)}, 1},
	{"mprotect", ALL, EACCES, {WHERE(2, PROT_EXEC, PROT_EXEC)}, 1},
	{"clone", ALL, 0, {WHERE(0, THREAD, THREAD)}, 1},
	{"clone3", ALL, ENOSYS, {{0}}, 0},
	{"prctl", ALL, 0, {IS(0, PR_SET_NAME)}, 1},
	{"prctl", ALL, 0, {IS(0, NAME_MEMORY)}, 1},
	{"prlimit64", ALL, 0, {IS(0, 0), IS(2, 0)}, 2},
	{"ioctl", ALL, 0, {IS(1, TCGETS)}, 1},
	{"ioctl", ALL, 0, {IS(1, TERMINAL2)}, 1},
	{"ioctl", ALL, 0, {IS(1, FIONREAD)}, 1},
	{"ioctl", ALL, 0, {IS(1, FIONBIO)}, 1},
	{"socket", ALL, 0, {IS(0, AF_UNIX), WHERE(1, KIND, SOCK_STREAM)}, 2},
	{"socket", ALL, 0, {IS(0, AF_UNIX), WHERE(1, KIND, SOCK_DGRAM)}, 2}, /* systemd's notifications */
	{"socket", ALL, 0, {IS(0, AF_INET), WHERE(1, KIND, SOCK_STREAM)}, 2},
	{"socket", ALL, 0, {IS(0, AF_INET6), WHERE(1, KIND, SOCK_STREAM)}, 2},
	{"socket", ALL, 0, {IS(0, AF_INET), WHERE(1, KIND, SOCK_DGRAM)}, 2}, /* the name service */
	{"socket", ALL, 0, {IS(0, AF_INET6), WHERE(1, KIND, SOCK_DGRAM)}, 2},
	{"socket", ALL, 0, {IS(0, AF_NETLINK), IS(2, NETLINK_ROUTE)}, 2}, /* which addresses this machine has */
	{"socket", LIVE, 0, {IS(0, AF_PACKET)}, 1},
	{"socket", LIVE, 0, {IS(0, AF_NETLINK), IS(2, NETLINK_GENERIC)}, 2}, /* libpcap: is it a radio? */
	{"ioctl", LIVE, 0, {IS(1, SIOCGIFINDEX)}, 1},
	{"ioctl", LIVE, 0, {IS(1, SIOCGIFNAME)}, 1},
	{"ioctl", LIVE, 0, {IS(1, SIOCGIFHWADDR)}, 1},
	{"ioctl", LIVE, 0, {IS(1, SIOCGIFFLAGS)}, 1},
	{"ioctl", LIVE, 0, {IS(1, SIOCGIFMTU)}, 1},
	{"ioctl", LIVE, 0, {IS(1, SIOCETHTOOL)}, 1}, /* reading; changing needs CAP_NET_ADMIN */
	{"ioctl", LIVE, 0, {IS(1, SIOCGSTAMP)}, 1},
	{"ioctl", LIVE, 0, {IS(1, SIOCGSTAMPNS)}, 1},
};

bool nj_seccomp_is_possible(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return false;
#else
	return true;
#endif
}

static int open_call(scmp_filter_ctx filter, const char *name, uint32_t action, const struct scmp_arg_cmp *arguments,
		     uint32_t arguments_n)
{
	int number = seccomp_syscall_resolve_name(name);
	if (number == __NR_SCMP_ERROR || number < 0)
		return 0; /* no such call here */
	return seccomp_rule_add_array(filter, action, number, arguments_n, arguments);
}

static int open_plain(scmp_filter_ctx filter, uint32_t profile, uint32_t *calls_n)
{
	int failed = 0;
	for (size_t i = 0; i < sizeof calls / sizeof calls[0] && failed == 0; i++) {
		if ((calls[i].profiles & profile) == 0)
			continue;
		failed = open_call(filter, calls[i].name, SCMP_ACT_ALLOW, NULL, 0);
		++*calls_n;
	}
	return failed;
}

/* The first row of its name that this profile has. */
static bool is_first(size_t row, uint32_t profile)
{
	for (size_t i = 0; i < row; i++)
		if ((narrow_calls[i].profiles & profile) != 0 &&
		    strcmp(narrow_calls[i].name, narrow_calls[row].name) == 0)
			return false;
	return true;
}

static int open_narrow(scmp_filter_ctx filter, uint32_t profile, uint32_t *calls_n)
{
	int failed = 0;
	for (size_t i = 0; i < sizeof narrow_calls / sizeof narrow_calls[0] && failed == 0; i++) {
		const struct narrow *n = &narrow_calls[i];
		if ((n->profiles & profile) == 0)
			continue;
		uint32_t action = n->action == 0 ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(n->action);
		failed = open_call(filter, n->name, action, n->arguments, n->arguments_n);
		*calls_n += n->action == 0 && is_first(i, profile);
	}
	/* abort() signals itself; the number of this process is known only now. */
	const struct scmp_arg_cmp own[] = {IS(0, (scmp_datum_t)getpid())};
	if (failed == 0)
		failed = open_call(filter, "tgkill", SCMP_ACT_ALLOW, own, 1);
	++*calls_n;
	return failed;
}

static int lay(scmp_filter_ctx filter, uint32_t profile, uint32_t *calls_n)
{
	int failed = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (failed == 0)
		failed = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (failed == 0)
		failed = open_plain(filter, profile, calls_n);
	if (failed == 0)
		failed = open_narrow(filter, profile, calls_n);
	/* Both only serve: a kernel or library without them confines as well. */
	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return failed == 0 ? seccomp_load(filter) : failed;
}

int nj_seccomp_enter(enum nj_seccomp_profile profile, enum nj_seccomp_mode mode, struct nj_message *message,
		     uint32_t *ret_calls_n)
{
	uint32_t calls_n = 0;
	scmp_filter_ctx filter = seccomp_init(mode == NJ_SECCOMP_LOG ? SCMP_ACT_LOG : SCMP_ACT_KILL_PROCESS);
	if (filter == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "confining system calls: out of memory");
	int failed = lay(filter, 1u << profile, &calls_n);
	seccomp_release(filter);
	if (failed != 0)
		return nj_fail(message, NJ_ERR_PERMISSION, "confining system calls: %s", strerror(-failed));
	*ret_calls_n = calls_n;
	return NJ_OK;
}
