#!/usr/bin/python3
"""One program on one host of the range that thinks with a model and acts with tools, or a person who talks to one.

  agents.py SPEC.json      runs until the specification's seconds are over; writes one JSON line a turn to its "out"

The loop is a real one: the growing context is posted, the stream is read to its end, the tool runs against a real
service, its output is put into the context, and the policy (minds.py, hostile.py) chooses the next step from it. The
specification (made by ai_scenarios.py) says host, kind, manner, level, seed, how the model is reached, sizes and pauses.
"""

import asyncio
import json
import os
import random
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
sys.dont_write_bytecode = True

import hostile  # noqa: E402
import minds  # noqa: E402
import model_client  # noqa: E402
import model_forms  # noqa: E402
from agent_tools import Result, Tools, http  # noqa: E402

OTHER_CLIENT = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"  # what an agent changes to after a block
TOOL_NAMES = [("shell", "Run a command and return its output"), ("read_file", "Read a file of the workspace"),
              ("edit_file", "Replace text in a file"), ("fetch", "Get a web page"), ("query", "Ask a database"),
              ("search", "Search documents"), ("list_directory", "List files"), ("ask_agent", "Ask another agent")]


class Conversation:
    """A context that grows, and the exchange of it for an answer."""

    def __init__(self, spec, rng):
        self.spec, self.rng, brain = spec, rng, spec["brain"]
        self.brain = brain
        self.connection = model_client.connect(brain["where"])
        self.system = model_forms.words(rng, spec["system_words"])
        self.tools = [(n, f"{text}. {model_forms.words(rng, 40)}") for n, text in TOOL_NAMES[:spec["tools"]]]
        self.messages, self.new, self.previous = [], [], None

    def say(self, role, text):
        message = {"role": role, "content": text}
        self.messages.append(message)
        self.new.append(message)

    async def think(self, want):
        """One exchange; a dict of its times and sizes. model_client.Broken when it fails."""
        form, model = self.brain["form"], self.brain["model"]
        self.compact()
        context = self.new if self.previous and self.brain.get("stateful") else self.messages
        request = model_forms.request_of(form, model, self.system, self.tools, context, want, self.brain["streamed"],
                                         self.previous if self.brain.get("stateful") else None)
        if self.spec["level"] == "knows":
            request["pad"] = "x" * max(0, self.spec["pad_to"] - len(json.dumps(request)))
        body = json.dumps(request).encode()
        turn = {"t_request": time.time(), "bytes_up": len(body), "bytes_down": 0, "events": 0, "t_first": 0}
        path = model_forms.path_of(form, model, self.brain["streamed"], self.brain.get("generate", False))
        async for data in self.connection.post(path, model_forms.headers_of(form), body):
            turn["t_first"] = turn["t_first"] or time.time()
            turn["bytes_down"] += len(data)
            turn["events"] += 1
        turn["t_done"] = time.time()
        self.previous, self.new = f"resp_{self.rng.randrange(10**12)}", []
        self.say("assistant", model_forms.words(self.rng, self.rng.randint(15, 90)))
        return turn

    def compact(self):
        """What agents do when the context gets long: the old part becomes a summary."""
        size = sum(len(message["content"]) for message in self.messages)
        if size > self.spec["compact_at"] and len(self.messages) > 4:
            self.messages = [{"role": "user", "content": model_forms.words(self.rng, 400)}] + self.messages[-3:]
            self.previous = None

    async def change_client(self):
        self.connection.close()
        self.brain["where"]["ciphers"] = OTHER_CLIENT
        self.connection = model_client.connect(self.brain["where"])


