# SPDX-License-Identifier: GPL-2.0-only
"""coloctl's command line, as far as it needs no kernel module."""

import re
import shutil
import subprocess

import pytest

from coloctl_program import COLOCTL, TOP, complaint, needs_coloctl, run

pytestmark = needs_coloctl

MANUAL = TOP / "kernel-ref/coloctl/coloctl.8"
COMMANDS = """
    node add|node del|node list|stats|flows|monitor|checkpoint|protocol|heartbeat|failover|reset|
    announce|setup|teardown|calibrate
"""
COMMANDS = [name.strip() for name in COMMANDS.split("|")]


def test_help_lists_every_command():
    done = run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    listed = re.findall(r"^  ((?:node )?[a-z]+)", done.stdout, re.MULTILINE)
    assert listed == COMMANDS
    assert run("-h").stdout == run("help").stdout == done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(command):
    done = run(*command.split(), "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: coloctl {command} ")
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert run(*command.split(), "-h").stdout == done.stdout


def test_manual_names_every_command_and_option():
    manual = MANUAL.read_text().replace("\\-", "-")
    for command in COMMANDS:
        assert command in manual
        text = run(*command.split(), "--help").stdout
        for option in re.findall(r"^  --([a-z0-9-]+)", text, re.MULTILINE):
            assert f"Fl -{option}" in manual or option == "help", option


@pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not installed")
def test_manual_is_well_formed():
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "style", MANUAL], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")


# The host's own kernel has no module of ours loaded while the tests run; else these say nothing.
FAMILY = 'the kernel has no netlink family "colo": modprobe nf_conntrack_colo'
NEED_KERNEL = """
    node add 1 --role primary --guest-dev tap0 --owned --compare-timeout 5ms --plain
    node add 65535 --role=secondary --guest-dev=tap0 --lease 1s --takeover 2s --heartbeat 300ms
    node add 2 --role secondary --guest-dev tap0 --joining
    node del 1
    node list
    node list 0
    stats
    stats 1 --json
    --json flows 1
    monitor 1 --count 2
    checkpoint 1 --epoch 4294967295
    protocol 1 paused
    heartbeat 1 --term 0 --stamp 18446744073709551615
    failover 1
    failover 1 --bridge br0 --mac 52:54:00:00:00:01 --address 10.0.0.2 --address ::1@5 --dry-run
    reset 1
"""


@pytest.mark.parametrize("line", NEED_KERNEL.strip().split("\n    "))
def test_without_the_module(line):
    done = run(*line.split())
    assert complaint(done, 1) == FAMILY


BAD = {
    "": "what to do? coloctl --help lists the commands",
    "frob": 'no command is called "frob"; coloctl --help lists them',
    "node": 'no command is called "node"; coloctl --help lists them',
    "node frob": 'no command is called "node frob"; coloctl --help lists them',
    "node add": "node add needs more; usage: coloctl node add "
    "INDEX --role ROLE --guest-dev DEV [OPTION...]",
    "node add x": 'node add: INDEX is a number, 0 to 65535; not "x"',
    "node add 65536": 'node add: INDEX is a number, 0 to 65535; not "65536"',
    "node add -1": "node add has no option -1; see coloctl node add --help",
    "node add 1": "node add needs --role ROLE",
    "node add 1 --role": "--role needs a value: ROLE",
    "node add 1 --role x": '--role is one of primary, secondary; not "x"',
    "node add 1 --role primary": "node add needs --guest-dev DEV",
    "node add 1 --role primary --role primary": "--role is given twice",
    "node add 1 --frob": "node add has no option --frob; see coloctl node add --help",
    "node add 1 --owned=yes": "--owned takes no value",
    "node add 1 --guest-dev a/b": '--guest-dev "a/b" has a character that no device\'s name has',
    "node add 1 --guest-dev=": '--guest-dev "" is empty',
    "node add 1 --guest-dev 0123456789abcdef": '--guest-dev "0123456789abcdef" '
    "is longer than 15 characters",
    "node add 1 --compare-timeout 3": "--compare-timeout is a time like "
    '3s, 1.5s, 20ms or 500us; not "3"',
    "node add 1 --flows-max 4294967296": "--flows-max is a number, 0 to 4294967295; "
    'not "4294967296"',
    "node add 1 --ack maybe": '--ack is one of hold, clamp; not "maybe"',
    "node add 1 --role primary --guest-dev t --compare-timeout 0": "--compare-timeout is longer "
    "than 0",
    "node add 1 --role primary --guest-dev t --lease 1s": "--takeover has to be longer than "
    "--lease 1s",
    "node add 1 --role primary --guest-dev t --lease 1s --takeover 2s": "--heartbeat has to be "
    "shorter than --lease 1s, and not 0",
    "node add 1 --role primary --guest-dev t --interval-min 2s --interval-max 1s": "--interval-min "
    "2s is longer than --interval-max 1s",
    "node add 1 --role primary --guest-dev t --joining": "--joining is for a secondary",
    "stats 1 2": 'stats: "2" is one word too many; usage: coloctl stats [INDEX]',
    "flows": "flows needs more; usage: coloctl flows INDEX",
    "protocol 1 dance": "protocol: EVENT is one of request, paused, reply, state, received, "
    'loaded, abort, granted, denied, term, join; not "dance"',
    "heartbeat 1": "heartbeat needs --term N",
    "heartbeat 1 --term 1 --stamp 18446744073709551616": "--stamp is a number, "
    '0 to 18446744073709551615; not "18446744073709551616"',
    "failover 1 --mac 52:54:00:00:00:01": "--mac and --address are of use with --bridge only",
    "failover 1 --bridge br0 --mac 53:54:00:00:00:01": "--mac is a guest's address like "
    '52:54:00:12:34:56; not "53:54:00:00:00:01"',
    "failover 1 --bridge br0 --address 10.0.0": "--address is an IP address, perhaps with @VLAN; "
    'not "10.0.0"',
    "announce": "announce needs more; usage: coloctl announce "
    "BRIDGE --mac MAC [--address ADDRESS]...",
    "announce br0": "announce needs --mac MAC",
}


@pytest.mark.parametrize("line, text", BAD.items(), ids=BAD.keys())
def test_bad_command_line(line, text):
    assert complaint(run(*line.split()), 2) == text


def test_announce_on_no_device():
    done = run("announce", "no-such-br", "--mac", "52:54:00:00:00:01")
    assert complaint(done, 1) == "announce: there is no device no-such-br"


def test_output_that_cannot_be_written():
    with open("/dev/full", "w") as full:
        command = [COLOCTL, "--help"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (1, "coloctl: cannot write to standard output\n")
