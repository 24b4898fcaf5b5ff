/* What a supervisor receives: a datagram socket stands in for systemd's, as sd_notify(3) describes it. */
#include "common/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define S UINT64_C(1000000000)

struct supervisor {
	int socket;
	char path[64];
};

static int set_up(void **state)
{
	struct supervisor *s = calloc(1, sizeof *s);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(s->path, sizeof s->path, "/tmp/nj_test_notify_%d", getpid());
	strcpy(address.sun_path, s->path);
	s->socket = socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_int_equal(bind(s->socket, (struct sockaddr *)&address, sizeof address), 0);
	setenv("NOTIFY_SOCKET", s->path, 1);
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct supervisor *s = *state;
	close(s->socket);
	unlink(s->path);
	free(s);
	unsetenv("NOTIFY_SOCKET");
	return 0;
}

/* The next datagram, or "" when there is none: a datagram on a local socket is there once send() is back. */
static const char *received(const struct supervisor *s)
{
	static char text[512];
	ssize_t length = recv(s->socket, text, sizeof text - 1, MSG_DONTWAIT);
	text[length > 0 ? length : 0] = '\0';
	return text;
}

static void test_the_life_of_a_daemon(void **state)
{
	struct nj_notify n;
	nj_notify_init(&n, 5 * S);
	nj_notify_ready("listening");
	assert_string_equal(received(*state), "READY=1\nSTATUS=listening");
	nj_notify_reloading(7 * S);
	assert_string_equal(received(*state), "RELOADING=1\nMONOTONIC_USEC=7000000");
	nj_notify_stopping("the rest is on its way");
	assert_string_equal(received(*state), "STOPPING=1\nSTATUS=the rest is on its way");
	assert_string_equal(received(*state), "");
}

static void test_no_watchdog_only_status(void **state)
{
	struct nj_notify n;
	nj_notify_init(&n, 5 * S);
	assert_false(n.is_watched);
	assert_true(nj_notify_is_due(&n, 5 * S));
	nj_notify_alive(&n, 5 * S, "100 % idle");
	assert_string_equal(received(*state), "STATUS=100 % idle");
	assert_false(nj_notify_is_due(&n, 15 * S - 1));
	assert_true(nj_notify_is_due(&n, 15 * S));
}

static void test_three_signs_within_the_deadline(void **state)
{
	struct nj_notify n;
	setenv("WATCHDOG_USEC", "15000000", 1);
	nj_notify_init(&n, S);
	assert_true(n.is_watched);
	nj_notify_alive(&n, S, "a");
	assert_string_equal(received(*state), "WATCHDOG=1\nSTATUS=a");
	assert_false(nj_notify_is_due(&n, 6 * S - 1));
	assert_true(nj_notify_is_due(&n, 6 * S));
	setenv("WATCHDOG_USEC", "3600000000", 1); /* patience for an hour: the status is told all the same */
	nj_notify_init(&n, S);
	nj_notify_alive(&n, S, "b");
	assert_true(nj_notify_is_due(&n, 11 * S));
}

/* A child inherits the environment; the watch is not over it. */
static void test_the_watch_over_another_process(void **state)
{
	struct nj_notify n;
	(void)state;
	setenv("WATCHDOG_USEC", "30000000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	nj_notify_init(&n, 0);
	assert_false(n.is_watched);
}

static void test_nobody_there(void **state)
{
	const struct supervisor *s = *state;
	struct nj_notify n;
	unlink(s->path);
	nj_notify_init(&n, 0);
	nj_notify_ready("a");
	nj_notify_alive(&n, 0, "b");
	unsetenv("NOTIFY_SOCKET");
	nj_notify_stopping("c");
	assert_string_equal(received(s), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_life_of_a_daemon, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_watchdog_only_status, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_three_signs_within_the_deadline, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_watch_over_another_process, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nobody_there, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
