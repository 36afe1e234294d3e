#!/usr/bin/python3
# lab: reduced timeout_s=60
# SPDX-License-Identifier: GPL-2.0-only
"""Rules outlive their node: tables can be changed without it, and a new one is armed at once."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import client
import control
from checking import Lab, as_client, group, refused, require, run_groups, step
from control import LEGACY, NFT
from topology import GUEST_ADDRESS, PRIMARY, SECONDARY, TAP

IDENTIFIER = 41
OTHER_RULE = ("PREROUTING", "-p", "udp", "--dport", "9", "-j", "ACCEPT")


def ping(number):
    """Answered, whether it is compared or not."""
    data = bytes(range(56))
    with as_client():
        sock = client.send_ping(GUEST_ADDRESS[4], IDENTIFIER, number, data)
    with sock:
        client.wait_for_echo(sock, 4, IDENTIFIER, number, data, 10)


def change_table(tool):
    """With legacy tables all rules are checked anew."""
    for what in ("-A", "-D"):
        control.call(PRIMARY, tool, "-w", "-t", "mangle", what, *OTHER_RULE)


def revive(tools):
    with Lab(tools=tools, serve=False, checkpoints=False) as lab:
        with step(f"{tools[0]}: compared"):
            ping(1)
            require(control.stats(PRIMARY)["released_packets"], "nothing was compared")
        with step("without the node the table can be changed, and all passes"):
            control.coloctl(PRIMARY, "node", "del", 1)
            change_table(tools[0])
            control.arm(PRIMARY, tools=tools)
            ping(2)
        with step("a node of the other role, or with an unknown device, is refused"):
            add = ("node", "add", 1, "--role", "secondary", "--guest-dev", TAP)
            refused("other role", control.coloctl, PRIMARY, *add)
            add = ("node", "add", 1, "--role", "primary", "--guest-dev", "nosuch0")
            refused("does not exist", control.coloctl, PRIMARY, *add)
        with step("a new node is armed by the rules that are there, and compares"):
            control.add_node(PRIMARY, **lab.config)
            require(control.stats(PRIMARY)["armed"], "it is not armed")
            ping(3)
            require(control.stats(PRIMARY)["released_packets"], "nothing was compared")
        with step("the last of node and rules frees the index"):
            control.coloctl(PRIMARY, "node", "del", 1)
            control.disarm(PRIMARY, tools=tools)
            refused("no such device or address", control.arm, PRIMARY, tools=tools)
            control.disarm(SECONDARY, tools=tools)


@group
def legacy():
    revive(LEGACY)


@group
def nft():
    revive(NFT)


run_groups()
