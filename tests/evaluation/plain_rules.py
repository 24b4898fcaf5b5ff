"""The plain rules of Zeek, Slips and ntopng, computed from nightjar's own windows (`nightjar windows --json`), so that they
judge the same traffic. Thresholds as their sources have them (../shared/detection.md 2.1); what a rule sees is a window of 10 s,
so a rule of one minute counts whole windows.

Each rule: name, period in seconds (tumbling, as the tools do), and a counter of what happened in it; it fires once a host and
period. `fire(windows)` gives (host, rule, time) in the order of time.
"""

import collections

RULES = (
    ("Zeek: 25 failed hosts on a port, 5 min", 300, "hosts_of_port", 25),
    ("Zeek: 15 failed ports of a host, 5 min", 300, "ports_of_host", 15),
    ("Zeek simple-scan: 250 failed (host, port), 15 min", 900, "pairs", 250),
    ("Zeek: 30 failed ssh logins, 30 min", 1800, "ssh_failures", 30),
    ("Slips: over 5 failed hosts on a port, 1 h", 3600, "hosts_of_port", 6),
    ("Slips: over 5 failed ports of a host, 1 h", 3600, "ports_of_host", 6),
    ("ntopng: 32 incomplete flows, 1 min", 60, "incomplete", 32),
    ("Slips: 100 MB to one host outside, 1 h", 3600, "bytes_to_outside", 100_000_000),
)
SSH_SUCCESS_BYTES = 4290  # Slips: a server that sent more let somebody in
CLIENT_PROTOCOLS = (6, 17)  # TCP, UDP


class _Period:
    """What one host did in one period of one length."""

    def __init__(self):
        self.hosts_of_port = collections.defaultdict(set)
        self.ports_of_host = collections.defaultdict(set)
        self.pairs = set()
        self.incomplete = self.ssh_failures = 0
        self.bytes_to_outside = collections.Counter()

    def add(self, contact):
        failed = contact.get("opened", 0) - contact.get("answered", 0)
        peer, port = contact["peer"], contact["port"]
        if failed > 0:
            self.hosts_of_port[port].add(peer)
            self.ports_of_host[peer].add(port)
            self.pairs.add((peer, port))
            self.incomplete += failed
        if port == 22 and contact.get("answered", 0) > 0:
            if contact["bytes_in"] / contact["answered"] < SSH_SUCCESS_BYTES:
                self.ssh_failures += contact["answered"]
        if contact.get("external"):
            self.bytes_to_outside[peer] += contact["bytes_out"]

    def value(self, what):
        held = getattr(self, what)
        if isinstance(held, collections.Counter):
            return max(held.values(), default=0)
        if isinstance(held, dict):
            return max(map(len, held.values()), default=0)
        return len(held) if isinstance(held, set) else held


def fire(windows):
    """(host, rule's name, seconds since the epoch) of every firing, once a host, rule and period."""
    periods, fired, found = {}, set(), []
    for window in sorted(windows, key=lambda w: w["start_ns"]):
        start_s, host = window["start_ns"] / 1e9, window["address"]
        contacts = [c for c in window["contacts"] if c["role"] == "client" and c["protocol"] in CLIENT_PROTOCOLS]
        for length in sorted({rule[1] for rule in RULES}):
            key = (host, length, int(start_s // length))
            period = periods.setdefault(key, _Period())
            for contact in contacts:
                period.add(contact)
            for name, of, what, least in RULES:
                if of == length and (key, name) not in fired and period.value(what) >= least:
                    fired.add((key, name))
                    found.append((host, name, start_s + window["width_ms"] / 1000))
    return sorted(found, key=lambda f: f[2])
