# SPDX-License-Identifier: GPL-2.0-only
"""Which of a sweep's settings meets a target, and how sure that is."""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from colo import _measures
from colo._errors import UsageError

if TYPE_CHECKING:
    import pandas

# What one may set, as opposed to what guests and networks are like.
SETTINGS = (
    "protection",
    "interval",
    "ns3::ColoProxy::CompareTimeout",
    "ns3::ColoPrimaryProxy::AckPolicy",
)
WORDS = {
    "protection": "protection",
    "interval": "checkpoint interval",
    "ns3::ColoProxy::CompareTimeout": "compare timeout",
    "ns3::ColoPrimaryProxy::AckPolicy": "ack policy",
}
FEW_SEEDS = 5
MET, UNSURE, MISSED, FAILED = "yes", "unsure", "no", "runs failed"
RULE = (
    "cheapest is the highest throughput; of those that differ from it by less than the confidence,"
    " the fewest checkpoints"
)


@dataclass(frozen=True)
class Advice:
    """A setting, and the evidence for it. `str()` has both, as `colo advise` prints them."""

    #: The setting to take, by axis; None if none meets the target.
    setting: dict[str, Any] | None
    #: The setting that comes nearest if none meets it, else None.
    nearest: dict[str, Any] | None
    #: Whether the target is met at the unfavourable end of the 95 % confidence interval as well.
    is_sure: bool
    #: A row a setting, the cheapest first of those that meet the target, then by how near they
    #: come. Columns: the settings; `seeds`; `checkpoints_per_s`, `throughput` (share of the
    #: unprotected one), `added_latency_ms`, each with `_ci95`, half the width of its confidence
    #: interval; `met`, which is "yes", "unsure" (the mean does, its interval reaches over), "no"
    #: or "runs failed".
    table: "pandas.DataFrame" = field(repr=False)
    #: The same in words.
    text: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.text}\n\n{_printed(self.table)}"


@dataclass(frozen=True)
class _Targets:
    latency_ms: float | None
    throughput: float | None
    percentile: str

    @property
    def needed(self) -> list[tuple[str, float]]:
        """Those there are, by their columns."""
        both = (("added_latency_ms", self.latency_ms), ("throughput", self.throughput))
        return [(name, target) for name, target in both if target is not None]

    @property
    def text(self) -> str:
        parts = []
        if self.latency_ms is not None:
            parts.append(f"at most {self.latency_ms:g} ms of added latency ({self.percentile})")
        if self.throughput is not None:
            parts.append(f"at least {100 * self.throughput:g} % of the unprotected throughput")
        return " and ".join(parts)


def advise(
    sweep: "pandas.DataFrame | str | os.PathLike[str]",
    latency_ms: float | None = None,
    throughput: float | None = None,
    percentile: str = "p99",
    workload: str | None = None,
) -> Advice:
    """Name the setting of a sweep that meets a target at the least cost.

    Settings are the sweep's axes among `interval`, `ns3::ColoProxy::CompareTimeout`,
    `ns3::ColoPrimaryProxy::AckPolicy` and `protection`. Whatever else was swept, such as the
    divergence, is a condition: a setting meets the target if it does under the worst of them, which
    its evidence is of. Cheapest is the highest throughput; of settings that differ from it by less
    than the confidence, the fewest checkpoints per second.

    Args:
        sweep: Table of colo.sweep() or colo.load(), or a sweep's folder.
        latency_ms: Added latency at most, in milliseconds: the percentile of requests' latencies in
            a run, less the same one without protection.
        throughput: Share of the unprotected throughput at least, 0 to 1.
        percentile: Of the latency: "mean", "p50", "p99" or "max".
        workload: The one to look at, if the sweep has several.

    Returns:
        The advice; that no setting meets the target is one as well.

    Raises:
        UsageError: There is no target, setting or workload of this kind in the sweep.
    """
    targets = _targets(latency_ms, throughput, percentile)
    table = _of_workload(_measures.read(sweep), workload)
    settings = [name for name in SETTINGS if name in _measures.axes_of(table)]
    if not settings:
        listed = ", ".join(_measures.axes_of(table)) or "none"
        raise UsageError(
            f"the sweep has no axis to advise about: {', '.join(SETTINGS)}; it has: {listed}"
        )
    rows = _measures.usable(table)
    candidates = _candidates(table, rows, settings, targets)
    return _advice(candidates, rows, settings, targets)


