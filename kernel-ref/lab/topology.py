#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The lab's wires: a client, two hosts and two guests, each a network namespace of one kernel.

    colo-client eth0 ── colo-switch br0 ─┬─ eth0 [colo-primary]    br0 ── tap0 ── eth0 colo-guest1
                                         │       eth1 = sec_dev
                                         │         │
                                         │       eth1 = sec_dev
                                         └─ eth0 [colo-secondary]  br1 ── tap0 ── eth0 colo-guest2
                                                 └─ br0 (tap0 moves here after a failover)

Both guests have one MAC address and the same IP addresses. Wires are pairs of veth with all
offloads on, so frames arrive as taps deliver them: uncut and with partial checksums.

As a program it sets the lab up, or takes it down, for trying something by hand.
"""

import argparse
import contextlib
import os
import socket
import struct
import subprocess
import sys

import netns

CLIENT, SWITCH = "colo-client", "colo-switch"
PRIMARY, SECONDARY = "colo-primary", "colo-secondary"
GUEST1, GUEST2 = "colo-guest1", "colo-guest2"
ALL = (CLIENT, SWITCH, PRIMARY, SECONDARY, GUEST1, GUEST2)
GUESTS = {PRIMARY: GUEST1, SECONDARY: GUEST2}

GUEST_MAC = "02:c0:10:00:00:01"
GUEST_ADDRESS = {4: "10.66.0.10", 6: "fd66::10"}
CLIENT_ADDRESS = {4: "10.66.0.1", 6: "fd66::1"}
GUEST_MTU = 1500
SEC_MTU = GUEST_MTU + 64  # the shim, and room for a VLAN tag
SEC_DEV, TAP = "eth1", "tap0"
QUIET = {  # so that nothing is on the wires but what a check puts there
    "net/ipv6/conf/default/accept_ra": 0,
    "net/ipv6/conf/default/router_solicitations": 0,
    "net/ipv6/conf/default/accept_dad": 0,
    "net/ipv6/conf/default/dad_transmits": 0,
    "net/ipv6/conf/default/keep_addr_on_down": 1,
}
BRIDGED = {
    "net/bridge/bridge-nf-call-iptables": 1,
    "net/bridge/bridge-nf-call-ip6tables": 1,
}
# What is queued in a guest has to be moved in a checkpoint.
GUEST_OWN = {"net/ipv4/tcp_wmem": "4096 65536 262144"}
# The guests shall differ in what they may differ in: sequence numbers, and timestamps.
GUEST2_OWN = {"net/ipv4/tcp_syncookies": 2, "net/ipv4/tcp_timestamps": 2}


def veth(one, one_name, two, two_name, mtu=GUEST_MTU):
    """Made where they belong, so that names of one wire never clash with another's."""
    return (
        f"link add {one_name} netns {one} mtu {mtu} type veth "
        f"peer name {two_name} netns {two} mtu {mtu}"
    )


def up(*devices):
    return [f"link set {device} up" for device in devices]


def bridge(device, *ports):
    made = [f"link add {device} type bridge forward_delay 0 mcast_snooping 0"]
    return made + [f"link set {port} master {device}" for port in ports] + up(device)


def address(of):
    return [f"addr add {of[4]}/24 dev eth0", f"addr add {of[6]}/64 dev eth0 nodad"]


WIRES = (
    veth(CLIENT, "eth0", SWITCH, "client"),
    veth(PRIMARY, "eth0", SWITCH, "primary"),
    veth(SECONDARY, "eth0", SWITCH, "secondary"),
    veth(PRIMARY, TAP, GUEST1, "eth0"),
    veth(SECONDARY, TAP, GUEST2, "eth0"),
    veth(PRIMARY, SEC_DEV, SECONDARY, SEC_DEV, mtu=SEC_MTU),
)
GUEST = [f"link set eth0 address {GUEST_MAC}", *up("lo", "eth0"), *address(GUEST_ADDRESS)]
INSIDE = {
    CLIENT: up("lo", "eth0") + address(CLIENT_ADDRESS),
    SWITCH: up("client", "primary", "secondary")
    + bridge("br0", "client", "primary", "secondary"),
    PRIMARY: up("eth0", TAP, SEC_DEV) + bridge("br0", "eth0", TAP),
    SECONDARY: up("eth0", TAP, SEC_DEV) + bridge("br0", "eth0") + bridge("br1", TAP),
    GUEST1: GUEST,
    GUEST2: GUEST,
}


def batch(lines):
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True)


def setup():
    teardown()
    load("br_netfilter", "xt_physdev", "sch_netem")
    os.makedirs(netns.NAMESPACES, exist_ok=True)
    batch(f"netns add {name}" for name in ALL)
    for name in ALL:
        netns.sysctl(name, QUIET)
    batch(WIRES)
    for name, commands in INSIDE.items():
        netns.ip(name, *commands)
    for name in (PRIMARY, SECONDARY):
        netns.sysctl(name, BRIDGED)
    netns.sysctl(GUEST1, GUEST_OWN)
    netns.sysctl(GUEST2, {**GUEST_OWN, **GUEST2_OWN})


def load(*modules):
    """What may be a module; a kernel that has it built in, or cannot load any, says nothing."""
    with contextlib.suppress(FileNotFoundError):
        subprocess.run(["modprobe", "-qa", *modules], check=False)


def teardown():
    there = [name for name in ALL if os.path.exists(f"{netns.NAMESPACES}/{name}")]
    if there:
        batch(f"netns del {name}" for name in there)


def shape(*netem, both=True):
    """netem on sec_dev, towards the secondary and, unless told not to, back; none to undo."""
    for name in (PRIMARY, SECONDARY) if both else (PRIMARY,):
        if netem:
            netns.run(name, "tc", "qdisc", "replace", "dev", SEC_DEV, "root", "netem", *netem)
        else:
            netns.run(name, "tc", "qdisc", "del", "dev", SEC_DEV, "root", check=False)


def lose_primary():
    """As if its host had lost power: all its links are cut, its guest's too."""
    netns.ip(GUEST1, "link set eth0 down")
    netns.ip(PRIMARY, "link set eth0 down", f"link set {SEC_DEV} down")


def lose_secondary():
    netns.ip(GUEST2, "link set eth0 down")
    netns.ip(SECONDARY, "link set eth0 down", f"link set {SEC_DEV} down")


def take_over():
    """The secondary guest's tap moves to the bridge with the uplink; all bridges learn where it is.

    The host's own has seen the address at its uplink, and would send nothing back into the tap.
    """
    moved = f"link set {TAP} nomaster", f"link set {TAP} master br0"
    netns.ip(SECONDARY, *moved, "link set br0 type bridge fdb_flush")
    announce()


def announce():
    """A gratuitous ARP, which no hypervisor forgets: the switch sends to the new port at once."""
    mac = bytes.fromhex(GUEST_MAC.replace(":", ""))
    ip4 = socket.inet_aton(GUEST_ADDRESS[4])
    arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac + ip4 + bytes(6) + ip4
    with netns.inside(SECONDARY):
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind(("eth0", 0))
            raw.send(b"\xff" * 6 + mac + b"\x08\x06" + arp)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["setup", "teardown"])
    setup() if parser.parse_args().what == "setup" else teardown()


if __name__ == "__main__":
    sys.exit(main())
