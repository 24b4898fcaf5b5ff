"""The scenarios by name, and the two disjoint sets of parameters.

Seeds 1 to 99 are for developing: thresholds may be chosen with them and the prior baseline may be learnt from them.
Seeds from 100 are for reporting: other attackers, other targets, ports, rates, sizes and periods, never looked at while
tuning. Which set a run belongs to follows from its seed alone.
"""

from dataclasses import dataclass
from typing import Callable

import attacks as x
import office as o
from topology import BY_NAME, DECOY, HOSTS

REPORT_FROM_SEED = 100
ALL = [host.name for host in HOSTS]


@dataclass(frozen=True)
class Parameters:
    attackers: tuple
    sweep_port: int
    sweep_ports_wide: str  # masscan
    sweep_targets: str
    vertical_target: str
    vertical_ports: str
    connect_port: int
    enum_targets: tuple
    enum_ports: str
    slow_delay_s: float
    masscan_rate: int  # packets/s
    exfil_mb: tuple  # by curl, by rclone
    new_mb: tuple  # drawn between
    beacon_s: float
    dns_kb: int
    dns_record: str  # iodine's
    drip_per_s: float
    icmp_kb: int
    chunk_kib: int
    paths: int


DEVELOP = Parameters(attackers=("ws02", "ws05", "ws07"), sweep_port=445, sweep_ports_wide="22,443,3389",
                     sweep_targets="10.20.20.0/24", connect_port=3389, vertical_target="app", vertical_ports="1-1000",
                     enum_targets=("web", "git", "files", "db"), enum_ports="22,80,443,445,5432,8080", slow_delay_s=5,
                     masscan_rate=300, exfil_mb=(30, 45), new_mb=(4, 9), beacon_s=5, dns_kb=60, dns_record="NULL",
                     drip_per_s=2, icmp_kb=150, chunk_kib=128, paths=400)
REPORT = Parameters(attackers=("ws03", "ws06", "ws08"), sweep_port=22, sweep_ports_wide="23,80,8443",
                    sweep_targets="10.20.30.0/24", connect_port=5900, vertical_target="store", vertical_ports="1-2048",
                    enum_targets=("store", "cache", "pkg", "app"), enum_ports="21,22,80,443,6379,8080,9200",
                    slow_delay_s=8, masscan_rate=120, exfil_mb=(35, 60), new_mb=(5, 12), beacon_s=7, dns_kb=40,
                    dns_record="TXT", drip_per_s=0.8, icmp_kb=90, chunk_kib=96, paths=300)


def parameters(seed):
    return REPORT if seed >= REPORT_FROM_SEED else DEVELOP


# Background


def office(stage, people=None, pause_s=8):
    for name in people or o.PEOPLE:
        stage.play(o.person, stage.actor(name), pause_s)
    for name in list(people or o.PEOPLE)[::2]:
        stage.play(o.desk_telemetry, stage.actor(name, "telemetry"))
    for name in people or o.PEOPLE:
        stage.play(o.keep_time, stage.actor(name, "time"))


def services(stage, bulk_mb=0):
    stage.play(o.monitoring, stage.actor("mon"))
    stage.play(o.application, stage.actor("app"))
    stage.play(o.continuous_integration, stage.actor("ci"))
    stage.play(o.patching, stage.actor("ws01", "patching"))
    if bulk_mb:
        stage.play(_night, stage, bulk_mb)


def _night(stage, bulk_mb):
    """Backup, then the copy outside, then the permitted scan: spread over the recording."""
    third = stage.duration_s * stage.time_scale / 4
    bkp, vscan = stage.actor("bkp"), stage.actor("vscan")
    bkp.wait(third)
    o.backup(bkp, int(bulk_mb * 1e6))
    bkp.wait(third)
    o.offsite_backup(bkp, int(bulk_mb * 0.6e6))
    vscan.wait(third / 2)
    if vscan.going():
        o.permitted_scan(vscan)


def attacker(stage, n=0):
    names = parameters(stage.seed).attackers
    return stage.actor(names[n % len(names)], "attack")


# Scenarios: functions of (stage, parameters)


def benign_office(stage, _):
    office(stage)
    stage.finish()


def benign_services(stage, _):
    services(stage, bulk_mb=40)
    stage.finish()


def benign_all(stage, _):
    office(stage, pause_s=10)
    services(stage, bulk_mb=30)
    stage.finish()


def benign_small(stage, _):
    office(stage, ["ws01", "ws03", "ws04", "adm01"], pause_s=10)
    stage.finish()


def _alone(*actions):
    """A scenario of the attacker's actions only, one after the other, ended by the last."""

    def scenario(stage, p):

        def script():
            for action in actions:
                action(stage, p, attacker(stage))
                stage.over.wait(1)

        stage.play(script)
        stage.join()

    return scenario


