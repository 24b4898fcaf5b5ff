#!/usr/bin/env python3
"""Reference values for models/, computed by numpy and scipy or from the definition, never by our C.

Usage: model_vectors.py OUT. One line a value:  function absolute relative expected argument...
tests/oracle/model_oracle.c reads it. Exit 77 (skipped), loudly, where numpy or scipy is not installed."""

import math
import sys

try:
    import numpy as np
    from scipy import optimize, special, stats
except ImportError as missing:
    print(f"SKIPPED: no reference values for models/: {missing} (Debian: python3-numpy, python3-scipy)")
    sys.exit(77)

SEED = 20261124
rng = np.random.default_rng(SEED)
lines = []


def emit(function, expected, *arguments, absolute=0.0, relative=1e-10):
    texts = [f"{float(value):.17g}" for value in (absolute, relative, expected, *arguments)]
    lines.append(" ".join([function, *texts]))


def log_sum(terms):
    return special.logsumexp(terms)


def tails():
    for z in [-40, -8, -1, -1e-3, 0, 0.5, 1, 3, 8, 20, 24.99, 25.01, 37, 40, 100, 1e4]:
        emit("log_normal_upper", stats.norm.logsf(z), z, absolute=1e-300)
    for mean in [1e-6, 0.1, 1, 7.5, 300, 20000]:
        for k in {1, 2, max(1, int(mean)), int(mean) + 1, int(mean + 3 * mean**0.5) + 1, int(3 * mean) + 30, 2000}:
            if k > mean:  # the sum itself; below the mean its complement is scipy's
                i = np.arange(k, k + int(20 * mean**0.5) + 400, dtype=float)
                expected = log_sum(i * math.log(mean) - mean - special.gammaln(i + 1))
            else:
                expected = stats.poisson.logsf(k - 1, mean)
            emit("log_poisson_upper", expected, k, mean, absolute=1e-12, relative=1e-9)
    for n, p in [(1, 0.3), (10, 0.5), (50, 0.02), (1000, 0.01), (1000, 0.9), (100000, 1e-4)]:
        for k in {1, n // 100 + 1, n // 10 + 1, n // 2 + 1, n}:
            i = np.arange(k, n + 1, dtype=float)
            choose = special.gammaln(n + 1) - special.gammaln(i + 1) - special.gammaln(n - i + 1)
            expected = min(0.0, log_sum(choose + i * math.log(p) + (n - i) * math.log1p(-p)))
            emit("log_binomial_upper", expected, k, n, p, absolute=1e-10, relative=1e-9)
    for a in [0.1, 0.5, 1, 3.7, 40, 5000, 999999, 2e6, 1e8]:
        for x in [a * r for r in (0.2, 0.9, 0.999, 1, 1.001, 1.1, 1.5)]:
            if a == 1e8 and x != a:
                continue  # scipy 1.10 is wrong there; tests/unit/test_math.c has the value from 40-digit arithmetic
            for function, reference in (("log_gamma_upper", special.gammaincc), ("log_gamma_lower", special.gammainc)):
                value = reference(a, x)
                if value > 1e-290:
                    # from 1e6 on our uniform expansion has two terms: error about 1/a of the probability
                    emit(function, math.log(value), a, x, absolute=1e-9 if a < 1e6 else 3e-6, relative=1e-8)
    for a, b in [(0.5, 0.5), (2, 3), (10, 200), (400, 3), (1000, 1000), (1e5, 2e5)]:
        for x in [1e-3, 0.2, 1 / 3, 0.5, 0.9]:
            value = special.betainc(a, b, x)
            if value > 1e-290:
                emit("log_beta_lower", math.log(value), a, b, x, absolute=1e-10, relative=1e-8)
    for degrees, x in [(1, 3.84), (12, 30), (12, 2000), (100, 20), (3, 1e-3)]:
        emit("log_chi2_upper", stats.chi2.logsf(x, degrees) if x < 1000 else chi2_even(degrees, x), x, degrees,
             absolute=1e-12, relative=1e-9)
    for a, b in [(-1, -2), (-800, -801), (0, -1e9), (3, 3)]:
        emit("log_add", np.logaddexp(a, b), a, b, absolute=1e-15)
    for v in [1, 2, 3, 10, 1000, 2**52 + 1]:
        emit("log2", math.log2(v), v, absolute=1e-15, relative=1e-15)


def chi2_even(degrees, x):
    i = np.arange(degrees // 2, dtype=float)
    return -x / 2 + log_sum(i * math.log(x / 2) - special.gammaln(i + 1))


def order_statistics():
    for n in [1, 2, 3, 7, 16, 63, 64]:
        for values in (rng.lognormal(2, 1.5, n), np.round(rng.normal(0, 2, n))):
            emit("median", np.median(values), *values, absolute=1e-12)
            emit("madn", 1.4826 * stats.median_abs_deviation(values), *values, absolute=1e-12)
            for q in (0, 0.1, 0.75, 1):
                emit("quantile", np.quantile(values, q), q, *values, absolute=1e-12)
            q1, q2, q3 = np.quantile(values, [0.25, 0.5, 0.75])
            emit("bowley_skew", (q1 + q3 - 2 * q2) / (q3 - q1) if q3 > q1 else 0, *values, absolute=1e-12)
        counts = rng.integers(0, 50, n)
        if counts.sum() > 0:
            emit("entropy", stats.entropy(counts), *counts, absolute=1e-12)
            used = int((counts > 0).sum())
            emit("entropy_normalised", stats.entropy(counts) / math.log(used) if used > 1 else 0, *counts,
                 absolute=1e-12)


def distinct():
    for n in [0, 1, 30, 300, 3000, 10**5]:
        hashes = rng.integers(0, 2**64, n, dtype=np.uint64)
        registers = np.zeros(256, dtype=int)
        for h in hashes.tolist():
            registers[h & 255] = max(registers[h & 255], 57 - (h >> 8).bit_length())
        emit("registers_estimate", ertl(registers), *registers, absolute=1e-9, relative=1e-9)
        emit("registers_estimate", n, *registers, absolute=0.5, relative=0.2)  # three standard errors of the truth


def ertl(registers):
    """Ertl 2017, algorithm 6, sums written out instead of iterated."""
    m, q = 256, 56
    count = np.bincount(registers, minlength=q + 2)
    if count[0] == m:
        return 0
    x = count[0] / m
    sigma = x + sum(x ** (2.0**k) * 2.0 ** (k - 1) for k in range(1, 60))
    y = 1 - count[q + 1] / m
    tau = (1 - y - sum((1 - y ** (2.0**-k)) ** 2 * 2.0**-k for k in range(1, 60))) / 3
    z = m * sigma + sum(count[k] * 2.0**-k for k in range(1, q + 1)) + m * tau * 2.0**-q
    return m * m / (2 * math.log(2) * z)


def quantiles():
    for values in (rng.integers(0, 20, 500), rng.lognormal(6, 2, 999).astype(int), np.array([7]), np.arange(50000)):
        values = np.minimum(values, 700000)
        for q in (0, 0.05, 0.5, 0.95, 1):
            emit("ddsketch_quantile", np.quantile(values, q, method="lower"), q, *values[:2000], relative=0.05) \
                if len(values) <= 2000 else None
        v = int(np.median(values))
        if v < 20 and len(values) <= 2000:
            emit("ddsketch_cdf", (values <= v).mean(), v, *values, absolute=1e-12)


def excesses():
    for shape in (-0.15, 0, 0.1, 0.5):
        for y in (0, 0.1, 1, 5, 1000):
            emit("gpd_log_upper", stats.genpareto.logsf(y, shape, scale=2), shape, 2, y, absolute=1e-12)
        for ratio in (1, 20, 1e6):
            emit("gpd_return_level", stats.genpareto.isf(1 / ratio, shape, scale=2), shape, 2, ratio, absolute=1e-9,
                 relative=1e-8)
    for shape, n in [(0.0, 500), (0.3, 500), (0.5, 200), (-0.1, 512), (0.2, 30)]:
        y = stats.genpareto.rvs(shape, scale=3, size=n, random_state=rng)
        xi, sigma = gpd_fit(y)
        emit("gpd_fit_shape", xi, *y, absolute=2e-3)
        emit("gpd_fit_scale", sigma, *y, absolute=0, relative=3e-3)


def gpd_fit(y):
    """Likelihood maximised over both parameters by simplex from several starts, against moments; then the shrinkage."""
    def loss(parameters):
        value = -stats.genpareto.logpdf(y, parameters[0], scale=math.exp(parameters[1])).sum()
        return value if math.isfinite(value) else 1e30
    starts = [(s, math.log(y.mean() * (1 - min(s, 0.9)))) for s in (-0.3, 0.05, 0.4)]
    best = min((optimize.minimize(loss, s, method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10,
                                                                          "maxiter": 4000}) for s in starts),
               key=lambda r: r.fun)
    xi, value = best.x[0], best.fun
    ratio = y.mean() ** 2 / y.var()
    moments = ((1 - ratio) / 2, math.log(y.mean() * (1 + ratio) / 2))
    if loss(moments) < value:
        xi = moments[0]
    xi = max(xi, -0.5)
    xi = min(max((len(y) * xi + 50 * 0.2) / (len(y) + 50), -0.2), 0.6)
    return xi, y.mean() * (1 - xi)


def fusion():
    for p in ([0.5], [0.01, 0.2], [1e-6, 0.9, 1.0], [0.3] * 8, [1e-12, 1e-11, 0.99], [0.02] * 5 + [0.7] * 20):
        weights = rng.uniform(0.1, 2, len(p))
        share = weights / weights.sum()
        cut = np.minimum(p, 0.99)
        t = (share / np.tan(np.pi * cut)).sum()
        emit("fuse_cauchy", math.log(math.atan2(1, t) / math.pi), *interleave(p, weights), absolute=1e-8, relative=1e-8)
        emit("fuse_harmonic", min(0, -math.log((share / p).sum())), *interleave(p, weights), absolute=1e-12)
    emit("fuse_cauchy_log", -2000 + math.log(2), -2000, 0)
    emit("fuse_harmonic_log", -2000 + math.log(2), -2000, -3)


def interleave(p, weights):
    return [value for pair in zip(np.log(p), weights) for value in pair]


def sequences():
    for theta0, theta1 in [(0.95, 0.3), (0.8, 0.2)]:
        for failure in (0.02, 0.4, 0.9):
            outcomes = (rng.random(60) < failure).astype(int)
            ratio = [math.log(theta1 / theta0), math.log((1 - theta1) / (1 - theta0)), math.log(1000)]
            outcomes[rng.integers(60)] = 2 if failure > 0.5 else outcomes[0]
            sums = np.concatenate([[0], np.cumsum([ratio[o] for o in outcomes])])
            score = sums[-1] - sums.min()  # the reflected walk is the walk minus its minimum
            if (sums - np.minimum.accumulate(sums)).max() < 100:  # the ceiling was not touched
                emit("scan", score, theta0, theta1, *outcomes, absolute=1e-9)
    x = rng.normal(0.3, 1, 100)
    sums = np.concatenate([[0], np.cumsum((x - 0.1) / 0.8 - 0.5)])
    emit("cusum", sums[-1] - sums.min(), 0.1, 0.8, 0.5, *x, absolute=1e-9)
    times = np.sort(rng.uniform(0, 1e5, 40))
    gains = rng.exponential(3, 40)
    emit("decay", (gains * 2 ** (-(1e5 - times) / 3600)).sum(), 3600, 1e5, *np.ravel(np.column_stack([times, gains])),
         absolute=1e-9, relative=1e-6)
    emit("icmp", math.log(1 + 100000 / 512) + 2 * 0.25 + 7.9 / 4, 100, 100000, 100, 20, 5, 790000, relative=1e-9)


def baselines():
    for n in (1, 5, 60):
        y = rng.normal(5, 2, n)
        level, scale = baseline(y, (4.0, 1.5))
        emit("baseline_level", level, 4.0, 1.5, *y, relative=1e-4)
        emit("baseline_scale", scale, 4.0, 1.5, *y, relative=1e-4)


def baseline(values, prior):
    """All observations in one hour of the week, a whole hour each; three cells, coarse to fine."""
    rates = [0.15 / 168, 0.15 / 7, 0.15]
    cells = [None] * 3

    def drawn(usual, cell):
        if cell is None:
            return usual
        w = cell[2] / (cell[2] + 4)
        scale = max(0.1 * prior[1], math.exp(w * math.log(cell[1]) + (1 - w) * math.log(usual[1])))
        return (w * cell[0] + (1 - w) * usual[0], scale)

    for y in values:
        usual = prior
        for i, rate in enumerate(rates):
            start, old = usual, cells[i]
            usual = drawn(usual, old)
            m, s, n = old if old is not None else (*start, 0)
            gain = max(rate, 1 / (n + 1))
            step = min(max((y - m) / s, -2), 2)
            wide = abs(y - m) > 0.6745 * s
            cells[i] = (m + gain * s * step, max(s * math.exp(gain * (wide - 0.5)), 0.1 * prior[1]), n + 1)
    usual = prior
    for cell in cells:
        usual = drawn(usual, cell)
    return usual


def beacons():
    for law in (rng.exponential(60, 64) + 1.01, 60 * (1 + 0.2 * rng.uniform(-1, 1, 40)), rng.uniform(20, 90, 9)):
        gaps = np.round(law, 2)
        logs = np.log(gaps - 1)
        emit("beacon_rho", 1.4826 * stats.median_abs_deviation(logs), *gaps, absolute=2e-3)
        emit("beacon_period", np.median(gaps), *gaps, relative=1e-3)
        median = np.median(gaps)
        kept = np.where(gaps < 4 * median, gaps, 4 * median + np.fmod(gaps, 4 * median))
        t = np.concatenate([[0], np.cumsum(kept)])
        low, step = 1 / (1.5 * median), 0.5 / t[-1]
        f = low + step * np.arange(int((1.5 / median - low) / step + 1))
        power = np.abs(np.exp(2j * np.pi * np.outer(f, t)).sum(axis=1)) ** 2 / len(t)
        if gaps.max() < 3.9 * median:  # quantising a gap near the fold moves it by a whole cell
            emit("beacon_spectral", power.max() / power.mean(), *gaps, relative=3e-2)


def names():
    for name in (b"www", b"aaaa", b"4f8a0c3d9e7b1a2c", bytes(range(97, 123)) * 5, b"x" * 200, b""):
        counts = np.bincount(np.frombuffer(name, dtype=np.uint8)) if name else np.array([1])
        bits = len(name) * stats.entropy(counts, base=2)
        emit("dns_weight", max(1.0, bits / 8), *name, absolute=2e-4)
    for _ in range(20):
        h = int(rng.integers(0, 2**63)) * 2 + 1
        w = float(rng.uniform(1, 200))
        w = round(w * 65536) / 65536
        emit("dns_value", -math.log1p(-h / 2**64) / w, h >> 32, h & 0xffffffff, w, relative=1e-9)
    for tiny in (1, 2**20, 2**40, 2**64 - 1):
        expected = -math.log1p(-tiny / 2**64) if tiny < 2**63 else 64 * math.log(2)
        emit("dns_value", expected, tiny >> 32, tiny & 0xffffffff, 1, absolute=2**-54, relative=1e-9)


def loop_case(exchanges, actions, model=7):
    """Seconds in; what a direct reading of models/loop.c's formulas gives."""
    exchanges = sorted(((round(a, 3), round(b, 3)) for a, b in exchanges), key=lambda e: (e[1], e[0]))
    others = [(round(a, 3), round(a, 3) + math.ceil(round((b - a) * 1000) / 16) * 0.016) for a, b, peer in sorted(actions) if peer != model]
    t0 = exchanges[0][0]
    exchanges = [(a - t0, b - t0) for a, b in exchanges]
    others = [(a - t0, b - t0) for a, b in others if a - t0 >= 0]
    span = exchanges[-1][1] + 3
    grid = np.arange(0, span, 0.001) + 0.0005
    covered = np.zeros(len(grid), dtype=bool)
    reach = []
    for _, end in exchanges:
        until = end + 3
        for a, b in others:
            if end < a <= until:
                until = max(until, b + 3)
        reach.append(until)
    for (a, _), until in zip(exchanges, reach):
        covered |= (grid >= a) & (grid <= until)
    idle = (~covered).sum() * 0.001 + 60
    outside = 1 + sum(1 for a, _ in others if a < span and not any(s <= a <= u for (s, _), u in zip(exchanges, reach)))
    q0 = min(max(1 - math.exp(-outside / idle * 3), 0.02), 0.8)

    def turns(shift):
        moved = [((a + shift) % span, (a + shift) % span + (b - a)) for a, b in exchanges]
        x = y = 0
        for i, (_, end) in enumerate(moved):
            later = [a for j, (a, _) in enumerate(moved) if j != i and a >= end]
            following = min(later) if later else math.inf
            turn = [(a, b) for a, b in others if end < a <= following]
            acted = any(a <= end + 3 for a, _ in turn)
            x += acted
            y += acted and following < math.inf and following <= max(b for _, b in turn) + 5
        return x / len(moved), y / len(moved)

    acted, loop = turns(0)
    nats = acted * math.log(0.8 / q0) + (1 - acted) * math.log(0.2 / (1 - q0))
    step = 63.7 if span > 11 * 63.7 else math.floor(span * 1000 / 11) / 1000
    nulls = np.array([turns(round(j * step, 3))[1] for j in range(1, 11)])
    return q0, nats, loop, (loop - nulls.mean()) / max(nulls.std(), 0.03)


def loops():
    for kind in ("agent", "agent", "parallel", "bursty", "idle", "few"):
        t, exchanges, actions = 1000.0, [], []
        for _ in range({"few": 5}.get(kind, 30)):
            think = float(rng.lognormal(1.2, 0.6))
            exchanges.append((t, t + think))
            t += think
            if kind in ("agent", "parallel", "few"):
                began = t + float(rng.uniform(0.05, 1.2))
                t = began + float(rng.lognormal(0, 0.5))
                actions.append((began, t, int(rng.integers(100, 110))))
            t += float(rng.exponential(20 if kind in ("bursty", "idle") else 1))
        if kind == "bursty":
            actions = [(float(a), float(a) + 0.5, 50 + i) for i, a in enumerate(np.sort(rng.uniform(1000, t, 47)))]
        if kind == "parallel":
            exchanges = [e for e in exchanges] + [(a + 0.31, b + 2.17) for a, b in exchanges[:2]]
        actions.append((1005.5, 1006.0, 7))  # towards the model itself: not an action
        exchanges = [(round(a, 3), round(b, 3)) for a, b in exchanges][:32]
        actions = [(round(a, 3), round(b, 3), p) for a, b, p in sorted(actions)][:48]
        expected = loop_case(exchanges, actions)
        flat = [len(exchanges), *np.ravel(exchanges), *np.ravel(actions)]
        for name, value in zip(("loop_base", "loop_nats", "loop_return", "loop_z"), expected):
            emit(name, value, *flat, absolute=2e-3, relative=2e-3)
        ends = sorted(b for _, b in exchanges)
        emit("loop_turn", np.median(np.diff(ends)), *flat, absolute=1.1e-3)


def adaptive():
    for reads in (True, False):
        steps, host, port, t = [], 1, 22, 0.0
        for _ in range(80):
            result = int(rng.choice([0, 0, 1, 2, 3]))
            first = int(rng.random() < 0.4)
            steps.append((t, host, port, result, first))
            t += float(rng.exponential(20))
            stay = result == 0 if reads else rng.random() < 0.5
            if stay:
                port = int(rng.integers(1, 5))
            else:
                host, port = int(rng.integers(1, 30)), int(rng.integers(1, 5))
        table, now = np.zeros((5, 4)), steps[-1][0]
        for (_, h0, p0, r0, _), (t1, h1, p1, _, _) in zip(steps, steps[1:]):
            kind = (0 if p1 == p0 else 1) if h1 == h0 else (2 if p1 == p0 else 3)
            table[r0, kind] += 2 ** (-(now - t1) / 1800)
        n, rows, columns = table.sum(), (table.sum(1) > 0).sum(), (table.sum(0) > 0).sum()
        g, _, dof, _ = stats.chi2_contingency(table[table.sum(1) > 0][:, table.sum(0) > 0], correction=False,
                                              lambda_="log-likelihood")
        flat = np.ravel(steps)
        emit("adapt_mi", max(0, g / 2 / n - (rows - 1) * (columns - 1) / 2 / n), *flat, absolute=1e-4, relative=1e-4)
        emit("adapt_ln_p", stats.chi2.logsf(g, dof) * n / (n + 10), *flat, absolute=1e-3, relative=1e-3)
        hosts = [h for _, h, _, _, _ in steps[-32:]]
        emit("adapt_branch", len(set(hosts)) / len(hosts), *flat, absolute=1e-9)


def lz76(s):
    """Components counted as in the definition: grow the stretch while it occurs in what stands before its last symbol."""
    def occurs(needle, hay):
        return any(hay[i:i + len(needle)] == needle for i in range(len(hay) - len(needle) + 1))
    count, at = 0, 0
    while at < len(s):
        length = 1
        while at + length <= len(s) and occurs(s[at:at + length], s[:at + length - 1]):
            length += 1
        count, at = count + 1, at + length
    return count


def complexities():
    for s in ([0] * 64, [0, 1] * 60, [0, 0, 0, 1, 1, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 1], list(range(100)),
              rng.integers(0, 2, 128).tolist(), rng.integers(0, 40, 128).tolist(), rng.integers(0, 3, 17).tolist()):
        emit("lz76", lz76(s), *s)


def agents():
    for users, population in [(0, 0), (0, 20), (10, 20), (20, 20), (1, 5000), (9, 4)]:
        share = (min(users, population) + 8 / 256) / (population + 8)
        emit("surprisal_bits", min(-math.log2(share), 24), users, population)
    times, bits, level = np.sort(rng.uniform(0, 2e5, 50)), rng.uniform(1, 12, 50), 0.4
    drain, total, last = math.expm1(level + 0.5 * 0.7) / 3600, 0.0, 0.0
    for t, b in zip(times, bits):
        total = max(0, total * 2 ** (-(t - last) / (48 * 3600)) - drain * (t - last)) + b
        last = t
    emit("surprisal", total, level, 0.7, *np.ravel(np.column_stack([times, bits])), relative=1e-6)
    for up in ([100, 200, 300, 400, 500, 600, 700, 800], [5, 4, 3], rng.integers(100, 9000, 20).tolist(), [7, 7, 7, 7]):
        last = up[-8:]
        emit("growth", np.sign(np.diff(last)).sum() / (len(last) - 1), *up, absolute=1e-12)
        if len(up) >= 4:
            emit("growth_median", np.median(up[-16:-1]), *up, absolute=1e-9)
    for _ in range(12):
        turns, nats, loop = int(rng.integers(0, 40)), rng.uniform(-2, 5), rng.uniform(0, 1)
        z, growth, turn, duty = rng.normal(1, 3), rng.uniform(-1, 1), rng.lognormal(2, 1.5), rng.uniform(0, 1)
        pause, p_llm = rng.lognormal(1, 1.5), rng.uniform(0, 1)
        w, g, band = turns / (turns + 4), np.clip(z / 2, 0, 1), 1.5 <= turn <= 40
        odds = w * (g * (1.2 * np.clip(nats, 0, 3.7) + 2 * loop) + 0.5 * np.clip(z, 0, 6) + max(0, growth) + 0.7 * band +
                    2 * (0.05 <= pause <= 4) * p_llm) + 0.7 * duty - 2.5
        emit("agentic", special.expit(odds), turns, nats, loop, z, growth, turn, duty, pause, p_llm)
        known, stream, api = rng.choice([0, 0.1, 1]), rng.uniform(0, 1), rng.uniform(0, 1)
        odds = (4 * stream + 2.5 * api + max(0, growth) + 0.7 * band +
                np.clip(math.log(max(turns, 0.5) / 8) / 2, -1.5, 1) - 3.5)
        emit("llm_p", known + (1 - known) * min(0.9, special.expit(odds)), known, stream, api, growth, turn, turns)
    means, ranges = [.04, .2, .06, .05, .15, .03, .03, .3], [1, 3, 1, 1, 1, .5, .5, 4]
    for scale in (0, 0.05, 0.5, 5):
        acts = rng.exponential(scale, 8) * 20 if scale else np.zeros(8)
        parts = [math.log(0.5 + m / r / 2 * math.exp(min(100, math.log1p(a / 20) / m))) for a, m, r in zip(acts, means, ranges)]
        emit("turn_odds", -4 + np.clip(parts, -3, 3).sum(), 20, *acts, absolute=1e-5, relative=1e-5)


def kept(values):
    """What the sketch keeps of a series: each one of the first 64, each second one of 128, each fourth of 256 ..."""
    stride = 1
    while len(values) > 64 * stride:
        stride *= 2
    return np.array(values[::stride], dtype=float)


def trapezoid(x, a, b, c, d, log):
    with np.errstate(divide="ignore"):
        x, a, b, c, d = np.log([x, a, b, c, d]) if log else (x, a, b, c, d)
    return float(np.interp(x, [a, b, c, d], [0, 1, 1, 0])) if d < 1e9 else float(np.interp(x, [a, b], [0, 1]))


def token_parts(wait_ms, bytes_up, times_us, sizes):
    sizes, gaps = np.array(sizes), np.diff(times_us)
    small = (sizes >= 60) & (sizes <= 1200)
    x, g = kept(sizes.tolist()), np.log(kept(gaps.tolist()) + 1)
    low, mid, high = np.quantile(x, [0.25, 0.5, 0.75], method="lower")
    gap = np.quantile(g, 0.5, method="lower")
    return {0: small.mean(), 1: mid, 2: (high - low) / mid, 3: math.exp(gap) - 1, 4: ((gaps >= 4000) & (gaps <= 400000)).mean(),
            5: 1.4826 * np.quantile(np.abs(g - gap), 0.5, method="lower"), 6: small.sum(), 7: wait_ms, 8: bytes_up}


def tokens():
    far = 1e12
    corners = [(.5, .8, far, far, 0), (60, 90, 700, 1200, 1), (0, .005, .12, .35, 0), (2e3, 6e3, 150e3, 600e3, 1), (.4, .7, far, far, 0),
               (.05, .2, .9, 1.6, 0), (16, 40, far, far, 1), (80, 150, 5000, 30000, 1), (400, 1500, far, far, 1)]
    units = [1000, 1, 10000, 1, 1000, 1000, 1, 1, 1]

    def series(n, gap_us, sigma, size, spread):
        gaps = np.round(rng.lognormal(math.log(gap_us), sigma, n - 1)).astype(int)
        return np.concatenate([[0], np.cumsum(gaps)]), np.clip(np.round(rng.normal(size, spread, n)), 20, 16400).astype(int)

    cases = [(600, 8000, *series(n, gap, sigma, size, spread)) for n, gap, sigma, size, spread in
             [(120, 15e3, .5, 160, 4), (400, 12e3, .4, 260, 8), (64, 30e3, .6, 300, 30), (65, 30e3, .6, 300, 30), (129, 9e3, .3, 140, 2),
              (1000, 40e3, 1.2, 500, 60), (40, 5e3, .1, 90, 1), (30, 70e3, .8, 900, 200), (17, 20e3, .5, 120, 5), (15, 20e3, .5, 120, 5),
              (200, 300, .5, 1400, 3), (90, 15e3, .02, 130, 0), (3000, 2500, 1.0, 110, 12), (300, 200e3, 2.0, 200, 90)]]
    cases += [(w, u, *series(100, 15e3, .5, 160, 4)) for w, u in [(90, 8000), (20, 8000), (12000, 8000), (600, 700), (600, 100), (40000, 1e6)]]
    for wait_ms, up, times, sizes in cases:
        parts = token_parts(wait_ms, up, times, sizes)
        arguments = (wait_ms, up, *np.ravel(np.column_stack([times, sizes])))
        for part in (0, 1, 2, 3, 4, 5, 6):
            emit("tokens_value", parts[part] * units[part], part, *arguments, absolute=3, relative=2e-3)
        score = np.exp(np.mean([math.log(trapezoid(parts[k], *corners[k]) + 1e-3) for k in range(9)])) * 1000
        # an error of 3 of 1000 in one membership near zero moves the ninth root by more than it does elsewhere
        emit("tokens_score", min(score, 1000) if parts[6] >= 16 else 0, *arguments, absolute=6, relative=0.01)


def main():
    for family in (tails, order_statistics, distinct, quantiles, excesses, fusion, sequences, baselines, beacons, names,
                   loops, adaptive, complexities, agents, tokens):
        family()
    with open(sys.argv[1], "w", encoding="ascii") as out:
        out.write("\n".join(lines) + "\n")
    print(f"{len(lines)} reference values, numpy {np.__version__}, seed {SEED}")


if __name__ == "__main__":
    main()
