# SPDX-License-Identifier: GPL-2.0-only
"""What a page shows of a sweep: tables of its points, and plots over each axis."""

import io
import itertools
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colo._errors import UsageError
from colo._report_run import TEXT_MAX, WHOLE_MAX, read_object

if TYPE_CHECKING:
    import pandas

SWEEP = "sweep.json"
RESULTS = "results.jsonl"
PLOTS = {
    "checkpoint_rate": "Checkpoint rate",
    "throughput": "Throughput",
    "latency": "Latency",
    "hold": "Time that packets are held",
}
PLOTTED_AXES_MAX = 4
CELLS_MAX = 1_000_000  # of a table; about eight bytes each
DIGITS = 6
FAILURES_MAX = 20
VALUES_MAX = 50  # of an axis
MAIN_COLUMNS = (
    "checkpoints",
    "checkpoints_per_s",
    "throughput_mbps",
    "unprotected_throughput_mbps",
    "pause_ms_mean",
    "hold_ms_mean",
    "hold_ms_p99",
    "latency_ms_mean",
    "latency_ms_p99",
    "released_packets",
)
OWN_COLUMNS = ("seed", "error", "seconds")  # of the sweep, not of what was simulated


def is_sweep(folder: Path) -> bool:
    """Whether a sweep has left its results there."""
    return (folder / SWEEP).is_file() or (folder / RESULTS).is_file()


def as_text(value: Any) -> str:
    """A value as one would write it on a command line."""
    if isinstance(value, float) and value.is_integer() and abs(value) < WHOLE_MAX:
        value = int(value)
    return value if isinstance(value, str) else json.dumps(value, default=str)


def cell(value: Any) -> str | int | float | None:
    """A value as the page's table has it; None for what is missing or no number."""
    if value is None:
        return None
    if isinstance(value, str):
        return value[:TEXT_MAX]
    if hasattr(value, "item"):
        value = value.item()  # of numpy
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return value if abs(value) < WHOLE_MAX else str(value)
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return as_text(value)[:TEXT_MAX]


def described(folder: Path, points: "pandas.DataFrame", axes: list[str]) -> list[tuple[str, str]]:
    """What was swept, as names and texts."""
    found = read_object(folder / SWEEP) if (folder / SWEEP).is_file() else {}
    told = []
    for axis in axes:
        values = dict.fromkeys(map(cell, hashable(points, [axis])[axis]))
        texts = [as_text(value) for value in itertools.islice(values, VALUES_MAX)]
        more = [f"and {len(values) - VALUES_MAX:,} more"] * (len(values) > VALUES_MAX)
        told.append((f"axis {axis}", ", ".join(texts + more)))
    seeds = sorted({seed for seed in map(cell, points["seed"]) if isinstance(seed, (int, float))})
    told.append(("seeds", ranges(seeds)))
    fixed = found.get("fixed", {})
    for name, value in fixed.items() if isinstance(fixed, dict) else ():
        told.append((name, as_text(value)))
    failed = int(points["error"].notna().sum())
    told.append(("runs", f"{len(points):,}" + (f", of which {failed:,} failed" if failed else "")))
    return told


