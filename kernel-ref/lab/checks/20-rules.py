#!/usr/bin/python3
# lab: reduced timeout_s=120
# SPDX-License-Identifier: GPL-2.0-only
"""Modules, nodes and rules come and go in any order, twenty times, also under traffic."""

import os
import random
import subprocess
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import client
import control
import netns
from checking import MODULES, Lab, as_client, group, load_modules, loaded, require, run_groups
from checking import say, step, unload_modules
from control import LEGACY, NFT
from topology import GUEST_ADDRESS, PRIMARY, SEC_DEV, SECONDARY, TAP

ROUNDS_IDLE, ROUNDS_BUSY = 8, 12
HOSTS = (PRIMARY, SECONDARY)
SEED = int(os.environ.get("COLO_LAB_SEED", random.SystemRandom().randrange(1 << 31)))


class Round:
    """A few steps up and the same down, each in an order that chance gives."""

    def __init__(self, chance):
        self.chance = chance
        self.tools = chance.choice((LEGACY, NFT, LEGACY[:1], NFT[1:], (LEGACY[0], NFT[1])))

    def shuffled(self, *steps):
        steps = list(steps)
        self.chance.shuffle(steps)
        for function, *arguments in steps:
            function(*arguments)

    def up(self):
        subprocess.run(["modprobe", "-a", *self.chance.sample(MODULES, len(MODULES))], check=True)
        self.shuffled(*[(control.add_node, host) for host in HOSTS])
        self.shuffled(*[(control.arm, host, 1, (tool,)) for host in HOSTS for tool in self.tools])
        require(control.stats(PRIMARY)["armed"], "the primary's node is not armed")
        busy = subprocess.run(["rmmod", "nf_conntrack_colo"], capture_output=True)
        require(busy.returncode, "nf_conntrack_colo could be unloaded, though rules use it")

    def down(self):
        steps = [(control.disarm, host, (tool,)) for host in HOSTS for tool in self.tools]
        self.shuffled(*steps, *[(control.coloctl, host, "node", "del", 1) for host in HOSTS])
        first = list(MODULES[:2])
        self.chance.shuffle(first)
        unload_modules((*first, MODULES[2]))


def rounds(count, chance):
    for _ in range(count):
        one = Round(chance)
        one.up()
        one.down()


def chatter(stop, counted, faults):
    """Datagrams all the time: what the secondary does not answer is held until the rules go."""
    number = 0
    while not stop.is_set():
        number += 1
        try:
            with as_client():
                client.echo_datagram(GUEST_ADDRESS[4 + number % 2 * 2], b"%d" % number, wait_s=2)
            counted.append(number)
        except TimeoutError:
            continue  # lost with a module; UDP may
        except (OSError, client.WrongAnswer) as fault:
            faults.append(str(fault))
            return


@group
def come_and_go():
    say(f"COLO_LAB_SEED={SEED} repeats the order")
    chance = random.Random(SEED)
    with Lab(proxy=False) as lab:
        with step(f"{ROUNDS_IDLE} rounds without traffic"):
            rounds(ROUNDS_IDLE, chance)
        stop, counted, faults = threading.Event(), [], []
        thread = threading.Thread(target=chatter, args=(stop, counted, faults))
        with lab.client() as one, step(f"{ROUNDS_BUSY} rounds under traffic, nothing wrong in it"):
            one.ask(b"Before", 1)
            thread.start()
            try:
                rounds(ROUNDS_BUSY, chance)
            finally:
                stop.set()
                thread.join()
            require(not faults, f"{faults}")
            require(counted, "no datagram came through at all")
            one.ask(b"After", 2)


def saved(tool, host=PRIMARY):
    text = control.call(host, f"{tool}-save", "-t", "mangle")
    return [line for line in text.splitlines() if "COLO" in line and line.startswith("-A")]


@group
def saved_and_restored():
    with Lab(proxy=False, serve=False):
        load_modules()
        control.add_node(PRIMARY)
        for tool in LEGACY + NFT:
            with step(f"{tool}: what is saved can be restored, and is the same"):
                control.arm(PRIMARY, tools=(tool,))
                lines = saved(tool)
                require(len(lines) == 1, f"{tool}-save shows {lines}")
                require(f"-j PMYCOLO --index 1 --forward-dev {SEC_DEV}" in lines[0], lines[0])
                control.disarm(PRIMARY, tools=(tool,))
                rules = f"*mangle\n{lines[0]}\nCOMMIT\n"
                with netns.inside(PRIMARY):
                    command = [f"{tool}-restore"]
                    subprocess.run(command, input=rules, text=True, check=True, timeout=60)
                require(saved(tool) == lines, f"restored {saved(tool)}, not {lines}")
                control.disarm(PRIMARY, tools=(tool,))


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
                require(not saved("iptables", host), f"rules are left: {saved('iptables', host)}")
            unload_modules()


def setup_host(host, role, bridge, *more, verb="setup"):
    words = ("--index", 1, "--bridge", bridge, "--guest-dev", TAP, "--sec-dev", SEC_DEV)
    return control.coloctl_of_host(host, verb, role, *words, *more)


run_groups()
