/* The score is the geometric mean of nine trapezoid memberships, each raised by 1/1000 so that one zero does not end
 * the argument: S = (prod_k (mu_k + 0.001))^(1/9). Corners are detection.md's (F-SSE); lengths, times and counts are
 * compared in logarithms, shares and spreads as they are.
 *
 * Fixed point: logarithms to base 2 in 1/1024 (an error below 0.07 %), memberships in 1/1000. log2 takes one bit of the
 * result from each squaring of the mantissa (Knuth, TAOCP 1.2.2, exercise 25); exp2 multiplies the roots 2^(1/2),
 * 2^(1/4)
 * ... of the bits that are set. Quantiles are order statistics: the floor(q (n-1))-th of the sorted values, counted
 * from 0 (numpy's method 'lower'). tests/oracle/model_vectors.py has the same from floating point. */
#include "models/tokens.h"

#include <string.h>

enum { FRACTION_BITS = 10, ONE_Q10 = 1 << FRACTION_BITS };
enum { NS_PER_US = 1000 };
#define LN2_E6  693147u /* ln 2, millionths */
#define MADN_E4 14826u  /* of a normal law: standard deviation over median absolute deviation */

uint32_t nj_log2_q10(uint64_t value)
{
	if (value == 0)
		return 0;
	unsigned exponent = 63 - (unsigned)__builtin_clzll(value);
	uint64_t mantissa = exponent <= 31 ? value << (31 - exponent) : value >> (exponent - 31); /* 1 is 2^31 */
	uint32_t log = exponent << FRACTION_BITS;
	for (unsigned bit = FRACTION_BITS; bit-- > 0;) {
		mantissa = mantissa * mantissa >> 31;
		if (mantissa >> 32 != 0) {
			mantissa >>= 1;
			log |= 1u << bit;
		}
	}
	return log;
}

/* Which ones are kept of what comes: with stride 2^k, those whose number is a multiple of it. */
static bool is_kept(uint32_t number, uint32_t stride)
{
	return (number & (stride - 1)) == 0;
}

/* Takes the value with this number (0, 1 ...). When the place is used up each second one goes. */
static void keep(uint16_t *list, uint16_t *kept, uint32_t number, uint16_t value)
{
	uint32_t stride = 1;
	while (number / stride >= NJ_TOKENS_KEPT_MAX)
		stride *= 2;
	if (!is_kept(number, stride))
		return;
	if (*kept == NJ_TOKENS_KEPT_MAX) {
		for (unsigned i = 0; i < NJ_TOKENS_KEPT_MAX / 2; i++)
			list[i] = list[2 * i];
		*kept = NJ_TOKENS_KEPT_MAX / 2;
	}
	list[(*kept)++] = value;
}

/* Whether the value with this number would be kept, so that one that is not costs nothing. */
static bool wants(uint32_t number)
{
	unsigned bits = 32 - (unsigned)__builtin_clz(number | 63);
	return is_kept(number, 1u << (bits - 6));
}

void nj_tokens_add(struct nj_tokens *t, uint64_t t_ns, uint32_t bytes)
{
	if (t->records == UINT32_MAX)
		return;
	if (t->records > 0) {
		uint64_t gap_us = t_ns > t->last_ns ? (t_ns - t->last_ns) / NS_PER_US : 0;
		t->timely += gap_us >= NJ_TOKENS_TIMELY_MIN_US && gap_us <= NJ_TOKENS_TIMELY_MAX_US;
		if (wants(t->gaps))
			keep(t->gap_log2, &t->gaps_kept, t->gaps, (uint16_t)nj_log2_q10(gap_us + 1));
		t->gaps++;
	}
	t->small += bytes >= NJ_TOKENS_SMALL_MIN && bytes <= NJ_TOKENS_SMALL_MAX;
	if (wants(t->records))
		keep(t->size, &t->sizes_kept, t->records, bytes < UINT16_MAX ? (uint16_t)bytes : UINT16_MAX);
	t->records++;
	t->last_ns = t_ns;
}

/* --- quantiles --- */

static void sort(uint16_t *values, unsigned n)
{
	for (unsigned i = 1; i < n; i++) {
		uint16_t moving = values[i];
		unsigned at = i;
		for (; at > 0 && values[at - 1] > moving; at--)
			values[at] = values[at - 1];
		values[at] = moving;
	}
}

/* Of sorted values; *quarters*: 1 lower quartile, 2 median, 3 upper quartile. */
static uint16_t quartile(const uint16_t *sorted, unsigned n, unsigned quarters)
{
	return sorted[(n - 1) * quarters / 4];
}

static uint16_t median_deviation(const uint16_t *values, unsigned n, uint16_t median)
{
	uint16_t deviation[NJ_TOKENS_KEPT_MAX];
	for (unsigned i = 0; i < n; i++)
		deviation[i] = values[i] > median ? values[i] - median : median - values[i];
	sort(deviation, n);
	return quartile(deviation, n, 2);
}

