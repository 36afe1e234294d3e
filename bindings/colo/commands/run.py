# SPDX-License-Identifier: GPL-2.0-only
"""colo run: one simulated run."""

import argparse
import json
import sys

from colo._run import run_options
from colo.commands._options import ATTRIBUTES_HELP, add_options, options_of

HELP = "simulate a workload once, and once without protection to compare"
EPILOG = f"""{ATTRIBUTES_HELP}
Examples:
  python3 -m colo run
  python3 -m colo run --workload=download --divergence=0.01 --seed=7 --json
  python3 -m colo run --workload=mixed --out=DIR --trace
  python3 -m colo run --workload=request-response --fail=kill-primary@200ms

Exit status: 0 done, 1 the workload did not end well (a reset, a wrong byte, not over within
--time, or stuck), 2 wrong usage or input.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument("--json", action="store_true", help="print all figures, as in summary.json")
    add_options(parser)


def main(arguments: argparse.Namespace) -> int:
    result = run_options(options_of(arguments))
    if arguments.json:
        print(json.dumps(result.to_dict(), indent=1))
    else:
        print(str(result).rstrip("\n"))
    if result.unfinished:
        print(f"colo run: {result.unfinished}", file=sys.stderr)
    return 0 if result.is_well else 1
