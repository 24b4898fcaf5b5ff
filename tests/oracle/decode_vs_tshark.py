#!/usr/bin/env python3
"""Every frame of every shared capture, decoded by Nightjar and by tshark: innermost addresses, protocol and ports must agree.

  decode_vs_tshark.py DUMP_PACKETS [--captures DIR] [--show KIND] [PATTERN...]

DUMP_PACKETS is the built tests/oracle/dump_packets.c. Captures: $NJ_SHARED/captures, by default ../shared/captures beside the repository. Exits 77 (skipped,
with the reason) without tshark, mergecap or captures; 1 when a frame differs for a reason that decode-differences.md does not name; 0 otherwise.

tshark takes half a second to start, so sound captures without fragments are merged to batches; damaged ones and those with fragments (whose
reassembly must not mix) go alone. Two processes run side by side.
"""
import collections, concurrent.futures, os, re, shutil, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
FIELDS = ['frame.protocols', 'ip.src', 'ip.dst', 'ip.proto', 'ipv6.src', 'ipv6.dst', 'ipv6.nxt', 'tcp.srcport', 'tcp.dstport', 'udp.srcport',
          'udp.dstport', 'sctp.srcport', 'sctp.dstport', 'arp.src.proto_ipv4', 'arp.dst.proto_ipv4', 'vlan.id', 'vxlan.vni', 'geneve.vni', '_ws.malformed']
TRANSPORTS = {'tcp': 6, 'udp': 17, 'sctp': 132, 'icmp': 1, 'icmpv6': 58, 'udplite': 136, 'ip': 4, 'ipv6': 41, 'gre': 47, 'ospf': 89, 'igmp': 2, 'pim': 103,
              'vrrp': 112, 'esp': 50, 'ah': 51, 'dccp': 33, 'eigrp': 88, 'rsvp': 46}
BATCH_FRAMES = 12000

Packet = collections.namedtuple('Packet', 'src dst protocol src_port dst_port')
Ours = collections.namedtuple('Ours', 'fate packet segment frames encapsulations')


def skip(why):
    print(f'SKIPPED: decode against tshark not checked: {why}')
    sys.exit(77)


def find_captures(folder):
    return sorted(os.path.join(d, f) for d, _, fs in os.walk(folder) for f in fs if not f.endswith(('.csv', '.md', '.txt')))


def read_ours(dump, paths):
    """path -> (frames as Ours, fragments, error)"""
    out = subprocess.run([dump] + paths, capture_output=True, text=True, errors='replace')
    if out.returncode != 0:
        sys.exit(f'dump_packets failed: {out.stderr[-2000:]}')
    files, frames, path = {}, [], None
    for line in out.stdout.splitlines():
        f = line.split('\t')
        if f[0] == 'F':
            path, frames = f[2], []
        elif f[0] == 'E':
            files[path] = (frames, int(f[2]), f[3])
        elif len(f) == 2:
            frames.append(Ours(f[1], None, '', 0, 0))
        else:
            frames.append(Ours(f[1], Packet(f[2], f[3], int(f[4]), int(f[5]), int(f[6])), f[7], int(f[8]), int(f[9])))
    return files


def tshark_lines(path):
    command = ['tshark', '-n', '-r', path, '-T', 'fields', '-E', 'occurrence=a', '-E', 'aggregator=,', '-o', 'tcp.desegment_tcp_streams:FALSE',
               '-o', 'udp.check_checksum:FALSE', '-o', 'ip.defragment:TRUE']
    for field in FIELDS:
        command += ['-e', field]
    out = subprocess.run(command, capture_output=True, text=True, errors='replace').stdout
    return out.splitlines()


