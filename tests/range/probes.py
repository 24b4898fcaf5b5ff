"""Small traffic no tool of Debian makes as wanted, sent from inside a host's namespace.

  probes.py ntp SERVER                                  one SNTP request
  probes.py dnsdrip RESOLVER DOMAIN BYTES RATE SEED     carry BYTES out in query names, one query every 1/RATE s (a tunnel by hand)
"""

import base64
import random
import socket
import struct
import sys
import time


def ntp(server):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(2)
        sock.sendto(b"\x23" + b"\0" * 39 + struct.pack(">II", int(time.time()) + 2208988800, 0), (server, 123))
        sock.recv(512)


def dns_query(number, name, qtype):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", qtype, 1)


def dnsdrip(resolver, domain, size_bytes, rate_per_s, seed):
    """Base32 in two labels of up to 48 letters; A and TXT questions in turn; a fresh source port each, as a stub
    resolver does."""
    rng = random.Random(seed)
    left, number = int(size_bytes), 0
    while left > 0:
        chunk = rng.randbytes(min(left, rng.randint(30, 56)))
        left -= len(chunk)
        number += 1
        text = base64.b32encode(chunk).decode().rstrip("=").lower()
        name = ".".join([text[n:n + 48] for n in range(0, len(text), 48)] + [f"{number:04x}", domain])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(1)
            sock.sendto(dns_query(rng.randrange(65536), name, rng.choice([1, 16])), (resolver, 53))
            try:
                sock.recv(4096)
            except TimeoutError:
                pass
        time.sleep(rng.expovariate(float(rate_per_s)))


if __name__ == "__main__":
    {"ntp": ntp, "dnsdrip": dnsdrip}[sys.argv[1]](*sys.argv[2:])
