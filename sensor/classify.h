/* What application a flow speaks, and what is wrong with it, by nDPI. The only file that includes nDPI's headers is
 * classify.c, built against 4.2; its branches for 4.8 to 6.0 were never run. One classifier a worker, used by the
 * worker's thread alone.
 *
 * nDPI sees the first packets with payload of a flow, until it knows the application or a bound is reached (then it may
 * guess, as ndpiReader does). Its state, 0.7 to 2 kB a flow, comes from a pool and goes back at once: elephants and the
 * long idle have none. What nDPI learns from one flow for another (its caches of addresses) is switched off: a label
 * would depend on which other flows the same worker saw.
 *
 * Memory: states_max * (size of nDPI's flow + 16 B), plus what one detection module takes (2 to 20 MB by version), plus
 * what nDPI itself allocates for strings of flows in the pool; the latter two are measured, see
 * nj_classify_library_bytes(). */
#ifndef NJ_SENSOR_CLASSIFY_H
#define NJ_SENSOR_CLASSIFY_H

#include "common/error.h"
#include "sensor/packet.h"

#include <stdbool.h>

#define NJ_CLASSIFY_NONE  UINT32_MAX
#define NJ_LABEL_UNKNOWN  0
#define NJ_LABELS_MAX     4096 /* distinct labels a worker can tell; further ones are told as Unknown */
#define NJ_LABEL_TEXT_MAX 64   /* as ndpiReader prints it: master.application; with the NUL */

struct nj_classify;

struct nj_classify_result {
	uint16_t label;
	uint64_t risks; /* nDPI's bits, 1 << ndpi_risk_enum */
};

uint64_t nj_classify_memory_bytes(uint32_t states_max);
NJ_MUST_CHECK int nj_classify_new(uint32_t states_max, struct nj_message *message,
				  struct nj_classify **ret_classify); /* NJ_ERR_MEMORY */
void nj_classify_free(struct nj_classify **classify);

/* A state for the flow *owner*; NJ_CLASSIFY_NONE when all are taken: finish that of nj_classify_oldest_owner() first.
 */
uint32_t nj_classify_begin(struct nj_classify *classify, uint32_t owner);
uint32_t nj_classify_oldest_owner(const struct nj_classify *classify);

/* Shows one packet. True: the application is known, call finish. */
bool nj_classify_packet(struct nj_classify *classify, uint32_t state, const struct nj_packet *packet);

/* Gives the state back. *guess*: where nDPI does not know, it may guess by port and address. */
void nj_classify_finish(struct nj_classify *classify, uint32_t state, bool guess,
			struct nj_classify_result *ret_result);

/* What nDPI makes of ports and addresses alone: for a flow that never carried payload. NJ_LABEL_UNKNOWN mostly. */
uint16_t nj_classify_guess(struct nj_classify *classify, uint8_t protocol, const struct nj_addr *src, uint16_t src_port,
			   const struct nj_addr *dst, uint16_t dst_port);

/* *returns borrowed until* free. */
const char *nj_classify_label(const struct nj_classify *classify, uint16_t label);

/* A label that is not nDPI's ("ARP"). */
uint16_t nj_classify_label_make(struct nj_classify *classify, const char *text);

/* Bytes that nDPI itself holds now, in this process; and its version, as "4.2.0". */
uint64_t nj_classify_library_bytes(void);
const char *nj_classify_library_version(void);

#endif
