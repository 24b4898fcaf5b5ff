/* Numbers, times and addresses as people read them, and the texts that carry them into HTML and scripts. */
#include "cli/human.h"
#include "cli/text.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static nj_human text;

static void counts_and_numbers(void **state)
{
	(void)state;
	assert_string_equal(nj_human_count(0, text), "0");
	assert_string_equal(nj_human_count(999, text), "999");
	assert_string_equal(nj_human_count(1234567, text), "1,234,567");
	assert_string_equal(nj_human_count(UINT64_MAX, text), "18,446,744,073,709,551,615");
	assert_string_equal(nj_human_number(0.031, text), "0.03");
	assert_string_equal(nj_human_number(0.0031, text), "0.0031");
	assert_string_equal(nj_human_number(7.4, text), "7.4");
	assert_string_equal(nj_human_number(7, text), "7");
	assert_string_equal(nj_human_number(1203, text), "1,203");
	assert_string_equal(nj_human_number(12.5e6, text), "12.5 M");
	assert_string_equal(nj_human_number(3.2e13, text), "32 T");
	assert_string_equal(nj_human_number(-2.5, text), "-2.5");
	assert_string_equal(nj_human_number(NAN, text), "-");
}

static void bytes_and_shares(void **state)
{
	(void)state;
	assert_string_equal(nj_human_bytes(0, text), "0 B");
	assert_string_equal(nj_human_bytes(999, text), "999 B");
	assert_string_equal(nj_human_bytes(999.6, text), "1 kB");
	assert_string_equal(nj_human_bytes(1234567, text), "1.23 MB");
	assert_string_equal(nj_human_bytes(4e18, text), "4000 PB");
	assert_string_equal(nj_human_share(0, text), "0 %");
	assert_string_equal(nj_human_share(0.00001, text), "<0.01 %");
	assert_string_equal(nj_human_share(0.0004, text), "0.04 %");
	assert_string_equal(nj_human_share(0.614, text), "61 %");
	assert_string_equal(nj_human_share(1, text), "100 %");
}

static void spans_and_times(void **state)
{
	(void)state;
	assert_string_equal(nj_human_seconds(0.25, text), "250 ms");
	assert_string_equal(nj_human_seconds(3.21, text), "3.2 s");
	assert_string_equal(nj_human_seconds(59.97, text), "1 min 0 s");
	assert_string_equal(nj_human_seconds(245, text), "4 min 5 s");
	assert_string_equal(nj_human_seconds(7260, text), "2 h 1 min");
	assert_string_equal(nj_human_seconds(12 * 86400 + 4 * 3600, text), "12 d 4 h");
	assert_string_equal(nj_human_time(1795550400123456789u, text), "2026-11-24 20:00:00");
	assert_string_equal(nj_human_clock(1795550400123456789u, text), "20:00:00");
	assert_string_equal(nj_human_rfc3339(1795550400123456789u, text), "2026-11-24T20:00:00.123456789Z");
	assert_non_null(nj_human_time(UINT64_MAX, text)); /* an absurd time is no crash */
}

static void values_by_their_unit(void **state)
{
	(void)state;
	assert_string_equal(nj_human_value(1.2e6, "B", text), "1.2 MB");
	assert_string_equal(nj_human_value(1.2e6, "B/h", text), "1.2 MB/h");
	assert_string_equal(nj_human_value(0.5, "0..1", text), "50 %");
	assert_string_equal(nj_human_value(90, "s", text), "1 min 30 s");
	assert_string_equal(nj_human_value(90, "ms", text), "90 ms");
	assert_string_equal(nj_human_value(1203, "contacts", text), "1,203");
	assert_string_equal(nj_human_value(NAN, "B", text), "-");
	assert_string_equal(nj_human_feature("bytes_out_external", text), "bytes out external");
	assert_string_equal(nj_human_p(3.2e-9, text), "3e-09");
	assert_string_equal(nj_human_p(0.021, text), "0.021");
	assert_string_equal(nj_human_p(1e-300, text), "<1e-12");
}

static void agents_go_to_text_and_back(void **state)
{
	static const char *const good[] = {"10.1.2.3", "vlan:7/10.1.2.3", "vni:5000/fd00::1", "qinq:3.7/192.0.2.1"};
	static const char *const bad[] = {
		"", "x", "10.1.2", "vlan/10.1.2.3", "vlan:7/", "vlan:9999999/10.1.2.3", "10.1.2.3/24"};
	struct nj_agent_id agent;
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		assert_true(nj_human_agent_parse(good[i], &agent));
		assert_string_equal(nj_human_agent(&agent, text), good[i]);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(nj_human_agent_parse(bad[i], &agent));
	assert_true(nj_human_agent_parse("fd00::1", &agent));
	assert_string_equal(nj_human_endpoint(&agent.addr, 53, 17, text), "[fd00::1]:53/udp");
	assert_string_equal(nj_human_endpoint(&agent.addr, 0, 58, text), "fd00::1 icmpv6");
}

static void foreign_text_is_harmless_in_html_and_scripts(void **state)
{
	struct nj_text html = {0};
	(void)state;
	nj_text_add_html(&html, "<a href=\"x\" o='y'>&\x01\x7f\tz");
	assert_string_equal(html.data, "&lt;a href=&quot;x&quot; o=&#39;y&#39;&gt;&amp;&#xfffd;&#xfffd;\tz");
	nj_text_fini(&html);
	nj_text_add_script_json(&html, "{\"a\":\"</script><!-- & \xe2\x80\xa8\"}");
	assert_string_equal(html.data, "{\"a\":\"\\u003c/script\\u003e\\u003c!-- \\u0026 \\u2028\"}");
	nj_text_fini(&html);
	for (unsigned i = 0; i < 10000; i++)
		nj_text_format(&html, "%u,", i % 10);
	assert_int_equal(html.size, 20000);
	char *taken = nj_text_take(&html);
	assert_int_equal(strlen(taken), 20000);
	assert_null(html.data);
	free(taken);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_and_numbers),
		cmocka_unit_test(bytes_and_shares),
		cmocka_unit_test(spans_and_times),
		cmocka_unit_test(values_by_their_unit),
		cmocka_unit_test(agents_go_to_text_and_back),
		cmocka_unit_test(foreign_text_is_harmless_in_html_and_scripts),
	};
	return cmocka_run_group_tests_name("human", tests, NULL, NULL);
}
