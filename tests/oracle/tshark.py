"""tshark as the oracle: conversations, flow counts, first DNS question, server name, Community ID of each."""
import shutil
import subprocess
from collections import defaultdict

from facts_common import Conversations, conversation

FIELDS = ['frame.len', 'frame.protocols', 'ip.src', 'ip.dst', 'ipv6.src', 'ipv6.dst', 'tcp.srcport', 'tcp.dstport', 'tcp.stream', 'udp.srcport',
          'udp.dstport', 'udp.stream', 'communityid', 'dns.qry.name', 'dns.qry.type', 'dns.flags.response', 'tls.handshake.type',
          'tls.handshake.extensions_server_name', 'tls.handshake.version']


def missing():
    return None if shutil.which('tshark') else 'tshark is not installed'


def rows(path):
    command = ['tshark', '-n', '-r', str(path), '--enable-protocol', 'communityid', '-o', 'tcp.desegment_tcp_streams:TRUE', '-T', 'fields', '-E', 'separator=/t',
               '-E', 'occurrence=a', '-E', 'aggregator=|', *[w for f in FIELDS for w in ('-e', f)]]
    output = subprocess.run(command, capture_output=True, check=False).stdout.decode('utf-8', 'replace')
    for line in output.split('\n'):
        values = line.split('\t')
        if len(values) == len(FIELDS):
            yield dict(zip(FIELDS, values))


def innermost(row):
    """(source, destination, transport) of the innermost header that is not quoted by an ICMP error, or None."""
    layers = row['frame.protocols'].split(':')
    for quote in ('icmp', 'icmpv6'):
        if quote in layers:
            return None
    family = max((i, name) for i, name in enumerate(layers) if name in ('ip', 'ipv6'))[1] if {'ip', 'ipv6'} & set(layers) else None
    if family is None:
        return None
    sources, destinations = row[family + '.src'].split('|'), row[family + '.dst'].split('|')
    transport = [name for name in layers if name in ('tcp', 'udp')]
    return (sources[-1], destinations[-1], transport[-1] if transport else None)


def facts(path):
    conversations, streams, questions, names, ids, quic_names = Conversations(), defaultdict(set), {}, {}, defaultdict(set), {}
    seen = False
    for row in rows(path):
        seen = True
        found = innermost(row)
        if found is None or found[2] is None:
            continue
        source, destination, transport = found
        ports = [row[f'{transport}.{end}port'].split('|')[-1] for end in ('src', 'dst')]
        if not all(ports):
            continue
        conversations.add(transport, source, ports[0], destination, ports[1], 1, int(row['frame.len']))
        key = conversation(transport, source, ports[0], destination, ports[1])[0]
        if transport == 'tcp':
            streams[key].add(row['tcp.stream'].split('|')[-1])
        if row['communityid']:
            ids[key].add(row['communityid'].split('|')[-1])
        if 'dns' in row['frame.protocols'].split(':') and row['dns.flags.response'] in ('0', 'False') and '53' in ports:
            questions.setdefault(key, (row['dns.qry.name'].split('|')[0].lower(), row['dns.qry.type'].split('|')[0]))
        if '1' in row['tls.handshake.type'].split('|') and transport == 'tcp' and row['tls.handshake.extensions_server_name']:
            names.setdefault(key, row['tls.handshake.extensions_server_name'].split('|')[0])
        if 'quic' in row['frame.protocols'].split(':') and '1' in row['tls.handshake.type'].split('|') and row['tls.handshake.extensions_server_name']:
            quic_names.setdefault(key, row['tls.handshake.extensions_server_name'].split('|')[0].lower())
    if not seen:
        return None
    return {**conversations.facts(), 'tcp flows': {k: len(v) for k, v in streams.items()}, 'community id': {k: tuple(sorted(v)) for k, v in ids.items()},
            'dns question': questions, 'server name': names, 'quic name': quic_names}
