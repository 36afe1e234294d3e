#!/usr/bin/python3
# lab: reduced timeout_s=150
# SPDX-License-Identifier: GPL-2.0-only
"""Whatever is asked wrongly gets an error and a sentence, and changes nothing."""

import json
import os
import random
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import control
import genl
import netns
from checking import Lab, group, load_modules, refused, require, run_groups, say, step
from control import LEGACY, NFT
from genl import COLO, attribute, u8, u32, u64
from topology import PRIMARY, SEC_DEV, SECONDARY, TAP

SEED = int(os.environ.get("COLO_LAB_SEED", random.SystemRandom().randrange(1 << 31)))
RANDOM_MESSAGES = 1000
REQUESTS = [COLO[name] for name in COLO if name.startswith("COLO_CMD_")][1:]
A = {name.removeprefix("COLO_A_"): number for name, number in COLO.items() if "COLO_A_" in name}
C = {name.removeprefix("COLO_C_"): number for name, number in COLO.items() if "COLO_C_" in name}
CMD = {name.removeprefix("COLO_CMD_"): COLO[name] for name in COLO if "COLO_CMD_" in name}


def nest(kind, body):
    return attribute(kind | genl.NESTED, body)


def new_node(**changes):
    """The attributes of a good NODE_ADD of node 2, some of them replaced or left out."""
    parts = {
        "INDEX": u32(A["INDEX"], 2),
        "ROLE": u8(A["ROLE"], 0),
        "GUEST_DEV": attribute(A["GUEST_DEV"], SEC_DEV),
        **changes,
    }
    return b"".join(part for part in parts.values() if part)


def config(kind, value):
    return new_node(CONFIG=nest(A["CONFIG"], value(C[kind])))


# What is asked, which command, and what with.
WRONG = [
    ("no index", "NODE_ADD", new_node(INDEX=None)),
    ("index 65536", "NODE_ADD", new_node(INDEX=u32(A["INDEX"], 65536))),
    ("index of one byte", "NODE_ADD", new_node(INDEX=u8(A["INDEX"], 2))),
    ("an index that is there", "NODE_ADD", new_node(INDEX=u32(A["INDEX"], 1))),
    ("no role", "NODE_ADD", new_node(ROLE=None)),
    ("role 7", "NODE_ADD", new_node(ROLE=u8(A["ROLE"], 7))),
    ("no device", "NODE_ADD", new_node(GUEST_DEV=None)),
    ("an unknown device", "NODE_ADD", new_node(GUEST_DEV=attribute(A["GUEST_DEV"], "nosuch0"))),
    ("a device name that is too long", "NODE_ADD", new_node(GUEST_DEV=attribute(3, "x" * 300))),
    ("a device name without end", "NODE_ADD", new_node(GUEST_DEV=attribute(3, b"a" * 16))),
    ("a configuration that is no nest", "NODE_ADD", new_node(CONFIG=attribute(A["CONFIG"], b"12"))),
    ("no time to compare", "NODE_ADD", config("COMPARE_TIMEOUT", lambda kind: u64(kind, 0))),
    ("a short time", "NODE_ADD", config("COMPARE_TIMEOUT", lambda kind: u32(kind, 5))),
    ("nothing may be held", "NODE_ADD", config("FLOW_HELD_MAX", lambda kind: u32(kind, 0))),
    ("no flows", "NODE_ADD", config("FLOWS_MAX", lambda kind: u32(kind, 0))),
    ("a lease without takeover", "NODE_ADD", config("LEASE", lambda kind: u64(kind, 10**9))),
    ("an unknown node", "NODE_DEL", u32(A["INDEX"], 77)),
    ("no index", "NODE_DEL", b""),
    ("an unknown node", "NODE_GET", u32(A["INDEX"], 77)),
    ("an unknown node", "CHECKPOINT", u32(A["INDEX"], 77)),
    ("no index", "CHECKPOINT", b""),
    ("an unknown node", "FAILOVER", u32(A["INDEX"], 77)),
    ("an unknown node", "RESET", u32(A["INDEX"], 77)),
    ("an unknown node", "HEARTBEAT", u32(A["INDEX"], 77) + u32(A["TERM"], 0) + u64(A["STAMP"], 1)),
    ("no term", "HEARTBEAT", u32(A["INDEX"], 1)),
    ("no event", "PROTOCOL", u32(A["INDEX"], 1)),
    ("event 200", "PROTOCOL", u32(A["INDEX"], 1) + u8(A["EVENT"], 200)),
    ("an event that does not fit", "PROTOCOL", u32(A["INDEX"], 1) + u8(A["EVENT"], 5)),
    ("an event without its epoch", "PROTOCOL", u32(A["INDEX"], 1) + u8(A["EVENT"], 2)),
]