def _targets(latency_ms: float | None, throughput: float | None, percentile: str) -> _Targets:
    _measures.check_statistic(percentile)
    if latency_ms is None and throughput is None:
        raise UsageError("latency, throughput: at least one of them is needed as a target")
    if latency_ms is not None and not 0 <= latency_ms < math.inf:
        raise UsageError(f"latency: {latency_ms:g} ms is not 0 or more")
    if throughput is not None and not 0 < throughput <= 1:
        raise UsageError(f"throughput: {throughput:g} is not a share, above 0 and at most 1")
    return _Targets(latency_ms, throughput, percentile)


def _of_workload(table: "pandas.DataFrame", workload: str | None) -> "pandas.DataFrame":
    if "workload" not in table:
        if workload is not None:
            raise UsageError("workload: the sweep does not say which one it was of")
        return table
    known = list(dict.fromkeys(table["workload"].dropna()))
    if workload is None:
        if len(known) > 1:
            raise UsageError(f"workload: the sweep has several, say which: {', '.join(known)}")
        return table
    if workload not in known:
        raise UsageError(f"workload: '{workload}' is none of the sweep's: {', '.join(known)}")
    chosen = table[table["workload"] == workload]
    chosen.attrs["axes"] = table.attrs["axes"]
    return chosen


def _candidates(
    table: "pandas.DataFrame", rows: "pandas.DataFrame", settings: list[str], targets: _Targets
) -> "pandas.DataFrame":
    """The table of Advice, with `excess`, how far the target is missed, to be sorted by."""
    import pandas

    conditions = [
        name
        for name in _measures.axes_of(rows)
        if name not in settings and rows[name].nunique(dropna=False) > 1
    ]
    measured = {
        "checkpoints_per_s": (_measures.measure(rows, "checkpoint-rate"), max),
        "throughput": (_measures.measure(rows, "throughput") / 100, min),
        "added_latency_ms": (_measures.measure(rows, "latency", targets.percentile), max),
    }
    whole = rows.assign(**{name: values for name, (values, _) in measured.items()})
    failed = _failed(table, settings)
    found = []
    for group in _groups(whole, settings):
        values = tuple(group[name].iloc[0] for name in settings)
        row: dict[str, Any] = dict(zip(settings, values))
        for name, (_, worst) in measured.items():
            row |= _worst(group, conditions, name, worst)
        row["seeds"] = int(row.pop("seeds", 0))
        row["excess"] = _excess(row, targets)
        row["met"] = FAILED if values in failed else _verdict(row, targets)
        failed.discard(values)
        found.append(row)
    for values in failed:  # of which no run is left
        found.append({**dict(zip(settings, values)), "seeds": 0, "excess": math.inf, "met": FAILED})
    columns = [*settings, "seeds", "met"]
    for name in measured:
        columns[-1:-1] = [name, f"{name}_ci95"]
    frame = pandas.DataFrame(found)
    for name, _ in targets.needed:
        if frame[name].isna().all():
            raise UsageError(f"no run of this sweep has what a target is of: {name}")
    return frame[[*columns, "excess"]]


def _groups(rows: "pandas.DataFrame", names: list[str]) -> "Iterator[pandas.DataFrame]":
    numbers = rows.groupby(names, sort=False, dropna=False).ngroup()
    for number in numbers.unique():
        yield rows[numbers == number]


