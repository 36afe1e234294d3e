# SPDX-License-Identifier: GPL-2.0-only
"""Runs the fuzz targets of a build, see ./ns3 --help.

With --check so many inputs from a fixed seed on, for the tests; with --seconds for so long, and
what was found to be of interest is kept in the build for the next time.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(Path(__file__).resolve().parent))

from seeds import write_seeds  # noqa: E402

SKIPPED = 77
AT_ONCE = 2
PROGRESS_S = 10
# Inputs, and their longest: about two seconds each.
CHECK_RUNS = {"fuzz-parse": 40000, "fuzz-compare": 2000, "fuzz-seqfix": 3000}
LENGTH_MAX = {"fuzz-parse": 2000, "fuzz-compare": 1000, "fuzz-seqfix": 1000}
TARGETS = sorted(CHECK_RUNS)


class Run:
    """One target at work in its folder of the build."""

    def __init__(self, target, folder, limits, corpus):
        self.target = target
        self.folder = folder
        self.program = folder / target
        self.crashes = folder / "crashes" / target
        self.log = folder / f"{target}.log"
        self.limits = limits
        self.corpus = corpus

    def inputs(self):
        seeds = self.folder / "seeds" / self.target
        write_seeds(self.target, TOP / "traces", seeds)
        regressions = TOP / "test/fuzz/regressions" / self.target
        return [self.corpus, seeds, *([regressions] if regressions.is_dir() else [])]

    def start(self):
        for path in (self.crashes, self.corpus):
            path.mkdir(parents=True, exist_ok=True)
        command = [
            self.program,
            f"-artifact_prefix={self.crashes}/",
            f"-max_len={LENGTH_MAX[self.target]}",
            "-timeout=10",
            "-rss_limit_mb=2048",
            "-print_final_stats=1",
            "-reload=0",
            *self.limits,
            *self.inputs(),
        ]
        self.begin = time.monotonic()
        with open(self.log, "wb") as log:
            # Short traces of allocations are quicker; one that repeats a crash gets long ones.
            quick = {**os.environ, "ASAN_OPTIONS": "malloc_context_size=2"}
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=quick)

    def last_line(self):
        pattern = rb"^#(\d+)\s+\w+ +cov: (\d+) ft: \d+ corp: (\d+)"
        lines = re.findall(pattern, self.log.read_bytes(), re.MULTILINE)
        return [int(word) for word in lines[-1]] if lines else [0, 0, 0]

    def state(self):
        executions, edges, inputs = self.last_line()
        seconds = time.monotonic() - self.begin
        return (
            f"{self.target:12} {executions} executions in {seconds:.0f} s, "
            f"{edges} edges, {inputs} inputs of interest"
        )

    def finish(self, tells):
        told = self.begin
        while self.process.poll() is None:
            time.sleep(0.05)
            if tells and time.monotonic() - told >= PROGRESS_S:
                told = time.monotonic()
                print(self.state(), flush=True)

    def failure(self):
        """What to type to see it again."""
        log = self.log.read_text(errors="replace")
        why = re.search(r"broken promise: .*|ERROR: .*|.*runtime error: .*", log)
        found = re.search(r"Test unit written to (.*)", log)
        text = f"{self.target} failed: {why.group(0) if why else ''}; all of it in {self.log}"
        if found:
            text += "\nTo repeat it, with all that goes in and out:\n"
            text += f"  COLO_TEST_TRACE=1 {self.program} {found.group(1)}"
        return text

    def __call__(self, tells):
        self.start()
        try:
            self.finish(tells)
        finally:
            self.process.kill()
            self.process.wait()
        print(self.state() + ", done", flush=True)
        if self.process.returncode:
            print(self.failure(), flush=True)
        return self.process.returncode


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, required=True, help="the build's folder")
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--check", action="store_true")
    how.add_argument("--seconds", type=int)
    parser.add_argument("targets", nargs="*", default=TARGETS)
    return parser.parse_args()


def main():
    options = parse_arguments()
    folder = options.build / "fuzz"
    if not all((folder / target).is_file() for target in options.targets):
        print("fuzzing needs clang and libFuzzer: packages clang and libclang-rt-14-dev")
        return SKIPPED if options.check else 2
    with tempfile.TemporaryDirectory() as scratch:
        runs = []
        for target in options.targets:
            limits = ["-seed=1", f"-runs={CHECK_RUNS[target]}"]
            corpus = Path(scratch) / target
            if not options.check:
                limits = [f"-max_total_time={options.seconds}"]
                corpus = folder / "corpus" / target
            runs.append(Run(target, folder, limits, corpus))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            failed = list(pool.map(lambda run: run(not options.check), runs))
    return 1 if any(failed) else 0


if __name__ == "__main__":
    sys.exit(main())
