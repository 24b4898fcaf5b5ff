#!/usr/bin/env python3
"""Prints the table of models/beacon.c: quantiles of rho = MADN(ln gap) for n exponential gaps, the null of a caller
without memory. Monte Carlo, seeded; a run takes about a minute. Paste the output when the rows or the seed change."""

import numpy as np

SEED = 20261124
DRAWS = 4_000_000
CHUNK = 100_000
ROWS = [8, 16, 32, 64]
LEVELS = [1e-5, 1e-4, 1e-3, 1e-2, 0.1, 0.5, 0.9]


def rho(rng, draws, n):
    log_gap = np.log(rng.standard_exponential((draws, n)))
    deviation = np.abs(log_gap - np.median(log_gap, axis=1, keepdims=True))
    return 1.4826 * np.median(deviation, axis=1)


def main():
    rng = np.random.default_rng(SEED)
    print("/*            p: " + " ".join(f"{level:8g}" for level in LEVELS) + " */")
    for n in ROWS:
        sample = np.concatenate([rho(rng, CHUNK, n) for _ in range(DRAWS // CHUNK)])
        values = np.quantile(sample, LEVELS)
        print(f"\t{{{n:2d}, {{" + ", ".join(f"{value:.4f}" for value in values) + "}},")


if __name__ == "__main__":
    main()
