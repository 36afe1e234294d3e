#!/usr/bin/python3
# lab: reduced timeout_s=150
# SPDX-License-Identifier: GPL-2.0-only
"""Two guests that do the same: the client gets right bytes, and nobody asks for a checkpoint."""

import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import client
import control
import netns
from checking import Lab, Skipped, as_client, group, require, run_groups, size, step
from topology import CLIENT, GUEST1, GUEST2, GUEST_ADDRESS, GUEST_MTU, PRIMARY, SECONDARY

BULK = size(3_000_000)
PART = size(500_000)
QUESTIONS = 20
DATAGRAMS = 10
BEYOND_MTU = 20_000


def streams(lab, version):
    with step(f"IPv{version}: a download of {BULK} bytes, in frames as large as GSO makes them"):
        before = lab.stats()
        with lab.client(version) as one:
            one.get(BULK)
        frames = lab.stats()["from_guest"] - before["from_guest"]
        require(BULK / frames > GUEST_MTU, f"{frames} frames: not larger than the MTU")
    with step(f"IPv{version}: an upload of {PART} bytes"):
        with lab.client(version) as one:
            one.put(PART)
    with step(f"IPv{version}: {QUESTIONS} questions and answers in one connection"):
        with lab.client(version) as one:
            for number in range(1, QUESTIONS + 1):
                one.ask(b"Question %d" % number, number)
            found = [flow for flow in control.flows(SECONDARY) if flow.get("offset")]
            require(found, "no flow on the secondary has an offset, so nothing was fixed")
    with step(f"IPv{version}: the guest connects to the client, three times"):
        with lab.client(version) as one, as_client():
            for local in range(8001, 8004):
                one.be_called(local, PART // 10, seed=local)


def datagrams(version):
    address = GUEST_ADDRESS[version]
    with step(f"IPv{version}: {DATAGRAMS} datagrams, then two in fragments"), as_client():
        client.ask_datagrams(address, DATAGRAMS, 300)
        client.ask_datagrams(address, 1, BEYOND_MTU)
        client.echo_datagram(address, bytes(range(256)) * 20)
    with step(f"IPv{version}: pings, one of them in fragments"), as_client():
        client.ping(address, 3)
        client.ping(address, 1, length=4000)


def side_by_side(lab):
    """Eight connections at once, four a family."""
    faults = []

    def one(version, seed):
        try:
            with lab.client(version) as mine:
                mine.get(PART, seed)
                mine.put(PART // 5, seed)
        except (OSError, client.WrongAnswer) as fault:
            faults.append(str(fault))

    threads = [threading.Thread(target=one, args=(4 + seed % 2 * 2, seed)) for seed in range(8)]
    with step("eight connections side by side"):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        require(not faults, f"{faults}")


@group
def equal_guests():
    with Lab() as lab:
        for version in (4, 6):
            streams(lab, version)
            datagrams(version)
        side_by_side(lab)
        with step("all of it was compared, and no checkpoint was asked for"):
            lab.expect_compared(2 * BULK)
            lab.expect_no_request()


VLAN = {CLIENT: "10.67.0.1", GUEST1: "10.67.0.10", GUEST2: "10.67.0.10"}


def add_vlan():
    for name, own in VLAN.items():
        with Skipped.if_fails("this kernel has no VLAN devices"):
            netns.ip(name, "link add link eth0 name eth0.7 type vlan id 7")
        netns.ip(name, f"addr add {own}/24 dev eth0.7", "link set eth0.7 up")
    for name in (PRIMARY, SECONDARY):
        netns.sysctl(name, {"net/bridge/bridge-nf-filter-vlan-tagged": 1})


@group
def tagged():
    with Lab() as lab:
        add_vlan()
        with step("through a VLAN: a ping, a download, an upload, datagrams"), as_client():
            client.ping(VLAN[GUEST1])
            with lab.client(address=VLAN[GUEST1]) as one:
                one.get(PART)
                one.put(PART // 5)
            client.ask_datagrams(VLAN[GUEST1], 3, 3000)
        with step("all of it was compared, and no checkpoint was asked for"):
            lab.expect_compared(PART)
            lab.expect_no_request()
            found = [flow for flow in control.flows(PRIMARY) if flow.get("vlan") == 7]
            require(found, "no flow of VLAN 7 is known, so it was not compared")


run_groups()
