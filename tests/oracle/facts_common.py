"""Words the oracles share: keys that do not depend on who opened a conversation, and sums per key."""
import ipaddress
from collections import defaultdict


def address(text):
    """One spelling per address, whatever tool wrote it."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text


def conversation(protocol, source, source_port, destination, destination_port):
    """An unordered five-tuple, and whether the given source is its first end."""
    ends = (address(source), int(source_port)), (address(destination), int(destination_port))
    return (protocol, *sorted(ends)), ends[0] == min(ends)


class Conversations:
    """Packets and bytes by direction, summed over all flows of a five-tuple."""

    def __init__(self):
        self.packets = defaultdict(lambda: [0, 0])
        self.bytes = defaultdict(lambda: [0, 0])

    def add(self, protocol, source, source_port, destination, destination_port, packets, wire_bytes):
        key, forward = conversation(protocol, source, source_port, destination, destination_port)
        self.packets[key][0 if forward else 1] += packets
        self.bytes[key][0 if forward else 1] += wire_bytes

    def facts(self):
        return {'packets': {k: tuple(v) for k, v in self.packets.items() if any(v)}, 'bytes': {k: tuple(v) for k, v in self.bytes.items() if any(v)}}
