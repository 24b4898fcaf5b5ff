/* TLS hellos, as a passive listener sees them: what the client offers and what the server chose. Two entrances each:
 * one for a TCP stream (record layer included; a hello may span several records) and one for a bare handshake message,
 * as QUIC carries it in CRYPTO frames. Pure; cost is one pass over the hello, plus one copy of it when it spans
 * records. Versions are the wire's: 0x0303 is TLS 1.2. */
#ifndef NJ_SENSOR_TLS_H
#define NJ_SENSOR_TLS_H

#include "sensor/parse.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NJ_TLS_HELLO_BYTES_MAX 16384 /* a longer hello message is refused (NJ_PARSE_NO) */
#define NJ_TLS_CIPHERS_MAX     512   /* more than are registered */
#define NJ_TLS_EXTENSIONS_MAX  128
#define NJ_TLS_SIGALGS_MAX     128
#define NJ_TLS_NAME_MAX        256 /* with the NUL */
#define NJ_TLS_ALPN_MAX        256 /* with the NUL; no name is longer */

/* Lists are as offered, in order, GREASE included. *_n counts what was offered, exactly; only the first *_MAX are kept.
 * Valid only after NJ_PARSE_DONE. 2 kB: one per thread as scratch, never one per flow. */
struct nj_client_hello {
	uint16_t legacy_version; /* of the hello itself */
	uint16_t version_max;    /* highest standard one of supported_versions, 0 if that lists none; without it
				    legacy_version */
	uint16_t ciphers_n;
	uint16_t extensions_n;
	uint16_t sigalgs_n;
	uint16_t alpn_n;    /* protocols offered */
	uint16_t sni_bytes; /* length of the name on the wire, may exceed what is kept */
	uint8_t alpn_bytes; /* length of the first protocol on the wire, may exceed what is kept */
	bool has_sni;       /* the extension is there, even if empty */
	bool has_ech;       /* encrypted client hello offered: the name may be a cover */
	bool has_supported_versions;
	bool is_v2; /* in SSL 2.0 framing (RFC 5246 E.2), as old clients open: no extensions */
	uint16_t ciphers[NJ_TLS_CIPHERS_MAX];
	uint16_t extensions[NJ_TLS_EXTENSIONS_MAX];
	uint16_t sigalgs[NJ_TLS_SIGALGS_MAX];
	char sni[NJ_TLS_NAME_MAX]; /* first host name, raw bytes as sent, NUL-terminated: a NUL inside ends it early */
	uint8_t alpn[NJ_TLS_ALPN_MAX]; /* first protocol, raw bytes as sent, then NUL */
};

struct nj_server_hello {
	uint16_t version;              /* chosen: supported_versions where present, else the hello's own */
	uint16_t cipher;               /* chosen */
	bool retry;                    /* a HelloRetryRequest: another ServerHello follows */
	uint8_t alpn_bytes;            /* 0: not visible (TLS 1.3 encrypts it) or none */
	uint8_t alpn[NJ_TLS_ALPN_MAX]; /* as above */
};

/* From the first byte of a direction of a TCP stream. The client's hello may also come in SSL 2.0 framing. */
enum nj_parse nj_tls_client_hello(const uint8_t *data, size_t size, struct nj_client_hello *ret_hello);
enum nj_parse nj_tls_server_hello(const uint8_t *data, size_t size, struct nj_server_hello *ret_hello);

/* From the first byte of a handshake message (type, 24-bit length, body). */
enum nj_parse nj_tls_client_hello_message(const uint8_t *data, size_t size, struct nj_client_hello *ret_hello);
enum nj_parse nj_tls_server_hello_message(const uint8_t *data, size_t size, struct nj_server_hello *ret_hello);

/* A value reserved to be ignored (RFC 8701): 0x0a0a, 0x1a1a ... 0xfafa. */
static inline bool nj_tls_is_grease(uint16_t value)
{
	return (value & 0x0f0f) == 0x0a0a && value >> 8 == (value & 0xff);
}

#endif
