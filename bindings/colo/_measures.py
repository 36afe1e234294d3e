# SPDX-License-Identifier: GPL-2.0-only
"""What plots and advice take from a sweep's table: its axes, and measures with their confidence."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from colo._errors import UsageError
from colo._units import seconds

if TYPE_CHECKING:
    import pandas

STATISTICS = ("mean", "p50", "p99", "max")
MEASURES = {
    "checkpoint-rate": "Checkpoints per second",
    "throughput": "Throughput, % of unprotected",
    "latency": "Added latency ({statistic}), ms",
    "hold": "Packet held ({statistic}), ms",
}
AXIS_LABELS = {
    "divergence": "Divergence, share of responses",
    "lag": "Lag of the secondary",
    "interval": "Checkpoint interval",
    "think_time": "Think time",
    "connections": "Connections",
    "requests": "Requests",
    "protection": "Protection",
    "workload": "Workload",
    "CompareTimeout": "Compare timeout",
    "AckPolicy": "Ack policy",
    "request_size": "Request size, bytes",
    "response_size": "Response size, bytes",
}
# By how a column's name ends, the longest first.
UNITS = {
    "_per_s": "1/s",
    "_bytes": "bytes",
    "_packets": "packets",
    "_mbps": "Mbit/s",
    "_ms": "ms",
    "_ns": "ns",
    "_s": "s",
}
UNIT_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
UNSET = "default"


@dataclass(frozen=True)
class Axis:
    """An axis of a sweep as one draws it."""

    name: str
    label: str  # with its unit
    values: list[Any]  # as given, each once
    places: dict[Any, float]  # of each value on the axis; in the label's unit if it is a number
    is_numeric: bool


def read(data: "pandas.DataFrame | str | os.PathLike[str]") -> "pandas.DataFrame":
    """A sweep's table, with the names of its axes in attrs.

    Raises:
        UsageError: It is neither a sweep's table nor its folder.
    """
    import pandas

    if isinstance(data, (str, os.PathLike)):
        from colo._results import load

        return load(data)
    if not isinstance(data, pandas.DataFrame):
        raise UsageError(f"no use for {type(data).__name__}: a sweep's table or folder is needed")
    if "seed" not in data:
        raise UsageError("the table has no column 'seed': it is of no sweep")
    if "axes" in data.attrs:
        return data
    table = data.copy()  # went through a file: columns are in order still
    table.attrs["axes"] = list(data.columns[: data.columns.get_loc("seed")])
    return table


def axes_of(table: "pandas.DataFrame") -> list[str]:
    """Names of a sweep's axes that are in its table."""
    return [name for name in table.attrs["axes"] if name in table]


def usable(table: "pandas.DataFrame") -> "pandas.DataFrame":
    """The rows that have figures, with axes that can be grouped by.

    Raises:
        UsageError: There is none.
    """
    rows = table[table["error"].isna()] if "error" in table else table
    if rows.empty:
        errors = table["error"].dropna() if "error" in table else []
        reason = f"all failed: {errors.iloc[0]}" if len(errors) else "it is empty"
        raise UsageError(f"the sweep has no run to show; {reason}")
    named = [name for name in axes_of(rows) if rows[name].dtype == object]
    rows = rows.assign(**{name: rows[name].map(_hashable) for name in named})
    rows.attrs["axes"] = table.attrs["axes"]
    return rows


def check_axis(table: "pandas.DataFrame", name: str, what: str) -> None:
    """Raises a UsageError unless the sweep has this axis."""
    if name not in axes_of(table):
        listed = ", ".join(axes_of(table)) or "none"
        raise UsageError(f"{what}: '{name}' is no axis of the sweep, which has: {listed}")


def axis_of(rows: "pandas.DataFrame", name: str) -> Axis:
    """Numbers and times with units as such, anything else as names in their order."""
    column = rows[name]
    values = list(dict.fromkeys(UNSET if value != value else value for value in column))
    label = axis_title(name)
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        return Axis(name, label, values, {value: float(value) for value in values}, True)
    try:
        times = {value: seconds(value) for value in values}
    except (TypeError, UsageError):
        return Axis(name, label, values, {value: float(i) for i, value in enumerate(values)}, False)
    unit = next((unit for unit, size in UNIT_SECONDS.items() if max(times.values()) >= size), "s")
    places = {value: time / UNIT_SECONDS[unit] for value, time in times.items()}
    return Axis(name, f"{label}, {unit}", values, places, True)


