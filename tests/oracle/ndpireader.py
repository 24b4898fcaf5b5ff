"""ndpiReader as the oracle: the protocol label of each conversation."""
import csv
import shutil
import subprocess
import tempfile
from collections import defaultdict

from facts_common import conversation

PROTOCOLS = {'6': 'tcp', '17': 'udp'}


def missing():
    return None if shutil.which('ndpiReader') else 'ndpiReader is not installed'


def facts(path):
    with tempfile.NamedTemporaryFile(suffix='.csv') as listing:
        result = subprocess.run(['ndpiReader', '-q', '-t', '-i', str(path), '-C', listing.name], capture_output=True, check=False, timeout=120)
        if result.returncode != 0:
            return None
        labels = defaultdict(set)
        with open(listing.name, newline='', errors='replace') as file:
            for row in csv.DictReader(file):
                if row['protocol'] in PROTOCOLS:
                    key, _ = conversation(PROTOCOLS[row['protocol']], row['src_ip'], row['src_port'], row['dst_ip'], row['dst_port'])
                    if row['ndpi_proto'] != 'Unknown':
                        labels[key].add(row['ndpi_proto'])
    return {'label': {k: tuple(sorted(v)) for k, v in labels.items()}}
