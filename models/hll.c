/* HyperLogLog (Flajolet, Fusy, Gandouet and Meunier 2007) with Ertl's improved estimator (arXiv 1702.01284, algorithm
 * 6), which needs no bias table and no switch between regimes: with C_k registers of rank k, m = 256, q = 56,
 *
 *   z = m tau(1 - C_{q+1}/m);  z <- (z + C_k)/2 for k = q..1;  z <- z + m sigma(C_0/m);  estimate = m^2/(2 ln 2 z).
 *
 * Standard error 1.04/sqrt(m) = 6.5 %; measured 4.4 % at 30, 4.9 % at 300, 5.8 % at 1000, 6.3 % at 10,000 and above,
 * bias within 0.5 %. Memory 200 bytes; byte registers would be 264 and merge in 10 ns instead of 460, but a profile
 * holds many and merges few. 24 exact hashes fit into the same bytes, and most agents never have more peers than that.
 * Add 6 ns exact, 3 ns dense; estimate 0.4 us dense. */
#include "models/hll.h"

#include <math.h>
#include <string.h>

#define RANK_MAX 57

static unsigned rank_of(uint64_t hash)
{
	uint64_t rest = hash >> 8;
	return rest == 0 ? RANK_MAX : (unsigned)__builtin_clzll(rest) - 8 + 1;
}

void nj_registers_add(uint8_t registers[NJ_HLL_REGISTERS], uint64_t hash)
{
	unsigned rank = rank_of(hash);
	uint8_t *slot = &registers[hash & 0xff];
	if (rank > *slot)
		*slot = (uint8_t)rank;
}

void nj_registers_merge(uint8_t into[NJ_HLL_REGISTERS], const uint8_t from[NJ_HLL_REGISTERS])
{
	uint8_t other[NJ_HLL_REGISTERS]; /* a copy that cannot overlap lets the compiler take 16 registers at once */
	memcpy(other, from, sizeof other);
	for (unsigned i = 0; i < NJ_HLL_REGISTERS; i++)
		into[i] = into[i] > other[i] ? into[i] : other[i];
}

/* sigma(x) = x + sum_{k>=1} x^(2^k) 2^(k-1): what empty registers tell. */
static double sigma(double x)
{
	if (x == 1)
		return INFINITY;
	double weight = 1, sum = x, before;
	do {
		x *= x;
		before = sum;
		sum += x * weight;
		weight += weight;
	} while (sum != before);
	return sum;
}

/* tau(x) = (1 - x - sum_{k>=1} (1 - x^(2^-k))^2 2^-k)/3: what saturated registers tell. */
static double tau(double x)
{
	if (x == 0 || x == 1)
		return 0;
	double weight = 1, sum = 1 - x, before;
	do {
		x = sqrt(x);
		before = sum;
		weight /= 2;
		sum -= (1 - x) * (1 - x) * weight;
	} while (sum != before);
	return sum / 3;
}

double nj_registers_estimate(const uint8_t registers[NJ_HLL_REGISTERS])
{
	const double m = NJ_HLL_REGISTERS;
	unsigned count[RANK_MAX + 1] = {0};
	for (unsigned i = 0; i < NJ_HLL_REGISTERS; i++)
		count[registers[i] < RANK_MAX ? registers[i] : RANK_MAX]++;
	double z = m * tau(1 - count[RANK_MAX] / m);
	for (unsigned k = RANK_MAX - 1; k >= 1; k--)
		z = (z + count[k]) / 2;
	z += m * sigma(count[0] / m);
	return z > 0 ? m * m / (2 * M_LN2 * z) : (double)UINT64_MAX; /* z = 0: every register saturated */
}

static void unpack(const uint8_t *packed, uint8_t *registers)
{
	for (unsigned i = 0; i < NJ_HLL_REGISTERS; i += 4, packed += 3) {
		uint32_t group = packed[0] | (uint32_t)packed[1] << 8 | (uint32_t)packed[2] << 16;
		for (unsigned j = 0; j < 4; j++)
			registers[i + j] = group >> (6 * j) & 63;
	}
}

