# SPDX-License-Identifier: GPL-2.0-only
"""A figure of one run: packets that wait, mismatches, checkpoints, failover, over time."""

import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colo._errors import UsageError

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from colo._run import Result

TIMELINE = "timeline.jsonl"
INCHES = (9.0, 5.6)
HEIGHTS = (2.2, 1.2, 1.2)
NS_PER_MS = 1e6
GREY = "#404040"
GRID = {"color": "#d0d0d0", "linewidth": 0.6}
ENDS = ("release", "drop")
MARKERS = "osD^vPX"
COLOURS = ("#000000", "#D55E00", "#0072B2", "#E69F00", "#CC79A7", "#009E73", "#56B4E9")
# Of a checkpoint: what it begins with, what it ends with, and how that is drawn.
PHASES = {
    "waits for the guests": ("requested", "paused", "#FFFFFF", ""),
    "sends state": ("paused", "committed", "#0072B2", ""),
    "loads state": ("committed", "resumed", "#E69F00", "////"),
}
GUESTS = {"primary": "#000000", "secondary": "#B0B0B0"}


def timeline(
    run: "Result | pandas.DataFrame | str | os.PathLike[str]",
    *,
    pair: int = 0,
    out: "str | os.PathLike[str] | None" = None,
) -> "Figure":
    """What happened in one run, against milliseconds of simulated time.

    Above, how many packets of the primary were held; then mismatches, by reason; then phases of
    checkpoints, how long each guest stood still, and steps of a failover.

    Args:
        run: Result of `colo.run(trace=True)`, its `timeline`, or the folder of a run with it.
        pair: Which of several protected guests.
        out: File to write as well, such as "run.png" or "run.svg".

    Returns:
        The figure.

    Raises:
        UsageError: The run was not traced, or has no such pair.
    """
    from matplotlib.figure import Figure

    events = _of_pair(_events(run), pair)
    figure = Figure(figsize=INCHES, layout="constrained")
    above, middle, below = figure.subplots(3, 1, sharex=True, height_ratios=HEIGHTS)
    _draw_held(above, events)
    _draw_mismatches(middle, events)
    _draw_checkpoints(below, events)
    _draw_failover([above, middle, below], events)
    for place in (above, middle, below):
        place.spines[["top", "right"]].set_visible(False)
        place.grid(axis="x", **GRID)
        place.set_axisbelow(True)
    below.set_xlabel("Simulated time, ms")
    if out is not None:
        from colo.plot import save

        save(figure, out)
    return figure


def held_over_time(events: "pandas.DataFrame") -> "pandas.Series":
    """Packets of the primary that were held, by the ms at which their number changed."""
    import pandas

    held: Counter[Any] = Counter()
    count, times, counts = 0, [], []
    rows = events[events["event"].isin(("hold", *ENDS)) & (events.get("side") == "primary")]
    fields = ("t_ns", "event", "flow", "seq", "bytes")
    for t_ns, event, *packet in rows[list(fields)].itertuples(index=False):
        key = tuple(packet)
        if event == "hold":
            held[key] += 1
            count += 1
        elif held[key]:  # what was never held is released, too
            held[key] -= 1
            count -= 1
        times.append(t_ns / NS_PER_MS)
        counts.append(count)
    return pandas.Series(counts, index=times, dtype=float)


def _events(run: Any) -> "pandas.DataFrame":
    import pandas

    from colo._run import Result

    if isinstance(run, Result):
        run = run.timeline
        if run.empty:
            raise UsageError("the run has no timeline: trace=True keeps it")
    if isinstance(run, pandas.DataFrame):
        if not {"t_ns", "pair", "event"}.issubset(run.columns):
            raise UsageError("the table is no timeline: it lacks t_ns, pair or event")
        return run
    if not isinstance(run, (str, os.PathLike)):
        raise UsageError(f"no use for {type(run).__name__}: a run's result or folder is needed")
    return _read(Path(run) / TIMELINE)


def _read(path: Path) -> "pandas.DataFrame":
    import pandas

    rows = []
    try:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                rows.append(json.loads(line))
                rows[-1]["t_ns"], rows[-1]["pair"], rows[-1]["event"]
    except OSError as error:
        hint = "; --trace leaves it" if isinstance(error, FileNotFoundError) else ""
        raise UsageError(f"{path}: {error.strerror}{hint}") from None
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{path}:{number}: is no line of a timeline") from None
    if not rows:
        raise UsageError(f"{path}: is empty")
    return pandas.DataFrame(rows)


