#!/usr/bin/python3
# lab: reduced timeout_s=150
# SPDX-License-Identifier: GPL-2.0-only
"""A host dies; a stock Linux client's connections go on with right bytes to the end."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import control
import topology
from checking import Lab, as_client, group, require, run_groups, size, step, wait_for
from topology import GUEST_ADDRESS, GUEST_MAC, PRIMARY, SECONDARY

LENGTH = size(2_000_000)
PART = size(300_000)
# So small that the guests cannot be far ahead of what the client has read.
BUFFER = 32 << 10


class Traffic:
    """One connection of each kind, all half-way."""

    def __init__(self, lab, version):
        self.down = lab.client(version, receive_buffer=BUFFER)
        self.up, self.idle = lab.client(version), lab.client(version)
        self.down.begin_get(LENGTH)
        self.down.read(0, PART)
        self.up.begin_put(LENGTH)
        self.up.write(0, PART)
        self.idle.ask(b"Before", 1)
        self.asked = 1

    def end(self, version):
        self.asked += 1
        with step(f"IPv{version}: an idle connection answers"):
            self.idle.ask(b"After", self.asked)
        with step(f"IPv{version}: the download goes on to the end"):
            self.down.read(PART, LENGTH)
        with step(f"IPv{version}: the upload goes on to the end"):
            self.up.write(PART, LENGTH)
            self.up.end_put(LENGTH)


def new_connections(lab, version):
    with step(f"IPv{version}: new connections, both ways"):
        with lab.client(version) as one, as_client():
            one.get(PART)
            one.be_called(8100, PART // 10)


def fail_over(lab, version, by_coloctl=False):
    with step(f"IPv{version}: the primary dies, the secondary takes over"):
        topology.lose_primary()
        if by_coloctl:
            addresses = [word for own in GUEST_ADDRESS.values() for word in ("--address", own)]
            move = ("--bridge", "br0", "--mac", GUEST_MAC, *addresses)
            control.coloctl_of_host(SECONDARY, "failover", 1, *move)
        else:
            control.coloctl(SECONDARY, "failover", 1)
            topology.take_over()
        require(control.stats(SECONDARY)["failed_over"], "the secondary's node does not say so")


def primary_dies(version):
    with Lab() as lab:
        with step(f"IPv{version}: a download, an upload and questions are half-way"):
            traffic = Traffic(lab, version)
            lab.expect_no_request()
        fail_over(lab, version, by_coloctl=version == 6)
        traffic.end(version)
        new_connections(lab, version)


@group
def primary_dies_ipv4():
    primary_dies(4)


@group
def primary_dies_ipv6():
    primary_dies(6)


@group
def primary_dies_after_checkpoint():
    with Lab() as lab:
        with step("traffic, and a checkpoint in the midst of it"):
            traffic = Traffic(lab, 4)
            lab.diverge(request=2)
            traffic.idle.ask(b"Differs", 2)
            traffic.asked = 2
            lab.expect_request("bytes", 1)
        with step("a connection of after the checkpoint"):
            late = lab.client(4)
            late.ask(b"Late", 1)
        fail_over(lab, 4)
        traffic.end(4)
        with step("the one of after the checkpoint goes on, too"):
            late.ask(b"Later", 2)


@group
def secondary_dies():
    with Lab(compare_timeout="1h") as lab:
        traffic = Traffic(lab, 4)
        with step("the secondary dies: an answer is held"):
            topology.lose_secondary()
            traffic.idle.sock.sendall(b"ASK Held\n")
            wait_for("an answer to be held", lambda: lab.stats()["held"] > 0)
        with step("told so, the primary releases it, and goes on unprotected"):
            control.coloctl(PRIMARY, "failover", 1)
            require(traffic.idle.line() == b"2 Held", "another answer came")
            require(lab.stats()["held"] == 0, "packets are still held")
        traffic.asked = 2
        traffic.end(4)
        new_connections(lab, 4)


run_groups()
