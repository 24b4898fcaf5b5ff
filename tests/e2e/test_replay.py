#!/usr/bin/env python3
"""nightjar replay from outside: what it finds in a capture made by hand, in every form it can tell it: summary, NDJSON by the schema, evidence, store, page;
exit codes; and that neither workers, shards nor how the capture was cut up change a byte of it."""

import json
import os
import re
import sqlite3
import struct
import subprocess
import unittest

import craft

try:
    import jsonschema
except ImportError:
    jsonschema = None

SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/alert.schema.json")


class Replay(craft.Case):
    @classmethod
    def setUpClass(cls):
        cls.capture = craft.incident()

    def write(self, name="a.pcap"):
        return self.capture.write(self.path(name))

    def alerts(self, *words, **options):
        return [json.loads(line) for line in self.run_program("replay", "--json", *words, **options).stdout.splitlines()]

    def test_the_scan_is_found_and_explained(self):
        scans = [alert for alert in self.alerts(self.write()) if alert["agent"]["address"] == "10.20.1.5"]
        self.assertTrue(scans)
        scan = scans[0]
        self.assertTrue(scan["detector"].startswith(("scan", "fanout")), scan["detector"])
        self.assertIn("T1046", scan["technique"])
        self.assertLess(scan["p"], 1e-4)
        self.assertTrue(scan["features"] and scan["peers"] and scan["flows"])
        self.assertRegex(scan["summary"], r"\d")
        self.assertGreaterEqual(scan["time"], "2026-11-24T20:01:40")
        self.assertLessEqual(scan["time"], "2026-11-24T20:02:20", "found within 40 s of its first probe")
        self.assertEqual(scan["visibility"]["dropped_share"], 0)

    def test_the_summary_tells_it_and_is_plain_in_a_pipe(self):
        text = self.run_program("replay", self.write()).stdout.decode()
        for words in ("Capture", "span", "packets", "flows", "agents", "protocols", "dropped", "Detections", "10.20.1.5", "T1046", "driven by", "usual", "Next",
                      "nightjar replay --report report.html", "| grep -F '1:"):
            self.assertIn(words, text)
        self.assertNotIn("\x1b", text)

    def test_colour_where_asked_for_and_never_against_no_color(self):
        path = self.write()
        self.assertIn(b"\x1b[", self.run_program("replay", "--color", "always", path).stdout)
        self.assertNotIn(b"\x1b", self.run_program("replay", "--color", "auto", path, env={"NO_COLOR": "1"}).stdout)
        # On a terminal: colour, unless NO_COLOR says no; and progress must be gone from what stands there in the end.
        for env, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
            out = subprocess.run(["script", "-qec", f"{self.program} replay {path}", "/dev/null"], capture_output=True, env={**os.environ, "TERM": "xterm-256color", **env},
                                 stdin=subprocess.DEVNULL, timeout=120).stdout
            self.assertIn(b"Detections", out)
            self.assertEqual(b"\x1b[1m" in out, coloured, out[:300])

    def test_same_bytes_whatever_the_workers_and_shards(self):
        path = self.write()
        wanted = self.run_program("replay", "--json", path).stdout
        self.assertTrue(wanted)
        for words in (["--workers", "2"], ["--workers", "4", "--shards", "3"], ["--shards", "8"]):
            self.assertEqual(self.run_program("replay", "--json", *words, path).stdout, wanted, words)

    def test_same_bytes_from_pieces_and_from_a_pipe(self):
        wanted = self.run_program("replay", "--json", self.write()).stdout
        frames = sorted(self.capture.frames, key=lambda item: item[0])
        os.mkdir(self.path("parts"))
        for part in range(3):
            piece = craft.Capture()
            piece.frames = frames[part::3]
            piece.write(self.path(f"parts/{part}.pcap"))
        self.assertEqual(self.run_program("replay", "--json", self.path("parts")).stdout, wanted)
        self.assertEqual(self.run_program("replay", "--json", "-", stdin=self.capture.bytes()).stdout, wanted)

    def test_fail_on(self):
        path = self.write()
        worst = {alert["severity"] for alert in self.alerts(path)}
        self.assertTrue(worst & {"medium", "high", "critical"}, worst)
        self.run_program("replay", "--fail-on", "low", path, code=1)
        quiet = craft.office(seconds=60).write(self.path("quiet.pcap"))
        self.run_program("replay", "--fail-on", "low", quiet, code=0)
        self.assertIn("none", self.run_program("replay", quiet).stdout.decode())

    def test_quiet_still_tells_what_failed(self):
        path = self.path("noise.pcap")
        with open(path, "wb") as file:
            file.write(b"\xb2\xe3\x90\x6d" * 64)
        for words in (["replay", "--quiet", path], ["replay", "--quiet", "--json", path], ["replay", path]):
            told = self.run_program(*words, code=3).stderr.decode()
            self.assertEqual(len(told.splitlines()), 1, told)
            self.assertIn("noise.pcap: no capture file", told)

    @unittest.skipIf(jsonschema is None, "python3-jsonschema is not installed: alert lines were NOT validated")
    def test_every_line_keeps_to_the_schema(self):
        with open(SCHEMA) as file:
            schema = json.load(file)
        kind = jsonschema.validators.validator_for(schema)
        kind.check_schema(schema)
        lines = self.alerts(self.write())
        self.assertTrue(lines)
        for alert in lines:
            kind(schema).validate(alert)
        # The schema can say no: without a summary, with a severity nobody knows.
        for broken in ({key: value for key, value in lines[0].items() if key != "summary"}, {**lines[0], "severity": "awful"}):
            self.assertFalse(kind(schema).is_valid(broken))

    def test_evidence_holds_the_scan_and_nothing_else(self):
        path = self.write()
        self.run_program("replay", "--quiet", "--extract", self.path("evidence"), path)
        names = sorted(os.listdir(self.path("evidence")))
        mine = [name for name in names if "10.20.1.5" in name]
        self.assertTrue(mine, names)
        for name in mine:
            flows = [json.loads(line) for line in self.run_program("flows", self.path("evidence/" + name)).stdout.splitlines()]
            self.assertGreater(len(flows), 20)
            self.assertEqual({flow["client"] for flow in flows}, {"10.20.1.5"})
            self.assertEqual({flow["server_port"] for flow in flows}, {445})
        with open(self.path("evidence/" + mine[0]), "rb") as file:
            self.assertEqual(struct.unpack("<I", file.read(4))[0], 0x0A0D0D0A)

    def test_a_store_answers_and_shows_tampering(self):
        path, store = self.write(), self.path("s.db")
        wanted = self.alerts("--store", store, path)
        told = [json.loads(line) for line in self.run_program("alerts", "--store", store, "--json").stdout.splitlines()]
        self.assertEqual(sorted(alert["id"] for alert in told), sorted(alert["id"] for alert in wanted))
        mine = self.run_program("alerts", "--store", store, "--json", "--agent", "10.20.1.5").stdout.splitlines()
        self.assertEqual(len(mine), sum(alert["agent"]["address"] == "10.20.1.5" for alert in wanted))
        self.assertEqual(self.run_program("alerts", "--store", store, "--json", "--until", "2020-01-01").stdout, b"")
        self.assertIn("10.20.1.5", self.run_program("alerts", "--store", store).stdout.decode())
        full = self.run_program("alerts", "--store", store, "--full", "--agent", "10.20.1.5").stdout.decode()
        for words in ("driven by", "T1046", "judged by"):
            self.assertIn(words, full)
        agents = [json.loads(line) for line in self.run_program("agents", "--store", store, "--json").stdout.splitlines()]
        self.assertIn("10.20.1.5", {agent["address"] for agent in agents})
        self.assertGreater(agents[0]["alerts"], 0)
        self.assertIn("alerts  agent", self.run_program("agents", "--store", store).stdout.decode())
        self.assertIn("is whole", self.run_program("alerts", "--store", store, "--verify").stdout.decode())
        database = sqlite3.connect(store)
        table, column = next((name, match[1]) for name, sql in database.execute("select name, sql from sqlite_master where type = 'table'")
                             for match in [re.search(r"(\w*json\w*)\s+TEXT", sql or "", re.I)] if match and "alert" in name)
        with database:
            database.execute(f"update {table} set {column} = replace({column}, '10.20.1.5', '10.20.1.6')")
        database.close()
        self.assertIn("breaks at alert", self.run_program("alerts", "--store", store, "--verify", code=3).stderr.decode())

    def test_a_learned_baseline_is_used(self):
        good = craft.office(seed=5, seconds=300).write(self.path("good.pcap"))
        self.run_program("baseline", "--output", self.path("base.json"), good)
        text = self.run_program("replay", "--baseline", self.path("base.json"), self.write()).stdout.decode()
        self.assertIn("base.json", text)
        self.assertIn("10.20.1.5", text)
        with open(self.path("base.json"), "r+") as file:
            file.truncate(20)
        done = self.run_program("replay", "--baseline", self.path("base.json"), self.write(), code=None)
        self.assertIn(done.returncode, (2, 3))
        self.assertIn("base.json", done.stderr.decode())

    def test_an_inventory_names_agents_and_decoys(self):
        self.capture = craft.office(seconds=60)
        self.capture.unanswered(craft.START + 30, "10.20.9.11", "10.20.99.7", 22)
        with open(self.path("who.yaml"), "w") as file:
            file.write("home_networks: [10.0.0.0/8]\nagents:\n  - { address: 10.20.9.11, name: desk-11 }\ndecoys:\n  - 10.20.99.7\n")
        alerts = self.alerts("--inventory", self.path("who.yaml"), self.write())
        decoys = [alert for alert in alerts if alert["detector"] == "decoy"]
        self.assertEqual(len(decoys), 1, alerts)
        self.assertEqual(decoys[0]["agent"]["name"], "desk-11")
        self.assertEqual(decoys[0]["peers"][0]["address"], "10.20.99.7")

    def test_a_closed_pipe_is_no_failure(self):
        path = self.write()
        for words in (["--json"], []):
            program = subprocess.Popen([self.program, "replay", *words, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            program.stdout.close()
            told = program.stderr.read()
            program.stderr.close()
            self.assertEqual((program.wait(timeout=120), told), (0, b""))

    def test_a_reader_that_has_enough_ends_the_reading(self):
        """The rest of an endless input is not waited for once nobody reads the alerts."""
        data = self.capture.bytes()
        program = subprocess.Popen([self.program, "replay", "--json", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        program.stdout.close()
        program.stdin.write(data[:24])
        with self.assertRaises(BrokenPipeError):
            for shift in range(0, 600 * 500, 600):  # the same five minutes again and again, each later than the one before
                at = 24
                while at < len(data):
                    seconds, rest, kept, wire = struct.unpack_from("<IIII", data, at)
                    program.stdin.write(struct.pack("<IIII", seconds + shift, rest, kept, wire) + data[at + 16:at + 16 + kept])
                    at += 16 + kept
        self.assertEqual(program.wait(timeout=120), 0)
        try:
            program.stdin.close()
        except BrokenPipeError:
            pass  # what was still buffered has no reader either

    def test_a_report_that_cannot_be_written_is_told(self):
        done = self.run_program("replay", "--report", self.path("no/such/folder/r.html"), self.write(), code=3)
        self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertIn(b"r.html", done.stderr)


if __name__ == "__main__":
    craft.main()
