/* An alert line of JSON back into the object, for verbs that ask a store: the reverse of nj_alert_json(), lenient
 * towards what later releases add. */
#ifndef NJ_CLI_ALERT_READ_H
#define NJ_CLI_ALERT_READ_H

#include "aggregator/alert.h"

/* NJ_ERR_FORMAT: no alert. Times come back in microseconds, as they were written. */
NJ_MUST_CHECK int nj_alert_read(const char *json, struct nj_message *message, struct nj_alert *ret_alert);

#endif