def axis_title(name: str) -> str:
    """An axis in words, without its unit."""
    short = name.rpartition("::")[2]
    return AXIS_LABELS.get(short, short)


def measure(rows: "pandas.DataFrame", name: str, statistic: str = "mean") -> "pandas.Series":
    """A measure of each run, one of MEASURES.

    Raises:
        UsageError: There is no such measure or statistic, or the table lacks its columns.
    """
    if name not in MEASURES:
        raise UsageError(f"'{name}' is none of {', '.join(MEASURES)}")
    check_statistic(statistic)
    if name == "checkpoint-rate":
        return _column(rows, "checkpoints_per_s")
    if name == "throughput":
        return 100 * _column(rows, "throughput_mbps") / _column(rows, "unprotected_throughput_mbps")
    if name == "hold":
        return _counted(rows, "hold_ms", statistic)
    return _counted(rows, "latency_ms", statistic) - _counted(
        rows, "unprotected_latency_ms", statistic
    )


def values_of(
    rows: "pandas.DataFrame", value: str, statistic: str
) -> "tuple[pandas.Series, str]":
    """A measure or a column of each run, and its label.

    Raises:
        UsageError: There is neither.
    """
    if value in MEASURES:
        return measure(rows, value, statistic), measure_label(value, statistic)
    if value not in rows.select_dtypes(["number"]):
        raise UsageError(
            f"value: '{value}' is neither a column of numbers nor one of {', '.join(MEASURES)};"
            f" axes are: {', '.join(axes_of(rows))}"
        )
    return rows[value], column_label(value)


def check_statistic(statistic: str) -> None:
    """Raises a UsageError if measures have no such statistic."""
    if statistic not in STATISTICS:
        raise UsageError(f"percentile: '{statistic}' is none of {', '.join(STATISTICS)}")


def measure_label(name: str, statistic: str) -> str:
    """What stands at an axis of this measure."""
    return MEASURES[name].format(statistic=statistic)


def column_label(name: str) -> str:
    """A column of the table, with its unit."""
    words = name.removesuffix("_" + name.rpartition("_")[2]) if name.endswith(STATISTICS) else name
    unit = next((unit for end, unit in UNITS.items() if words.endswith(end)), "")
    return f"{name}, {unit}" if unit else name


def over_seeds(
    rows: "pandas.DataFrame", keys: Sequence[str], values: "pandas.Series"
) -> "pandas.DataFrame":
    """Means over seeds, and how sure they are.

    Args:
        rows: Of usable().
        keys: Axes to tell apart. What differs in other axes is averaged within each seed, so that
            it does not count as uncertainty.
        values: One a row.

    Returns:
        The keys, `mean`, `half` (half the width of its 95 % confidence interval, NaN of one seed)
        and `seeds`; in the order of rows.
    """
    from colo._confidence import half_width

    named = rows[list(dict.fromkeys([*keys, "seed"]))].assign(value=values.astype(float))
    named = named[named["value"].notna()]
    each = named.groupby([*keys, "seed"], sort=False, dropna=False)["value"].mean().reset_index()
    groups = each.groupby(list(keys), sort=False, dropna=False)["value"]
    table = groups.agg(mean="mean", half=half_width, seeds="count")
    return table.reset_index()


def _column(rows: "pandas.DataFrame", name: str) -> "pandas.Series":
    import pandas

    if name not in rows:
        raise UsageError(f"the sweep has no column '{name}'")
    return pandas.to_numeric(rows[name], errors="coerce")


def _counted(rows: "pandas.DataFrame", name: str, statistic: str) -> "pandas.Series":
    """Where nothing was measured there is no time, rather than none at all."""
    column = _column(rows, f"{name}_{statistic}")
    count = f"{name}_count"
    return column.where(rows[count] > 0) if count in rows else column


def _hashable(value: Any) -> Any:
    if value is None or value != value:
        return UNSET
    return value if isinstance(value, (str, int, float)) else json.dumps(value, default=str)
