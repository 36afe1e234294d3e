# SPDX-License-Identifier: GPL-2.0-only
"""The plugins of iptables, in the real programs, as far as they need no kernel module."""

import os
import shutil
import subprocess

import pytest

from coloctl_program import TOOLS

TARGETS = ["PMYCOLO", "SECCOLO"]
PROGRAMS = ["iptables-legacy", "iptables-nft", "ip6tables-legacy", "ip6tables-nft"]

pytestmark = [
    pytest.mark.skipif(
        not all((TOOLS / f"libxt_{name}.so").exists() for name in TARGETS),
        reason="the plugins are not built",
    ),
    pytest.mark.skipif(not shutil.which("iptables-nft"), reason="iptables is not installed"),
]


def plugin_folders():
    libxtables = subprocess.run(
        ["pkg-config", "--variable=xtlibdir", "xtables"], capture_output=True, text=True
    )
    return f"{TOOLS}:{libxtables.stdout.strip()}"


def run(program, *arguments):
    environment = {**os.environ, "XTABLES_LIBDIR": plugin_folders()}
    return subprocess.run(
        [program, *arguments], env=environment, capture_output=True, text=True, timeout=60
    )


def append(program, target, *options):
    # In a table of its own: a rule that passes for right must not come into force here.
    return run(program, "-t", "colo-none", "-A", "PREROUTING", "-j", target, *options)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_help(program, target):
    done = run(program, "-t", "mangle", "-A", "PREROUTING", "-j", target, "--help")
    assert done.returncode == 0
    own = done.stdout[done.stdout.index(f"\n{target} target\n") :]
    assert "PREROUTING" in own
    assert f"{target} target options:\n  --index N " in own
    assert "0 to 65535" in own
    assert "\n  --forward-dev DEV " in own


BAD = [
    ([], 'option "--index" must be specified'),
    (["--forward-dev", "eth1"], 'option "--index" must be specified'),
    (["--index"], 'option "--index" requires an argument'),
    (["--index", "x"], 'bad value for option "--index", or out of range (0-65535)'),
    (["--index", "65536"], 'bad value for option "--index", or out of range (0-65535)'),
    (["--index", "-1"], 'bad value for option "--index", or out of range (0-65535)'),
    (["--index", "1", "--index", "2"], 'option "--index" can only be used once'),
    (["--index", "1", "--forward-dev", ""], '--forward-dev "" is empty'),
    (
        ["--index", "1", "--forward-dev", "0123456789abcdef"],
        '--forward-dev "0123456789abcdef" is longer than 15 characters',
    ),
    (["--index", "1", "--forward-dev", ".."], '--forward-dev ".." is no name of a device'),
    (
        ["--index", "1", "--forward-dev", "a/b"],
        '--forward-dev "a/b" has a character that no device\'s name has',
    ),
    (
        ["--index", "1", "--forward-dev", "a b"],
        '--forward-dev "a b" has a character that no device\'s name has',
    ),
    (["--index", "1", "--frob"], 'unknown option "--frob"'),
]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("options, text", BAD, ids=[" ".join(options) for options, _ in BAD])
def test_bad_options(target, options, text):
    done = append("iptables-nft", target, *options)
    assert done.returncode == 2
    assert text in done.stderr
    assert "iptables v" in done.stderr


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_each_program_checks_options(program, target):
    done = append(program, target, "--index", "65536")
    assert done.returncode == 2
    assert f'{target}: bad value for option "--index"' in done.stderr


# iptables-translate parses a rule without a kernel. What becomes of one in a kernel, and by save
# and restore, the lab's check 24-coloctl sees.
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("program", ["iptables-translate", "ip6tables-translate"])
@pytest.mark.parametrize("index", ["0", "1", "65535"])
def test_rule_is_understood(program, target, index):
    options = f"-j {target} --index {index} --forward-dev eth1"
    done = run(program, "-t", "mangle", "-A", "PREROUTING", *options.split())
    assert done.returncode == 0
    assert options in done.stdout
