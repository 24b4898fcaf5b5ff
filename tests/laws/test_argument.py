#!/usr/bin/env python3
"""Law 6: an alert can be argued with. For every alert of every committed capture: the evidence that --extract writes holds, as `nightjar flows` reads it, every flow the alert names and
nothing from outside its agent and time; the commands that the summary prints run and show what they promise; features stand beside what is usual, p and technique are there.
And an alert knows what it could not see: where half of the conversations are missing, it says so and is less sure."""

import collections
import glob
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import craft  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CAPTURES = sorted(glob.glob(os.path.join(ROOT, "tests/captures/*.pcap*.zst")))
INVENTORY = os.path.join(ROOT, "tests/captures/inventory.yaml")


class Argument(craft.Case):
    def lines(self, *words):
        return [json.loads(line) for line in self.run_program(*words).stdout.splitlines()]

    def check_evidence(self, alert, files):
        """Of the files that could be this alert's one holds all its flows, and that one holds nothing else."""
        stem = f"-{alert['severity']}-{alert['detector']}-{alert['agent']['address'].replace(':', '-')}.pcapng"
        for path in files:
            if not path.endswith(stem):
                continue
            flows = self.lines("flows", "--json", path)
            if not set(alert["flows"]) <= {flow.get("community_id") for flow in flows}:
                continue
            for flow in flows:
                self.assertIn(alert["agent"]["address"], (flow["client"], flow["server"]))
                self.assertGreaterEqual(flow["last"], alert["start"])
                self.assertLessEqual(flow["first"], alert["end"])
            return len(flows)
        self.fail(f"no evidence file holds the flows {alert['flows']} of {alert['id']}, {alert['detector']} of {alert['agent']['address']}; there are {files}")

    def check_numbers(self, alert):
        self.assertTrue(alert["technique"], alert)
        self.assertTrue(0 <= alert["p"] <= 1, alert)
        self.assertRegex(alert["summary"], r"\d")
        self.assertTrue(alert["features"], alert)
        self.assertLess(abs(sum(feature["share"] for feature in alert["features"]) - 1), 0.02, alert["features"])
        if alert["detector"] != "decoy":
            self.assertTrue(any(feature["usual"] is not None or feature["peers"] is not None for feature in alert["features"]), alert["features"])
        self.assertTrue(alert["visibility"]["baseline"])

    def test_the_evidence_of_every_alert_holds_its_flows(self):
        told = collections.Counter()
        for capture in CAPTURES:
            name = os.path.basename(capture).split(".")[0]
            alerts = self.lines("replay", "--json", "--inventory", INVENTORY, "--extract", self.path(name), capture)
            files = sorted(glob.glob(os.path.join(glob.escape(self.path(name)), "*.pcapng")))
            self.assertEqual(len(files), len(alerts))
            for alert in alerts:
                with self.subTest(capture=name, alert=alert["id"]):
                    self.check_numbers(alert)
                    told["flows"] += self.check_evidence(alert, files)
                    told["alerts"] += 1
                    told["named"] += len(alert["flows"])
        print(f"{told['alerts']} alerts name {told['named']} flows; their evidence holds {told['flows']}")
        self.assertGreater(told["alerts"], 10)
        self.assertGreater(told["named"], told["alerts"] / 2)

    def test_the_printed_commands_do_what_they_say(self):
        path = os.environ["PATH"]
        for capture in CAPTURES:
            text = self.run_program("replay", "--color", "never", "--inventory", INVENTORY, capture).stdout.decode()
            flows = re.findall(r"nightjar flows .*grep -F '(1:[^']+)'", text)
            commands = re.findall(r"^ +(?:its flows? +)?(nightjar .*)$", text, re.MULTILINE)
            with self.subTest(capture=os.path.basename(capture)):
                self.assertGreaterEqual(len(commands), len(flows))
                for command in commands:
                    done = subprocess.run(["sh", "-c", command], capture_output=True, cwd=self.folder, timeout=300,
                                          env={**os.environ, "PATH": f"{os.path.dirname(self.program)}:{path}"})
                    self.assertEqual(done.returncode, 0, f"{command}\n{done.stderr.decode(errors='replace')}")
                    if "grep" in command:
                        self.assertIn(re.search(r"1:[^']+", command)[0].encode(), done.stdout)

    def scans(self, capture, name):
        alerts = [alert for alert in self.lines("replay", "--json", capture.write(self.path(name))) if alert["agent"]["address"] == "10.20.1.5"]
        self.assertTrue(alerts, "the scan was not found")
        return alerts

    def test_one_sided_flows_lower_confidence_and_show(self):
        """An exfiltration of which the tap saw only the way out: known in the very window of it, for nobody sends that much unheard."""
        record = b"\x17\x03\x03\x3e\x80" + bytes(16000)

        def capture(both_ways):
            made = craft.Capture(3)
            made.office(craft.START, 700)
            for n in range(8):
                made.conversation(craft.START + 600 + n * 10, "10.20.1.5", "198.51.100.77", 443,
                                  [craft.client_hello("drop.example.net")] + 120 * [record], [b"\x16\x03\x03\x00\x04\x0e\x00\x00\x00"])
            agent = bytes((10, 20, 1, 5))
            if not both_ways:
                made.frames = [(at, frame) for at, frame in made.frames if frame[30:34] != agent]
            return made
        whole, half = (self.lines("replay", "--json", capture(both).write(self.path(f"{both}.pcap"))) for both in (True, False))
        whole, half = ({alert["detector"]: alert for alert in alerts if alert["agent"]["address"] == "10.20.1.5"} for alerts in (whole, half))
        self.assertTrue(whole)
        self.assertEqual(set(whole), set(half), "what is there to see is found all the same")
        for detector in whole:
            self.assertEqual(whole[detector]["visibility"]["one_sided_share"], 0)
            self.assertGreater(half[detector]["visibility"]["one_sided_share"], 0.5)
            self.assertIn("% of its flows were seen from one side only", half[detector]["summary"])
            self.assertNotIn("from one side only", whole[detector]["summary"])
            self.assertLess(half[detector]["score"], whole[detector]["score"], "as sure as if it had seen all")

    def test_a_short_capture_says_that_it_knows_nobody(self):
        capture = craft.Capture(5)
        capture.scan(craft.START, "10.20.1.5", 445, 300)
        first = self.scans(capture, "short.pcap")[0]
        self.assertLess(first["visibility"]["baseline_age_s"], 60)
        self.assertIn("prior", first["visibility"]["baseline"])

    def test_a_truncated_file_still_gives_its_evidence(self):
        whole = craft.incident().bytes()
        with open(self.path("cut.pcap"), "wb") as file:
            file.write(whole[:len(whole) * 3 // 4])
        done = self.run_program("replay", "--json", "--extract", self.path("evidence"), self.path("cut.pcap"), code=3)
        alerts = [json.loads(line) for line in done.stdout.splitlines()]
        files = sorted(glob.glob(self.path("evidence/*.pcapng")))
        self.assertTrue(alerts)
        for alert in alerts:
            self.check_evidence(alert, files)


if __name__ == "__main__":
    craft.main()
