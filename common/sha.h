/* Digests of bytes that are all at hand: SHA-256 and SHA-1 of one range, MD5 of several ranges in a row, and their text
 * in hex. MD5 and SHA-1 serve only published fingerprints (HASSH, Community ID), nothing here protects anything. No
 * allocation, about 10 ns a byte at worst; any thread. */
#ifndef NJ_COMMON_SHA_H
#define NJ_COMMON_SHA_H

#include <stddef.h>
#include <stdint.h>

#define NJ_SHA256_BYTES 32
#define NJ_SHA1_BYTES   20
#define NJ_MD5_BYTES    16

struct nj_bytes {
	const void *data; /* borrowed */
	size_t size;
};

void nj_sha256(const void *data, size_t size, uint8_t digest[NJ_SHA256_BYTES]);
void nj_sha1(const void *data, size_t size, uint8_t digest[NJ_SHA1_BYTES]);
void nj_md5(const struct nj_bytes *parts, size_t parts_n, uint8_t digest[NJ_MD5_BYTES]);

/* Lower-case hex of *size* bytes, then NUL: *text* holds 2 * size + 1. Returns it. */
char *nj_hex(const uint8_t *data, size_t size, char *text);

#endif
