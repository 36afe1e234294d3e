#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Draws what protection costs, from runs of colo-scenario over several seeds.

Each figure is a NAME.csv and a NAME.png in --out: means over the seeds, with the half width of
their 95 % confidence interval (columns _ci95, bars in the picture).
"""

import argparse
import os
import re
import signal
import sys
import tempfile
import time
from pathlib import Path

from confidence import SEEDS_MAX, over_seeds
from plotting import draw
from runs import Failure, Scenarios
from shapes import FIGURES, Missing

TOP = Path(__file__).resolve().parent.parent.parent
JOBS_MAX = 64


class UsageError(Exception):
    """An option that is wrong, in one line."""


def number(text, option, largest):
    if not re.fullmatch("[0-9]{1,9}", text) or not 1 <= int(text) <= largest:
        raise UsageError(f"option {option}: '{text}' is not a number from 1 to {largest}")
    return int(text)


def parse_options():
    class Parser(argparse.ArgumentParser):
        def error(self, message):
            raise UsageError(message)

    parser = Parser(
        prog="figures",
        description=__doc__,
        epilog="Figures:\n" + "".join(f"  {f.name:12} {f.title}\n" for f in FIGURES.values()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "--out",
        type=Path,
        default=TOP / "build/figures",
        metavar="FOLDER",
        help="where they go; made if need be, other files in it stay (default: build/figures)",
    )
    add("--only", metavar="NAME,...", help="these figures (default: all)")
    add(
        "--seeds",
        metavar="COUNT",
        help=f"runs of each point, 1 to {SEEDS_MAX} (default: 10, or 2 with --quick)",
    )
    add("--jobs", metavar="COUNT", default="2", help=f"runs at once, 1 to {JOBS_MAX} (default: 2)")
    add("--quick", action="store_true", help="few points and short runs: to try it")
    add(
        "--program",
        type=Path,
        default=TOP / "build/scenarios/colo-scenario",
        metavar="FILE",
        help="colo-scenario (default: the one in build/)",
    )
    options = parser.parse_args()
    options.seeds = number(options.seeds or ("2" if options.quick else "10"), "--seeds", SEEDS_MAX)
    options.jobs = number(options.jobs, "--jobs", JOBS_MAX)
    names = options.only.split(",") if options.only is not None else FIGURES
    options.only = list(dict.fromkeys(names))
    for name in options.only:
        if name not in FIGURES:
            raise UsageError(f"option --only: '{name}' is not among {', '.join(FIGURES)}")
    if not os.access(options.program, os.X_OK) or options.program.is_dir():
        raise UsageError(f"option --program: {options.program} is not a program")
    return options


def make_folder(options):
    """Says at once what would only show after minutes."""
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=options.out):
            pass
    except OSError as error:
        raise UsageError(f"option --out: {options.out}: {error.strerror}") from None
    for name in options.only:
        for path in outputs(options.out, name):
            if path.exists() and not path.is_file():
                raise UsageError(f"option --out: {path} is there, and not a file")


def outputs(folder, name):
    return folder / f"{name}.csv", folder / f"{name}.png"


def save(path, write):
    """Whole or not at all: who is interrupted keeps the former one."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def measure(figure, options, scenarios):
    """The figure's table: a row for each of its points."""
    points = [
        (point, seed)
        for point in figure.points(options.quick)
        for seed in range(1, options.seeds + 1)
    ]
    commands = [
        [*figure.arguments(point, seed, options.quick), f"--seed={seed}"] for point, seed in points
    ]
    rows = []
    for (point, _), command, summary in zip(
        points, commands, scenarios.summaries(commands, figure.name)
    ):
        try:
            rows.append({**point, **figure.measures(point, summary)})
        except Missing as error:
            raise Failure(scenarios.repeat(error, command)) from None
    return over_seeds(rows, list(points[0][0]))


def make(options):
    scenarios = Scenarios(options.program, options.jobs)
    for name in options.only:
        begin = time.monotonic()
        figure = FIGURES[name]
        table = measure(figure, options, scenarios)
        csv, png = outputs(options.out, name)
        save(csv, lambda path: table.to_csv(path, index=False, float_format="%.6g"))
        save(png, lambda path: draw(figure, table, path))
        print(f"{csv}, {png}: {time.monotonic() - begin:.0f} s", flush=True)


def main():
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        options = parse_options()
        make_folder(options)
        make(options)
    except UsageError as error:
        print(f"figures: {error}", file=sys.stderr)
        return 2
    except (Failure, OSError) as error:
        print(f"figures: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("figures: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
