#!/usr/bin/python3
# lab: timeout_s=240
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
from checking import MODULES, Lab, as_client, group, require, run_groups, say, step
from checking import unload_modules
from control import LEGACY, NFT
from topology import GUEST_ADDRESS, PRIMARY, SECONDARY

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
            pass  # lost with a module; UDP may
        except (OSError, client.WrongAnswer) as fault:
            faults.append(str(fault))
            return
        stop.wait(0.02)  # the others need the processor, too


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


run_groups()
