"""The imagined bank and a few places outside it: who exists, at which address, and how their namespaces are joined.

Every host is a network namespace with one veth into one bridge in hub mode (ageing time 0: the bridge forgets at once
where an address lives, so each frame reaches every port, the tap's too). Between subnets stands a router "on a stick"
in a namespace of its own. A routed packet therefore crosses the bridge twice; the tap drops the copy the router
forwards, as a SPAN port that mirrors only ingress does, so every packet is recorded once, as its sender sent it.
Addresses nobody holds behave as in life: the router asks for them by ARP and answers "host unreachable"; inside one's
own subnet only the ARP requests are seen. Segmentation offloads are off, so recorded frames have the sizes of a wire.
The kernel's netem is often missing, so round trips are those of one machine (well under a millisecond), outside hosts
included: only their TTL betrays them.
"""

import subprocess
from dataclasses import dataclass

from sandbox import STATE

NETWORKS = ["10.20.10.0/24", "10.20.20.0/24", "10.20.30.0/24", "10.20.40.0/24", "203.0.113.0/24", "198.51.100.0/24"]
ROUTER_ADDRESSES = [network.replace(".0/24", ".1") for network in NETWORKS]
ROUTER_MAC = "02:4e:00:00:00:01"
DARK_NETWORK = "10.20.99.0/24"  # routed, silent, nobody there


@dataclass(frozen=True)
class Host:
    name: str
    address: str
    role: str  # workstation, server, ops, outside
    names: tuple = ()  # DNS names that point here

    @property
    def inside(self):
        return self.address.startswith("10.20.")


def _bank(name, address, role):
    return Host(name, address, role, (f"{name}.bank.example", ))


HOSTS = [_bank(f"ws{n:02d}", f"10.20.10.{10 + n}", "workstation") for n in range(1, 9)] + [
    _bank("adm01", "10.20.10.31", "workstation"),
    Host("dns", "10.20.20.2", "server", ("dns.bank.example", "ntp.bank.example")),
    Host("web", "10.20.20.10", "server", ("web.bank.example", "intranet.bank.example", "wiki.bank.example")),
    _bank("git", "10.20.20.11", "server"),
    _bank("db", "10.20.20.12", "server"),
    _bank("files", "10.20.20.13", "server"),
    _bank("cache", "10.20.20.14", "server"),
    _bank("mail", "10.20.20.15", "server"),
    _bank("store", "10.20.20.16", "server"),
    _bank("pkg", "10.20.20.17", "server"),
    _bank("app", "10.20.20.18", "server"),
    _bank("vault9", "10.20.20.66", "server"),  # the decoy
    _bank("mon", "10.20.30.10", "ops"),
    _bank("ci", "10.20.30.20", "ops"),
    _bank("bkp", "10.20.30.30", "ops"),
    _bank("vscan", "10.20.30.40", "ops"),
    Host(
        "news", "203.0.113.10", "outside",
        ("www.daily-news.example", "static.daily-news.example", "www.weather-now.example", "www.travel-guide.example")),
    Host("saas", "203.0.113.20", "outside",
         ("api.crm-suite.example", "app.crm-suite.example", "telemetry.crm-suite.example")),
    Host("cloud", "203.0.113.30", "outside", ("files.cloud-box.example", "upload.cloud-box.example")),
    Host("updates", "203.0.113.40", "outside", ("deb.os-mirror.example", "pool.os-mirror.example")),
    Host("upstream", "203.0.113.53", "outside", ("ns.isp.example", )),
    Host("c2", "198.51.100.66", "outside", ("cdn.fast-static.example", )),
    Host("drop", "198.51.100.77", "outside", ("share.paste-drop.example", )),
    Host("tunnel", "198.51.100.53", "outside", ("ns1.cdn-sync.example", )),
    Host("tunnel2", "198.51.100.54", "outside", ("ns1.static-cache.example", )),
    Host("pinger", "198.51.100.80", "outside", ("host80.dedicated-vps.example", )),
]
METADATA = "169.254.169.254"  # served by the host "node", as a cloud's instance metadata would be
AI_HOSTS = [Host(f"a{n:02d}", f"10.20.40.{10 + n}", "workstation", (f"a{n:02d}.bank.example", )) for n in range(1, 49)] + [
    _bank("api-gw", "10.20.20.40", "server"),  # one name before every model
    _bank("gpu", "10.20.20.41", "server"),  # models served in the house
    _bank("tools", "10.20.20.42", "server"),
    _bank("portal", "10.20.20.43", "server"),
    _bank("node", "10.20.20.44", "server"),
    _bank("dir", "10.20.20.45", "server"),
    Host("oai", "203.0.113.101", "outside", ("api.openai.com", "chatgpt.com")),
    Host("ant", "203.0.113.102", "outside", ("api.anthropic.com", "claude.ai")),
    Host("gem", "203.0.113.103", "outside", ("generativelanguage.googleapis.com", "gemini.google.com")),
    Host("dsk", "203.0.113.104", "outside", ("api.deepseek.com", )),
    Host("feed", "203.0.113.60", "outside", ("feed.market-data.example", )),
    Host("meet", "203.0.113.61", "outside", ("meet.video-call.example", )),
    Host("brain", "198.51.100.90", "outside", ("edge.static-sync.example", )),
    Host("notes", "198.51.100.78", "outside", ("upload.quick-notes.example", )),
]
EVERYONE = HOSTS + AI_HOSTS
BY_NAME = {host.name: host for host in EVERYONE}
PERMITTED = {"vscan": "scan, fanout", "bkp": "exfil"}
DECOY = BY_NAME["vault9"]
OUTSIDE_TTL = 57


