/* The keys that prove on a link who is who: Curve25519 points of 32 bytes. People see them as Z85 text (ZeroMQ RFC 32)
 * of 40 characters, files hold one line "secret KEY" or "public KEY" after comments that begin with '#'. A secret's
 * file must be its owner's alone. Used while a configuration is read and when a peer shows its key; no allocation, any
 * thread. Whoever holds a secret wipes it when done. */
#ifndef NJ_COMMON_CURVE_KEY_H
#define NJ_COMMON_CURVE_KEY_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NJ_CURVE_KEY_BYTES      32
#define NJ_CURVE_TEXT_BYTES     41   /* Z85 and a NUL */
#define NJ_CURVE_FILE_BYTES_MAX 4096 /* comments included */

enum nj_curve_kind { NJ_CURVE_PUBLIC, NJ_CURVE_SECRET };

struct nj_curve_key {
	uint8_t bytes[NJ_CURVE_KEY_BYTES];
};

void nj_curve_key_text(const struct nj_curve_key *key, char ret_text[static NJ_CURVE_TEXT_BYTES]);

/* False: not 40 characters of Z85, or the key of zeros, which every peer could claim. */
bool nj_curve_key_parse(const char *text, size_t size, struct nj_curve_key *ret_key);
bool nj_curve_key_equal(const struct nj_curve_key *a, const struct nj_curve_key *b);
void nj_curve_key_wipe(struct nj_curve_key *key);

/* Exactly one key of *kind* in the *text* of a file; messages begin with *name*. NJ_ERR_USAGE: it is the other kind;
 * NJ_ERR_FORMAT: it is none. */
NJ_MUST_CHECK int nj_curve_file_parse(const char *name, const char *text, size_t size, enum nj_curve_kind kind,
				      struct nj_message *message, struct nj_curve_key *ret_key);

/* Reads a key from a regular file. NJ_ERR_PERMISSION for a secret that others than its owner can reach, with the
 * command that mends it; NJ_ERR_NOT_FOUND, _IO, _LIMIT, and those of nj_curve_file_parse(). */
NJ_MUST_CHECK int nj_curve_file_load(const char *path, enum nj_curve_kind kind, struct nj_message *message,
				     struct nj_curve_key *ret_key);

/* Makes the file, a secret's with mode 0600, and writes it through to the disk. *comment* is one line. NJ_ERR_USAGE:
 * there is one already, which stays as it is. */
NJ_MUST_CHECK int nj_curve_file_write(const char *path, enum nj_curve_kind kind, const struct nj_curve_key *key,
				      const char *comment, struct nj_message *message);

#endif
