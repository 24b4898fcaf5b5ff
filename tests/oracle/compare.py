#!/usr/bin/env python3
"""Compares what Nightjar says of captures with what an independent tool says, fact by fact, and holds the differences against a list of explained ones.

usage: compare.py ORACLE NIGHTJAR [--only PATTERN] [--check PATTERN] [--write] [CAPTURE|FOLDER ...]
  ORACLE: tshark, argus, ndpireader, suricata (a module of this folder)
  without captures: the bundled ones, and ../shared/captures (NJ_SHARED) where present

A fact is (check, key) -> value; keys are unordered (protocol, end, end) tuples or names. A difference that explained/ORACLE.csv does not list fails the test; so does a
listed one that is gone, so that the file stays true. --write rewrites the list, keeping the reasons of what remains and marking the rest UNEXPLAINED (which fails, too).
Exit: 0 equal or explained, 1 not, 77 skipped.
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
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SHARED = Path(os.environ.get('NJ_SHARED', ROOT.parent / 'shared'))
COLUMNS = ['capture', 'check', 'key', 'nightjar', 'oracle', 'reason']

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
    rows, compared = [], 0
    for check in (c for c in theirs if wanted in c):
        mine, other = ours.get(check, {}), theirs[check]
        for key in sorted(set(mine) | set(other), key=text):
            compared += 1
            if mine.get(key) != other.get(key):
                rows.append([name, check, text(key), text(mine.get(key, 'absent')), text(other.get(key, 'absent'))])
    return name, rows, compared


def read_explained(path):
    if not path.exists():
        return {}
    with open(path, newline='') as file:
        return {tuple(row[c] for c in COLUMNS[:5]): row['reason'] for row in csv.DictReader(file)}


def write_explained(path, rows, reasons, guess):
    path.parent.mkdir(exist_ok=True)
    with open(path, 'w', newline='') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(COLUMNS)
        for row in rows:
            writer.writerow([*row, reasons.get(tuple(row)) or guess(row) or 'UNEXPLAINED'])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('oracle')
    parser.add_argument('nightjar')
    parser.add_argument('--only', default='', help='captures whose name contains this')
    parser.add_argument('--check', default='', help='checks whose name contains this')
    parser.add_argument('--write', action='store_true')
    parser.add_argument('captures', nargs='*')
    options = parser.parse_args()
    oracle = importlib.import_module(options.oracle)
    missing = oracle.missing()
    if missing:
        print(f'SKIPPED: {missing}', file=sys.stderr)
        return 77

    jobs = [(options.oracle, options.nightjar, options.check, name, path) for name, path in captures(options.captures) if options.only in name]
    with multiprocessing.Pool(os.cpu_count()) as pool:
        results = pool.map(differences, jobs, chunksize=4)
    rows = [row for _, found, _ in results for row in found]
    compared = sum(count for _, _, count in results)

    listing = HERE / 'explained' / f'{options.oracle}.csv'
    reasons = read_explained(listing)
    if options.write:
        write_explained(listing, rows, reasons, getattr(oracle, 'guess_reason', lambda row: None))
        reasons = read_explained(listing)
    seen, files = {tuple(row) for row in rows}, {name for _, _, _, name, _ in jobs}
    unexplained = [key for key in seen if reasons.get(key, 'UNEXPLAINED') == 'UNEXPLAINED']
    gone = [key for key in reasons if key[0] in files and options.check in key[1] and key not in seen]
    for title, keys in (('unexplained difference', unexplained), ('explained difference no longer there', gone)):
        for key in sorted(keys)[:20]:
            print(f'{title}: {key[0]}: {key[1]} of {key[2]}: nightjar {key[3]}, {options.oracle} {key[4]}')
        if len(keys) > 20:
            print(f'... and {len(keys) - 20} more of the kind "{title}"')
    print(f'{options.oracle}: {len(jobs)} captures, {compared} facts compared, {len(rows)} differ, {len(rows) - len(unexplained)} explained, '
          f'{len(unexplained)} unexplained, {len(gone)} stale explanations')
    return 1 if unexplained or gone or compared == 0 else 0


if __name__ == '__main__':
    sys.exit(main())
