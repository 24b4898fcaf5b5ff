/* See interrupt.h. SA_RESETHAND gives the second signal its default meaning; SA_RESTART is left out, so that a blocking
 * read of standard input ends. The signal may reach any thread, and the sensor's asks: the flag is atomic. */
#include "cli/interrupt.h"

#include <assert.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

static atomic_bool asked;
static_assert(ATOMIC_BOOL_LOCK_FREE == 2, "a signal handler may not lock");

static void on_signal(int number)
{
	(void)number;
	atomic_store(&asked, true);
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
	return atomic_load(&asked);
}
