#!/usr/bin/env python3
"""The model server as independent clients see it: curl over HTTP/1.1, h2 and clear text. Streams parse as SSE or NDJSON,
their pieces join to what the unstreamed form would hold, tool calls join to JSON, first bytes come before last ones; the two
sets of models share nothing. Exits 77 (skipped) where python3-h2, python3-yaml, curl or openssl are missing.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
PYTHON = "/usr/bin/python3"


def skip_unless_possible():
    lacking = [tool for tool in ("curl", "openssl") if not shutil.which(tool)]
    for module in ("h2", "yaml"):
        if subprocess.run([PYTHON, "-c", f"import {module}"], capture_output=True).returncode != 0:
            lacking.append("python3-" + module)
    if lacking:
        print("SKIPPED: the model server's test lacks " + ", ".join(lacking) + " (packages: deploy/packages-range.txt)")
        sys.exit(77)


def free_ports(n):
    sockets = [socket.socket() for _ in range(n)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def start(argv, port):
    """The process, once the port listens in this machine's socket table."""
    process = subprocess.Popen([PYTHON] + argv, stderr=subprocess.PIPE, text=True)
    while not listens(port):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    return process


def listens(port):
    rows = open("/proc/net/tcp").read().splitlines()[1:]
    return any(row.split()[1].endswith(f":{port:04X}") and row.split()[3] == "0A" for row in rows)


def curl(*argv, body=None):
    words = ["curl", "-s", "-k", "-N", "--max-time", "60"] + list(argv)
    if body is not None:
        words += ["-H", "content-type: application/json", "--data-binary", json.dumps(body)]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def sse(text):
    """Events of a server-sent stream: (name or "", data)."""
    events = []
    assert text.endswith("\n\n"), "a stream ends with a blank line"
    for block in text.split("\n\n")[:-1]:
        name, data = "", None
        for line in block.split("\n"):
            key, _, value = line.partition(": ")
            assert key in ("event", "data"), line
            name, data = (value, data) if key == "event" else (name, value)
        events.append((name, data if data == "[DONE]" else json.loads(data)))
    return events


def check_openai_chat(base, *how):
    body = {"model": "dev-openai", "stream": True, "messages": [], "metadata": {"want": "tool:shell"}}
    events = sse(curl(*how, f"{base}/v1/chat/completions", body=body))
    assert events[-1][1] == "[DONE]" and len(events) > 10
    chunks = [data for _, data in events[:-1]]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    arguments = "".join(call["function"].get("arguments", "") for d in deltas for call in d.get("tool_calls", []))
    assert json.loads(arguments)["command"], arguments
    assert "".join(d.get("content") or "" for d in deltas).strip()
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"
    paddings = {len(chunk["obfuscation"]) for chunk in chunks}
    assert len(paddings) > 3 and max(paddings) <= 16, paddings
    sizes = {len(d["content"]) for d in deltas if d.get("content")}
    assert len(sizes) > 3, "every token has the same size"


def check_openai_responses(base):
    body = {"model": "rep-openai", "stream": True, "input": [], "metadata": {"want": "tool:shell"}}
    events = sse(curl(f"{base}/v1/responses", body=body))
    assert [name for name, _ in events][0::len(events) - 1] == ["response.created", "response.completed"]
    assert all(name == data["type"] for name, data in events)
    assert [data["sequence_number"] for _, data in events] == list(range(1, len(events) + 1))
    arguments = "".join(data["delta"] for name, data in events if name == "response.function_call_arguments.delta")
    assert json.loads(arguments)["timeout"] >= 5


def check_anthropic(base):
    body = {"model": "dev-anthropic", "stream": True, "messages": [], "metadata": {"want": "tool:shell"}}
    events = sse(curl(f"{base}/v1/messages", body=body))
    names = [name for name, _ in events]
    assert names[:3] == ["message_start", "content_block_start", "ping"] and names[-1] == "message_stop"
    assert names.count("content_block_start") == names.count("content_block_stop") == 2
    partial = [data["delta"]["partial_json"] for name, data in events
               if name == "content_block_delta" and data["delta"]["type"] == "input_json_delta"]
    assert json.loads("".join(partial))["command"]


def check_gemini(base):
    body = {"contents": [], "metadata": {"want": "tool:shell"}}
    events = sse(curl(f"{base}/v1beta/models/dev-gemini:streamGenerateContent?alt=sse", body=body))
    last = events[-1][1]["candidates"][0]
    assert last["finishReason"] == "STOP" and last["content"]["parts"][0]["functionCall"]["name"] == "shell"
    whole = json.loads(curl(f"{base}/v1beta/models/dev-gemini:generateContent", body={"contents": [], "metadata": {"want": "short"}}))
    assert whole["candidates"][0]["content"]["parts"][0]["text"]


def check_ollama(base):
    for path, key in (("/api/chat", "message"), ("/api/generate", "response")):
        lines = curl(f"{base}{path}", body={"model": "dev-local", "metadata": {"want": "short"}}).splitlines()
        parsed = [json.loads(line) for line in lines]
        assert len(parsed) > 3 and [line["done"] for line in parsed] == [False] * (len(parsed) - 1) + [True]
        assert all(key in line for line in parsed)
        whole = json.loads(curl(f"{base}{path}", body={"model": "dev-local", "stream": False, "metadata": {"want": "short"}}))
        assert whole["done"] and whole[key]


