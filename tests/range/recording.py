"""The tap: tcpdump on the tap's port (or, where the bridge is no hub, on the bridge), started before the first scripted
packet and stopped after the last."""

import os
import re
import signal
import subprocess
import time

from topology import ROUTER_ADDRESSES, ROUTER_MAC, inside

BUFFER_KIB = 65536


def tap_filter():
    """All but the copies the router forwards (its own packets, recognisable by their source address, stay)."""
    own = " or ".join(f"src host {address}" for address in ROUTER_ADDRESSES)
    return f"not ether src {ROUTER_MAC} or {own}"


class Recording:

    def __init__(self, path, hub=True):
        self.path = path
        argv = [
            "tcpdump", "-i", "eth0" if hub else "hub0", "-n", "-U", "-s", "0", "-B",
            str(BUFFER_KIB), "-Z", "root", "-w", path,
            tap_filter()
        ]
        self._tcpdump = subprocess.Popen(inside("tap", argv) if hub else argv, stderr=subprocess.PIPE, text=True)
        self._wait_for_header()

    def _wait_for_header(self):
        """tcpdump writes the file header once it listens."""
        deadline = time.monotonic() + 10
        while not (os.path.exists(self.path) and os.path.getsize(self.path) >= 24) and time.monotonic() < deadline:
            if self._tcpdump.poll() is not None:
                raise RuntimeError("tcpdump ended at once: " + self._tcpdump.stderr.read())
            os.sched_yield()
            time.sleep(0.02)

    def stop(self):
        """Returns (packets, dropped by the kernel) as tcpdump counted them."""
        self._tcpdump.send_signal(signal.SIGINT)
        _, said = self._tcpdump.communicate(timeout=60)
        captured = re.search(r"(\d+) packets? captured", said)
        dropped = re.search(r"(\d+) packets? dropped by kernel", said)
        if not captured or not dropped:
            raise RuntimeError("tcpdump did not say what it recorded: " + said)
        return int(captured.group(1)), int(dropped.group(1))