def theirs_of(line):
    """What tshark says of the innermost packet: its path of protocols up to the transport, and a Packet or None."""
    values = dict(zip(FIELDS, line.split('\t') + [''] * len(FIELDS)))
    tokens = values['frame.protocols'].split(':')
    seen = collections.Counter()
    last = None  # ('ip' | 'ipv6' | 'arp', count so far)
    transport = None
    path = []
    for token in tokens:
        path.append(token)
        seen[token] += 1
        if token in ('ip', 'ipv6', 'arp'):
            last, transport = (token, seen[token]), None
        elif token in TRANSPORTS and transport is None and last:
            transport = (token, seen[token])
            if token in ('icmp', 'icmpv6'):  # what follows is quoted
                break
    if last is None:
        return ':'.join(path), None
    kind, n = last

    def value(field, index=None):
        v = values[field].split(',')
        i = (n if index is None else index) - 1
        return v[i] if i < len(v) else ''

    if kind == 'arp':
        return ':'.join(path), Packet(value('arp.src.proto_ipv4'), value('arp.dst.proto_ipv4'), 254, 0, 0)
    protocol = TRANSPORTS.get(transport[0]) if transport else None
    if protocol is None:
        text = value('ip.proto' if kind == 'ip' else 'ipv6.nxt')
        protocol = int(text) if text else -1
    ports = [0, 0]
    if transport and transport[0] in ('tcp', 'udp', 'sctp'):
        ports = [int(value(f'{transport[0]}.{end}', transport[1]) or 0) for end in ('srcport', 'dstport')]
    return ':'.join(path), Packet(value(f'{kind}.src'), value(f'{kind}.dst'), protocol, *ports)


def run_batch(paths):
    """[(path, [(tshark path, Packet)])] for one or more captures."""
    if len(paths) == 1:
        return [theirs_of(line) for line in tshark_lines(paths[0])]
    with tempfile.NamedTemporaryFile(suffix='.pcapng') as merged:
        subprocess.run(['mergecap', '-a', '-w', merged.name] + paths, check=True, capture_output=True)
        return [theirs_of(line) for line in tshark_lines(merged.name)]


def make_batches(files):
    batches, batch, frames = [], [], 0
    for path, (packets, fragments, error) in files.items():
        if fragments or error or '/malformed/' in path:
            batches.append([path])
            continue
        batch.append(path)
        frames += len(packets)
        if frames > BATCH_FRAMES:
            batches.append(batch)
            batch, frames = [], 0
    return batches + ([batch] if batch else [])


import decode_differences  # noqa: E402  (beside this file: the known reasons)


def main():
    args = sys.argv[1:]
    show = captures = None
    if '--show' in args:
        i = args.index('--show')
        show = args[i + 1]
        del args[i:i + 2]
    if '--captures' in args:
        i = args.index('--captures')
        captures = args[i + 1]
        del args[i:i + 2]
    dump, patterns = args[0], args[1:]
    shared = os.environ.get('NJ_SHARED') or os.path.join(HERE, '..', '..', '..', 'shared')
    captures = captures or os.path.join(shared, 'captures')
    for tool in ('tshark', 'mergecap'):
        if not shutil.which(tool):
            skip(f'{tool} is not installed')
    if not os.path.isdir(captures):
        skip(f'no captures in {captures}')
    paths = [p for p in find_captures(os.path.realpath(captures)) if not patterns or any(x in p for x in patterns)]
    files = read_ours(dump, paths)
    batches = make_batches(files)
    totals, kinds, examples, bad_counts, compared = collections.Counter(), collections.Counter(), {}, [], 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for batch, theirs in zip(batches, pool.map(run_batch, batches)):
            ours = [(p, i + 1, o) for p in batch for i, o in enumerate(files[p][0])]
            if len(ours) != len(theirs):
                bad_counts.append((batch, len(ours), len(theirs)))
            for (path, number, our), (protocols, their) in zip(ours, theirs):
                compared += 1
                totals[our.fate] += 1
                kind = decode_differences.explain(our, protocols, their, path)
                kinds[kind] += 1
                if kind != 'equal':
                    examples.setdefault(kind, []).append((os.path.relpath(path, captures), number, our, protocols, their))
    print(f'{len(files)} captures, {compared} frames compared in {len(batches)} runs of tshark')
    print('fates: ' + ', '.join(f'{k} {v}' for k, v in totals.most_common()))
    for kind, n in kinds.most_common():
        print(f'{n:8}  {kind}')
    for kind, list_ in examples.items():
        if kind.startswith('UNEXPLAINED') or kind == show:
            for path, number, our, protocols, their in list_[:40]:
                print(f'  {kind}: {path} frame {number}\n      ours   {our.fate} {our.packet}\n      tshark {protocols} {their}')
    bad = decode_differences.unexplained_counts(bad_counts)
    for batch, n, m in bad:
        print(f'  FRAME COUNTS DIFFER: {n} ours, {m} by tshark: {batch[0]} ({len(batch)} files)')
    failed = bad or any(k.startswith('UNEXPLAINED') for k in kinds)
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
