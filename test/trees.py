# SPDX-License-Identifier: GPL-2.0-only
"""Tries the module where ns-3's users have it: as contrib/colo in a tree of ns-3's sources.

    ./ns3 test --trees               # ns-3.37, whose source Debian has
    ./ns3 test --trees --tree=DIR    # a tree of one's own, of any version; several may be given

In each: configure with the module, its examples and tests; build; run colo-scenario; ./test.py -s
colo. The summary of a run with a fixed seed is compared with the standalone build's: in a tree of the
same ns-3 it has to be the same. Takes some minutes, most of them ns-3's own modules.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
BUILD = TOP / "build"
PLACE = BUILD / "trees"
SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
STANDALONE_VERSION = "3.37"
RUN = ["--seed=7", "--workload=mixed:dns=1,tls=2,request-response=3", "--requests=300"]
TAIL_LINES = 25


class Failure(Exception):
    """What went wrong, in a line or with the end of a log."""


class Steps:
    """Runs commands in a folder, a line each; all that they print goes into a log."""

    def __init__(self, folder, name):
        self.folder = folder
        self.log = PLACE / f"{name}.log"
        self.log.write_bytes(b"")
        self.name = name

    def run(self, what, *words, **settings):
        begin = time.monotonic()
        print(f"{self.name}: {what} ...", end="", flush=True)
        with self.log.open("ab") as log:
            log.write(f"\n# {' '.join(map(str, words))}\n".encode())
            log.flush()
            done = subprocess.run(words, cwd=self.folder, stdout=log, stderr=log,
                                  stdin=subprocess.DEVNULL, **settings)
        print(f" {'done' if done.returncode == 0 else 'failed'}, {time.monotonic() - begin:.0f} s")
        if done.returncode != 0:
            end = self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
            raise Failure("\n".join([*end, f"all of it is in {self.log}"]))


def debian_tree():
    """ns-3's source as Debian built libns3 from it, without a change of this system's settings."""
    if found := sorted(PLACE.glob("debian/ns-3.*")):
        return found[0]
    if not shutil.which("dpkg-source"):
        raise Failure("the package dpkg-dev is missing")
    if not SOURCES.is_file():
        raise Failure(f"{SOURCES} is not there; unpack ns-3's source and give --tree=DIR")
    apt = PLACE / "apt"
    (apt / "lists/partial").mkdir(parents=True, exist_ok=True)
    text = re.sub("^Types:.*$", "Types: deb-src", SOURCES.read_text(), flags=re.MULTILINE)
    (apt / "source.sources").write_text(text)
    settings = [f"-oDir::Etc::sourceparts={apt}", "-oDir::Etc::sourcelist=/dev/null",
                f"-oDir::State::lists={apt / 'lists'}", "-oAPT::Sandbox::User=root"]
    steps = Steps(apt, "apt")
    steps.run("which sources there are", "apt-get", *settings, "-q", "update")
    steps.run("ns-3's source", "apt-get", *settings, "-q", "source", "--download-only", "ns3")
    (description,) = apt.glob("ns3_*.dsc")
    whole = apt / "whole"
    shutil.rmtree(whole, ignore_errors=True)
    steps.run("unpacking", "dpkg-source", "--no-check", "-x", description.name, whole)
    (tree,) = whole.glob("ns-3.*")
    place = PLACE / "debian" / tree.name
    place.parent.mkdir(exist_ok=True)
    return tree.rename(place)


def version_of(tree):
    try:
        return (tree / "VERSION").read_text().strip()
    except OSError:
        raise Failure(f"{tree}: has no file VERSION; is that an ns-3 tree?") from None


def link_into(tree):
    """contrib/colo is this checkout. Returns the link if it was not there before."""
    link = tree / "contrib/colo"
    if link.exists():
        if link.resolve() != TOP:
            raise Failure(f"{link}: is there already, and is not this checkout")
        return None
    link.symlink_to(TOP, target_is_directory=True)
    return link


def summary_of(folder):
    summary = json.loads((folder / "summary.json").read_text())
    del summary["wall_s"]
    return summary


def differences(ours, theirs):
    """Figures that are not the same."""
    return [f"{name}: {ours.get(name)} standalone, {theirs.get(name)} in the tree"
            for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]


def compare(tree, version):
    """Both programs, with the same options."""
    outs = {name: PLACE / f"{name}-out" for name in ("standalone", version)}
    program = BUILD / "scenarios/colo-scenario"
    subprocess.run([program, *RUN, f"--out={outs['standalone']}"], check=True,
                   stdout=subprocess.DEVNULL)
    steps = Steps(tree, f"ns-{version}-run")
    words = " ".join(["colo-scenario", *RUN, f"--out={outs[version]}"])
    steps.run("colo-scenario", "./ns3", "run", "--no-build", words)
    found = differences(*map(summary_of, outs.values()))
    if not found:
        print(f"ns-{version}: the same summary as the standalone build's")
    elif version == STANDALONE_VERSION:
        raise Failure("\n".join(["the summaries differ:", *found]))
    else:
        print(f"ns-{version}: not the same ns-3, and not the same summary: {len(found)} figures")
        print("\n".join(f"  {line[:150]}" for line in found))


def try_tree(tree, profile):
    version = version_of(tree)
    link = link_into(tree)
    steps = Steps(tree, f"ns-{version}")
    try:
        steps.run(f"configure, {profile}", "./ns3", "configure", "--enable-modules=colo",
                  "--enable-examples", "--enable-tests", f"--build-profile={profile}")
        steps.run("build", "./ns3", "build", "-j", str(os.cpu_count()))
        compare(tree, version)
        steps.run("test.py -s colo", "./test.py", "--no-build", "-s", "colo")
        if not re.search("PASS.*: TestSuite colo", steps.log.read_text()):  # in colour
            raise Failure(f"test.py did not run the suite; see {steps.log}")
    finally:
        if link:
            link.unlink()


def main():
    parser = argparse.ArgumentParser(
        prog="./ns3 test --trees", description=__doc__.split("\n\n")[0],
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", action="append", type=Path, metavar="DIR",
                        help="an ns-3 tree (default: ns-3.37 as Debian has its source)")
    parser.add_argument("--profile", default="default", choices=["debug", "default", "optimized"],
                        help="how to build it (default: default)")
    options = parser.parse_args()
    PLACE.mkdir(parents=True, exist_ok=True)
    try:
        for tree in options.tree or [debian_tree()]:
            try_tree(tree.resolve(), options.profile)
    except Failure as failure:
        print(f"./ns3 test --trees: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    os.environ.pop("PYTHONPATH", None)  # of ours; ns-3's scripts are not to import from there
    sys.exit(main())
