# SPDX-License-Identifier: GPL-2.0-only
"""One self-contained HTML page of what a sweep, or single runs, have left."""

import base64
import hashlib
import json
import os
import string
import tempfile
from html import escape
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Any

from colo._errors import UsageError
from colo._report_run import SUMMARY, TIMELINE, Bounds, is_run, read_object, read_timeline
from colo._report_sweep import as_text, cell, is_sweep, read_sweep

SCRIPTS = ("packet.js", "lanes.js", "timeline.js", "table.js", "start.js")
RUNS_MAX = 100
FACT_MAX = 2000  # characters
FACTS = (
    "workload",
    "protection",
    "divergence",
    "lag_ms",
    "seed",
    "sim_s",
    "checkpoints",
    "checkpoint_reasons",
    "mismatches",
    "released_packets",
    "held_packets",
    "throughput_mbps",
    "hold_ms_mean",
    "hold_ms_p99",
    "pause_ms_mean",
    "latency_ms_mean",
    "latency_ms_p99",
    "faults",
)


def report(folder: str | os.PathLike[str], out: str | os.PathLike[str] = "report.html") -> Path:
    """Writes one HTML page that needs nothing but a browser: no network, no other file.

    Args:
        folder: Of a sweep, of a run (`colo.run(out=...)`), or of folders of runs. A run that was
            traced gets a timeline that can be zoomed, with both packets of each mismatch.
        out: The page. Is there whole, or as it was before.

    Returns:
        The page's path.

    Raises:
        UsageError: The folder has no results, they are of no use, or the page cannot be written.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UsageError(f"{folder}: {'is no folder' if folder.exists() else 'is not there'}")
    runs = find_runs(folder)
    if not runs and not is_sweep(folder):
        raise UsageError(f"{folder}: has no results of a sweep, nor of a run")
    data: dict[str, Any] = {"sweep": None, "runs": [], "meanings": meanings()}
    sections = []
    if is_sweep(folder):
        sweep = read_sweep(folder)
        data["sweep"] = sweep["tables"]
        sections.append(("sweep", "Sweep", sweep_section(sweep)))
    bounds = Bounds()
    for index, run in enumerate(runs[:RUNS_MAX]):
        name = run.resolve().name if run == folder else run.name
        body = run_section(run, name, bounds, bounds.packets // (len(runs) - index), data["runs"])
        sections.append((f"run-{index}", f"Run {name}", body))
    if len(runs) > RUNS_MAX:
        text = f"Only the first {RUNS_MAX} of {len(runs)} runs are in this page."
        sections.append(("more", "More runs", note(text)))
    return write(Path(out), page(folder.resolve().name, sections, data))


def find_runs(folder: Path) -> list[Path]:
    """The folder itself if it is a run's, and those in it that are."""
    try:
        inside = sorted(path for path in folder.iterdir() if path.is_dir() and is_run(path))
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}") from None
    return [folder] * is_run(folder) + inside


def meanings() -> dict[str, str]:
    """What the core says of its reasons, by their names."""
    from colo import rules

    return {name: rules.reason(name).text for name in rules.names()}


def note(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>'


def facts(told: list[tuple[str, str]]) -> str:
    items = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value[:FACT_MAX])}</dd></div>"
        for name, value in told
    )
    return f"<dl>{items}</dl>"


def sweep_section(sweep: dict[str, Any]) -> str:
    parts = [facts(sweep["facts"]), *map(note, sweep["notes"])]
    if sweep["failures"]:
        lines = "".join(f"<li>{escape(line)}</li>" for line in sweep["failures"])
        parts.append(f"<details open><summary>Failures</summary><ul>{lines}</ul></details>")
    for axis, plots in groupby(sweep["plots"], key=lambda plot: plot["axis"]):
        parts.append(f"<h3>Over {escape(axis)}</h3>")
        parts.append(f'<div class="plots">{"".join(map(figure, plots))}</div>')
    if sweep["tables"]:
        parts.append("<h3>Points</h3><div data-sweep></div>")
    return "".join(parts)


