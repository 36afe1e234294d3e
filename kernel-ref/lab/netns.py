# SPDX-License-Identifier: GPL-2.0-only
"""Network namespaces: a thread enters one, and what it opens or starts meanwhile belongs there."""

import contextlib
import ctypes
import os
import subprocess

NAMESPACES = "/run/netns"
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def enter(descriptor):
    if libc.setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def inside(name):
    """This thread alone is in another namespace; sockets and processes made there stay there."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"{NAMESPACES}/{name}", os.O_RDONLY)
    try:
        enter(there)
        try:
            yield
        finally:
            enter(before)
    finally:
        os.close(there)
        os.close(before)


def run(name, *command, check=True, timeout=60, **options):
    """A program in a namespace; CompletedProcess with text."""
    with inside(name):
        return subprocess.run(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            check=check,
            timeout=timeout,
            **options,
        )


def start(name, *command, **options):
    with inside(name):
        return subprocess.Popen([str(word) for word in command], **options)


def ip(name, *lines, check=True):
    """Commands of ip(8), one a line, in one process: starting one is what takes time."""
    force = [] if check else ["-force"]
    with inside(name):
        done = subprocess.run(
            ["ip", *force, "-batch", "-"],
            input="\n".join(lines) + "\n",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60,
        )
    if check and done.returncode:
        raise RuntimeError(f"ip in {name}: {done.stdout.strip()}")
    return done.stdout


def sysctl(name, settings):
    """Sets what there is; a kernel built without a feature lacks its setting."""
    with inside(name):
        for key, value in settings.items():
            with contextlib.suppress(FileNotFoundError):
                with open("/proc/sys/" + key, "w", encoding="ascii") as file:
                    file.write(str(value))
