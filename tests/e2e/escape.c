/* Tries to leave. A child confines itself exactly as a daemon does, with the same modules and a configuration of its
 * own, and then makes one attempt: to read what is not its own, write outside its folders, run a program, trace, mount,
 * have root back. The parent knows how each must end: by a refusal, by SIGSYS, or well, since what the daemon needs
 * must go on. Every attempt is first made by an unconfined child as root, where it must succeed: a refusal then proves
 * the confinement and not a fault of the attempt.
 *
 * Exit 0: all ended as they should; 1: something did not; 77: needs root, Landlock, and a build without sanitizers. */
#include "aggregator/aggregator_confine.h"
#include "sensor/sensor_confine.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define USER          "nobody"
#define DEADLINE_S    10
#define CANNOT_START  100 /* exit codes of a child; below: errno of the attempt, 0 done */
#define CAP_NET_RAW_N 13

static char folder[64], own_config[96], own_state[96], foreign_file[96], foreign_folder[96];
static int wake_fd[2];

/* --- attempts: 0, or the errno they failed with --- */

static int outcome(long result)
{
	return result < 0 ? errno : 0;
}

static int open_and_close(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	return outcome(fd);
}

static int read_own_config(void)
{
	return open_and_close(own_config, O_RDONLY);
}

static int write_own_config(void)
{
	return open_and_close(own_config, O_WRONLY | O_TRUNC);
}

static int write_own_state(void)
{
	char path[128], other[128];
	snprintf(path, sizeof path, "%s/new", own_state);
	snprintf(other, sizeof other, "%s/renamed", own_state);
	int failed = open_and_close(path, O_WRONLY | O_CREAT | O_TRUNC);
	if (failed == 0)
		failed = outcome(rename(path, other));
	return failed == 0 ? outcome(unlink(other)) : failed;
}

static int read_foreign(void)
{
	return open_and_close(foreign_file, O_RDONLY);
}

static int write_foreign(void)
{
	return open_and_close(foreign_file, O_WRONLY);
}

static int truncate_foreign(void)
{
	return open_and_close(foreign_file, O_RDONLY | O_TRUNC);
}

static int make_foreign(void)
{
	char path[128];
	snprintf(path, sizeof path, "%s/made", foreign_folder);
	int failed = open_and_close(path, O_WRONLY | O_CREAT);
	return failed == 0 ? outcome(unlink(path)) : failed;
}

static int remove_foreign(void)
{
	return outcome(unlink(foreign_file));
}

static int move_out(void)
{
	char path[128], other[128];
	snprintf(path, sizeof path, "%s/leaving", own_state);
	snprintf(other, sizeof other, "%s/left", foreign_folder);
	int failed = open_and_close(path, O_WRONLY | O_CREAT);
	return failed == 0 ? outcome(rename(path, other)) : failed;
}

static int read_passwords(void)
{
	return open_and_close("/etc/shadow", O_RDONLY);
}

static int make_link(void)
{
	char path[128];
	snprintf(path, sizeof path, "%s/link", own_state);
	int failed = outcome(symlink("/etc/shadow", path));
	unlink(path);
	return failed;
}

static int run_program(void)
{
	/* The exit code of the program stands for success: it is 0. */
	execl("/bin/true", "true", (char *)NULL);
	return errno;
}

static int fork_child(void)
{
	pid_t child = fork();
	if (child == 0)
		_exit(0);
	return outcome(child);
}

static void *do_nothing(void *context)
{
	return context;
}

static int start_thread(void)
{
	pthread_t thread;
	int failed = pthread_create(&thread, NULL, do_nothing, NULL);
	return failed == 0 ? pthread_join(thread, NULL) : failed;
}

/* A thread that was there before the filter was laid must be under it as well. */
static void *unshare_when_woken(void *context)
{
	char byte;
	*(int *)context = read(wake_fd[0], &byte, 1) == 1 ? outcome(unshare(CLONE_FS)) : EPIPE;
	return NULL;
}

static pthread_t early_thread;
static int early_outcome;

static int leave_by_an_early_thread(void)
{
	if (write(wake_fd[1], "", 1) != 1)
		return errno;
	int failed = pthread_join(early_thread, NULL);
	return failed == 0 ? early_outcome : failed;
}

