"""Recordings with language models and agents: who is cast, how each reaches its model, when each begins.

`ai-mix` holds every benign kind once per way of reaching a model (the ablation's table); `ai-attack` holds one attacker
of each kind amid benign life, levels rotating with the seed. Seeds below 100 are the develop set and from 100 the report
set, as everywhere in the range; here the sets also differ in the models' parameters (models.yaml), in the agents' manner
(minds.py, hostile.py: other orders, tools and places), in which classes occur, in prompt sizes and pauses.
"""

import importlib.util
import json
import os
import random
import subprocess
import time

import hostile
import office as o
import topology
from ai_servers import (DASHBOARD_PORT, FEED_PORT, HERE, MEET_PORT, PLAIN_PORT, PYTHON, SERVED_PORT, models_of)
from sandbox import STATE
from scenarios import REPORT_FROM_SEED, Scenario
from servers import CA
from topology import BY_NAME, inside

VARIANTS = ("visible", "masked", "gateway", "selfhosted", "quic", "quic-masked")
AGENTS = {"develop": ("coding", "retrieval", "rpa", "analyst"), "report": ("coding", "retrieval", "operations", "rpa", "analyst", "crew")}
SIZES = {  # words of the system prompt, tools described, characters kept of a result, context compacted at, local work, pause between tasks
    "develop": dict(system_words=(600, 2500), tools=(3, 8), result_cap=(3000, 9000), compact_at=160_000, overhead_s=(0.05, 0.4), between_tasks_s=(4, 15)),
    "report": dict(system_words=(250, 4000), tools=(2, 8), result_cap=(1500, 16_000), compact_at=110_000, overhead_s=(0.02, 0.9), between_tasks_s=(2, 25)),
}
WARM_UP_S = 70  # of benign life before the first attacker
BLOCKED = "10.20.20.8/29"  # what the firewall takes from a blocked attacker: web, git, db, files, cache, mail


def set_of(seed):
    return "report" if seed >= REPORT_FROM_SEED else "develop"


def brain(variant, which, rng):
    """How the model is reached: transport, address, name shown, model, form."""
    from model_forms import models  # needs python3-yaml, which the rest of the range does not
    served = models_of(which)
    known, _ = models(os.path.join(HERE, "models.yaml"))
    provider = rng.choice(["oai", "ant", "gem", "dsk"])
    model = rng.choice(served[provider])
    where = {"transport": rng.choice(["h1", "h2"]), "host": BY_NAME[provider].names[0], "port": 443}
    where["sni"] = where["host"]
    if variant == "gateway":
        where.update(host="api-gw.bank.example", sni="api-gw.bank.example")
    elif variant == "selfhosted":
        model = rng.choice(served["gpu"])
        plain = known[model].form == "ollama"
        where.update(host="gpu.bank.example", sni="gpu.bank.example", port=PLAIN_PORT if plain else SERVED_PORT)
        where["transport"] = "plain" if plain else where["transport"]
    elif variant.startswith("quic"):
        where["transport"] = "h3"
    if variant.endswith("masked"):
        where.update(host=BY_NAME[provider].address, sni=None)
    form = known[model].form
    streamed = rng.random() < (0.9 if which == "develop" else 0.8)
    return {"where": where, "form": form, "model": model, "streamed": streamed, "provider": provider,
            "stateful": form == "openai-responses" and rng.random() < 0.4, "generate": False}