def figure(plot: dict[str, str]) -> str:
    """An image of its own, so that ids within several SVGs cannot meet."""
    content = base64.b64encode(plot["svg"].encode()).decode()
    title = escape(plot["title"])
    return f'<img alt="{title}" title="{title}" src="data:image/svg+xml;base64,{content}">'


def run_section(
    folder: Path, name: str, bounds: Bounds, packets_max: int, runs: list[dict[str, Any]]
) -> str:
    """The run's figures; its timeline, if it has one, joins `runs`."""
    parts = []
    if (folder / SUMMARY).is_file():
        flat = flatten(read_object(folder / SUMMARY))
        parts.append(facts([(name, flat[name]) for name in FACTS if name in flat]))
        rest = facts(list(flat.items()))
        parts.append(f"<details><summary>summary.json</summary>{rest}</details>")
    if not (folder / TIMELINE).is_file():
        return "".join(parts) + note("No timeline: the run was made without --trace.")
    timeline = read_timeline(folder / TIMELINE, name, bounds, packets_max)
    parts += map(note, timeline.pop("notes"))
    if not timeline["pairs"]:
        return "".join(parts) + note("No timeline: nothing has happened in it.")
    runs.append(timeline)
    return "".join(parts) + f'<div data-run="{len(runs) - 1}"></div>'


def flatten(summary: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Values by their place's name; small objects such as reasons and their counts also whole."""
    flat = {}
    for name, value in summary.items():
        if isinstance(value, dict):
            if not prefix and value and all(isinstance(count, int) for count in value.values()):
                counts = (f"{reason} {count}" for reason, count in value.items())
                flat[name] = ", ".join(counts)
            else:
                flat.update(flatten(value, f"{prefix}{name}_"))
        elif isinstance(value, list):
            if value and prefix + name != "pairs":  # which the figures above sum up
                flat[prefix + name] = "; ".join(map(line, value))
        elif value is not None:
            flat[prefix + name] = as_text(cell(value))
    return flat


def line(item: Any) -> str:
    """An entry of a list, such as a fault and when it came."""
    values = item.values() if isinstance(item, dict) else [item]
    return ", ".join(as_text(cell(value)) for value in values)


def page(title: str, sections: list[tuple[str, str, str]], data: dict[str, Any]) -> str:
    files = resources.files("colo") / "page"
    style = (files / "page.css").read_text(encoding="utf-8")
    script = '"use strict";\n' + "\n".join(
        (files / name).read_text(encoding="utf-8") for name in SCRIPTS
    )
    links = "".join(
        f'<li><a href="#{anchor}">{escape(name)}</a></li>' for anchor, name, _ in sections
    )
    body = "".join(
        f'<section id="{anchor}"><h2>{escape(name)}</h2>{content}</section>'
        for anchor, name, content in sections
    )
    template = string.Template((files / "page.html").read_text(encoding="utf-8"))
    return template.substitute(
        policy=policy(style, script),
        title=escape(f"COLO: {title}"),
        style=style,
        contents=f'<nav aria-label="contents"><ul>{links}</ul></nav>' * (len(sections) > 1),
        body=body,
        data=inert(data),
        script=script,
    )


def policy(style: str, script: str) -> str:
    """What the browser may do: nothing but what this page brings along, and no request at all."""

    def digest(text: str) -> str:
        return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"

    return (
        f"default-src 'none'; img-src data:; style-src {digest(style)}; "
        f"script-src {digest(script)}; base-uri 'none'; form-action 'none'"
    )


def inert(data: dict[str, Any]) -> str:
    """JSON in which no text can end the element that it stands in."""
    written = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return written.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def write(path: Path, content: str) -> Path:
    """Writes beside the file, then takes its place."""
    if path.is_dir():
        raise UsageError(f"{path}: is a folder")
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
            file.write(content)
        os.chmod(temporary, 0o666 & ~umask())
        os.replace(temporary, path)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise UsageError(f"{path}: {error.strerror}") from None
    return path


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
