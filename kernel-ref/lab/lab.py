# SPDX-License-Identifier: GPL-2.0-only
"""What the lab's programs share: where things are, and how they end."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
KERNEL_REF = HERE.parent
TOP = KERNEL_REF.parent
# Debian's tools for modules are in sbin, which a user's PATH lacks.
os.environ["PATH"] += ":/usr/sbin:/sbin"

EXIT_FAILED = 1
EXIT_ERROR = 2
EXIT_SKIPPED = 77


class LabError(Exception):
    """Something the user has to set right; its text is one line."""


class Unavailable(LabError):
    """This machine, or its network, cannot run the lab; no fault of the modules."""


def say(text):
    print(f"lab: {text}", file=sys.stderr, flush=True)


def cache_folder():
    """Outside the checkout, so that another clone finds the kernels there."""
    chosen = os.environ.get("COLO_LAB_CACHE")
    if chosen:
        return Path(chosen).resolve()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).resolve() / "colo-lab"


def build_folder():
    return Path(os.environ.get("COLO_BUILD_DIR", TOP / "build")).resolve() / "lab"


def program(name, package):
    """Where a program is that a Debian package brings."""
    found = shutil.which(name)
    if not found:
        raise Unavailable(f"{name} is missing: install the Debian package {package}")
    return found


def output_of(command, **options):
    """What a program prints; raises CalledProcessError with its stderr if it fails."""
    done = subprocess.run(
        list(map(str, command)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "LC_ALL": "C"},
        **options,
    )
    return done.stdout


@contextlib.contextmanager
def locked(folder, waiting_for):
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for {waiting_for}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run_main(main):
    """Calls main(), and ends the program with its status or one line about what is wrong."""
    try:
        sys.exit(main())
    except LabError as error:
        say(error)
        sys.exit(EXIT_ERROR)
    except KeyboardInterrupt:
        say("interrupted")
        sys.exit(130)
