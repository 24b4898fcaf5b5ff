#!/usr/bin/env python3
"""Man pages and completions as the build makes them: clean by groff and mandoc, whole against what the programs say of themselves, and working in the shells that are installed."""

import os
import re
import shutil
import subprocess
import sys
import unittest

FOLDER = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else ""
PROGRAMS = [os.path.abspath(path) for path in sys.argv[2:5]]
PAGES = ("nightjar.1", "nightjar-sensor.8", "nightjar-aggregator.8")


def run(*words, **options):
    return subprocess.run(words, capture_output=True, text=True, timeout=60, **options)


def need(*tools):
    for tool in tools:
        if shutil.which(tool) is None:
            print(f"SKIPPED in part: {tool} is not installed", file=sys.stderr)
            raise unittest.SkipTest(tool)


def plain(page):
    """The words of a page as a reader sees them, without emphasis and line breaks."""
    text = run("man", "--nh", "--nj", "-l", "-Tascii", os.path.join(FOLDER, page), env={**os.environ, "MANWIDTH": "500", "MAN_KEEP_FORMATTING": ""}).stdout
    return re.sub(r"\s+", " ", re.sub(r".\x08", "", text))


class Manual(unittest.TestCase):
    def test_groff_has_nothing_to_say(self):
        need("man")
        for page in PAGES:
            done = run("man", "-l", "--warnings=w", "-Tutf8", os.path.join(FOLDER, page))
            self.assertEqual((done.returncode, done.stderr), (0, ""), page)

    def test_mandoc_has_nothing_to_say(self):
        need("mandoc")
        for page in PAGES:
            done = run("mandoc", "-Tlint", "-Wwarning", os.path.join(FOLDER, page))
            told = [line for line in done.stdout.splitlines() if "missing date" not in line]  # a page of a version needs none
            self.assertEqual(told, [], page)

    def test_the_pages_tell_every_option(self):
        need("man")
        nightjar, *daemons = PROGRAMS
        page = plain("nightjar.1")
        overview = run(nightjar, "help").stdout
        verbs = re.findall(r"^  (\w+) ", overview.split("start with:")[0], re.M)
        self.assertGreater(len(verbs), 5)
        for verb in verbs:
            self.assertIn(f" {verb} ", page)
            for name in re.findall(r"^  .{4}(--[\w-]+)", run(nightjar, "help", verb).stdout, re.M):
                told = re.search(rf"{name}(?![\w-]).*? Of ([a-z, ]+)\.", page)
                self.assertIsNotNone(told, name)
                self.assertTrue(verb in told[1].split(", ") or told[1] == "every verb", f"{name} of {verb}: {told[1]}")
        for program, name in zip(daemons, PAGES[1:]):
            page = plain(name)
            keys = re.findall(r"^(\w+):", run(program, "--dump-config").stdout, re.M)
            self.assertGreater(len(keys), 10)
            for key in keys:
                self.assertIn(f" {key} (", page)
            for switch in re.findall(r"--[a-z-]+", run(program, "--help").stdout.split("\nOptions:\n")[0]):
                self.assertIn(switch, page)

    def bash(self, name, *words):
        """What bash would offer for the last word."""
        function = "_" + name.replace("-", "_")
        script = f'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); {function}; printf "%s\\n" "${{COMPREPLY[@]}}"'
        done = run("bash", "-c", script, "bash", os.path.join(FOLDER, name + ".bash"), name, *words, cwd="/")
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.split()

    def test_bash_completes(self):
        self.assertEqual(self.bash("nightjar", "repl"), ["replay"])
        self.assertIn("flows", self.bash("nightjar", ""))
        self.assertEqual(self.bash("nightjar", "replay", "--rep"), ["--report"])
        self.assertEqual(self.bash("nightjar", "flows", "--rep"), [])
        self.assertEqual(self.bash("nightjar", "replay", "--fail-on", "h"), ["high"])
        self.assertEqual(self.bash("nightjar", "replay", "/et"), ["/etc"])
        self.assertEqual(self.bash("nightjar", "replay", "--budget", "/et"), [])
        self.assertEqual(self.bash("nightjar-sensor", "--dump"), ["--dump-config"])
        self.assertEqual(self.bash("nightjar-sensor", "--config", "/et"), ["/etc"])
        self.assertEqual(self.bash("nightjar-sensor", "--set", "idle_t"), ["idle_tcp="])
        self.assertIn("alerts_per_day=", self.bash("nightjar-aggregator", "--set", "alerts"))

    def test_zsh_and_fish_read_theirs(self):
        need("zsh", "fish")
        for program in ("nightjar", "nightjar-sensor", "nightjar-aggregator"):
            for words in (("zsh", "-n", f"_{program}"), ("fish", "--no-execute", f"{program}.fish")):
                done = run(*words, cwd=FOLDER)
                self.assertEqual((done.returncode, done.stderr), (0, ""), words)

    def test_fish_completes(self):
        need("fish")
        for line, offered in (("nightjar repl", "replay"), ("nightjar replay --fail-on h", "high"), ("nightjar replay --repo", "--report"),
                              ("nightjar-sensor --set idle_t", "idle_tcp=")):
            name = line.split()[0]
            done = run("fish", "--no-config", "-c", f"source {name}.fish; complete -C '{line}'", cwd=FOLDER)
            self.assertIn(offered, [words.split("\t")[0] for words in done.stdout.splitlines()], done.stderr)
        done = run("fish", "--no-config", "-c", "source nightjar.fish; complete -C 'nightjar flows --repo'", cwd=FOLDER)
        self.assertEqual(done.stdout, "")


if __name__ == "__main__":
    if len(PROGRAMS) != 3:
        sys.exit(f"usage: {sys.argv[0]} FOLDER NIGHTJAR NIGHTJAR-SENSOR NIGHTJAR-AGGREGATOR [test...]")
    unittest.main(argv=sys.argv[:1] + sys.argv[5:], verbosity=2)
