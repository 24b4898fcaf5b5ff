#!/usr/bin/env python3
"""Stretching and trimming do what the labels say of them. Exits 77 (skipped) without zstd."""

import os
import shutil
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import capfile  # noqa: E402
import labels  # noqa: E402


def segment(source_port, payload_bytes):
    """An Ethernet frame with an IPv4 TCP segment between two fixed hosts."""
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + payload_bytes, 1, 0, 64, 6, 0, bytes([10, 20, 10, 1]),
                     bytes([10, 20, 20, 1]))
    tcp = struct.pack(">HHIIBBHHH", source_port, 443, 1, 1, 0x50, 0x10, 512, 0, 0)
    return b"\x02" * 12 + b"\x08\x00" + ip + tcp + b"x" * payload_bytes


def check_stretch(folder):
    times_us = [1_000_000_000, 1_000_200_000, 1_002_200_000, 1_002_300_000, 1_007_300_000]
    frame = segment(1000, 10)
    capfile.write(f"{folder}/a.pcap.zst", [(t, len(frame), frame) for t in times_us])
    labels.write([{
        "start": "1000.000000", "end": "1002.250000", "agent": "10.20.10.1", "technique": "T1", "label": "beacon",
        "peer": "", "words": "as recorded"
    }], f"{folder}/a.csv")
    subprocess.run([
        sys.executable, f"{HERE}/range", "stretch", f"{folder}/a.pcap.zst", f"{folder}/a.csv", "--factor", "10",
        "--over", "1", "--out", f"{folder}/out"
    ], check=True)
    got = [t for t, _, _ in capfile.read(f"{folder}/out/capture.pcap.zst")]
    assert got == [1_000_000_000, 1_000_200_000, 1_020_200_000, 1_020_300_000,
                   1_070_300_000], got  # gaps of 2 and 5 s grew, those of 0.2 and 0.1 s did not
    row = labels.read(f"{folder}/out/labels.csv")[0]
    assert (row["start"], row["end"]) == ("1000.000000", "1020.250000"), row
    assert "time-stretched" in row["words"] and "10 times" in row["words"], row


def check_trim(folder):
    bulk, small = segment(1000, 1448), segment(1001, 200)
    packets = [(n, len(bulk), bulk) for n in range(30 + 5)] + [(100 + n, len(small), small) for n in range(60)]
    capfile.write(f"{folder}/b.pcap", packets)
    capfile.trim(f"{folder}/b.pcap", f"{folder}/c.pcap.zst", whole=30)
    got = list(capfile.read(f"{folder}/c.pcap.zst"))
    assert [(t, wire) for t, wire, _ in got] == [(t, wire) for t, wire, _ in packets]
    assert [len(frame) for _, _, frame in got[:35]] == [len(bulk)] * 30 + [54] * 5
    assert all(len(frame) == len(small) for _, _, frame in got[35:]), "small segments stay whole, however many"


def main():
    if not shutil.which("zstd"):
        print("SKIPPED: zstd is missing")
        sys.exit(77)
    folder = tempfile.mkdtemp(prefix="nj-capfile-")
    try:
        check_stretch(folder)
        check_trim(folder)
        print("stretch and trim: ok")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
