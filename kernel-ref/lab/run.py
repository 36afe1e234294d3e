#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Builds the modules for Debian's kernels, boots these in QEMU, and runs the checks there.

A check is a program in checks/; README.md says what it can rely on. One line is printed for
each as it ends. Status 0 if none failed, 1 if one did or the build, 2 if they could not be run.
"""

import argparse
import fnmatch
import json
import os
import queue
import re
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boot
import build
import fetch
import lab
from lab import LabError, Unavailable, say

CHECKS = lab.HERE / "checks"
AGENT = lab.HERE / "agent.py"
XTABLES = "/usr/lib/x86_64-linux-gnu/xtables"
# All in software, so a core for each guest.
GUESTS_MAX = 2
BOOT_S_MAX = 120
CHECK_S_MAX = 60
# What the agent may take to clean up after a check.
GRACE_S = 60
# How much slower a kernel is that looks at every access to memory.
DEBUG_SLOWNESS = 6
DEBUG_APPEND = "kasan_multi_shot"
QUICK_DEBUG = "kmemleak=off no_debug_objects"
POLL_S = 0.05
RUNS_KEPT = 20
LINES_SHOWN = 25


class Check:
    """A program, and what the line "# lab:" at its top says: reduced, timeout_s=N."""

    def __init__(self, path):
        self.path = path
        self.name = path.stem
        marks = re.search(r"^# lab:(.*)$", path.read_text(), re.MULTILINE)
        words = marks.group(1).split() if marks else []
        self.reduced = "reduced" in words
        self.timeout_s = CHECK_S_MAX
        for word in words:
            if word.startswith("timeout_s="):
                self.timeout_s = int(word.removeprefix("timeout_s="))
            elif word != "reduced":
                raise LabError(f"{path}: '# lab:' knows reduced and timeout_s=N, not {word}")

    def command(self):
        interpreter = "/usr/bin/python3" if self.path.suffix == ".py" else "/bin/bash"
        return [interpreter, str(self.path)]


def all_checks(folder):
    return [Check(path) for path in sorted(folder.iterdir()) if path.suffix in (".sh", ".py")]


def chosen_checks(folder, patterns, reduced):
    checks = [check for check in all_checks(folder) if check.reduced or not reduced]
    for pattern in patterns:
        if not any(matches(check, [pattern]) for check in checks):
            raise LabError(f"no check is called like '{pattern}'; --list shows them")
    return [check for check in checks if not patterns or matches(check, patterns)]


def matches(check, patterns):
    return any(fnmatch.fnmatch(check.name, f"*{pattern}*") for pattern in patterns)


class Run:
    """All that is done with one kernel."""

    def __init__(self, name, folder, checks, options):
        self.name = name
        self.folder = folder
        self.options = options
        self.kernel = None
        self.modules = []
        self.slowness = 1
        self.waiting = queue.Queue()
        for check in checks:
            self.waiting.put(check)
        self.results = []
        self.seconds = {}
        self.guests = []
        self.stopped = False
        self.error = None

    # Before the boot

    def timed(self, what, function, *arguments):
        start = time.monotonic()
        try:
            return function(*arguments)
        finally:
            self.seconds[what] = round(time.monotonic() - start, 2)

    def find_kernel(self):
        if self.name != "debug":
            return fetch.fetch(self.name)
        self.slowness = DEBUG_SLOWNESS
        return fetch.own_kernel(self.options.debug_kernel, self.options.debug_headers)

    def install(self, modules, tools):
        """Copies of what was built, for another run may build anew while this one goes on."""
        tree = self.folder / "lib/modules" / self.kernel.release
        for folder, files in ((tree / "updates", modules), (self.folder / "tools", tools)):
            folder.mkdir(parents=True)
            for path in files:
                shutil.copy(path, folder)
        if self.kernel.root:
            stock = self.kernel.root / "lib/modules" / self.kernel.release
            for path in [*stock.glob("modules.builtin*"), stock / "modules.order"]:
                shutil.copy(path, tree)
            (tree / "kernel").symlink_to(stock / "kernel")
        lab.output_of([lab.program("depmod", "kmod"), "-b", self.folder, self.kernel.release])

    def prepare(self):
        self.folder.mkdir(parents=True)
        self.kernel = self.timed("fetch", self.find_kernel)
        modules = self.timed("build", build.build_modules, self.kernel)
        tools = build.build_tools() if self.options.tools else []
        self.modules = [path.stem.replace("-", "_") for path in modules]
        self.install(modules, tools)

    def environment(self):
        tools = self.folder / "tools"
        return {
            "COLO_LAB_KERNEL": self.name,
            "COLO_LAB_RELEASE": self.kernel.release,
            "COLO_LAB_CHECKS": str(self.options.checks),
            "COLO_LAB_MODULES": str(self.folder / f"lib/modules/{self.kernel.release}/updates"),
            "COLO_LAB_TOOLS": str(tools),
            "COLO_LAB_SLOWNESS": str(self.slowness),
            "XTABLES_LIBDIR": f"{tools}:{XTABLES}",
            "PATH": f"{tools}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    # The guests

    def boot(self, out):
        debug = self.name == "debug"
        append = [self.options.append]
        if debug:
            append += [DEBUG_APPEND] + ([] if self.options.leaks else [QUICK_DEBUG])
        out.mkdir(parents=True)
        (out / "orders").touch()
        (out / "results").touch()
        return boot.Guest(
            self.kernel,
            ["/usr/bin/python3", "-B", AGENT, boot.OUT_IN_GUEST],
            out,
            memory_mib=2048 if debug else 1024,
            cpus=self.options.cpus,
            append=" ".join(append),
            modules=self.folder / "lib/modules" / self.kernel.release,
        )

    def next_result(self, guest, results, timeout_s):
        """The agent's next line; if none comes, the guest is dead then."""
        end = time.monotonic() + timeout_s
        while True:
            start = results.tell()
            line = results.readline()
            if line.endswith("\n"):
                return json.loads(line)
            results.seek(start)
            if not guest.alive():
                raise boot.GuestDied("the guest died: " + guest.last_words())
            if time.monotonic() > end:
                guest.panic()
                raise boot.GuestDied(
                    f"the guest hung: no answer for {timeout_s:.0f} s\n{guest.last_words()}"
                )
            time.sleep(POLL_S)

    def order(self, guest, results, check):
        """Has a guest run a check; False if the guest did not live through it."""
        start = time.monotonic()
        timeout_s = check.timeout_s * self.slowness
        order = {
            "name": check.name,
            "command": check.command(),
            "timeout_s": timeout_s,
            "environment": self.environment(),
            "modules": self.modules,
            "leaks": self.options.leaks,
        }
        with open(guest.out / "orders", "a") as orders:
            print(json.dumps(order), file=orders)
        try:
            result = self.next_result(guest, results, timeout_s + GRACE_S * self.slowness)
            alive = True
        except boot.GuestDied as death:
            if self.stopped:
                return False
            seconds = round(time.monotonic() - start, 2)
            result = {"name": check.name, "seconds": seconds, "status": "failed"}
            result["why"] = str(death).splitlines()
            alive = False
        result["log"] = str(guest.out / f"{check.name}.log")
        result["kernel_log"] = str(guest.out / (f"{check.name}.dmesg" if alive else "console"))
        self.note(result)
        return alive

    def serve(self, number):
        """Boots guests, one after another if they die, until no check waits."""
        boots = 0
        while not self.waiting.empty() and not self.stopped:
            out = self.folder / f"guest{number}-{boots}"
            boots += 1
            start = time.monotonic()
            with self.boot(out) as guest, open(out / "results") as results:
                self.guests.append(guest)
                try:
                    self.next_result(guest, results, BOOT_S_MAX * self.slowness)
                except boot.GuestDied as death:
                    self.stopped = True
                    raise LabError(f"{self.name}: no boot: {death}; see {out}/console") from None
                self.seconds.setdefault("boot", round(time.monotonic() - start, 2))
                while check := self.next_check():
                    if not self.order(guest, results, check):
                        break

    def stop(self):
        self.stopped = True
        for guest in self.guests:
            guest.kill()

    def next_check(self):
        try:
            return self.waiting.get_nowait()
        except queue.Empty:
            return None

    def __call__(self):
        start = time.monotonic()
        try:
            self.prepare()
            guests = min(self.options.guests, self.waiting.qsize())
            with ThreadPoolExecutor(max(guests, 1)) as pool:
                list(pool.map(self.serve, range(guests)))
        except build.BuildFailed as failure:
            why = str(failure).splitlines()
            self.note({"name": "build", "seconds": 0, "status": "failed", "why": why, "log": ""})
        except LabError as error:
            self.error = error
        self.seconds["all"] = round(time.monotonic() - start, 2)

    # Its results

    def note(self, result):
        self.results.append(result)
        word = {"ok": "ok", "failed": "FAILED", "skipped": "skipped"}[result["status"]]
        lines = [f"{self.name:6} {result['name']:32} {word:8}{result['seconds']:6.1f} s"]
        log = Path(result["log"]).read_text(errors="replace") if is_file(result["log"]) else ""
        if result["status"] == "skipped" and log:
            lines[0] += ": " + log.strip().splitlines()[-1]
        elif result["status"] == "failed":
            lines += [f"    {line}" for line in log.splitlines()[-LINES_SHOWN:]]
            lines += [f"  {line}" for line in result["why"]]
            if log:
                lines += [f"  all of it in {result['log']}", f"  kernel: {result['kernel_log']}"]
        elif self.options.verbose:
            lines += [f"    {line}" for line in log.splitlines()]
        # In one piece, for another kernel's lines may come at the same time.
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()

    def count(self, status):
        return sum(result["status"] == status for result in self.results)

    def summary(self):
        release = self.kernel.release if self.kernel else "no kernel"
        times = ", ".join(f"{what} {seconds:.1f} s" for what, seconds in self.seconds.items())
        return f"{self.name:6} {release}: {times}"

    def as_json(self):
        return {
            "kernel": self.name,
            "release": self.kernel and self.kernel.release,
            "seconds": self.seconds,
            "error": self.error and str(self.error),
            "checks": self.results,
        }


