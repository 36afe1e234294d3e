#!/usr/bin/python3
# lab: reduced timeout_s=60
# SPDX-License-Identifier: GPL-2.0-only
"""The life of a node without any packet: what is asked step by step, and what ends it."""

import contextlib
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import genl
import netns
from checking import group, load_modules, require, run_groups, step, unload_modules, wait_for
from genl import COLO, attribute, u8, u32, u64

A = {name.removeprefix("COLO_A_"): number for name, number in COLO.items() if "COLO_A_" in name}
C = {name.removeprefix("COLO_C_"): number for name, number in COLO.items() if "COLO_C_" in name}
CMD = {name.removeprefix("COLO_CMD_"): COLO[name] for name in COLO if "COLO_CMD_" in name}
NOTE = {COLO[name]: name.removeprefix("COLO_NOTE_") for name in COLO if "COLO_NOTE_" in name}
REQUEST, PAUSED, REPLY, STATE, RECEIVED, LOADED, ABORT, GRANTED = range(8)
RUNNING, REQUESTED, IN_PAUSE, TRANSFER, COMMITTED = range(5)
PROTECTED, ISOLATED, ALONE, FENCED, JOINING = range(5)
SECOND = 10**9
NAMESPACE = "node-life"
NAMES = {number: name for name, number in A.items()}


class Node:
    """What one of the two hosts is asked; an index in this namespace."""

    def __init__(self, channel, index, role, *flags, **config):
        self.channel = channel
        self.index = index
        body = u8(A["ROLE"], role) + attribute(A["GUEST_DEV"], f"guest{index}")
        body += b"".join(attribute(A[flag], b"") for flag in flags)
        if config:
            nest = b"".join(u64(C[name], value) for name, value in config.items())
            body += attribute(A["CONFIG"] | genl.NESTED, nest)
        self.ask("NODE_ADD", body)

    def ask(self, command, body=b""):
        return self.channel.request(CMD[command], u32(A["INDEX"], self.index) + body)

    def get(self):
        parts = dict(self.ask("NODE_GET")[0])
        return {NAMES[kind]: genl.number(data) for kind, data in parts.items() if len(data) <= 8}

    def step(self, event, epoch=None):
        body = u8(A["EVENT"], event)
        self.ask("PROTOCOL", body + (b"" if epoch is None else u32(A["EPOCH"], epoch)))

    def expect(self, **values):
        node = self.get()
        found = {name: node.get(name) for name in values}
        require(found == values, f"node {self.index} is {found}, not {values}")

    def commit(self, epoch=None):
        answer = dict(self.ask("CHECKPOINT", b"" if epoch is None else u32(A["EPOCH"], epoch))[0])
        return genl.number(answer[A["EPOCH"]])


def refused(text, function, *arguments):
    try:
        function(*arguments)
    except genl.Refused as refusal:
        require(text in refusal.text, f"the answer was {refusal}, and says nothing of {text}")
        return
    require(False, f"was not refused for {text}")


@contextlib.contextmanager
def place(devices=2):
    """A namespace with a device for each node, and a channel in it."""
    subprocess.run(["modprobe", "nf_conntrack_colo"], check=True)
    subprocess.run(["ip", "netns", "add", NAMESPACE], check=True)
    try:
        for index in range(1, devices + 1):
            netns.ip(NAMESPACE, f"link add guest{index} type veth peer name peer{index}")
        with netns.inside(NAMESPACE):
            channel = genl.Channel()
        with channel:
            yield channel
    finally:
        subprocess.run(["ip", "netns", "del", NAMESPACE], check=False)


def listener():
    with netns.inside(NAMESPACE):
        channel = genl.Channel(timeout_s=10)
    channel.join()
    return channel


def next_event(channel, name):
    """The next of that name, as a dictionary."""
    while True:
        data = channel.sock.recv(1 << 16)
        if NOTE.get(data[16]) == name:
            return {NAMES[kind]: data for kind, data in genl.attributes(data[20:])}


@group
def commits():
    with place() as channel, listener() as events:
        primary, secondary = Node(channel, 1, 0), Node(channel, 2, 1)
        with step("a pair commits three times, all steps at once"):
            for epoch in (1, 2, 3):
                primary.expect(NEXT_EPOCH=epoch, STATE=RUNNING)
                require(secondary.commit(epoch) == epoch, "the secondary's epoch is another")
                require(primary.commit() == epoch, "the primary's epoch is another")
                for _ in range(2):
                    event = next_event(events, "COMMITTED")
                    require(genl.number(event["EPOCH"]) == epoch, "another epoch was told")
                secondary.expect(EPOCH=epoch, STATE=RUNNING)
        with step("an old epoch, none, or another than the next is refused"):
            refused("not newer", secondary.commit, 3)
            refused("not newer", secondary.commit, 2)
            refused("EPOCH is missing", secondary.commit)
            refused("not the next", primary.commit, 7)
            primary.expect(EPOCH=3, STATE=RUNNING)
            secondary.expect(EPOCH=3, STATE=RUNNING)
        with step("step by step, with what the other host says"):
            primary.step(REQUEST)
            event = next_event(events, "CHECKPOINT_REQUESTED")
            require(event["REASON_NAME"] == b"operator\0", f"for {event['REASON_NAME']}")
            require(genl.number(event["EPOCH"]) == 4, "of another epoch")
            secondary.step(REQUEST, 4)
            primary.step(PAUSED)
            refused("EPOCH is missing", primary.step, REPLY)
            refused("does not fit", primary.step, REPLY, 3)
            secondary.step(PAUSED)
            primary.step(REPLY, 4)
            primary.expect(STATE=TRANSFER)
            secondary.step(STATE, 4)
            primary.step(RECEIVED, 4)
            secondary.step(LOADED)
            primary.step(LOADED, 4)
            primary.expect(EPOCH=4, STATE=RUNNING)
            secondary.expect(EPOCH=4, STATE=RUNNING)
        with step("one that was begun step by step, and one that broke off, end at once"):
            primary.step(REQUEST)
            primary.step(PAUSED)
            require(primary.commit() == 5, "another epoch")
            primary.step(REQUEST)
            primary.step(ABORT)
            refused("broke off", primary.commit)
            while genl.number(next_event(events, "CHECKPOINT_REQUESTED")["EPOCH"]) != 7:
                pass
            require(primary.commit() == 7, "another epoch")
        with step("reset begins at epoch 0"):
            primary.ask("RESET")
            primary.expect(EPOCH=0, NEXT_EPOCH=1, STATE=RUNNING, MODE=PROTECTED)


