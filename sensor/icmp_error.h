/* ICMP and ICMPv6 errors carry the head of the packet that caused them: enough to name the flow it belonged to. Pure;
 * any thread. */
#ifndef NJ_SENSOR_ICMP_ERROR_H
#define NJ_SENSOR_ICMP_ERROR_H

#include "sensor/packet.h"

#include <stdbool.h>

/* True when *packet* is an error with a readable IP header inside; then *ret_about* has the addresses, segment,
 * protocol and, where eight bytes of transport header are there, the ports of the packet it speaks of; all else is
 * zero. */
bool nj_icmp_error(const struct nj_packet *packet, struct nj_packet *ret_about);

/* Says that the destination could not be reached, so that the flow spoken of is refused: not "too big". */
bool nj_icmp_unreachable(const struct nj_packet *packet);

#endif
