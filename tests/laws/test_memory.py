#!/usr/bin/env python3
"""Law 4: memory is the sum that is printed, whatever comes. SYN floods of hundreds of thousands of sources are replayed with small tables, in one process and in two: resident memory
stays under the sum and does not grow with the length of the flood, the counters of evicted and folded things do, and a scan hidden in the flood is still found.

The sum is of tables and buffers. Beside it stand the program, its libraries and what they allocate for themselves (nDPI's automata, SQLite, ZeroMQ, the C library), which no option
changes: BESIDE_MB, measured 14 MB for a program that does nothing and 35 MB for one that replays a small file. Between two floods that both fill every table and queue, who is how far
behind whom moves the peak by some megabytes: GROWTH_MB."""

import json
import os
import random
import re
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import craft  # noqa: E402

BESIDE_MB = 40
GROWTH_MB = 20
SMALL = ("--flows-max", "4096", "--agents-max", "256")
VICTIM, SCANNER = "10.20.0.80", "10.20.1.5"


def flood(path, sources, rate, seed=11):
    """*sources* addresses, one SYN each, *rate* a second; from 5 s on, every 50 ms, a probe of the scan, of which every third is refused."""
    frame = bytearray(craft.tcp("1.0.0.1", 1024, VICTIM, 80, 1, 0, "S"))
    draw, probes = random.Random(seed), craft.Capture(seed)
    probes.scan(craft.START + 5, SCANNER, 445, 600)
    probes.frames.sort(key=lambda item: item[0])
    waiting = probes.frames[::-1]
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))

        def put(at, data):
            file.write(struct.pack("<IIII", int(at), int(at % 1 * 1_000_000), len(data), len(data)) + data)
        for n in range(sources):
            at = craft.START + n / rate
            while waiting and waiting[-1][0] <= at:
                put(*waiting.pop())
            struct.pack_into(">I", frame, 26, 0x0B000000 + n * 7)  # 11.0.0.0 on: all different, none at home
            struct.pack_into(">HHI", frame, 34, draw.randrange(1024, 65536), 80, draw.getrandbits(32))
            put(at, bytes(frame))
    return path


