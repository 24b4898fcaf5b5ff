#!/usr/bin/env python3
"""Stretching, trimming and blanking do what the labels say of them. Exits 77 (skipped) without zstd."""

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


def check_wait(folder):
    mine, other = segment(1000, 10), segment(1000, 10).replace(bytes([10, 20, 10, 1]), bytes([10, 20, 10, 9]))
    packets = [(t * 1_000_000, len(f), f) for t, f in ((10, mine), (11, other), (12, mine), (14, mine), (15, mine))]
    capfile.write(f"{folder}/f.pcap", packets)
    move = capfile.wait_before(f"{folder}/f.pcap", f"{folder}/g.pcap", "10.20.10.1", [(14, 100), (11.5, 7)])
    assert [t for t, _, _ in capfile.read(f"{folder}/g.pcap")] == [10_000_000, 19_000_000, 121_000_000, 122_000_000]
    assert (move(10), move(12), move(20)) == (10, 19, 127)


def check_trim(folder):
    bulk, small = segment(1000, 1448), segment(1001, 200)
    packets = [(n, len(bulk), bulk) for n in range(30 + 5)] + [(100 + n, len(small), small) for n in range(60)]
    capfile.write(f"{folder}/b.pcap", packets)
    capfile.trim(f"{folder}/b.pcap", f"{folder}/c.pcap.zst", whole=30)
    got = list(capfile.read(f"{folder}/c.pcap.zst"))
    assert [(t, wire) for t, wire, _ in got] == [(t, wire) for t, wire, _ in packets]
    assert [len(frame) for _, _, frame in got[:35]] == [len(bulk)] * 30 + [54] * 5
    assert all(len(frame) == len(small) for _, _, frame in got[35:]), "small segments stay whole, however many"


def piece(source_port, sequence, payload, flags=0x10, protocol=6):
    """Like `segment`, with its place in the stream."""
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, (40 if protocol == 6 else 28) + len(payload), 1, 0, 64, protocol, 0,
                     bytes([10, 20, 10, 1]), bytes([10, 20, 20, 1]))
    head = struct.pack(">HHIIBBHHH", source_port, 443, sequence & 0xFFFFFFFF, 1, 0x50, flags, 512, 0, 0)
    if protocol == 17:
        head = struct.pack(">HHHH", source_port, 443, 8 + len(payload), 0)
    return b"\x02" * 12 + b"\x08\x00" + ip + head + payload


def ones_sum(frame, protocol):
    """The one's complement sum over pseudo header and segment: 0xffff where the checksum is right."""
    data = frame[26:34] + bytes([0, protocol]) + struct.pack(">H", len(frame) - 34) + frame[34:]
    total = sum(int.from_bytes((data + b"\0")[n:n + 2], "big") for n in range(0, len(data), 2))
    return total % 0xFFFF


def check_blank(folder):
    hello = b"\x16\x03\x01\x00\x04" + b"HELO"
    secret = b"\x17\x03\x03\x00\x14" + b"s" * 20
    stream, first = hello + secret + secret, 0xFFFFFFF0  # the numbers come round in the middle
    cuts = [(0, 12), (12, 20), (20, 40), (40, len(stream))]  # a record's header and bodies cut in the middle
    frames = [piece(1000, first - 1, b"", 2)] + [piece(1000, first + a, stream[a:b]) for a, b in cuts]
    frames[2], frames[3] = frames[3], frames[2]  # recorded in the wrong order
    short, long = b"\x41" + b"c" * 19 + b"q" * 60, b"\xc1" + b"q" * 60
    frames += [piece(2000, 1, hello, 0x10), piece(1001, 0, short, protocol=17), piece(1001, 0, long, protocol=17)]
    frames += [piece(80, 1, b"HTTP/1.1 200 OK"), piece(80, 16, b"random file")]
    capfile.write(f"{folder}/d.pcap", [(n, len(f), f) for n, f in enumerate(frames)])
    capfile.blank(f"{folder}/d.pcap", f"{folder}/e.pcap")
    got = [frame for _, _, frame in capfile.read(f"{folder}/e.pcap")]
    want = hello + (secret[:5] + b"\0" * 20) * 2
    assert got[1][54:] + got[3][54:] + got[2][54:] + got[4][54:] == want, "the stream is not as it should be"
    assert got[5][54:] == hello, "a connection whose opening was not recorded is left"
    assert got[6][42:] == short[:24] + bytes(len(short) - 24) and got[7][42:] == long
    assert got[8][54:] == b"HTTP/1.1 200 OK" and got[9][54:] == bytes(11)
    assert [len(f) for f in got] == [len(f) for f in frames]
    assert all(ones_sum(f, f[23]) == 0 for f in got), "checksums"


def main():
    if not shutil.which("zstd"):
        print("SKIPPED: zstd is missing")
        sys.exit(77)
    folder = tempfile.mkdtemp(prefix="nj-capfile-")
    try:
        check_stretch(folder)
        check_wait(folder)
        check_trim(folder)
        check_blank(folder)
        print("stretch, trim and blank: ok")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
