# SPDX-License-Identifier: GPL-2.0-only
"""colo advise: the setting of a sweep that meets a target."""

import argparse

from colo import _measures
from colo._errors import UsageError
from colo._units import seconds

HELP = "name the interval, timeout and ack policy of a sweep that meet a target"
EPILOG = """\
Settings are the sweep's axes among interval, ns3::ColoProxy::CompareTimeout,
ns3::ColoPrimaryProxy::AckPolicy and protection; what else was swept is a condition, and the worst
one counts.

Examples:
  python3 -m colo sweep --workload=key-value --protection=remus --axis interval=2ms,5ms,20ms \\
      --out=results
  python3 -m colo advise results --latency=5ms
  python3 -m colo advise results --latency=20ms --percentile=p50 --throughput=0.05

Exit status: 0 a setting meets the target, 1 none does, 2 wrong usage or input.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    add = parser.add_argument
    add("folder", metavar="FOLDER", help="of a sweep")
    add("--latency", metavar="TIME", help="at most this more than without protection, as 5ms")
    add("--throughput", metavar="SHARE", help="at least this of the unprotected one, 0 to 1")
    add(
        "--percentile",
        choices=_measures.STATISTICS,
        default="p99",
        help="of requests' latencies (default: %(default)s)",
    )
    add("--workload", metavar="NAME", help="the one to look at, if the sweep has several")


def main(arguments: argparse.Namespace) -> int:
    import colo

    advice = colo.advise(
        arguments.folder,
        latency_ms=_milliseconds(arguments.latency),
        throughput=_share(arguments.throughput),
        percentile=arguments.percentile,
        workload=arguments.workload,
    )
    print(advice)
    return 1 if advice.setting is None else 0


def _milliseconds(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return seconds(text) * 1e3
    except UsageError as error:
        raise UsageError(f"--latency: {error}") from None


def _share(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"--throughput: '{text}' is not a number") from None