def is_file(name):
    return bool(name) and Path(name).is_file()


def new_folder():
    """A folder for this run's results; those of a few runs before are kept."""
    runs = lab.build_folder() / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    for old in sorted(runs.iterdir(), key=lambda path: path.stat().st_mtime)[:-RUNS_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    folder = runs / time.strftime(f"%Y%m%d-%H%M%S-{os.getpid()}")
    folder.mkdir()
    return folder


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    kernels = [*fetch.SERIES, "all"]
    add("--kernel", choices=kernels, default=None, help="default: all, or none if --debug-kernel")
    add("--debug-kernel", metavar="BZIMAGE", help="a kernel of your own, with all drivers in it")
    add("--debug-headers", metavar="PATH", help="its headers: a folder, or a tar file")
    add("--leaks", action="store_true", help="with --debug-kernel: also kmemleak; slow")
    add("--only", action="append", default=[], metavar="PATTERN", help="checks of such names")
    add("--reduced", action="store_true", help="only checks that are marked so")
    add("--list", action="store_true", help="list the checks that would be run")
    add("--verbose", action="store_true", help="show what each check says")
    add("--no-tools", dest="tools", action="store_false", help="without coloctl and plugins")
    add("--cpus", type=int, default=1, help="of a guest; 1 is quickest, 2 finds more races")
    add("--append", default="", help="more words for the kernel's command line")
    add("--checks", type=Path, default=CHECKS, metavar="DIR", help=argparse.SUPPRESS)
    add("--skip-unavailable", action="store_true", help="status 77 if this machine cannot run it")
    options = parser.parse_args(arguments)
    if bool(options.debug_kernel) != bool(options.debug_headers):
        parser.error("--debug-kernel and --debug-headers go together")
    if options.leaks and not options.debug_kernel:
        parser.error("--leaks needs --debug-kernel")
    if options.cpus < 1:
        parser.error("--cpus is at least 1")
    return options


def kernel_names(options):
    if options.kernel is None:
        return ["debug"] if options.debug_kernel else fetch.SERIES
    names = fetch.SERIES if options.kernel == "all" else [options.kernel]
    return names + (["debug"] if options.debug_kernel else [])


def finish(runs, folder, seconds):
    """Prints the summary, writes results.json; returns the exit status."""
    counts = {word: sum(run.count(word) for run in runs) for word in ("ok", "failed", "skipped")}
    results = {"seconds": seconds, **counts, "kernels": [run.as_json() for run in runs]}
    (folder / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    for run in runs:
        print(run.summary())
        if run.error:
            say(str(run.error))
    print(f"results in {folder}/results.json, after {seconds:.0f} s")
    print(f"{counts['ok']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    if any(run.error for run in runs):
        return lab.EXIT_ERROR
    return lab.EXIT_FAILED if counts["failed"] else 0


def main(arguments=None):
    options = parse_arguments(arguments)
    options.checks = options.checks.resolve()
    checks = chosen_checks(options.checks, options.only, options.reduced)
    if options.list:
        for check in checks:
            print(f"{check.name:32} {'reduced' if check.reduced else ''}".rstrip())
        return 0
    start = time.monotonic()
    names = kernel_names(options)
    options.guests = max(1, GUESTS_MAX // len(names))
    folder = new_folder()
    runs = [Run(name, folder / name, checks, options) for name in names]
    with ThreadPoolExecutor(GUESTS_MAX) as pool:
        try:
            for _ in pool.map(lambda run: run(), runs):
                pass
        except BaseException:
            for run in runs:
                run.stop()
            raise
    unavailable = [run.error for run in runs if isinstance(run.error, Unavailable)]
    if unavailable and options.skip_unavailable:
        print(f"skipped: {unavailable[0]}")
        return lab.EXIT_SKIPPED
    return finish(runs, folder, round(time.monotonic() - start, 1))


if __name__ == "__main__":
    lab.run_main(main)
