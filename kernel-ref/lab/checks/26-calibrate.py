#!/usr/bin/python3
# lab: timeout_s=180
# SPDX-License-Identifier: GPL-2.0-only
"""coloctl calibrate against the real modules: what it measures with a node, and says without."""

import json
import math
import subprocess
import sys

# As colo-scenario has them: unit, attribute, smallest, largest.
PROXY = "ns3::ColoPrimaryProxy::"
CHECKPOINTER = "ns3::ColoCheckpointer::"
FIGURES = {
    "kcolo-wakeup": ("ns", PROXY + "KcoloWakeup", 0, 10**9),
    "compare-per-frame": ("ns", PROXY + "KcoloCostPerFrame", 0, 10**6),
    "compare-per-kib": ("ns", PROXY + "KcoloCostPerKib", 0, 10**6),
    "flow-held-max": ("packets", PROXY + "FlowHeldMax", 1, 2**30),
    "node-held-max": ("packets", PROXY + "NodeHeldMax", 1, 2**30),
    "checkpoint-overhead": ("ns", CHECKPOINTER + "Overhead", 0, 60 * 10**9),
    "load-time": ("ns", CHECKPOINTER + "LoadTime", 0, 60 * 10**9),
}
COMPARED = {"compare-per-frame", "compare-per-kib"}
UNPRIVILEGED = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def run(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def calibrate(*before):
    """The figures by name, checked."""
    text = run(*before, "coloctl", "calibrate")
    print(text)
    calibration = json.loads(text)
    assert calibration["format"] == "colo-calibration-1"
    assert [entry["name"] for entry in calibration["figures"]] == list(FIGURES)
    for entry in calibration["figures"]:
        unit, attribute, smallest, largest = FIGURES[entry["name"]]
        assert (entry["unit"], entry["attribute"]) == (unit, attribute)
        assert type(entry["value"]) is int and smallest <= entry["value"] <= largest, entry
        measured = {"command", "machine", "date"}
        keys = {"measured": measured, "assumed": {"source"}}[entry["origin"]]
        assert set(entry) == {"name", "value", "unit", "attribute", "origin"} | keys
        assert all(entry[key] for key in keys)
    return {entry["name"]: entry for entry in calibration["figures"]}


def measured(figures):
    return {name for name, entry in figures.items() if entry["origin"] == "measured"}


def assert_wakeup_is_assumed(why, *before):
    figures = calibrate(*before)
    assert measured(figures) == COMPARED
    assert figures["kcolo-wakeup"]["source"].endswith(f"; not measured: {why}"), figures


def main():
    # Asking for the netlink family would load it: calibrate leaves modules as they are.
    subprocess.run(["modprobe", "-rq", "xt_PMYCOLO", "xt_SECCOLO", "nf_conntrack_colo"])
    assert_wakeup_is_assumed("nf_conntrack_colo is not loaded")
    assert "nf_conntrack_colo" not in run("cat", "/proc/modules")

    run("modprobe", "xt_PMYCOLO")
    assert_wakeup_is_assumed("there is no node")
    run("ip", "link", "add", "tap0", "type", "veth", "peer", "name", "tap0-far")
    run("coloctl", "node", "add", "65535", "--role", "primary", "--guest-dev", "tap0")
    assert_wakeup_is_assumed("that takes the capability CAP_NET_ADMIN", *UNPRIVILEGED)

    before = run("coloctl", "node", "list", "--json")
    figures = calibrate()
    assert measured(figures) == COMPARED | {"kcolo-wakeup"}
    assert figures["kcolo-wakeup"]["value"] > 0
    assert math.log10(figures["kcolo-wakeup"]["value"]) < 8, "a wake-up takes no 100 ms"
    assert figures["compare-per-frame"]["value"] > 0
    run("coloctl", "calibrate", "--out", "host.json")
    assert json.load(open("host.json"))["format"] == "colo-calibration-1"
    assert run("coloctl", "node", "list", "--json") == before
    run("coloctl", "node", "del", "65535")


if __name__ == "__main__":
    sys.exit(main())