def _of_pair(events: "pandas.DataFrame", pair: int) -> "pandas.DataFrame":
    pairs = sorted(events["pair"].unique())
    if pair not in pairs:
        raise UsageError(f"pair: the run has {', '.join(map(str, pairs))}, not {pair}")
    columns = ("side", "flow", "seq", "bytes", "reason", "phase", "epoch", "guest", "host", "step")
    chosen = events[events["pair"] == pair]
    # A run without any such event lacks its columns.
    return chosen.reindex(columns=list(dict.fromkeys([*events.columns, *columns])))


def _draw_held(place: "Axes", events: "pandas.DataFrame") -> None:
    held = held_over_time(events)
    place.step(held.index, held.to_numpy(), where="post", color="#000000", linewidth=0.9)
    place.set_ylabel("Held, packets")
    place.set_ylim(bottom=0)


def _draw_mismatches(place: "Axes", events: "pandas.DataFrame") -> None:
    rows = events[events["event"] == "mismatch"]
    reasons = list(dict.fromkeys(rows["reason"]))
    for number, reason in enumerate(reasons):
        times = rows[rows["reason"] == reason]["t_ns"] / NS_PER_MS
        place.plot(
            times,
            [number] * len(times),
            linestyle="none",
            marker=MARKERS[number % len(MARKERS)],
            color=COLOURS[number % len(COLOURS)],
            label=reason,
        )
    place.set_yticks(range(len(reasons)), reasons)
    place.set_ylim(-0.6, max(len(reasons), 1) - 0.4)
    place.set_ylabel("Mismatches")
    if not reasons:
        place.text(0.5, 0.5, "none", transform=place.transAxes, ha="center", color=GREY)


def _draw_checkpoints(place: "Axes", events: "pandas.DataFrame") -> None:
    phases = _phases(events)
    for name, (begin, end, colour, hatch) in PHASES.items():
        spans = [
            (times[begin], times[end] - times[begin])
            for times in phases.values()
            if begin in times and end in times
        ]
        place.broken_barh(
            spans, (1.6, 0.8), facecolor=colour, hatch=hatch, edgecolor="black", linewidth=0.5,
            label=name,
        )
    for number, (guest, colour) in enumerate(GUESTS.items()):
        spans = _pauses(events, guest)
        place.broken_barh(
            spans, (0.6 - number, 0.8), facecolor=colour, edgecolor="black", linewidth=0.5
        )
    place.set_yticks([2, 1, 0], ["checkpoint", "primary stands", "secondary stands"])
    place.set_ylim(-0.6, 2.8)
    place.legend(
        frameon=False, fontsize=8, ncols=len(PHASES), loc="lower right", bbox_to_anchor=(1, 0.95)
    )


def _phases(events: "pandas.DataFrame") -> Mapping[Any, dict[str, float]]:
    """Of each checkpoint, by its epoch, when which phase began, in ms."""
    phases: dict[Any, dict[str, float]] = {}
    rows = events[events["event"] == "checkpoint"]
    for t_ns, epoch, phase in zip(rows["t_ns"], rows["epoch"], rows["phase"]):
        phases.setdefault(epoch, {}).setdefault(phase, t_ns / NS_PER_MS)
    return phases


def _pauses(events: "pandas.DataFrame", guest: str) -> list[tuple[float, float]]:
    """Begin and length in ms; one that died stands to the end."""
    spans: list[tuple[float, float]] = []
    begin = None
    rows = events[events["event"].isin(("pause", "resume")) & (events["guest"] == guest)]
    for t_ns, event in zip(rows["t_ns"], rows["event"]):
        if event == "pause":
            begin = t_ns if begin is None else begin
        elif begin is not None:
            spans.append((begin / NS_PER_MS, (t_ns - begin) / NS_PER_MS))
            begin = None
    if begin is not None:
        spans.append((begin / NS_PER_MS, (events["t_ns"].max() - begin) / NS_PER_MS))
    return spans


def _draw_failover(places: "list[Axes]", events: "pandas.DataFrame") -> None:
    rows = events[events["event"] == "failover"]
    steps: dict[float, list[str]] = {}
    for t_ns, host, step in zip(rows["t_ns"], rows["host"], rows["step"]):
        steps.setdefault(t_ns / NS_PER_MS, []).append(f"{host}: {step}")
    for number, (at, texts) in enumerate(steps.items()):
        for place in places:
            place.axvline(at, color="#D55E00", linestyle="--", linewidth=1)
        places[0].annotate(
            ", ".join(texts),
            (at, 0.95 - 0.12 * (number % 4)),
            xycoords=("data", "axes fraction"),
            xytext=(-3, 0),
            textcoords="offset points",
            ha="right",
            va="top",
            fontsize=8,
            color="#B04A00",
        )
