/* A number for what a sensor reads, if it can be read again: from the files' identity (device, inode, size, time of
 * change), or from a name that people give to input that has none of its own (a pipe); and from the options that the
 * windows and their batches depend on. The same number means: the same batches in the same order. Once, at the start.
 */
#ifndef NJ_SENSOR_READING_H
#define NJ_SENSOR_READING_H

#include "sensor/sensor_config.h"

#include <stdint.h>

struct nj_capture;

/* 0: input that cannot be recognised. */
uint64_t nj_reading_of(const struct nj_capture *capture, const struct nj_sensor_config *config);

#endif
