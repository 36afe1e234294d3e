# SPDX-License-Identifier: GPL-2.0-only
"""coloctl setup and teardown, on hosts that are folders."""

import os
import shutil
import subprocess

import pytest

from coloctl_program import Host, complaint, needs_coloctl

pytestmark = needs_coloctl

PRIMARY = "setup primary --index 1 --bridge br0 --guest-dev tap0 --sec-dev eth1".split()
SECONDARY = "setup secondary --index 1 --bridge br1 --guest-dev tap0 --sec-dev eth1".split()
TEARDOWN = "teardown --index 1".split()
LOADED = ["--uplink", "uplink0", "--compare-timeout", "1.5s", "--ack=clamp"]

PRIMARY_COMMANDS = """\
modprobe br_netfilter
modprobe xt_PMYCOLO
sysctl -qw net.bridge.bridge-nf-call-iptables=1
sysctl -qw net.bridge.bridge-nf-call-ip6tables=1
sysctl -qw net.bridge.bridge-nf-filter-vlan-tagged=1
ip link add name br0 type bridge
ip link set dev br0 up
ip link set dev eth1 mtu 1518
ip link set dev eth1 up
ip link set dev uplink0 master br0
ip link set dev uplink0 up
ip link set dev tap0 master br0
ip link set dev tap0 up
coloctl node add 1 --role primary --guest-dev tap0 --compare-timeout 1.5s --ack clamp
iptables -w -t mangle -A PREROUTING -m physdev --physdev-in tap0 -j PMYCOLO --index 1 --forward-dev eth1
ip6tables -w -t mangle -A PREROUTING -m physdev --physdev-in tap0 -j PMYCOLO --index 1 --forward-dev eth1
"""
SECONDARY_COMMANDS = """\
modprobe xt_SECCOLO
sysctl -qw net.bridge.bridge-nf-filter-vlan-tagged=1
ip link set dev eth1 mtu 9018
coloctl node add 1 --role secondary --guest-dev tap0
iptables-legacy -w -t mangle -A PREROUTING -m physdev --physdev-in tap0 -j SECCOLO --index 1 --forward-dev eth1
"""


@pytest.fixture
def host(tmp_path):
    host = Host(tmp_path)
    for name in ("uplink0", "eth1", "tap0"):
        host.device(name)
    return host


@pytest.fixture
def ready_host(tmp_path):
    """Where most of what a secondary needs is there."""
    host = Host(tmp_path)
    host.bridge("br1", up=True)
    host.device("eth1", up=True)
    host.device("tap0", mtu=9000, bridge="br1", up=True)
    (host.root / "sys/module/br_netfilter").mkdir(parents=True)
    folder = host.root / "proc/sys/net/bridge"
    folder.mkdir(parents=True)
    for name, value in ("call-iptables", 1), ("call-ip6tables", 1), ("filter-vlan-tagged", 0):
        (folder / f"bridge-nf-{name}").write_text(f"{value}\n")
    return host


def test_dry_run_prints_all_and_does_nothing(host):
    before = host.snapshot()
    done = host.run(*PRIMARY, *LOADED, "--dry-run")
    assert (done.returncode, done.stdout, done.stderr) == (0, PRIMARY_COMMANDS, "")
    assert host.snapshot() == before
    assert host.calls() == []


def test_dry_run_leaves_out_what_is_there(ready_host):
    done = ready_host.run(*SECONDARY, "--iptables=legacy", "--no-ipv6", "--dry-run")
    assert (done.returncode, done.stdout, done.stderr) == (0, SECONDARY_COMMANDS, "")


def test_dry_run_can_be_pasted(host):
    host.device("a'b;c")
    done = host.run(*PRIMARY[:-1], "a'b;c", "--dry-run")
    assert r"ip link set dev 'a'\''b;c' up" in done.stdout.splitlines()


def test_setup_runs_what_dry_run_prints(host):
    done = host.run(*PRIMARY, *LOADED)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert host.calls() == PRIMARY_COMMANDS.splitlines()


def test_secondary_has_its_lan_bridge_aside(host):
    done = host.run(*SECONDARY, "--lan-bridge", "br0", "--uplink", "uplink0", "--dry-run")
    commands = done.stdout.splitlines()
    assert "ip link set dev uplink0 master br0" in commands
    assert "ip link set dev tap0 master br1" in commands
    assert not any("eth1 master" in command for command in commands)


def test_plain_secondary_has_sec_dev_in_its_bridge(host):
    commands = host.run(*SECONDARY, "--plain", "--dry-run").stdout.splitlines()
    assert "ip link set dev eth1 master br1" in commands
    assert "ip link set dev eth1 mtu 1508" in commands
    assert "coloctl node add 1 --role secondary --guest-dev tap0 --plain" in commands


