/* Any bytes as a capture file: pcap, pcapng, gzip, zstd. They lie in a memory file, so that the very code that opens
 * paths reads them. Frames must lie in readable memory, time must not go back, and the report must say why when the
 * file ended before its end. */
#include "sensor/capture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void read_all(struct nj_capture *capture)
{
	struct nj_frame frame;
	struct nj_capture_report report;
	uint64_t last_ns = 0, frames = 0;
	uint32_t sum = 0;
	int result;
	while ((result = nj_capture_next(capture, &frame)) == 1 && frames < 100000) {
		require(frame.t_ns >= last_ns);
		require(frame.captured_bytes <= frame.wire_bytes);
		last_ns = frame.t_ns;
		frames++;
		for (uint32_t i = 0; i < frame.captured_bytes; i++)
			sum += frame.data[i];
	}
	__asm__ volatile("" : : "r"(sum)); /* the bytes are read, for the sanitizers */
	nj_capture_report(capture, 0, &report);
	require(report.failed == (report.error[0] != '\0'));
	require(report.frames >= frames);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("capture", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	char path[32];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	const char *paths[] = {path};
	struct nj_capture_inputs inputs = {.paths = paths, .paths_n = 1};
	struct nj_message message;
	struct nj_capture *capture = NULL;
	if (nj_capture_open_files(&inputs, &message, &capture) == NJ_OK)
		read_all(capture);
	nj_capture_close(&capture);
	close(fd);
	return 0;
}
