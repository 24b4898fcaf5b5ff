#!/usr/bin/env python3
"""Agents of the range: their policies are deterministic, choose the next step from the last result and differ between the
two sets; a recording's turns and labels fit its packets, and the loop is in them (exchange, action on the noted peer, next
exchange). The recording needs root, namespaces and tools; without them that half says so and the test exits 77 (skipped).
"""

import csv
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import agent_tools  # noqa: E402
import hostile  # noqa: E402
import labels  # noqa: E402
import minds  # noqa: E402
import topology  # noqa: E402
from test_range import RANGE, skip_unless_possible, tshark  # noqa: E402

SLACK_S = 0.05  # between a program's clock reading and its packet


def drive(policy, answers, steps=60):
    """The steps a policy takes when the world answers as *answers*(step number) says."""
    taken, call = [], next(policy)
    for n in range(steps):
        calls = call if isinstance(call, list) else [call]
        taken.append(tuple((c.tool, c.peer, json.dumps(c.arguments, sort_keys=True)) if c else None for c in calls))
        results = [answers(n) for _ in calls]
        try:
            call = policy.send(None if call is None else results if len(calls) > 1 else results[0])
        except StopIteration:
            break
    return taken


def fine(n):
    return agent_tools.Result("ok", f"ipHostNumber: 10.20.20.{10 + n % 8}\n uid: clerk0{n % 9} limit 7 rate" * (1 + n % 5) + "x" * (n % 3))


def bad(_):
    return agent_tools.Result("refused", "")


def check_policies():
    tools = {name[3:] for name in dir(agent_tools.Tools) if name.startswith("do_")}
    everyone = {**minds.BENIGN, **hostile.ATTACKS}
    for name, policy in everyone.items():
        for manner in "ab":
            one = drive(policy(random.Random(4), manner), fine)
            assert one == drive(policy(random.Random(4), manner), fine), f"{name}: the same seed and answers, other steps"
            used = {step[0] for turn in one for step in turn if step}
            assert used <= tools, f"{name} uses unknown tools {used - tools}"
            if name not in ("crew", "upload"):
                assert one != drive(policy(random.Random(4), manner), bad), f"{name} {manner} does not read its results"
        a, b = (drive(policy(random.Random(4), manner), fine) for manner in "ab")
        assert a != b, f"{name}: both sets do the same"
    mixed = drive(hostile.mixed(random.Random(1), hostile.recon(random.Random(1), "a"), minds.coding(random.Random(1), "a")), fine)
    assert sum(turn[0] is not None and turn[0][0] in ("ldap", "port") for turn in mixed) * 2 < len(mixed), "mimicry hides nothing"


def check_recording(folder):
    summary = json.load(open(f"{folder}/run.json"))
    assert not summary["failures"] and summary["dropped_by_kernel"] == 0, summary
    capture = f"{folder}/capture.pcap.zst"
    packets = [(float(t), source, destination) for t, source, destination, *_ in tshark(
        capture, "ip", "frame.time_epoch", "ip.src", "ip.dst") if "," not in source]
    turns = list(csv.DictReader(open(f"{folder}/turns.csv")))
    acted = [turn for turn in turns if turn["t_act"] and turn["peer"] and turn["outcome"] == "ok"]
    assert len(acted) > 3, "no agent acted"
    for turn in acted:
        source = topology.BY_NAME[turn["host"]].address
        peer = next((h.address for h in topology.EVERYONE if turn["peer"] in h.names), turn["peer"])
        begin, end = float(turn["t_act"]) - SLACK_S, float(turn["t_acted"]) + SLACK_S
        assert any(begin <= t <= end and s == source and d == peer for t, s, d in packets), f"no packet fits {turn}"
    order = [turn for turn in turns if turn["host"] == acted[0]["host"] and turn["t_done"]]
    assert all(float(turn["t_request"]) < float(turn["t_done"]) for turn in order)
    assert all(not turn["t_act"] or float(turn["t_done"]) <= float(turn["t_act"]) for turn in order)
    check_rows(labels.read(f"{folder}/labels.csv"), order)


def check_rows(rows, order):
    by_label = {row["label"]: row for row in rows}
    assert {"ai-escape", "benign-coding", "benign-chat"} <= set(by_label), set(by_label)
    escape = by_label["ai-escape"]
    assert escape["ai"] == "agent" and escape["level"] == "naive" and topology.METADATA in escape["peer"], escape
    assert by_label["benign-chat"]["ai"] == "human" and by_label["benign-coding"]["class"] == "coding"
    sizes = [int(turn["bytes_up"]) for turn in order]
    assert sum(b > a for a, b in zip(sizes, sizes[1:])) * 2 >= len(sizes) - 1, f"the context does not grow: {sizes}"


def main():
    check_policies()
    print("policies: deterministic, led by results, different in the two sets")
    skip_unless_possible()
    folder = tempfile.mkdtemp(prefix="nj-agents-")
    try:
        said = subprocess.run(RANGE + ["run", "ai-mini", "--seed", "3", "--out", folder], capture_output=True, text=True)
        if "cannot run without" in said.stderr:
            print("SKIPPED: " + said.stderr.strip())
            sys.exit(77)
        assert said.returncode == 0, said.stderr
        check_recording(folder)
        print("a recording: turns and labels fit the packets")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
