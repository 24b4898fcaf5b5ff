#!/usr/bin/env python3
"""Law 1 over the whole way, on every capture at hand: what `nightjar replay --counters` counts adds up, from the frames in the file (counted here once more, by a reader of its own)
to the alerts. Captures are those of tests/captures and of NJ_SHARED/captures (default ../shared), malformed ones included; without the latter it says so.

  frames in the file = delivered = seen = decoded + dropped by reason
  flows opened = ended;  windows closed = taken + dropped;  taken = shipped + spooled + dropped, and nothing is spooled in the end
  batches shipped = received + gaps = last sequence + 1;  windows shipped = received = merged + late
  alerts raised = paged + queued + merged, of which paged and queued were told
"""

import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARED = os.path.join(os.environ.get("NJ_SHARED", os.path.join(ROOT, "..", "shared")), "captures")


def content(path):
    with open(path, "rb") as file:
        data = file.read()
    if data[:4] == b"\x28\xb5\x2f\xfd":
        return subprocess.run(["zstd", "-dc", path], capture_output=True, check=True).stdout if shutil.which("zstd") else None
    return data


def frames_of_pcap(data, order):
    at, frames = 24, 0
    while at < len(data):
        if at + 16 > len(data):
            return None
        at += 16 + struct.unpack_from(order + "I", data, at + 8)[0]
        frames += 1
    return frames if at == len(data) else None


def frames_of_pcapng(data):
    at, frames, order = 0, 0, "<"
    while at < len(data):
        if at + 12 > len(data):
            return None
        if data[at:at + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[at + 8:at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
        kind, length = struct.unpack_from(order + "II", data, at)
        if length < 12 or length % 4 or at + length > len(data):
            return None
        frames += kind in (2, 3, 6)
        at += length
    return frames


def frames_of(data):
    """How many a plain reader sees; None where it cannot say: damage, or a format that is not its own."""
    if data is None or len(data) < 24:
        return None
    order = {b"\xd4\xc3\xb2\xa1": "<", b"\x4d\x3c\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">", b"\xa1\xb2\x3c\x4d": ">"}.get(data[:4])
    if order is not None:
        return frames_of_pcap(data, order)
    return frames_of_pcapng(data) if data[:4] == b"\x0a\x0d\x0d\x0a" else None


class Broken(Exception):
    pass


def equal(what, a, b):
    if a != b:
        raise Broken(f"{what}: {a} is not {b}")


def check(counters, told, frames):
    capture, sensor, shipper, aggregator = (counters[name] for name in ("capture", "sensor", "shipper", "aggregator"))
    if frames is not None and capture["inputs_failed"] == 0:
        equal("frames in the file = delivered", frames, capture["frames"])
    equal("delivered = seen", capture["frames"], sensor["frames_seen"])
    equal("seen = decoded + dropped", sensor["frames_seen"], sensor["frames_decoded"] + sum(sensor["drops"].values()))
    equal("flows opened = ended", sensor["flows_opened"], sensor["flows_ended"])
    equal("windows closed = taken + dropped", sensor["windows_closed"], shipper["windows_taken"] + sensor["windows_dropped"])
    equal("taken = shipped + spooled + dropped", shipper["windows_taken"],
          shipper["windows_shipped"] + shipper["windows_spooled"] + shipper["windows_dropped_full"] + shipper["windows_dropped_error"])
    equal("nothing is spooled in the end", shipper["windows_spooled"], 0)
    equal("batches shipped = received + gaps", shipper["batches_shipped"], aggregator["batches_received"] + aggregator["gaps"])
    equal("nothing is refused", aggregator["batches_refused"], 0)
    equal("windows shipped = received", shipper["windows_shipped"], aggregator["windows_received"])
    equal("received = merged + late", aggregator["windows_received"], aggregator["windows_merged"] + aggregator["windows_late"])
    equal("alerts raised = paged + queued + merged", aggregator["alerts_raised"],
          aggregator["alerts_paged"] + aggregator["alerts_queued"] + aggregator["alerts_merged"])
    equal("told = paged + queued", told, aggregator["alerts_paged"] + aggregator["alerts_queued"])


def captures():
    roots = [os.path.join(ROOT, "tests", "captures")]
    if os.path.isdir(SHARED):
        roots.append(SHARED)
    else:
        print(f"NOT COVERED: no captures at {SHARED}; set NJ_SHARED to the folder that has them")
    for root in roots:
        for folder, _, names in sorted(os.walk(root)):
            yield from (os.path.join(folder, name) for name in sorted(names) if not name.endswith((".csv", ".md", ".yaml", ".txt")))


def main():
    if len(sys.argv) < 2:
        sys.exit(f"usage: {sys.argv[0]} NIGHTJAR [CAPTURE...]")
    program, broken, sums = os.path.abspath(sys.argv[1]), 0, {"captures": 0, "counted": 0, "damaged": 0, "empty": 0, "frames": 0, "dropped": 0, "windows": 0, "alerts": 0}
    with tempfile.TemporaryDirectory(prefix="nj_law1_") as folder:
        path = os.path.join(folder, "counters.json")
        for capture in sys.argv[2:] or captures():
            done = subprocess.run([program, "replay", "--json", "--quiet", "--counters", path, capture], capture_output=True, timeout=300)
            sums["captures"] += 1
            try:
                if done.returncode not in (0, 3):
                    raise Broken(f"exit {done.returncode}: {done.stderr.decode(errors='replace')}")
                if not os.path.exists(path):
                    sums["empty"] += 1  # nothing in it that could be read
                    equal("a failure is told in one line", (done.returncode, len(done.stderr.splitlines())), (3, 1))
                    continue
                with open(path) as file:
                    counters = json.load(file)
                os.unlink(path)
                frames = frames_of(content(capture))
                check(counters, len(done.stdout.splitlines()), frames)
            except Broken as reason:
                broken += 1
                print(f"{capture}: {reason}\n  reproduce: {sys.argv[0]} {sys.argv[1]} '{capture}'")
                continue
            sums["counted"] += frames is not None
            sums["damaged"] += counters["capture"]["inputs_failed"]
            sums["frames"] += counters["sensor"]["frames_seen"]
            sums["dropped"] += sum(counters["sensor"]["drops"].values())
            sums["windows"] += counters["shipper"]["windows_shipped"]
            sums["alerts"] += counters["aggregator"]["alerts_raised"]
    print(", ".join(f"{value} {name}" for name, value in sums.items()), f"; {broken} broken" if broken else "; all add up")
    sys.exit(broken != 0)


if __name__ == "__main__":
    main()
