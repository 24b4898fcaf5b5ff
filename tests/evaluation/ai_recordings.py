"""What both tables about AI agents are made from: the recordings of a set with their labels and turns, and what nightjar
says about each, from `replay --json`, `agents --ai --json` and `windows --json`.
"""

import csv
import glob
import json
import os
import random
import subprocess
from datetime import datetime

PEOPLE_AND_SCRIPTS = ("chat", "chat-work", "pipeline")  # use a model, are no agents
VARIANTS = ("visible", "masked", "gateway", "selfhosted", "quic", "quic-masked")


class Recording:
    """One folder of a set (tests/range/record-ai), or NAME.pcap.zst with its neighbours (tests/captures/ai)."""

    def __init__(self, path):
        bundled = path.endswith(".labels.csv")
        self.name = os.path.basename(path[:-len(".labels.csv")] if bundled else path)
        self.capture = path[:-len(".labels.csv")] + ".pcap.zst" if bundled else f"{path}/capture.pcap.zst"
        self.inventory = path[:-len(".labels.csv")] + ".inventory.yaml" if bundled else f"{path}/inventory.yaml"
        with open(path if bundled else f"{path}/labels.csv", newline="") as file:
            self.rows = list(csv.DictReader(file))
        turns = path[:-len(".labels.csv")] + ".turns.csv" if bundled else f"{path}/turns.csv"
        with open(turns, newline="") as file:
            self.turns = list(csv.DictReader(file))
        self.seconds = max(float(r["end"]) for r in self.rows) - min(float(r["start"]) for r in self.rows)

    def members(self):
        """Label rows that say who somebody is: every benign program, every attacker."""
        return [row for row in self.rows if row.get("ai")]


def recordings(folder, prefix):
    """The recordings whose name begins with *prefix*, in the order of their names."""
    found = [path for path in glob.glob(f"{folder}/{prefix}*") if os.path.exists(f"{path}/labels.csv")]
    found += [path for path in glob.glob(f"{folder}/{prefix}*.labels.csv")]
    return [Recording(path) for path in sorted(found, key=lambda p: (len(p), p))]


class Judgement:
    """What nightjar says about one recording. *keep*: a folder where answers stay and are taken from when there."""

    def __init__(self, program, recording, keep):
        self.program, self.recording, self.base = program, recording, f"{keep}/{recording.name}"
        self.store = self.base + ".db"

    def _lines(self, what, *argv):
        path = f"{self.base}.{what}.ndjson"
        if not os.path.exists(path):
            with open(path + ".new", "wb") as file:
                subprocess.run([self.program, *argv], stdout=file, check=True)
            os.rename(path + ".new", path)
        with open(path) as file:
            return [json.loads(line) for line in file if line.startswith("{")]

    def alerts(self):
        """Alert objects, in the order of time."""
        if os.path.exists(self.store) and not os.path.exists(f"{self.base}.alerts.ndjson"):
            os.unlink(self.store)
        found = self._lines("alerts", "replay", "--json", "--quiet", "--inventory", self.recording.inventory, "--store",
                            self.store, self.recording.capture)
        return sorted((a for a in found if "detector" in a), key=lambda a: a["time"])

    def ai(self):
        """{address: rows of `agents --ai`}."""
        self.alerts()
        by = {}
        for row in self._lines("ai", "agents", "--ai", "--json", "--limit", "100000", "--store", self.store):
            by.setdefault(row["address"], []).append(row)
        return by

    def windows(self):
        return self._lines("windows", "windows", "--json", "--quiet", "--inventory", self.recording.inventory,
                           self.recording.capture)


def seconds_of(time_text):
    """RFC 3339 in UTC as seconds since the epoch."""
    return datetime.fromisoformat(time_text.replace("Z", "+00:00")).timestamp()


def address_of_host(host):
    """turns.csv names hosts; desks of the agent scenarios are a01 to a48."""
    return f"10.20.40.{10 + int(host[1:])}"


def bootstrap(groups, statistic, seed=1, times=1000):
    """(2.5 %, 97.5 %) of *statistic* over *groups* drawn again with replacement: groups are seeds, which are independent;
    agents of one recording are not."""
    rng = random.Random(seed)
    values = sorted(statistic([item for _ in groups for item in rng.choice(groups)]) for _ in range(times))
    return values[int(0.025 * times)], values[min(times - 1, int(0.975 * times))]


def auc(items):
    """Area under the curve of (score, positive) pairs: the chance that a positive scores above a negative, ties half."""
    positive = [s for s, p in items if p]
    negative = sorted(s for s, p in items if not p)
    if not positive or not negative:
        return float("nan")
    import bisect
    wins = sum(bisect.bisect_left(negative, s) + 0.5 * (bisect.bisect_right(negative, s) - bisect.bisect_left(negative, s))
               for s in positive)
    return wins / len(positive) / len(negative)


def precision_recall(items, threshold):
    """(precision, recall, F1) of score >= threshold."""
    true = sum(s >= threshold and p for s, p in items)
    false = sum(s >= threshold and not p for s, p in items)
    positives = sum(p for _, p in items)
    precision = true / (true + false) if true + false else float("nan")
    recall = true / positives if positives else float("nan")
    f1 = 2 * true / (2 * true + false + (positives - true)) if positives else float("nan")
    return precision, recall, f1


def table(head, rows):
    """Markdown; the first column left, the others right."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]) + "\n"


def number(value, digits=2):
    return "-" if value != value else f"{value:.{digits}f}"


def version_of(program):
    return subprocess.run([program, "version"], capture_output=True, text=True, check=True).stdout.split()[1]


def write_page_part(path, name, text):
    """Puts *text* between the marks of its part in a page both tables share; the rest stays."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    page = open(path).read() if os.path.exists(path) else ""
    if begin in page:
        head, _, rest = page.partition(begin)
        page = head + begin + text + end + rest.partition(end)[2]
    else:
        page = page + ("\n" if page else "") + begin + text + end
    with open(path, "w") as file:
        file.write(page)
