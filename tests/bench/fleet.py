#!/usr/bin/env python3
"""What an aggregator can take: agent windows per second and core from 1, 10 and 100 simulated sensors over loopback tcp, encrypted and not, and how its time and memory grow
with the number of agents. Prints two markdown tables.

usage: fleet.py BUILD [--rounds N] [--agents N] [--growth N,N,N]

The aggregator is the real program, judging as ever (no store, journal in memory); the sensors are real shippers, threads of bench_fleet. Rates are windows per second of the
aggregator's processor time, user and system, all of its threads: what else the machine does distorts them little. Memory is its largest resident set.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PATIENCE_S = 1800


def make_keys(build, folder, sensors):
    keys = Path(folder, "keys")
    (keys / "authorized").mkdir(parents=True)
    names = [f"bench-{number}" for number in range(sensors)]
    subprocess.run([build / "cli/nightjar", "keygen", "--directory", keys, "aggregator", *names], check=True, stdout=subprocess.DEVNULL)
    for name in names:
        os.rename(keys / f"{name}.pub", keys / "authorized" / f"{name}.pub")
    return keys


def wait_until_told(told, process):
    deadline = time.monotonic() + 60
    while not told.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit("the aggregator does not listen")
        time.sleep(0.01)
    return told.read_text().strip()


def measure(build, sensors, agents, rounds, encrypted, agents_max):
    """Windows, seconds of wall clock, seconds of the aggregator's processors, MB of its memory."""
    with tempfile.TemporaryDirectory(prefix="nj_fleet_") as folder:
        told, log = Path(folder, "endpoint"), Path(folder, "log")
        link, more = ["--set", "plain_tcp=true"], []
        if encrypted:
            keys = make_keys(build, folder, sensors)
            link, more = ["--set", f"secret_key={keys}/aggregator.key", "--set", f"authorized_sensors={keys}/authorized"], [keys]
        with open(log, "wb") as err:
            aggregator = subprocess.Popen([build / "aggregator/nightjar-aggregator", "--once", "--sensors", str(sensors), "--listen", "tcp://127.0.0.1:*", "--endpoint-file", told,
                                           "--set", f"agents_max={agents_max}", "--set", "pending_bytes_max=4G", *link], stderr=err)
        try:
            endpoint = wait_until_told(told, aggregator)
            start = time.monotonic()
            subprocess.run([build / "tests/bench_fleet", endpoint, str(sensors), str(agents), str(rounds), *more], check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE_S)
            _, status, usage = os.wait4(aggregator.pid, 0)
            wall = time.monotonic() - start
            aggregator.returncode = os.waitstatus_to_exitcode(status)
        finally:
            if aggregator.returncode is None:
                aggregator.kill()
                aggregator.wait()
        said = re.search(r"(\d+) windows \((\d+) late\), (\d+) agents", log.read_text())
        if aggregator.returncode != 0 or said is None or (int(said[1]), int(said[2])) != (agents * rounds, 0) or int(said[3]) != min(agents, agents_max):
            sys.exit(log.read_text())
        return agents * rounds, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def rates(build, agents, rounds):
    print(f"| sensors | link | windows | wall | aggregator's CPU | windows/s of a core | memory |\n|---:|---|---:|---:|---:|---:|---:|")
    for sensors in (1, 10, 100):
        for encrypted in (False, True):
            windows, wall, cpu, memory = measure(build, sensors, agents, rounds, encrypted, 20000)
            print(f"| {sensors} | {'CURVE' if encrypted else 'plain tcp'} | {windows:,} | {wall:.1f} s | {cpu:.1f} s | {windows / cpu:,.0f} | {memory:,.0f} MB |", flush=True)


def growth(build, sizes):
    print("\n| agents | in full detail | windows | aggregator's CPU | µs a window | memory | bytes an agent |\n|---:|---:|---:|---:|---:|---:|---:|")
    for agents in sizes:
        for agents_max in sorted({20000, max(20000, min(agents, 100000))}):
            windows, _, cpu, memory = measure(build, 10, agents, 2, True, agents_max)
            print(f"| {agents:,} | {min(agents, agents_max):,} | {windows:,} | {cpu:.1f} s | {cpu / windows * 1e6:.0f} | {memory:,.0f} MB | {memory * 1048576 / agents:,.0f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--agents", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--growth", default="10000,100000,1000000")
    arguments = parser.parse_args()
    rates(arguments.build.resolve(), arguments.agents, arguments.rounds)
    growth(arguments.build.resolve(), [int(size) for size in arguments.growth.split(",") if size])


if __name__ == "__main__":
    main()
