/* SIGINT and SIGTERM ask a long job to stop soon and to tell what it has; a second one ends the process. SIGPIPE is
 * ignored, so that a closed pipe is an error of writing (nj_console_flush) and not a death in the middle of a database
 * transaction. */
#ifndef NJ_CLI_INTERRUPT_H
#define NJ_CLI_INTERRUPT_H

#include <stdbool.h>

void nj_interrupt_watch(void); /* once, by main.c */
bool nj_interrupted(void);     /* any thread */

#endif
