"""Ground truth: who did what, when. One row per action of an attacker and one per benign host for the whole recording.

Times are seconds since the epoch with a fraction, from the clock that also stamps the packets. Written as CSV:
start,end,agent,technique,label,peer,words - peer is an address, a network or empty. Recordings with AI agents have
four more columns: ai (agent, human, none), class (which program or attack), level (of the adversary: naive, knows, mimics,
reacts) and variant (how the model is reached: visible, masked, gateway, selfhosted, quic, quic-masked).
"""

import csv
import threading
import time
from contextlib import contextmanager

FIELDS = ["start", "end", "agent", "technique", "label", "peer", "words"]
AI_FIELDS = ["ai", "class", "level", "variant"]


class Labels:

    def __init__(self):
        self.rows = []
        self._lock = threading.Lock()

    def add(self, start, end, agent, technique, label, peer, words, **ai):
        with self._lock:
            self.rows.append({
                "start": f"{start:.6f}", "end": f"{end:.6f}", "agent": agent, "technique": technique, "label": label,
                "peer": peer, "words": words, **{("class" if name == "kind" else name): value for name, value in ai.items()}
            })

    @contextmanager
    def during(self, agent, technique, label, peer, words):
        """Labels what happens inside the block, also when it ends by an exception: the packets were sent all the
        same."""
        start = time.time()
        try:
            yield
        finally:
            self.add(start, time.time(), agent, technique, label, peer, words)


def write(rows, path):
    with open(path, "w", newline="") as file:
        ai = any("ai" in row for row in rows)
        writer = csv.DictWriter(file, FIELDS + (AI_FIELDS if ai else []), lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: (float(row["start"]), row["agent"])))


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))
