"""The tools an agent of the range may call, each a real program against a real service. A `Call` names tool and
arguments; `run(call)` gives a `Result` whose outcome is read from what really happened: that is what the next step is
chosen from.
"""

import asyncio
import contextlib
import json
import os
import re
import shutil
import sys
from dataclasses import dataclass, field

OUTCOMES = ("ok", "refused", "timeout", "auth", "http4xx", "error")
SSH = [
    "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o",
    "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1", "-o", "ConnectTimeout=5"
]
BASE = "dc=bank,dc=example"


@dataclass
class Call:
    tool: str
    peer: str  # name or address of the host it reaches; "" for none
    arguments: dict = field(default_factory=dict)


@dataclass
class Result:
    outcome: str
    text: str = ""


def http(url, **arguments):
    return Call("http", re.sub(r"^\w+://([^/:]+).*", r"\1", url), {"url": url, **arguments})


def local(seconds, words="tests pass"):
    """Work on the agent's own machine: nothing on the wire."""
    return Call("local", "", {"seconds": seconds, "text": words})


def ssh(host, command, user="ops", password="range-only-password", via=None):
    """*via*: first hop; the second leaves from there."""
    return Call("ssh", via or host, {"host": host, "command": command, "user": user, "password": password, "via": via})


class Tools:

    def __init__(self, folder, environment):
        self.folder, self.environment = folder, environment
        self.clients, self.missing = {}, set()

    async def run(self, call):
        method = getattr(self, "do_" + call.tool)
        return await method(call, **call.arguments)

    async def program(self, *argv, limit_s=20, stdin=""):
        """(exit status or None when out of time, output). A missing program is told once and has failed."""
        if not shutil.which(argv[0], path=self.environment["PATH"]):
            if argv[0] not in self.missing:
                print(f"SKIPPED: {argv[0]} is missing", file=sys.stderr, flush=True)
            self.missing.add(argv[0])
            return 127, ""
        process = await asyncio.create_subprocess_exec(*argv, stdin=asyncio.subprocess.PIPE,
                                                       stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
                                                       env=self.environment, cwd=self.folder)
        try:
            output, _ = await asyncio.wait_for(process.communicate(stdin.encode()), limit_s)
        except asyncio.TimeoutError:
            with contextlib.suppress(ProcessLookupError):  # it may have ended this instant
                process.kill()
            await process.wait()
            return None, ""
        return process.returncode, output.decode(errors="replace")

    async def do_local(self, call, seconds, text):
        await asyncio.sleep(seconds)
        return Result("ok", text)

    async def do_http(self, call, url, user=None, upload=0, data=0, rate=None, limit_s=15, headers=()):
        argv = ["curl", "-s", "-m", str(limit_s), "-w", "\n%{http_code}"]
        argv += ["-u", user] if user else []
        argv += ["--limit-rate", rate] if rate else []
        for header in headers:
            argv += ["-H", header]
        if upload or data:
            with open(f"{self.folder}/parcel", "wb") as file:
                file.write(os.urandom(upload or data))
            argv += ["-T", "parcel"] if upload else ["--data-binary", "@parcel"]
        status, output = await self.program(*argv, url, limit_s=limit_s + 5)
        text, _, code = output.rpartition("\n")
        if status in (7, 35, 52, 56):
            return Result("refused", output)
        if status in (28, None):
            return Result("timeout", output)
        if status:
            return Result("error", output)
        return Result({"401": "auth", "403": "auth"}.get(code, "http4xx" if code[:1] in "45" else "ok"), text)

    async def do_git(self, call, verb):
        clone, url = f"{self.folder}/core-banking", "https://git.bank.example/git/core-banking.git"
        who = ["-c", "user.name=agent", "-c", "user.email=agent@bank.example"]
        if not os.path.isdir(clone) or verb == "clone":
            clone_to = clone if not os.path.isdir(clone) else f"{clone}-{os.urandom(3).hex()}"
            status, output = await self.program("git", "clone", "-q", url, clone_to)
        elif verb == "push":
            with open(f"{clone}/change.txt", "a") as file:
                file.write(os.urandom(900).hex())
            await self.program("git", "-C", clone, *who, "add", ".")
            await self.program("git", "-C", clone, *who, "commit", "-q", "-m", "change")
            status, output = await self.program("git", "-C", clone, "push", "-q", "origin",
                                                f"HEAD:refs/heads/agent-{os.urandom(4).hex()}")
        else:
            status, output = await self.program("git", "-C", clone, "fetch", "-q")
        return Result("ok" if status == 0 else "timeout" if status is None else "error", output or "done")

    async def do_sql(self, call, query, host="db.bank.example"):
        self.environment.setdefault("PGCONNECT_TIMEOUT", "5")
        status, output = await self.program("psql", "-q", "-h", host, "-U", "postgres", "postgres", "-c", query)
        return Result("ok" if status == 0 else "timeout" if status is None else "refused", output)

    async def do_smb(self, call, command, host="files.bank.example", share="projects"):
        status, output = await self.program("smbclient", "-N", "-p", "445", f"//{host}/{share}", "-c", command)
        denied = "DENIED" in output or "LOGON_FAILURE" in output
        return Result("ok" if status == 0 else "auth" if denied else "refused", output)

    async def do_redis(self, call, command, host="cache.bank.example"):
        status, output = await self.program("redis-cli", "-t", "5", "-h", host, *command.split())
        return Result("ok" if status == 0 else "refused", output)

    async def do_ldap(self, call, search="(objectClass=*)", user=None, password="", host="dir.bank.example"):
        who = ["-D", f"uid={user},ou=people,{BASE}", "-w", password] if user else []
        status, output = await self.program("ldapsearch", "-x", "-LLL", "-o", "nettimeout=5", "-H", f"ldap://{host}",
                                            "-b", BASE, *who, search)
        return Result({0: "ok", 49: "auth", 50: "auth", None: "timeout"}.get(status, "refused"), output)

    async def do_ssh(self, call, host, command, user, password, via):
        argv = ["sshpass", "-p", password, "ssh", *SSH, f"{user}@{host}", command]
        if via:
            inner = " ".join(["sshpass", "-p", f"'{password}'", "ssh", *SSH, f"{user}@{host}", f"'{command}'"])
            argv = ["sshpass", "-p", password, "ssh", *SSH, f"{user}@{via}", inner]
        status, output = await self.program(*argv)
        return Result({0: "ok", 5: "auth", None: "timeout"}.get(status, "refused" if "refused" in output else "error"),
                      output)

    async def do_dns(self, call, name, kind="A"):
        _, output = await self.program("dig", "+short", "+tries=1", "+time=3", name, kind)
        return Result("ok" if output.strip() else "error", output)

    async def do_port(self, call, host, port):
        """Is anybody there? Reads a banner if one comes."""
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 3)
        except asyncio.TimeoutError:
            return Result("timeout", f"{host}:{port} filtered")
        except OSError as error:
            return Result("refused", str(error))
        try:
            banner = await asyncio.wait_for(reader.read(200), 0.5)
        except (asyncio.TimeoutError, ConnectionError):
            banner = b""
        writer.close()
        return Result("ok", f"{host}:{port} open {banner[:60]!r}")

    async def do_mcp(self, call, name, method="tools/call", old=False, host="tools.bank.example:3001"):
        """A tool server in clear text: the new form says the tool's name in a header, the old one opens a session
        first."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"name": name, "arguments": {"query": "rate"}}}
        common = ["Content-Type: application/json", "Accept: application/json, text/event-stream"]
        if not old:
            return await self._post(f"http://{host}/mcp", body, common + [
                "MCP-Protocol-Version: 2026-07-28", f"Mcp-Method: {method}", f"Mcp-Name: {name}"])
        session = self.clients.get("mcp")
        if not session:
            hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": "2025-06-18",
                     "capabilities": {}, "clientInfo": {"name": "range-agent", "version": "1"}}}
            said = await self._post(f"http://{host}/mcp", hello, common, "-i")
            found = re.search(r"mcp-session-id: (\w+)", said.text, re.I)
            session = self.clients["mcp"] = found.group(1) if found else "none"
        return await self._post(f"http://{host}/mcp", body, common + [
            f"Mcp-Session-Id: {session}", "MCP-Protocol-Version: 2025-06-18"])

    async def do_a2a(self, call, text, host="tools.bank.example:3001"):
        """Asks another agent: its card, then a task with streamed updates."""
        await self.program("curl", "-s", "-m", "10", f"http://{host}/.well-known/agent-card.json")
        body = {"jsonrpc": "2.0", "id": 1, "method": "message/stream", "params": {"message": {"role": "user", "parts":
                [{"kind": "text", "text": text}]}}}
        return await self._post(f"http://{host}/a2a", body, ["Content-Type: application/json", "Accept: text/event-stream"])

    async def _post(self, url, body, headers, *more):
        argv = ["curl", "-s", "-m", "15", *more, "--data-binary", json.dumps(body)]
        for header in headers:
            argv += ["-H", header]
        status, output = await self.program(*argv, url)
        return Result("ok" if status == 0 else "refused", output)
