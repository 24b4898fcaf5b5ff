#!/usr/bin/env python3
"""The range keeps its promises: labels that fit the packets, no address but its own, every packet once, and nothing
left behind - also when it is killed.

Needs root, namespaces and the tools; without them it says which and exits 77 (skipped).
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import labels  # noqa: E402
import topology  # noqa: E402
from servers import find, postgres_binaries  # noqa: E402
from stage import NEEDED  # noqa: E402

RANGE = [sys.executable, os.path.join(HERE, "range")]
SCOUT = topology.BY_NAME["ws02"].address


def skip_unless_possible():
    lacking = [
        tool for tool in NEEDED + ["nmap", "sshd", "smbd", "redis-server", "git", "tshark", "capinfos", "unshare"]
        if not find(tool)
    ]
    if not postgres_binaries():
        lacking.append("postgres")
    if os.geteuid() != 0:
        lacking.append("root")
    elif subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "true"],
                        capture_output=True).returncode != 0:
        lacking.append("the right to make namespaces")
    if lacking:
        print("SKIPPED: the range test lacks " + ", ".join(lacking) + " (packages: deploy/packages-range.txt)")
        sys.exit(77)


def tshark(capture, display_filter, *fields):
    argv = ["tshark", "-n", "-r", capture, "-Y", display_filter, "-T", "fields"
            ] + [word for field in fields for word in ("-e", field)]
    return [
        line.split("\t")
        for line in subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    ]


class Traces:
    """What the machine looks like without a range, and which namespaces a running one holds."""

    def __init__(self):
        self.links = links()
        self.names = names()

    def assert_nothing_left(self, held):
        wait_until(lambda: not processes_in(held), "processes of the range are still there")
        left = {link for link in links() - self.links if ours(link.split("@")[0])}
        assert not left, f"links left: {left}"
        left = {name for name in names() - self.names if ours(name)}
        assert not left, f"named namespaces left: {left}"


def ours(name):
    """Whether a link or a namespace bears a name the range gives: other tests beside this one make their own."""
    return name in topology.BY_NAME or name in ("hub0", "tap", "router") or re.fullmatch(r"port\d+", name) is not None


def links():
    return {
        line.split(": ")[1]
        for line in subprocess.run(["ip", "-o", "link"], capture_output=True, text=True,
                                   check=True).stdout.splitlines()
    }


def names():
    return set(os.listdir("/run/netns")) if os.path.isdir("/run/netns") else set()


def namespace(pid, kind):
    try:
        return os.readlink(f"/proc/{pid}/ns/{kind}")
    except OSError:
        return None


def processes_in(pid_namespaces):
    return [pid for pid in os.listdir("/proc") if pid.isdigit() and namespace(pid, "pid") in pid_namespaces]


def wait_until(condition, complaint, limit_s=20):
    """Polls: what is waited for is another process's death or birth, and neither tells."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.05)


def process_one(unshare):
    """The range's process 1, seen from here, once it has left our own process namespace."""

    def children():
        try:
            return open(f"/proc/{unshare.pid}/task/{unshare.pid}/children").read().split()
        except OSError:
            return []

    wait_until(lambda: children() or unshare.poll() is not None, "the range started no process of its own")
    return children()[0]


def start(out, *extra):
    process = subprocess.Popen(RANGE + ["run", "mini", "--seed", "7", "--out", out] + list(extra),
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    held = {namespace(process_one(process), "pid")}
    assert held != {namespace("self", "pid")} and None not in held
    return process, held


def check_recording(folder):
    capture = f"{folder}/capture.pcap.zst"
    summary = json.load(open(f"{folder}/run.json"))
    said = subprocess.run(["capinfos", "-M", "-T", "-r", "-c", capture], capture_output=True, text=True,
                          check=True).stdout.split()
    assert int(said[-1]) == summary["packets"] > 200, (said, summary["packets"])
    assert summary["dropped_by_kernel"] == 0 and not summary["failures"] and not summary["missing_tools"], summary
    assert not [run for run in summary["tool_runs"] if not run.endswith(" ok")], summary["tool_runs"]

    rows = labels.read(f"{folder}/labels.csv")
    sweep = next(row for row in rows if row["label"] == "scan-horizontal")
    decoy = next(row for row in rows if row["label"] == "decoy")
    assert sweep["agent"] == SCOUT and sweep["technique"] == "T1046"
    within = f"frame.time_epoch >= {sweep['start']} && frame.time_epoch <= {sweep['end']}"
    probed = {
        row[0]
        for row in tshark(capture, f"{within} && ip.src == {SCOUT} && tcp.dstport == 445 && tcp.flags.syn == 1",
                          "ip.dst")
    }
    assert probed == {f"10.20.20.{n}" for n in range(16)}, probed
    assert not tshark(capture, f"!({within}) && ip.src == {SCOUT} && tcp.dstport == 445 && !icmp",
                      "frame.number"), "probes outside the labelled time"
    within = f"frame.time_epoch >= {decoy['start']} && frame.time_epoch <= {decoy['end']}"
    assert tshark(capture, f"{within} && ip.src == {SCOUT} && ip.dst == {decoy['peer']} && tcp.flags.syn == 1",
                  "frame.number"), "no packet to the decoy"
    assert {row["agent"]
            for row in rows
            if row["label"] == "benign"} >= {topology.BY_NAME[name].address
                                             for name in ("ws01", "ws04", "web", "dns")}

    ours = "{" + ", ".join(topology.NETWORKS) + "}"
    assert not tshark(capture, "!(ip || arp)", "frame.number"), "frames that are neither IPv4 nor ARP"
    assert not tshark(capture, f"ip && !(ip.src in {ours} && ip.dst in {ours})", "ip.src",
                      "ip.dst"), "an address outside the range's networks"
    strangers = " || ".join(f"arp.src.proto_ipv4 == {address}" for address in topology.ROUTER_ADDRESSES)
    assert not tshark(capture, f"arp && !(arp.src.proto_ipv4 in {ours} || {strangers})",
                      "frame.number"), "ARP for somebody unknown"
    forwarded = " && ".join(f"ip.src != {address}" for address in topology.ROUTER_ADDRESSES)
    assert not tshark(capture, f"eth.src == {topology.ROUTER_MAC} && ip && ({forwarded}) && !icmp",
                      "frame.number"), "a routed packet was recorded twice"


def main():
    skip_unless_possible()
    before = Traces()
    folder = tempfile.mkdtemp(prefix="nj-range-")
    try:
        process, held = start(folder)
        said, _ = process.communicate(timeout=150)
        assert process.returncode == 0, said
        before.assert_nothing_left(held)
        check_recording(folder)
        print("a run: labels fit the packets, no foreign address, nothing recorded twice, nothing left behind")

        process, held = start(f"{folder}/killed")
        wait_until(lambda: os.path.exists(f"{folder}/killed/capture.pcap"), "the second run did not begin to record",
                   60)
        assert len(processes_in(held)) > 10
        process.kill()
        process.wait()
        before.assert_nothing_left(held)
        print("killed with -9 while recording: nothing left behind")

        process, held = start(f"{folder}/limited", "--limit", "4")
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 124 and "stopped by itself" in said, said
        before.assert_nothing_left(held)
        print("past its time limit: stopped by itself, nothing left behind")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
