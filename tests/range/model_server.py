#!/usr/bin/python3
"""A language model's server, as far as the wire can tell: TLS with HTTP/1.1 and h2, HTTP/3 over QUIC, and clear text,
answering in the forms of model_forms.py with the timing of models.yaml.

  model_server.py --models dev-openai,dev-gemini --seed 1 --tls 443 --cert C --key K [--quic 443] [--plain 11434]

A request's path chooses the form, its "model" (or the path's) the parameters; a model not served here answers as the
first one listed with that form, else as the first. WebSocket upgrades on /v1/realtime get the same events as text
frames. HTTP/3 needs the Python package aioquic and is left out, loudly, without it.
"""

import argparse
import asyncio
import base64
import hashlib
import json
import os
import random
import ssl
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
sys.dont_write_bytecode = True

import h2.config  # noqa: E402
import h2.connection  # noqa: E402
import h2.events  # noqa: E402
import h2.exceptions  # noqa: E402

import model_forms  # noqa: E402

HERE = os.path.dirname(os.path.realpath(__file__))
WINDOW = 1 << 20  # what we let a client send ahead, in bytes
LEAST_WAIT_SHARE = 0.7
WEBSOCKET_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Minds:
    """The models this server answers for."""

    def __init__(self, names, seed):
        known, _ = model_forms.models(os.path.join(HERE, "models.yaml"))
        self.models = [known[name] for name in names]
        self.rng = random.Random(f"minds {seed}")

    def choose(self, path, request):
        form = model_forms.form_of(path)
        name = request.get("model") or path.split("/models/")[-1].split(":")[0]
        for model in self.models:
            if model.name == name:
                return model
        return next((model for model in self.models if model.form == form), self.models[0])

    def answer(self, path, body):
        """(status, headers, iterator of (wait, bytes)) for a request."""
        try:
            request = json.loads(body or b"{}")
        except ValueError:
            return 400, {"content-type": "application/json"}, iter([(0.01, b'{"error":"not JSON"}')])
        form = model_forms.form_of(path)
        if not form:
            return 200, {"content-type": "application/json"}, iter([(0.02, self.index())])
        model, rng = self.choose(path, request), random.Random(self.rng.random())
        plan = model_forms.plan(request, rng)
        plan.generate = path.endswith("/generate")
        if model_forms.wants_stream(path, request):
            kind = model_forms.FORMS[model.form].media_type
            return 200, {"content-type": kind}, model_forms.stream(model, plan, len(body), rng)
        return 200, {"content-type": "application/json"}, iter([model_forms.whole(model, plan, len(body), rng)])

    def index(self):
        return json.dumps({"object": "list", "data": [{"id": m.name, "object": "model"} for m in self.models]}).encode()

    def headers(self, extra):
        """What providers' edges add."""
        return {
            "date": "Tue, 24 Nov 2026 10:00:00 GMT", "server": "edge", **extra, "cache-control": "no-cache",
            "x-request-id": "%032x" % self.rng.getrandbits(128), "x-ratelimit-limit-requests": "10000",
            "x-ratelimit-remaining-tokens": str(self.rng.randrange(10**6)), "strict-transport-security":
            "max-age=31536000; includeSubDomains; preload", "x-accel-buffering": "no",
            "cf-ray": "%016x-FRA" % self.rng.getrandbits(64), "alt-svc": 'h3=":443"; ma=86400'
        }


# HTTP/1.1


