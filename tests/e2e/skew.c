/* Preloaded into a daemon by tests/e2e/faults: its clocks are off by what stands in the file NJ_SKEW_FILE names, two
 * numbers of 8 bytes: nanoseconds added to the wall clock, and to the monotonic one (which jumps ahead only, as after a
 * suspended machine). The file is mapped at the start, so that a confined daemon needs no more system calls for it. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *skew_ns;
static int (*real)(clockid_t clock, struct timespec *now);

__attribute__((constructor)) static void map_skew(void)
{
	const char *path = getenv("NJ_SKEW_FILE");
	int file = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	if (file < 0)
		return;
	void *mapped = mmap(NULL, 2 * sizeof *skew_ns, PROT_READ, MAP_SHARED, file, 0);
	if (mapped != MAP_FAILED)
		skew_ns = mapped;
	close(file);
}

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *now)
{
	int error = real != NULL ? real(clock, now) : (int)syscall(SYS_clock_gettime, clock, now);
	if (error != 0 || skew_ns == NULL || (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC))
		return error;
	int64_t ns = (int64_t)now->tv_sec * 1000000000 + now->tv_nsec + skew_ns[clock == CLOCK_MONOTONIC];
	now->tv_sec = ns / 1000000000;
	now->tv_nsec = ns % 1000000000;
	return 0;
}
