/* Nobody gets in while the door is closed, who is in stays in, and who keeps knocking gets in once it is open: as the
 * user who runs this, and, for root, as one without powers, for whom the kernel may leave another way only. */
#include "common/door.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NOBODY      65534
#define PATIENCE_MS 20000
#define LOOK_MS     300 /* a connection over loopback takes far less than one */

static struct sockaddr_storage address;
static socklen_t address_size;

static int listen_on(int family)
{
	int listener = socket(family, SOCK_STREAM, 0);
	address_size = sizeof address;
	memset(&address, 0, sizeof address);
	address.ss_family = (sa_family_t)family;
	if (family == AF_INET)
		((struct sockaddr_in *)&address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		((struct sockaddr_in6 *)&address)->sin6_addr = in6addr_loopback;
	socklen_t size = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 10) < 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &address_size) < 0)
		return -1;
	return listener;
}

static int knock(void)
{
	int descriptor = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	(void)!connect(descriptor, (struct sockaddr *)&address, address_size);
	return descriptor;
}

static bool is_in(int descriptor, int wait_ms)
{
	struct pollfd item = {.fd = descriptor, .events = POLLOUT};
	return poll(&item, 1, wait_ms) == 1 && (item.revents & (POLLERR | POLLHUP)) == 0;
}

/* 0: as it should be; otherwise the number of the first thing that is not. */
static int try_door(int family)
{
	int listener = listen_on(family);
	if (listener < 0)
		return family == AF_INET6 ? 0 : 1; /* a machine without IPv6 */
	int before = knock();
	if (!is_in(before, PATIENCE_MS))
		return 2;
	int inside = accept(listener, NULL, NULL);
	if (!nj_door_set(listener, true))
		return 3;
	int during = knock();
	if (is_in(during, LOOK_MS))
		return 4;
	char byte = 0;
	if (write(before, "x", 1) != 1 || recv(inside, &byte, 1, 0) != 1 || byte != 'x')
		return 5;
	if (!nj_door_set(listener, false) || !is_in(during, PATIENCE_MS))
		return 6;
	close(during);
	close(before);
	close(inside);
	close(listener);
	return 0;
}

static void test_door(void **state)
{
	(void)state;
	assert_int_equal(try_door(AF_INET), 0);
	assert_int_equal(try_door(AF_INET6), 0);
}

static void test_door_without_powers(void **state)
{
	(void)state;
	int status;
	if (geteuid() != 0)
		skip(); /* the test above was this one */
	pid_t child = fork();
	if (child == 0)
		_Exit(setgid(NOBODY) < 0 || setuid(NOBODY) < 0 ? 9 : 10 * try_door(AF_INET6) + try_door(AF_INET));
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void test_no_listener(void **state)
{
	(void)state;
	assert_false(nj_door_set(-1, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_door),
		cmocka_unit_test(test_door_without_powers),
		cmocka_unit_test(test_no_listener),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
