/* With n faded pairs, R results and S kinds of next action that occur at all:
 *
 *   MI = sum p(r,s) ln[p(r,s)/(p(r) p(s))]      what is said is max(0, MI - (R - 1)(S - 1)/(2 n))
 *   G  = 2 n MI, chi-square with (R - 1)(S - 1) degrees of freedom when the next target ignores the result
 *
 * The bias is that of Miller (1955). Degrees of freedom count what occurs: a sweep that is only ever refused has none,
 * and then p = 1. The chi-square is an approximation that is too eager below five expected a cell, so ln p is scaled by
 * n/(n + 10). Half-life 30 min. */
#include "models/adapt.h"

#include "models/math.h"

#include <math.h>

#define HALF_LIFE_NS (1800 * UINT64_C(1000000000))
#define CAREFUL      10.0

static enum nj_adapt_next kind_of(const struct nj_adapt *adapt, uint32_t host, uint32_t port)
{
	if (host == adapt->host)
		return port == adapt->port ? NJ_ADAPT_SAME : NJ_ADAPT_NEW_PORT;
	return port == adapt->port ? NJ_ADAPT_NEW_HOST : NJ_ADAPT_NEW_BOTH;
}

static void fade(struct nj_adapt *adapt, uint64_t t_ns)
{
	if (t_ns <= adapt->t_ns)
		return;
	float left = (float)exp2(-(double)(t_ns - adapt->t_ns) / (double)HALF_LIFE_NS);
	for (int r = 0; r < NJ_ADAPT_RESULTS; r++)
		for (int s = 0; s < NJ_ADAPT_NEXTS; s++)
			adapt->count[r][s] *= left;
	adapt->followed *= left;
	adapt->follows *= left;
	adapt->t_ns = t_ns;
}

static void count_follow(struct nj_adapt *adapt, uint32_t host)
{
	for (int i = 0; i < NJ_ADAPT_FOLLOW; i++) {
		if (adapt->follow_left[i] == 0)
			continue;
		adapt->follow_left[i]--;
		adapt->follows += 1;
		adapt->followed += adapt->follow_host[i] == host;
	}
}

/* The success takes the place of the one with fewest actions left to count. */
static void begin_follow(struct nj_adapt *adapt, uint32_t host)
{
	int at = 0;
	for (int i = 1; i < NJ_ADAPT_FOLLOW; i++)
		if (adapt->follow_left[i] < adapt->follow_left[at])
			at = i;
	adapt->follow_host[at] = host;
	adapt->follow_left[at] = NJ_ADAPT_FOLLOW;
}

static uint16_t host_at(const struct nj_adapt *adapt, unsigned i)
{
	return (uint16_t)(adapt->hosts[i / 2] >> (i % 2 * 16));
}

static void keep_host(struct nj_adapt *adapt, uint32_t host)
{
	unsigned at = adapt->hosts_head % NJ_ADAPT_HOSTS, shift = at % 2 * 16;
	adapt->hosts[at / 2] = (adapt->hosts[at / 2] & ~(0xffffu << shift)) | (host & 0xffff) << shift;
	adapt->hosts_head = (uint8_t)((at + 1) % NJ_ADAPT_HOSTS);
	if (adapt->hosts_n < NJ_ADAPT_HOSTS)
		adapt->hosts_n++;
}

void nj_adapt_step(struct nj_adapt *adapt, uint64_t t_ns, uint64_t host_hash, uint16_t port,
		   enum nj_adapt_result result, bool first)
{
	assert(result < NJ_ADAPT_RESULTS);
	uint32_t host = (uint32_t)host_hash;
	fade(adapt, t_ns);
	count_follow(adapt, host);
	if (adapt->known)
		adapt->count[adapt->result % NJ_ADAPT_RESULTS][kind_of(adapt, host, port)] += 1;
	if (first && result == NJ_ADAPT_OK)
		begin_follow(adapt, host);
	keep_host(adapt, host);
	adapt->host = host;
	adapt->port = port;
	adapt->result = (uint8_t)result;
	adapt->known = 1;
	adapt->actions++;
}

static double branch_of(const struct nj_adapt *adapt)
{
	unsigned distinct = 0, n = adapt->hosts_n < NJ_ADAPT_HOSTS ? adapt->hosts_n : NJ_ADAPT_HOSTS;
	for (unsigned i = 0; i < n; i++) {
		bool seen = false;
		for (unsigned j = 0; j < i; j++)
			seen = seen || host_at(adapt, j) == host_at(adapt, i);
		distinct += !seen;
	}
	return n > 0 ? (double)distinct / n : 0;
}

struct margins {
	double row[NJ_ADAPT_RESULTS], column[NJ_ADAPT_NEXTS], n;
	unsigned rows, columns;
};

static struct margins margins_of(const struct nj_adapt *adapt)
{
	struct margins m = {0};
	for (int r = 0; r < NJ_ADAPT_RESULTS; r++)
		for (int s = 0; s < NJ_ADAPT_NEXTS; s++) {
			double count = adapt->count[r][s];
			m.row[r] += count;
			m.column[s] += count;
			m.n += count;
		}
	for (int r = 0; r < NJ_ADAPT_RESULTS; r++)
		m.rows += m.row[r] > 0;
	for (int s = 0; s < NJ_ADAPT_NEXTS; s++)
		m.columns += m.column[s] > 0;
	return m;
}

void nj_adapt_judge(const struct nj_adapt *adapt, struct nj_adapt_verdict *ret_verdict)
{
	struct margins m = margins_of(adapt);
	*ret_verdict = (struct nj_adapt_verdict){.n = m.n, .branch = branch_of(adapt)};
	if (adapt->follows > 0)
		ret_verdict->depth = adapt->followed / adapt->follows;
	if (!(m.n >= NJ_ADAPT_N_MIN) || m.rows < 2 || m.columns < 2)
		return;
	double mi = 0, degrees = (m.rows - 1) * (m.columns - 1);
	for (int r = 0; r < NJ_ADAPT_RESULTS; r++)
		for (int s = 0; s < NJ_ADAPT_NEXTS; s++)
			if (adapt->count[r][s] > 0)
				mi += adapt->count[r][s] / m.n *
				      log(adapt->count[r][s] * m.n / (m.row[r] * m.column[s]));
	ret_verdict->mi = fmax(0, mi - degrees / (2 * m.n));
	ret_verdict->ln_p = nj_log_chi2_upper(fmax(0, 2 * m.n * mi), degrees) * m.n / (m.n + CAREFUL);
}
