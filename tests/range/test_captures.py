#!/usr/bin/env python3
"""Every label of tests/captures fits its capture: the labelled agent speaks with the labelled peer within the
labelled time, no attacker is also called benign, no address is foreign. Exits 77 (skipped) without tshark.
"""

import glob
import ipaddress
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import labels  # noqa: E402
import topology  # noqa: E402

CAPTURES = os.path.join(HERE, "..", "captures")
OURS = [ipaddress.ip_network(network) for network in topology.NETWORKS + [topology.DARK_NETWORK, topology.METADATA + "/32"]]


def packets(capture):
    """(time, source, destination) of each IPv4 packet; of a tunnelled or quoted header only the outer one."""
    argv = [
        "tshark", "-n", "-r", capture, "-Y", "ip", "-T", "fields", "-E", "occurrence=f", "-e", "frame.time_epoch", "-e",
        "ip.src", "-e", "ip.dst"
    ]
    for line in subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines():
        time_s, source, destination = line.split("\t")
        yield float(time_s), source, destination


def peers(row):
    return [ipaddress.ip_network(peer) for peer in row["peer"].split()]


def check(capture, table):
    rows = labels.read(table)
    assert rows, f"{table}: no labels"
    seen = list(packets(capture))
    addresses = {address for _, source, destination in seen for address in (source, destination)}
    foreign = [
        address for address in addresses if not any(ipaddress.ip_address(address) in network for network in OURS)
    ]
    assert not foreign, f"{capture}: foreign addresses {foreign}"
    for row in rows:
        if row["label"].startswith("benign") and not row["peer"]:
            continue
        start, end = float(row["start"]), float(row["end"])
        sent = [destination for t, source, destination in seen if start <= t <= end and source == row["agent"]]
        assert any(ipaddress.ip_address(destination) in peer for destination in set(sent)
                   for peer in peers(row)), f"{table}: no packet fits {row}"
    accused = {row["agent"] for row in rows if not row["label"].startswith("benign")}
    assert not accused & {row["agent"]
                          for row in rows if row["label"] == "benign"}, f"{table}: called both benign and not"
    return len(rows)


def main():
    if not shutil.which("tshark"):
        print("SKIPPED: tshark is missing")
        sys.exit(77)
    tables = sorted(glob.glob(f"{CAPTURES}/*.labels.csv") + glob.glob(f"{CAPTURES}/ai/*.labels.csv"))
    captures = {name.split("/")[-1].split(".")[0]: name
                for name in glob.glob(f"{CAPTURES}/*.zst") + glob.glob(f"{CAPTURES}/ai/*.zst")}
    assert len(tables) == len(captures) > 10, "a capture without labels, or labels without a capture"
    for table in tables:
        name = os.path.basename(table).split(".")[0]
        print(f"{name}: {check(captures[name], table)} labels fit")


if __name__ == "__main__":
    main()
