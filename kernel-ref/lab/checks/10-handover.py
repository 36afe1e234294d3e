#!/usr/bin/python3
# lab: reduced
# SPDX-License-Identifier: GPL-2.0-only
"""The lab's own commit, without any proxy: what other checks say of one stands on this."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import topology
from checking import Lab, group, run_groups, step
from pattern import pattern

LENGTH = 2_000_000
PART = 400_000


def move(lab):
    """The primary's connections into the secondary guest, which then has the wire."""
    lab.ask_guest(1, "quiesce")
    lab.ask_guest(2, "quiesce")
    state = lab.ask_guest(1, "dump")
    lab.ask_guest(2, "load", state=state)
    topology.lose_primary()
    topology.take_over()
    lab.ask_guest(2, "resume")
    return state


def goes_on(version):
    with Lab(proxy=False) as lab:
        with step(f"IPv{version}: a download, an upload and questions, before"):
            down = lab.client(version, receive_buffer=65536)
            up, idle = lab.client(version), lab.client(version)
            down.begin_get(LENGTH)
            down.read(0, PART)
            up.begin_put(LENGTH)
            up.write(0, PART)
            idle.ask(b"Before", 1)
        with step(f"IPv{version}: three connections move, with what is queued in them"):
            lab.ask_guest(1, "quiesce")
            up.sock.sendall(pattern(1, PART, 20_000))  # stays unread in the kernel
            state = move(lab)
            assert len(state["connections"]) == 3, state
            assert any(one["kernel"]["send"]["data"] for one in state["connections"])
            assert any(one["kernel"]["receive"]["data"] for one in state["connections"])
        with step(f"IPv{version}: they go on to the end, all bytes right"):
            idle.ask(b"After", 2)
            down.read(PART, LENGTH)
            up.write(PART + 20_000, LENGTH)
            up.end_put(LENGTH)


@group
def ipv4():
    goes_on(4)


@group
def ipv6():
    goes_on(6)


run_groups()
