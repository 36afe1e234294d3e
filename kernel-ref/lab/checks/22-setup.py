#!/usr/bin/python3
# lab: reduced
# SPDX-License-Identifier: GPL-2.0-only
"""Other ways to arm two hosts: the modules' parameter, and coloctl setup. Both compare."""

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import client
import control
from checking import MODULES, Lab, as_client, group, loaded, require, run_groups, step
from checking import unload_modules
from topology import GUEST_ADDRESS, PRIMARY, SEC_DEV, SECONDARY, TAP

HOSTS = (PRIMARY, SECONDARY)


@group
def sec_dev_as_parameter():
    with Lab(proxy=False, serve=False):
        with step("without --forward-dev the module's parameter sec_dev holds"):
            for module in MODULES[:2]:
                subprocess.run(["modprobe", module, f"sec_dev={SEC_DEV}"], check=True)
            for host in HOSTS:
                control.add_node(host)
                control.arm(host, forward=None)
                found = control.stats(host)["sec_dev"]
                require(found == SEC_DEV, f"sec_dev of {host} is {found}")
        with step("a ping is compared"), as_client():
            client.ping(GUEST_ADDRESS[4])
            require(control.stats(PRIMARY)["from_sec_dev"] > 0, "nothing came over sec_dev")
        for host in HOSTS:
            control.disarm(host)
            control.coloctl(host, "node", "del", 1)
        unload_modules()  # the next to load them shall not find our parameter


@group
def set_up_by_coloctl():
    words = {PRIMARY: ("primary", "br0"), SECONDARY: ("secondary", "br1")}
    with Lab(proxy=False, serve=False):
        with step("coloctl setup --dry-run says what it would do, and does nothing"):
            for host in HOSTS:
                said = setup_host(host, *words[host], "--dry-run")
                require("iptables" in said, f"it says {said}")
            require(not loaded(), f"it loaded {loaded()}")
        with step("coloctl setup on both hosts: a ping is compared"), as_client():
            for host in HOSTS:
                setup_host(host, *words[host])
            client.ping(GUEST_ADDRESS[4])
            client.ping(GUEST_ADDRESS[6])
            require(control.stats(PRIMARY)["from_sec_dev"] > 0, "nothing came over sec_dev")
        with step("coloctl teardown: no node and no rule is left"):
            for host in HOSTS:
                setup_host(host, *words[host], verb="teardown")
                rules = control.call(host, "iptables-save", "-t", "mangle")
                require("COLO" not in rules, f"rules are left: {rules}")
            unload_modules()


def setup_host(host, role, bridge, *more, verb="setup"):
    words = ("--index", 1, "--bridge", bridge, "--guest-dev", TAP, "--sec-dev", SEC_DEV)
    return control.coloctl_of_host(host, verb, role, *words, *more)


run_groups()
