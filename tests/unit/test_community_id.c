/* Against the published baseline of the specification (seeds 0 and 1) and the values its reference implementation is
 * tested with; then the laws: both directions alike, one-way messages unlike. */
#include "common/community_id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

struct vector {
	uint8_t protocol;
	const char *src, *dst;
	uint16_t src_port, dst_port; /* ICMP: type and code */
	const char *seed0, *seed1;
};

static const struct vector vectors[] = {
	{6, "128.232.110.120", "66.35.250.204", 34855, 80,
	 "1:LQU9qZlK+B5F3KDmev6m5PMibrg=", "1:3V71V58M3Ksw/yuFALMcW0LAHvc="},
	{6, "66.35.250.204", "128.232.110.120", 80, 34855,
	 "1:LQU9qZlK+B5F3KDmev6m5PMibrg=", "1:3V71V58M3Ksw/yuFALMcW0LAHvc="},
	{6, "10.0.0.1", "10.0.0.2", 10, 11569, "1:SXBGMX1lBOwhhoDrZynfROxnhnM=", "1:HmBRGR+fUyXF4t8WEtal7Y0gEAo="},
	{6, "2001:470:e5bf:dead:4957:2174:e82c:4887", "2607:f8b0:400c:c03::1a", 63943, 25,
	 "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=", "1:eJYTW6AOzFLlSUoESovMjnu7rMw="},
	{17, "192.168.1.52", "8.8.8.8", 54585, 53, "1:d/FP5EW3wiY1vCndhwleRRKHowQ=", "1:Q9We8WO3piVF8yEQBNJF4uiSVrI="},
	{132, "192.168.170.8", "192.168.170.56", 7, 7,
	 "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs=", "1:5w3ZRjeKBzqT3zsaEECDGjUbYeg="},
	{132, "192.168.170.8", "192.168.170.56", 7, 80,
	 "1:jQgCxbku+pNGw8WPbEc/TS/uTpQ=", "1:Y1/0jQg6e+I3ZwZZ9LP65DNbTXU="},
	/* protocols without ports: what is in the ports does not matter */
	{46, "10.1.12.1", "10.1.12.2", 0, 0, "1:KHlLkgoJW7ifUTyTSgyVfkFHzKw=", "1:rYir8gphR31noO9iDRQmF/BteEI="},
	{46, "10.1.12.2", "10.1.12.1", 9, 1, "1:KHlLkgoJW7ifUTyTSgyVfkFHzKw=", "1:rYir8gphR31noO9iDRQmF/BteEI="},
	{46, "10.1.24.4", "10.1.12.1", 0, 0, "1:/nQI4Rh/TtY3mf0R2gJFBkVlgS4=", "1:BK3BVW3U2eemuwVQVN3zd/GULno="},
	/* ICMP: kinds with an answer, the code ignored; and one-way kinds */
	{1, "192.168.0.89", "192.168.0.1", 8, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=", "1:03g6IloqVBdcZlPyX8r0hgoE7kA="},
	{1, "192.168.0.1", "192.168.0.89", 0, 20, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=", "1:03g6IloqVBdcZlPyX8r0hgoE7kA="},
	{1, "192.168.0.89", "192.168.0.1", 20, 0, "1:3o2RFccXzUgjl7zDpqmY7yJi8rI=", "1:lCXHHxavE1Vq3oX9NH5ladQg02o="},
	{1, "192.168.0.89", "192.168.0.1", 20, 1, "1:tz/fHIDUHs19NkixVVoOZywde+I=", "1:Ie3wmFyxiEyikbsbcO03d2nh+PM="},
	{1, "10.0.0.1", "10.0.0.2", 11, 0, "1:YHxtAirCG//0OzkcVAukqKQN9xM=", "1:XjUibYHaafLQ3pxQeiMI8g25q20="},
	/* ICMPv6 */
	{58, "fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 135, 0,
	 "1:dGHyGvjMfljg6Bppwm3bg0LO8TY=", "1:kHa1FhMYIT6Ym2Vm2AOtoOARDzY="},
	{58, "fe80::260:97ff:fe07:69ea", "fe80::200:86ff:fe05:80da", 136, 0,
	 "1:dGHyGvjMfljg6Bppwm3bg0LO8TY=", "1:kHa1FhMYIT6Ym2Vm2AOtoOARDzY="},
	{58, "3ffe:501:1800:2345::2", "3ffe:507:0:1:200:86ff:fe05:80da", 3, 0,
	 "1:2ObVBgIn28oZvibYZhZMBgh7WdQ=", "1:lVEtCZpYu84Xqaa++3lXFyuu2n4="},
	{58, "3ffe:501:410:0:2c0:dfff:fe47:33e", "3ffe:507:0:1:200:86ff:fe05:80da", 1, 4,
	 "1:hLZd0XGWojozrvxqE0dWB1iM6R0=", "1:W8MHwXpWzpoSTD+cGcaJr4u0ys8="},
	{58, "3ffe:507:0:1:200:86ff:fe05:80da", "3ffe:501:0:1001::2", 128, 0,
	 "1:+TW+HtLHvV1xnGhV1lv7XoJrqQg=", "1:GfZxjAkDk2MkegpBYHV6tadtFXQ="},
	{58, "fe80::200:86ff:fe05:80da", "ff02::2", 133, 0,
	 "1:hO+sN4H+MG5MY/8hIrXPqc4ZQz0=", "1:L7Ka0ZMYu+J3bL4ulW2PrqyXNo8="},
	{58, "fe80::260:97ff:fe07:69ea", "ff02::1", 134, 0,
	 "1:pkvHqCL88/tg1k4cPigmZXUtL00=", "1:K/ee5UCqAMAQXDorP5nSa2CGLjc="},
	{58, "3ffe:507:0:1:260:97ff:fe07:69ea", "3ffe:507:0:1:200:86ff:fe05:80da", 3, 0,
	 "1:NdobDX8PQNJbAyfkWxhtL2Pqp5w=", "1:OlOWx9psIbBFi7lOCw/4MhlKR9M="},
	{58, "3ffe:507:0:1:200:86ff:fe05:80da", "3ffe:507:0:1:260:97ff:fe07:69ea", 3, 0,
	 "1:/OGBt9BN1ofenrmSPWYicpij2Vc=", "1:Ij4ZxnC87/MXzhOjvH2vHu7LRmE="},
};

static struct nj_addr addr(const char *text)
{
	struct nj_addr parsed;
	assert_true(nj_addr_parse(text, &parsed));
	return parsed;
}

static void published_values(void **state)
{
	(void)state;
	char text[NJ_COMMUNITY_ID_TEXT_MAX];
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
		const struct vector *v = &vectors[i];
		struct nj_addr src = addr(v->src), dst = addr(v->dst);
		assert_string_equal(nj_community_id(0, v->protocol, &src, &dst, v->src_port, v->dst_port, text),
				    v->seed0);
		assert_string_equal(nj_community_id(1, v->protocol, &src, &dst, v->src_port, v->dst_port, text),
				    v->seed1);
	}
}

static void both_directions_are_one_flow(void **state)
{
	(void)state;
	static const uint8_t protocols[] = {6, 17, 132, 47};
	struct nj_addr a = addr("10.0.0.1"), b = addr("10.0.0.2");
	char there[NJ_COMMUNITY_ID_TEXT_MAX], back[NJ_COMMUNITY_ID_TEXT_MAX];
	for (size_t i = 0; i < sizeof protocols; i++) {
		nj_community_id(0, protocols[i], &a, &b, 1, 2, there);
		assert_string_equal(nj_community_id(0, protocols[i], &b, &a, 2, 1, back), there);
		nj_community_id(0, protocols[i], &a, &a, 1, 2, there);
		assert_string_equal(nj_community_id(0, protocols[i], &a, &a, 2, 1, back), there);
	}
}

/* Every answering kind leads back to its question, and nothing else is two-way. */
static void icmp_kinds_pair_up(void **state)
{
	(void)state;
	unsigned two_way = 0;
	for (unsigned type = 0; type < 256; type++) {
		for (unsigned version = 0; version < 2; version++) {
			uint8_t protocol = version ? 58 : 1;
			struct nj_icmp_ports ports = nj_community_id_icmp(protocol, (uint8_t)type, 7);
			assert_int_equal(ports.src, type);
			if (ports.one_way) {
				assert_int_equal(ports.dst, 7);
				continue;
			}
			struct nj_icmp_ports back = nj_community_id_icmp(protocol, (uint8_t)ports.dst, 7);
			assert_false(back.one_way);
			assert_int_equal(back.dst, type);
			two_way++;
		}
	}
	assert_int_equal(two_way, 10 + 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_values),
		cmocka_unit_test(both_directions_are_one_flow),
		cmocka_unit_test(icmp_kinds_pair_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
