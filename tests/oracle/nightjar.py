"""Nightjar's own side of a comparison: `nightjar flows` turned into the facts the oracles state."""
import json
import subprocess
from collections import Counter, defaultdict

from facts_common import Conversations, conversation


def flows(program, path):
    output = subprocess.run([program, 'flows', '--quiet', str(path)], capture_output=True, check=False).stdout.decode()
    return [json.loads(line) for line in output.splitlines()]


def facts(program, path):
    conversations, count, ids, labels = Conversations(), Counter(), defaultdict(set), defaultdict(set)
    questions, names, prints = {}, {}, defaultdict(set)
    quic_names, quic_prints = {}, {}
    for flow in flows(program, path):  # ascending by first packet
        if flow['protocol'] not in ('tcp', 'udp'):
            continue
        client, server = (flow['client'], flow['client_port']), (flow['server'], flow['server_port'])
        conversations.add(flow['protocol'], *client, *server, flow['packets_out'], flow['wire_bytes_out'])
        conversations.add(flow['protocol'], *server, *client, flow['packets_in'], flow['wire_bytes_in'])
        key, _ = conversation(flow['protocol'], *client, *server)
        if flow['protocol'] == 'tcp':
            # Silence, FIN and RST end a flow of ours; a stream of tshark's ends only where a SYN opens another.
            count[key] += key not in count or flow['seen_start']
            if flow.get('ja4'):
                prints[key].add(flow['ja4'])
            if flow.get('ja4') and flow.get('server_name'):
                names.setdefault(key, flow['server_name'])
        elif flow.get('ja4'):
            quic_prints.setdefault(key, flow['ja4'])
            if flow.get('server_name'):
                quic_names.setdefault(key, flow['server_name'])
        ids[key].add(flow['community_id'])
        if flow.get('app', 'Unknown') != 'Unknown':  # ndpiReader lists no flow that it cannot name
            labels[key].add(flow['app'])
        if flow.get('dns_type') and 53 in (client[1], server[1]):  # mDNS and LLMNR are other protocols to the oracle
            questions.setdefault(key, (flow.get('dns_name', '<Root>').lower(), str(flow['dns_type'])))  # tshark's word for the empty name
    return {**conversations.facts(), 'tcp flows': dict(count), 'community id': {k: tuple(sorted(v)) for k, v in ids.items()},
            'label': {k: tuple(sorted(v)) for k, v in labels.items()}, 'dns question': questions, 'server name': names,
            'ja4': {k: tuple(sorted(v)) for k, v in prints.items()}, 'quic name': quic_names, 'quic ja4': quic_prints}
