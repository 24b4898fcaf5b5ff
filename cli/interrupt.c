/* See interrupt.h. SA_RESETHAND gives the second signal its default meaning; SA_RESTART is left out, so that a blocking
 * read of standard input ends. */
#include "cli/interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t asked;

static void on_signal(int number)
{
	(void)number;
	asked = 1;
}

void nj_interrupt_watch(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND};
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

bool nj_interrupted(void)
{
	return asked != 0;
}
