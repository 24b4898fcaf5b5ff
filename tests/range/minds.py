"""What benign agents do next: seeded policies in place of a model's mind. Each is a generator that yields a `Call` (or
several, made side by side) and is sent the `Result`; the next step is chosen from it. `None` ends a task: the agent
says its answer and waits for the next.

Two manners of each class, told apart by *manner*: `a` for the develop set, `b` for the report set. They differ in order,
tools, sizes and in what they do after a failure, not only in numbers.
"""

from agent_tools import Call, http, local, ssh

GIT = "git.bank.example"


def git(verb):
    return Call("git", GIT, {"verb": verb})


def sql(query):
    return Call("sql", "db.bank.example", {"query": query})


def package(rng, outside=0.4):
    where = "https://deb.os-mirror.example" if rng.random() < outside else "http://pkg.bank.example"
    return http(f"{where}/picture-{rng.randrange(12):02d}.png", limit_s=20)


def rows(rng, n=None):
    low = rng.randrange(19_000)
    return sql(f"SELECT * FROM account WHERE id BETWEEN {low} AND {low + (n or rng.randint(3, 120))}")


def coding(rng, manner):
    """Reads, changes, tests, mends what fails, pushes. a: test-driven, installs what is missing. b: explores first,
    looks things up in the wiki, reviews before it pushes."""
    while True:
        if manner == "a":
            yield git("fetch")
            for _ in range(rng.randint(1, 3)):
                yield local(rng.uniform(0.02, 0.3), "source text " * rng.randint(100, 900))
            if rng.random() < 0.7:
                got = yield package(rng)
                if got.outcome != "ok":
                    yield package(rng, 1.0)
            while True:
                yield local(rng.uniform(0.4, 4), "test output " * rng.randint(20, 300))
                if rng.random() < 0.45:
                    break
                yield local(0.05, "edited " * 30)
                if rng.random() < 0.3:
                    yield package(rng, 0.2)
            yield git("push")
        else:
            yield git("clone" if rng.random() < 0.15 else "fetch")
            page = yield http(f"https://wiki.bank.example/page-{rng.randrange(20):02d}.html")
            for _ in range(2 + len(page.text) % 3):
                yield local(rng.uniform(0.05, 0.8), "grep result " * rng.randint(40, 500))
            if "limit" in page.text[:400]:
                yield http(f"https://wiki.bank.example/page-{len(page.text) % 20:02d}.html")
            yield local(rng.uniform(2, 7), "build log " * rng.randint(100, 600))
            if rng.random() < 0.5:
                yield sql("SELECT count(*) FROM account")
            yield package(rng, 0.1)
            yield git("push")
        yield None


def retrieval(rng, manner):
    """Finds documents, follows what they mention, reads figures, answers. a: wiki and news pages. b: tool server (MCP)
    and shares."""
    while True:
        at = rng.randrange(20)
        for step in range(rng.randint(3, 7)):
            if manner == "a":
                site = rng.choice(["https://wiki.bank.example", "https://www.daily-news.example"])
                page = yield http(f"{site}/page-{at:02d}.html")
                at = (len(page.text) + step) % 20
                if "rate" in page.text[:300]:
                    yield rows(rng)
            else:
                found = yield Call("mcp", "tools.bank.example", {"name": "search_documents", "old": rng.random() < 0.3})
                if len(found.text) % 2:
                    yield Call("mcp", "tools.bank.example", {"name": "read_document"})
                else:
                    yield Call("smb", "files.bank.example", {"command": f"get report-{len(found.text) % 12:02d}.txt /dev/null"})
        yield None


def rpa(rng, manner):
    """Works through the items of a web application. a: the portal inside. b: the CRM outside, with uploads."""
    while True:
        if manner == "a":
            items = yield http("http://portal.bank.example:8090/api/items")
            for n in range(min(6, 2 + items.text.count('"open"'))):
                page = yield http(f"http://portal.bank.example:8090/p/{rng.randrange(40)}")
                if page.outcome == "ok":
                    yield http(f"http://portal.bank.example:8090/search?q=item+{n}")
        else:
            yield http("https://app.crm-suite.example/api/customers")
            for _ in range(rng.randint(2, 5)):
                sent = yield http("https://app.crm-suite.example/post", data=rng.randint(900, 30_000))
                if sent.outcome != "ok":
                    yield local(1.0, "waits, then tries the next")
                elif rng.random() < 0.4:
                    yield http(f"https://app.crm-suite.example/page-{rng.randrange(20):02d}.html")
        yield None


def operations(rng, manner):
    """Looks after servers. a: over ssh, one host after the other, deeper where something is odd. b: over the app's API,
    monitoring pages and the cache, ssh only to confirm."""
    hosts = ["web", "app", "store", "git"]
    while True:
        host = rng.choice(hosts)
        if manner == "a":
            said = yield ssh(f"{host}.bank.example", "uptime; df -h | head -5")
            for command in ("ps aux | head -20", "free -m", "ls -l /var/log | head -30")[:1 + len(said.text) % 3]:
                yield ssh(f"{host}.bank.example", command)
            yield http(f"https://{'web' if host == 'app' else host}.bank.example/health")
        else:
            yield http("http://app.bank.example:8080/api/status")
            state = yield Call("redis", "cache.bank.example", {"command": "info memory"})
            yield http(f"https://{rng.choice(['web', 'git', 'store', 'pkg'])}.bank.example/health")
            if len(state.text) % 2:
                yield ssh(f"{host}.bank.example", "systemctl list-units --failed; journalctl -n 20")
            yield sql("SELECT count(*), sum(balance) FROM account")
        yield None


def analyst(rng, manner):
    """Questions a database, writes a report. a: queries one by one. b: several side by side, a share, mail's place."""
    while True:
        if manner == "a":
            got = yield rows(rng)
            for _ in range(1 + got.text.count("7") % 4):
                yield rows(rng, 200)
            yield local(rng.uniform(0.2, 2), "figures " * 200)
        else:
            got = yield [rows(rng), rows(rng), sql("SELECT max(balance) FROM account")]
            if got[0].outcome == "ok":
                yield local(rng.uniform(0.5, 3), "chart " * 300)
            yield Call("smb", "files.bank.example", {"command": "ls"})
            if rng.random() < 0.4:
                yield Call("a2a", "tools.bank.example", {"text": "summarise the quarter " * 12})
        yield None


def crew(rng, manner):
    """Sub-agents side by side: `agents.py` gives each its own conversation. This is what one of them does."""
    kinds = [coding, retrieval, analyst] if manner == "a" else [retrieval, operations, rpa]
    yield from rng.choice(kinds)(rng, manner)


BENIGN = {
    "coding": coding, "retrieval": retrieval, "rpa": rpa, "operations": operations, "analyst": analyst, "crew": crew
}
