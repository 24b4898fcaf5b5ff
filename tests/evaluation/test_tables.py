#!/usr/bin/env python3
"""The arithmetic of the tables about AI agents: area under the curve against the plain count of pairs, precision and recall by
hand, the bootstrap's behaviour at its ends, the plain rules of other tools on windows made by hand, and parts of a page that
are replaced and leave the rest alone.
"""

import os
import random
import sys
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import ai_recordings as r  # noqa: E402
import plain_rules  # noqa: E402

START_NS = 1_700_000_100_000_000_000  # a multiple of 300 s and of 60 s, not of 900 s


def check_curve():
    rng = random.Random(3)
    items = [(rng.randrange(8) / 8, rng.random() < 0.4) for _ in range(80)]
    wins = [1.0 if p > n else 0.5 if p == n else 0.0 for p, a in items if a for n, b in items if not b]
    assert abs(r.auc(items) - sum(wins) / len(wins)) < 1e-12
    assert r.auc([(1, True), (0, False)]) == 1 and r.auc([(0, True), (1, False)]) == 0 and r.auc([(1, True)]) != r.auc([(1, True)])
    assert r.precision_recall([(0.9, True), (0.8, False), (0.7, True), (0.1, True)], 0.5) == (2 / 3, 2 / 3, 2 / 3)
    low, high = r.bootstrap([[(1, True), (0, False)]] * 5, r.auc)
    assert low == high == 1
    mixed = [[(s, True), (0.5, False)] for s in (0.1, 0.4, 0.6, 0.9, 0.9, 0.2)]
    low, high = r.bootstrap(mixed, r.auc)
    assert 0 <= low < r.auc(sum(mixed, [])) < high <= 1


def window(at_s, contacts, address="10.0.0.1"):
    rows = [{"peer": peer, "port": port, "protocol": 6, "role": "client", "external": False, "opened": opened, "answered": answered,
             "bytes_out": out, "bytes_in": 0} for peer, port, opened, answered, out in contacts]
    return {"address": address, "start_ns": START_NS + at_s * 10**9, "width_ms": 10_000, "contacts": rows}


def names(windows):
    return [(host, name, round(t - START_NS / 1e9)) for host, name, t in plain_rules.fire(windows)]


def check_rules():
    assert not names([window(0, [(f"10.1.0.{n}", 443, 5, 5, 10) for n in range(40)])]), "answered contacts are no failures"
    failed = [(f"10.1.0.{n}", 22, 1, 0, 0) for n in range(24)]
    found = names([window(0, failed[:20]), window(60, failed[20:])])
    assert [name for _, name, _ in found] == ["Slips: over 5 failed hosts on a port, 1 h"] and found[0][2] == 10
    found = names([window(0, failed), window(60, [("10.1.0.99", 22, 1, 0, 0)])])
    assert ("10.0.0.1", "Zeek: 25 failed hosts on a port, 5 min", 70) in found
    apart = names([window(0, failed), window(300, [("10.1.0.99", 22, 1, 0, 0)])])
    assert not [name for _, name, _ in apart if name.startswith("Zeek")], "another period"
    flows = names([window(0, [("10.1.0.1", 80, 31, 0, 0)]), window(20, [("10.1.0.1", 80, 1, 0, 0)])])
    assert ("10.0.0.1", "ntopng: 32 incomplete flows, 1 min", 30) in flows and len(flows) == 1
    ports = names([window(0, [("10.1.0.1", port, 1, 0, 0) for port in range(15)])])
    assert {name for _, name, _ in ports} == {"Zeek: 15 failed ports of a host, 5 min", "Slips: over 5 failed ports of a host, 1 h"}
    guesses = names([window(0, [("10.1.0.1", 22, 30, 30, 900)])])
    assert {name for _, name, _ in guesses} == {"Zeek: 30 failed ssh logins, 30 min"}
    assert not names([dict(window(0, [("10.1.0.1", 22, 1, 1, 0)]), contacts=[])])


def check_page():
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/page.md"
        r.write_page_part(path, "one", "1\n")
        r.write_page_part(path, "two", "2\n")
        r.write_page_part(path, "one", "3\n")
        text = open(path).read()
        assert "3\n" in text and "2\n" in text and "1\n" not in text and text.count("begin -->") == 2


def main():
    check_curve()
    check_rules()
    check_page()
    assert r.address_of_host("a07") == "10.20.40.17" and abs(r.seconds_of("2023-11-14T22:15:00.5Z") - 1_700_000_100.5) < 1e-6
    print("curve, rules and page: ok")


if __name__ == "__main__":
    main()
