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


def wait_before(source, target, address, pauses):
    """Keeps the packets of *address* alone and puts pauses between them: *pauses* is a list of (time, seconds), each pushes
    back what comes at or after its time. One actor of a busy recording acts as before, only slowly. Returns the function that
    moves times, as `stretch` does."""
    pauses = sorted(pauses)
    times = [t for t, _ in pauses]
    sums = [0.0]
    for _, seconds in pauses:
        sums.append(sums[-1] + seconds)

    def move(t_s):
        return t_s + sums[bisect.bisect_right(times, t_s)]

    write(target, ((round(move(t_us / 1e6) * 1e6), wire, frame) for t_us, wire, frame in sorted(
        (p for p in read(source) if _concerns(p[2], address)), key=lambda packet: packet[0])))
    return move


def _concerns(frame, address):
    """Whether an IPv4 packet or an ARP message is from or to an address."""
    wanted = bytes(int(part) for part in address.split("."))
    if frame[12:14] == b"\x08\x06":
        return wanted in (frame[28:32], frame[38:42])
    return frame[12:14] == b"\x08\x00" and wanted in (frame[26:30], frame[30:34])


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


def blank(source, target):
    """Replaces by zeros what says nothing to a sensor: the bodies of TLS application data and of QUIC's short packets, and the
    later segments of a web server's clear answers (random files). Lengths, record headers, handshakes, QUIC's long packets and
    all times stay; TCP and UDP checksums are made anew. What was incompressible compresses to little."""
    recorded, packets, saved = list(read(source)), [], 0
    sides = _tls_sides(recorded)
    for t_us, wire, frame in recorded:
        if len(frame) == wire and frame[12:14] == b"\x08\x00":
            transport = 14 + (frame[14] & 15) * 4
            body = bytearray(frame[:14 + int.from_bytes(frame[16:18], "big")])
            if is_tcp(frame):
                saved += _blank_tls(body, sides) or _blank_web(body, transport)
            elif frame[23] == 17 and 443 in (int.from_bytes(body[transport:transport + 2], "big"),
                                             int.from_bytes(body[transport + 2:transport + 4], "big")):
                saved += _blank_short(body, transport + 8)
            _checksum(body, transport, frame[23])
            frame = bytes(body)
        packets.append((t_us, wire, frame))
    write(target, packets)
    return f"{len(packets)} packets, {saved} bytes of ciphertext blanked"


WEB_PORT = 80


def _blank_web(body, transport):
    """The segments of a clear answer after the one its head is in."""
    start = transport + (body[transport + 12] >> 4) * 4
    if int.from_bytes(body[transport:transport + 2], "big") != WEB_PORT or body[start:start + 5] == b"HTTP/":
        return 0
    body[start:] = bytes(len(body) - start)
    return len(body) - start


SHORT_KEPT_BYTES = 24  # first byte, connection id, a little


def _blank_short(body, at):
    """A QUIC packet with a short header; long ones are left, their Initials say who speaks."""
    if at >= len(body) or body[at] & 0x80:
        return 0
    cut = max(0, len(body) - at - SHORT_KEPT_BYTES)
    body[len(body) - cut:] = bytes(cut)
    return cut


class _Side:
    """One direction of a TCP connection: its segments, then the TLS records in them."""

    def __init__(self, sequence):
        self.first, self.segments, self.records = sequence, [], []

    def sequence(self, raw):
        """Counted from the connection's start, also after the numbers came round."""
        return (raw - self.first) & 0xFFFFFFFF

    def parse(self):
        """Reads record headers through the segments in the order of their numbers; stops where bytes are missing or what
        follows is no TLS."""
        at, head, upto = 0, b"", 0
        for sequence, data in sorted(self.segments, key=lambda s: (s[0], -len(s[1]))):
            if sequence > upto:
                return
            upto = max(upto, sequence + len(data))
            while sequence <= at + len(head) < sequence + len(data):
                place = at + len(head) - sequence
                head += data[place:place + 5 - len(head)]
                if len(head) < 5:
                    break
                kind, major, size = head[0], head[1], int.from_bytes(head[3:5], "big")
                if kind not in (20, 21, 22, 23) or major != 3 or size > 18432:
                    return
                self.records.append((at + 5, at + 5 + size, kind))
                at, head = at + 5 + size, b""


APPLICATION_DATA = 23


def _tcp(frame):
    """(side's key, where its transport header and its data begin, raw sequence number, whether it opens)."""
    transport = 14 + (frame[14] & 15) * 4
    start = transport + (frame[transport + 12] >> 4) * 4
    return bytes(frame[26:34] + frame[transport:transport + 4]), start, int.from_bytes(
        frame[transport + 4:transport + 8], "big"), bool(frame[transport + 13] & 2)


def _tls_sides(packets):
    """{key: _Side} of every direction whose opening was recorded."""
    sides = {}
    for _, wire, frame in packets:
        if len(frame) == wire and is_tcp(frame):
            key, start, raw, opens = _tcp(frame)
            data = frame[start:14 + int.from_bytes(frame[16:18], "big")]
            if opens:
                sides[key] = _Side(raw + 1)
            elif key in sides and data:
                sides[key].segments.append((sides[key].sequence(raw), data))
    for side in sides.values():
        side.parse()
        side.segments = []
    return sides


def _blank_tls(body, sides):
    """Zeroes the application data in a TCP segment."""
    key, start, raw, opens = _tcp(body)
    side = sides.get(key)
    if side is None or opens or start == len(body):
        return 0
    sequence, saved = side.sequence(raw), 0
    end = sequence + len(body) - start
    n = bisect.bisect_right(side.records, (sequence, 1 << 62, 0)) - 1
    for first, last, kind in side.records[max(0, n):]:
        if first >= end:
            break
        low, high = max(first, sequence), min(last, end)
        if kind == APPLICATION_DATA and low < high:
            body[start + low - sequence:start + high - sequence] = bytes(high - low)
            saved += high - low
    return saved


def _checksum(body, transport, protocol):
    """Computes the TCP or UDP checksum of an IPv4 packet anew; fragments are left."""
    if protocol not in (6, 17) or int.from_bytes(body[20:22], "big") & 0x3FFF:
        return
    at = transport + (16 if protocol == 6 else 6)
    body[at:at + 2] = b"\0\0"
    segment = bytes(body[transport:])
    pseudo = bytes(body[26:34]) + struct.pack(">BBH", 0, protocol, len(segment)) + segment
    words = struct.unpack(f">{(len(pseudo) + 1) // 2}H", pseudo + b"\0" * (len(pseudo) & 1))
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    value = ~total & 0xFFFF
    body[at:at + 2] = struct.pack(">H", value or (0xFFFF if protocol == 17 else 0))


def is_tcp(frame):
    return frame[12:14] == b"\x08\x00" and frame[23] == 6
