#!/usr/bin/python3
# lab: reduced timeout_s=150
# SPDX-License-Identifier: GPL-2.0-only
"""Guests that differ: the right reason is given, and what follows the commit is compared again."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import client
import control
from checking import SLOWNESS, Lab, as_client, group, require, run_groups, size, step, wait_for
from topology import GUEST_ADDRESS, PRIMARY

LENGTH = size(600_000)
FIRST, SECOND = size(100_000), size(900_000)


def bytes_differ(version):
    with Lab() as lab:
        one, other = lab.client(version), lab.client(version)
        other.ask(b"Before", 1)
        with step(f"IPv{version}: byte {FIRST} differs: a request with reason bytes, a commit"):
            lab.diverge(byte=FIRST)
            one.get(LENGTH)
            event = lab.expect_request("bytes", 1)
            require(event["flow"]["peer_port"] == one.sock.getsockname()[1], f"event: {event}")
        with step(f"IPv{version}: both connections go on, and are compared: no further request"):
            other.ask(b"After", 2)
            other.put(LENGTH)
            lab.expect_compared()
            lab.expect_no_request(before=1)
        with step(f"IPv{version}: the same connection differs again, and is noticed again"):
            lab.diverge(byte=SECOND)
            one.get(LENGTH)
            lab.expect_request("bytes", 2)
        with step(f"IPv{version}: an answer differs, then new connections are as ever"):
            lab.diverge(request=3)
            other.ask(b"Third", 3)
            lab.expect_request("bytes", 3)
            with lab.client(version) as new:
                new.get(LENGTH)
            lab.expect_compared()
            lab.expect_no_request(before=3)


@group
def bytes_differ_ipv4():
    bytes_differ(4)


@group
def bytes_differ_ipv6():
    bytes_differ(6)


@group
def asked_for_by_hand():
    with Lab() as lab:
        one = lab.client()
        one.begin_get(LENGTH)
        one.read(0, FIRST)
        with step("an operator asks for a checkpoint in the midst of a download"):
            control.coloctl(PRIMARY, "protocol", 1, "request")
            wait_for("the commit", lambda: lab.hypervisor.done)
        with step("it goes on to the end, compared"):
            one.read(FIRST, LENGTH)
            one.put(LENGTH)
            lab.expect_compared()
            lab.expect_request("operator", 1)
            lab.expect_no_request(before=1)


@group
def datagrams_differ():
    with Lab(compare_timeout=f"{2 * SLOWNESS:g}s") as lab:
        with step("a datagram differs: it leaves once a checkpoint covers it"), as_client():
            lab.diverge(datagram=True)
            client.ask_datagrams(GUEST_ADDRESS[4], 1, 300)
            lab.expect_request("timeout-data", 1)
        with step("the next ones are equal again"), as_client():
            client.ask_datagrams(GUEST_ADDRESS[4], 5, 300)
            lab.expect_no_request(before=1)


run_groups()