async def read_request(reader):
    """(method, path, headers, body), or None at the end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        return method, path, headers, body
    except (asyncio.IncompleteReadError, ConnectionError, ValueError):
        return None


async def serve_http1(minds, reader, writer):
    while (request := await read_request(reader)) is not None:
        _, path, headers, body = request
        if headers.get("upgrade", "").lower() == "websocket":
            await serve_websocket(minds, reader, writer, headers)
            return
        status, extra, events = minds.answer(path, body)
        head = "".join(f"{k}: {v}\r\n" for k, v in minds.headers(extra).items())
        head = f"HTTP/1.1 {status} OK\r\n{head}transfer-encoding: chunked\r\n\r\n".encode()
        async for data in timed(events):
            writer.write(head + b"%x\r\n%s\r\n" % (len(data), data))
            head = b""
            await writer.drain()
        writer.write(head + b"0\r\n\r\n")
        await writer.drain()


async def timed(events):
    """The events' bytes at their times. Lateness is taken off the next waits, but never more than a part of each: a busy
    machine must not turn a stream into a burst."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    for wait, data in events:
        due = max(due + wait, loop.time() + LEAST_WAIT_SHARE * wait)
        if not data:
            continue
        await asyncio.sleep(due - loop.time())
        yield data


async def serve_websocket(minds, reader, writer, headers):
    """A realtime interface: each text frame is a request, each event of the answer a text frame."""
    accept = base64.b64encode(hashlib.sha1(headers["sec-websocket-key"].encode() + WEBSOCKET_MAGIC).digest()).decode()
    writer.write(f"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
                 f"sec-websocket-accept: {accept}\r\n\r\n".encode())
    while (body := await read_frame(reader)) is not None:
        _, _, events = minds.answer("/v1/responses", body)
        async for data in timed(events):
            for part in data.split(b"\n\n"):
                text = part.partition(b"data: ")[2]
                if text:
                    writer.write(frame(text))
            await writer.drain()


def frame(payload, mask=None):
    """A WebSocket text frame; a client's is masked."""
    size = len(payload)
    bit = 0x80 if mask else 0
    head = struct.pack(">BB", 0x81, bit | size) if size < 126 else struct.pack(">BBH", 0x81, bit | 126, size) if size < 65536 \
        else struct.pack(">BBQ", 0x81, bit | 127, size)
    if mask:
        payload = bytes(b ^ mask[n & 3] for n, b in enumerate(payload))
    return head + (mask or b"") + payload


async def read_frame(reader):
    """The next frame's payload, unmasked; None when the peer closes."""
    try:
        first, second = await reader.readexactly(2)
        size = second & 127
        if size >= 126:
            size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8), "big")
        mask = await reader.readexactly(4) if second & 128 else b"\0\0\0\0"
        payload = await reader.readexactly(size)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return None if first & 15 == 8 else bytes(b ^ mask[n & 3] for n, b in enumerate(payload))


# h2


class Http2:
    """One connection; requests on it are answered side by side."""

    def __init__(self, minds, reader, writer):
        self.minds, self.reader, self.writer = minds, reader, writer
        self.conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.requests, self.room, self.tasks = {}, asyncio.Event(), set()

    async def serve(self):
        self.conn.initiate_connection()
        self.conn.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: WINDOW})
        self.conn.increment_flow_control_window(WINDOW)
        self.flush()
        while data := await self.reader.read(65536):
            for event in self.conn.receive_data(data):
                self.handle(event)
            self.flush()
        for task in self.tasks:
            task.cancel()

    def flush(self):
        if data := self.conn.data_to_send():
            self.writer.write(data)

    def handle(self, event):
        if isinstance(event, h2.events.RequestReceived):
            self.requests[event.stream_id] = (dict(event.headers), bytearray())
        elif isinstance(event, h2.events.DataReceived):
            self.requests[event.stream_id][1].extend(event.data)
            self.conn.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            headers, body = self.requests.pop(event.stream_id)
            task = asyncio.ensure_future(self.respond(event.stream_id, headers[":path"], bytes(body)))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        elif isinstance(event, (h2.events.WindowUpdated, h2.events.RemoteSettingsChanged)):
            self.room.set()

    async def respond(self, stream, path, body):
        status, extra, events = self.minds.answer(path, body)
        head = [(":status", str(status))] + list(self.minds.headers(extra).items())
        try:
            async for data in timed(events):
                if head:
                    self.conn.send_headers(stream, head)
                    head = None
                await self.send(stream, data)
            self.conn.end_stream(stream)
            self.flush()
        except (h2.exceptions.ProtocolError, ConnectionError):
            pass  # the client went away in the middle

    async def send(self, stream, data):
        while data:
            size = min(len(data), self.conn.local_flow_control_window(stream), self.conn.max_outbound_frame_size)
            if size <= 0:
                self.room.clear()
                await self.room.wait()
                continue
            self.conn.send_data(stream, data[:size])
            data = data[size:]
        self.flush()
        await self.writer.drain()


