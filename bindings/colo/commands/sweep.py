# SPDX-License-Identifier: GPL-2.0-only
"""colo sweep: the points of a grid, from the command line or a file."""

import argparse
import contextlib
import math
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from concurrent.futures import BrokenExecutor
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from colo._errors import UsageError
from colo.commands._options import ATTRIBUTES_HELP, add_options, options_of

if TYPE_CHECKING:
    import pandas

HELP = "run each point of a grid with several seeds, here or on a cluster"
EPILOG = f"""VALUES are separated by commas (by semicolons if one of them has commas), or FROM:TO:STEP,
numbers without TO, as Python's range() has them.
{ATTRIBUTES_HELP}
Examples:
  python3 -m colo sweep --workload=download --axis divergence=0,0.01,0.02 --axis lag=100us,1ms \\
      --seeds=0:20 --jobs=2 --out=results
  python3 -m colo sweep --axis ns3::ColoProxy::CompareTimeout=1s,3s --axis divergence=0:0.1:0.02
  python3 -m colo sweep study.toml --out=elsewhere
  python3 -m colo sweep study.toml --dask=tcp://scheduler:8786
  mpiexec -n 9 python3 -m colo sweep study.toml --mpi

study.toml; the command line wins:
  out = "results"
  seeds = "0:20"                       # or a list
  jobs = 2
  [fixed]
  workload = "download"
  [grid]
  divergence = [0, 0.01, 0.02]         # or "0:0.03:0.01"
  "ns3::ColoProxy::CompareTimeout" = ["1s", "3s"]

The same sweep again, or one with more seeds or values, runs what --out does not have.
Exit status: 0 done, 1 points failed (they run again next time), 2 wrong usage or input.
"""

NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
RANGE = re.compile(f"({NUMBER}):({NUMBER})(?::({NUMBER}))?")
EXIT_FAILED, EXIT_INTERRUPTED = 1, 130
SERVED = object()  # a rank that ran points for another one
SETTINGS = ("seeds", "jobs", "out")
VALUES_MAX = 1_000_000
SHOWN = {
    "checkpoints_per_s": "checkpoints/s",
    "throughput_mbps": "Mbit/s",
    "unprotected_throughput_mbps": "Mbit/s unprotected",
    "latency_ms_mean": "latency ms",
    "hold_ms_mean": "hold ms",
}
ROWS_SHOWN_MAX = 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    add = parser.add_argument
    add("study", nargs="?", metavar="STUDY.toml", help="a file that describes the sweep")
    add(
        "--axis",
        action="append",
        default=[],
        metavar="NAME=VALUES",
        help="an option of a run, or an ns-3 attribute, and its values; again for each axis",
    )
    add("--seeds", metavar="VALUES", help="of the random streams (default: 0:20)")
    add("--jobs", metavar="COUNT", help="runs at once on this machine (default: its CPUs)")
    add("--out", metavar="FOLDER", help="where results go; colo plot and report read it")
    add("--dask", metavar="ADDRESS", help="run on this dask.distributed scheduler's workers")
    add("--mpi", action="store_true", help="run on the ranks of mpiexec, but the first")
    add("--quiet", action="store_true", help="no progress bar (default: if stderr is a terminal)")
    add_options(parser, without=("seed", "out", "trace", "pcap", "netanim", "save_config"))


