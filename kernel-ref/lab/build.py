#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Builds the modules for a kernel, and the user-space tools, in copies of kernel-ref.

A copy a kernel, so that the sources stay clean and several kernels can be built for at once.
What did not change is not compiled again. The copies are in build/lab.
"""

import argparse
import filecmp
import os
import shutil
import subprocess
from pathlib import Path

import fetch
import lab
from lab import LabError

NOT_COPIED = {"lab", "__pycache__"}
MAKE_S_MAX = 900


class BuildFailed(LabError):
    """What make said."""


def is_made(path):
    """Whether a build made a file: one in the sources themselves leaves its own there."""
    if path.name == "Module.symvers" or path.suffix in (".cmd", ".d", ".mod", ".order"):
        return True
    with open(path, "rb") as file:
        return path.name.endswith(".mod.c") or file.read(4) == b"\x7fELF"


def own_files(folder):
    """The sources below a folder, relative to it."""
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in NOT_COPIED and name[0] != "."]
        for path in (Path(place, name) for name in names):
            if not is_made(path):
                yield str(path.relative_to(folder))


def copy(source, target):
    """Copies what differs, and nothing else, for make looks at the time of a change."""
    target.mkdir(parents=True, exist_ok=True)
    wanted = set(own_files(source))
    manifest = target / ".copied"
    before = set(manifest.read_text().splitlines()) if manifest.exists() else set()
    for name in before - wanted:
        (target / name).unlink(missing_ok=True)
    for name in wanted:
        there = target / name
        there.parent.mkdir(parents=True, exist_ok=True)
        if not there.exists() or not filecmp.cmp(source / name, there, shallow=False):
            shutil.copyfile(source / name, there)
            shutil.copymode(source / name, there)
    manifest.write_text("\n".join(sorted(wanted)) + "\n")


def make(folder, log, *arguments):
    """Runs make; its output is in the log, and if it fails the errors are in the exception."""
    command = [lab.program("make", "make"), "-C", folder, f"-j{os.cpu_count()}", *arguments]
    if shutil.which("ccache"):
        command += ["CC=ccache gcc"]
    with open(log, "wb") as output:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, timeout=MAKE_S_MAX
        )
    if done.returncode:
        lines = log.read_text(errors="replace").splitlines()
        errors = [line for line in lines if "error" in line.lower()]
        raise BuildFailed("\n".join((errors or lines)[:10] + [f"all of it in {log}"]))


def build(name, products, *arguments):
    """The folder of a copy, built; products are what has to be there then."""
    folder = lab.build_folder() / name
    with lab.locked(folder, f"another build for {name}"):
        copy(lab.KERNEL_REF, folder / "src")
        if not (folder / "src/Makefile").exists():
            raise BuildFailed(f"{lab.KERNEL_REF} has no Makefile")
        make(folder / "src", folder / "make.log", *arguments)
    found = []
    for pattern in products:
        files = [path for path in sorted((folder / "src").rglob(pattern)) if path.is_file()]
        if not files:
            raise BuildFailed(f"make {' '.join(arguments)} made no {pattern}")
        found += files
    return found


def build_modules(kernel):
    """The .ko files for a kernel."""
    # An empty CONFIG_DEBUG_INFO_BTF_MODULES: Debian's 6.12 would ask for pahole otherwise.
    return build(
        kernel.release,
        ["*.ko"],
        "modules",
        f"KDIR={kernel.headers}",
        "CONFIG_DEBUG_INFO_BTF_MODULES=",
    )


def build_tools():
    """coloctl and the plugins of iptables, the same for all kernels."""
    return build("tools", ["libxt_*.so", "coloctl"], "tools")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("series", nargs="*", default=fetch.SERIES)
    for series in parser.parse_args().series:
        for path in build_modules(fetch.fetch(series)):
            print(path)
    for path in build_tools():
        print(path)


if __name__ == "__main__":
    lab.run_main(main)
