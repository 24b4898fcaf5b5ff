"""The client's end of a model exchange, over whichever transport: HTTP/1.1, h2, HTTP/3, clear text, WebSocket.

`connect(where)` gives a connection with one method, `post(path, headers, body)`, an asynchronous iterator of answer
bytes. A connection that breaks is opened anew by the next post. *where* is a dict: transport (h1, h2, h3, plain, ws),
host (name or address to connect to), port, sni (name to show, or None to show none), ciphers (to look like another
client).
"""

import asyncio
import os
import ssl

import h2.config
import h2.connection
import h2.events
import h2.settings

from model_server import frame, read_frame

WINDOW = 8 << 20
PATIENCE_S = 40  # for the whole of one answer


class Broken(Exception):
    """The exchange did not come to its end: refused, reset, timed out."""


def connect(where):
    return {"h1": Http1, "plain": Http1, "h2": Http2, "h3": Http3, "ws": WebSocket}[where["transport"]](where)


def tls_context(where, alpn):
    context = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE"))
    context.check_hostname = False  # without a name shown there is none to check
    if alpn:
        context.set_alpn_protocols(alpn)
    if where.get("ciphers"):
        context.set_ciphers(where["ciphers"])
    return context


class Connection:
    """Opens when needed, closes on trouble."""

    alpn = None

    def __init__(self, where):
        self.where, self.writer, self.reader = where, None, None

    async def open(self):
        where = self.where
        tls = None if where["transport"] == "plain" else tls_context(where, self.alpn)
        named = {"server_hostname": where.get("sni") or ""} if tls else {}
        self.reader, self.writer = await asyncio.wait_for(
            asyncio.open_connection(where["host"], where["port"], ssl=tls, limit=1 << 22, **named), 10)

    def close(self):
        if self.writer:
            self.writer.close()
        self.writer = None

    async def post(self, path, headers, body):
        """Yields the answer's bytes as they come; Broken when it does not end as it should."""
        try:
            if self.writer is None:
                await self.open()
            async with asyncio.timeout(PATIENCE_S):
                async for data in self.exchange(path, headers, body):
                    yield data
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
            self.close()
            raise Broken(repr(error)) from error

    def authority(self):
        return self.where.get("sni") or f"{self.where['host']}:{self.where['port']}"


class Http1(Connection):
    alpn = ["http/1.1"]

    async def exchange(self, path, headers, body):
        lines = {"host": self.authority(), **headers, "content-length": str(len(body)), "connection": "keep-alive"}
        method = "POST" if body else "GET"
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items()) + "\r\n"
        self.writer.write(head.encode())
        if body:
            self.writer.write(body)
        await self.writer.drain()
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        if "transfer-encoding: chunked" in head:
            while (size := int(await self.reader.readuntil(b"\r\n"), 16)) > 0:
                yield (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readexactly(2)
        else:
            length = int(head.partition("content-length:")[2].split()[0])
            yield await self.reader.readexactly(length)
        if "connection: close" in head:
            self.close()


class WebSocket(Connection):
    alpn = ["http/1.1"]

    async def open(self):
        await super().open()
        self.writer.write(f"GET /v1/realtime HTTP/1.1\r\nhost: {self.authority()}\r\nupgrade: websocket\r\n"
                          "connection: Upgrade\r\nsec-websocket-version: 13\r\n"
                          "sec-websocket-key: bmlnaHRqYXItcmFuZ2UhIQ==\r\n\r\n".encode())
        await self.reader.readuntil(b"\r\n\r\n")

    async def exchange(self, path, headers, body):
        self.writer.write(frame(body, b"\x1f\x2e\x3d\x4c"))
        await self.writer.drain()
        while (payload := await read_frame(self.reader)) is not None:
            yield payload + b"\n\n"
            if b'"response.completed"' in payload:
                return
        raise OSError("closed in the middle")


class Http2(Connection):
    alpn = ["h2"]

    async def open(self):
        await super().open()
        self.conn = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.conn.initiate_connection()
        self.conn.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: WINDOW})
        self.conn.increment_flow_control_window(WINDOW)
        self.flush()
        self.busy = asyncio.Lock()

    def flush(self):
        if data := self.conn.data_to_send():
            self.writer.write(data)

    async def events(self):
        data = await self.reader.read(65536)
        if not data:
            raise OSError("closed in the middle")
        found = self.conn.receive_data(data)
        for event in found:
            if isinstance(event, h2.events.DataReceived):
                self.conn.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)):
                raise OSError("reset in the middle")
        self.flush()
        return found

    async def exchange(self, path, headers, body):
        async with self.busy:  # one at a time: sub-agents take a connection each, as their libraries do
            stream = self.conn.get_next_available_stream_id()
            head = [(":method", "POST"), (":scheme", "https"), (":authority", self.authority()), (":path", path)]
            self.conn.send_headers(stream, head + list(headers.items()))
            waiting = []
            while body:
                size = min(len(body), self.conn.local_flow_control_window(stream), self.conn.max_outbound_frame_size)
                if size <= 0:
                    self.flush()
                    waiting += await self.events()
                    continue
                self.conn.send_data(stream, body[:size])
                body = body[size:]
            self.conn.end_stream(stream)
            self.flush()
            await self.writer.drain()
            while True:
                for event in waiting:
                    if isinstance(event, h2.events.DataReceived):
                        yield event.data
                    if isinstance(event, h2.events.StreamEnded):
                        return
                waiting = await self.events()


class Http3(Connection):
    """By aioquic; importing this module does not need it, using this class does."""

    async def open(self):
        from aioquic.asyncio import QuicConnectionProtocol, connect as quic_connect
        from aioquic.h3.connection import H3_ALPN, H3Connection
        from aioquic.h3.events import DataReceived
        from aioquic.quic.configuration import QuicConfiguration
        from aioquic.quic.events import ConnectionTerminated

        class Protocol(QuicConnectionProtocol):

            def __init__(self, *arguments, **named):
                super().__init__(*arguments, **named)
                self.http, self.answers = H3Connection(self._quic), {}

            def quic_event_received(self, event):
                if isinstance(event, ConnectionTerminated):
                    for answer in self.answers.values():
                        answer.put_nowait(None)
                for found in self.http.handle_event(event):
                    if isinstance(found, DataReceived):
                        self.answers[found.stream_id].put_nowait((found.data, found.stream_ended))

            def ask(self, head, body):
                stream = self._quic.get_next_available_stream_id()
                self.answers[stream] = asyncio.Queue()
                self.http.send_headers(stream, head)
                self.http.send_data(stream, body, end_stream=True)
                self.transmit()
                return self.answers[stream]

        configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, verify_mode=ssl.CERT_NONE,
                                          server_name=self.where.get("sni"), idle_timeout=600)
        self.holder = quic_connect(self.where["host"], self.where["port"], configuration=configuration,
                                   create_protocol=Protocol)
        self.protocol = await asyncio.wait_for(self.holder.__aenter__(), 10)
        self.writer = self.protocol

    def close(self):
        if self.writer:
            self.protocol.close()
        self.writer = None

    async def exchange(self, path, headers, body):
        head = {":method": "POST", ":scheme": "https", ":authority": self.authority(), ":path": path, **headers}
        answer = self.protocol.ask([(k.encode(), v.encode()) for k, v in head.items()], body)
        while (item := await answer.get()) is not None:
            data, ended = item
            if data:
                yield data
            if ended:
                return
        raise OSError("closed in the middle")
