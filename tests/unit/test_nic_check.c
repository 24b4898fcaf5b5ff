/* What is told of an interface, from what its driver answers; and the loopback interface, which every machine has. */
#include "sensor/nic_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct nj_nic_finding findings[NJ_NIC_FINDINGS_MAX];

static struct nj_nic_features good(void)
{
	return (struct nj_nic_features){.state = {.index = 3, .up = true, .running = true},
					.gro = NJ_NIC_NO,
					.lro = NJ_NIC_NO,
					.gso = NJ_NIC_NO,
					.tso = NJ_NIC_NO,
					.ring = 4096,
					.ring_max = 4096,
					.queues = 4,
					.symmetric = NJ_NIC_YES,
					.key_bytes = 40,
					.may_capture = true};
}

static uint32_t judge(const struct nj_nic_features *f)
{
	memset(findings, 0, sizeof findings);
	return nj_nic_findings("eth0", f, findings);
}

static void only(const struct nj_nic_features *f, const char *words, const char *mend)
{
	assert_int_equal(judge(f), 1);
	assert_non_null(strstr(findings[0].text, words));
	assert_string_equal(findings[0].mend, mend);
}

static void test_nothing_to_say(void **state)
{
	(void)state;
	struct nj_nic_features f = good();
	assert_int_equal(judge(&f), 0);
	/* a driver that answers nothing is no reason to complain */
	f = (struct nj_nic_features){.state = {.index = 3, .up = true, .running = true}, .may_capture = true};
	assert_int_equal(judge(&f), 0);
}

static void test_each_finding_has_its_command(void **state)
{
	(void)state;
	struct nj_nic_features f = good();
	f.gro = f.lro = NJ_NIC_YES;
	only(&f, "eth0: gro, lro on", "ethtool -K eth0 gro off lro off");
	f = good(), f.gro = f.lro = f.gso = f.tso = NJ_NIC_YES;
	only(&f, "gro, lro, gso, tso on", "ethtool -K eth0 gro off lro off gso off tso off");
	f = good(), f.ring = 256;
	only(&f, "holds 256 frames and could hold 4096", "ethtool -G eth0 rx 4096");
	f = good(), f.symmetric = NJ_NIC_NO, f.key_bytes = 6;
	only(&f, "its 4 queues", "ethtool -X eth0 hkey 6d:5a:6d:5a:6d:5a");
	f = good(), f.state.up = f.state.running = false;
	only(&f, "is down", "ip link set dev eth0 up");
	f = good(), f.state.running = false;
	only(&f, "has no link", "");
	f = good(), f.state.index = 0;
	only(&f, "no such interface", "ip -brief link");
	f = good(), f.may_capture = false;
	assert_int_equal(judge(&f), 1);
	assert_non_null(strstr(findings[0].text, "no right to capture"));
}

static void test_one_queue_needs_no_symmetry(void **state)
{
	(void)state;
	struct nj_nic_features f = good();
	f.symmetric = NJ_NIC_NO;
	f.queues = 1;
	assert_int_equal(judge(&f), 0);
}

/* Every finding at once fits, the longest key too. */
static void test_the_worst_interface(void **state)
{
	(void)state;
	struct nj_nic_features f = good();
	f.gro = f.lro = f.gso = f.tso = NJ_NIC_YES;
	f.ring = 1;
	f.symmetric = NJ_NIC_NO;
	f.key_bytes = NJ_NIC_KEY_BYTES_MAX;
	f.may_capture = f.state.up = f.state.running = false;
	assert_int_equal(judge(&f), 5);
	size_t length = strlen(findings[4].mend);
	assert_int_equal(length, strlen("ethtool -X eth0 hkey ") + 3 * NJ_NIC_KEY_BYTES_MAX - 1);
	assert_string_equal(findings[4].mend + length - 6, ":6d:5a");
}

static void test_symmetric_keys(void **state)
{
	(void)state;
	/* the key of Microsoft's specification, whose hashes differ by direction, and the repeated one */
	static const uint8_t usual[] = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b}, twice[] = {1, 2, 1, 2, 1, 2, 1};
	assert_false(nj_nic_key_is_symmetric(usual, sizeof usual));
	assert_true(nj_nic_key_is_symmetric(twice, sizeof twice));
	assert_false(nj_nic_key_is_symmetric(twice, 0));
}

static void test_asking(void **state)
{
	(void)state;
	struct nj_nic_features f;
	int fd;
	assert_int_equal(nj_nic_open(NULL, &fd), NJ_OK);
	nj_nic_ask(fd, "lo", &f);
	assert_int_not_equal(f.state.index, 0);
	nj_nic_ask(fd, "no-such-iface", &f);
	assert_int_equal(f.state.index, 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_to_say),
		cmocka_unit_test(test_each_finding_has_its_command),
		cmocka_unit_test(test_one_queue_needs_no_symmetry),
		cmocka_unit_test(test_the_worst_interface),
		cmocka_unit_test(test_symmetric_keys),
		cmocka_unit_test(test_asking),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
