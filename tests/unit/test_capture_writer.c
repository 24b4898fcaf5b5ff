/* The pcapng writer, read back by our own reader: bytes, times to the nanosecond, link types and lengths survive;
 * comments do not disturb; a full disk is told. */
#include "sensor/capture.h"
#include "sensor/capture_writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/nightjar-writer-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof path, "%s/out.pcapng", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static void write_frames(const struct nj_frame *frames, const char *const *comments, size_t n)
{
	struct nj_capture_writer *writer = NULL;
	struct nj_message message;
	assert_int_equal(nj_capture_writer_open(path, "evidence of alert 7", &message, &writer), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(nj_capture_writer_put(writer, &frames[i], comments != NULL ? comments[i] : NULL), 0);
	assert_int_equal(nj_capture_writer_close(&writer), 0);
	assert_null(writer);
}

static struct nj_capture *open_back(void)
{
	const char *paths[] = {path};
	struct nj_capture_inputs inputs = {.paths = paths, .paths_n = 1};
	struct nj_message message;
	struct nj_capture *capture = NULL;
	assert_int_equal(nj_capture_open_files(&inputs, &message, &capture), 0);
	return capture;
}

static void assert_sound_end(struct nj_capture *capture)
{
	struct nj_frame frame;
	struct nj_capture_report report;
	assert_int_equal(nj_capture_next(capture, &frame), 0);
	nj_capture_report(capture, 0, &report);
	assert_string_equal(report.error, "");
}

static void test_frames_survive(void **state)
{
	(void)state;
	static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7};
	const struct nj_frame frames[] = {
		{.t_ns = 1700000000123456789, .data = bytes, .captured_bytes = 7, .wire_bytes = 1514, .link_type = 1},
		{.t_ns = 1700000000123456790, .data = bytes, .captured_bytes = 4, .wire_bytes = 4, .link_type = 101},
		{.t_ns = 1700000000123456791, .data = bytes, .captured_bytes = 0, .wire_bytes = 60, .link_type = 276},
		{.t_ns = 1700000000123456792, .data = bytes, .captured_bytes = 1, .wire_bytes = 1, .link_type = 1},
	};
	const char *comments[] = {"first", NULL, "a comment of 20 bytes", ""};
	write_frames(frames, comments, 4);
	struct nj_capture *capture = open_back();
	for (size_t i = 0; i < 4; i++) {
		struct nj_frame frame;
		assert_int_equal(nj_capture_next(capture, &frame), 1);
		assert_int_equal(frame.t_ns, frames[i].t_ns);
		assert_int_equal(frame.captured_bytes, frames[i].captured_bytes);
		assert_int_equal(frame.wire_bytes, frames[i].wire_bytes);
		assert_int_equal(frame.link_type, frames[i].link_type);
		assert_memory_equal(frame.data, bytes, frame.captured_bytes);
	}
	assert_sound_end(capture);
	nj_capture_close(&capture);
}

static void test_no_frames_is_a_sound_file(void **state)
{
	(void)state;
	write_frames(NULL, NULL, 0);
	struct nj_capture *capture = open_back();
	assert_sound_end(capture);
	nj_capture_close(&capture);
}

/* A comment over the limit is cut before a character that would not fit whole. */
static void test_comment_is_cut_between_characters(void **state)
{
	(void)state;
	static const uint8_t byte = 9;
	const struct nj_frame frame = {.t_ns = 5, .data = &byte, .captured_bytes = 1, .wire_bytes = 1, .link_type = 1};
	char comment[NJ_CAPTURE_COMMENT_MAX + 8];
	memset(comment, 'x', sizeof comment);
	memcpy(comment + NJ_CAPTURE_COMMENT_MAX - 1, "\xc3\xa4", 2); /* its second byte is one too many */
	comment[sizeof comment - 1] = '\0';
	const char *comments[] = {comment};
	write_frames(&frame, comments, 1);

	FILE *file = fopen(path, "rb");
	uint8_t bytes[4096];
	assert_non_null(file);
	size_t n = fread(bytes, 1, sizeof bytes, file);
	fclose(file);
	const uint8_t header[4] = {1, 0, 0xff, 0x03}; /* option comment of 1,023 bytes, on a little-endian machine */
	assert_non_null(memmem(bytes, n, header, sizeof header));
	assert_null(memmem(bytes, n, "\xc3", 1));
	struct nj_capture *capture = open_back();
	struct nj_frame back;
	assert_int_equal(nj_capture_next(capture, &back), 1);
	assert_sound_end(capture);
	nj_capture_close(&capture);
}

static void test_limits_are_told(void **state)
{
	(void)state;
	struct nj_capture_writer *writer = NULL;
	struct nj_message message;
	struct nj_frame frame = {.t_ns = 5, .data = NULL, .captured_bytes = 0, .wire_bytes = 0, .link_type = 65536};
	assert_int_equal(nj_capture_writer_open(path, NULL, &message, &writer), 0);
	assert_int_equal(nj_capture_writer_put(writer, &frame, NULL), NJ_ERR_USAGE);
	for (int i = 0; i < NJ_CAPTURE_WRITER_LINKS_MAX; i++) {
		frame.link_type = i;
		assert_int_equal(nj_capture_writer_put(writer, &frame, NULL), 0);
	}
	frame.link_type = NJ_CAPTURE_WRITER_LINKS_MAX;
	assert_int_equal(nj_capture_writer_put(writer, &frame, NULL), NJ_ERR_LIMIT);
	assert_int_equal(nj_capture_writer_close(&writer), 0);
}

static void test_what_cannot_be_written_is_told(void **state)
{
	(void)state;
	struct nj_capture_writer *writer = NULL;
	struct nj_message message;
	assert_int_equal(nj_capture_writer_open("/nonexistent/folder/x.pcapng", NULL, &message, &writer), NJ_ERR_IO);
	assert_non_null(strstr(message.text, "/nonexistent/folder/x.pcapng: cannot create: No such file"));
	assert_null(writer);
	assert_int_equal(nj_capture_writer_open("/dev/full", NULL, &message, &writer), 0);
	assert_int_equal(nj_capture_writer_close(&writer), NJ_ERR_IO);
	assert_null(writer);
	assert_int_equal(nj_capture_writer_close(&writer), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames_survive),
		cmocka_unit_test(test_no_frames_is_a_sound_file),
		cmocka_unit_test(test_comment_is_cut_between_characters),
		cmocka_unit_test(test_limits_are_told),
		cmocka_unit_test(test_what_cannot_be_written_is_told),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