def check_timing(base):
    """Not before the model's time: lower bounds only, a busy machine may take longer."""
    said = curl("-o", "/dev/null", "-w", "%{time_starttransfer} %{time_total}", f"{base}/v1/chat/completions",
                body={"model": "dev-openai", "stream": True, "messages": [], "metadata": {"want": "tool:shell"}})
    first, total = (float(word) for word in said.split())
    assert first > 0.2 and total > 0.5, (first, total)


def check_whole(base):
    answer = json.loads(curl(f"{base}/v1/chat/completions", body={"model": "dev-openai", "messages": [], "metadata": {"want": "short"}}))
    assert answer["object"] == "chat.completion" and answer["choices"][0]["message"]["content"]
    assert json.loads(curl(f"{base}/v1/models"))["object"] == "list"
    assert curl("-o", "/dev/null", "-w", "%{http_code}", "-H", "content-type: application/json", "--data-binary", "{no",
                f"{base}/v1/messages") == "400"


def check_websocket(port):
    """Frames read by hand, as RFC 6455 has them: whole text frames, lengths in their three forms, unmasked from a server."""
    request = json.dumps({"model": "rep-openai", "stream": True, "input": [], "metadata": {"want": "short"}}).encode()
    mask = b"\x01\x02\x03\x04"
    masked = bytes(b ^ mask[n % 4] for n, b in enumerate(request))
    head = bytes([0x81, 0x80 | 126]) + len(request).to_bytes(2, "big") if len(request) > 125 else bytes([0x81, 0x80 | len(request)])
    with socket.create_connection(("127.0.0.1", port), 30) as peer:
        peer.sendall(b"GET /v1/realtime HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
                     b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        stream = peer.makefile("rb")
        answer = b"".join(iter(stream.readline, b"\r\n"))
        assert answer.startswith(b"HTTP/1.1 101") and b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in answer  # the RFC's own example
        peer.sendall(head + mask + masked)
        events = []
        while not events or events[-1]["type"] != "response.completed":
            first, size = stream.read(2)
            assert first == 0x81 and size < 128
            size = int.from_bytes(stream.read(2), "big") if size == 126 else size
            events.append(json.loads(stream.read(size)))
    assert events[0]["type"] == "response.created" and len(events) > 5


def check_tools(base):
    listed = json.loads(curl(f"{base}/mcp", body={"jsonrpc": "2.0", "id": 7, "method": "tools/list"}))
    assert listed["id"] == 7 and len(listed["result"]["tools"]) == 5
    hello = curl("-i", f"{base}/mcp", body={"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {}})
    assert "mcp-session-id:" in hello.lower()
    card = json.loads(curl(f"{base}/.well-known/agent-card.json"))
    assert card["capabilities"]["streaming"]
    updates = sse(curl(f"{base}/a2a", body={"jsonrpc": "2.0", "id": 3, "method": "message/stream", "params": {}}))
    assert len(updates) >= 4 and all(data["id"] == 3 for _, data in updates)


def check_sets():
    """Generators of the develop and of the report set are disjoint."""
    said = subprocess.run([PYTHON, "-c", "import json, yaml, sys; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))",
                           f"{HERE}/models.yaml"], capture_output=True, text=True, check=True)
    sets = json.loads(said.stdout)
    figures = {which: {(m["ttft_s"], m["tokens_per_s"]) for m in models.values()} for which, models in sets.items()}
    assert set(figures) == {"develop", "report"}
    assert not figures["develop"] & figures["report"] and not sets["develop"].keys() & sets["report"].keys()
    assert all(model["source"] for models in sets.values() for model in models.values())


def main():
    skip_unless_possible()
    check_sets()
    tls, plain, tools = free_ports(3)
    running = []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
                        "/CN=model.test", "-days", "2", "-keyout", f"{folder}/key", "-out", f"{folder}/cert"], check=True,
                       capture_output=True)
        try:
            names = "dev-openai,rep-openai,dev-anthropic,dev-gemini,dev-local,dev-served"
            running.append(start([f"{HERE}/model_server.py", "--models", names, "--seed", "5", "--address", "127.0.0.1", "--tls",
                                  str(tls), "--plain", str(plain), "--cert", f"{folder}/cert", "--key", f"{folder}/key"], tls))
            running.append(start([f"{HERE}/lab_services.py", "tools", str(tools)], tools))
            secure, clear = f"https://127.0.0.1:{tls}", f"http://127.0.0.1:{plain}"
            check_openai_chat(secure, "--http1.1")
            check_openai_chat(secure, "--http2")
            check_openai_responses(secure)
            check_anthropic(secure)
            check_gemini(secure)
            check_ollama(clear)
            check_whole(clear)
            check_timing(clear)
            check_websocket(plain)
            check_tools(f"http://127.0.0.1:{tools}")
        finally:
            for process in running:
                process.kill()
                process.wait()
    print("five forms over HTTP/1.1, h2, WebSocket and clear text parse; tools and agents answer; the sets share no model")


if __name__ == "__main__":
    main()