static void pack(const uint8_t *registers, uint8_t *packed)
{
	for (unsigned i = 0; i < NJ_HLL_REGISTERS; i += 4, packed += 3) {
		uint32_t group = 0;
		for (unsigned j = 0; j < 4; j++)
			group |= (uint32_t)(registers[i + j] < RANK_MAX ? registers[i + j] : RANK_MAX) << (6 * j);
		packed[0] = (uint8_t)group, packed[1] = (uint8_t)(group >> 8), packed[2] = (uint8_t)(group >> 16);
	}
}

static void packed_add(uint8_t *packed, uint64_t hash)
{
	unsigned i = hash & 0xff, rank = rank_of(hash), shift = 6 * (i & 3);
	uint8_t *at = packed + i / 4 * 3;
	uint32_t group = at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16;
	if (rank <= (group >> shift & 63))
		return;
	group = (group & ~(63u << shift)) | rank << shift;
	at[0] = (uint8_t)group, at[1] = (uint8_t)(group >> 8), at[2] = (uint8_t)(group >> 16);
}

void nj_hll_registers(const struct nj_hll *hll, uint8_t ret_registers[NJ_HLL_REGISTERS])
{
	memset(ret_registers, 0, NJ_HLL_REGISTERS);
	if (hll->dense)
		unpack(hll->packed, ret_registers);
	for (unsigned i = 0; i < hll->exact_n; i++)
		nj_registers_add(ret_registers, hll->hash[i]);
}

static void make_dense(struct nj_hll *hll)
{
	uint8_t registers[NJ_HLL_REGISTERS];
	nj_hll_registers(hll, registers);
	pack(registers, hll->packed);
	hll->exact_n = 0;
	hll->dense = 1;
}

void nj_hll_add(struct nj_hll *hll, uint64_t hash)
{
	assert(hll->exact_n <= NJ_HLL_EXACT_MAX);
	if (!hll->dense) {
		unsigned at = 0;
		while (at < hll->exact_n && hll->hash[at] < hash)
			at++;
		if (at < hll->exact_n && hll->hash[at] == hash)
			return;
		if (hll->exact_n < NJ_HLL_EXACT_MAX) {
			memmove(&hll->hash[at + 1], &hll->hash[at], (hll->exact_n - at) * sizeof hll->hash[0]);
			hll->hash[at] = hash;
			hll->exact_n++;
			return;
		}
		make_dense(hll);
	}
	packed_add(hll->packed, hash);
}

void nj_hll_merge_registers(struct nj_hll *into, const uint8_t registers[NJ_HLL_REGISTERS])
{
	static const uint8_t empty[NJ_HLL_REGISTERS];
	if (memcmp(registers, empty, sizeof empty) == 0)
		return;
	uint8_t merged[NJ_HLL_REGISTERS];
	nj_hll_registers(into, merged);
	nj_registers_merge(merged, registers);
	pack(merged, into->packed);
	into->exact_n = 0;
	into->dense = 1;
}

void nj_hll_merge(struct nj_hll *into, const struct nj_hll *from)
{
	if (from->dense) {
		uint8_t registers[NJ_HLL_REGISTERS];
		unpack(from->packed, registers);
		nj_hll_merge_registers(into, registers);
		return;
	}
	for (unsigned i = 0; i < from->exact_n; i++)
		nj_hll_add(into, from->hash[i]);
}

double nj_hll_estimate(const struct nj_hll *hll)
{
	if (!hll->dense)
		return hll->exact_n;
	uint8_t registers[NJ_HLL_REGISTERS];
	unpack(hll->packed, registers);
	return nj_registers_estimate(registers);
}

bool nj_hll_valid(const struct nj_hll *hll)
{
	if (hll->dense > 1 || hll->exact_n > NJ_HLL_EXACT_MAX || (hll->dense && hll->exact_n > 0))
		return false;
	if (hll->dense) {
		uint8_t registers[NJ_HLL_REGISTERS];
		unpack(hll->packed, registers);
		for (unsigned i = 0; i < NJ_HLL_REGISTERS; i++)
			if (registers[i] > RANK_MAX)
				return false;
		return true;
	}
	for (unsigned i = 1; i < NJ_HLL_EXACT_MAX; i++) {
		bool used = i < hll->exact_n;
		if (used ? hll->hash[i] <= hll->hash[i - 1] : hll->hash[i] != 0)
			return false;
	}
	return hll->exact_n > 0 || hll->hash[0] == 0;
}
