#!/usr/bin/env python3
"""QUIC connections made by hand, in all the ways a client may cut, scatter, join and repeat its ClientHello: nightjar must name the server and the client."""

import json
import struct
import sys

try:
    import quic_craft as quic
except ImportError as missing:
    print(f"SKIPPED: {missing} (Debian: python3-cryptography); QUIC connections were NOT made", file=sys.stderr)
    sys.exit(77)

import craft

CLIENT, SERVER = "10.20.9.11", "203.0.113.7"
ID, SERVER_ID = bytes.fromhex("8394c8f03e515708"), bytes.fromhex("f067a5502a4262b5")
NAME = "api.example-model.com"


class Quic(craft.Case):
    def flow(self, *datagrams, port=443):
        """Datagrams in turn: bytes from the client, ('s', bytes) from the server. Gives the flow and its client's window features."""
        capture = craft.Capture()
        for n, datagram in enumerate(datagrams):
            from_server = isinstance(datagram, tuple)
            data = datagram[1] if from_server else datagram
            ends = (SERVER, port, CLIENT, 50123) if from_server else (CLIENT, 50123, SERVER, port)
            capture.add(craft.START + n * 0.01, craft.udp(*ends, data))
        path = capture.write(self.path("quic.pcap"))
        flows = [json.loads(line) for line in self.run_program("flows", path).stdout.splitlines()]
        windows = [json.loads(line) for line in self.run_program("windows", "--json", "-a", CLIENT, path).stdout.splitlines()]
        self.assertEqual(len(flows), 1)
        return flows[0], windows[0]["features"]

    def check(self, *datagrams, name=NAME, ja4=None, **options):
        flow, features = self.flow(*datagrams, **options)
        self.assertEqual(flow.get("server_name"), name)
        self.assertEqual(flow.get("ja4"), ja4 or quic.ja4())
        self.assertEqual(flow.get("alpn"), "h2")
        self.assertEqual((features.get("quic_flows"), features.get("quic_unread"), features.get("tls_flows")), (1, None, None))

    def check_unread(self, *datagrams):
        flow, features = self.flow(*datagrams)
        self.assertNotIn("server_name", flow)
        self.assertNotIn("ja4", flow)
        self.assertEqual((features.get("quic_flows"), features.get("quic_unread")), (None, 1))

    def test_both_versions_on_any_port(self):
        whole = quic.crypto(quic.hello(NAME))
        self.check(quic.initial(whole, ID))
        self.check(quic.initial(whole, ID, version=quic.V2))
        self.check(quic.initial(whole, ID), port=8443)
        self.check(quic.initial(whole, bytes(20)))
        self.check(quic.initial(b"\x01\x01" + bytes(30) + whole, ID, token=bytes(70), number=3))

    def test_a_hello_over_two_datagrams_in_either_order(self):
        hello = quic.hello(NAME)
        first = quic.initial(quic.crypto(hello, 0, 300), ID, 0)
        second = quic.initial(quic.crypto(hello, 300), ID, 1)
        self.check(first, second)
        self.check(second, first)
        self.check(first, first, second, second)
        self.check_unread(first)
        self.check_unread(second, second)

    def test_a_scattered_hello(self):
        hello = quic.hello(NAME)
        cuts = list(range(0, len(hello), 23)) + [len(hello)]
        pieces = [quic.crypto(hello, a, b) for a, b in zip(cuts, cuts[1:])]
        order = sorted(range(len(pieces)), key=lambda i: i * 7919 % 31)
        scattered = b"\x00".join(pieces[i] for i in order)
        self.check(quic.initial(scattered, ID))
        half = len(order) // 2
        self.check(quic.initial(b"\x01".join(pieces[i] for i in order[:half]), ID, 0),
                   quic.initial(bytes(7).join(pieces[i] for i in order[half:]), ID, 1))

    def test_packets_joined_in_a_datagram(self):
        hello = quic.hello(NAME)
        early = struct.pack(">BI", quic.first_byte(quic.V1, quic.ZERO_RTT), quic.V1) + b"\x08" + ID + b"\x00" + quic.variable(60) + bytes(60)
        first = quic.initial(quic.crypto(hello, 0, 200), ID, 0, pad=0)
        second = quic.initial(quic.crypto(hello, 200), ID, 1, pad=0)
        self.check(first + second)
        self.check(early + first + early + second)
        self.check(first + b"\x42" + bytes(50), second)  # a short header behind it

    def test_after_a_retry(self):
        hello = quic.crypto(quic.hello(NAME))
        retry = struct.pack(">BI", quic.first_byte(quic.V1, quic.RETRY), quic.V1) + b"\x00\x08" + SERVER_ID + bytes(40)
        half = quic.crypto(quic.hello("other.example"), 0, 200)
        self.check(quic.initial(half, ID), ("s", retry), quic.initial(hello, SERVER_ID, 1, token=bytes(24)))

    def test_after_a_version_negotiation(self):
        hello = quic.crypto(quic.hello(NAME))
        negotiation = struct.pack(">BI", 0x80, 0) + b"\x00\x08" + ID + struct.pack(">II", quic.V2, 0x0A0A0A0A)
        half = quic.crypto(quic.hello("other.example"), 0, 200)
        self.check(quic.initial(half, ID, version=quic.V1), ("s", negotiation), quic.initial(hello, SERVER_ID, 1, version=quic.V2))

    def test_after_a_version_that_forces_negotiation(self):
        forced = b"\xc0" + struct.pack(">I", 0x1A2A3A4A) + b"\x08" + ID + b"\x00" + bytes(1200)
        negotiation = struct.pack(">BI", 0x80, 0) + b"\x00\x08" + ID + struct.pack(">I", quic.V1)
        self.check(forced, ("s", negotiation), quic.initial(quic.crypto(quic.hello(NAME)), SERVER_ID, 1))
        self.check_unread(forced, forced)

    def test_later_initials_carry_the_servers_id(self):
        hello = quic.hello(NAME)
        answer = quic.initial(b"\x02\x00\x00\x00\x00" + quic.crypto(b"\x02" + bytes(80)), b"", client=False, key_id=ID, scid=SERVER_ID)
        self.check(quic.initial(quic.crypto(hello, 0, 400), ID, 0), ("s", answer), quic.initial(quic.crypto(hello, 400), SERVER_ID, 1, key_id=ID))

    def test_what_cannot_be_read_is_counted(self):
        hello = quic.crypto(quic.hello(NAME))
        good = bytearray(quic.initial(hello, ID))
        good[-1] ^= 1
        self.check_unread(bytes(good))
        self.check_unread(quic.initial(hello, ID, key_id=SERVER_ID))
        self.check_unread(quic.initial(quic.crypto(b"\x02\x00\x00\x10" + bytes(16)), ID))
        self.check_unread(*[quic.initial(b"\x01", ID, n) for n in range(30)])

    def test_a_hello_without_a_name(self):
        message = quic.hello("x")
        body = message[4:]
        extensions = body[49 + struct.unpack(">H", body[47:49])[0]:]  # the server's name comes first
        body = body[:43] + struct.pack(">H", len(extensions)) + extensions
        message = b"\x01" + len(body).to_bytes(3, "big") + body
        self.check(quic.initial(quic.crypto(message), ID), name=None, ja4=quic.ja4(False).replace("0205", "0204"))

    def test_an_exchange_over_quic(self):
        capture = craft.Capture()
        at = craft.START
        capture.add(at, craft.udp(CLIENT, 50123, SERVER, 443, quic.initial(quic.crypto(quic.hello(NAME)), ID)))
        for n in range(8):  # the request: 8 full datagrams
            capture.add(at + 0.1 + n / 1000, craft.udp(CLIENT, 50123, SERVER, 443, b"\x42" + bytes(1199)))
        capture.add(at + 0.15, craft.udp(SERVER, 443, CLIENT, 50123, b"\x42" + bytes(34)))  # acknowledges
        moment = at + 0.9
        for n in range(150):
            moment += 0.012 + n * 7 % 23 / 1000
            capture.add(moment, craft.udp(SERVER, 443, CLIENT, 50123, b"\x42" + bytes(160 + n % 9)))
            if n % 2:
                capture.add(moment + 0.001, craft.udp(CLIENT, 50123, SERVER, 443, b"\x42" + bytes(30)))
        path = capture.write(self.path("exchange.pcap"))
        own = self.path("own.yaml")
        with open(own, "w") as file:
            file.write("ai_endpoints:\n  providers:\n    - {name: ours, names: [example-model.com]}\n")
        window = json.loads(self.run_program("windows", "--json", "-a", CLIENT, path).stdout.splitlines()[0])
        self.assertEqual(len(window["exchanges"]), 1)
        exchange = window["exchanges"][0]
        self.assertEqual((exchange["protocol"], exchange["name"], exchange["client"]), (17, NAME, quic.ja4()))
        self.assertEqual((exchange["form"], exchange["bytes_up"], exchange["records_down"]), ("streamed", 9600, 150))
        self.assertGreater(exchange["score"], 900)
        self.assertAlmostEqual(exchange["wait_ms"], 805, delta=12)
        self.assertEqual(window["features"]["exchanges_streamed"], 1)
        self.assertEqual(exchange["flags"], ["encrypted", "external"])
        known = self.run_program("windows", "--json", "-a", CLIENT, "--ai-endpoints", own, path)
        window = json.loads(known.stdout.splitlines()[0])
        self.assertEqual(window["exchanges"][0]["flags"], ["encrypted", "external", "known_name"])
        self.assertEqual(window["features"]["exchanges_marked"], 1)
        self.run_program("windows", "--ai-endpoints", self.path("none.yaml"), path, code=3)


if __name__ == "__main__":
    craft.main()
