/* RFC 9000 17.2 (headers), 12.4 and 19 (frames); RFC 9001 5 (keys), 5.3 (nonce), 5.4 (header protection); RFC 9369 3
 * (what is different in version 2: salt, labels, numbers of the types).
 *
 * The packet number is sent cut, and completed with what the receiver has seen before. Initials are the first packets
 * of a connection, so that the missing part is zero; for one where it is not, the tag does not fit and the packet
 * counts as unread. */
#include "sensor/quic.h"

#include "common/hkdf.h"

#include <assert.h>
#include <string.h>

enum { LONG_HEADER = 0x80, FIXED_BIT = 0x40, NUMBER_BYTES_MAX = 4, SAMPLE_BYTES = 16, SALT_BYTES = 20 };
#define RESERVED_MASK 0x0f0f0f0fu
#define RESERVED_VERSION                                                                                               \
	0x0a0a0a0au /* 0x?a?a?a?a forces a server to negotiate: a readable version follows (RFC 9000 15) */
enum { INITIAL_BYTES_MIN = 1200 };
enum { VERSION_1 = 0x00000001, VERSION_2 = 0x6b3343cf };
enum { FRAME_PADDING = 0, FRAME_PING = 1, FRAME_ACK = 2, FRAME_ACK_ECN = 3, FRAME_CRYPTO = 6, FRAME_CLOSE = 0x1c };
#define ACK_RANGES_MAX 1024

struct version {
	uint32_t first, last;
	uint8_t salt[SALT_BYTES];
	bool second; /* labels and types of version 2 */
};

/* Salts of RFC 9001 5.2, RFC 9369 3.3.1, and of draft-ietf-quic-tls 23 to 28 and 29 to 32 (33 and 34 have that of
 * version 1). */
static const struct version versions[] = {
	{VERSION_1,
	 VERSION_1,
	 {0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
	  0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a},
	 false},
	{VERSION_2,
	 VERSION_2,
	 {0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93,
	  0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9},
	 true},
	{0xff000017,
	 0xff00001c,
	 {0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7,
	  0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe, 0xf9, 0xf5, 0x02},
	 false},
	{0xff00001d,
	 0xff000020,
	 {0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97,
	  0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43, 0x90, 0xa8, 0x99},
	 false},
	{0xff000021,
	 0xff000022,
	 {0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
	  0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a},
	 false},
	{0xfaceb002,
	 0xfaceb002,
	 {0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7,
	  0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe, 0xf9, 0xf5, 0x02},
	 false},
};

static const struct version *version_of(uint32_t version)
{
	for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++)
		if (version >= versions[i].first && version <= versions[i].last)
			return &versions[i];
	return NULL;
}

bool nj_quic_knows(uint32_t version)
{
	return version_of(version) != NULL;
}

static enum nj_quic_type type_of(uint8_t first, const struct version *version)
{
	unsigned bits = first >> 4 & 3;
	return (enum nj_quic_type)(version->second ? (bits + 3) & 3 : bits);
}

bool nj_quic_begins(const uint8_t *data, size_t size)
{
	struct nj_quic_packet packet;
	if (size < 7 || (data[0] & (LONG_HEADER | FIXED_BIT)) != (LONG_HEADER | FIXED_BIT))
		return false;
	uint32_t version = (uint32_t)data[1] << 24 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 8 | data[4];
	if ((version & RESERVED_MASK) == RESERVED_VERSION)
		return size >= INITIAL_BYTES_MIN;
	return nj_quic_header(data, size, &packet) && packet.type <= NJ_QUIC_ZERO_RTT;
}

/* RFC 9000 16: two bits of length, then the number. */
static uint64_t variable(struct nj_cursor *c)
{
	uint8_t first = nj_cursor_u8(c);
	uint64_t value = first & 0x3f;
	for (unsigned more = (1u << (first >> 6)) - 1; more > 0; more--)
		value = value << 8 | nj_cursor_u8(c);
	return value;
}

/* Token, length and what the length covers. */
static bool initial_rest(struct nj_cursor *c, const uint8_t *data, struct nj_quic_packet *packet)
{
	uint64_t token_bytes = variable(c);
	if (token_bytes > nj_cursor_left(c))
		return false;
	packet->token_bytes = (size_t)token_bytes;
	nj_cursor_skip(c, packet->token_bytes);
	uint64_t length = variable(c);
	if (!nj_cursor_ok(c) || length > nj_cursor_left(c) ||
	    length < NUMBER_BYTES_MAX + SAMPLE_BYTES) /* room for the sample of header protection */
		return false;
	packet->number_at = (size_t)(c->at - data);
	packet->bytes = packet->number_at + (size_t)length;
	return true;
}

/* Handshake and 0-RTT have a length too, by which the next packet is found. */
static bool other_rest(struct nj_cursor *c, const uint8_t *data, struct nj_quic_packet *packet)
{
	uint64_t length = variable(c);
	if (!nj_cursor_ok(c) || length > nj_cursor_left(c))
		return false;
	packet->bytes = (size_t)(c->at - data) + (size_t)length;
	return true;
}

