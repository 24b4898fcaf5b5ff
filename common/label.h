/* Any bytes made safe to show to people. Host names, client strings and file names come from strangers: control
 * characters move a terminal's cursor, right-to-left marks turn words around, invisible characters make two names look
 * alike. All of them, and whatever is not UTF-8, become U+FFFD. Pure; any thread; linear in the bytes read. */
#ifndef NJ_COMMON_LABEL_H
#define NJ_COMMON_LABEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NJ_LABEL_REPLACEMENT 0xfffd

/* The code point at *at, which moves on: past a valid UTF-8 sequence, or past one byte that begins none (then
 * NJ_LABEL_REPLACEMENT, and *ret_valid false). Surrogates, overlong forms and values over U+10FFFF are not valid. Needs
 * *at < end. */
uint32_t nj_label_next(const uint8_t **at, const uint8_t *end, bool *ret_valid);

/* Copies *size* bytes as safe UTF-8 with a NUL, cut at a whole character where *text_size* ends. Gives the length. */
size_t nj_label(const void *bytes, size_t size, char *ret_text, size_t text_size);

/* The same in printable ASCII: every other byte becomes '?'. A result that would be cut keeps its *last* characters: in
 * a host name the end says whose it is. */
size_t nj_label_ascii(const void *bytes, size_t size, char *ret_text, size_t text_size);

#endif
