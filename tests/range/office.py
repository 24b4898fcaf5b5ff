"""Ordinary life: people at their desks, and the machines that serve them. All of it is benign; some of it looks bad
on purpose (polls as regular as beacons, health checks that fan out, a backup that carries bulk outside, a permitted
scanner): hard negatives.
"""

import os

from sandbox import PASSWORD
from servers import WEBDAV_PORT
from topology import BY_NAME

SITES = [
    "www.daily-news.example", "static.daily-news.example", "www.weather-now.example", "www.travel-guide.example",
    "app.crm-suite.example"
]
SHELL_COMMANDS = [
    "ls -l", "uptime", "df -h", "cat /etc/os-release", "ps aux | head -20", "free -m", "who", "date",
    "ls /usr/share/doc | head -40", "id"
]

# People


def browse_intranet(a):
    page = a.rng.randrange(20)
    urls = [
        f"https://intranet.bank.example/{path}" for path in [f"page-{page:02d}.html", f"style-{page:02d}.css"] +
        [f"picture-{n:02d}.png" for n in a.rng.sample(range(12), a.rng.randint(0, 3))]
    ]
    a.run("curl", "-s", *to_null(urls))


def browse_outside(a):
    for site in a.rng.sample(SITES, a.rng.randint(1, 2)):
        page = a.rng.randrange(20)
        a.run(
            "curl", "-s",
            *to_null([f"https://{site}/page-{page:02d}.html"] +
                     [f"https://{site}/picture-{n:02d}.png" for n in a.rng.sample(range(12), a.rng.randint(1, 3))]))
        a.think(3)


def use_crm(a):
    """A form sent to a cloud application, its list read back: more up than a page view, never bulk."""
    a.scratch("form", a.rng.randint(800, 20_000))
    a.run("curl", "-s", *to_null(["https://app.crm-suite.example/api/customers"]), "--next", "-s", "-o", "/dev/null",
          "--data-binary", "@form", "https://app.crm-suite.example/post")


def work_on_code(a):
    clone = f"{a.folder}/core-banking"
    if not os.path.isdir(clone):
        a.run("git", "clone", "-q", "https://git.bank.example/git/core-banking.git")
    else:
        a.run("git", "-C", clone, "fetch", "-q")
    if os.path.isdir(clone) and a.rng.random() < 0.3:
        with open(f"{clone}/notes.txt", "a") as file:
            file.write(f"note {a.rng.random()}\n")
        a.run("git", "-C", clone, "-c", "user.name=teller", "-c", "user.email=t@bank.example", "add", ".")
        a.run("git", "-C", clone, "-c", "user.name=teller", "-c", "user.email=t@bank.example", "commit", "-q", "-m",
              "notes")
        a.run("git", "-C", clone, "push", "-q", "origin", f"HEAD:refs/heads/{a.host.name}-{a.rng.randrange(10**6)}",
              accept=(0, 1, 128))


def use_share(a):
    name = f"report-{a.rng.randrange(12):02d}.txt"
    script = f"ls; get {name}"
    if a.rng.random() < 0.4:
        a.scratch("draft", a.rng.randint(5_000, 80_000))
        script += f"; put draft {a.host.name}-draft.txt"
    a.run("smbclient", "-N", "-p", "445", "//files.bank.example/projects", "-c", script)


def query_accounts(a):
    low = a.rng.randrange(19_000)
    queries = "".join(
        f"SELECT * FROM account WHERE id BETWEEN {low + n * 10} AND {low + n * 10 + a.rng.randint(1, 60)};\n"
        for n in range(a.rng.randint(1, 6)))
    a.run("psql", "-q", "-h", "db.bank.example", "-U", "postgres", "postgres", "-o", "/dev/null", stdin=queries)


def write_mail(a):
    a.scratch("body", a.rng.randint(400, 15_000))
    with open(f"{a.folder}/mail", "w") as file:
        file.write(f"From: {a.host.name}@bank.example\r\nTo: office@bank.example\r\nSubject: report\r\n\r\n" +
                   open(f"{a.folder}/body", "rb").read().hex()[:15_000] + "\r\n")
    a.run("curl", "-s", "smtp://mail.bank.example", "--mail-from", f"{a.host.name}@bank.example", "--mail-rcpt",
          "office@bank.example", "-T", "mail")