def _worst(
    group: "pandas.DataFrame", conditions: list[str], name: str, worst: Any
) -> dict[str, Any]:
    """Of the condition with the worst mean: mean, half the interval, seeds."""
    # One value that all have, so that there is something to group by.
    group = group.assign(_all=0)
    means = _measures.over_seeds(group, conditions or ["_all"], group[name])
    if means.empty:
        return {name: math.nan, f"{name}_ci95": math.nan}
    row = means.loc[(means["mean"].idxmax if worst is max else means["mean"].idxmin)()]
    return {name: row["mean"], f"{name}_ci95": row["half"], "seeds": means["seeds"].min()}


def _failed(table: "pandas.DataFrame", settings: list[str]) -> set[tuple[Any, ...]]:
    """Settings with which a run failed, or did not come to its end."""
    import pandas

    bad = pandas.Series(False, index=table.index)
    if "error" in table:
        bad |= table["error"].notna()
    if "finished" in table:
        bad |= table["finished"] == False  # noqa: E712
    return set(table[bad][settings].itertuples(index=False, name=None))


def _excess(row: dict[str, Any], targets: _Targets) -> float:
    """By how much of the target the mean misses it, the worse one of two; 0 if it does not."""
    excess = 0.0
    if any(math.isnan(row[name]) for name, _ in targets.needed):
        return math.inf
    if targets.latency_ms is not None:
        over = row["added_latency_ms"] - targets.latency_ms
        excess = max(excess, over / max(targets.latency_ms, 1e-9))
    if targets.throughput is not None:
        excess = max(excess, (targets.throughput - row["throughput"]) / targets.throughput)
    return excess


def _verdict(row: dict[str, Any], targets: _Targets) -> str:
    if row["excess"] > 0:
        return MISSED
    margins = []
    if targets.latency_ms is not None:
        margins.append(targets.latency_ms - row["added_latency_ms"] - row["added_latency_ms_ci95"])
    if targets.throughput is not None:
        margins.append(row["throughput"] - row["throughput_ci95"] - targets.throughput)
    return MET if all(margin >= 0 for margin in margins) else UNSURE  # NaN of one seed is unsure


def _advice(
    candidates: "pandas.DataFrame", rows: "pandas.DataFrame", settings: list[str], targets: _Targets
) -> Advice:
    meeting = candidates[candidates["met"] == MET]
    is_sure = not meeting.empty
    if not is_sure:
        meeting = candidates[candidates["met"] == UNSURE]
    place = _cheapest(meeting) if not meeting.empty else None
    rank = candidates["met"].map([MET, UNSURE, MISSED, FAILED].index)
    order = candidates.assign(rank=rank).sort_values(
        ["rank", "excess", "throughput", "checkpoints_per_s"], ascending=[True, True, False, True]
    )
    first = order.index[0] if place is None else place
    table = candidates.loc[[first, *order.index.drop(first)]].drop(columns="excess")
    table = table.reset_index(drop=True)
    chosen = {name: _plain(table[name].iloc[0]) for name in settings}
    text = _text(chosen, table, rows, settings, targets, place is not None, is_sure)
    if place is None:
        return Advice(None, chosen, False, table, text)
    return Advice(chosen, None, is_sure, table, text)


def _cheapest(meeting: "pandas.DataFrame") -> Any:
    best = meeting.loc[meeting["throughput"].idxmax()]
    alike = meeting[_overlaps(meeting, best, "throughput")]
    return alike["checkpoints_per_s"].idxmin()


def _overlaps(table: "pandas.DataFrame", row: Any, name: str) -> "pandas.Series":
    """Which settings' confidence intervals have something in common with that of row."""
    halves = table[f"{name}_ci95"].fillna(0) + _zero(row[f"{name}_ci95"])
    return (table[name] - row[name]).abs() <= halves


