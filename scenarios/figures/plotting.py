# SPDX-License-Identifier: GPL-2.0-only
"""Pictures of tables: one panel a measure, told apart by colour and by marker or hatch."""

import logging

# Before it is imported: nobody needs to know where and how it keeps its fonts.
logging.getLogger("matplotlib").setLevel(logging.ERROR)

import matplotlib  # noqa: E402

matplotlib.use("Agg")  # before pyplot: there may be no screen

from matplotlib import pyplot  # noqa: E402
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter  # noqa: E402

from confidence import SUFFIX  # noqa: E402

# Okabe and Ito's, that the colour-blind can tell apart; dark to light, for prints in grey.
COLOURS = ["#000000", "#0072B2", "#D55E00", "#E69F00", "#F0E442"]
MARKERS = "osD^v"
LINES = ["-", "--", "-.", ":", "-"]
HATCHES = ["", "//", "..", "xx", ""]
LEGEND = {"frameon": False, "fontsize": 9}
PANEL_INCHES = (6.6, 4.2)
DOTS_PER_INCH = 100


def draw(figure, table, path):
    """Writes the picture of a table of over_seeds()."""
    width, height = PANEL_INCHES
    count = len(figure.panels)
    if count > 1:
        width *= 0.8 * count
    picture, places = pyplot.subplots(1, count, figsize=(width, height), squeeze=False)
    try:
        for axes, (column, label) in zip(places[0], figure.panels.items()):
            (_bars if figure.is_bars else _lines)(axes, figure, table, column)
            axes.set_xlabel(figure.x_label)
            axes.set_ylabel(label)
            axes.grid(axis="y" if figure.is_bars else "both", color="#d0d0d0", linewidth=0.6)
            axes.set_axisbelow(True)
            axes.spines[["top", "right"]].set_visible(False)
        if figure.is_bars:  # beside the bars there is no room
            picture.legend(loc="upper center", bbox_to_anchor=(0.5, 0.94), ncols=5, **LEGEND)
        else:
            places[0][0].legend(**LEGEND)
        picture.suptitle(figure.title, fontsize=11)
        picture.text(0.99, 0.01, _note(table), ha="right", fontsize=8, color="#404040")
        picture.tight_layout(rect=(0, 0.03, 1, 0.94 if figure.is_bars else 1))
        picture.savefig(path, format="png", dpi=DOTS_PER_INCH)
    finally:
        pyplot.close(picture)


def _note(table):
    seeds = table["seeds"].max()
    if seeds == 1:
        return "one seed"
    return f"means of {seeds} seeds; bars: 95 % confidence"


def _series(figure, table):
    """Of each line: its number, label and rows."""
    for number, (value, label) in enumerate(figure.series_labels.items()):
        rows = table[table[figure.series] == value]
        if len(rows):
            yield number, label, rows


def _bounds(rows, column):
    widths = rows[column + SUFFIX]
    return None if widths.isna().all() else widths


def _bars(axes, figure, table, column):
    groups = list(dict.fromkeys(table[figure.x]))
    count = len(figure.series_labels)
    for number, label, rows in _series(figure, table):
        axes.bar(
            [groups.index(x) + (number - (count - 1) / 2) * 0.8 / count for x in rows[figure.x]],
            rows[column],
            0.8 / count,
            yerr=_bounds(rows, column),
            label=label,
            color=COLOURS[number],
            hatch=HATCHES[number],
            edgecolor="white" if number == 0 else "black",
            linewidth=0.6,
            capsize=2,
            error_kw={"linewidth": 0.8},
        )
    axes.set_xticks(range(len(groups)), groups)
    axes.set_ylim(bottom=0)


def _lines(axes, figure, table, column):
    for number, label, rows in _series(figure, table):
        style = {"color": COLOURS[number], "label": label, "linestyle": LINES[number]}
        if rows[figure.x].isna().all():  # what x is about does not concern it
            axes.axhline(rows[column].iloc[0], **style)
            continue
        axes.errorbar(
            rows[figure.x],
            rows[column],
            yerr=_bounds(rows, column),
            marker=MARKERS[number],
            # the first is seen behind the others that lie on it
            markersize=10 - 3 * number,
            fillstyle="none" if number == 0 else "full",
            capsize=3,
            **style,
        )
    if figure.reference:
        label, function = figure.reference
        ends = [table[figure.x].min(), table[figure.x].max()]
        axes.plot(ends, [function(x) for x in ends], color="#808080", linewidth=1, label=label)
    if figure.is_log:
        axes.set(xscale="log", yscale="log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(ScalarFormatter())
            axis.set_minor_formatter(NullFormatter())
    else:
        axes.set_ylim(bottom=0)