class RemoteBrain:
    """The model sits elsewhere: results go out over one long connection, commands come back after its time."""

    def __init__(self, spec, rng):
        self.spec, self.rng, self.connection, self.text = spec, rng, None, ""
        self.brain = spec["brain"]

    def say(self, role, text):
        self.text += text

    async def think(self, want):
        turn = {"t_request": time.time(), "events": 1}
        try:
            if self.connection is None:
                where = self.brain["where"]
                self.connection = await asyncio.open_connection(where["host"], where["port"], ssl=model_client.tls_context(
                    where, ["http/1.1"]), server_hostname=where.get("sni") or "")
            reader, writer = self.connection
            payload = self.text.encode()[:60_000] or b"here"
            writer.write(len(payload).to_bytes(4, "big") + payload)
            await writer.drain()
            size = int.from_bytes(await asyncio.wait_for(reader.readexactly(4), 60), "big")
            await reader.readexactly(size)
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError) as error:
            self.connection = None
            raise model_client.Broken(repr(error)) from error
        turn.update(bytes_up=len(payload) + 4, bytes_down=size + 4, t_first=time.time(), t_done=time.time())
        self.text = ""
        return turn

    async def change_client(self):
        self.brain["where"]["ciphers"] = OTHER_CLIENT
        self.connection = None


class Agent:
    """The loop."""

    def __init__(self, spec, name, over, log):
        self.spec, self.name, self.over, self.log = spec, name, over, log
        self.rng = random.Random(f"{spec['seed']} {spec['host']} {name}")
        folder = f"{spec['folder']}/{name}"
        os.makedirs(folder, exist_ok=True)
        self.tools = Tools(folder, dict(os.environ, HOME=folder))
        self.talk = (RemoteBrain if spec["kind"] == "remote" else Conversation)(spec, self.rng)
        self.failures, self.slow, self.turn = 0, False, 0

    def policy(self):
        kind, manner = self.spec["kind"], self.spec["manner"]
        if kind in minds.BENIGN:
            return minds.BENIGN[kind](self.rng, manner)
        more = (self.name, ) if kind == "swarm" else ()
        attack = hostile.ATTACKS[kind](self.rng, manner, *more)
        if self.spec["level"] == "mimics":
            return hostile.mixed(self.rng, attack, minds.coding(self.rng, manner))
        return attack

    async def run(self):
        policy, call = self.policy(), None
        self.talk.say("user", model_forms.words(self.rng, self.rng.randint(20, 200)))
        call = next(policy)
        while not self.over.is_set():
            if call is None:
                call = await self.finish_task(policy)
                continue
            try:
                turn = await self.talk.think("tool:shell")
            except model_client.Broken as broken:
                self.note({"t_request": time.time(), "broken": str(broken)[:120]})
                await self.pause(3, 0.3)
                continue
            await self.pause(self.spec["overhead_s"], 0.5)
            results, steps = await self.act(call, turn)
            await self.pause(self.spec["overhead_s"] / 2, 0.5)
            await self.react(results)
            try:
                call = policy.send(results if len(steps) > 1 else results[0])
            except StopIteration:
                call = None

    async def act(self, call, turn):
        """Runs the step's tools; several side by side, as agents do."""
        steps = call if isinstance(call, list) else [call]
        turn["t_act"] = time.time()
        results = await asyncio.gather(*(self.tools.run(step) for step in steps))
        turn["t_acted"] = time.time()
        for step, result in zip(steps, results):
            self.talk.say("user", result.text[:self.spec["result_cap"]])
            self.note({**turn, "tool": step.tool, "peer": step.peer, "outcome": result.outcome})
        return results, steps

    async def finish_task(self, policy):
        """Says the answer, waits for the next task. An attack has one task: after it, begin again from another seed."""
        try:
            turn = await self.talk.think("answer")
            self.note({**turn, "tool": "", "peer": "", "outcome": "answer"})
        except model_client.Broken:
            pass
        await self.pause(self.spec["between_tasks_s"], 0.6)
        self.talk.say("user", model_forms.words(self.rng, self.rng.randint(10, 80)))
        try:
            return policy.send(None)
        except StopIteration:
            await self.over.wait()
            return None

    async def react(self, results):
        """After a block: quiet, then slower and as another client. Only who reacts does."""
        failed = all(result.outcome in ("refused", "timeout", "error") for result in results)
        self.failures = self.failures + 1 if failed else 0
        if self.spec["level"] == "reacts" and self.failures >= 2 and not self.slow:
            self.note({"t_request": time.time(), "reaction": "quiet, slower, other client"})
            self.slow = True
            await self.pause(22, 0.2)
            await self.talk.change_client()

    async def pause(self, median_s, sigma):
        if self.spec["level"] == "knows":  # smears the loop: waits as a person would
            median_s, sigma = median_s + self.spec["smear_s"], 0.9
        elif self.slow:
            median_s *= 6
        seconds = median_s * self.rng.lognormvariate(0, sigma)
        try:
            await asyncio.wait_for(self.over.wait(), min(seconds, 60))
        except asyncio.TimeoutError:
            pass

    def note(self, turn):
        self.turn += 1
        self.log.write(json.dumps({"host": self.spec["host"], "session": self.name, "turn": self.turn, **turn}) + "\n")
        self.log.flush()