class Cast:
    """Starts programs on hosts and remembers who is who, for labels and inventory."""

    def __init__(self, stage):
        self.stage, self.which = stage, set_of(stage.seed)
        self.rng = random.Random(f"cast {stage.seed}")
        self.free = [host.name for host in topology.AI_HOSTS if host.name[0] == "a" and host.name[1:].isdigit()]
        self.rng.shuffle(self.free)
        self.members = []
        stage.cast = self

    def agent(self, kind, variant, level="", begin_s=0.0):
        """Casts one program that uses a model: agent, person or pipeline."""
        rng, sizes = self.rng, SIZES[self.which]
        host = self.free.pop()
        people = kind in ("chat", "chat-work", "pipeline")
        spec = {
            "host": host, "kind": kind, "variant": variant, "level": level, "manner": "b" if self.which == "report" else
            "a", "seed": self.stage.seed, "brain": brain(variant, self.which, rng), "begin_s": begin_s,
            "seconds": max(5, self.stage.duration_s - begin_s - 3), "folder": f"{STATE}/work/{host}",
            "out": f"{STATE}/turns-{host}.jsonl", "compact_at": sizes["compact_at"], "parallel": 3 if kind in ("crew", "swarm") else 1,
            "smear_s": 4, "pad_to": rng.choice([48_000, 64_000, 96_000])
        }
        for name in ("tools", "system_words", "result_cap"):
            spec[name] = rng.randint(*sizes[name])
        for name in ("overhead_s", "between_tasks_s"):
            spec[name] = rng.uniform(*sizes[name])
        if people:
            spec.update(tools=1 if kind != "pipeline" else 2, system_words=rng.randint(60, 500))
            spec["brain"]["streamed"] = kind != "pipeline" or rng.random() < 0.5
        if kind == "upload":
            spec.update(result_cap=2_000_000, compact_at=3_000_000)
        if kind == "remote":
            spec["brain"] = {"where": {"host": "edge.static-sync.example", "port": 443, "transport": "h1",
                             "sni": "edge.static-sync.example"}, "form": "", "model": "", "streamed": True}
        if level == "knows":
            spec["brain"]["streamed"] = False
        return self.start(spec)

    def start(self, spec):
        path = f"{STATE}/spec-{spec['host']}.json"
        with open(path, "w") as file:
            json.dump(spec, file)
        self.members.append(spec)
        self.run(spec["host"], [PYTHON, f"{HERE}/agents.py", path])
        return spec

    def other(self, kind, argv, words):
        """A program without a model, on a desk of its own."""
        host = self.free.pop()
        self.members.append({"host": host, "kind": kind, "variant": "", "level": "", "words": words})
        self.run(host, argv)

    def run(self, host, argv):
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": f"{STATE}/work/{host}", "LANG": "C.UTF-8",
               "CURL_CA_BUNDLE": CA, "SSL_CERT_FILE": CA, "GIT_SSL_CAINFO": CA, "GIT_CONFIG_SYSTEM":
               f"{STATE}/gitconfig", "USER": "ops", "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
        output = open(f"{STATE}/{host}.out", "ab")
        subprocess.Popen(inside(host, argv), env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def others(self, kinds=("market-feed", "dashboard", "video-call", "api-poller")):
        """The benign programs a model's exchange might be mistaken for."""
        duration = str(int(self.stage.duration_s))
        program = f"{HERE}/other_clients.py"
        feed = "feed.market-data.example"
        programs = {
            "market-feed": ("stream", feed, FEED_PORT, "a market data feed over TLS"),
            "dashboard": ("dashboard", feed, DASHBOARD_PORT, "a page that shows figures by server-sent events, opened anew now and then"),
            "video-call": ("call", "meet.video-call.example", MEET_PORT, "a video call over UDP"),
            "api-poller": ("poll", "api.crm-suite.example", 443, "a program that posts records to an interface every few seconds")
        }
        for kind in kinds:
            what, host, port, words = programs[kind]
            self.other(kind, [PYTHON, program, what, host, str(port), duration], words)

    def office(self, people=("ws01", "ws03", "ws04", "adm01"), machines=("mon", "app", "ci"), pause_s=8):
        for name in people:
            self.stage.play(o.person, self.stage.actor(name), pause_s)
            self.members.append({"host": name, "kind": "office", "variant": "", "level": "", "words": "a person at a desk"})
        for name, script, kind in (("mon", o.monitoring, "monitoring"), ("app", o.application, "application"),
                                   ("ci", o.continuous_integration, "ci")):
            if name not in machines:
                continue
            self.stage.play(script, self.stage.actor(name))
            self.members.append({"host": name, "kind": kind, "variant": "", "level": "", "words": kind})

    def night(self):
        bkp, vscan = self.stage.actor("bkp"), self.stage.actor("vscan")
        self.members.append({"host": "bkp", "kind": "backup", "variant": "", "level": "", "words": "backup"})
        self.members.append({"host": "vscan", "kind": "scanner", "variant": "", "level": "", "words": "permitted scanner"})

        def script():
            bkp.wait(20)
            o.backup(bkp, 3_000_000)
            vscan.wait(20)
            if vscan.going():
                o.permitted_scan(vscan)

        self.stage.play(script)


def ways(stage):
    """The ways of reaching a model that this machine can make."""
    if importlib.util.find_spec("aioquic"):
        return VARIANTS
    if "aioquic" not in stage.skipped:
        stage.skipped.add("aioquic")
        stage.log("SKIPPED: the Python package aioquic is missing; nothing speaks QUIC")
    return tuple(variant for variant in VARIANTS if not variant.startswith("quic"))


def ai_mix(stage, _):
    """The ablation's recording."""
    cast = Cast(stage)
    kinds = AGENTS[cast.which]
    variants = ways(stage)
    for variant in variants:
        for kind in cast.rng.sample(kinds, 4):
            cast.agent(kind, variant)
        cast.agent("chat", variant)
        cast.agent("chat-work", variant)
    for variant in cast.rng.sample(variants, 2):
        cast.agent("pipeline", variant)
    cast.others()
    cast.office()
    cast.night()
    stage.finish()


def ai_attack(stage, _):
    """One attacker of each kind, after a while of benign life; who reacts is blocked in the middle of it."""
    cast = Cast(stage)
    kinds = AGENTS[cast.which]
    variants = ways(stage)
    for n in range(8):
        cast.agent(kinds[n % len(kinds)], cast.rng.choice(variants))
    for kind in ("chat", "chat-work", "chat", "pipeline"):
        cast.agent(kind, cast.rng.choice(variants))
    cast.others()
    cast.office()
    cast.night()
    for n, kind in enumerate(hostile.SINGLE):
        level = hostile.LEVELS[(n + stage.seed) % len(hostile.LEVELS)]
        outside = [way for way in variants if way not in ("gateway", "selfhosted")]  # the block must not hit the model
        variant = cast.rng.choice(outside if level == "reacts" else variants)
        begin_s = WARM_UP_S + cast.rng.uniform(0, 15)
        spec = cast.agent(kind, variant, level, begin_s)
        if level == "reacts":
            stage.play(block_later, stage, spec, begin_s + cast.rng.uniform(35, 55))
    stage.finish()


def ai_swarm(stage, _):
    """One attacker of three sub-agents amid a few benign agents; the level rotates with the seed."""
    cast = Cast(stage)
    kinds = AGENTS[cast.which]
    variants = ways(stage)
    for n in range(5):
        cast.agent(kinds[n % len(kinds)], cast.rng.choice(variants))
    cast.agent("chat-work", cast.rng.choice(variants))
    cast.office()
    level = hostile.LEVELS[stage.seed % len(hostile.LEVELS)]
    outside = [way for way in variants if way not in ("gateway", "selfhosted")]
    spec = cast.agent("swarm", cast.rng.choice(outside), level, WARM_UP_S)
    if level == "reacts":
        stage.play(block_later, stage, spec, WARM_UP_S + 25)
    stage.finish()


def block_later(stage, spec, after_s):
    stage.over.wait(after_s)
    if not stage.over.is_set():
        spec["blocked_at"] = time.time()
        topology.block(BY_NAME[spec["host"]].address, BLOCKED)


def ai_mix_small(stage, _):
    """The mix in small, for tests/captures."""
    cast = Cast(stage)
    kinds = AGENTS[cast.which]
    for variant in ways(stage):
        cast.agent(cast.rng.choice(kinds[:4]), variant)
    for kind in ("chat", "chat-work", "chat", "pipeline"):
        cast.agent(kind, cast.rng.choice(ways(stage)))
    cast.others(("dashboard", "api-poller"))
    cast.office(("ws01", "ws03"), ("mon", ))
    stage.finish()


def ai_attack_small(stage, _):
    """Four attackers amid four benign agents, for tests/captures."""
    cast = Cast(stage)
    for kind in AGENTS[cast.which][:4]:
        cast.agent(kind, cast.rng.choice(ways(stage)))
    cast.agent("chat", "visible")
    cast.office(("ws01", "ws03"), ("mon", ))
    for n, kind in enumerate(("recon", "spray", "escape", "chain")):
        cast.agent(kind, cast.rng.choice(VARIANTS[:3]), hostile.LEVELS[n % 3], 30 + 3 * n)
    stage.finish()


def ai_mini(stage, _):
    """For the test: an agent, a person and an attacker for half a minute."""
    cast = Cast(stage)
    cast.agent("coding", "masked")
    cast.agent("chat", "gateway")
    cast.agent("escape", "selfhosted", "naive", 4)
    stage.finish()


SERVERS = ("dns", "upstream", "web", "git", "db", "files", "cache", "mail", "store", "pkg", "app", "news", "saas",
           "updates", "drop", "cloud", "mon", "ci", "bkp", "vscan", "ws01", "ws03", "ws04", "adm01", "vault9")
ALL = tuple(name for name in BY_NAME if name in SERVERS) + tuple(host.name for host in topology.AI_HOSTS)
MINI = ("dns", "upstream", "git", "pkg", "web", "db", "updates", "node", "api-gw", "gpu", "oai", "ant", "gem", "dsk")
SCENARIOS = {
    "ai-mix": Scenario(ai_mix, "agents of every benign kind, people and programs, each way of reaching a model", 180, ALL, True),
    "ai-attack": Scenario(ai_attack, "one attacking agent of each kind amid benign agents and people", 300, ALL, True),
    "ai-swarm": Scenario(ai_swarm, "an attacker of three sub-agents amid benign agents", 240, ALL, True),
    "ai-mix-small": Scenario(ai_mix_small, "the same in small", 90, ALL, True),
    "ai-attack-small": Scenario(ai_attack_small, "four attackers amid four benign agents", 150, ALL, True),
    "ai-mini": Scenario(ai_mini, "an agent, a person, an escape: for the test", 30, tuple(name for name in BY_NAME if name in MINI) +
                        tuple(host.name for host in topology.AI_HOSTS if host.name[0] == "a" and host.name[1:].isdigit()), True),
}