def nodes(host=PRIMARY):
    """What must not change; counters of packets may."""
    found = json.loads(control.coloctl(host, "node", "list", "--json"))
    for node in found:
        del node["stats"]
    return found


def ask_wrongly(channel, what, command, body):
    flags = genl.ACK | (genl.DUMP if command == "FLOW_GET" else 0)
    try:
        channel.request(CMD[command], body, flags=flags)
    except genl.Refused as refusal:
        require(refusal.text, f"{command}, {what}: {refusal}")
        return
    require(False, f"{command} with {what} was not refused")


@group
def messages():
    with Lab(serve=False, checkpoints=False):
        before = nodes()
        with netns.inside(PRIMARY):
            channel = genl.Channel()
        for command in dict.fromkeys(command for _, command, _ in WRONG):
            cases = [(what, body) for what, name, body in WRONG if name == command]
            with step(f"{command}: {', '.join(what for what, _ in cases)}"):
                for what, body in cases:
                    ask_wrongly(channel, what, command, body)
        with step("FLOW_GET of an unknown node, and of none"):
            ask_wrongly(channel, "an unknown node", "FLOW_GET", u32(A["INDEX"], 77))
            ask_wrongly(channel, "no index", "FLOW_GET", b"")
        with step("a checkpoint of a secondary without its epoch"), netns.inside(SECONDARY):
            with genl.Channel() as other:
                ask_wrongly(other, "no epoch", "CHECKPOINT", u32(A["INDEX"], 1))
        with step("unknown commands, and events as commands"):
            for command in (0, *range(max(REQUESTS) + 1, 20), 255):
                try:
                    channel.request(command, u32(A["INDEX"], 1))
                except genl.Refused:
                    continue
                require(False, f"command {command} was not refused")
        require(nodes() == before, f"the nodes were {before}, and are {nodes()}")


def distorted(chance):
    """A message that begins as it should, with attributes that lie about type and length."""
    body = b""
    for _ in range(chance.randrange(5)):
        length = chance.choice((0, 1, 3, 4, 5, 8, 12, 200, 65535))
        data = chance.randbytes(chance.choice((0, 1, 2, 4, 8, 30)))
        body += struct.pack("HH", length, chance.randrange(2 * len(A)) | chance.choice((0, 0x8000)))
        body += data
    return body[: chance.choice((len(body), chance.randrange(len(body) + 1)))]


# Those would be heard, if chance got their attributes right: no index is 1 there.
HARMLESS = ("NODE_GET", "FLOW_GET", "NODE_ADD", "PROTOCOL", "HEARTBEAT")


@group
def distorted_messages():
    say(f"COLO_LAB_SEED={SEED} repeats them")
    chance = random.Random(SEED)
    with Lab(serve=False, checkpoints=False):
        before = nodes()
        with step(f"{RANDOM_MESSAGES} messages of nonsense"), netns.inside(PRIMARY):
            with genl.Channel() as channel:
                for _ in range(RANDOM_MESSAGES):
                    command = CMD[chance.choice(HARMLESS)]
                    dump = chance.choice((genl.ACK, genl.ACK, genl.DUMP | genl.ACK))
                    try:
                        channel.request(command, distorted(chance), flags=dump)
                    except genl.Refused:
                        continue
        require(nodes() == before, f"the nodes were {before}, and are {nodes()}")


