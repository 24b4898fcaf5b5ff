/* Windows remote procedure calls wherever they stand in a segment, and what only looks like one. */
#include "sensor/rpc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t svcctl[16] = {0x81, 0xbb, 0x7a, 0x36, 0x44, 0x98, 0xf1, 0x35,
				   0xad, 0x32, 0x98, 0xf0, 0x38, 0x00, 0x10, 0x03};
static const uint8_t drsuapi[16] = {0x35, 0x42, 0x51, 0xe3, 0x06, 0x4b, 0xd1, 0x11,
				    0xab, 0x04, 0x00, 0xc0, 0x4f, 0xc2, 0xdc, 0xd2};
static const uint8_t unknown[16] = {9, 9, 9};

struct bytes {
	uint8_t at[2048];
	size_t n;
};

static void put(struct bytes *b, const void *data, size_t size)
{
	memcpy(b->at + b->n, data, size);
	b->n += size;
}

static void put_zeros(struct bytes *b, size_t n)
{
	memset(b->at + b->n, 0, n);
	b->n += n;
}

static void put_head(struct bytes *b, uint8_t type, uint16_t fragment)
{
	const uint8_t head[16] = {5, 0, type, 3, 0x10, 0, 0, 0, (uint8_t)fragment, (uint8_t)(fragment >> 8), 0, 0, 1};
	put(b, head, sizeof head);
}

/* A binding that lists two interfaces. */
static void put_bind(struct bytes *b, uint8_t type, const uint8_t first[16], const uint8_t second[16])
{
	put_head(b, type, 16 + 12 + 2 * 44);
	put_zeros(b, 8);
	put(b, (const uint8_t[4]){2}, 4);
	for (int i = 0; i < 2; i++) {
		put(b, (const uint8_t[4]){(uint8_t)i, 0, 1, 0}, 4);
		put(b, i == 0 ? first : second, 16);
		put_zeros(b, 4 + 20);
	}
}

static void put_request(struct bytes *b, uint16_t operation, size_t stub)
{
	put_head(b, 0, (uint16_t)(24 + stub));
	put(b, (const uint8_t[8]){(uint8_t)stub, 0, 0, 0, 0, 0, (uint8_t)operation, (uint8_t)(operation >> 8)}, 8);
	put_zeros(b, stub);
}

static void calls_behind_smb_are_found(void **state)
{
	(void)state;
	struct bytes b = {.n = 0};
	struct nj_rpc_call calls[NJ_RPC_CALLS_MAX];
	uint8_t bound = NJ_RPC_NONE;
	put(&b, "\xfeSMB\x05\x00\x05", 7);
	put_zeros(&b, 105);
	put_bind(&b, 11, unknown, svcctl);
	assert_int_equal(nj_rpc_scan(b.at, b.n, &bound, calls), 1);
	assert_string_equal(calls[0].interface, "svcctl");
	assert_string_equal(calls[0].operation, "");
	b.n = 0;
	put_zeros(&b, 116);
	put_request(&b, 15, 40);
	put_request(&b, 7, 12); /* no name in the table: passed over */
	put_request(&b, 12, 60);
	put_request(&b, 19, 0);
	assert_int_equal(nj_rpc_scan(b.at, b.n, &bound, calls), 3);
	assert_string_equal(calls[1].operation, "CreateServiceW");
	assert_string_equal(calls[2].operation, "StartServiceW");
}

static void a_binding_replaces_and_an_alteration_may(void **state)
{
	(void)state;
	struct bytes b = {.n = 0};
	struct nj_rpc_call calls[NJ_RPC_CALLS_MAX];
	uint8_t bound = NJ_RPC_NONE;
	put_bind(&b, 11, svcctl, unknown);
	put_bind(&b, 14, unknown, unknown); /* alters to nothing we know: svcctl stays */
	put_request(&b, 12, 4);
	put_bind(&b, 14, drsuapi, unknown);
	put_request(&b, 3, 4);
	put_bind(&b, 11, unknown, unknown);
	put_request(&b, 3, 4);
	assert_int_equal(nj_rpc_scan(b.at, b.n, &bound, calls), 4);
	assert_string_equal(calls[1].operation, "CreateServiceW");
	assert_string_equal(calls[2].interface, "drsuapi");
	assert_string_equal(calls[3].operation, "GetNCChanges");
	assert_int_equal(bound, NJ_RPC_NONE);
}

static void what_is_no_head_is_nothing(void **state)
{
	(void)state;
	struct nj_rpc_call calls[NJ_RPC_CALLS_MAX];
	for (int wrong = 0; wrong < 4; wrong++) {
		struct bytes b = {.n = 0};
		uint8_t bound = NJ_RPC_NONE;
		put_bind(&b, 11, svcctl, unknown);
		if (wrong == 0)
			b.at[1] = 1; /* version 5.1 */
		else if (wrong == 1)
			b.at[4] = 0; /* big end */
		else if (wrong == 2)
			b.at[8] = 10, b.at[9] = 0; /* shorter than a head */
		else
			b.at[10] = 0xff, b.at[11] = 0xff; /* authentication longer than all */
		assert_int_equal(nj_rpc_scan(b.at, b.n, &bound, calls), 0);
		assert_int_equal(bound, NJ_RPC_NONE);
	}
	struct bytes request = {.n = 0};
	uint8_t bound = NJ_RPC_NONE;
	put_request(&request, 12, 8); /* a call to who knows what */
	assert_int_equal(nj_rpc_scan(request.at, request.n, &bound, calls), 0);
}

static void every_cut_is_safe(void **state)
{
	(void)state;
	struct bytes b = {.n = 0};
	struct nj_rpc_call calls[NJ_RPC_CALLS_MAX];
	put_bind(&b, 11, unknown, svcctl);
	put_request(&b, 12, 8);
	for (size_t n = 0; n <= b.n; n++) {
		uint8_t bound = 200;                   /* whatever was there before */
		uint8_t *copy = malloc(n > 0 ? n : 1); /* so that a sanitizer sees the end */
		memcpy(copy, b.at, n);
		unsigned found = nj_rpc_scan(copy, n, &bound, calls);
		assert_int_equal(found, (n >= 28 + 44 + 24) + (n >= b.n - 8));
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_behind_smb_are_found),
		cmocka_unit_test(a_binding_replaces_and_an_alteration_may),
		cmocka_unit_test(what_is_no_head_is_nothing),
		cmocka_unit_test(every_cut_is_safe),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