static int trace_itself(void)
{
	return outcome(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int read_memory_of_parent(void)
{
	char byte;
	struct iovec here = {&byte, 1}, there = {folder, 1}; /* the parent is this very program: the same address */
	return outcome(process_vm_readv(getppid(), &here, 1, &there, 1, 0));
}

static int signal_parent(void)
{
	return outcome(kill(getppid(), 0));
}

static int signal_thread_of_parent(void)
{
	return outcome(syscall(SYS_tgkill, getppid(), getppid(), 0));
}

static int signal_itself(void)
{
	return outcome(syscall(SYS_tgkill, getpid(), gettid(), 0));
}

static int have_root_back(void)
{
	return outcome(setuid(0));
}

static int new_namespace(void)
{
	return outcome(unshare(CLONE_NEWNET | CLONE_NEWUTS));
}

static int mount_here(void)
{
	return outcome(mount("tmpfs", foreign_folder, "tmpfs", 0, NULL));
}

static int change_root(void)
{
	return outcome(chroot(foreign_folder));
}

static int set_clock(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return outcome(clock_settime(CLOCK_REALTIME, &now));
}

static int load_module(void)
{
	errno = 0;
	syscall(SYS_init_module, "", 0, "");
	return errno == ENOEXEC ? 0 : errno; /* that far only who may */
}

static int executable_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0;
}

static int make_memory_executable(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return page == MAP_FAILED ? errno : outcome(mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

static int become_dumpable(void)
{
	return outcome(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static int raise_limit(void)
{
	struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
	return outcome(setrlimit(RLIMIT_CORE, &none));
}

static int type_for_the_user(void)
{
	errno = 0;
	ioctl(wake_fd[0], TIOCSTI, "x");
	return errno == ENOTTY || errno == EINVAL ? 0 : errno; /* that far */
}

static int socket_of(int family, int kind, int protocol)
{
	int fd = socket(family, kind | SOCK_CLOEXEC, protocol);
	if (fd >= 0)
		close(fd);
	return outcome(fd);
}

static int socket_stream(void)
{
	return socket_of(AF_INET, SOCK_STREAM, 0);
}

static int socket_raw(void)
{
	return socket_of(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}

static int socket_capture(void)
{
	return socket_of(AF_PACKET, SOCK_RAW, 0);
}

static int socket_audit(void)
{
	return socket_of(AF_NETLINK, SOCK_RAW, 9 /* NETLINK_AUDIT */);
}

static int listen_for_others(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX}; /* autobind: an abstract name */
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)) != 0)
		return errno;
	int failed = outcome(listen(fd, 1));
	close(fd);
	return failed;
}

static uint64_t status_number(const char *key, int base)
{
	char line[256];
	uint64_t number = UINT64_MAX;
	FILE *file = fopen("/proc/self/status", "re");
	while (file != NULL && fgets(line, sizeof line, file) != NULL)
		if (strncmp(line, key, strlen(key)) == 0)
			number = strtoull(line + strlen(key), NULL, base);
	if (file != NULL)
		fclose(file);
	return number;
}

/* What the kernel says of this process; EPERM where it is more than it should be. */
static int has_nothing_left(void)
{
	bool bare = status_number("CapEff:", 16) == 0 && status_number("CapPrm:", 16) == 0 &&
		    status_number("CapBnd:", 16) == 0 && status_number("Uid:", 10) != 0;
	return bare && status_number("NoNewPrivs:", 10) == 1 && status_number("Seccomp:", 10) == 2 ? 0 : EPERM;
}

static int has_net_raw_alone(void)
{
	bool alone = status_number("CapEff:", 16) == 1u << CAP_NET_RAW_N &&
		     status_number("CapPrm:", 16) == 1u << CAP_NET_RAW_N && status_number("Uid:", 10) != 0;
	return alone && status_number("NoNewPrivs:", 10) == 1 && status_number("Seccomp:", 10) == 2 ? 0 : EPERM;
}

/* --- how each must end --- */

enum end { DONE, DENIED, KILLED };

static const char *const end_words[] = {"done", "denied", "killed by SIGSYS"};

static const struct attempt {
	const char *what;
	int (*make)(void);
	enum end ends[3];   /* sensor --read, live sensor, aggregator */
	bool confined_only; /* looks at the confinement itself: nothing to compare with */
} attempts[] = {
	{"read its own configuration", read_own_config, {DONE, DONE, DONE}, false},
	{"write its own configuration", write_own_config, {DENIED, DENIED, DENIED}, false},
	{"write, rename and remove in its own folder", write_own_state, {DONE, DONE, DONE}, false},
	{"read a file that all may read", read_foreign, {DONE, DENIED, DENIED}, false},
	{"write a file that all may write", write_foreign, {DENIED, DENIED, DENIED}, false},
	{"truncate a file that all may write", truncate_foreign, {DENIED, DENIED, DENIED}, false},
	{"make a file where all may", make_foreign, {DENIED, DENIED, DENIED}, false},
	{"remove a file where all may", remove_foreign, {DENIED, DENIED, DENIED}, false},
	{"move its own file out", move_out, {DENIED, DENIED, DENIED}, false},
	{"read /etc/shadow", read_passwords, {DENIED, DENIED, DENIED}, false},
	{"make a symbolic link", make_link, {KILLED, KILLED, KILLED}, false},
	{"run a program", run_program, {KILLED, KILLED, KILLED}, false},
	{"fork", fork_child, {KILLED, KILLED, KILLED}, false},
	{"start a thread", start_thread, {DONE, DONE, DONE}, false},
	{"unshare, by a thread older than the filter", leave_by_an_early_thread, {KILLED, KILLED, KILLED}, false},
	{"trace", trace_itself, {KILLED, KILLED, KILLED}, false},
	{"read the memory of its parent", read_memory_of_parent, {KILLED, KILLED, KILLED}, false},
	{"signal its parent", signal_parent, {KILLED, KILLED, KILLED}, false},
	{"signal a thread of its parent", signal_thread_of_parent, {KILLED, KILLED, KILLED}, false},
	{"signal itself", signal_itself, {DONE, DONE, DONE}, false},
	{"have root back", have_root_back, {KILLED, KILLED, KILLED}, false},
	{"have new namespaces", new_namespace, {KILLED, KILLED, KILLED}, false},
	{"mount", mount_here, {KILLED, KILLED, KILLED}, false},
	{"change the root folder", change_root, {KILLED, KILLED, KILLED}, false},
	{"set the clock", set_clock, {KILLED, KILLED, KILLED}, false},
	{"load a kernel module", load_module, {KILLED, KILLED, KILLED}, true},
	{"map executable memory", executable_memory, {DENIED, DENIED, DENIED}, false},
	{"make memory executable", make_memory_executable, {DENIED, DENIED, DENIED}, false},
	{"become dumpable", become_dumpable, {KILLED, KILLED, KILLED}, false},
	{"raise a limit", raise_limit, {KILLED, KILLED, KILLED}, false},
	{"type on a terminal", type_for_the_user, {KILLED, KILLED, KILLED}, false},
	{"open a stream socket", socket_stream, {DONE, DONE, DONE}, false},
	{"open a raw socket", socket_raw, {KILLED, KILLED, KILLED}, false},
	{"open a capture socket", socket_capture, {KILLED, DONE, KILLED}, false},
	{"open an audit socket", socket_audit, {KILLED, KILLED, KILLED}, false},
	{"listen for others", listen_for_others, {KILLED, KILLED, DONE}, false},
	{"have nothing left", has_nothing_left, {DONE, DENIED, DONE}, true},
	{"have net_raw alone left", has_net_raw_alone, {DENIED, DONE, DENIED}, true},
};

/* --- confinement, as in sensor/main.c and aggregator/main.c --- */

enum subject { SENSOR_READ, SENSOR_LIVE, AGGREGATOR, SUBJECTS_N, UNCONFINED = SUBJECTS_N };

static const char *const subject_names[] = {"sensor --read", "live sensor", "aggregator", "root, unconfined"};

static void make_sensor(bool live, struct nj_confine *confine)
{
	struct nj_sensor_config config;
	nj_config_defaults(&nj_sensor_schema, &config);
	snprintf(config.journal, sizeof config.journal, "%s/journal", own_state);
	nj_sensor_confine(&config, own_config, live, confine);
}

static void make_aggregator(struct nj_confine *confine)
{
	struct nj_aggregator_config config;
	nj_config_defaults(&nj_aggregator_schema, &config);
	snprintf(config.store, sizeof config.store, "%s/store", own_state);
	nj_aggregator_confine(&config, own_config, NULL, confine);
}

static bool enter(enum subject subject, enum nj_seccomp_mode mode)
{
	struct nj_message message = {""};
	struct nj_confine confine;
	if (subject == AGGREGATOR)
		make_aggregator(&confine);
	else
		make_sensor(subject == SENSOR_LIVE, &confine);
	int err = nj_confine_start(&confine, USER, true, &message);
	if (err == NJ_OK && pthread_create(&early_thread, NULL, unshare_when_woken, &early_outcome) != 0)
		return false;
	if (err == NJ_OK)
		err = nj_confine_finish(&confine, mode, &message);
	if (err < 0)
		fprintf(stderr, "%s: %s\n", subject_names[subject], message.text);
	return err == NJ_OK;
}

/* Unconfined, an attempt succeeds: what it mounts stays in a namespace of its own. The root of a chroot need not be a
 * mount, and then has nothing to be made private; whoever made the chroot has seen to that. */
static bool be_free(void)
{
	bool apart = unshare(CLONE_NEWNS) == 0 &&
		     (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 || errno == EINVAL);
	return apart && pthread_create(&early_thread, NULL, unshare_when_woken, &early_outcome) == 0;
}

static int run_child(const struct attempt *attempt, enum subject subject, enum nj_seccomp_mode mode)
{
	pid_t child = fork();
	if (child == 0) {
		alarm(DEADLINE_S);
		bool ready = subject == UNCONFINED ? be_free() : enter(subject, mode);
		_exit(ready ? attempt->make() : CANNOT_START);
	}
	int status = -1;
	while (child < 0 || (waitpid(child, &status, 0) < 0 && errno == EINTR))
		;
	return status;
}

static bool ended(int status, enum end end)
{
	if (end == KILLED)
		return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
	if (!WIFEXITED(status))
		return false;
	int code = WEXITSTATUS(status);
	return end == DONE ? code == 0 : code == EACCES || code == EPERM || code == EXDEV;
}

static bool check(const struct attempt *attempt, enum subject subject, enum nj_seccomp_mode mode, enum end end)
{
	int status = run_child(attempt, subject, mode);
	if (ended(status, end))
		return true;
	printf("FAILED: %s: %s: expected %s, but ", subject_names[subject], attempt->what, end_words[end]);
	if (WIFSIGNALED(status))
		printf("signal %d\n", WTERMSIG(status));
	else
		printf("code %d (%s)\n", WEXITSTATUS(status), strerror(WEXITSTATUS(status)));
	return false;
}

/* --- the stage --- */

static void make_file(const char *path, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, mode);
	if (fd < 0 || fchmod(fd, mode) != 0 || close(fd) != 0) {
		perror(path);
		exit(1);
	}
}

static void make_folder(const char *path, mode_t mode)
{
	if ((mkdir(path, mode) != 0 && errno != EEXIST) || chmod(path, mode) != 0) {
		perror(path);
		exit(1);
	}
}

/* Everything open to everyone, so that only the confinement can be what refuses. */
static void set_stage(void)
{
	char config_folder[80];
	snprintf(config_folder, sizeof config_folder, "%s/etc", folder);
	snprintf(own_config, sizeof own_config, "%s/etc/config.yaml", folder);
	snprintf(own_state, sizeof own_state, "%s/state", folder);
	snprintf(foreign_folder, sizeof foreign_folder, "%s/foreign", folder);
	snprintf(foreign_file, sizeof foreign_file, "%s/foreign/file", folder);
	make_folder(folder, 0755);
	make_folder(config_folder, 0777);
	make_folder(own_state, 0777);
	make_folder(foreign_folder, 0777);
	make_file(own_config, 0666);
	make_file(foreign_file, 0666);
}

static void strike_stage(void)
{
	char command[96];
	snprintf(command, sizeof command, "rm -rf %s", folder);
	if (system(command) != 0)
		fprintf(stderr, "%s: not removed\n", folder);
}

int main(void)
{
	int done = 0, failed = 0;
	bool has_landlock = syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0; /* its version */
	if (geteuid() != 0 || !nj_seccomp_is_possible() || !has_landlock) {
		fprintf(stderr, "SKIPPED: escape needs root, a kernel with Landlock and a build without sanitizers\n");
		return 77;
	}
	strcpy(folder, "/tmp/nj_escape_XXXXXX");
	if (mkdtemp(folder) == NULL || pipe(wake_fd) != 0)
		return 1;
	for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
		const struct attempt *attempt = &attempts[i];
		set_stage();
		if (!attempt->confined_only)
			check(attempt, UNCONFINED, NJ_SECCOMP_OFF, DONE) ? done++ : failed++;
		for (int subject = 0; subject < SUBJECTS_N; subject++) {
			set_stage();
			check(attempt, (enum subject)subject, NJ_SECCOMP_KILL, attempt->ends[subject]) ? done++
												       : failed++;
		}
	}
	const struct attempt logged = {"unshare, only logged", leave_by_an_early_thread, {DONE}, true};
	check(&logged, AGGREGATOR, NJ_SECCOMP_LOG, DONE) ? done++ : failed++;
	strike_stage();
	printf("%d attempts ended as they should, %d did not\n", done, failed);
	return failed == 0 ? 0 : 1;
}
