/* QUIC as far as everybody on the path can read it: the client's Initial packets, which carry its ClientHello,
 * encrypted with keys that are made of the first packet's own bytes (RFC 9001 5.2; RFC 9369 for version 2; the drafts
 * still seen in recordings). Pure but for the cipher's handle; no allocation. Opening a packet of 1,200 bytes takes
 * about 8 us, and there are one to four a connection. */
#ifndef NJ_SENSOR_QUIC_H
#define NJ_SENSOR_QUIC_H

#include "common/aes.h"
#include "common/cursor.h"

#define NJ_QUIC_ID_MAX    20   /* bytes of a connection id */
#define NJ_QUIC_PLAIN_MAX 4096 /* a larger packet is not opened: Initials keep to the path's MTU */

enum nj_quic_type { NJ_QUIC_INITIAL, NJ_QUIC_ZERO_RTT, NJ_QUIC_HANDSHAKE, NJ_QUIC_RETRY, NJ_QUIC_NEGOTIATION };

/* A packet with a long header. Pointers are into the datagram. */
struct nj_quic_packet {
	uint32_t version;
	enum nj_quic_type type;
	const uint8_t *dcid; /* of the side it is sent to */
	uint8_t dcid_bytes;
	size_t token_bytes; /* Initial */
	size_t number_at;   /* offset of the packet number; Initial */
	size_t bytes;       /* of the packet: another may follow in the datagram */
};

struct nj_quic_keys {
	uint8_t key[NJ_AES_BYTES], iv[NJ_AES_NONCE_BYTES], head[NJ_AES_BYTES]; /* packet, nonce, header protection */
};

/* Whether this version's Initials can be opened. */
bool nj_quic_knows(uint32_t version);

/* Whether a datagram may be a client's first: it begins with an Initial, or 0-RTT data, of a version that can be
 * opened. The look that every first datagram of a flow gets. */
bool nj_quic_begins(const uint8_t *data, size_t size);

/* The long header at the beginning of *data*. False: there is none, it is broken, or of an unknown version (a version
 * negotiation is told). */
bool nj_quic_header(const uint8_t *data, size_t size, struct nj_quic_packet *ret_packet);

/* Of what the client sends, or the server; *dcid*: that of the client's first Initial. A known version. */
void nj_quic_initial_keys(uint32_t version, const uint8_t *dcid, size_t dcid_bytes, bool from_client,
			  struct nj_quic_keys *ret_keys);

/* Removes the protection of an Initial at *data*; its frames into *ret_plain*. False: made with other keys, damaged, or
 * too large. */
bool nj_quic_open(struct nj_aes *aes, const struct nj_quic_keys *keys, const uint8_t *data,
		  const struct nj_quic_packet *packet, uint8_t ret_plain[NJ_QUIC_PLAIN_MAX], size_t *ret_size);

/* A piece of the handshake: *size* bytes from *offset* of its stream on. */
struct nj_quic_crypto {
	uint64_t offset;
	const uint8_t *data;
	size_t size;
};

/* The next CRYPTO frame, others being skipped; false at the end, or at a frame that has no place in an Initial. */
bool nj_quic_crypto_next(struct nj_cursor *frames, struct nj_quic_crypto *ret_crypto);

#endif
