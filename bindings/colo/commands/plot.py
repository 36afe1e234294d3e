# SPDX-License-Identifier: GPL-2.0-only
"""colo plot: figures of a sweep, or of one run."""

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from colo import _measures
from colo._errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HELP = "draw a sweep's figures with confidence bands, or the timeline of one run"
KINDS = tuple(_measures.MEASURES)
EPILOG = """\
KIND is checkpoint-rate, throughput, latency or hold, or several of them with commas between, side
by side; heatmap, of one of them by lightness over two axes; or timeline, of one run.

Examples:
  python3 -m colo plot results -o rate.png
  python3 -m colo plot results --kind=throughput,latency --x=divergence --by=protection -o cost.svg
  python3 -m colo plot results --kind=latency --percentile=p99 --x=lag -o latency.png
  python3 -m colo plot results --kind=heatmap --x=divergence --y=lag --value=hold -o hold.png
  python3 -m colo run --out=DIR --trace && python3 -m colo plot DIR --kind=timeline -o run.png

Exit status: 0 done, 2 wrong usage or input.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    add = parser.add_argument
    add("folder", metavar="FOLDER", help="of a sweep; of a run with --trace for a timeline")
    add("--kind", help="what to draw (default: timeline of a run's folder, else checkpoint-rate)")
    add("--x", metavar="AXIS", help="of the sweep (default: the first one of numbers)")
    add("--y", metavar="AXIS", help="of the heat map (default: the first other one)")
    add("--by", metavar="AXIS", help="a line for each of its values")
    add("--value", metavar="WHAT", help="of the heat map: a KIND or a column (checkpoint-rate)")
    add(
        "--percentile",
        choices=_measures.STATISTICS,
        help="of a run's latencies or hold times (default: mean)",
    )
    add("--pair", metavar="NUMBER", help="of the timeline, if there are several (default: 0)")
    add("-o", "--out", metavar="FILE", required=True, help="figure to write: .png, .svg or .pdf")


def main(arguments: argparse.Namespace) -> int:
    # Nobody needs to know where and how it keeps its fonts.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    from colo import plot

    kind = arguments.kind or _default_kind(Path(arguments.folder))
    _check_options(arguments, kind)
    if kind == "timeline":
        figure = plot.timeline(arguments.folder, pair=_number(arguments.pair))
    else:
        figure = _of_sweep(arguments, kind)
    plot.save(figure, arguments.out)
    return 0


def _of_sweep(arguments: argparse.Namespace, kind: str) -> "Figure":
    from colo import plot

    table = _measures.read(arguments.folder)
    percentile = arguments.percentile or "mean"
    x = arguments.x or plot.default_x(table)
    if kind != "heatmap":
        return plot.panels(table, kind.split(","), x, arguments.by, percentile=percentile)
    others = [name for name in _measures.axes_of(table) if name != x]
    if not arguments.y and not others:
        raise UsageError("--kind=heatmap: the sweep has one axis only")
    value = arguments.value or KINDS[0]
    return plot.heatmap(table, x, arguments.y or others[0], value, percentile=percentile)


def _default_kind(folder: Path) -> str:
    is_run = (folder / "summary.json").exists() and not (folder / "sweep.json").exists()
    return "timeline" if is_run else KINDS[0]


def _check_options(arguments: argparse.Namespace, kind: str) -> None:
    """An option that would do nothing is more likely a mistake."""
    known = {"timeline": ("pair",), "heatmap": ("x", "y", "value", "percentile")}
    used = known.get(kind, ("x", "by", "percentile"))
    for name in ("x", "y", "by", "value", "percentile", "pair"):
        if getattr(arguments, name) is not None and name not in used:
            raise UsageError(f"--{name}: is of no use to --kind={kind}")
    if kind not in known:
        for part in kind.split(","):
            if part not in KINDS:
                raise UsageError(f"--kind: '{part}' is none of {', '.join([*KINDS, *known])}")


def _number(text: str | None) -> int:
    if text is None:
        return 0
    if not text.isascii() or not text.isdecimal():
        raise UsageError(f"--pair: '{text}' is not a number")
    return int(text)
