#!/usr/bin/python3
"""Ground truth of the agent scenarios, from what the programs themselves noted: labels.csv rows for every member of the
cast, turns.csv with each exchange and action by time, and the inventory with the registered agents.

  ai_labels.py FOLDER...      writes the inventory of finished recordings anew, from their labels
"""

import csv
import glob
import json
import os
import random
import re
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
sys.dont_write_bytecode = True

import capfile
import labels
import topology
from hostile import ATTACKS, TECHNIQUES
from sandbox import STATE
from topology import BY_NAME

PEOPLE = ("chat", "chat-work")
TURN_FIELDS = [
    "host", "session", "turn", "t_request", "t_first", "t_done", "bytes_up", "bytes_down", "events", "tool", "peer", "outcome",
    "t_act", "t_acted", "reaction", "broken"
]
ADDRESSES_MAX = 14  # a label row names so many peers


def read_turns():
    turns = []
    for path in sorted(glob.glob(f"{STATE}/turns-*.jsonl")):
        with open(path) as file:
            turns += [json.loads(line) for line in file if line.endswith("}\n")]
    return turns


def address_of(peer):
    """A name of the range or an address, as an address."""
    bare = re.sub(r":\d+$", "", peer)
    if re.fullmatch(r"[\d.]+", bare):
        return bare
    return next((host.address for host in topology.EVERYONE if bare in host.names), "")


