/* Alerts as lines of JSON at the end of a file, each once, whenever the writer was killed: a line cut short at the end
 * is taken off when the file is opened, and the last whole line says how far it goes. With the store's memory of what
 * was told (aggregator/store.h) no line is missing and none comes twice; a file that was moved away by a log rotation
 * and begun anew goes on where the store says. Or standard output, where a line can come twice if the aggregator is
 * killed between writing it and remembering that: its id tells. One thread. */
#ifndef NJ_AGGREGATOR_ALERT_FILE_H
#define NJ_AGGREGATOR_ALERT_FILE_H

#include "common/error.h"

#include <stdint.h>

struct nj_alert_file;

/* *path* "": standard output. NJ_ERR_FORMAT: what stands in the file are no alerts. *returns owned*. */
NJ_MUST_CHECK int nj_alert_file_open(const char *path, struct nj_message *message, struct nj_alert_file **ret_file);
void nj_alert_file_close(struct nj_alert_file **file);

uint64_t nj_alert_file_last(const struct nj_alert_file *file); /* id of the last line when it was opened; 0: none */

/* Durable when it returns 0, in a file. */
NJ_MUST_CHECK int nj_alert_file_line(void *file, const char *json);
const char *nj_alert_file_message(const struct nj_alert_file *file); /* why a line could not be written */

#endif
