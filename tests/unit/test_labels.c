/* Labels of both forms, addresses out of free words, and the counters that stand beside the detectors. */
#include "cli/labels.h"

#include "cli/counters.h"
#include "cli/evaluate.h"
#include "tests/unit/sample_findings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];

static void write_file(const char *name, const char *text)
{
	char path[256];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/nj_labels_XXXXXX");
	return mkdtemp(folder) != NULL ? 0 : 1;
}

static int drop_folder(void **state)
{
	static const char *const names[] = {"labels.csv",     "capture.pcap",   "inventory.yaml",
					    "one.labels.csv", "one.pcapng.zst", "two.labels.csv"};
	char path[256];
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		(void)unlink(path);
	}
	return rmdir(folder);
}

static void addresses_out_of_free_words(void **state)
{
	static const struct {
		const char *words, *found;
	} rows[] = {
		{"", ""},
		{"many", ""},
		{"9 hosts", ""},
		{"10.10.10.5 (C2)", "10.10.10.5"},
		{"10.0.5.13:8080", "10.0.5.13"},
		{"131.243.0.0/16", "131.243.0.0/16"},
		{"10.0.1.5,10.0.1.4,10.0.0.4", "10.0.1.5 10.0.1.4 10.0.0.4"},
		{"172.16.238.136,129-135", "172.16.238.136"},
		{"fd00::1 and 1.2.3", "fd00::1"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct nj_network found[NJ_LABEL_ADDRESSES_MAX];
		char text[256] = "", one[NJ_NETWORK_TEXT_MAX];
		uint32_t n = nj_label_addresses(rows[i].words, found, NJ_LABEL_ADDRESSES_MAX);
		for (uint32_t k = 0; k < n; k++)
			snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", k > 0 ? " " : "",
				 nj_network_text(&found[k], one));
		/* Whether a single address is written with its prefix is nj_network_text's affair. */
		char *host = strstr(text, "/32");
		while (host != NULL) {
			memmove(host, host + 3, strlen(host + 3) + 1);
			host = strstr(text, "/32");
		}
		host = strstr(text, "/128");
		if (host != NULL)
			*host = '\0';
		assert_string_equal(text, rows[i].found);
	}
}

static void labels_of_whole_captures(void **state)
{
	(void)state;
	struct nj_labels labels;
	struct nj_message message;
	write_file("labels.csv", "capture,label,technique,attacker,victim,packets\n"
				 "a/one.pcap,scan,\"port, or \"\"host\"\" scan\",10.0.0.1,10.0.0.0/24,5\r\n"
				 "a/two.pcap,benign,,,,\n\n"
				 "a/three.pcap,scan,backscatter (negative for scan detection),,,\n"
				 "a/four.pcap,malformed,,,,\n");
	assert_int_equal(nj_labels_load(folder, NULL, &message, &labels), NJ_OK);
	assert_int_equal(labels.captures_n, 4);
	assert_string_equal(labels.captures[0].name, "a/one.pcap");
	assert_string_equal(labels.captures[0].rows[0].words, "port, or \"host\" scan");
	assert_int_equal(labels.captures[0].rows[0].kind, NJ_LABEL_ATTACK);
	assert_int_equal(labels.captures[0].rows[0].addresses_n, 2);
	assert_int_equal(labels.captures[0].rows[0].agents_n, 1);
	assert_int_equal(labels.captures[1].rows[0].kind, NJ_LABEL_BENIGN);
	assert_int_equal(labels.captures[2].rows[0].kind, NJ_LABEL_BENIGN);
	assert_int_equal(labels.captures[3].rows[0].kind, NJ_LABEL_NEITHER);
	nj_labels_free(&labels);
}

static void labels_of_actions(void **state)
{
	(void)state;
	struct nj_labels labels;
	struct nj_message message;
	write_file("capture.pcap", "");
	write_file("inventory.yaml", "");
	write_file("labels.csv", "start,end,agent,technique,label,peer,words\n"
				 "1795550400.25,1795550410.5,10.20.10.12,T1071.001,beacon,198.51.100.66,every 5 s\n"
				 "1795550400,1795550410,10.20.10.13,,benign,,ordinary work\n");
	assert_int_equal(nj_labels_load(folder, NULL, &message, &labels), NJ_OK);
	assert_int_equal(labels.captures_n, 1);
	assert_int_equal(labels.captures[0].rows_n, 2);
	assert_non_null(labels.captures[0].inventory);
	assert_int_equal(labels.captures[0].rows[0].start_ns, UINT64_C(1795550400250000000));
	assert_int_equal(labels.captures[0].rows[0].kind, NJ_LABEL_ATTACK);
	assert_int_equal(labels.captures[0].rows[1].kind, NJ_LABEL_BENIGN);
	nj_labels_free(&labels);
}