def _text(
    chosen: dict[str, Any],
    table: "pandas.DataFrame",
    rows: "pandas.DataFrame",
    settings: list[str],
    targets: _Targets,
    is_met: bool,
    is_sure: bool,
) -> str:
    row = table.iloc[0]
    named = _named(chosen)
    evidence = (
        f"{_with_ci(row, 'added_latency_ms')} ms of added latency ({targets.percentile}),"
        f" {_with_ci(row, 'throughput', 100)} % of the unprotected throughput and"
        f" {_with_ci(row, 'checkpoints_per_s')} checkpoints per second"
        f" ({_seeds(row['seeds'])})"
    )
    conditions = [
        f"{name} {', '.join(map(str, dict.fromkeys(rows[name])))}"
        for name in _measures.axes_of(rows)
        if name not in settings and rows[name].nunique(dropna=False) > 1
    ]
    sentences = []
    if is_met:
        count = int((table["met"] == (MET if is_sure else UNSURE)).sum())
        of = f"{count} of {len(table)} settings meet{'s' if count == 1 else ''} the target"
        sentences.append(f"Take {named}: {of}, {targets.text}, and this is the cheapest ({RULE}).")
        sentences.append(f"It has {evidence}.")
        if others := _as_good(table):
            sentences.append(f"{others} of the others cannot be told from it by these runs.")
    else:
        sentences.append(f"None of {len(table)} settings meets the target, {targets.text}.")
        sentences.append(f"Nearest comes {named}, with {evidence}.")
    if conditions:
        sentences.append(f"Figures are of the worst among {'; '.join(conditions)}.")
    sentences += _doubts(table, is_met, is_sure)
    return " ".join(sentences)


def _as_good(table: "pandas.DataFrame") -> int:
    """How many others meet the target as surely as the first, and cost the same."""
    row = table.iloc[0]
    alike = table["met"] == row["met"]
    for name in ("throughput", "checkpoints_per_s"):
        alike &= _overlaps(table, row, name)
    return int(alike.sum()) - 1


def _doubts(table: "pandas.DataFrame", is_met: bool, is_sure: bool) -> list[str]:
    sentences = []
    seeds = int(table["seeds"].iloc[0])
    if seeds < 2:
        sentences.append("One seed says nothing about confidence: sweep at least 2, better 10.")
    elif seeds < FEW_SEEDS:
        sentences.append(f"{seeds} seeds are few: intervals are wide, sweep more.")
    if is_met and not is_sure and seeds >= 2:
        sentences.append(
            "That is not sure: the means meet the target, but the 95 % confidence interval"
            " reaches over it; more seeds decide."
        )
    if count := int((table["met"] == FAILED).sum()):
        sentences.append(f"Not considered, as runs failed or did not finish: {count} of them.")
    return sentences


def _named(setting: dict[str, Any]) -> str:
    return ", ".join(f"{WORDS[name]} {value}" for name, value in setting.items())


def _seeds(count: int) -> str:
    return "1 seed" if count == 1 else f"means of {count} seeds with 95 % confidence"


def _with_ci(row: Any, name: str, factor: float = 1) -> str:
    half = row[f"{name}_ci95"]
    text = f"{factor * row[name]:.3g}"
    return text if half != half else f"{text} ± {factor * half:.2g}"


def _printed(table: "pandas.DataFrame") -> str:
    """A line a setting, for people."""
    titles = {
        "added_latency_ms": "added latency ms",
        "throughput": "throughput %",
        "checkpoints_per_s": "checkpoints/s",
    }
    shown = {}
    for name in table.columns:
        if name in titles:
            factor = 100 if name == "throughput" else 1
            shown[titles[name]] = [_with_ci(row, name, factor) for _, row in table.iterrows()]
        elif not name.endswith("_ci95"):
            shown[name.rpartition("::")[2]] = table[name]
    frame = type(table)(shown)
    return frame.to_string(index=False)


def _zero(value: float) -> float:
    return 0.0 if value != value else value


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
