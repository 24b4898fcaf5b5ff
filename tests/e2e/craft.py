"""Captures made by hand for the end-to-end tests: a few hosts, TCP and UDP with right checksums left to offload (0), TLS ClientHellos with any name, a scan.
Deterministic: the same call gives the same bytes. Also what every test script here needs: the program under test, a folder, a runner.
"""

import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
import unittest

START = 1_795_550_400.0  # 2026-11-24T20:00:00Z


def ethernet(payload, kind=0x0800):
    return bytes.fromhex("02000000000102000000000a") + struct.pack(">H", kind) + payload


def ipv4(source, target, protocol, payload, ttl=64):
    header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0x4000, ttl, protocol, 0, socket.inet_aton(source), socket.inet_aton(target))
    return ethernet(header + payload)


def tcp(source, sport, target, dport, seq, ack, flags, payload=b""):
    bits = sum({"F": 1, "S": 2, "R": 4, "P": 8, "A": 16}[flag] for flag in flags)
    return ipv4(source, target, 6, struct.pack(">HHIIBBHHH", sport, dport, seq, ack, 5 << 4, bits, 65535, 0, 0) + payload)


def udp(source, sport, target, dport, payload):
    return ipv4(source, target, 17, struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload)


def client_hello(name):
    raw = name.encode() if isinstance(name, str) else name
    server_name = struct.pack(">HBH", len(raw) + 3, 0, len(raw)) + raw
    extensions = struct.pack(">HH", 0, len(server_name)) + server_name
    extensions += struct.pack(">HHHH", 10, 4, 2, 29) + struct.pack(">HHHH", 13, 4, 2, 0x0403) + struct.pack(">HHHB", 16, 5, 3, 2) + b"h2"
    body = b"\x03\x03" + bytes(32) + b"\x00" + struct.pack(">HHH", 4, 0x1301, 0xC02F) + b"\x01\x00" + struct.pack(">H", len(extensions)) + extensions
    handshake = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + struct.pack(">H", len(handshake)) + handshake


class Capture:
    """Frames with times, in any order; sorted when written."""

    def __init__(self, seed=1):
        self.frames = []
        self.random = random.Random(seed)

    def add(self, at, frame):
        self.frames.append((at, frame))

    def conversation(self, at, client, server, port, sent=(), received=(), sport=None, gap=0.01):
        """A whole TCP flow: handshake, turns, orderly end. *sent* and *received*: payloads in turn."""
        sport = sport or self.random.randrange(32768, 61000)
        seq, ack = 1000, 5000
        self.add(at, tcp(client, sport, server, port, seq, 0, "S"))
        self.add(at + gap, tcp(server, port, client, sport, ack, seq + 1, "SA"))
        seq, ack, at = seq + 1, ack + 1, at + 2 * gap
        self.add(at, tcp(client, sport, server, port, seq, ack, "A"))
        for turn in range(max(len(sent), len(received))):
            for payloads, mine in ((sent, True), (received, False)):
                if turn >= len(payloads):
                    continue
                for piece in range(0, len(payloads[turn]), 1400):
                    at += gap / 10
                    data = payloads[turn][piece:piece + 1400]
                    if mine:
                        self.add(at, tcp(client, sport, server, port, seq, ack, "PA", data))
                        seq += len(data)
                    else:
                        self.add(at, tcp(server, port, client, sport, ack, seq, "PA", data))
                        ack += len(data)
                at += gap
        self.add(at + gap, tcp(client, sport, server, port, seq, ack, "FA"))
        self.add(at + 2 * gap, tcp(server, port, client, sport, ack, seq + 1, "FA"))
        self.add(at + 3 * gap, tcp(client, sport, server, port, seq + 1, ack + 1, "A"))
        return sport

    def tls(self, at, client, server, name, out=2000, back=20000):
        hello = client_hello(name)
        record = lambda n: b"\x17\x03\x03" + struct.pack(">H", min(n, 16000)) + bytes(min(n, 16000))
        return self.conversation(at, client, server, 443, [hello, record(out)], [b"\x16\x03\x03\x00\x04\x0e\x00\x00\x00", record(back)])

    def refused(self, at, client, server, port):
        sport = self.random.randrange(32768, 61000)
        self.add(at, tcp(client, sport, server, port, 1, 0, "S"))
        self.add(at + 0.0005, tcp(server, port, client, sport, 0, 2, "RA"))

    def unanswered(self, at, client, server, port):
        self.add(at, tcp(client, self.random.randrange(32768, 61000), server, port, 1, 0, "S"))

    def scan(self, at, client, port, hosts, every=0.05):
        """One port on hosts 10.20.(n / 200).(n % 200 + 20); every third refuses, the rest are silent."""
        for n in range(hosts):
            target = f"10.20.{n // 200}.{n % 200 + 20}"
            (self.refused if n % 3 == 0 else self.unanswered)(at + n * every, client, target, port)

    def office(self, at, seconds, clients=4):
        """Ordinary browsing of a few clients."""
        for number in range(clients):
            client, moment = f"10.20.9.{number + 11}", at + self.random.random()
            while moment < at + seconds:
                site = self.random.randrange(6)
                self.tls(moment, client, f"203.0.113.{site + 10}", f"www{site}.example.com", self.random.randrange(300, 3000), self.random.randrange(2000, 30000))
                moment += self.random.expovariate(1 / 8)

    def bytes(self, nanoseconds=False, big_endian=False, snap=262144):
        order = ">" if big_endian else "<"
        magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
        scale = 1_000_000_000 if nanoseconds else 1_000_000
        out = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snap, 1)]
        for at, frame in sorted(self.frames, key=lambda item: item[0]):
            units = round(at * scale)
            out.append(struct.pack(order + "IIII", units // scale, units % scale, len(frame), len(frame)) + frame)
        return b"".join(out)

    def write(self, path, **options):
        with open(path, "wb") as file:
            file.write(self.bytes(**options))
        return path


def incident(seed=1):
    """The standard capture of these tests: five minutes of office, in them a scan of 600 hosts; its agent is 10.20.1.5."""
    capture = Capture(seed)
    capture.office(START, 300)
    capture.scan(START + 100, "10.20.1.5", 445, 600)
    return capture


def office(seed=1, seconds=120):
    capture = Capture(seed)
    capture.office(START, seconds)
    return capture


class Case(unittest.TestCase):
    """A test with a folder of its own and the program's path in self.program."""

    program = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="nj_e2e_")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def run_program(self, *words, stdin=None, env=None, code=0):
        environment = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "COLUMNS")}
        environment.update(env or {})
        done = subprocess.run([self.program, *words], input=stdin, capture_output=True, env=environment, cwd=self.folder, timeout=300)
        text = f"{' '.join(words)}\nexit {done.returncode}\n{done.stderr.decode(errors='replace')}\n{done.stdout[:2000].decode(errors='replace')}"
        if code is not None:
            self.assertEqual(done.returncode, code, text)
        for sign in (b"AddressSanitizer", b"runtime error:", b"Assertion"):
            self.assertNotIn(sign, done.stderr, text)
        return done


def main():
    """Called by every script: first argument the program under test, the rest for unittest."""
    if len(sys.argv) < 2 or not os.access(sys.argv[1], os.X_OK):
        sys.exit(f"usage: {sys.argv[0]} NIGHTJAR [test...]")
    Case.program = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