@pytest.mark.parametrize("what", [PRIMARY, SECONDARY], ids=["primary", "secondary"])
def test_teardown_leaves_what_setup_found(host, what):
    before = host.snapshot()
    assert host.run(*what).returncode == 0
    assert host.snapshot() != before
    printed = host.run(*TEARDOWN, "--dry-run").stdout.splitlines()
    done = host.run(*TEARDOWN)
    assert (done.returncode, done.stderr) == (0, "")
    assert printed == [call for call in host.calls() if " -C " not in call]
    assert without_parameters(host.snapshot()) == without_parameters(before)
    # br_netfilter stays, but does nothing any more.
    assert host.snapshot()["proc/sys/net/bridge/bridge-nf-call-iptables"] == "0\n"


def without_parameters(snapshot):
    return {name: text for name, text in snapshot.items() if not name.startswith("proc/")}


def test_teardown_restores_parameters_and_mtu(ready_host):
    before = ready_host.snapshot()
    assert ready_host.run(*SECONDARY).returncode == 0
    assert ready_host.run(*TEARDOWN).returncode == 0
    assert ready_host.snapshot() == before


@pytest.mark.parametrize("nth", range(1, PRIMARY_COMMANDS.count("\n") + 1))
def test_whatever_fails_all_is_undone(host, nth):
    before = host.snapshot()
    done = host.run(*PRIMARY, *LOADED, fail=nth)
    failed = PRIMARY_COMMANDS.splitlines()[nth - 1]
    assert done.returncode == 1
    assert f'coloctl: "{failed}" failed with status 1\n' in done.stderr
    assert done.stderr.endswith("coloctl: what had been done is undone\n")
    assert without_parameters(host.snapshot()) == without_parameters(before)
    assert not list((host.root / "run/coloctl").rglob("*.undo"))


@pytest.mark.parametrize("nth", range(1, SECONDARY_COMMANDS.count("\n") + 1))
def test_whatever_fails_on_a_ready_host(ready_host, nth):
    shutil.rmtree(ready_host.root / "sys/module")
    (ready_host.root / "sys/module/xt_SECCOLO").mkdir(parents=True)
    before = ready_host.snapshot()
    done = ready_host.run(*SECONDARY, fail=nth)
    assert done.returncode == 1
    assert ready_host.snapshot() == before


def test_command_that_is_missing(host):
    before = host.snapshot()
    (host.commands / "ip6tables").unlink()
    (host.commands / "ip6tables").symlink_to("/nonexistent")
    done = host.run(*PRIMARY, "--json")
    # The system's own may be there; either way it is not done by halves.
    assert done.returncode == 1 and done.stdout == ""
    assert without_parameters(host.snapshot()) == without_parameters(before)


def test_teardown_twice(host):
    host.run(*PRIMARY)
    assert host.run(*TEARDOWN).returncode == 0
    after = host.snapshot()
    done = host.run(*TEARDOWN, "--json")
    assert (done.returncode, done.stdout, done.stderr) == (0, '{"index":1}\n', "")
    assert host.calls() == []
    assert host.snapshot() == after


def test_teardown_takes_what_setup_took(host):
    host.run(*PRIMARY)
    assert host.run("teardown", *PRIMARY[1:]).returncode == 0
    assert "node 1" not in host.snapshot().get("state", "")


def test_teardown_after_others_removed_things(host):
    host.run(*PRIMARY)
    for command in "ip link set dev tap0 nomaster", "ip link del dev br0":
        assert host_command(host, command).returncode == 0
    (host.root / "sys/class/net/tap0/mtu").unlink()
    (host.root / "sys/class/net/tap0/flags").unlink()
    (host.root / "sys/class/net/tap0").rmdir()
    rule = "iptables -w -t mangle -D PREROUTING -m physdev --physdev-in tap0"
    assert host_command(host, f"{rule} -j PMYCOLO --index 1 --forward-dev eth1").returncode == 0
    assert host_command(host, "coloctl node del 1").returncode == 0
    (host.root / "sys/module/nf_conntrack_colo").rmdir()
    done = host.run(*TEARDOWN)
    assert (done.returncode, done.stderr) == (0, "")
    assert not [call for call in host.calls() if "tap0 " in call and call.startswith("ip ")]
    assert "state" not in host.snapshot()


def host_command(host, command):
    environment = {"PATH": f"{host.commands}:{os.environ['PATH']}", "COLOCTL_ROOT": str(host.root)}
    return subprocess.run(command.split(), env=environment)


