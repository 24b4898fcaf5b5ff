/* Calls in one piece and byte by byte must read the same; keys in any order, nesting, escapes, batches, chunk sizes
 * between; what is no call is none. */
#include "sensor/json_rpc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* All calls as "method name;" */
static void calls_of(const char *body, size_t size, size_t step, char ret_text[512])
{
	struct nj_json_rpc rpc;
	size_t used = 0, at = 0, out = 0;
	nj_json_rpc_begin(&rpc);
	ret_text[0] = '\0';
	while (at < size && !rpc.over) {
		size_t here = size - at < step ? size - at : step;
		bool complete = nj_json_rpc_read(&rpc, (const uint8_t *)body + at, here, &used);
		assert_true(used > 0 && used <= here);
		at += used;
		if (complete)
			out += (size_t)snprintf(ret_text + out, 512 - out, "%s %s;", rpc.method, rpc.name);
	}
	if (nj_json_rpc_finish(&rpc))
		out += (size_t)snprintf(ret_text + out, 512 - out, "%s %s;", rpc.method, rpc.name);
}

static void check(const char *body, const char *calls)
{
	static const size_t steps[] = {1000000, 1, 2, 7};
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		char text[512];
		calls_of(body, strlen(body), steps[i], text);
		if (strcmp(text, calls) != 0)
			fail_msg("%s\nin steps of %zu gives '%s', not '%s'", body, steps[i], text, calls);
	}
}

static void calls_are_read(void **state)
{
	(void)state;
	check("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/"
	      "call\",\"params\":{\"name\":\"read_file\",\"arguments\":{"
	      "\"name\":\"x\",\"method\":\"y\"}}}",
	      "tools/call read_file;");
	check("{ \"params\" : { \"arguments\" : { \"a\" : [ 1, { \"name\" : \"no\" } ] } , \"name\" : \"late\" } ,\r\n "
	      "\"method\" : "
	      "\"tools/call\" , \"jsonrpc\" : \"2.0\" }",
	      "tools/call late;");
	check("{\"jsonrpc\":\"2.0\",\"method\":\"resources/read\",\"params\":{\"uri\":\"file:///etc/passwd\"}}",
	      "resources/read file:///etc/passwd;");
	check("{\"jsonrpc\":\"2.0\",\"method\":\"tools/list\",\"id\":7}", "tools/list ;");
	check("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\",\"params\":[\"name\",\"v\"]}", "notifications/x ;");
	check("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{\"name\":\"a\\\"b\\/c\\u0041\\nd\"}}", "m a\"b/c??d;");
	check("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{\"name\":\"gr\xc3\xb6\xc3\x9f"
	      "e\x01\"}}",
	      "m gr????e?;");
}

static void batches_and_chunks(void **state)
{
	(void)state;
	check("[{\"jsonrpc\":\"2.0\",\"method\":\"a\"},{\"jsonrpc\":\"2.0\",\"method\":\"tools/"
	      "call\",\"params\":{\"name\":\"b\"}}]"
	      "{\"jsonrpc\":\"2.0\",\"method\":\"behind\"}",
	      "a ;tools/call b;");
	check("2f\r\n{\"jsonrpc\":\"2.0\",\"method\":\"tools/"
	      "call\",\r\n20\r\n\"params\":{\"name\":\"b\"}}\r\n0\r\n\r\n",
	      "tools/call b;");
}

static void what_is_no_call_is_none(void **state)
{
	(void)state;
	check("", "");
	check("name=value&method=x", "");
	check("{\"method\":\"tools/call\"}", ""); /* no jsonrpc */
	check("{\"jsonrpc\":\"2.0\",\"result\":{\"method\":\"x\",\"name\":\"y\"}}", "");
	check("{\"jsonrpc\":\"2.0\",\"method\":5}", "");
	check("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"{\\\"jsonrpc\\\":\\\"2.0\\\","
	      "\\\"method\\\":\\\"x\\\"}\"}]}",
	      "");
	check("}{\"jsonrpc\":\"2.0\",\"method\":\"a\"}", ""); /* whoever begins so speaks something else */
	check("\"x\"{\"jsonrpc\":\"2.0\",\"method\":\"a\"}", "");
}

static void a_cut_call_counts_once_its_method_is_whole(void **state)
{
	(void)state;
	check("{\"jsonrpc\":\"2.0\",\"method\":\"tools/"
	      "call\",\"params\":{\"name\":\"write\",\"arguments\":{\"t\":\"long",
	      "tools/call write;");
	check("{\"jsonrpc\":\"2.0\",\"method\":\"tools/ca", "");
	check("{\"jsonrpc\":\"2.0\",\"id\":4,\"par", "");
}

static void everything_is_bounded(void **state)
{
	(void)state;
	static char body[NJ_JSON_RPC_BYTES_MAX * 2], text[512];
	memset(body, '[', sizeof body);
	memcpy(body, "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":", 40);
	calls_of(body, sizeof body, 999, text);
	memset(body, 'x', sizeof body);
	memcpy(body, "{\"jsonrpc\":\"2.0\",\"method\":\"", 27);
	calls_of(body, sizeof body, 999, text);
	assert_string_equal(text, ""); /* a method without end */
	memcpy(body + 27, "tools/call\",\"params\":{\"name\":\"", 30);
	calls_of(body, sizeof body, 4096, text);
	assert_int_equal(strlen(text), strlen("tools/call ") + NJ_TOOL_NAME_MAX - 1 + 1);
	unsigned seed = 1;
	for (unsigned run = 0; run < 3000; run++) {
		static const char letters[] = "{}[]\":,\\u methodjsonrpcname01";
		size_t size = (size_t)rand_r(&seed) % 300;
		for (size_t i = 0; i < size; i++)
			body[i] = letters[(size_t)rand_r(&seed) % (sizeof letters - 1)];
		char other[512];
		calls_of(body, size, 1, text);
		calls_of(body, size, 64, other);
		assert_string_equal(text, other);
	}
}

static void methods_tell_the_protocol(void **state)
{
	(void)state;
	assert_int_equal(nj_json_rpc_kind("tools/call"), NJ_TOOL_MCP);
	assert_int_equal(nj_json_rpc_kind("initialize"), NJ_TOOL_MCP);
	assert_int_equal(nj_json_rpc_kind("initialized"), NJ_TOOL_JSON_RPC);
	assert_int_equal(nj_json_rpc_kind("message/stream"), NJ_TOOL_A2A);
	assert_int_equal(nj_json_rpc_kind("SendMessage"), NJ_TOOL_A2A);
	assert_int_equal(nj_json_rpc_kind("eth_call"), NJ_TOOL_JSON_RPC);
	assert_int_equal(nj_json_rpc_kind(""), NJ_TOOL_JSON_RPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_are_read),          cmocka_unit_test(batches_and_chunks),
		cmocka_unit_test(what_is_no_call_is_none), cmocka_unit_test(a_cut_call_counts_once_its_method_is_whole),
		cmocka_unit_test(everything_is_bounded),   cmocka_unit_test(methods_tell_the_protocol),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