def finish(stage, start, end, out):
    turns = read_turns()
    with open(f"{out}/turns.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, TURN_FIELDS, lineterminator="\n", restval="", extrasaction="ignore")
        writer.writeheader()
        for turn in sorted(turns, key=lambda turn: turn["t_request"]):
            writer.writerow({k: f"{v:.6f}" if isinstance(v, float) else v for k, v in turn.items()})
    with open(f"{out}/cast.json", "w") as file:
        json.dump(stage.cast.members, file, indent=1)
    for member in stage.cast.members:
        mine = [turn for turn in turns if turn["host"] == member["host"]]
        if member["kind"] in ATTACKS:
            attack(stage, member, mine)
        else:
            benign(stage, member, mine, start, end)
        said = open(f"{STATE}/{member['host']}.out", errors="replace").read() if "brain" in member else ""
        if said.strip():
            stage.log(f"{member['host']} ({member['kind']}): {said.strip()[-300:]}")
        if "brain" in member and not [turn for turn in mine if "t_done" in turn]:
            stage.failures.append(f"{member['host']}: {member['kind']} over {member['variant']} had no exchange: {said[-200:]}")


def slow(source, target, address, pause_s, seed):
    """One agent of the recording *source* alone, with a log-normal pause before each of its turns: what takes hours, out of
    what took minutes. Its label's level says so."""
    rng = random.Random(f"{seed} {address}")
    with open(f"{source}/turns.csv", newline="") as file:
        turns = [row for row in csv.DictReader(file) if BY_NAME[row["host"]].address == address]
    asked = sorted({float(row["t_request"]) for row in turns})
    pauses = [(t - 0.005, pause_s * rng.lognormvariate(0, 0.6)) for t in asked[1:]]
    move = capfile.wait_before(f"{source}/capture.pcap.zst", f"{target}/capture.pcap.zst", address, pauses)
    rows = [row for row in labels.read(f"{source}/labels.csv") if row["agent"] == address]
    for row in rows + turns:
        for name in row:
            if (name in ("start", "end") or name.startswith("t_")) and row[name] and float(row[name]) > 0:
                row[name] = f"{move(float(row[name])):.6f}"
    for row in rows:
        row["level"] += "-slow"
        row["words"] += f" (recorded session, a pause of {pause_s:g} s in the median put before each turn)"
    labels.write(rows, f"{target}/labels.csv")
    with open(f"{target}/turns.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, TURN_FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(turns)
    shutil.copy(f"{source}/inventory.yaml", f"{target}/inventory.yaml")


def benign(stage, member, turns, start, end):
    kind = member["kind"]
    what = "none" if "brain" not in member or kind == "pipeline" else "human" if kind in PEOPLE else "agent"
    words = member.get("words") or f"{kind} with {member['brain']['model']}, {len(turns)} turns"
    stage.labels.add(start, end, BY_NAME[member["host"]].address, "", f"benign-{kind}", "", f"{member['host']}: {words}",
                     ai=what, kind=kind, level="", variant=member["variant"])


def attack(stage, member, turns):
    acted = [turn for turn in turns if "t_act" in turn]
    if not acted:
        stage.failures.append(f"{member['host']}: attack {member['kind']} did nothing")
        return
    peers = sorted({address for turn in acted if (address := address_of(turn["peer"]))})
    words = f"{member['kind']}, {member['level']}, {len(acted)} actions on {len(peers)} hosts, by {member['brain']['model'] or 'a remote model'}"
    if "blocked_at" in member:
        words += f", blocked at {member['blocked_at']:.3f}"
    address = BY_NAME[member["host"]].address
    begin, finish_ = acted[0]["t_request"], max(turn["t_acted"] for turn in acted)
    stage.labels.add(begin, finish_, address, TECHNIQUES[member["kind"]], f"ai-{member['kind']}", " ".join(peers[:ADDRESSES_MAX]),
                     words, ai="agent", kind=member["kind"], level=member["level"], variant=member["variant"])
    relays(stage, member, acted, begin, finish_)


def relays(stage, member, acted, begin, end):
    """Hosts an attacker logged in to act for it: what they send is neither theirs nor false."""
    for peer in sorted({address_of(turn["peer"]) for turn in acted if turn["tool"] == "ssh" and turn["outcome"] == "ok"}):
        if peer:
            stage.labels.add(begin, end, peer, "T1021.004", "ai-lateral-relay", BY_NAME[member["host"]].address,
                             f"{member['host']} acts through this host over ssh")


REACH = {  # what a registered agent of a kind may reach
    "coding": ("git", "pkg", "updates", "web", "db"), "retrieval": ("web", "news", "db", "tools", "files"),
    "rpa": ("portal", "saas"), "operations": ("web", "app", "store", "git", "pkg", "cache", "db"),
    "analyst": ("db", "files", "tools")
}
REACH["crew"] = tuple(sorted({name for kind in ("retrieval", "operations", "rpa") for name in REACH[kind]}))
PROVIDERS = {"gateway": ("api-gw", ), "selfhosted": ("gpu", )}
SERVICES = {"coding": "[443, 80, 5432]", "retrieval": "[443, 5432, 3001, 445]", "rpa": "[443, 8090]",
            "operations": "[443, 8080, 22, 6379, 5432, 80]", "analyst": "[5432, 445, 3001]"}
UNREGISTERED = ("recon", "web", "spray", "chain", "upload", "remote", "swarm")


def policy(kind, variant):
    """The registration of an agent: one that attacks is registered as the coding agent it pretends to be."""
    kind = kind if kind in REACH else "coding"
    providers = [BY_NAME[name].address + "/32" for name in PROVIDERS.get(variant, ("oai", "ant", "gem", "dsk"))]
    reach = [BY_NAME[name].address + "/32" for name in REACH[kind]]
    services = f", services: {SERVICES[kind]}" if kind in SERVICES else ""
    return f"{{ providers: [{', '.join(providers)}], networks: [{', '.join(reach)}]{services} }}"


def registered(rows):
    """{host name: policy} of label rows: benign agents, escaping ones and those that mimic."""
    names = {host.address: host.name for host in topology.EVERYONE}
    return {names[row["agent"]]: policy(row["class"], row["variant"]) for row in rows
            if row.get("ai") == "agent" and (row["class"] not in UNREGISTERED or row["level"] == "mimics")}


def inventory(rows):
    hosts = [host for host in topology.EVERYONE if host.inside]
    return topology.inventory_yaml(hosts, registered(rows))


def main():
    for folder in sys.argv[1:]:
        rows = labels.read(f"{folder}/labels.csv")
        with open(f"{folder}/inventory.yaml", "w") as file:
            file.write(inventory(rows))


if __name__ == "__main__":
    main()