def mistype(a):
    """Names that do not exist: typos, search-domain probing, wpad."""
    a.run(
        "dig", "+short", "+tries=1",
        a.rng.choice([
            "wpad.bank.example", "intranett.bank.example", "printer-3.bank.example", "www.daily-nwes.example",
            "isatap.bank.example"
        ]))


def shell_session(a, target):
    """Somebody types into a remote shell."""
    if not a.stage.have("sshpass", "ssh"):
        return
    process = a.start("sshpass", "-p", PASSWORD, "ssh", "-tt", *SSH_OPTIONS, f"ops@{target}.bank.example")
    try:
        a.think(2)
        for _ in range(a.rng.randint(2, 6)):
            if not a.going():
                break
            process.stdin.write(a.rng.choice(SHELL_COMMANDS) + "\n")
            process.stdin.flush()
            a.think(4)
        process.stdin.write("exit\n")
        process.communicate(timeout=10)
        a.stage.runs[("ssh", "ok" if process.returncode == 0 else "failed")] += 1
    except Exception:  # pylint: disable=broad-except
        a.end(process)
        a.stage.runs[("ssh", "failed")] += 1


def copy_by_ssh(a, target):
    a.scratch("parcel", a.rng.randint(20_000, 300_000))
    a.run("sshpass", "-p", PASSWORD, "scp", "-q", *SSH_OPTIONS, "parcel", f"ops@{target}.bank.example:/dev/null")


SSH_OPTIONS = [
    "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o",
    "PubkeyAuthentication=no"
]
HABITS = {
    "clerk": [(browse_intranet, 5), (browse_outside, 3), (use_crm, 4), (use_share, 2), (write_mail, 2), (mistype, 0.4)],
    "analyst": [(browse_intranet, 3), (query_accounts, 5), (use_share, 2), (browse_outside, 2), (write_mail, 1),
                (mistype, 0.3)],
    "developer": [(work_on_code, 3), (browse_intranet, 2), (browse_outside, 3),
                  (lambda a: shell_session(a, "app"), 0.8), (query_accounts, 1),
                  (lambda a: a.run("redis-cli", "-h", "cache.bank.example", "info", "server"), 0.5)],
    "admin": [(lambda a: shell_session(a, a.rng.choice(["web", "git", "db", "files", "app", "store"])), 4),
              (lambda a: copy_by_ssh(a, a.rng.choice(["web", "app"])), 1), (browse_intranet, 2), (browse_outside, 1),
              (mistype, 0.3)],
}
PEOPLE = {
    "ws01": "clerk", "ws02": "clerk", "ws03": "analyst", "ws04": "developer", "ws05": "clerk", "ws06": "analyst",
    "ws07": "developer", "ws08": "clerk", "adm01": "admin"
}


def person(a, pause_s=8):
    """Works until the recording ends, with log-normal pauses."""
    habits, weights = zip(*HABITS[PEOPLE[a.host.name]])
    a.wait(a.rng.uniform(0, pause_s))
    while a.going():
        a.rng.choices(habits, weights)[0](a)
        a.think(pause_s)


# What every desk machine does by itself


def desk_telemetry(a, period_s=60):
    """A vendor's telemetry: as regular and as small as a beacon, but spoken by half the house to a host everybody
    uses."""
    a.wait(a.rng.uniform(0, period_s))
    while a.going():
        a.run("curl", "-s", "-o", "/dev/null", "--data-binary", f"host={a.host.name}&up={a.rng.randrange(10**6)}",
              "https://telemetry.crm-suite.example/post")
        a.wait(period_s * a.rng.uniform(0.98, 1.02))


def keep_time(a, period_s=64):
    a.wait(a.rng.uniform(0, period_s))
    while a.going():
        a.run("/usr/bin/python3", os.path.join(os.path.dirname(__file__), "probes.py"), "ntp", BY_NAME["dns"].address)
        a.wait(period_s)


# Machines