bool nj_quic_header(const uint8_t *data, size_t size, struct nj_quic_packet *ret_packet)
{
	struct nj_cursor c = nj_cursor_make(data, size);
	struct nj_quic_packet packet = {.bytes = size};
	uint8_t first = nj_cursor_u8(&c);
	packet.version = nj_cursor_u32(&c);
	packet.dcid_bytes = nj_cursor_u8(&c);
	packet.dcid = nj_cursor_take(&c, packet.dcid_bytes);
	uint8_t scid_bytes = nj_cursor_u8(&c);
	nj_cursor_skip(&c, scid_bytes);
	if (!nj_cursor_ok(&c) || !(first & LONG_HEADER) || packet.dcid_bytes > NJ_QUIC_ID_MAX ||
	    scid_bytes > NJ_QUIC_ID_MAX)
		return false;
	const struct version *version = version_of(packet.version);
	if (packet.version != 0 && version == NULL)
		return false;
	packet.type = packet.version == 0 ? NJ_QUIC_NEGOTIATION : type_of(first, version);
	if (packet.type == NJ_QUIC_INITIAL && !initial_rest(&c, data, &packet))
		return false;
	if ((packet.type == NJ_QUIC_ZERO_RTT || packet.type == NJ_QUIC_HANDSHAKE) && !other_rest(&c, data, &packet))
		return false;
	*ret_packet = packet;
	return true;
}

void nj_quic_initial_keys(uint32_t version, const uint8_t *dcid, size_t dcid_bytes, bool from_client,
			  struct nj_quic_keys *ret_keys)
{
	uint8_t initial[NJ_SHA256_BYTES], secret[NJ_SHA256_BYTES];
	const struct version *v = version_of(version);
	assert(v != NULL);
	nj_hkdf_extract(v->salt, sizeof v->salt, dcid, dcid_bytes, initial);
	nj_hkdf_expand_label(initial, from_client ? "client in" : "server in", secret, sizeof secret);
	nj_hkdf_expand_label(secret, v->second ? "quicv2 key" : "quic key", ret_keys->key, sizeof ret_keys->key);
	nj_hkdf_expand_label(secret, v->second ? "quicv2 iv" : "quic iv", ret_keys->iv, sizeof ret_keys->iv);
	nj_hkdf_expand_label(secret, v->second ? "quicv2 hp" : "quic hp", ret_keys->head, sizeof ret_keys->head);
}

/* The header with its protection removed; gives its size. */
static size_t bare_header(struct nj_aes *aes, const struct nj_quic_keys *keys, const uint8_t *data, size_t number_at,
			  uint8_t *header, uint32_t *ret_number)
{
	uint8_t mask[NJ_AES_BYTES];
	nj_aes_block(aes, keys->head, data + number_at + NUMBER_BYTES_MAX, mask);
	memcpy(header, data, number_at + NUMBER_BYTES_MAX);
	header[0] ^= mask[0] & 0x0f;
	size_t number_bytes = (header[0] & 3u) + 1;
	*ret_number = 0;
	for (size_t i = 0; i < number_bytes; i++) {
		header[number_at + i] ^= mask[1 + i];
		*ret_number = *ret_number << 8 | header[number_at + i];
	}
	return number_at + number_bytes;
}

bool nj_quic_open(struct nj_aes *aes, const struct nj_quic_keys *keys, const uint8_t *data,
		  const struct nj_quic_packet *packet, uint8_t ret_plain[NJ_QUIC_PLAIN_MAX], size_t *ret_size)
{
	uint8_t header[NJ_QUIC_PLAIN_MAX], nonce[NJ_AES_NONCE_BYTES];
	uint32_t number;
	assert(packet->type == NJ_QUIC_INITIAL);
	assert(packet->number_at + NUMBER_BYTES_MAX + SAMPLE_BYTES <= packet->bytes);
	if (packet->bytes > NJ_QUIC_PLAIN_MAX)
		return false;
	size_t header_bytes = bare_header(aes, keys, data, packet->number_at, header, &number);
	memcpy(nonce, keys->iv, sizeof nonce);
	for (unsigned i = 0; i < 4; i++)
		nonce[sizeof nonce - 1 - i] ^= (uint8_t)(number >> (8 * i));
	struct nj_aes_sealed sealed = {.head = header,
				       .head_bytes = header_bytes,
				       .data = data + header_bytes,
				       .bytes = packet->bytes - header_bytes - NJ_AES_BYTES};
	*ret_size = sealed.bytes;
	return nj_aes_open(aes, keys->key, nonce, &sealed, ret_plain);
}

/* Largest, delay, ranges; with counts of ECN marks. */
static void skip_ack(struct nj_cursor *c, bool ecn)
{
	(void)variable(c);
	(void)variable(c);
	uint64_t ranges = variable(c);
	if (ranges > ACK_RANGES_MAX) {
		nj_cursor_skip(c, nj_cursor_left(c));
		return;
	}
	for (uint64_t fields = 1 + 2 * ranges + (ecn ? 3 : 0); fields > 0 && nj_cursor_ok(c); fields--)
		(void)variable(c);
}

bool nj_quic_crypto_next(struct nj_cursor *frames, struct nj_quic_crypto *ret_crypto)
{
	while (nj_cursor_left(frames) > 0) {
		uint8_t type = nj_cursor_u8(frames);
		switch (type) {
		case FRAME_PADDING:
		case FRAME_PING:
			break;
		case FRAME_ACK:
		case FRAME_ACK_ECN:
			skip_ack(frames, type == FRAME_ACK_ECN);
			break;
		case FRAME_CRYPTO: {
			uint64_t offset = variable(frames), size = variable(frames);
			if (!nj_cursor_ok(frames) || size > nj_cursor_left(frames))
				return false;
			*ret_crypto =
				(struct nj_quic_crypto){offset, nj_cursor_take(frames, (size_t)size), (size_t)size};
			return true;
		}
		default: /* CONNECTION_CLOSE, or nothing that belongs here */
			return false;
		}
	}
	return false;
}
