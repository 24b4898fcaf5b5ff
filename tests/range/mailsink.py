"""A mail server that takes every message and keeps none: enough SMTP for curl. Run as: mailsink.py PORT"""

import asyncio
import sys


async def session(reader, writer):

    async def say(line):
        writer.write(line.encode() + b"\r\n")
        await writer.drain()

    await say("220 mail.bank.example ESMTP")
    while line := await reader.readline():
        verb = line.strip().upper()[:4].decode("ascii", "replace")
        if verb == "EHLO":
            await say("250-mail.bank.example\r\n250-SIZE 52428800\r\n250 8BITMIME")
        elif verb == "DATA":
            await say("354 go on")
            while (line := await reader.readline()) and line.strip() != b".":
                pass
            await say("250 queued")
        elif verb == "QUIT":
            await say("221 bye")
            break
        else:
            await say("250 ok")
    writer.close()


async def main():
    server = await asyncio.start_server(session, "0.0.0.0", int(sys.argv[1]), limit=1 << 20)
    await server.serve_forever()


asyncio.run(main())