class Memory(craft.Case):
    sensor = aggregator = None

    def replay(self, path, *words):
        """Counters, alerts, peak resident MB."""
        told, out = self.path("counters.json"), self.path("alerts.json")
        with open(out, "wb") as file:
            process = subprocess.Popen([self.program, "replay", "--json", "--quiet", "--counters", told, *words, path], stdout=file)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0)
        with open(told) as counters, open(out) as alerts:
            return json.load(counters), [json.loads(line) for line in alerts], usage.ru_maxrss / 1024

    def check_flood(self, sources, peak_mb, printed_bytes, folded, agents, alerts):
        print(f"{sources} sources: peak {peak_mb:.0f} MB, printed {printed_bytes / 1e6:.0f} MB, {folded} agents folded, {len(alerts)} alerts")
        self.assertLess(peak_mb * 1024 * 1024, printed_bytes + BESIDE_MB * 1024 * 1024)
        self.assertGreater(folded, sources / 2)
        self.assertLessEqual(agents, 256)
        found = [alert for alert in alerts if alert["agent"]["address"] == SCANNER and "T1046" in alert["technique"]]
        self.assertTrue(found, "the scan in the flood was not found")

    def test_a_fast_flood_stays_under_the_sum(self):
        for sources in (100_000, 300_000):
            with self.subTest(sources=sources):
                counters, alerts, peak = self.replay(flood(self.path("flood.pcap"), sources, rate=6000), *SMALL)
                sensor, aggregator = counters["sensor"], counters["aggregator"]
                self.assertGreater(sensor["flows_opened"], sources)
                self.assertEqual(sensor["flows_opened"], sensor["flows_ended"])
                self.assertGreater(sensor["flows_evicted"], sources / 2)
                self.check_flood(sources, peak, counters["memory_bytes"], aggregator["agents_folded"], aggregator["agents"], alerts)

    def daemon(self, err, out, *words):
        with open(self.path(err), "wb") as error, open(self.path(out), "wb") as output:
            process = subprocess.Popen(words, stdout=output, stderr=error)
        self.addCleanup(process.kill)
        return process

    def end(self, process, err):
        """Peak MB, and what it said it would take at most."""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        with open(self.path(err)) as file:
            said = file.read()
        self.assertEqual(process.returncode, 0, said)
        return usage.ru_maxrss / 1024, int(re.search(r"memory bounded by (\d+) MB", said)[1]) * 1e6, said

    def test_a_longer_flood_takes_no_more(self):
        """Two daemons with every bound small, queues included: nothing is left that could still fill."""
        peaks = []
        for sources in (250_000, 500_000):
            path, endpoint = flood(self.path("flood.pcap"), sources, rate=600), f"ipc://{self.path('socket')}"
            options = [word for name in ("agents_max=256", "journal_bytes_max=8M", "pending_bytes_max=32M", "popularity_entries=4096") for word in ("--set", name)]
            aggregator = self.daemon("aggregator.err", "alerts", self.aggregator, "--once", "--alerts", "--listen", endpoint, *options)
            options = [word for name in ("flows_max=4096", "journal_bytes_max=8M", "ledger_entries_max=32768", "classifying_max=1024", "inspecting_max=512") for word in ("--set", name)]
            sensor = self.daemon("sensor.err", "nothing", self.sensor, "--aggregator", endpoint, *options, "--read", path)
            sensor_peak, sensor_sum, _ = self.end(sensor, "sensor.err")
            peak, total, said = self.end(aggregator, "aggregator.err")
            agents, folded = map(int, re.search(r"(\d+) agents \((\d+) folded\)", said).groups())
            peaks.append((sensor_peak, peak))
            with self.subTest(sources=sources), open(self.path("alerts")) as alerts:
                print(f"sensor: peak {sensor_peak:.0f} MB, printed {sensor_sum / 1e6:.0f} MB; aggregator: ", end="")
                self.assertLess(sensor_peak * 1024 * 1024, sensor_sum + BESIDE_MB * 1024 * 1024)
                self.check_flood(sources, peak, total, folded, agents, [json.loads(line) for line in alerts])
        self.assertLess(peaks[1][0], peaks[0][0] + GROWTH_MB, "the sensor grows with the flood")
        self.assertLess(peaks[1][1], peaks[0][1] + GROWTH_MB, "the aggregator grows with the flood")

    def test_the_printed_sum_follows_the_options(self):
        path = craft.office(seconds=5).write(self.path("office.pcap"))
        small, _, peak = self.replay(path, *SMALL)
        for words in (("--flows-max", "65536"), ("--agents-max", "65536"), ("--workers", "4"), ("--shards", "8")):
            large, _, _ = self.replay(path, *SMALL, *words)
            self.assertGreaterEqual(large["memory_bytes"], small["memory_bytes"] + (0 if words[0] == "--shards" else 1 << 20), words)
        text = self.run_program("replay", "--color", "never", *SMALL, path).stdout.decode()
        said = next(line for line in text.splitlines() if line.split()[:1] == ["memory"])
        self.assertIn("in tables at most", said)
        number, unit = said.split()[1:3]
        self.assertAlmostEqual(float(number) * {"MB": 1e6, "GB": 1e9}[unit] / small["memory_bytes"], 1, delta=0.01)
        refused = self.run_program("replay", *SMALL, "--max-memory", str(small["memory_bytes"] - 1), path, code=2)
        self.assertIn(b"--max-memory", refused.stderr)
        self.run_program("replay", *SMALL, "--max-memory", str(small["memory_bytes"]), path)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(f"usage: {sys.argv[0]} NIGHTJAR NIGHTJAR-SENSOR NIGHTJAR-AGGREGATOR [test...]")
    Memory.sensor, Memory.aggregator = (os.path.abspath(sys.argv.pop(2)) for _ in range(2))
    craft.main()
