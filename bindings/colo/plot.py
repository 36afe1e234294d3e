# SPDX-License-Identifier: GPL-2.0-only
"""Figures of a sweep, or of one run.

    figure = colo.plot.throughput("results", x="divergence", by="protection")
    colo.plot.save(figure, "throughput.svg")

Lines are means over the seeds, bands their 95 % confidence. Runs that failed are left out, and the
figure's corner says how many. All return a matplotlib Figure to go on with; lines differ in marker,
style and colour, for prints in grey and for the colour-blind.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colo import _measures
from colo._errors import UsageError
from colo._measures import MEASURES, Axis
from colo._timeline import timeline

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Path_ = str | os.PathLike[str]

__all__ = [
    "checkpoint_rate",
    "heatmap",
    "hold",
    "latency",
    "means",
    "panels",
    "save",
    "throughput",
    "timeline",
]

# Okabe and Ito's, that the colour-blind can tell apart; dark and light alternate, for grey.
COLOURS = ("#000000", "#E69F00", "#0072B2", "#56B4E9", "#D55E00", "#CC79A7", "#009E73")
MARKERS = "osD^vPX"
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)), (0, (8, 2)))
LINES_MAX = len(COLOURS)
PANEL_INCHES = (6.4, 4.2)
DOTS_PER_INCH = 120
DECADES_LOG = 2
CELLS_WITH_TEXT_MAX = 150
GREY = "#404040"
GRID = {"color": "#d0d0d0", "linewidth": 0.6}


def checkpoint_rate(
    data: "pandas.DataFrame | Path_",
    x: str | None = None,
    by: str | None = None,
    *,
    out: Path_ | None = None,
) -> "Figure":
    """Checkpoints per second of the clients' exchange.

    Args:
        data: Table of colo.sweep() or colo.load(), or a sweep's folder.
        x: Axis of the sweep; by default the first one of numbers.
        by: Another axis, a line for each of its values.
        out: File to write as well, such as "rate.png" or "rate.svg".

    Returns:
        The figure.

    Raises:
        UsageError: There is no such axis, or nothing to draw.
    """
    return panels(data, ["checkpoint-rate"], x, by, out=out)


def throughput(
    data: "pandas.DataFrame | Path_",
    x: str | None = None,
    by: str | None = None,
    *,
    out: Path_ | None = None,
) -> "Figure":
    """What clients receive per second, in percent of the same run without protection.

    Args, Returns, Raises: as checkpoint_rate().
    """
    return panels(data, ["throughput"], x, by, out=out)


def latency(
    data: "pandas.DataFrame | Path_",
    x: str | None = None,
    by: str | None = None,
    *,
    percentile: str = "mean",
    out: Path_ | None = None,
) -> "Figure":
    """How many milliseconds more than without protection requests take.

    Args, Returns, Raises: as checkpoint_rate(), and
        percentile: "mean", "p50", "p99" or "max" of a run's requests; each with protection, less
            the same one without.
    """
    return panels(data, ["latency"], x, by, percentile=percentile, out=out)


def hold(
    data: "pandas.DataFrame | Path_",
    x: str | None = None,
    by: str | None = None,
    *,
    percentile: str = "mean",
    out: Path_ | None = None,
) -> "Figure":
    """How many milliseconds the primary's TCP packets are held.

    Args, Returns, Raises: as latency().
    """
    return panels(data, ["hold"], x, by, percentile=percentile, out=out)


def panels(
    data: "pandas.DataFrame | Path_",
    kinds: Sequence[str] = tuple(MEASURES),
    x: str | None = None,
    by: str | None = None,
    *,
    percentile: str = "mean",
    out: Path_ | None = None,
) -> "Figure":
    """Several measures side by side.

    Args, Returns, Raises: as latency(), and
        kinds: Of "checkpoint-rate", "throughput", "latency" and "hold".
    """
    if not kinds:
        raise UsageError(f"kinds: none; there are {', '.join(MEASURES)}")
    table = _measures.read(data)
    x = default_x(table) if x is None else x
    _measures.check_axis(table, x, "x")
    if by is not None:
        _measures.check_axis(table, by, "by")
        if by == x:
            raise UsageError(f"by: '{by}' is x as well")
    rows = _measures.usable(table)
    axis = _measures.axis_of(rows, x)
    series = None if by is None else _measures.axis_of(rows, by)
    if series and len(series.values) > LINES_MAX:
        raise UsageError(
            f"by: '{by}' has {len(series.values)} values, and no more than {LINES_MAX} lines can be"
            " told apart; a heat map takes them"
        )
    columns = min(len(kinds), 2)
    lines = -(-len(kinds) // columns)
    figure, places = _figure(lines, columns)
    seeds = 0
    for place, kind in zip(places, kinds):
        values = _measures.measure(rows, kind, percentile)
        means = _measures.over_seeds(rows, [x] if by is None else [x, by], values)
        if means.empty:
            raise UsageError(f"{kind}: no run of this sweep has it")
        seeds = max(seeds, int(means["seeds"].max()))
        _draw_lines(place, axis, series, means)
        place.set_ylabel(_measures.measure_label(kind, percentile))
    for place in places[len(kinds) :]:
        place.remove()
    if series:
        title = _measures.axis_title(series.name)  # values have their units
        places[0].legend(title=title, frameon=False, fontsize=9, title_fontsize=9)
    _note(figure, table, rows, seeds, [x, *([by] if by else [])])
    return _finished(figure, out)


def heatmap(
    data: "pandas.DataFrame | Path_",
    x: str,
    y: str,
    value: str = "checkpoint-rate",
    *,
    percentile: str = "mean",
    out: Path_ | None = None,
) -> "Figure":
    """A measure over two axes, by lightness and, if there is room, as numbers.

    Args:
        data: Table of colo.sweep() or colo.load(), or a sweep's folder.
        x: Axis of the sweep.
        y: Another one.
        value: "checkpoint-rate", "throughput", "latency" or "hold", or a column of the table.
        percentile: See latency().
        out: File to write as well.

    Returns:
        The figure.

    Raises:
        UsageError: There is no such axis or column, or nothing to draw.
    """
    table = _measures.read(data)
    for what, name in (("x", x), ("y", y)):
        _measures.check_axis(table, name, what)
    if x == y:
        raise UsageError(f"y: '{y}' is x as well")
    rows = _measures.usable(table)
    values, label = _measures.values_of(rows, value, percentile)
    means = _measures.over_seeds(rows, [x, y], values)
    if means.empty:
        raise UsageError(f"{value}: no run of this sweep has it")
    figure, (place,) = _figure(1, 1)
    _draw_heat(figure, place, _measures.axis_of(rows, x), _measures.axis_of(rows, y), means, label)
    _note(figure, table, rows, int(means["seeds"].max()), [x, y], is_banded=False)
    return _finished(figure, out)


def means(
    data: "pandas.DataFrame | Path_",
    value: str,
    axes: Sequence[str],
    *,
    percentile: str = "mean",
) -> "pandas.DataFrame":
    """The numbers behind a figure.

    Args:
        data: Table of colo.sweep() or colo.load(), or a sweep's folder.
        value: "checkpoint-rate", "throughput", "latency" or "hold", or a column of the table.
        axes: To tell apart; what differs in others is averaged within each seed.
        percentile: See latency().

    Returns:
        A row for each combination, in the order of the sweep: the axes; `mean` over the seeds;
        `half`, half the width of its 95 % confidence interval (Student's t; NaN of one seed);
        `seeds`, how many. In the value's unit.

    Raises:
        UsageError: There is no such axis or column, or no run to take it from.
    """
    table = _measures.read(data)
    for name in axes:
        _measures.check_axis(table, name, "axes")
    if not axes:
        raise UsageError("axes: none")
    rows = _measures.usable(table)
    values, _ = _measures.values_of(rows, value, percentile)
    return _measures.over_seeds(rows, axes, values)


def save(figure: "Figure", path: Path_) -> None:
    """Write a figure; what was there stays until the new one is whole.

    Args:
        figure: Of this module, or any other of matplotlib's.
        path: Its suffix is the format: .png, .svg, or .pdf.

    Raises:
        UsageError: The format is another one, or the file cannot be written.
    """
    from matplotlib import rc_context

    path = Path(path)
    kind = path.suffix.lower().removeprefix(".")
    if kind not in ("png", "svg", "pdf"):
        raise UsageError(f"{path}: is none of .png, .svg, .pdf")
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    date = {} if kind == "png" else {"CreationDate" if kind == "pdf" else "Date": None}
    try:
        # The same figure is the same file.
        with rc_context({"svg.hashsalt": "colo"}):
            figure.savefig(new, format=kind, dpi=DOTS_PER_INCH, metadata=date)
        new.replace(path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    finally:
        new.unlink(missing_ok=True)


def default_x(table: "pandas.DataFrame") -> str:
    """The first axis of numbers that has several, or else the first."""
    axes = _measures.axes_of(table)
    if not axes:
        raise UsageError("the sweep has no axis to draw anything against")
    rows = _measures.usable(table)
    found = {name: _measures.axis_of(rows, name) for name in axes}
    numeric = [name for name, axis in found.items() if axis.is_numeric]
    several = [name for name in numeric if len(found[name].values) > 1]
    return [*several, *numeric, *axes][0]


def _figure(lines: int, columns: int) -> "tuple[Figure, list[Axes]]":
    from matplotlib.figure import Figure

    width, height = PANEL_INCHES
    scale = 1.0 if columns == 1 else 0.8
    figure = Figure(figsize=(width * columns * scale, height * lines * scale), layout="constrained")
    places = list(figure.subplots(lines, columns, squeeze=False).flat)
    for place in places:
        place.spines[["top", "right"]].set_visible(False)
    return figure, places


def _finished(figure: "Figure", out: Path_ | None) -> "Figure":
    if out is not None:
        save(figure, out)
    return figure


def _draw_lines(place: "Axes", axis: Axis, series: Axis | None, means: "pandas.DataFrame") -> None:
    values = [None] if series is None else series.values
    for number, value in enumerate(values):
        line = means if series is None else means[means[series.name] == value]
        if line.empty:
            continue
        line = line.assign(place=line[axis.name].map(axis.places)).sort_values("place")
        style: dict[str, Any] = {
            "color": COLOURS[number],
            "marker": MARKERS[number],
            "markersize": 6,
            "label": None if value is None else str(value),
        }
        half = line["half"]
        if axis.is_numeric:
            place.plot(line["place"], line["mean"], linestyle=LINES[number], **style)
            if half.notna().any():
                place.fill_between(
                    line["place"],
                    line["mean"] - half,
                    line["mean"] + half,
                    color=COLOURS[number],
                    alpha=0.2,
                    linewidth=0,
                )
        else:
            shift = (number - (len(values) - 1) / 2) * 0.6 / len(values)
            bars = None if half.isna().all() else half
            place.errorbar(
                line["place"] + shift, line["mean"], yerr=bars, linestyle="none", capsize=4, **style
            )
    place.grid(axis="both" if axis.is_numeric else "y", **GRID)
    place.set_axisbelow(True)
    place.set_xlabel(axis.label)
    if axis.is_numeric:
        _scale(place, "x", list(axis.places.values()))
    else:
        _name_ticks(place, "x", axis)
        place.set_xlim(-0.5, len(axis.values) - 0.5)
    _scale(place, "y", list(means["mean"]))


def _scale(place: "Axes", which: str, values: "list[float]") -> None:
    """Logarithmic if values span decades; with room for a zero, which is a divergence as well."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    positive = [value for value in values if value > 0]
    if not positive or min(values) < 0 or max(positive) <= min(positive) * 10**DECADES_LOG:
        if which == "y" and min(values) >= 0:
            place.set_ylim(bottom=0)
        return
    least = min(positive)
    if min(values) > 0:
        place.set(**{f"{which}scale": "log"})
    else:
        getattr(place, f"set_{which}scale")("symlog", linthresh=least, linscale=0.5)
    axis = getattr(place, f"{which}axis")
    # From zero to the least value there is little room, and no value.
    axis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value:g}" if value == 0 or value >= least else "")
    )
    axis.set_minor_formatter(NullFormatter())
    if which == "y" and min(values) == 0:
        place.set_ylim(bottom=0)