def ranges(numbers: list[int | float]) -> str:
    """Writes 0, 1, 2, 5 as "0 to 2, 5"."""
    parts: list[list[int | float]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(
        f"{part[0]} to {part[-1]}" if len(part) > 2 else ", ".join(map(str, part))
        for part in parts
    )


def failures(points: "pandas.DataFrame", axes: list[str]) -> list[str]:
    """A line for each of the first runs that failed, and one that counts the others."""
    failed = points[points["error"].notna()]
    lines = []
    for _, row in failed.head(FAILURES_MAX).iterrows():
        where = ", ".join(f"{name}={as_text(cell(row[name]))}" for name in [*axes, "seed"])
        lines.append(f"{where}: {cell(row['error'])}")
    if len(failed) > FAILURES_MAX:
        lines.append(f"and {len(failed) - FAILURES_MAX:,} more")
    return lines


def hashable(points: "pandas.DataFrame", axes: list[str]) -> "pandas.DataFrame":
    """Axes whose values are objects are grouped by their texts."""
    texts = {
        axis: points[axis].map(lambda value: value if isinstance(value, (str, int, float)) else
                               as_text(cell(value)))
        for axis in axes
        if points[axis].dtype == object
    }
    grouped = points.assign(**texts)
    grouped.attrs = points.attrs
    return grouped


def table(frame: "pandas.DataFrame", axes: list[str], notes: list[str]) -> dict[str, Any]:
    """A table of the page: columns, and rows of which too many are left out."""
    names = [str(name) for name in frame.columns]
    columns = [
        {
            "name": name,
            "is_main": name in (*axes, "seeds", "seed", "failed", *MAIN_COLUMNS)
            or (name == "error" and bool(frame[name].notna().any())),
            "is_text": not is_numeric(frame[name]),
        }
        for name in names
    ]
    rows_max = max(1, CELLS_MAX // max(1, len(names)))
    if len(frame) > rows_max:
        notes.append(f"Only the first {rows_max:,} of {len(frame):,} rows are in the table.")
    rows = [
        [cell(value) if value == value else None for value in row]
        for row in frame.head(rows_max).itertuples(index=False)
    ]
    return {"columns": columns, "rows": rows}


def is_numeric(column: "pandas.Series") -> bool:
    import pandas

    return bool(pandas.api.types.is_numeric_dtype(column))


def means(points: "pandas.DataFrame", axes: list[str]) -> "pandas.DataFrame":
    """A row for each point: how many seeds, how many of them failed, and means of the others."""
    measured = [
        name
        for name in points.columns
        if name not in (*axes, *OWN_COLUMNS) and is_numeric(points[name])
    ]
    if not axes:
        counted = points.assign(failed=points["error"].notna())
        row = {"seeds": len(counted), "failed": int(counted["failed"].sum())}
        return counted[measured].astype(float).mean().to_frame().T.assign(**row)
    groups = points.assign(failed=points["error"].notna()).groupby(axes, dropna=False, sort=False)
    return groups.agg(
        seeds=("seed", "count"),
        failed=("failed", "sum"),
        **{name: (name, "mean") for name in measured},
    ).reset_index()


def draw(points: "pandas.DataFrame", axes: list[str], notes: list[str]) -> list[dict[str, str]]:
    """The plots over each axis that has something to tell: axis, title, SVG."""
    import colo

    drawn = []
    told = [axis for axis in axes if points[axis].nunique() > 1]
    if len(told) > PLOTTED_AXES_MAX:
        notes.append(f"Only the first {PLOTTED_AXES_MAX} axes are plotted.")
    for axis in told[:PLOTTED_AXES_MAX]:
        by = lines_of(points, [other for other in told if other != axis])
        for name, title in PLOTS.items():
            try:
                figure = getattr(colo.plot, name)(points, x=axis, by=by)
            except UsageError as error:
                notes.append(f"No plot of {title.lower()} over {axis}: {error}")
                continue
            drawn.append({"axis": axis, "title": f"{title} over {axis}", "svg": svg_of(figure)})
    return drawn


def lines_of(points: "pandas.DataFrame", axes: list[str]) -> str | None:
    """The axis that a plot has a line for each value of: the one with the fewest, if they fit."""
    import colo

    counts = {axis: points[axis].nunique() for axis in axes}
    fit = [axis for axis in axes if counts[axis] <= colo.plot.LINES_MAX]
    return min(fit, key=lambda axis: counts[axis]) if fit else None


def svg_of(figure: Any) -> str:
    """Draws a figure, the same bytes for the same figure."""
    import matplotlib

    file = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "colo", "svg.fonttype": "path"}):
        figure.savefig(file, format="svg", metadata={"Date": None}, bbox_inches="tight")
    close(figure)
    return file.getvalue()


def close(figure: Any) -> None:
    """So that pyplot, if it made the figure, does not keep it."""
    import sys

    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot:
        pyplot.close(figure)


def read_sweep(folder: Path) -> dict[str, Any]:
    """Reads a sweep's results.

    Returns:
        `facts`: names and texts; `failures`: lines; `plots`: titles and SVG; `tables`: what
        table.js shows; `notes`: what is not there, a sentence each.

    Raises:
        UsageError: The folder's files are none of a sweep.
    """
    import colo

    points = colo.load(folder)
    axes = [str(axis) for axis in points.attrs.get("axes", [])]
    notes: list[str] = []
    if points.empty:
        notes.append("No run has finished yet.")
        return {"facts": [], "failures": [], "plots": [], "tables": None, "notes": notes}
    told = described(folder, points, axes)
    grouped = hashable(points, axes)
    return {
        "facts": told,
        "failures": failures(points, axes),
        "plots": draw(grouped, axes, notes),
        "tables": {
            "means": table(means(grouped, axes), axes, notes),
            "seeds": table(grouped, axes, notes),
        },
        "notes": notes,
    }
