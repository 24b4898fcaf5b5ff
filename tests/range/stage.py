"""What a script on the stage may do: run a real tool on a host, wait, draw from its own seeded randomness, and note
what it did.

One `Stage` belongs to one run. `actor(host)` gives a script its handle; each has its own random stream (seed and host
name), so one script's choices do not depend on when another one ran. Waits are divided by the time scale and end early
when the recording is over.
"""

import collections
import os
import random
import shutil
import subprocess
import threading
import time

import labels
from sandbox import STATE
from servers import CA, find
from topology import BY_NAME, inside

TOOLS = {  # program -> Debian package that has it
    "nginx": "nginx-light", "fcgiwrap": "fcgiwrap", "sshd": "openssh-server", "ssh": "openssh-client",
    "sshpass": "sshpass", "dnsmasq": "dnsmasq-base", "dig": "bind9-dnsutils", "psql": "postgresql-client",
    "smbd": "samba", "smbclient": "smbclient", "redis-server": "redis-server", "redis-cli": "redis-tools",
    "chronyd": "chrony", "git": "git", "curl": "curl", "rclone": "rclone", "nmap": "nmap", "masscan": "masscan",
    "gobuster": "gobuster", "iodine": "iodine", "iodined": "iodine", "dns2tcpc": "dns2tcp", "dns2tcpd": "dns2tcp",
    "ptunnel": "ptunnel", "ping": "iputils-ping", "ethtool": "ethtool", "tcpdump": "tcpdump", "zstd": "zstd",
    "openssl": "openssl", "ip": "iproute2", "slapd": "slapd", "ldapsearch": "ldap-utils",
}
# Without these there is no range at all.
NEEDED = ["ip", "ethtool", "tcpdump", "openssl", "zstd", "nginx", "dnsmasq", "curl"]

LAST_WORDS_S = 20  # for all scripts together to put down their tools; the sandbox ends what still runs


class Stage:

    def __init__(self, seed, duration_s, time_scale, log):
        self.seed = seed
        self.duration_s = duration_s
        self.time_scale = time_scale
        self.log = log
        self.labels = labels.Labels()
        self.skipped = set()
        self.runs = collections.Counter()  # (program, outcome) -> times
        self.over = threading.Event()
        self.failures = []
        self._threads = []
        self._end = time.monotonic() + duration_s

    def begin(self):
        """The clock of the scenario starts when all servers are up."""
        self._end = time.monotonic() + self.duration_s

    def actor(self, name, purpose=""):
        return Actor(self, name, random.Random(f"{self.seed} {name} {purpose}"))

    def play(self, script, *arguments):
        """Runs a script beside the others. An exception in it fails the whole run, loudly, at the end."""

        def body():
            try:
                script(*arguments)
            except Exception as error:  # pylint: disable=broad-except
                self.failures.append(f"{script.__name__}: {error!r}")

        thread = threading.Thread(target=body, daemon=True)
        thread.start()
        self._threads.append(thread)

    def finish(self):
        """Lets the time run out, then waits a little for scripts to put down their tools."""
        self.over.wait(max(0, self._end - time.monotonic()))
        self.over.set()
        patience = time.monotonic() + LAST_WORDS_S
        for thread in self._threads:
            thread.join(timeout=max(0, patience - time.monotonic()))

    def join(self):
        """For scenarios that end with their scripts instead of by the clock."""
        for thread in self._threads:
            thread.join(timeout=max(0, self._end - time.monotonic()))
        self.over.set()

    def have(self, *programs):
        """False, loudly and once, if a tool is missing."""
        missing = [program for program in programs if not find(program)]
        for program in missing:
            if program not in self.skipped:
                self.skipped.add(program)
                self.log(
                    f"SKIPPED: {program} is missing (Debian package {TOOLS.get(program, program)}); what needs it is left out"
                )
        return not missing


class Actor:

    def __init__(self, stage, name, rng):
        self.stage = stage
        self.host = BY_NAME[name]
        self.rng = rng
        self.folder = f"{STATE}/work/{name}"
        os.makedirs(self.folder, exist_ok=True)

    def going(self):
        return not self.stage.over.is_set()

    def wait(self, seconds):
        """Scripted waiting: shortened by the time scale, cut off by the end of the recording."""
        self.stage.over.wait(seconds / self.stage.time_scale)

    def think(self, median_s, sigma=0.8):
        """A human pause: log-normal."""
        self.wait(median_s * self.rng.lognormvariate(0, sigma))

    def run(self, *argv, timeout_s=120, stdin="", accept=(0, ), **environment):
        """Runs a tool on this host to its end and returns what it printed. A missing tool is a loud skip, a failing
        one is counted."""
        if not self.stage.have(argv[0]):
            return ""
        process = self.start(*argv, **environment)
        try:
            output, _ = process.communicate(stdin, timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            self._count(argv, "timed out", output)
            return output
        self._count(argv, "ok" if process.returncode in accept else "failed", output)
        return output

    def start(self, *argv, **environment):
        """Starts a tool on this host; the caller ends it with `end`."""
        env = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": self.folder, "LANG": "C.UTF-8", "CURL_CA_BUNDLE": CA,
            "SSL_CERT_FILE": CA, "GIT_SSL_CAINFO": CA, "GIT_CONFIG_SYSTEM": f"{STATE}/gitconfig", "USER": "ops"
        }
        env.update(environment)
        return subprocess.Popen(inside(self.host.name, argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, errors="replace", env=env, cwd=self.folder)

    def end(self, process):
        process.terminate()
        try:
            output, _ = process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
        return output

    def _count(self, argv, outcome, output):
        self.stage.runs[(argv[0], outcome)] += 1
        if outcome != "ok" and self.going():
            self.stage.log(f"{self.host.name}: {' '.join(argv)[:160]}: {outcome}: {output.strip()[-300:]}")

    def doing(self, technique, label, peer, words):
        """Labels the block as this host's action."""
        self.stage.log(f"{self.host.name}: {label}: {words}")
        return self.stage.labels.during(self.host.address, technique, label, peer, words)

    def scratch(self, name, size_bytes):
        """A file of random bytes to carry around."""
        path = f"{self.folder}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(self.rng.randbytes(size_bytes))
        return path

    def clear(self, name):
        path = f"{self.folder}/{name}"
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        elif os.path.exists(path):
            os.unlink(path)
