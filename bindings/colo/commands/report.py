# SPDX-License-Identifier: GPL-2.0-only
"""python3 -m colo report."""

import argparse

HELP = "write one self-contained HTML page of a sweep, or of single runs"
EXAMPLES = """\
examples:
  python3 -m colo report results/ -o report.html       a sweep: plots and a table of its points
  python3 -m colo run --out=one/ --trace
  python3 -m colo report one/                          one run: its timeline, both packets of each
                                                       mismatch
Runs that are folders in the one named come into the same page.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", help="of a sweep, of a run, or of several runs")
    parser.add_argument(
        "-o", "--out", default="report.html", metavar="FILE", help="default: %(default)s"
    )
    parser.epilog = EXAMPLES


def main(arguments: argparse.Namespace) -> int:
    from colo._report import report

    print(report(arguments.folder, out=arguments.out))
    return 0