def monitoring(a, period_s=15):
    """Asks everything whether it lives: a fan-out over the whole house, every time the same."""
    while a.going():
        for name in ("web", "git", "store", "pkg"):
            a.run("curl", "-s", "-o", "/dev/null", f"https://{name}.bank.example/health")
        a.run("curl", "-s", "-o", "/dev/null", "http://app.bank.example:8080/health")
        a.run("redis-cli", "-h", "cache.bank.example", "ping")
        a.run("psql", "-q", "-t", "-h", "db.bank.example", "-U", "postgres", "postgres", "-c", "select 1")
        for name in ("dns", "files", "mail"):
            a.run("ping", "-c", "1", "-W", "1", f"{name}.bank.example")
        a.wait(period_s)


def application(a, pause_s=3):
    """The application server lives between database, cache and a partner's API."""
    while a.going():
        query_accounts(a)
        a.run(
            "redis-cli", "-h", "cache.bank.example",
            stdin="".join(f"set session:{a.rng.randrange(10**6)} {a.rng.random()}\nget session:1\n" for _ in range(8)))
        if a.rng.random() < 0.3:
            a.run("curl", "-s", *to_null(["https://api.crm-suite.example/api/rates"]))
        a.think(pause_s, 0.5)


def continuous_integration(a, period_s=45):
    """Fetches, pulls packages inside and outside, stores what it built."""
    while a.going():
        work_on_code(a)
        packages = a.rng.sample(range(12), a.rng.randint(2, 5))
        a.run("curl", "-s", *to_null([f"http://pkg.bank.example/picture-{n:02d}.png" for n in packages]))
        if a.rng.random() < 0.3:
            a.run("curl", "-s", *to_null([f"https://deb.os-mirror.example/picture-{n:02d}.png" for n in packages[:2]]))
        a.scratch("artifact", a.rng.randint(100_000, 900_000))
        a.run("curl", "-s", "-T", "artifact", f"https://store.bank.example/put/build-{a.rng.randrange(10**6)}.bin")
        a.think(period_s, 0.4)


def patching(a):
    """A desk machine pulls updates from the mirror outside: much comes in, little goes out."""
    a.run("curl", "-s",
          *to_null([f"https://pool.os-mirror.example/picture-{n:02d}.png" for n in a.rng.sample(range(12), 3)]))


def backup(a, size_bytes):
    """The nightly bulk, to the bank's own store."""
    _rclone_copy(a, size_bytes, "store.bank.example")


def offsite_backup(a, size_bytes):
    """The same, to the rented store outside: permitted, known, and bulk all the same."""
    with a.doing("", "benign-offsite-backup", BY_NAME["cloud"].address,
                 f"permitted backup of {size_bytes / 1e6:.0f} MB to the rented store outside, by rclone"):
        _rclone_copy(a, size_bytes, "upload.cloud-box.example")


def permitted_scan(a):
    """The vulnerability scanner at its weekly work."""
    if a.stage.have("nmap"):
        with a.doing("", "benign-scanner", "10.20.20.0/24",
                     "permitted vulnerability scanner: nmap -sS -sV of nine service ports on 10.20.20.0/24"):
            a.run("nmap", "-Pn", "-n", "-sS", "-sV", "--version-light", "-T4", "-p",
                  "22,25,80,443,445,3389,5432,6379,8080", "10.20.20.10-20", timeout_s=240)


def _rclone_copy(a, size_bytes, name):
    for n in range(6):
        a.scratch(f"night/part-{n}-{a.rng.randrange(10**6)}.tar", size_bytes // 6)
    rclone_copy(a, "night", name, "8M")


def rclone_copy(a, folder, name, rate):
    """Copies a folder to a WebDAV server and forgets the folder; *rate* in bytes/s as rclone writes it."""
    a.run("rclone", "copy", "--config", "/dev/null", "--webdav-url", f"https://{name}:{WEBDAV_PORT}/",
          "--webdav-vendor", "other", "--transfers", "2", "--bwlimit", rate, folder, ":webdav:", timeout_s=300)
    a.clear(folder)


def to_null(urls):
    return [word for url in urls for word in ("-o", "/dev/null", url)]
