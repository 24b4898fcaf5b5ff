/* The clear-text opening of an SSH connection: identification line (RFC 4253 4.2) and key exchange offer, with the
 * offer's fingerprint HASSH (client) or HASSHServer: MD5 over the key exchange, encryption, MAC and compression names
 * of the direction, joined by ';' (github.com/salesforce/hassh). Pure; one MD5 of the offered names a call. */
#ifndef NJ_SENSOR_SSH_H
#define NJ_SENSOR_SSH_H

#include "sensor/parse.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NJ_SSH_SOFTWARE_MAX     256   /* with the NUL */
#define NJ_HASSH_TEXT_MAX       33    /* with the NUL */
#define NJ_SSH_LINES_BYTES_MAX  4096  /* identification and the lines a server may send before it */
#define NJ_SSH_PACKET_BYTES_MAX 35000 /* RFC 4253 6.1 */

struct nj_ssh {
	uint8_t version;                    /* 1: protocol 1.x; 2: 2.0 and 1.99; 0: no identification line yet */
	char software[NJ_SSH_SOFTWARE_MAX]; /* behind "SSH-2.0-", comments included, printable ASCII ('?' for the rest)
					     */
	char hassh[NJ_HASSH_TEXT_MAX];      /* empty until the offer was read; protocol 1 has none */
};

/* The opening of one direction. Whatever the verdict, *software* and *version* are set once the identification line was
 * complete: an offer that is broken or never comes does not undo who introduced itself. */
enum nj_parse nj_ssh_opening(const uint8_t *data, size_t size, bool from_client, struct nj_ssh *ret_ssh);

#endif
