#!/usr/bin/env python3
"""What clear text and timing tell of AI agents: answers of model servers in their streaming forms, calls of tool servers and their names, made by hand with known times."""

import json

import craft

CLIENT, SERVER = "10.20.9.11", "10.20.7.5"


def post(path, body, *headers, host="models.corp.example"):
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", "User-Agent: coding-agent/2.1", "Content-Type: application/json",
             *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def call(method, name=None, key="name", **extra):
    params = {key: name, "arguments": {"path": "/srv/x", "name": "not this"}} if name else {}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params, **extra}).encode()


def answer(kind, status=200):
    return f"HTTP/1.1 {status} OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()


def chunk(data):
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


class Wire(craft.Case):
    def setUp(self):
        super().setUp()
        self.capture, self.sport = craft.Capture(), 40000

    def talk(self, at, turns, port=8000, syn=True):
        """One connection; *turns*: (seconds after the one before, 'c' or 's', bytes, options): skip a byte count (a lost segment), or again (sent twice)."""
        self.sport += 1
        at += 1  # so that the opening is in the same window
        seq = {"c": 1001, "s": 5001}
        if syn:
            self.capture.add(at - 0.02, craft.tcp(CLIENT, self.sport, SERVER, port, 1000, 0, "S"))
            self.capture.add(at - 0.01, craft.tcp(SERVER, port, CLIENT, self.sport, 5000, 1001, "SA"))
        for delay, who, data, *options in turns:
            at += delay
            other = "s" if who == "c" else "c"
            ends = (CLIENT, self.sport, SERVER, port) if who == "c" else (SERVER, port, CLIENT, self.sport)
            for start in range(0, len(data), 1400):
                piece = data[start:start + 1400]
                if "lost" not in options:
                    for copy in range(2 if "again" in options else 1):
                        self.capture.add(at + copy * 0.001, craft.tcp(*ends, seq[who], seq[other], "PA", piece))
                seq[who] += len(piece)
                at += 0.0002
        return at

    def window(self):
        path = self.capture.write(self.path("talk.pcap"))
        lines = self.run_program("windows", "--json", "-a", CLIENT, path).stdout.splitlines()
        return [json.loads(line) for line in lines]

    def stream(self, pieces):
        """Token by token, 12 to 34 ms apart."""
        return [(0.7, "s", pieces[0])] + [(0.012 + n * 7 % 23 / 1000, "s", piece) for n, piece in enumerate(pieces[1:])]

    def test_a_local_model_streams_json_lines(self):
        token = lambda n: chunk(json.dumps({"model": "llama3", "created_at": "2026-11-24T20:00:00.123456789Z", "message": {
            "role": "assistant", "content": " word"[:2 + n % 5]}, "done": False}).encode() + b"\n")
        body = json.dumps({"model": "llama3", "messages": [{"role": "user", "content": "x" * 6000}]}).encode()
        self.talk(craft.START, [(0, "c", post("/api/chat", body))] +
                  self.stream([answer("application/x-ndjson") + token(0)] + [token(n) for n in range(1, 120)]), port=11434)
        window = self.window()[0]
        self.assertEqual(len(window["exchanges"]), 1)
        exchange = window["exchanges"][0]
        self.assertEqual((exchange["form"], exchange["api"], exchange["name"], exchange["client"]), ("streamed", "ollama", "models.corp.example", "coding-agent/2.1"))
        self.assertEqual(exchange["flags"], ["known_port", "known_path", "json_lines"])
        self.assertGreater(exchange["score"], 850)
        self.assertEqual(exchange["bytes_up"], len(post("/api/chat", body)))
        self.assertAlmostEqual(exchange["wait_ms"], 700, delta=5)
        self.assertEqual(exchange["records_down"], 120)
        self.assertEqual(window["tools"], [])
        self.assertEqual([window["features"][k] for k in ("exchanges", "exchanges_streamed", "exchanges_marked")], [1, 1, 1])

    def test_events_on_one_connection_with_growing_context(self):
        at, sizes, turns = craft.START, [], []
        for turn in range(3):
            body = json.dumps({"model": "m", "stream": True, "messages": "x" * (3000 + 2500 * turn)}).encode()
            request = post("/v1/chat/completions", body, "X-Stainless-Lang: python")
            sizes.append(len(request))
            event = lambda n: chunk(b"data: " + json.dumps({"id": "chatcmpl-123", "object": "chat.completion.chunk", "choices": [{"delta": {"content": " ab"[:1 + n % 3]}}]}).encode() + b"\n\n")
            turns += [(1.0, "c", request)] + self.stream([answer("text/event-stream; charset=utf-8") + event(0)] + [event(n) for n in range(1, 40)])
        self.talk(at, turns)
        exchanges = [e for w in self.window() for e in w["exchanges"]]
        latest = {e["start_ns"]: e for e in exchanges}
        self.assertEqual([latest[k]["bytes_up"] for k in sorted(latest)], sizes)
        for exchange in latest.values():
            self.assertEqual(exchange["flags"], ["known_port", "known_path", "known_header", "event_stream"])
            self.assertEqual((exchange["api"], exchange["form"]), ("openai_chat", "streamed"))

    def tools(self):
        return sorted((t["kind"], t["method"], t.get("name", ""), t["calls"]) for w in self.window() for t in w["tools"])

    def test_tools_by_header_and_by_body(self):
        result = (0.2, "s", answer("application/json") + chunk(b'{"jsonrpc":"2.0","id":1,"result":{}}'))
        session = "Mcp-Session-Id: 1868a90c"
        self.talk(craft.START, [(0, "c", post("/mcp", call("initialize"))), result,
                                (0.1, "c", post("/mcp", call("tools/list"), session)), result,
                                (0.1, "c", post("/mcp", call("tools/call", "read_file"), session)), result,
                                (0.1, "c", post("/mcp", call("tools/call", "read_file"), session)), result,
                                (0.1, "c", post("/mcp", call("resources/read", "file:///etc/hosts", "uri"), session)), result,
                                (0.1, "c", post("/mcp", b"{}", "Mcp-Method: tools/call", "Mcp-Name: run_shell", "MCP-Protocol-Version: 2026-07-28")), result,
                                (0.1, "c", post("/rpc", call("eth_blockNumber"))), result])
        self.assertEqual(self.tools(), [("json-rpc", "eth_blockNumber", "", 1), ("mcp", "initialize", "", 1), ("mcp", "resources/read", "file:///etc/hosts", 1),
                                        ("mcp", "tools/call", "read_file", 2), ("mcp", "tools/call", "run_shell", 1), ("mcp", "tools/list", "", 1)])
        window = self.window()[0]
        self.assertEqual(window["features"]["tool_calls"], 7)
        self.assertEqual(sum(1 for _ in window["vectors"]["tool_names"]), 3)
        self.assertEqual({e["api"] for e in window["exchanges"]}, {"mcp", ""})
        self.assertTrue(all("json_rpc" in e["flags"] for e in window["exchanges"]))

    def test_agents_talk_to_agents(self):
        self.talk(craft.START, [(0, "c", b"GET /.well-known/agent-card.json HTTP/1.1\r\nHost: a2a.corp.example\r\n\r\n"),
                                (0.1, "s", answer("application/json") + chunk(b"{}")),
                                (0.1, "c", post("/a2a", call("message/stream"))),
                                (0.3, "s", answer("text/event-stream") + chunk(b"data: {}\n\n"))])
        self.assertEqual(self.tools(), [("a2a", "agent-card", "", 1), ("a2a", "message/stream", "", 1)])
        exchanges = self.window()[0]["exchanges"]
        self.assertEqual([(e["api"], e["flags"]) for e in exchanges], [("a2a", ["known_port", "event_stream", "json_rpc"])])

    def test_bodies_in_pieces(self):
        result = (0.2, "s", answer("application/json") + chunk(b"{}"))
        request = post("/mcp", call("tools/call", "read_file", more="y" * 3000))
        head = request.index(b"\r\n\r\n") + 4
        # head and body apart, as many clients write them; a body in three; one segment twice; the head of the first request cut
        self.talk(craft.START, [(0, "c", request[:70]), (0.01, "c", request[70:head]), (0.01, "c", request[head:]), result,
                                (0.1, "c", request[:head]), (0.01, "c", request[head:head + 40]), (0.01, "c", request[head + 40:], "again"), result])
        self.assertEqual(self.tools(), [("mcp", "tools/call", "read_file", 2)])

    def test_what_follows_a_hole_is_not_guessed(self):
        result = (0.2, "s", answer("application/json") + chunk(b"{}"))
        request = post("/mcp", call("tools/call", "read_file"))
        head = request.index(b"\r\n\r\n") + 4
        self.talk(craft.START, [(0, "c", request), result, (0.1, "c", request[:head]), (0.01, "c", request[head:head + 30], "lost"), (0.01, "c", request[head + 30:]), result])
        self.assertEqual(self.tools(), [("mcp", "tools/call", "read_file", 1)])

    def test_names_are_made_safe(self):
        result = (0.2, "s", answer("application/json") + chunk(b"{}"))
        evil = b'{"jsonrpc":"2.0","method":"tools/call","params":{"name":"a\x1b[31mb\\u0007c' + b"x" * 200 + b'"}}'
        self.talk(craft.START, [(0, "c", post("/mcp", evil)), result, (0.1, "c", post("/mcp", b"{}", "Mcp-Method: \x1b[2Jm", "Mcp-Name: \u00e4")), result])
        self.assertEqual([(m, n[:12], len(n)) for _, m, n, _ in self.tools()], [("?[2Jm", "??", 2), ("tools/call", "a?[31mb?cxxx", 63)])

    def test_browsing_is_no_exchange(self):
        page = answer("text/html") + chunk(b"x" * 9000)
        self.talk(craft.START, [turn for n in range(5) for turn in ((0.5, "c", f"GET /{n} HTTP/1.1\r\nHost: w\r\n\r\n".encode()), (0.1, "s", page))])
        window = self.window()[0]
        self.assertEqual((window["exchanges"], window["tools"], window["features"]["requests"]), ([], [], 5))

    def test_a_tls_stream_is_seen_through(self):
        hello = craft.client_hello("llm.nowhere.example")
        record = lambda n: b"\x17\x03\x03" + n.to_bytes(2, "big") + bytes(n)
        finished, tickets = b"\x14\x03\x03\x00\x01\x01" + record(53), record(250) + record(250)
        turns = [(0, "c", hello), (0.02, "s", b"\x16\x03\x03\x00\x04\x0e\x00\x00\x00" + record(900)), (0.02, "c", finished + record(220) + record(8000)), (0.02, "s", tickets)]
        turns += self.stream([record(180)] + [record(170 + n % 8) for n in range(90)])
        self.talk(craft.START, turns, port=443)
        exchanges = self.window()[0]["exchanges"]
        self.assertEqual(len(exchanges), 1)
        self.assertEqual((exchanges[0]["form"], exchanges[0]["bytes_up"], exchanges[0]["records_down"], exchanges[0]["flags"]), ("streamed", 8220, 91, ["encrypted"]))
        self.assertAlmostEqual(exchanges[0]["wait_ms"], 720, delta=5)  # not the 20 ms of the session tickets
        self.assertGreater(exchanges[0]["score"], 900)

    def test_a_hello_behind_other_talk(self):
        record = lambda n: b"\x17\x03\x03" + n.to_bytes(2, "big") + bytes(n)
        hello, server = craft.client_hello("api.openai.com"), b"\x16\x03\x03\x00\x04\x0e\x00\x00\x00" + record(900)
        inside = [(0.02, "c", hello), (0.02, "s", server), (0.02, "c", b"\x14\x03\x03\x00\x01\x01" + record(53) + record(5000)), (1.5, "s", record(3000))]
        ways = {
            "CONNECT": [(0, "c", b"CONNECT api.openai.com:443 HTTP/1.1\r\nHost: api.openai.com:443\r\nUser-Agent: x\r\n\r\n"), (0.1, "s", b"HTTP/1.1 200 OK\r\n\r\n")],
            "SOCKS 5": [(0, "c", b"\x05\x01\x00"), (0.1, "s", b"\x05\x00"), (0.1, "c", b"\x05\x01\x00\x03\x0eapi.openai.com\x01\xbb"), (0.1, "s", b"\x05\x00\x00\x01" + bytes(6))],
            "SMTP": [(0, "s", b"220 mail\r\n"), (0.1, "c", b"EHLO x\r\n"), (0.1, "s", b"250 STARTTLS\r\n"), (0.1, "c", b"STARTTLS\r\n"), (0.1, "s", b"220 go\r\n")],
            "PostgreSQL": [(0, "c", bytes.fromhex("0000000804d2162f")), (0.1, "s", b"S")],
        }
        for way, before in ways.items():
            with self.subTest(way):
                self.capture = craft.Capture()
                self.talk(craft.START, before + inside, port=1080)
                window = self.window()[0]
                self.assertEqual([(c["kind"], c["text"][:4]) for c in window["clients"]], [("ja4", "t12d")])
                self.assertEqual(window["contacts"][0]["name"], "api.openai.com")
                self.assertEqual(window["features"]["tls_flows"], 1)
                exchange = window["exchanges"][0]
                self.assertEqual((exchange["name"], exchange["bytes_up"], exchange["flags"]), ("api.openai.com", 5000, ["encrypted", "known_name", "api_shape", "tunnelled"]))
                self.assertAlmostEqual(exchange["wait_ms"], 1500, delta=5)
        self.capture = craft.Capture()  # far behind: bulk that happens to look like a hello
        self.talk(craft.START, [(0, "c", b"\x01\x02\x03\x04")] + [(0.1, "c", b"\x00" * 50)] * 13 + [(0.1, "c", hello)], port=1080)
        self.assertEqual(self.window()[0]["clients"], [])


if __name__ == "__main__":
    craft.main()
