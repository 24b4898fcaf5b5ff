/* What libpcap does not offer on the packet socket of a live device: sharing an interface among workers
 * (PACKET_FANOUT), the kernel's drop counter by itself, and shutting it while its ring is still to be read. */
#ifndef NJ_SENSOR_PACKET_SOCKET_H
#define NJ_SENSOR_PACKET_SOCKET_H

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

#define NJ_FANOUT_NEW UINT32_MAX /* no group yet: the kernel is asked for a number nobody uses */

/* The value of the socket option: frames go where a program says. Pure. */
uint32_t nj_fanout_word(uint32_t group);

/* Joins the group; or founds one, with the program of sensor/spread.h, and tells its number. The order of joining is
 * the order of workers. NJ_ERR_IO with a message. */
NJ_MUST_CHECK int nj_fanout_join(int fd, uint32_t *group, struct nj_message *message);

/* Frames are stamped when they are received, once for all who capture, and not by each socket when it gets them. */
void nj_packet_socket_stamp(int fd);

/* Frames the kernel could not put into the ring since the last call; 0 when it does not say. */
uint32_t nj_packet_socket_drops(int fd);

/* No frame enters the ring any more; those in it stay to be read. */
void nj_packet_socket_shut(int fd);

#endif
