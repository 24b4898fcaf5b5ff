/* Addresses as 16 bytes: text forms, parsers and prefix tests. IPv4 lives in ::ffff:0:0/96, so one code path serves
 * both families. */
#include "common/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

bool nj_addr_is_multicast(const struct nj_addr *addr)
{
	if (!nj_addr_is_v4(addr))
		return addr->byte[0] == 0xff;
	static const uint8_t broadcast[4] = {255, 255, 255, 255};
	return (addr->byte[12] & 0xf0) == 0xe0 || memcmp(addr->byte + 12, broadcast, 4) == 0;
}

bool nj_addr_is_unspecified(const struct nj_addr *addr)
{
	static const uint8_t zero[16];
	if (nj_addr_is_v4(addr))
		return memcmp(addr->byte + 12, zero, 4) == 0;
	return memcmp(addr->byte, zero, 16) == 0;
}

char *nj_addr_text(const struct nj_addr *addr, char text[NJ_ADDR_TEXT_MAX])
{
	if (nj_addr_is_v4(addr))
		inet_ntop(AF_INET, addr->byte + 12, text, NJ_ADDR_TEXT_MAX);
	else
		inet_ntop(AF_INET6, addr->byte, text, NJ_ADDR_TEXT_MAX);
	return text;
}

char *nj_segment_text(nj_segment segment, char text[NJ_SEGMENT_TEXT_MAX])
{
	uint32_t value = segment & 0xffffff;
	switch (segment >> 24) {
	case NJ_SEGMENT_VLAN:
		snprintf(text, NJ_SEGMENT_TEXT_MAX, "vlan:%u", value & 0xfff);
		break;
	case NJ_SEGMENT_QINQ:
		snprintf(text, NJ_SEGMENT_TEXT_MAX, "qinq:%u.%u", value >> 12, value & 0xfff);
		break;
	case NJ_SEGMENT_VNI:
		snprintf(text, NJ_SEGMENT_TEXT_MAX, "vni:%u", value);
		break;
	default:
		text[0] = '\0';
	}
	return text;
}

char *nj_network_text(const struct nj_network *network, char text[NJ_NETWORK_TEXT_MAX])
{
	nj_addr_text(&network->addr, text);
	unsigned bits = network->prefix_bits;
	if (nj_addr_is_v4(&network->addr) && bits >= 96)
		bits -= 96;
	size_t length = strlen(text);
	snprintf(text + length, NJ_NETWORK_TEXT_MAX - length, "/%u", bits);
	return text;
}

bool nj_addr_parse(const char *text, struct nj_addr *ret_addr)
{
	uint8_t v4[4];
	struct nj_addr addr;
	if (inet_pton(AF_INET, text, v4) == 1)
		addr = nj_addr_v4(v4);
	else if (inet_pton(AF_INET6, text, addr.byte) != 1)
		return false;
	*ret_addr = addr;
	return true;
}

static bool parse_number(const char *text, unsigned max, unsigned *ret_value, const char **ret_end)
{
	char *end;
	if (*text < '0' || *text > '9')
		return false;
	unsigned long value = strtoul(text, &end, 10);
	if (value > max)
		return false;
	*ret_value = (unsigned)value;
	*ret_end = end;
	return true;
}

bool nj_segment_parse(const char *text, nj_segment *ret_segment)
{
	unsigned value, inner;
	const char *end = "";
	nj_segment segment = 0;
	if (strncmp(text, "vlan:", 5) == 0 && parse_number(text + 5, 0xfff, &value, &end)) {
		segment = nj_segment_make(NJ_SEGMENT_VLAN, value);
	} else if (strncmp(text, "vni:", 4) == 0 && parse_number(text + 4, 0xffffff, &value, &end)) {
		segment = nj_segment_make(NJ_SEGMENT_VNI, value);
	} else if (strncmp(text, "qinq:", 5) == 0 && parse_number(text + 5, 0xfff, &value, &end) && *end == '.' &&
		   parse_number(end + 1, 0xfff, &inner, &end)) {
		segment = nj_segment_make(NJ_SEGMENT_QINQ, value << 12 | inner);
	} else if (*text != '\0') {
		return false;
	}
	if (*end != '\0')
		return false;
	*ret_segment = segment;
	return true;
}

static bool host_bits_are_zero(const struct nj_network *network)
{
	for (unsigned bit = network->prefix_bits; bit < 128; bit++)
		if (network->addr.byte[bit / 8] & (0x80 >> bit % 8))
			return false;
	return true;
}

bool nj_network_parse(const char *text, struct nj_network *ret_network)
{
	char address[NJ_ADDR_TEXT_MAX];
	const char *slash = strchr(text, '/');
	size_t length = slash != NULL ? (size_t)(slash - text) : strlen(text);
	if (length >= sizeof address)
		return false;
	memcpy(address, text, length);
	address[length] = '\0';
	struct nj_network network = {.prefix_bits = 128};
	if (!nj_addr_parse(address, &network.addr))
		return false;
	if (slash != NULL) {
		unsigned bits, base = nj_addr_is_v4(&network.addr) ? 96 : 0;
		const char *end;
		if (!parse_number(slash + 1, 128 - base, &bits, &end) || *end != '\0')
			return false;
		network.prefix_bits = (uint8_t)(bits + base);
	}
	if (!host_bits_are_zero(&network))
		return false;
	*ret_network = network;
	return true;
}

bool nj_network_contains(const struct nj_network *network, const struct nj_addr *addr)
{
	unsigned whole = network->prefix_bits / 8, rest = network->prefix_bits % 8;
	if (memcmp(network->addr.byte, addr->byte, whole) != 0)
		return false;
	if (rest == 0)
		return true;
	uint8_t mask = (uint8_t)(0xff << (8 - rest));
	return ((network->addr.byte[whole] ^ addr->byte[whole]) & mask) == 0;
}