def main(arguments: argparse.Namespace) -> int:
    try:
        with _executor(arguments) as executor:
            return 0 if executor is SERVED else _sweep(arguments, executor)
    except BrokenExecutor as error:
        print(f"colo sweep: {error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        print("colo sweep: interrupted; with --out, the same again goes on", file=sys.stderr)
        return EXIT_INTERRUPTED


def _sweep(arguments: argparse.Namespace, executor: Any) -> int:
    import colo

    study = _read_study(arguments.study) if arguments.study else {}
    axes = _axes(arguments.axis)
    grid = {**study.get("grid", {}), **axes}
    given = {name: _value(value) for name, value in options_of(arguments).items()}
    written = study.get("fixed", {})
    fixed = {**{name: written[name] for name in written if name not in axes}, **given}
    settings = {name: study[name] for name in SETTINGS if name in study}
    for name in SETTINGS:
        if (value := getattr(arguments, name)) is not None:
            settings[name] = value
    if "seeds" in settings:
        settings["seeds"] = values_of("seeds", settings["seeds"])
    if arguments.jobs:
        settings["jobs"] = _value(arguments.jobs)
    if executor is not None:
        settings.pop("jobs", None)  # of the file, which is for any machine
    progress = False if arguments.quiet else None
    table = colo.sweep(grid, executor=executor, progress=progress, **settings, **fixed)
    print(_summary(table))
    return EXIT_FAILED if table["error"].notna().any() else 0


def _axes(words: Iterable[str]) -> dict[str, Any]:
    axes: dict[str, Any] = {}
    for word in words:
        name, equals, values = word.partition("=")
        if not equals:
            raise UsageError(f"--axis: '{word}' is not NAME=VALUES")
        name = _option_name(name)
        if name in axes:
            raise UsageError(f"--axis: {name} is there twice")
        axes[name] = values_of(name, values)
    return axes


def _summary(table: "pandas.DataFrame") -> str:
    """A line for each point of the grid, means over its seeds, and what went wrong."""
    axes = table.attrs["axes"]
    shown = [name for name in SHOWN if name in table]
    lines = []
    if shown:
        means = table.groupby(axes, sort=False, dropna=False)[shown] if axes else table[shown]
        frame = means.mean() if axes else means.mean().to_frame().T
        frame = frame.reset_index() if axes else frame
        text = frame.rename(columns=SHOWN).to_string(
            index=False, max_rows=ROWS_SHOWN_MAX, float_format="{:.4g}".format
        )
        lines.append(text)
    failed = table["error"].dropna()
    lines.append(f"{len(table)} points, {len(failed)} failed")
    lines += [f"  {count} times: {text}" for text, count in failed.value_counts().items()]
    if "finished" in table and (count := int((table["finished"] == False).sum())):  # noqa: E712
        lines.append(f"{count} ran out of --time, or got stuck: column 'finished'")
    return "\n".join(lines)


@contextlib.contextmanager
def _executor(arguments: argparse.Namespace) -> Iterator[Any]:
    if arguments.dask and arguments.mpi:
        raise UsageError("--dask, --mpi: only one of them")
    if (arguments.dask or arguments.mpi) and arguments.jobs:
        raise UsageError("--jobs: is of local processes, not of --dask or --mpi")
    if arguments.dask:
        from distributed import Client

        try:
            client = Client(arguments.dask)
        except (OSError, ValueError) as error:
            raise UsageError(f"--dask: {arguments.dask}: {error}") from None
        with client:
            yield client
    elif arguments.mpi:
        from mpi4py.futures import MPICommExecutor

        with MPICommExecutor() as executor:  # on other ranks, that is all that they do
            yield SERVED if executor is None else executor
    else:
        yield None


def _read_study(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            study = tomllib.load(file)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}") from None
    for name, value in study.items():
        if name not in ("grid", "fixed", *SETTINGS):
            raise UsageError(f"{path}: {name}: is none of grid, fixed, {', '.join(SETTINGS)}")
        if name in ("grid", "fixed") and not isinstance(value, dict):
            raise UsageError(f"{path}: {name}: is not a table")
        if name == "out" and not isinstance(value, str):
            raise UsageError(f"{path}: out: {value} is not a folder")
    for name in ("grid", "fixed"):
        table = study.get(name, {})
        if wrong := {"grid", "seeds", "jobs", "executor", "out", "progress"}.intersection(table):
            raise UsageError(f"{path}: {name}.{min(wrong)}: is not an option of runs")
        study[name] = {_option_name(key): value for key, value in table.items()}
    study["grid"] = {name: values_of(name, values) for name, values in study["grid"].items()}
    return study


def _option_name(name: str) -> str:
    """As in Python: sec-dev is sec_dev."""
    return name if "::" in name else name.strip().replace("-", "_")


def values_of(name: str, values: Any) -> Any:
    """What a text of VALUES means; anything else is left as it is."""
    if not isinstance(values, str):
        return values
    if match := RANGE.fullmatch(values):
        return _range(name, *match.groups())
    texts = values.removesuffix(";").split(";") if ";" in values else values.split(",")
    return [_value(text) for text in texts]


def _range(name: str, first: str, end: str, step: str | None) -> list[Any]:
    """Decimal, so that the third of 0:1:0.1 is 0.3."""
    low, high, width = Decimal(first), Decimal(end), Decimal(step or "1")
    if width == 0 or (high - low) / width > VALUES_MAX:
        raise UsageError(f"{name}: {first}:{end}:{width} is too many values")
    values = [low + width * number for number in range(math.ceil((high - low) / width))]
    return [int(value) if value == int(value) else float(value) for value in values]


def _value(text: Any) -> Any:
    """A number if it is one, so that a folder says the same as one made from Python."""
    if not isinstance(text, str) or not re.fullmatch(NUMBER, text):
        return text
    return int(text) if re.fullmatch("[+-]?[0-9]+", text) else float(text)
