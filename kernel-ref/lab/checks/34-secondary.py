#!/usr/bin/python3
# lab: timeout_s=180
# SPDX-License-Identifier: GPL-2.0-only
"""A secondary that is silent, late, or behind a bad link."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import client
import netns
import topology
from checking import SLOWNESS, Lab, as_client, group, require, run_groups, say, size, step, wait_for
from topology import GUEST2, GUEST_ADDRESS

LENGTH = size(600_000)
# Longer than some retransmission timeouts in a row.
PATIENT = f"{20 * SLOWNESS:g}s"
IMPATIENT = f"{2 * SLOWNESS:g}s"


@group
def server_silent():
    with Lab(compare_timeout=IMPATIENT) as lab:
        one = lab.client()
        one.ask(b"Before", 1)
        with step("the secondary's server is silent: timeout-data, and the commit wakes it"):
            lab.ask_guest(2, "quiesce")
            one.ask(b"During", 2)
            lab.expect_request("timeout-data", 1)
        with step("both answer again"):
            one.ask(b"After", 3)
            one.get(LENGTH)
            lab.expect_compared(LENGTH)
            lab.expect_no_request(before=1)


def cut_and_back(lab, act, reason):
    """The secondary guest has no link until its checkpoint is asked for."""
    before = len(lab.requests())
    lab.hypervisor.held_back.set()
    netns.ip(GUEST2, "link set eth0 down")
    act()
    wait_for("the request", lambda: len(lab.requests()) > before)
    netns.ip(GUEST2, "link set eth0 up")
    lab.hypervisor.held_back.clear()
    lab.expect_request(reason, before + 1)


@group
def link_silent():
    with Lab(compare_timeout=IMPATIENT) as lab:
        one = lab.client()
        one.ask(b"Before", 1)
        with step("the secondary guest is cut off in an answer: timeout-data"):
            cut_and_back(lab, lambda: one.sock.sendall(b"ASK During\n"), "timeout-data")
            assert one.line() == b"2 During"
        with step("and in an upload: timeout-ack"):
            one.begin_put(LENGTH)
            one.write(0, 2000)
            lab.expect_compared()
            cut_and_back(lab, lambda: one.write(2000, 4000), "timeout-ack")
            one.write(4000, LENGTH)
            one.end_put(LENGTH)
        with step("both answer again"):
            one.ask(b"After", 3)
            lab.expect_compared()
            lab.expect_no_request(before=2)


def through(lab, what, *netem, length=LENGTH):
    """TCP of both families, over a sec_dev that is like that."""
    with step(f"sec_dev {what}: no checkpoint is asked for, all bytes right"):
        try:
            topology.shape(*netem)
            for version in (4, 6):
                with lab.client(version) as one, as_client():
                    one.get(length)
                    one.put(length // 4)
                    one.ask(b"And", 1)
                    one.be_called(8000 + version, length // 10)
            lab.expect_compared(length)
            lab.expect_no_request()
            stats = lab.stats()
            say(f"{stats['held_packets']} of {stats['released_packets']} packets had to wait")
        finally:
            topology.shape()


@group
def losing_link():
    """
    Guests repeat what is lost, but a client cannot ask for what it has not seen: so they do it by
    their timers, and each loss makes these longer. A checkpoint may come sooner, and is right.
    """
    with Lab(compare_timeout=f"{5 * SLOWNESS:g}s", ack="clamp") as lab:
        for version in (4, 6):
            with as_client():
                client.ping(GUEST_ADDRESS[version])
        with step("sec_dev loses one frame in a hundred: all bytes right"):
            topology.shape("loss", "1%")
            for version in (4, 6):
                with lab.client(version) as one:
                    one.get(LENGTH // 3)
                    one.put(LENGTH // 6)
            topology.shape()
        with step("checkpoints were asked for because of a timeout, or not at all"):
            reasons = [event["reason"] for event in lab.requests()]
            require(all(reason.startswith("timeout") for reason in reasons), f"{reasons}")
            lab.expect_compared()


@group
def bad_links():
    with Lab(compare_timeout=PATIENT) as lab:
        for version in (4, 6):
            with as_client():
                client.ping(GUEST_ADDRESS[version])
        through(lab, "lags 20 ms", "delay", "20ms")
        with step("datagrams and pings lag, too"), as_client():
            topology.shape("delay", "20ms")
            client.ask_datagrams(GUEST_ADDRESS[4], 3, 3000)
            client.ping(GUEST_ADDRESS[6], 3)
            lab.expect_no_request()
        through(lab, "reorders", "delay", "4ms", "reorder", "30%", "50%")
        through(lab, "jitters", "delay", "5ms", "3ms")


run_groups()
