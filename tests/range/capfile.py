"""Classic pcap files, read and written plainly: just enough to stretch and to trim our own recordings (little-endian,
Ethernet; .zst through zstd)."""

import bisect
import struct
import subprocess

GLOBAL = struct.Struct("<IHHiIII")
RECORD = struct.Struct("<IIII")
MAGIC_US = 0xA1B2C3D4


def read(path):
    """Yields (seconds as integer microseconds, wire length, bytes)."""
    data = subprocess.run(["zstd", "-q", "-d", "-c", path], capture_output=True,
                          check=True).stdout if path.endswith(".zst") else open(path, "rb").read()
    if GLOBAL.unpack_from(data)[0] != MAGIC_US:
        raise ValueError(f"{path}: not a little-endian microsecond pcap")
    at = GLOBAL.size
    while at + RECORD.size <= len(data):
        seconds, micros, kept, wire = RECORD.unpack_from(data, at)
        at += RECORD.size
        yield seconds * 1_000_000 + micros, wire, data[at:at + kept]
        at += kept


def write(path, packets, level=19):
    """Takes (microseconds, wire length, bytes); snap length 262144, Ethernet."""
    out = bytearray(GLOBAL.pack(MAGIC_US, 2, 4, 0, 0, 262144, 1))
    for t_us, wire, frame in packets:
        out += RECORD.pack(t_us // 1_000_000, t_us % 1_000_000, len(frame), wire) + frame
    if path.endswith(".zst"):
        subprocess.run(["zstd", "-q", "-f", f"-{level}", "-o", path], input=bytes(out), check=True)
    else:
        with open(path, "wb") as file:
            file.write(out)


def stretch(source, target, factor, over_s):
    """Makes every silence of more than *over_s* seconds *factor* times as long: what happens inside a burst keeps its
    tempo, the pauses grow.

    Returns the function that moves any time of the old recording to the new one.
    """
    packets = sorted(read(source), key=lambda packet: packet[0])
    old, new = [], []
    for t_us, _, _ in packets:
        gap = t_us - old[-1] if old else 0
        moved = new[-1] + (round(gap * factor) if gap > over_s * 1e6 else gap) if old else t_us
        old.append(t_us)
        new.append(moved)
    write(target, ((t, wire, frame) for t, (_, wire, frame) in zip(new, packets)))

    def move(t_s):
        n = bisect.bisect_right(old, t_s * 1e6)
        if n == 0:
            return t_s
        if n == len(old):
            return (new[-1] - old[-1]) / 1e6 + t_s
        share = (t_s * 1e6 - old[n - 1]) / max(1, old[n] - old[n - 1])
        return (new[n - 1] + share * (new[n] - new[n - 1])) / 1e6

    return move


BULK_FROM_BYTES = 400  # only frames larger than this are ever cut


def trim(source, target, whole):
    """Cuts the large TCP segments of a flow after their TCP header, but for its first *whole* ones (handshakes,
    banners, first answers). The wire length stays, as in any capture with a snap length, and so does every frame that
    is not large."""
    seen, packets, saved = {}, [], 0
    for t_us, wire, frame in read(source):
        if len(frame) > BULK_FROM_BYTES and is_tcp(frame):
            at = 14 + (frame[14] & 15) * 4
            flow = frozenset([frame[26:30] + frame[at:at + 2], frame[30:34] + frame[at + 2:at + 4]])
            seen[flow] = seen.get(flow, 0) + 1
            if seen[flow] > whole:
                keep = at + (frame[at + 12] >> 4) * 4
                saved += len(frame) - keep
                frame = frame[:keep]
        packets.append((t_us, wire, frame))
    write(target, packets)
    return f"{len(packets)} packets, {saved} bytes of bulk payload cut"


def is_tcp(frame):
    return frame[12:14] == b"\x08\x00" and frame[23] == 6
