/* Which worker the kernel gives a live frame to: a program for PACKET_FANOUT_CBPF, run by the kernel for every frame,
 * that hashes the unordered pair of IP addresses as nj_worker_pick() does: both directions of a flow, its fragments and
 * the ICMP errors that speak of it meet in one worker. The kernel's own hash (PACKET_FANOUT_HASH) takes ports too, so
 * errors come to other workers than their flows, and the two directions of a VXLAN flow part.
 *
 * Seen through: up to two VLAN tags, then VXLAN (ports 4789, 8472) and GENEVE (6081) over either IP, with a tag inside.
 * In other tunnels the outer pair counts, which keeps flows together too, but puts all of one tunnel on one worker.
 * Frames of other kinds go to the first worker. Of IPv6, extension headers are not followed. Pure. */
#ifndef NJ_SENSOR_SPREAD_H
#define NJ_SENSOR_SPREAD_H

#include <linux/filter.h>
#include <stdint.h>

#define NJ_SPREAD_STEPS_MAX 384

/* Writes the program and gives its length. Its result is a hash of 32 bits; the kernel takes it modulo the number of
 * workers. */
uint32_t nj_spread_program(struct sock_filter steps[NJ_SPREAD_STEPS_MAX]);

#endif