def mac_of(address):
    a, b, c, d = (int(part) for part in address.split("."))
    return f"02:4e:{a ^ b:02x}:00:{c:02x}:{d:02x}"


def command(*argv):
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)


def inside(name, argv):
    """The command line that runs *argv* in the namespace of host *name*."""
    return ["nsenter", f"--net=/run/netns/{name}", "--"] + list(argv)


def build(host_names, hub=True):
    """Bridge, tap, router and the named hosts. Lasts as long as the sandbox. Without *hub* mode the bridge learns, the
    tap's port sees little, and the recording listens on the bridge itself, which sees every frame that enters it: with
    many hosts, flooding each frame to all of them is most of the machine's work."""
    ageing = ["ageing_time", "0"] if hub else []
    command("ip", "link", "add", "name", "hub0", "type", "bridge", *ageing, "mcast_snooping", "0", "stp_state", "0")
    _quiet(None)
    command("ip", "link", "set", "dev", "hub0", "up")
    _plug("tap", 0, "02:4e:00:00:00:02")
    _plug("router", 1, ROUTER_MAC)
    _sysctl("router", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.send_redirects=0",
            "net.ipv4.conf.eth0.send_redirects=0")
    for address in ROUTER_ADDRESSES:
        command("ip", "-n", "router", "addr", "add", f"{address}/24", "dev", "eth0")
    command("ip", "-n", "router", "route", "add", "blackhole", DARK_NETWORK)
    if "node" in host_names:
        command("ip", "-n", "router", "route", "add", METADATA, "via", BY_NAME["node"].address)
    for number, name in enumerate(host_names, start=2):
        host = BY_NAME[name]
        _plug(name, number, mac_of(host.address))
        command("ip", "-n", name, "addr", "add", f"{host.address}/24", "dev", "eth0")
        command("ip", "-n", name, "route", "add", "default", "via", host.address.rsplit(".", 1)[0] + ".1")
        _sysctl(name, "net.ipv4.ping_group_range=0 2147483647")
        if not host.inside:
            _sysctl(name, f"net.ipv4.ip_default_ttl={OUTSIDE_TTL}")
        if name == "node":
            command("ip", "-n", name, "addr", "add", f"{METADATA}/32", "dev", "eth0")


def _plug(name, number, mac):
    command("ip", "netns", "add", name)
    _quiet(name)
    command("ip", "link", "add", "name", f"port{number}", "type", "veth", "peer", "name", "eth0", "address", mac,
            "netns", name)
    offloads = [word for offload in ("tx", "sg", "tso", "gso", "gro") for word in (offload, "off")]
    subprocess.run(["ethtool", "-K", f"port{number}"] + offloads, check=True, capture_output=True)
    subprocess.run(inside(name, ["ethtool", "-K", "eth0"] + offloads), check=True, capture_output=True)
    command("ip", "link", "set", "dev", f"port{number}", "master", "hub0", "up")
    command("ip", "-n", name, "link", "set", "dev", "lo", "up")
    command("ip", "-n", name, "link", "set", "dev", "eth0", "up")


def _quiet(name):
    """No IPv6: nothing of the range uses it, and its neighbour chatter would come from addresses no label knows."""
    _sysctl(name, "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")


def _sysctl(name, *settings):
    script = ""
    for key, value in (setting.split("=", 1) for setting in settings):
        path = "/proc/sys/" + key.replace(".", "/")
        script += f'[ ! -e {path} ] || echo "{value}" > {path}\n'
    subprocess.run(inside(name, ["sh", "-c", script]) if name else ["sh", "-c", script], check=True)


def block(source, network):
    """A firewall's rule at the router: what *source* sends to *network* is answered "administratively prohibited"."""
    command("ip", "-n", "router", "rule", "add", "from", source, "to", network, "prohibit")


def inventory_yaml(hosts=None, ai=None):
    """The inventory a sensor of this bank would be given: names, groups, what scanner and backup may do, the decoys;
    *ai*: {host name: policy of a registered AI agent}."""
    lines = ["home_networks: [10.20.0.0/16]", "agents:"]
    for host in hosts or HOSTS:
        if host.inside and host != DECOY:
            more = f", permitted: [{PERMITTED[host.name]}]" if host.name in PERMITTED else ""
            more += f", ai: {ai[host.name]}" if host.name in (ai or {}) else ""
            lines.append(f"  - {{ address: {host.address}, name: {host.name}, group: {host.role}{more} }}")
    lines += [
        "decoys:", f"  - {{ network: {DECOY.address}/32, name: \"{DECOY.name}\" }}",
        f"  - {{ network: {DARK_NETWORK}, name: \"empty rack\" }}"
    ]
    return "\n".join(lines) + "\n"


__all__ = [
    "HOSTS", "BY_NAME", "DECOY", "NETWORKS", "DARK_NETWORK", "ROUTER_ADDRESSES", "ROUTER_MAC", "STATE", "build",
    "inside", "inventory_yaml"
]
