# SPDX-License-Identifier: GPL-2.0-only
"""coloctl on a host of the lab, and the rules that arm its node."""

import json
import queue
import subprocess
import threading

import netns
from topology import PRIMARY, SEC_DEV, SECONDARY, TAP

ROLES = {PRIMARY: "primary", SECONDARY: "secondary"}
TARGETS = {PRIMARY: "PMYCOLO", SECONDARY: "SECCOLO"}
LEGACY = ("iptables-legacy", "ip6tables-legacy")
NFT = ("iptables-nft", "ip6tables-nft")


class Refused(Exception):
    """A program said no; its words."""


def call(host, *words, timeout=60):
    done = netns.run(host, *words, check=False, timeout=timeout)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise Refused(f"{' '.join(map(str, words))}: {said} (status {done.returncode})")
    return done.stdout


def coloctl(host, *words):
    return call(host, "coloctl", *words)


# Two hosts of one kernel: each needs its own /sys of devices, and a place to note what it did.
AS_HOST = """
    mkdir -p /run/coloctl "/run/$0"
    mount --bind "/run/$0" /run/coloctl
    exec coloctl "$@"
"""


def coloctl_of_host(host, *words):
    """As on a machine of its own, where it can look at bridges; takes longer."""
    return call(host, "ip", "netns", "exec", host, "bash", "-ec", AS_HOST, host, *words)


def add_node(host, index=1, **config):
    options = []
    for name, value in config.items():
        options += ["--" + name.replace("_", "-")] + ([] if value is True else [value])
    coloctl(host, "node", "add", index, "--role", ROLES[host], "--guest-dev", TAP, *options)


def rule(host, index=1, target=None, forward=SEC_DEV):
    """What follows -A or -D."""
    words = ["PREROUTING", "-m", "physdev", "--physdev-in", TAP, "-j", target or TARGETS[host]]
    return words + ["--index", index] + (["--forward-dev", forward] if forward else [])


def arm(host, index=1, tools=LEGACY, **how):
    for tool in tools:
        call(host, tool, "-w", "-t", "mangle", "-A", *rule(host, index, **how))


def disarm(host, tools=LEGACY):
    for tool in tools:
        call(host, tool, "-w", "-t", "mangle", "-F", "PREROUTING")


def stats(host, index=1):
    """One flat dictionary: node and its counters."""
    node = json.loads(coloctl(host, "node", "list", index, "--json"))[0]
    return {**node, **node["stats"]}


def flows(host, index=1):
    return json.loads(coloctl(host, "flows", index, "--json"))


def checkpoint(host, index=1, epoch=None):
    coloctl(host, "checkpoint", index, *([] if epoch is None else ["--epoch", epoch]))


class Monitor:
    """The events of a host, as they come; none is missed once it is there."""

    def __init__(self, host):
        self.seen = []
        self.news = queue.Queue()
        self.process = netns.start(
            host,
            "coloctl",
            "monitor",
            "--json",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if "listening" not in self.process.stdout.readline():
            raise Refused(f"coloctl monitor: {self.process.stderr.read().strip()}")
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            event = json.loads(line)
            self.seen.append(event)
            self.news.put(event)
        self.news.put(None)

    def next(self, timeout_s=None):
        """None when the monitor has ended. Raises queue.Empty."""
        return self.news.get(timeout=timeout_s)

    def requests(self):
        return [event for event in list(self.seen) if event["event"] == "checkpoint-requested"]

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.thread.join()
        self.process.stdout.close()
        self.process.stderr.close()
