#!/usr/bin/env python3
"""The systemd units: systemd finds nothing wrong with them and calls their exposure low; what they promise and what the programs need is the same."""

import configparser
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAMS = {os.path.basename(path): os.path.abspath(path) for path in sys.argv[1:3]}
# What systemd-analyze may say at most, in tenths: an aggregator needs the network, local files and its own confinement; a sensor also captures.
EXPOSURE = {"nightjar-sensor": 20, "nightjar-aggregator": 15}


class Unit(configparser.RawConfigParser):
    """A unit file; keys that come again add to a list."""
    optionxform = staticmethod(str)

    def __init__(self, path):
        super().__init__(strict=False, delimiters=("=",), comment_prefixes=("#",))
        self.all = {}
        with open(path) as file:
            for line in file:
                if "=" in line and not line.startswith("#"):
                    key, value = line.rstrip("\n").split("=", 1)
                    self.all.setdefault(key, []).append(value)

    def __getitem__(self, key):
        return self.all[key][-1]


def units():
    for path in sorted(glob.glob(os.path.join(ROOT, "deploy/systemd/*.service"))):
        name = os.path.basename(path).removesuffix(".service")
        yield name, path, Unit(path)


class Units(unittest.TestCase):
    def test_each_daemon_has_one(self):
        self.assertEqual([name for name, _, _ in units()], sorted(PROGRAMS))

    def test_systemd_finds_nothing_wrong(self):
        for name, path, unit in units():
            with self.subTest(name), tempfile.TemporaryDirectory(prefix="nj_units_") as folder:
                with open(path) as file:
                    text = file.read()
                program = unit["ExecStart"].split()[0]
                with open(os.path.join(folder, name + ".service"), "w") as file:
                    file.write(text.replace(program, PROGRAMS[os.path.basename(program)]))  # which is not installed here
                done = subprocess.run(["systemd-analyze", "verify", "--man=no", os.path.join(folder, name + ".service")], capture_output=True, text=True, timeout=60)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_exposure_is_low(self):
        for name, path, _ in units():
            done = subprocess.run(["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE[name]}", path], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stdout[-4000:] + done.stderr)

    def test_they_agree_with_the_programs(self):
        for name, _, unit in units():
            with self.subTest(name):
                self.assertEqual(unit["Type"], "notify")
                self.assertEqual(unit["User"], name)
                self.assertGreater(int(unit["TimeoutStopSec"]), int(self.default(name, "finish") or 0))
                # The filter of the unit lets the program lay its own, and give up its capabilities.
                allowed = " ".join(unit.all["SystemCallFilter"])
                for call in ("seccomp", "capset", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"):
                    self.assertIn(call, allowed.split())
                self.assertEqual(unit["SystemCallErrorNumber"], "EPERM")

    def default(self, name, option):
        dumped = subprocess.run([PROGRAMS[name], "--dump-config"], capture_output=True, text=True, check=True).stdout
        found = re.search(rf"^{option}: (\d+)", dumped, re.M)
        return found and found[1]

    def test_only_what_captures_has_a_capability(self):
        told = {name: unit.all for name, _, unit in units()}
        self.assertEqual(told["nightjar-sensor"]["CapabilityBoundingSet"], ["CAP_NET_RAW"])
        self.assertEqual(told["nightjar-sensor"]["AmbientCapabilities"], ["CAP_NET_RAW"])
        self.assertEqual(told["nightjar-aggregator"]["CapabilityBoundingSet"], [""])
        self.assertNotIn("AmbientCapabilities", told["nightjar-aggregator"])
        self.assertNotIn("AF_PACKET", told["nightjar-aggregator"]["RestrictAddressFamilies"][0])


if __name__ == "__main__":
    if len(PROGRAMS) != 2:
        sys.exit(f"usage: {sys.argv[0]} NIGHTJAR-SENSOR NIGHTJAR-AGGREGATOR [test...]")
    if shutil.which("systemd-analyze") is None:
        print("SKIPPED: systemd-analyze is not installed", file=sys.stderr)
        sys.exit(77)
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2)
