#!/usr/bin/python3
# lab: timeout_s=180
# SPDX-License-Identifier: GPL-2.0-only
"""Whatever goes away while packets are held: they are released or freed, and modules unload.

What is held is the answer to a ping. The secondary guest has no link, so nobody answers alike.
"""

import contextlib
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import client
import control
import netns
from checking import Failed, Lab, as_client, group, require, run_groups, step, unload_modules
from checking import wait_for
from topology import CLIENT, GUEST1, GUEST2, GUEST_ADDRESS, PRIMARY, SEC_DEV, SECONDARY, TAP

FOREVER = "1h"
PINGS = {4: 21, 6: 22}


class Held(Lab):
    """A lab in which the primary holds the answers to a ping of each family."""

    def __init__(self, **options):
        super().__init__(serve=False, checkpoints=False, compare_timeout=FOREVER, **options)

    def __enter__(self):
        super().__enter__()
        netns.ip(GUEST2, "link set eth0 down")
        self.pings = {version: ping(version) for version in PINGS}
        wait_for("answers to be held", lambda: self.stats()["held"] >= len(PINGS))
        return self

    def __exit__(self, *error):
        for sock in self.pings.values():
            sock.close()
        super().__exit__(*error)
        if error[0] is None:
            unload_modules()

    def expect_answers(self):
        for version, sock in self.pings.items():
            data = bytes(range(56))
            client.wait_for_echo(sock, version, PINGS[version], 1, data, 10)


def ping(version):
    """Asks, and lets the answer wait."""
    with as_client():
        return client.send_ping(GUEST_ADDRESS[version], PINGS[version], 1, bytes(range(56)))


@contextlib.contextmanager
def events(host=PRIMARY):
    monitor = control.Monitor(host)
    try:
        yield lambda what: [event for event in monitor.seen if event["event"] == what]
    finally:
        monitor.close()


def expect_gone(seen, cause):
    event = wait_for("the event that the node is gone", lambda: seen("gone"))[0]
    require(event["cause"] == cause, f"the cause is {event['cause']}, not {cause}")


@group
def rules_flushed():
    with step("rules flushed: what was held arrives"), Held() as lab:
        control.disarm(PRIMARY)
        lab.expect_answers()
        require(not lab.stats()["armed"], "the node is still armed")


@group
def node_deleted():
    with step("node deleted: what was held arrives, and its rules let all pass"), Held() as lab:
        with events() as seen:
            control.coloctl(PRIMARY, "node", "del", 1)
            expect_gone(seen, "deleted")
        lab.expect_answers()
        with as_client():
            client.ping(GUEST_ADDRESS[4])


@group
def owner_killed():
    class Owned(Held):
        def protect(self):
            super().protect()
            control.disarm(PRIMARY)
            control.coloctl(PRIMARY, "node", "del", 1)
            words = ("1", "--role", "primary", "--guest-dev", TAP, "--owned")
            more = ("--compare-timeout", FOREVER)
            self.owner = netns.start(
                PRIMARY, "coloctl", "node", "add", *words, *more, stdout=subprocess.PIPE
            )
            self.owner.stdout.readline()
            control.arm(PRIMARY)

    with step("owner killed: the node goes, what was held arrives"), Owned() as lab:
        with events() as seen:
            lab.owner.send_signal(signal.SIGKILL)
            lab.owner.wait()
            lab.owner.stdout.close()
            expect_gone(seen, "owner")
        lab.expect_answers()


@group
def sec_dev_down():
    with step("sec_dev down, then failover: what was held arrives"), Held() as lab:
        netns.ip(PRIMARY, f"link set {SEC_DEV} down")
        require(lab.stats()["held"] >= len(PINGS), "released, though nobody said so")
        control.coloctl(PRIMARY, "failover", 1)
        lab.expect_answers()


@group
def sec_dev_deleted():
    with step("sec_dev deleted: the node can still be deleted, what was held arrives"):
        with Held() as lab:
            netns.ip(PRIMARY, f"link del {SEC_DEV}")
            with contextlib.suppress(control.Refused):  # it may have gone with its device
                control.coloctl(PRIMARY, "node", "del", 1)
            lab.expect_answers()


@group
def tap_deleted():
    with step("the guest's tap deleted: the node goes, nothing is left"), Held():
        with events() as seen:
            netns.ip(PRIMARY, f"link del {TAP}")
            expect_gone(seen, "device")


@group
def bridge_deleted():
    with step("bridge deleted: what was held is freed"), Held() as lab:
        netns.ip(PRIMARY, "link del br0")
        control.coloctl(PRIMARY, "node", "del", 1)
        require(not lab.stats_or_none(), "the node is still there")


@group
def uplink_deleted():
    with step("uplink deleted: what was held is freed"), Held():
        netns.ip(PRIMARY, "link del eth0")
        control.disarm(PRIMARY)


def delete_namespace(name):
    subprocess.run(["ip", "netns", "del", name], check=True)


@group
def primary_namespace_deleted():
    with step("the primary's namespace deleted: nothing is left"), Held():
        delete_namespace(PRIMARY)


@group
def client_and_guest_deleted():
    with step("client and guest deleted: the answers are released to nobody"), Held():
        delete_namespace(CLIENT)
        delete_namespace(GUEST1)
        control.disarm(PRIMARY)


@group
def secondary_namespace_deleted():
    """Its proxy holds what waits for the primary's sequence number, which never comes."""
    with step("the secondary's namespace deleted, while its guest's answer waits for an offset"):
        with Lab(checkpoints=False, compare_timeout=FOREVER):
            with as_client():
                client.ping(GUEST_ADDRESS[4])
            netns.run(GUEST1, "tc", "qdisc", "add", "dev", "eth0", "root", "netem", "loss", "100%")
            netns.sysctl(CLIENT, {"net/ipv4/tcp_syn_retries": 1})
            with as_client(), contextlib.suppress(TimeoutError, OSError):
                client.Client(GUEST_ADDRESS[4], wait_s=0.5)
            held = control.stats(SECONDARY)["held"]
            if not held:
                raise Failed("the secondary holds no packet; see its flows")
            delete_namespace(SECONDARY)
        unload_modules()


run_groups()