def _amid(*actions, after_s=20, pause_s=5):
    """The same amid a small office's life."""

    def scenario(stage, p):
        office(stage, pause_s=pause_s)

        def script():
            stage.over.wait(after_s)
            for action in actions:
                action(stage, p, attacker(stage))
                stage.over.wait(3)
            stage.over.wait(5)
            stage.over.set()

        stage.play(script)
        stage.join()

    return scenario


def bank_day(stage, p):
    """Seven minutes of a bank with an intruder: sweeps, guesses its way on, calls home, tunnels, carries out, touches
    a decoy."""
    office(stage, ["ws01", "ws02", "ws03", "ws04", "ws05", "ws06", "adm01"], pause_s=25)
    stage.play(o.monitoring, stage.actor("mon"), 40)
    stage.play(o.application, stage.actor("app"), 15)
    home, scout, other = attacker(stage, 0), attacker(stage, 1), attacker(stage, 2)
    stage.play(x.beacon, stage.actor(home.host.name, "beacon"), 8, 0.2, 60)

    def intrusion():
        scout.wait(60)
        x.sweep(scout, p.sweep_targets, p.sweep_port)
        scout.wait(40)
        x.enumerate_services(scout, p.enum_targets[:3], "22,80,443,445")
        scout.wait(30)
        x.touch_decoy(other, "ssh")
        home.wait(30)
        x.tunnel_dns2tcp(home, 12_000)
        home.wait(30)
        x.carry_out(home, 12_000_000)

    stage.play(intrusion)
    stage.finish()


def mixed_beacon(stage, p):
    """Two implants call home through an office's day, one with much jitter, one over a connection that stays open."""
    office(stage, pause_s=8)
    stage.play(x.beacon, attacker(stage, 0), p.beacon_s, 0.5, 10_000)
    stage.play(x.beacon_persistent, attacker(stage, 1), p.beacon_s * 1.5, 0.2, 10_000)
    stage.finish()


def mini(stage, p):
    """For the test: a little life and one sweep, well under a minute."""
    for name in ("ws01", "ws04"):
        stage.play(o.person, stage.actor(name), 2)
    scout = stage.actor("ws02", "attack")
    stage.play(lambda: (scout.wait(3), x.sweep(scout, "10.20.20.0/28", 445), x.touch_decoy(scout, "https")))
    stage.finish()


@dataclass(frozen=True)
class Scenario:
    play: Callable
    words: str
    duration_s: float = 300  # for scenarios run by the clock: this long; for the others: at most this long
    hosts: tuple = tuple(ALL)
    ai: bool = False  # with language models, agents and what they need (ai_scenarios.py)


def _attack(words, *actions, hosts, attackers=1, duration_s=300):
    """Attackers of both sets are there, so that a capture's silent hosts do not tell which set it is of."""
    names = {"dns", "upstream"} | set(hosts) | set(DEVELOP.attackers[:attackers]) | set(REPORT.attackers[:attackers])
    return Scenario(_alone(*actions), words, duration_s, tuple(name for name in ALL if name in names))


def _beacon(jitter):
    return _attack(f"HTTPS requests at a period with {jitter} % jitter",
                   lambda s, p, a: x.beacon(a, p.beacon_s, jitter / 100, 48), hosts=["c2"], duration_s=600)


def _sweep(s, p, a):
    x.sweep(a, p.sweep_targets, p.sweep_port)


def _vertical(s, p, a):
    x.knock_all_ports(a, p.vertical_target, p.vertical_ports)


def _enumerate(s, p, a):
    x.enumerate_services(a, p.enum_targets, p.enum_ports)


def _fan_out(s, p, a):
    x.fan_out(a)


def _paths(s, p, a):
    x.enumerate_paths(a, p.paths, 8)


def _bulk(s, p, a):
    x.carry_out(a, int(p.exfil_mb[0] * 1e6))


def _iodine(s, p, a):
    x.tunnel_iodine(a, p.dns_kb * 1000, p.dns_record)


def _ptunnel(s, p, a):
    x.tunnel_icmp(a, p.icmp_kb * 1000)


SERVERS = ("web", "git", "db", "files", "cache", "mail", "store", "pkg", "app", "vault9", "mon")
MINI = ("ws01", "ws02", "ws04", "dns", "upstream", "web", "git", "files", "vault9", "news", "saas", "db", "app", "mail",
        "cache")