def _name_ticks(place: "Axes", which: str, axis: Axis) -> None:
    texts = [str(value) for value in axis.values]
    is_long = which == "x" and sum(map(len, texts)) > 50
    getattr(place, f"set_{which}ticks")(range(len(texts)), texts)
    if is_long:
        place.tick_params(axis="x", rotation=30)


def _draw_heat(
    figure: "Figure", place: "Axes", x: Axis, y: Axis, means: "pandas.DataFrame", label: str
) -> None:
    import numpy
    from matplotlib.colors import LogNorm

    columns, lines = _in_order(x), _in_order(y)
    cells = numpy.full((len(lines), len(columns)), numpy.nan)
    for at_x, at_y, mean in zip(means[x.name], means[y.name], means["mean"]):
        cells[lines.index(at_y), columns.index(at_x)] = mean
    known = cells[~numpy.isnan(cells)]
    is_log = known.min() > 0 and known.max() > known.min() * 10**DECADES_LOG
    mesh = place.pcolormesh(cells, cmap="cividis", norm=LogNorm() if is_log else None)
    figure.colorbar(mesh, ax=place, label=label)
    if cells.size <= CELLS_WITH_TEXT_MAX:
        for (line, column), mean in numpy.ndenumerate(cells):
            if not numpy.isnan(mean):
                colour = "black" if mesh.norm(mean) > 0.5 else "white"
                place.text(
                    column + 0.5, line + 0.5, f"{mean:.3g}", color=colour, ha="center", va="center"
                )
    for which, axis, values in (("x", x, columns), ("y", y, lines)):
        # Cells are of one size each, so their values stand at them, in the axis' unit.
        texts = [f"{axis.places[v]:g}" if axis.is_numeric else str(v) for v in values]
        getattr(place, f"set_{which}ticks")([i + 0.5 for i in range(len(texts))], texts)
        getattr(place, f"set_{which}label")(axis.label)
    if sum(len(str(value)) for value in columns) > 50:
        place.tick_params(axis="x", rotation=30)


def _in_order(axis: Axis) -> list[Any]:
    return sorted(axis.values, key=axis.places.__getitem__)


def _note(
    figure: "Figure",
    table: "pandas.DataFrame",
    rows: "pandas.DataFrame",
    seeds: int,
    drawn: list[str],
    is_banded: bool = True,
) -> None:
    """What one needs to know to judge the figure."""
    parts = [f"means of {seeds} seeds" if seeds > 1 else "one seed"]
    if is_banded and seeds > 1:
        parts[0] += " with 95 % confidence"
    others = [name for name in _measures.axes_of(rows) if name not in drawn]
    others = [name.rpartition("::")[2] for name in others if rows[name].nunique(dropna=False) > 1]
    if others:
        parts.append(f"averaged over {', '.join(others)}")
    if failed := len(table) - len(rows):
        parts.append(f"{failed} runs failed, left out")
    if "finished" in rows and (count := int((rows["finished"] == False).sum())):  # noqa: E712
        parts.append(f"{count} runs did not finish")
    figure.supxlabel("; ".join(parts), fontsize=8, color=GREY, x=0.99, ha="right")