def test_teardown_that_fails_can_be_repeated(host):
    before = host.snapshot()
    host.run(*PRIMARY)
    done = host.run(*TEARDOWN, fail=2)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("1.undo says what is left to be undone")
    done = host.run(*PRIMARY)
    assert complaint(done, 1) == "node 1 is set up already: teardown --index 1 first"
    assert host.run(*TEARDOWN).returncode == 0
    assert without_parameters(host.snapshot()) == without_parameters(before)


def test_what_another_node_needs_stays(host):
    before = host.snapshot()
    host.device("tap1")
    second = "setup primary --index 2 --bridge br0 --guest-dev tap1 --sec-dev eth1".split()
    assert host.run(*PRIMARY, "--uplink", "uplink0").returncode == 0
    assert host.run(*second).returncode == 0
    assert host.run(*TEARDOWN).returncode == 0
    state = host.snapshot()
    assert state["proc/sys/net/bridge/bridge-nf-call-iptables"] == "1\n"
    assert state["sys/class/net/eth1/mtu"] == "1518\n"
    assert "sys/class/net/br0/brif/uplink0" in state
    assert "sys/class/net/br0/brif/tap0" not in state
    assert host.run("teardown", "--index", 2).returncode == 0
    for name in ("mtu", "flags"):
        (host.root / "sys/class/net/tap1" / name).unlink()
    assert without_parameters(host.snapshot()) == without_parameters(before)


BAD = [
    (2, "setup tertiary --index 1", 'setup: ROLE is primary or secondary; not "tertiary"'),
    (2, "setup primary", "setup needs --index N"),
    (2, "setup primary --index 1", "setup needs --bridge BRIDGE"),
    (2, "setup primary --index 1 --bridge br0", "setup needs --guest-dev DEV"),
    (2, "setup primary --index 1 --bridge br0 --guest-dev tap0", "setup needs --sec-dev DEV"),
    (2, "teardown", "teardown needs --index N"),
    (2, "teardown both --index 1", 'teardown: ROLE is primary or secondary; not "both"'),
    (
        2,
        "setup primary --index 1 --bridge br0 --guest-dev eth1 --sec-dev eth1",
        "--guest-dev and --sec-dev are both eth1",
    ),
    (
        2,
        "setup primary --index 1 --bridge br0 --guest-dev tap+ --sec-dev eth1",
        "--guest-dev tap+: to iptables that would be many devices",
    ),
    (
        2,
        "setup primary --index 1 --bridge br0 --guest-dev tap0 --sec-dev eth1 --lan-bridge br9",
        "--lan-bridge is for a secondary; a primary's guest is in --bridge",
    ),
    (
        2,
        "setup secondary --index 1 --bridge br0 --guest-dev tap0 --sec-dev eth1 --uplink uplink0",
        "--uplink of a secondary needs --lan-bridge, whose port it becomes",
    ),
    (
        2,
        "setup primary --index 1 --bridge br0 --guest-dev tap0 --sec-dev eth1 --joining",
        "--joining is for a secondary",
    ),
    (
        1,
        "setup primary --index 1 --bridge br0 --guest-dev tap7 --sec-dev eth1",
        "--guest-dev tap7: there is no such device",
    ),
    (
        1,
        "setup primary --index 1 --bridge br0 --guest-dev tap0 --sec-dev eth7",
        "--sec-dev eth7: there is no such device",
    ),
    (
        1,
        "setup primary --index 1 --bridge uplink0 --guest-dev tap0 --sec-dev eth1",
        "--bridge uplink0 is no bridge",
    ),
    (
        1,
        "setup primary --index 1 --bridge br0 --guest-dev port --sec-dev eth1",
        "--guest-dev port is a port of br5 already",
    ),
    (
        1,
        "setup primary --index 1 --bridge br0 --guest-dev tap0 --sec-dev port",
        "--sec-dev port is a port of br5, and must be of none",
    ),
    (
        1,
        "setup secondary --index 1 --bridge br5 --guest-dev tap0 --sec-dev eth1",
        "--bridge br5 has another port, port: the secondary guest would reach it",
    ),
]


@pytest.mark.parametrize("status, line, text", BAD, ids=[line for _, line, _ in BAD])
def test_bad_setup_changes_nothing(host, status, line, text):
    host.bridge("br5")
    host.device("port", bridge="br5")
    before = host.snapshot()
    assert complaint(host.run(*line.split()), status) == text
    assert host.calls() == []
    assert host.snapshot() == before


def test_port_with_an_address_is_refused(host):
    host.device("lo")
    done = host.run(*PRIMARY, "--uplink", "lo")
    assert complaint(done, 1) == "--uplink lo has an IP address, which has to move to br0 first"