@group
def rules():
    with Lab(proxy=False, serve=False):
        load_modules()
        control.add_node(PRIMARY)
        control.add_node(SECONDARY)
        netns.ip(PRIMARY, "link add small mtu 1500 type veth peer name small1")
        for tool in (*LEGACY, *NFT):
            arm_wrongly(tool)
        for host in (PRIMARY, SECONDARY):
            require(not control.stats(host)["armed"], f"the node of {host} is armed")


def arm_wrongly(tool):
    tools = (tool,)
    with step(f"{tool}: unknown node, wrong role, missing or small or second sec_dev"):
        refused("no such device or address", control.arm, PRIMARY, 77, tools=tools)
        refused("", control.arm, PRIMARY, tools=tools, target="SECCOLO")
        refused("no such device", control.arm, PRIMARY, tools=tools, forward="nosuch0")
        refused("invalid argument", control.arm, PRIMARY, tools=tools, forward=None)
        refused("message too long", control.arm, PRIMARY, tools=tools, forward="small")
    with step(f"{tool}: an index that is no number, too large, or missing; a wrong table or chain"):
        for words in (
            ["--index", "x"],
            ["--index", "65536"],
            ["--index", "-1"],
            [],
            ["--index", "1", "--forward-dev", "a" * 16],
            ["--index", "1", "--forward-dev", "a/b"],
        ):
            rule = ["-t", "mangle", "-A", "PREROUTING", "-j", "PMYCOLO", *words]
            refused("", control.call, PRIMARY, tool, *rule)
        right = ["-j", "PMYCOLO", "--index", 1, "--forward-dev", SEC_DEV]
        refused("", control.call, PRIMARY, tool, "-t", "filter", "-A", "FORWARD", *right)
        refused("", control.call, PRIMARY, tool, "-t", "mangle", "-A", "POSTROUTING", *right)


@group
def another_sec_dev():
    with Lab(serve=False, checkpoints=False):
        netns.ip(PRIMARY, "link add other mtu 1600 type veth peer name other1")
        with step("a second rule that names another sec_dev is refused, the first one holds"):
            refused("busy", control.arm, PRIMARY, forward="other")
            require(control.stats(PRIMARY)["sec_dev"] == SEC_DEV, "sec_dev is another now")


@group
def callers():
    nobody = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
    own_user = ("unshare", "--user", "--map-root-user")
    add = ("coloctl", "node", "add", 2, "--role", "primary", "--guest-dev", TAP)
    with Lab(serve=False, checkpoints=False):
        before = nodes()
        for what, who in (("an ordinary user", nobody), ("root of a user namespace", own_user)):
            with step(f"{what} may neither add, delete, commit nor fail over"):
                refused("not permitted", control.call, PRIMARY, *who, *add)
                for words in (("node", "del"), ("checkpoint",), ("failover",), ("reset",)):
                    refused("not permitted", control.call, PRIMARY, *who, "coloctl", *words, 1)
        with step("root of a user and a network namespace sees none of our nodes there"):
            command = (*own_user, "--net", "coloctl", "node", "list", "--json")
            require(json.loads(control.call(PRIMARY, *command)) == [], "it sees nodes")
        require(nodes() == before, f"the nodes were {before}, and are {nodes()}")


@group
def coloctl_itself():
    with Lab(serve=False, checkpoints=False):
        with step("coloctl says what is wrong"):
            for words, said in (
                (("node", "add", 70000, "--role", "primary", "--guest-dev", TAP), "65535"),
                (("node", "add", 2, "--role", "third", "--guest-dev", TAP), "primary"),
                (("node", "add", 2, "--role", "primary"), "guest-dev"),
                (("node", "del", 77), "77"),
                (("flows", 77), "77"),
                (("protocol", 1, "nonsense"), "request"),
                (("nonsense",), "nonsense"),
            ):
                refused(said, control.coloctl, PRIMARY, *words)


run_groups()