/* 2^(log/1024), for log2 of less than 32. */
static uint64_t exp2_q10(uint32_t log)
{
	static const uint32_t root_q30[FRACTION_BITS] = {/* 2^(2^-10) ... 2^(1/2), 2^30 is 1 */
							 1074468888, 1075196443, 1076653033, 1079572136, 1085434106,
							 1097253708, 1121280436, 1170923762, 1276901417, 1518500250};
	uint64_t power = 1ull << 30;
	for (unsigned bit = 0; bit < FRACTION_BITS; bit++)
		if (log >> bit & 1)
			power = power * root_q30[bit] >> 30;
	unsigned whole = log >> FRACTION_BITS;
	return whole <= 30 ? power >> (30 - whole) : power << (whole - 30);
}

/* --- memberships --- */

/* 0 up to a, rising to 1 at b, 1 to c, falling to 0 at d. */
struct trapezoid {
	uint64_t a, b, c, d;
	bool logarithmic;
};

#define OPEN UINT64_MAX
static const struct trapezoid corners[NJ_TOKENS_PARTS_N] = {
	[NJ_TOKENS_SMALL_SHARE] = {500, 800, OPEN, OPEN, false},  [NJ_TOKENS_SIZE] = {60, 90, 700, 1200, true},
	[NJ_TOKENS_SIZE_SPREAD] = {0, 50, 1200, 3500, false},     [NJ_TOKENS_GAP] = {2000, 6000, 150000, 600000, true},
	[NJ_TOKENS_TIMELY_SHARE] = {400, 700, OPEN, OPEN, false}, [NJ_TOKENS_GAP_SPREAD] = {50, 200, 900, 1600, false},
	[NJ_TOKENS_COUNT] = {16, 40, OPEN, OPEN, true},           [NJ_TOKENS_WAIT] = {80, 150, 5000, 30000, true},
	[NJ_TOKENS_UP] = {400, 1500, OPEN, OPEN, true},
};

static uint16_t between(uint64_t from, uint64_t at, uint64_t to, bool logarithmic)
{
	if (logarithmic) {
		from = nj_log2_q10(from);
		at = nj_log2_q10(at);
		to = nj_log2_q10(to);
	}
	return at <= from ? 0 : (uint16_t)((at - from) * NJ_TOKENS_ONE / (to - from));
}

static uint16_t membership(const struct trapezoid *t, uint64_t value)
{
	if (value <= t->a)
		return 0;
	if (value < t->b)
		return between(t->a, value, t->b, t->logarithmic);
	if (value <= t->c)
		return NJ_TOKENS_ONE;
	return value >= t->d ? 0 : NJ_TOKENS_ONE - between(t->c, value, t->d, t->logarithmic);
}

static uint16_t geometric_mean(const uint16_t *memberships)
{
	int64_t sum = 0;
	for (unsigned i = 0; i < NJ_TOKENS_PARTS_N; i++)
		sum += nj_log2_q10(memberships[i] + 1u);
	uint64_t mean = exp2_q10((uint32_t)(sum / NJ_TOKENS_PARTS_N));
	return (uint16_t)(mean < NJ_TOKENS_ONE ? mean : NJ_TOKENS_ONE);
}

static void measure_sizes(const struct nj_tokens *t, uint64_t *value)
{
	uint16_t sorted[NJ_TOKENS_KEPT_MAX];
	memcpy(sorted, t->size, sizeof sorted);
	sort(sorted, t->sizes_kept);
	uint64_t median = quartile(sorted, t->sizes_kept, 2);
	uint64_t range = (uint64_t)quartile(sorted, t->sizes_kept, 3) - quartile(sorted, t->sizes_kept, 1);
	value[NJ_TOKENS_SMALL_SHARE] = (uint64_t)t->small * 1000 / t->records;
	value[NJ_TOKENS_SIZE] = median;
	value[NJ_TOKENS_SIZE_SPREAD] = median > 0 ? range * 10000 / median : 0;
}

static void measure_gaps(const struct nj_tokens *t, uint64_t *value)
{
	uint16_t sorted[NJ_TOKENS_KEPT_MAX];
	memcpy(sorted, t->gap_log2, sizeof sorted);
	sort(sorted, t->gaps_kept);
	uint16_t median = quartile(sorted, t->gaps_kept, 2);
	uint64_t deviation_q10 = median_deviation(sorted, t->gaps_kept, median);
	value[NJ_TOKENS_GAP] = exp2_q10(median) - 1;
	value[NJ_TOKENS_TIMELY_SHARE] = (uint64_t)t->timely * 1000 / t->gaps;
	value[NJ_TOKENS_GAP_SPREAD] = deviation_q10 * MADN_E4 * LN2_E6 / 10000 / 1000 / ONE_Q10;
}

void nj_tokens_shape(const struct nj_tokens *t, uint32_t wait_ms, uint64_t bytes_up, struct nj_tokens_shape *ret_shape)
{
	memset(ret_shape, 0, sizeof *ret_shape);
	uint64_t *value = ret_shape->value;
	value[NJ_TOKENS_COUNT] = t->small;
	value[NJ_TOKENS_WAIT] = wait_ms;
	value[NJ_TOKENS_UP] = bytes_up;
	if (t->sizes_kept > 0)
		measure_sizes(t, value);
	if (t->gaps_kept > 0)
		measure_gaps(t, value);
	for (unsigned i = 0; i < NJ_TOKENS_PARTS_N; i++)
		ret_shape->membership[i] = membership(&corners[i], value[i]);
	if (t->small >= NJ_TOKENS_RECORDS_MIN)
		ret_shape->score = geometric_mean(ret_shape->membership);
}
