/* An agent that thinks with a peer and acts in between, for the tests of what judges such: it lives in continuous time
 * and fills one window after the other. All static: each test program has its own. */
#ifndef NJ_TESTS_UNIT_SAMPLE_LOOP_H
#define NJ_TESTS_UNIT_SAMPLE_LOOP_H

#include "tests/unit/sample_rounds.h"

struct sample_loop {
	const char *agent, *brain, *name; /* addresses; name of the brain, or NULL */
	uint16_t flags;                   /* marks of its exchanges */
	uint16_t score;                   /* of its answers */
	double t_s;                       /* now, since SAMPLE_T0_NS */
	double reads_s;                   /* between what was done and the next question, beside 0.05..0.4 s */
	uint64_t up;                      /* bytes of the next question */
	uint64_t random;
	uint32_t turns;
	/* What the agent does in turn *turn*: the contact of this window it does it with, or NULL for nothing. */
	struct nj_contact *(*act)(struct sample_loop *loop, struct nj_window *window, uint32_t turn);
};

static double sample_loop_draw(struct sample_loop *loop, double least, double most)
{
	return least + (most - least) * (double)(sample_random(&loop->random) >> 11) * 0x1p-53;
}

/* Plays the turns that begin in the window that is built now; those that would reach beyond it wait for the next. */
__attribute__((unused)) static struct nj_window *sample_loop_window(struct sample_bench *bench,
								    struct sample_loop *loop)
{
	struct nj_window *window = sample_window(bench, sample_addr(loop->agent));
	double begin_s = (double)(bench->start_ns - SAMPLE_T0_NS) / 1e9, end_s = begin_s + 10;
	if (loop->random == 0)
		loop->random = 88172645463325252ull;
	if (loop->t_s < begin_s)
		loop->t_s = begin_s;
	for (;;) {
		uint64_t before = loop->random;
		double thought_s = loop->t_s + sample_loop_draw(loop, 1.0, 4.0);
		double began_s = thought_s + sample_loop_draw(loop, 0.1, 0.9);
		double done_s = began_s + sample_loop_draw(loop, 0.2, 1.0);
		if (done_s >= end_s) {
			loop->random = before;
			loop->t_s = end_s; /* waits: a longer turn */
			return window;
		}
		struct nj_exchange *exchange =
			sample_exchange(window, sample_addr(loop->brain), (int64_t)((loop->t_s - begin_s) * 1000),
					(int64_t)((thought_s - begin_s) * 1000));
		exchange->flags |= loop->flags;
		exchange->score = loop->score;
		exchange->form = loop->score >= NJ_SCORE_STREAMED ? NJ_FORM_STREAMED : NJ_FORM_SINGLE;
		exchange->bytes_up = loop->up += 400;
		if (loop->name != NULL)
			snprintf(exchange->name, sizeof exchange->name, "%s", loop->name);
		snprintf(exchange->client, sizeof exchange->client, "t13d1812h1_85036bcba153_d41ae481755e");
		exchange->client_kind = NJ_CLIENT_JA4;
		struct nj_contact *contact = loop->act(loop, window, loop->turns++);
		if (contact != NULL)
			sample_act(window, contact, (uint32_t)((began_s - begin_s) * 1000),
				   (uint32_t)((done_s - begin_s) * 1000));
		loop->t_s = done_s + loop->reads_s + sample_loop_draw(loop, 0.05, 0.4);
		if (loop->t_s >= end_s)
			return window;
	}
}

/* A contact of the window, the same one for the same peer and port. */
__attribute__((unused)) static struct nj_contact *sample_loop_contact(struct nj_window *window, struct nj_addr peer,
								      uint16_t port, enum sample_end end)
{
	for (uint32_t i = 0; i < window->contacts_n; i++)
		if (nj_addr_equal(&window->contacts[i].peer, &peer) && window->contacts[i].port == port)
			return &window->contacts[i];
	return sample_contact(window, peer, port, 6, end);
}

/* A coding agent: its repository, its package mirror, its tests. */
__attribute__((unused)) static struct nj_contact *sample_codes(struct sample_loop *loop, struct nj_window *window,
							       uint32_t turn)
{
	static const uint16_t ports[3] = {443, 8081, 5432};
	(void)loop;
	struct nj_contact *contact = sample_loop_contact(window, sample_addr_plus("10.20.20.10", turn % 3),
							 ports[turn % 3], SAMPLE_ANSWERED);
	sample_bytes(window, contact, 2000, 9000);
	return contact;
}

#endif
