/* RFC 792, RFC 4443. Errors of ICMP are types 3, 4, 5, 11 and 12, of ICMPv6 those below 128; the packet spoken of
 * starts behind eight bytes. Extension headers inside are not followed: such a flow is not found, no more. */
#include "sensor/icmp_error.h"

#include "common/cursor.h"

enum {
	UNREACHABLE = 3,
	QUENCH = 4,
	REDIRECT = 5,
	TIME_EXCEEDED = 11,
	PARAMETER = 12,
	V6_UNREACHABLE = 1,
	TOO_BIG_CODE = 4
};

static bool is_error(const struct nj_packet *packet)
{
	if (packet->protocol == NJ_PROTOCOL_ICMPV6)
		return packet->icmp_type > 0 && packet->icmp_type < 128;
	if (packet->protocol != NJ_PROTOCOL_ICMP)
		return false;
	uint8_t type = packet->icmp_type;
	return type == UNREACHABLE || type == QUENCH || type == REDIRECT || type == TIME_EXCEEDED || type == PARAMETER;
}

static bool read_v4(struct nj_cursor *c, struct nj_packet *about)
{
	const uint8_t *ip = nj_cursor_take(c, 20);
	if (ip == NULL || ip[0] >> 4 != 4 || (ip[0] & 15) < 5)
		return false;
	nj_cursor_skip(c, (ip[0] & 15) * 4u - 20);
	about->protocol = ip[9];
	about->src = nj_addr_v4(ip + 12);
	about->dst = nj_addr_v4(ip + 16);
	about->ip_version = 4;
	return true;
}

static bool read_v6(struct nj_cursor *c, struct nj_packet *about)
{
	const uint8_t *ip = nj_cursor_take(c, 40);
	if (ip == NULL || ip[0] >> 4 != 6)
		return false;
	about->protocol = ip[6];
	memcpy(about->src.byte, ip + 8, 16);
	memcpy(about->dst.byte, ip + 24, 16);
	about->ip_version = 6;
	return true;
}

bool nj_icmp_error(const struct nj_packet *packet, struct nj_packet *ret_about)
{
	if (!is_error(packet) || packet->payload == NULL)
		return false;
	struct nj_cursor c = nj_cursor_make(packet->payload, packet->payload_bytes);
	struct nj_packet about = {.segment = packet->segment};
	if (packet->protocol == NJ_PROTOCOL_ICMP ? !read_v4(&c, &about) : !read_v6(&c, &about))
		return false;
	bool has_ports = about.protocol == NJ_PROTOCOL_TCP || about.protocol == NJ_PROTOCOL_UDP ||
			 about.protocol == NJ_PROTOCOL_SCTP;
	if (has_ports && nj_cursor_left(&c) >= 4) {
		about.src_port = nj_cursor_u16(&c);
		about.dst_port = nj_cursor_u16(&c);
	}
	*ret_about = about;
	return true;
}

bool nj_icmp_unreachable(const struct nj_packet *packet)
{
	if (packet->protocol == NJ_PROTOCOL_ICMPV6)
		return packet->icmp_type == V6_UNREACHABLE;
	return packet->protocol == NJ_PROTOCOL_ICMP && packet->icmp_type == UNREACHABLE &&
	       packet->icmp_code != TOO_BIG_CODE;
}
