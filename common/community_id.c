/* The bytes that are hashed, all in network order: seed (2), smaller address (4 or 16), larger address, protocol (1),
 * zero (1), and for protocols with ports the smaller end's port (2) and the other's (2). "Smaller" compares address,
 * then port, as unsigned bytes. */
#include "common/community_id.h"

#include "common/sha.h"

enum { ICMP = 1, TCP = 6, UDP = 17, ICMPV6 = 58, SCTP = 132 };

/* Message kinds that have an answering kind. The pairs of the specification's baseline, which took them from Zeek. */
static const uint8_t icmp_pairs[][2] = {
	{8, 0},   /* echo */
	{13, 14}, /* timestamp */
	{15, 16}, /* information */
	{10, 9},  /* router solicitation, advertisement */
	{17, 18}, /* address mask */
};

static const uint8_t icmpv6_pairs[][2] = {
	{128, 129}, /* echo */
	{133, 134}, /* router solicitation, advertisement */
	{135, 136}, /* neighbour solicitation, advertisement */
	{130, 131}, /* multicast listener query, report */
	{139, 140}, /* who are you, I am: node information */
	{144, 145}, /* home agent address discovery */
};

struct nj_icmp_ports nj_community_id_icmp(uint8_t protocol, uint8_t type, uint8_t code)
{
	const uint8_t(*pairs)[2] = protocol == ICMPV6 ? icmpv6_pairs : icmp_pairs;
	size_t n = protocol == ICMPV6 ? sizeof icmpv6_pairs / 2 : sizeof icmp_pairs / 2;
	for (size_t i = 0; i < n; i++) {
		if (pairs[i][0] == type)
			return (struct nj_icmp_ports){.src = type, .dst = pairs[i][1]};
		if (pairs[i][1] == type)
			return (struct nj_icmp_ports){.src = type, .dst = pairs[i][0]};
	}
	return (struct nj_icmp_ports){.src = type, .dst = code, .one_way = true};
}

static char *base64(const uint8_t *data, size_t size, char *text)
{
	static const char digit[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < size; i += 3) {
		uint32_t three = (uint32_t)data[i] << 16;
		three |= i + 1 < size ? (uint32_t)data[i + 1] << 8 : 0;
		three |= i + 2 < size ? data[i + 2] : 0;
		*text++ = digit[three >> 18];
		*text++ = digit[three >> 12 & 63];
		*text++ = i + 1 < size ? digit[three >> 6 & 63] : '=';
		*text++ = i + 2 < size ? digit[three & 63] : '=';
	}
	*text = '\0';
	return text;
}

static uint8_t *put(uint8_t *at, const void *data, size_t size)
{
	memcpy(at, data, size);
	return at + size;
}

static uint8_t *put_u16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
	return at + 2;
}

char *nj_community_id(uint16_t seed, uint8_t protocol, const struct nj_addr *src, const struct nj_addr *dst,
		      uint16_t src_port, uint16_t dst_port, char text[NJ_COMMUNITY_ID_TEXT_MAX])
{
	bool icmp = protocol == ICMP || protocol == ICMPV6;
	bool has_ports = icmp || protocol == TCP || protocol == UDP || protocol == SCTP;
	struct nj_icmp_ports ports = {.src = src_port, .dst = dst_port};
	if (icmp)
		ports = nj_community_id_icmp(protocol, (uint8_t)src_port, (uint8_t)dst_port);
	int order = nj_addr_compare(src, dst);
	if (!ports.one_way && (order > 0 || (order == 0 && has_ports && ports.src > ports.dst))) {
		const struct nj_addr *addr = src;
		uint16_t port = ports.src;
		src = dst, dst = addr;
		ports.src = ports.dst, ports.dst = port;
	}
	size_t skip = nj_addr_is_v4(src) && nj_addr_is_v4(dst) ? 12 : 0;
	uint8_t input[2 + 16 + 16 + 2 + 4];
	uint8_t *at = put_u16(input, seed);
	at = put(at, src->byte + skip, sizeof src->byte - skip);
	at = put(at, dst->byte + skip, sizeof dst->byte - skip);
	at = put(at, (uint8_t[2]){protocol, 0}, 2);
	if (has_ports) {
		at = put_u16(at, ports.src);
		at = put_u16(at, ports.dst);
	}
	uint8_t digest[NJ_SHA1_BYTES];
	nj_sha1(input, (size_t)(at - input), digest);
	memcpy(text, "1:", 2);
	base64(digest, sizeof digest, text + 2);
	return text;
}
