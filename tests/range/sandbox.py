"""The box the range lives in: a process, mount and network namespace of its own.

`enter()` starts the range again as process 1 of a new process namespace, with a network namespace that holds nothing
but a dead loopback and a mount namespace in which /run and four files of /etc are the range's own. Nothing needs
cleaning up afterwards, however the range ends: when process 1 dies (done, interrupted, killed with -9, out of time) the
kernel ends every process in the box, and with the last of them go the namespaces, the bridge, the tunnels and the
scratch files. Two ranges never meet, so no name needs to be unique.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys

INSIDE = "NJ_RANGE_INSIDE"
STATE = "/run/range"
USERS = [("ops", 2001), ("build", 2002), ("teller", 2003)]
PASSWORD = "range-only-password"


def enter(limit_s):
    """Run this very command inside the box; *limit_s* is the longest it may live. Returns only inside."""
    if os.environ.get(INSIDE):
        _furnish()
        signal.signal(signal.SIGTERM, lambda *_: os._exit(143))
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))
        signal.signal(signal.SIGALRM, lambda *_: _out_of_time(limit_s))
        signal.alarm(int(limit_s))
        return
    if os.geteuid() != 0:
        sys.exit("range: needs root, to make network namespaces")
    os.environ[INSIDE] = "1"
    sys.stdout.flush()
    os.execvp("unshare", [
        "unshare", "--net", "--uts", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc",
        sys.executable
    ] + sys.argv)


def _out_of_time(limit_s):
    print(f"range: stopped by itself after {limit_s:.0f} s, its limit", file=sys.stderr, flush=True)
    os._exit(124)


def _furnish():
    """A private /run (namespaces, sockets, scratch), and names, users and resolver of the imagined bank."""
    _run("mount", "-t", "tmpfs", "-o", "mode=755,size=2g", "range", "/run")
    for folder in ("netns", "sshd", "range", "range/work"):
        os.makedirs(f"/run/{folder}")
    own = {
        "resolv.conf": "nameserver 10.20.20.2\nsearch bank.example\noptions timeout:2 attempts:2\n",
        "hosts": "127.0.0.1 localhost range\n",
        "nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n",
        "passwd": open("/etc/passwd").read() + "".join(f"{name}:x:{uid}:{uid}::{STATE}/home/{name}:/bin/bash\n"
                                                       for name, uid in USERS),
        "shadow": open("/etc/shadow").read() + "".join(f"{name}:{_hashed(PASSWORD)}:19000:0:99999:7:::\n"
                                                       for name, _ in USERS),
    }
    for name, text in own.items():
        path = f"{STATE}/etc.{name}"
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, 0o600 if name == "shadow" else 0o644)
        target = os.path.realpath(f"/etc/{name}")
        if not os.path.exists(target):
            continue
        _run("mount", "--bind", path, target)
    for name, uid in USERS:
        os.makedirs(f"{STATE}/home/{name}")
        os.chown(f"{STATE}/home/{name}", uid, uid)
    socket.sethostname("range")  # some programs ask the resolver for their own name
    _run("ip", "link", "set", "lo", "up")


def _hashed(password):
    return subprocess.run(["openssl", "passwd", "-6", "-salt", "range", password], capture_output=True, text=True,
                          check=True).stdout.strip()


def _run(*argv):
    if not shutil.which(argv[0]):
        sys.exit(f"range: {argv[0]} is missing")
    subprocess.run(argv, check=True)
