#!/usr/bin/env python3
"""Compares what Nightjar says of captures with what an independent tool says, fact by fact, and holds the differences against a list of explained ones.

usage: compare.py ORACLE NIGHTJAR [--only PATTERN] [--check PATTERN] [--list FILE] [--write] [CAPTURE|FOLDER ...]
  ORACLE: tshark, argus, ndpireader, suricata (a module of this folder)
  without captures: the bundled ones, and ../shared/captures (NJ_SHARED) where present

A fact is (check, key) -> value; keys are unordered (protocol, end, end) tuples. Differences are counted by capture, check and side: facts only Nightjar states, only the oracle
states, or both state differently. explained/ORACLE.csv gives each such group its count and its reason; a count that has changed, a group that is not listed and a listed one that is
gone fail the test, so that the file stays true. --list writes every single difference. --write rewrites the file: reasons of groups that remain are kept, new groups are marked
UNEXPLAINED, which fails, too. Exit: 0 equal or explained, 1 not, 77 skipped.
"""
import argparse
import contextlib
import csv
import importlib
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SHARED = Path(os.environ.get('NJ_SHARED', ROOT.parent / 'shared'))
COLUMNS = ['capture', 'check', 'side', 'facts', 'reason']

sys.path.insert(0, str(HERE))
import nightjar  # noqa: E402


def captures(arguments):
    roots = [Path(a) for a in arguments] or [ROOT / 'tests/captures', SHARED / 'captures']
    for root in roots:
        if not root.exists():
            print(f'SKIPPED: {root} is absent', file=sys.stderr)
            continue
        files = [root] if root.is_file() else sorted(p for p in root.rglob('*') if p.is_file())
        for path in files:
            if path.suffix not in ('.csv', '.md', '.txt', '.json', '.yaml') and '.labels' not in path.name:
                yield (str(path.relative_to(root.parent)) if root.is_dir() else path.name), path


def text(value):
    if isinstance(value, (list, tuple, set, frozenset)):
        return ' '.join(text(v) for v in value)
    return str(value)


@contextlib.contextmanager
def uncompressed(path):
    """The file as the oracles can read it: not all of them read zstd or gzip."""
    unpack = {'.zst': ['zstd', '-dcq'], '.gz': ['gzip', '-dc']}.get(path.suffix)
    if unpack is None:
        yield path
        return
    with tempfile.NamedTemporaryFile(suffix=path.with_suffix('').suffix) as plain:
        subprocess.run([*unpack, path], stdout=plain, check=True)
        yield Path(plain.name)


def differences(job):
    oracle, program, wanted, name, path = job
    with uncompressed(path) as plain:
        theirs = importlib.import_module(oracle).facts(plain)
    if theirs is None:  # the oracle cannot read this file at all; it has no say
        return name, [], 0
    ours = nightjar.facts(program, path)
    # A conversation that one side does not know is one difference, not one per check.
    lonely = set(ours.get('packets', {})) ^ set(theirs['packets']) if 'packets' in theirs else set()
    rows, compared = [], 0
    for check in (c for c in theirs if wanted in c):
        mine, other = ours.get(check, {}), theirs[check]
        for key in sorted(set(mine) | set(other), key=text):
            compared += 1
            if mine.get(key) == other.get(key) or (check != 'packets' and key in lonely):
                continue
            side = 'only nightjar' if key not in other else f'only {oracle}' if key not in mine else 'both'
            rows.append([name, check, side, text(key), text(mine.get(key, '')), text(other.get(key, ''))])
    return name, rows, compared


def read_explained(path):
    """Group -> (count, reason)."""
    if not path.exists():
        return {}
    with open(path, newline='') as file:
        return {(row['capture'], row['check'], row['side']): (int(row['facts']), row['reason']) for row in csv.DictReader(file)}


def write_explained(path, groups, known):
    path.parent.mkdir(exist_ok=True)
    with open(path, 'w', newline='') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(COLUMNS)
        for group, count in sorted(groups.items()):
            writer.writerow([*group, count, known.get(group, (0, 'UNEXPLAINED'))[1]])


def write_list(path, rows):
    with open(path, 'w', newline='') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(['capture', 'check', 'side', 'key', 'nightjar', 'oracle'])
        writer.writerows(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('oracle')
    parser.add_argument('nightjar')
    parser.add_argument('--only', default='', help='captures whose name contains this')
    parser.add_argument('--check', default='', help='checks whose name contains this')
    parser.add_argument('--list', type=Path, help='write every difference to this file')
    parser.add_argument('--write', action='store_true')
    parser.add_argument('captures', nargs='*')
    options = parser.parse_args()
    oracle = importlib.import_module(options.oracle)
    missing = oracle.missing()
    if missing:
        print(f'SKIPPED: {missing}', file=sys.stderr)
        return 77

    jobs = [(options.oracle, options.nightjar, options.check, name, path) for name, path in captures(options.captures) if options.only in name]
    with multiprocessing.Pool(os.cpu_count() * (8 if getattr(oracle, 'WAITS', False) else 1)) as pool:
        results = pool.map(differences, jobs, chunksize=4)
    rows = [row for _, found, _ in results for row in found]
    compared = sum(count for _, _, count in results)

    groups = Counter(tuple(row[:3]) for row in rows)
    if options.list:
        write_list(options.list, rows)
    listing = HERE / 'explained' / f'{options.oracle}.csv'
    known = read_explained(listing)
    if options.write:
        write_explained(listing, groups, known)
        known = read_explained(listing)
    files = {name for _, _, _, name, _ in jobs}
    judged = set(groups) | {g for g in known if g[0] in files and options.check in g[1]}
    wrong = sorted(g for g in judged if known.get(g, (0, 'UNEXPLAINED')) != (groups.get(g, 0), known.get(g, (0, ''))[1]) or known[g][1] == 'UNEXPLAINED')
    for group in wrong[:40]:
        count, reason = known.get(group, (0, 'not listed'))
        print(f'{group[0]}: {group[1]}, {group[2]}: {groups.get(group, 0)} facts differ, {count} listed ({reason})')
    if len(wrong) > 40:
        print(f'... and {len(wrong) - 40} more groups')
    print(f'{options.oracle}: {len(jobs)} captures, {compared} facts compared, {len(rows)} differ in {len(groups)} groups, {len(wrong)} groups unexplained or changed')
    return 1 if wrong or compared == 0 else 0


if __name__ == '__main__':
    sys.exit(main())
