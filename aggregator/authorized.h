/* Who may deliver: a folder with one public key a sensor, SENSOR.pub, and nothing else to configure. The file's name is
 * the sensor's, so a key is an identity: what a peer may say in whose name is looked up by its key. Other files are
 * left alone, so a key that is renamed away is revoked, too. Read whole or not at all; a value that does not change is
 * asked from then on, and a new one is loaded to replace it. One thread. Memory: 68 bytes a key, at most
 * NJ_AUTHORIZED_MAX. */
#ifndef NJ_AGGREGATOR_AUTHORIZED_H
#define NJ_AGGREGATOR_AUTHORIZED_H

#include "common/curve_key.h"

#include <stdint.h>

#define NJ_AUTHORIZED_MAX 4096

struct nj_authorized;

/* Messages name the file that is wrong: unreadable, no public key, no sensor's name, a key that another has, too.
 * NJ_ERR_NOT_FOUND, _PERMISSION, _IO, _FORMAT, _USAGE, _LIMIT, _MEMORY. *returns owned*. */
NJ_MUST_CHECK int nj_authorized_load(const char *folder, struct nj_message *message,
				     struct nj_authorized **ret_authorized);
void nj_authorized_free(struct nj_authorized **authorized);

/* The sensor whose key it is, or NULL; *returns borrowed until* free. O(log n). */
const char *nj_authorized_sensor(const struct nj_authorized *authorized, const struct nj_curve_key *key);
uint32_t nj_authorized_n(const struct nj_authorized *authorized);

#endif