class Person(Agent):
    """Types, reads, asks again. kind chat: only that. chat-work: does things by hand between, having read. pipeline:
    no person at all but a script that sends one record after the other to a model and acts on none."""

    async def run(self):
        while not self.over.is_set():
            kind = self.spec["kind"]
            if kind == "pipeline":
                got = await self.tools.run(minds.rows(self.rng, 20))
                self.talk.messages = []
                self.talk.say("user", got.text[:self.rng.randint(900, 4000)])
                await self.exchange("short")
                await self.pause(0.4, 0.4)
                continue
            self.talk.say("user", model_forms.words(self.rng, self.rng.randint(4, 60)))
            turn = await self.exchange("chat")
            await self.pause(max(3.0, turn.get("bytes_down", 900) / 6000), 0.7)  # reads
            if kind == "chat-work" and self.rng.random() < 0.7:
                step = self.rng.choice([minds.git("fetch"), http("https://www.daily-news.example/"), minds.rows(self.rng),
                                        http(f"https://wiki.bank.example/page-{self.rng.randrange(20):02d}.html")])
                await self.tools.run(step)
                await self.pause(6, 0.8)
            await self.pause(5, 0.6)  # types

    async def exchange(self, want):
        try:
            turn = await self.talk.think(want)
            self.note({**turn, "tool": "", "peer": "", "outcome": "read"})
            return turn
        except model_client.Broken as broken:
            self.note({"t_request": time.time(), "broken": str(broken)[:120]})
            await self.pause(3, 0.3)
            return {}


async def noise(spec, over):
    """Who knows the features hides among flows of no purpose."""
    rng = random.Random(f"{spec['seed']} {spec['host']} noise")
    tools = Tools(spec["folder"], dict(os.environ))
    while not over.is_set():
        await tools.run(http(f"https://www.daily-news.example/page-{rng.randrange(20):02d}.html"))
        await asyncio.sleep(rng.expovariate(1 / 5))


async def main():
    with open(sys.argv[1]) as file:
        spec = json.load(file)
    over = asyncio.Event()
    os.makedirs(spec["folder"], exist_ok=True)
    await asyncio.sleep(spec.get("begin_s", 0))
    with open(spec["out"], "a") as log:
        kind = Person if spec["kind"] in ("chat", "chat-work", "pipeline") else Agent
        names = [f"sub{n}" for n in range(spec["parallel"])] if spec["parallel"] > 1 else ["main"]
        tasks = [asyncio.ensure_future(kind(json.loads(json.dumps(spec)), name, over, log).run()) for name in names]
        if spec["level"] == "knows":
            tasks.append(asyncio.ensure_future(noise(spec, over)))
        done, _ = await asyncio.wait(tasks, timeout=spec["seconds"], return_when=asyncio.FIRST_EXCEPTION)
        over.set()
        for task in done:
            if task.exception():
                raise task.exception()
        os._exit(0)  # tools that still run end with the range


if __name__ == "__main__":
    asyncio.run(main())
