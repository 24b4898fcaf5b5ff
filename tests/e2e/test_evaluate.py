#!/usr/bin/env python3
"""nightjar evaluate on captures made by hand: an attack that is found, one that cannot be, benign traffic, and both forms of labels."""

import os
import subprocess
import sys

import craft


class Evaluate(craft.Case):
    def captures(self):
        os.mkdir(self.path("set"))
        craft.incident().write(self.path("set/scan.pcap"))
        craft.office(seconds=60).write(self.path("set/office.pcap"))
        craft.office(seed=7, seconds=60).write(self.path("set/missed.pcap"))
        with open(self.path("set/labels.csv"), "w") as file:
            file.write("capture,label,technique,attacker,victim\n"
                       "scan.pcap,scan,\"sweep of one port, 600 hosts\",10.20.1.5,10.20.0.0/16\n"
                       "missed.pcap,scan,nothing of the kind is in it,10.20.1.5,\n"
                       "office.pcap,benign,browsing,,\n")
        return self.path("set")

    def test_found_missed_and_silent(self):
        folder = self.captures()
        text = self.run_program("evaluate", folder, "--markdown", self.path("table.md")).stdout.decode()
        rows = {line.split()[-1]: line.split()[0] for line in text.splitlines() if line.endswith(".pcap")}
        self.assertEqual(rows, {"scan.pcap": "found", "missed.pcap": "missed"})
        with open(self.path("table.md")) as file:
            table = file.read()
        self.assertIn("| scan.pcap | scan | sweep of one port, 600 hosts | found | ", table)
        self.assertIn("| missed.pcap | scan | nothing of the kind is in it | missed |", table)
        quiet = [line for line in table.splitlines() if line.startswith("| benign |")]
        self.assertEqual(len(quiet), 1)
        self.assertEqual(quiet[0].split("|")[2].strip(), "1")
        # The simple counters see such a scan too: the table must not hide it.
        row = next(line for line in table.splitlines() if line.startswith("| scan.pcap "))
        self.assertGreaterEqual(row.count(" yes "), 3, row)

    def test_labels_of_actions_in_subfolders(self):
        os.makedirs(self.path("range/one"))
        craft.incident().write(self.path("range/one/capture.pcap"))
        with open(self.path("range/one/labels.csv"), "w") as file:
            file.write("start,end,agent,technique,label,peer,words\n"
                       f"{craft.START + 100},{craft.START + 131},10.20.1.5,T1046,scan-horizontal,10.20.0.0/16,600 hosts\n"
                       f"{craft.START},{craft.START + 300},10.20.9.11,,benign,,its ordinary work\n")
        text = self.run_program("evaluate", self.path("range")).stdout.decode()
        self.assertRegex(text, r"(?m)^found .* scan-horizontal ")

    def test_the_page_is_made_by_one_command(self):
        os.makedirs(self.path("range/report-one"))
        os.makedirs(self.path("range/develop-one"))
        for name in ("report-one", "develop-one"):
            craft.incident().write(self.path(f"range/{name}/capture.pcap"))
            with open(self.path(f"range/{name}/labels.csv"), "w") as file:
                file.write("start,end,agent,technique,label,peer,words\n"
                           f"{craft.START + 100},{craft.START + 131},10.20.1.5,T1046,scan-horizontal,10.20.0.0/16,600 hosts\n")
        publish = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../evaluation/publish")
        done = subprocess.run([sys.executable, publish, self.program, "--range", self.path("range"), "--out", self.path("page.md")], capture_output=True, text=True,
                              env={**os.environ, "NJ_SHARED": self.path("nowhere")}, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("SKIPPED", done.stderr)
        with open(self.path("page.md")) as file:
            page = file.read()
        self.assertIn("| report-one | scan-horizontal | 600 hosts | found |", page)
        self.assertNotIn("develop-one", page, "figures are stated on the report set only")

    def test_bad_labels_are_told_with_file_and_line(self):
        folder = self.captures()
        with open(self.path("set/labels.csv"), "w") as file:
            file.write("what,ever\n1,2\n")
        done = self.run_program("evaluate", folder, code=3)
        self.assertIn("labels.csv:1", done.stderr.decode())
        self.run_program("evaluate", self.path("nowhere"), code=3)


if __name__ == "__main__":
    craft.main()
