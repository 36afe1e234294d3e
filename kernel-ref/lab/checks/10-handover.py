#!/usr/bin/python3
# lab: reduced
# SPDX-License-Identifier: GPL-2.0-only
"""The lab's own commit, without any proxy: what other checks say of one stands on this."""

import contextlib
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import client
import control
import handover
import netns
import topology
from checking import SLOWNESS, Lab, group, require, run_groups, step, wait_for
from pattern import pattern
from topology import CLIENT, CLIENT_ADDRESS, GUEST1

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


def sent_bytes(kernel):
    return len(kernel["send"]["data"]) // 2 - kernel["unsent"]


# Of the client's buffer. Its window takes less than a guest may begin with, and a bit more than
# four segments. A guest cuts data in halves of the window, of whole segments: that bit stays.
SMALL_BUFFER = 6000


@contextlib.contextmanager
def without_acks(tools=control.LEGACY):
    """Of the client's segments only those with data leave it."""
    rule = ("OUTPUT", "-p", "tcp", "--tcp-flags", "PSH", "NONE", "-j", "DROP")
    for tool in tools:
        control.call(CLIENT, tool, "-w", "-t", "mangle", "-A", *rule)
    try:
        yield
    finally:
        for tool in tools:
            control.call(CLIENT, tool, "-w", "-t", "mangle", "-D", *rule)


def wait_until_all_came(one):
    """Until the guest has sent all that it may."""
    last = 0

    def came_to_rest():
        nonlocal last
        time.sleep(0.5 * SLOWNESS)
        before, last = last, one.unread()
        return last and last == before

    wait_for("the download to come to rest", came_to_rest)


def part_of_a_segment_fits(version):
    """What the primary may send next is left of its window, and has not been sent."""
    with Lab(proxy=False) as lab:
        with step(f"IPv{version}: a window is used up but for less than a segment"):
            with lab.client(version, receive_buffer=SMALL_BUFFER) as one, without_acks():
                one.begin_get(LENGTH)
                wait_until_all_came(one)
                lab.ask_guest(1, "quiesce")
                lab.ask_guest(2, "quiesce")
                state = lab.ask_guest(1, "dump")
                kernel = state["connections"][0]["kernel"]
                sent, window = sent_bytes(kernel), handover.peer_window(kernel)
                require(0 < sent < window < sent + kernel["mss"], f"{sent} sent of {window}")
                lab.ask_guest(2, "load", state=state)
        with step(f"IPv{version}: the copy has sent as much, in segments as large"):
            copy = lab.ask_guest(2, "dump")["connections"][0]["kernel"]
            require(sent_bytes(copy) == sent, f"{sent_bytes(copy)} bytes sent, not {sent}")
            sizes = kernel["segment"], copy["segment"]
            require(sizes[0] == sizes[1], f"segments of {sizes} bytes")


PROBED = 500


def dumped_before_probe(listener):
    """Both ends of a connection whose window takes nothing but a probe, that is due; or None."""
    with netns.inside(GUEST1):
        sock = socket.create_connection(listener.getsockname())
    peer = listener.accept()[0]
    handover.freeze(sock)
    handover.set_peer_window(sock, PROBED)
    handover.tcp_set(sock, handover.TCP_REPAIR, handover.THAW_UNASKED)
    sock.send(pattern(1, 0, 10 * PROBED))
    handover.freeze(sock)
    if sent_bytes(handover.dump(sock)):
        sock.close()
        peer.close()
        return None
    return sock, peer


@group
def no_probe_after_the_dump():
    with Lab(proxy=False, serve=False), netns.inside(CLIENT):
        with socket.create_server((CLIENT_ADDRESS[4], 0)) as listener:
            with step("nothing leaves a dumped socket that its copy would not have sent"):
                sock, peer = wait_for("a dump", lambda: dumped_before_probe(listener))
                time.sleep(2 * SLOWNESS)  # a probe takes 0.2 s
                sent = handover.sent_unacked(sock)
                require(not sent, f"{sent} bytes were sent after the dump")
            with step("it goes on to the end"):
                handover.thaw(sock, PROBED)
                peer.settimeout(60 * SLOWNESS)
                client.check_stream(peer, 0, 10 * PROBED, 1)


@group
def part_of_a_segment_fits_ipv4():
    part_of_a_segment_fits(4)


@group
def part_of_a_segment_fits_ipv6():
    part_of_a_segment_fits(6)


@group
def ipv4():
    goes_on(4)


@group
def ipv6():
    goes_on(6)


run_groups()