@group
def failovers():
    with place(4) as channel, listener() as events:
        with step("a primary goes on alone, once, and takes a new secondary in"):
            primary = Node(channel, 1, 0)
            primary.ask("FAILOVER")
            primary.expect(MODE=ALONE, EPOCH=1)
            refused("already", primary.ask, "FAILOVER")
            joining = Node(channel, 3, 1, "JOINING")
            joining.expect(MODE=JOINING)
            refused("no state", joining.ask, "FAILOVER")
            epoch = primary.get()["NEXT_EPOCH"]
            require(joining.commit(epoch) == primary.commit() == epoch, "the epochs differ")
            primary.expect(MODE=PROTECTED, TERM=epoch)
            joining.expect(MODE=PROTECTED, TERM=epoch)
        with step("a secondary takes over, and is told to"):
            secondary = Node(channel, 2, 1)
            secondary.ask("FAILOVER")
            secondary.expect(MODE=ALONE, FAILED_OVER=0)
            while not genl.number(next_event(events, "ACTIONS")["ACTIONS"]) & 0x4000:
                pass
            refused("listens to no primary", secondary.commit, 9)
        with step("without heartbeats a primary is isolated, and its lease over"):
            leased = Node(
                channel, 4, 0, LEASE=SECOND // 5, TAKEOVER=SECOND, HEARTBEAT=SECOND // 50
            )
            event = next_event(events, "ACTIONS")
            term, stamp = (event["TERM"], event["STAMP"])
            leased.ask("HEARTBEAT", attribute(A["TERM"], term) + attribute(A["STAMP"], stamp))
            refused("of another term", leased.ask, "HEARTBEAT", u32(A["TERM"], 9) + u64(A["STAMP"], 1))
            wait_for("it to be isolated", lambda: leased.get()["MODE"] == ISOLATED)
            refused("no lease", leased.commit)
            leased.step(GRANTED, leased.get()["TERM"])
            leased.expect(MODE=ALONE)


def expect_gone(events, index, cause):
    event = next_event(events, "NODE_GONE")
    require(genl.number(event["INDEX"]) == index, f"node {event['INDEX']} is gone, not {index}")
    require(genl.number(event["CAUSE"]) == cause, f"the cause is {event['CAUSE']}, not {cause}")


@group
def ends():
    with place(4) as channel, listener() as events:
        with step("a node goes with its owner, and no other does"):
            with netns.inside(NAMESPACE):
                owner = genl.Channel()
            Node(channel, 1, 0)
            Node(owner, 2, 0, "OWNED")
            Node(owner, 3, 1)
            owner.sock.close()
            expect_gone(events, 2, COLO["COLO_GONE_OWNER"])
            require(len(channel.request(CMD["NODE_GET"], flags=genl.DUMP)) == 2, "others went, too")
        with step("a node goes with its guest's device"):
            netns.ip(NAMESPACE, "link del guest1")
            expect_gone(events, 1, COLO["COLO_GONE_DEVICE"])
        with step("deleted, it is gone; added again, it is another"):
            channel.request(CMD["NODE_DEL"], u32(A["INDEX"], 3))
            expect_gone(events, 3, COLO["COLO_GONE_DELETED"])
            refused("no such node", channel.request, CMD["NODE_DEL"], u32(A["INDEX"], 3))
            for _ in range(50):
                Node(channel, 4, 0).ask("NODE_DEL")
    with step("nodes go with their namespace, and with the module"):
        with place(2) as channel:
            Node(channel, 1, 0)
            Node(channel, 2, 1)
        with place(2) as channel:
            Node(channel, 1, 0)
            Node(channel, 2, 1)
            unload_modules(("nf_conntrack_colo",))


@group
def many():
    count = 300
    with place(1) as channel, step(f"{count} nodes, all of them in a dump"):
        for index in range(1, count + 1):
            body = u32(A["INDEX"], index) + u8(A["ROLE"], index % 2)
            channel.request(CMD["NODE_ADD"], body + attribute(A["GUEST_DEV"], "guest1"))
        answers = channel.request(CMD["NODE_GET"], flags=genl.DUMP)
        indexes = [genl.number(dict(answer)[A["INDEX"]]) for answer in answers]
        require(indexes == list(range(1, count + 1)), f"the dump has {len(indexes)}")
        netns.ip(NAMESPACE, "link del guest1")
        require(not channel.request(CMD["NODE_GET"], flags=genl.DUMP), "some are left")


run_groups()
