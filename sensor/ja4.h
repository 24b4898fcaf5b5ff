/* JA4, the TLS client fingerprint (FoxIO, BSD-3-Clause; none of the other JA4+ methods, which carry another licence):
 *   t13d1516h2_8daaf6152771_e5627efa2ab1
 * transport, version, SNI or not, numbers of ciphers and extensions, first and last character of the first ALPN; then
 * 12 hex digits of SHA-256 over the sorted ciphers, and over the sorted extensions with the signature algorithms. Pure,
 * any thread; two sorts and two SHA-256 of at most 2.5 kB, about 2 us for a browser's hello. */
#ifndef NJ_SENSOR_JA4_H
#define NJ_SENSOR_JA4_H

#include "sensor/tls.h"

#include <stdbool.h>

#define NJ_JA4_TEXT_MAX 37 /* with the NUL */

/* *transport*: 't' TCP, 'q' QUIC, 'd' DTLS. False, and *ret_text* untouched, when the hello offered more than is kept
 * of it, since a hash over half a list would name another client; and for a hello in SSL 2.0 framing, which other tools
 * give none. */
bool nj_ja4(const struct nj_client_hello *hello, char transport, char ret_text[NJ_JA4_TEXT_MAX]);

#endif