static void labels_beside_their_captures(void **state)
{
	(void)state;
	struct nj_labels labels;
	struct nj_message message;
	write_file("one.pcapng.zst", "");
	write_file("one.labels.csv", "start,end,agent,technique,label,peer,words\n1,2,10.20.10.12,T1046,scan-"
				     "horizontal,10.20.20.0/24 10.20.30.0/24,a sweep\n");
	assert_int_equal(nj_labels_load(folder, NULL, &message, &labels), NJ_OK);
	assert_int_equal(labels.captures_n, 1);
	assert_string_equal(labels.captures[0].name, "one");
	assert_non_null(strstr(labels.captures[0].path, "/one.pcapng.zst"));
	assert_int_equal(labels.captures[0].rows[0].addresses_n, 3);
	nj_labels_free(&labels);
	write_file("two.labels.csv", "start,end,agent,technique,label,peer,words\n1,2,10.20.10.12,T1046,decoy,,x\n");
	assert_int_equal(nj_labels_load(folder, NULL, &message, &labels), NJ_ERR_NOT_FOUND);
	assert_non_null(strstr(message.text, "two.pcap"));
}

static void bad_labels_are_refused_with_their_line(void **state)
{
	(void)state;
	struct nj_labels labels;
	struct nj_message message;
	write_file("labels.csv", "name,kind\nx,y\n");
	assert_int_equal(nj_labels_load(folder, NULL, &message, &labels), NJ_ERR_FORMAT);
	assert_non_null(strstr(message.text, "labels.csv:1:"));
	write_file("capture.pcap", "");
	write_file("labels.csv",
		   "start,end,agent,technique,label,peer,words\n1,2,10.0.0.1,,beacon,,\nsoon,2,10.0.0.1,,beacon,,\n");
	assert_int_equal(nj_labels_load(folder, NULL, &message, &labels), NJ_ERR_FORMAT);
	assert_non_null(strstr(message.text, "labels.csv:3:"));
	write_file("labels.csv", "");
	assert_int_equal(nj_labels_load(folder, NULL, &message, &labels), NJ_ERR_FORMAT);
}

static void a_detector_fits_its_label(void **state)
{
	(void)state;
	assert_true(nj_label_fits_detector("scan-slow", "scan"));
	assert_true(nj_label_fits_detector("scan", "fanout"));
	assert_true(nj_label_fits_detector("exfil-volume", "exfil-direction"));
	assert_true(nj_label_fits_detector("c2-beacon", "beacon"));
	assert_true(nj_label_fits_detector("dns-tunnel", "dns-exfil"));
	assert_true(nj_label_fits_detector("mixed", "anything"));
	assert_false(nj_label_fits_detector("beacon", "scan"));
	assert_false(nj_label_fits_detector("lateral", "scan"));
}

/* Windows in which an agent fails to reach *hosts* new hosts on one port. */
static void feed_failures(struct nj_counters *counters, uint32_t hosts, uint64_t second)
{
	struct nj_contact contacts[64];
	memset(contacts, 0, sizeof contacts);
	assert_true(hosts <= 64);
	for (uint32_t i = 0; i < hosts; i++)
		contacts[i] = (struct nj_contact){.peer = sample_addr(10, 1, (unsigned)second & 255, i),
						  .port = 445,
						  .protocol = 6,
						  .role = NJ_ROLE_CLIENT,
						  .opened = 1,
						  .unanswered = 1};
	struct nj_window window = {.agent = {.addr = sample_addr(10, 0, 0, 9)},
				   .start_ns = SAMPLE_START_NS + second * SAMPLE_SECOND,
				   .width_ms = 10000,
				   .contacts = contacts,
				   .contacts_n = hosts};
	nj_counters_window(counters, &window);
}

static void counters_fire_above_their_limit_once_a_period(void **state)
{
	(void)state;
	struct nj_counters *counters = nj_counters_new();
	uint32_t n;
	assert_non_null(counters);
	feed_failures(counters, 5, 0);
	(void)nj_counters_alarms(counters, &n);
	assert_int_equal(n, 0);
	feed_failures(counters, 10, 10); /* 15 in all: over 5 on a port */
	const struct nj_counter_alarm *alarms = nj_counters_alarms(counters, &n);
	assert_int_equal(n, 1);
	assert_int_equal(alarms[0].counter, NJ_COUNTER_FAILED_PER_PORT);
	feed_failures(counters, 10, 20); /* 25 hosts */
	alarms = nj_counters_alarms(counters, &n);
	assert_int_equal(n, 2);
	assert_int_equal(alarms[1].counter, NJ_COUNTER_FAILED_HOSTS);
	feed_failures(counters, 40, 30); /* 65: over 32 flows a minute and 50 destinations */
	(void)nj_counters_alarms(counters, &n);
	assert_int_equal(n, 4);
	feed_failures(counters, 64, 40);
	(void)nj_counters_alarms(counters, &n);
	assert_int_equal(n, 4);
	feed_failures(counters, 64, 7200); /* new periods */
	(void)nj_counters_alarms(counters, &n);
	assert_int_equal(n, 8);
	nj_counters_free(&counters);
	assert_null(counters);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_out_of_free_words),
		cmocka_unit_test_setup_teardown(labels_of_whole_captures, make_folder, drop_folder),
		cmocka_unit_test_setup_teardown(labels_of_actions, make_folder, drop_folder),
		cmocka_unit_test_setup_teardown(labels_beside_their_captures, make_folder, drop_folder),
		cmocka_unit_test_setup_teardown(bad_labels_are_refused_with_their_line, make_folder, drop_folder),
		cmocka_unit_test(a_detector_fits_its_label),
		cmocka_unit_test(counters_fire_above_their_limit_once_a_period),
	};
	return cmocka_run_group_tests_name("labels", tests, NULL, NULL);
}
