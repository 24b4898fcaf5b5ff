#!/usr/bin/python3
"""Programs that speak to something else than a model: other_clients.py stream|dashboard|call|poll HOST PORT SECONDS."""

import asyncio
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
sys.dont_write_bytecode = True

import model_client  # noqa: E402


async def stream(host, port):
    """Reads a feed that never ends; a heartbeat upwards now and then."""
    tls = model_client.tls_context({}, None)
    reader, writer = await asyncio.open_connection(host, port, ssl=tls, server_hostname=host)
    while data := await reader.read(65536):
        if random.random() < 0.001:
            writer.write(b"8=FIX.4.4|35=0|" + data[:40])


async def dashboard(host, port):
    """Opens a page's stream, looks at it a while, opens another."""
    while True:
        connection = model_client.connect({"transport": "h1", "host": host, "port": port, "sni": host})
        try:
            async with asyncio.timeout(random.uniform(8, 30)):
                async for _ in connection.post("/events", {"accept": "text/event-stream", "cookie": "s=" + "x" * 700}, b""):
                    pass
        except (TimeoutError, model_client.Broken):
            pass
        connection.close()
        await asyncio.sleep(random.uniform(1, 8))


async def call(host, port):
    """A video call: 50 sounds and some 25 pictures of several datagrams a second, both ways."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=(host, port))
    n = 0
    while True:
        transport.sendto(os.urandom(random.randint(60, 160)))
        if n % 2 == 0:
            for _ in range(random.randint(1, 3)):
                transport.sendto(os.urandom(random.randint(600, 1150)))
        n += 1
        await asyncio.sleep(0.02)


async def poll(host, port):
    """A program that reports records and gets a small answer: about the rhythm of an agent, none of its silence."""
    while True:
        connection = model_client.connect({"transport": "h1", "host": host, "port": port, "sni": host})
        for _ in range(random.randint(3, 12)):
            try:
                async for _ in connection.post("/post", {"content-type": "application/json"},
                                               os.urandom(random.randint(900, 24_000))):
                    pass
            except model_client.Broken:
                break
            await asyncio.sleep(random.lognormvariate(1.0, 0.6))
        connection.close()


async def main():
    what, host, port, seconds = sys.argv[1:]
    await asyncio.sleep(random.uniform(0, 5))
    try:
        await asyncio.wait_for(globals()[what](host, int(port)), float(seconds))
    except TimeoutError:
        pass


if __name__ == "__main__":
    asyncio.run(main())