# HTTP/3


async def serve_quic(minds, port, cert, key):
    try:
        from aioquic.asyncio import QuicConnectionProtocol, serve
        from aioquic.h3.connection import H3_ALPN, H3Connection
        from aioquic.h3.events import DataReceived, HeadersReceived
        from aioquic.quic.configuration import QuicConfiguration
    except ImportError:
        print("SKIPPED: aioquic is missing, this server speaks no HTTP/3", file=sys.stderr, flush=True)
        return

    class Http3(QuicConnectionProtocol):

        def __init__(self, *arguments, **named):
            super().__init__(*arguments, **named)
            self.http, self.requests, self.tasks = None, {}, set()

        def quic_event_received(self, event):
            if self.http is None:
                self.http = H3Connection(self._quic)
            for found in self.http.handle_event(event):
                if isinstance(found, HeadersReceived):
                    self.requests[found.stream_id] = (dict(found.headers), bytearray())
                if isinstance(found, DataReceived):
                    self.requests[found.stream_id][1].extend(found.data)
                if isinstance(found, (HeadersReceived, DataReceived)) and found.stream_ended:
                    headers, body = self.requests.pop(found.stream_id)
                    task = asyncio.ensure_future(self.respond(found.stream_id, headers[b":path"].decode(), bytes(body)))
                    self.tasks.add(task)
                    task.add_done_callback(self.tasks.discard)

        async def respond(self, stream, path, body):
            status, extra, events = minds.answer(path, body)
            head = [(b":status", str(status).encode())]
            head += [(k.encode(), v.encode()) for k, v in minds.headers(extra).items()]
            self.http.send_headers(stream, head)
            async for data in timed(events):
                self.http.send_data(stream, data, end_stream=False)
                self.transmit()
            self.http.send_data(stream, b"", end_stream=True)
            self.transmit()

    configuration = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN, idle_timeout=600)
    configuration.load_cert_chain(cert, key)
    await serve("0.0.0.0", port, configuration=configuration, create_protocol=Http3)


async def handle(minds, reader, writer):
    tls = writer.get_extra_info("ssl_object")
    try:
        if tls is not None and tls.selected_alpn_protocol() == "h2":
            await Http2(minds, reader, writer).serve()
        else:
            await serve_http1(minds, reader, writer)
    except ConnectionError:
        pass
    finally:
        writer.close()


def be_punctual():
    """A model's timing should not depend on what else this machine does; the work itself is small."""
    try:
        os.nice(-8)
    except OSError:
        pass  # not root: then it does


async def main():
    be_punctual()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", required=True)
    parser.add_argument("--seed", default="0")
    parser.add_argument("--address", default="0.0.0.0")
    for port in ("--tls", "--quic", "--plain"):
        parser.add_argument(port, type=int, default=0)
    parser.add_argument("--cert")
    parser.add_argument("--key")
    options = parser.parse_args()
    minds = Minds(options.models.split(","), options.seed)

    def client(reader, writer):
        return handle(minds, reader, writer)

    if options.tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options.cert, options.key)
        context.set_alpn_protocols(["h2", "http/1.1"])
        await asyncio.start_server(client, options.address, options.tls, ssl=context, limit=1 << 20)
    if options.plain:
        await asyncio.start_server(client, options.address, options.plain, limit=1 << 20)
    if options.quic:
        await serve_quic(minds, options.quic, options.cert, options.key)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
