#!/usr/bin/env python3
"""Executes docs/runbook.md. Makes a machine that can be thrown away (this one's files under an overlay, a network namespace, a stand-in for systemd that does what the units
say), and runs every command of the book in the book's order, as root. Each must exit as the book says and print what the book shows.

In the book: a block of ```sh is run by `bash -e` and exits 0; ```sh exits N with N. A block of ```text after it shows what it prints: each of its lines must come, in order,
where '...' stands for anything. A comment <!-- test: ... --> is for this script: `until COMMAND` waits for it to succeed, `traffic NAME` plays a capture of tests/captures
into the tap's other end, `run COMMAND` prepares something that a reader has. Everything else is prose.

usage: test_runbook.py BUILD
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BOOK = os.path.join(ROOT, "docs/runbook.md")
MACHINE = os.path.join(ROOT, "tests/e2e/machine")
PATIENCE_S = 120
PATH = "/usr/local/stand-in:/usr/sbin:/usr/bin:/sbin:/bin"


def skip(words):
    print(f"SKIPPED: {words}", file=sys.stderr)
    sys.exit(77)


def run(*words, **options):
    return subprocess.run(words, check=True, **options)


class Machine:
    """A root folder over this machine's own, with an empty /run and /tmp and interfaces of its own. Lives in the namespaces of this process and ends with them."""

    def __init__(self, build):
        self.folder = tempfile.mkdtemp(prefix="nj_machine_")
        run("mount", "-t", "tmpfs", "tmpfs", self.folder)
        for name in ("upper", "work", "root"):
            os.mkdir(os.path.join(self.folder, name))
        self.root = os.path.join(self.folder, "root")
        options = f"lowerdir=/,upperdir={self.folder}/upper,workdir={self.folder}/work"
        if subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, self.root], check=False).returncode != 0:
            skip("this kernel lays no overlay over its root file system")
        run("mount", "-t", "proc", "proc", self.path("/proc"))
        run("mount", "-t", "sysfs", "sysfs", self.path("/sys"))
        run("mount", "--rbind", "/dev", self.path("/dev"))
        for name in ("/run", "/tmp"):
            run("mount", "-t", "tmpfs", "tmpfs", self.path(name))
            os.chmod(self.path(name), 0o1777)
        shutil.copytree(MACHINE, self.path("/usr/local/stand-in"))
        self.make_packages(build)
        self.make_network()

    def close(self):
        self.shell("systemctl stop nightjar-sensor nightjar-aggregator || true")
        run("umount", "--recursive", "--lazy", self.folder)
        os.rmdir(self.folder)

    def path(self, name):
        return self.root + name

    def make_packages(self, build):
        """The packages of this build, and the same again as the release after it."""
        for release in (1, 2):
            folder = self.path("/root" if release == 1 else "/root/next")
            with tempfile.TemporaryDirectory(prefix="nj_cpack_") as made:
                run("cpack", "-G", "DEB", "-B", made, "-D", f"CPACK_DEBIAN_PACKAGE_RELEASE={release}", cwd=build, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                os.makedirs(folder, exist_ok=True)
                for package in glob.glob(os.path.join(made, "*.deb")):
                    shutil.copy(package, folder)

    def make_network(self):
        """A tap with a wire to its other end, and an address at which other machines would reach this one."""
        for words in ("ip link set lo up", "ip addr add 192.0.2.10/32 dev lo", "ip link add tap0 type veth peer name wire0", "ip link set tap0 up", "ip link set wire0 up"):
            run(*words.split())
        for name in ("tap0", "wire0"):
            with open(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "w") as file:
                file.write("1")

    def shell(self, script):
        """What a root shell does with it. Gives (code, output)."""
        environment = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", "TERM": "dumb", "DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(["chroot", self.root, "bash", "-e", "-o", "pipefail", "-c", "cd /root\n" + script], env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
        return done.returncode, done.stdout.decode(errors="replace")

    def play(self, name):
        capture = glob.glob(os.path.join(ROOT, "tests/captures", name + ".pcap*.zst"))[0]
        run(sys.executable, os.path.join(MACHINE, "play"), capture, "wire0")


def read_book(path):
    """Yields (line number, kind, argument, text): kind sh, text or test."""
    with open(path) as file:
        lines = file.read().split("\n")
    at = 0
    while at < len(lines):
        begin = re.match(r"```(\S+)(.*)", lines[at])
        directive = re.match(r"<!-- test: (\w+) (.*) -->", lines[at])
        if begin:
            end = lines.index("```", at + 1)
            yield at + 1, begin[1], begin[2].strip(), "\n".join(lines[at + 1:end])
            at = end
        elif directive:
            yield at + 1, "test", directive[1], directive[2]
        at += 1


def missing_line(shown, printed):
    """The first shown line that was not printed after the one before it; None when all were."""
    left = printed.split("\n")
    for line in filter(str.strip, shown.split("\n")):
        pattern = ".*".join(re.escape(part) for part in line.strip().split("..."))
        while left and not re.fullmatch(pattern, left[0].strip()):
            left.pop(0)
        if not left:
            return line
        left.pop(0)
    return None


def obey(machine, word, argument):
    """A directive; gives what went wrong, or None."""
    if word == "traffic":
        machine.play(argument)
        return None
    if word == "run":
        code, printed = machine.shell(argument)
        return None if code == 0 else f"exit {code}\n{printed}"
    assert word == "until", word
    deadline = time.monotonic() + PATIENCE_S
    while True:
        code, printed = machine.shell(argument)
        if code == 0:
            return None
        if time.monotonic() > deadline:
            return f"never became true; at last exit {code}\n{printed}"
        time.sleep(0.1)  # between two looks at the condition


def follow(machine, book):
    """Runs the book. Gives (commands run, what went wrong)."""
    printed, done = "", 0
    for number, kind, argument, text in read_book(book):
        wrong = None
        if kind == "sh":
            wanted = int(re.fullmatch(r"exits (\d+)", argument)[1]) if argument else 0
            code, printed = machine.shell(text)
            done += len([line for line in text.split("\n") if line.strip() and not line.lstrip().startswith("#")])
            if code != wanted:
                wrong = f"exit {code}, the book says {wanted}\n{text}\n{printed}"
        elif kind == "text":
            line = missing_line(text, printed)
            if line is not None:
                wrong = f"the book shows a line that was not printed: {line}\n--- printed:\n{printed}"
        elif kind == "test":
            wrong = obey(machine, argument, text)
        if wrong is not None:
            return done, f"{os.path.relpath(book, ROOT)}:{number}: {wrong}"
    return done, None


def main(arguments):
    build = os.path.abspath(arguments[0])
    if os.geteuid() != 0:
        skip("needs root")
    if os.environ.get("NJ_MACHINE") != "1":
        os.environ["NJ_MACHINE"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "unchanged", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, *sys.argv])
    # Nothing of ours shows outside. In a chroot, whose root need not be a mount, whoever made it has seen to that.
    subprocess.run(["mount", "--make-rprivate", "/"], check=False, stderr=subprocess.DEVNULL)
    machine = Machine(build)
    done, wrong = follow(machine, BOOK)
    if wrong is None:
        print(f"{done} commands of the book did what it says")
    else:
        print(f"FAILED after {done} commands: {wrong}")
        for log in glob.glob(machine.path("/run/stand-in/*.log")):
            with open(log, errors="replace") as file:
                print(f"--- {os.path.basename(log)}\n{file.read()[-3000:]}")
    machine.close()
    return 0 if wrong is None and done > 0 else 1


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
