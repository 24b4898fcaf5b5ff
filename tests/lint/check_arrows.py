#!/usr/bin/env python3
"""Holds the tree against its own rules: include arrows, one owner per vendor header, prefixed symbols, no stray allocator, headers that introduce
themselves. Prints every breach as FILE:LINE and exits 1 when there is one.

usage: check_arrows.py ROOT [--libraries FILE.a ...]   (with libraries: also checks that every external symbol starts with nj_)
"""
import re
import subprocess
import sys
from pathlib import Path

# Who may include whom; cli and tests may include everything.
ARROWS = {
    'models': {'models'},
    'common': {'common'},
    'sensor': {'sensor', 'common', 'models'},
    'aggregator': {'aggregator', 'common', 'models'},
    'cli': {'cli', 'sensor', 'aggregator', 'common', 'models'},
}

# A vendor's header appears in one file only.
OWNERS = {
    r'pcap(/pcap)?\.h': 'sensor/libpcap.c',
    r'ndpi.*\.h': 'sensor/classify.c',
    r'zmq\.h': 'common/link.c',
    r'msgpack.*\.h': 'common/pack.c',
    r'sqlite3\.h': 'common/db.c',
    r'jansson\.h': 'common/json.c',
    r'yaml\.h': 'common/yaml.c',
    r'libpsl\.h': 'common/psl.c',
    r'xxhash\.h': 'common/hash.c',
    r'openssl/(?!evp).*\.h': 'common/sha.c',
    r'openssl/evp\.h': 'common/aes.c',
    r'cap-ng\.h': 'common/privilege.c',
    r'seccomp\.h': 'common/seccomp.c',
    r'linux/landlock\.h': 'common/landlock.c',
    r'systemd/.*\.h': 'common/notify.c',
    r'jemalloc.*\.h': None,
}

# models/ is pure arithmetic: nothing that allocates, prints, waits or reads a clock.
IMPURE = re.compile(r'\b(malloc|calloc|realloc|free|printf|fprintf|fopen|time|clock_gettime|gettimeofday|pthread_\w+|exit|abort)\s*\(')


def sources(root):
    for folder in ARROWS:
        yield from sorted(p for p in (root / folder).rglob('*') if p.suffix in ('.c', '.h'))


def code_lines(path):
    text = re.sub(r'/\*.*?\*/', lambda m: '\n' * m.group().count('\n'), path.read_text(), flags=re.S)
    for number, line in enumerate(text.split('\n'), 1):
        yield number, re.sub(r'//.*', '', line)


def check_file(root, path):
    folder, name = path.relative_to(root).parts[0], str(path.relative_to(root))
    if not path.read_text().lstrip().startswith('/*'):
        yield name, 1, 'does not open with a comment that says what it is'
    for number, line in code_lines(path):
        include = re.match(r'\s*#\s*include\s*([<"])([^>"]+)', line)
        if include and include[1] == '"':
            target = include[2].split('/')[0]
            if '/' not in include[2]:
                yield name, number, f'include path "{include[2]}" does not start at the root'
            elif target in ARROWS and target not in ARROWS[folder]:
                yield name, number, f'{folder}/ must not include {target}/'
        elif include:
            for pattern, owner in OWNERS.items():
                if re.fullmatch(pattern, include[2]) and name != owner:
                    yield name, number, f'<{include[2]}> belongs in {owner or "no file"}'
        if folder == 'models' and IMPURE.search(line):
            yield name, number, f'models/ is pure, but calls {IMPURE.search(line)[1]}'
        if re.search(r'\bNDEBUG\b', line):
            yield name, number, 'assertions stay on'


def check_symbols(library):
    listing = subprocess.run(['nm', '--defined-only', '--extern-only', library], capture_output=True, text=True, check=True).stdout
    for line in listing.splitlines():
        fields = line.split()
        if len(fields) == 3 and fields[1] in 'TDBRCVW' and not re.match(r'nj_|__|LLVM', fields[2]):
            yield library, 0, f'external symbol {fields[2]} lacks the nj_ prefix'


def main(arguments):
    root = Path(arguments[0]).resolve()
    libraries = arguments[2:] if arguments[1:2] == ['--libraries'] else []
    files = list(sources(root))
    breaches = [b for path in files for b in check_file(root, path)] + [b for library in libraries for b in check_symbols(library)]
    for name, number, words in breaches:
        print(f'{name}:{number}: {words}')
    print(f'{len(files)} files and {len(libraries)} libraries checked, {len(breaches)} breaches')
    return 1 if breaches or not files else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