TWO_NETWORKS = ("10.20.20.0/24", "10.20.30.0/24")
SCENARIOS = {
    # nothing bad
    "benign-office": Scenario(benign_office,
                              "people at nine desks: web, CRM, git, ssh, shares, SQL, mail; telemetry and time"),
    "benign-services": Scenario(benign_services,
                                "monitoring, application, CI, backup inside and outside, permitted scanner"),
    "benign-all": Scenario(benign_all, "office and services together", 1200),
    "benign-small": Scenario(benign_small, "four desks", 120),
    # discovery
    "scan-horizontal": _attack("nmap SYN sweep of one port over a network", _sweep, hosts=SERVERS),
    "scan-connect": _attack("nmap connect sweep", lambda s, p, a: x.sweep(a, p.sweep_targets, p.connect_port, "-sT"),
                            hosts=SERVERS),
    "scan-vertical": _attack("nmap SYN scan of many ports of one host", _vertical, hosts=SERVERS),
    "scan-udp": _attack("nmap UDP scan of one host", lambda s, p, a: x.scan_udp(a, p.vertical_target, 60),
                        hosts=SERVERS),
    "scan-masscan": _attack("masscan over two networks",
                            lambda s, p, a: x.sweep_masscan(a, TWO_NETWORKS, p.sweep_ports_wide, p.masscan_rate),
                            hosts=SERVERS),
    "scan-slow": _attack("one probe every few seconds",
                         lambda s, p, a: x.sweep_slowly(a, "10.20.20.5-34", str(p.sweep_port), p.slow_delay_s),
                         hosts=SERVERS, duration_s=900),
    "service-enum": _attack("nmap version detection of a few ports on a few hosts", _enumerate, hosts=SERVERS),
    "fanout": _attack("visits every live service once", _fan_out, hosts=SERVERS),
    "web-enum": _attack("gobuster over TLS", _paths, hosts=SERVERS),
    "decoy": _attack("touches a decoy", lambda s, p, a: x.touch_decoy(a, a.rng.choice(["ssh", "https", "nmap"])),
                     hosts=SERVERS),
    # credentials, lateral movement
    "ssh-guessing": _attack("wrong SSH passwords, one after the other",
                            lambda s, p, a: x.guess_passwords(a, p.vertical_target, 25), hosts=SERVERS),
    "lateral-ssh": _attack("logs in over SSH to one server after the other",
                           lambda s, p, a: x.move_sideways(a, ("web", "git", "db", "files", "app")), hosts=SERVERS),
    # exfiltration, tunnels
    "exfil-volume": _attack("bulk to outside by curl, then by rclone", _bulk,
                            lambda s, p, a: x.carry_out(a, int(p.exfil_mb[1] * 1e6), "rclone"), hosts=["drop"]),
    "exfil-new-destination": _attack("a moderate upload to a place never seen",
                                     lambda s, p, a: x.carry_to_new(a, int(a.rng.uniform(*p.new_mb) * 1e6)),
                                     hosts=["drop"]),
    "exfil-low-rate": _attack("equal pieces at equal pauses",
                              lambda s, p, a: x.carry_out_slowly(a, p.chunk_kib * 1024, 30, 6), hosts=["drop"]),
    "dns-tunnel-iodine": _attack("iodine through the resolver", _iodine, hosts=["tunnel"]),
    "dns-tunnel-dns2tcp": _attack("dns2tcp through the resolver", lambda s, p, a: x.tunnel_dns2tcp(a, p.dns_kb * 500),
                                  hosts=["tunnel2"]),
    "dns-tunnel-drip": _attack("data in query names by hand, slowly", lambda s, p, a: x.drip_dns(a, 4000, p.drip_per_s),
                               hosts=[]),
    "icmp-tunnel": _attack("ptunnel, then pings with payload", _ptunnel,
                           lambda s, p, a: x.ping_payload(a, 30, 900, "de"), hosts=["pinger"]),
    # calling home
    "beacon-0": _beacon(0),
    "beacon-20": _beacon(20),
    "beacon-50": _beacon(50),
    "beacon-90": _beacon(90),
    "beacon-persistent": _attack("requests over one connection that stays open",
                                 lambda s, p, a: x.beacon_persistent(a, p.beacon_s, 0.2, 48), hosts=["c2"],
                                 duration_s=600),
    # amid ordinary life
    "bank-day": Scenario(bank_day, "a bank's day in short with an intruder in it", 420),
    "mixed-scans": Scenario(_amid(_sweep, _vertical, _enumerate, _fan_out, _paths), "scans amid the office", 420),
    "mixed-exfil": Scenario(_amid(lambda s, p, a: x.carry_to_new(a, int(p.new_mb[0] * 1e6)), _bulk, _iodine, _ptunnel),
                            "exfiltration amid the office", 420),
    "mixed-beacon": Scenario(mixed_beacon, "two beacons amid the office", 420),
    "mini": Scenario(mini, "a few seconds of life and one sweep", 15, MINI),
}


def blameless(scenario, rows):
    """The inside hosts no row accuses: what they do, servers' answers included, is benign for the whole recording.
    The decoy has no ordinary work."""
    accused = {row["agent"] for row in rows if not row["label"].startswith("benign")}
    hosts = [BY_NAME[name] for name in scenario.hosts]
    return [host for host in hosts if host.inside and host.address not in accused and host != DECOY]
