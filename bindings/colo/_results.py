# SPDX-License-Identifier: GPL-2.0-only
"""The folder of a sweep: what it was to run, and what came of each point.

`sweep.json` has the plan, `results.jsonl` an object a line, appended as they come.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import colo
from colo._errors import UsageError
from colo._plan import Key, Plan

if TYPE_CHECKING:
    import pandas

FORMAT = 1
PLAN, RESULTS = "sweep.json", "results.jsonl"
COUNTS = ("checkpoint_reasons_", "mismatches_")  # by reason, those that were
NOT_FIGURES = ("calibration",)  # one and the same for all points, most of it text

Record = dict[str, Any]


def load(folder: str | os.PathLike[str]) -> "pandas.DataFrame":
    """Read the results of a sweep, a running one's as well.

    Args:
        folder: What colo.sweep() had as `out`.

    Returns:
        A row for each point that there is, in the order of the grid. Columns: each axis as it was
        given, `seed`; the figures of summary.json with their units, of `pause_ms` `pause_ms_mean`,
        `pause_ms_p99` and so on; `error`, None or why the point failed; `seconds` it took.
        `attrs["axes"]` has the axes' names.

    Raises:
        UsageError: It is no such folder, or a line of it is broken.
    """
    folder = Path(folder)
    plan = _plan_of(_read_description(folder))
    return table(plan, map(row_of, _read_records(folder / RESULTS)))


def table(plan: Plan, rows: Iterable[Record]) -> "pandas.DataFrame":
    """Rows of row_of() as colo.load() has them; of a point, the last counts."""
    import pandas

    names = [*plan.grid, "seed"]
    last = {plan.key(row): row for row in rows}
    ranks = [{value: rank for rank, value in enumerate(plan.grid[axis])} for axis in plan.grid]
    ranks.append({seed: rank for rank, seed in enumerate(plan.seeds)})

    def place(key: Key) -> tuple[int, ...]:
        return tuple(ranks[number][value] for number, value in enumerate(key))

    keys = sorted((key for key in last if _is_within(key, ranks)), key=place)
    figures: dict[str, None] = {}
    for key in keys:
        figures.update(dict.fromkeys(last[key]))
    for name in (*names, "error", "seconds"):
        figures.pop(name, None)
    columns = [*names, *figures, "error", "seconds"]
    frame = pandas.DataFrame([last[key] for key in keys], columns=columns)
    for name in filter(lambda name: name.startswith(COUNTS), figures):
        frame[name] = frame[name].mask(frame["error"].isna() & frame[name].isna(), 0)
    frame["error"] = frame["error"].astype(object).where(frame["error"].notna(), None)
    frame["seconds"] = frame["seconds"].astype(float)
    frame.attrs["axes"] = list(plan.grid)
    return frame


def row_of(record: Record) -> Record:
    """A record flattened, for table()."""
    row = dict(record["point"])
    for name, value in _scalars(record["summary"] or {}):
        row.setdefault(name, value)  # an axis is as it was given
    row["error"] = record["error"]
    row["seconds"] = record["seconds"]
    return row


def _is_within(key: Key, ranks: list[dict[Any, int]]) -> bool:
    return all(value in ranks[number] for number, value in enumerate(key))


def _scalars(summary: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in summary.items():
        if isinstance(value, Mapping) and name not in NOT_FIGURES:
            yield from _scalars(value, f"{prefix}{name}_")
        elif not isinstance(value, (Mapping, list)):
            yield prefix + name, value


class ResultFolder:
    """Takes the records of one sweep at a time."""

    def __init__(self, folder: str | os.PathLike[str], plan: Plan) -> None:
        """
        Args:
            folder: Made if need be; one that has results of the same plan, or of a part of it,
                goes on.
            plan: What is to run.

        Raises:
            UsageError: It has results of something else, another sweep writes to it, or it cannot
                be written.
        """
        self._path = Path(folder)
        self._plan = plan
        #: Points that are not to run again.
        self.finished: set[Key] = set()
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            self._file: IO[bytes] = open(self._path / RESULTS, "a+b")
        except OSError as error:
            raise UsageError(f"out: {error.filename}: {error.strerror}") from None
        try:
            self._begin()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "ResultFolder":
        return self

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)  # children of this process may have the file, too
        self._file.close()

    def append(self, record: Record) -> None:
        """Leaves one more line, whole and at once."""
        line = json.dumps(record, separators=(",", ":")) + "\n"
        try:
            self._file.write(line.encode())
            self._file.flush()
        except OSError as error:
            raise UsageError(f"out: {self._path / RESULTS}: {error.strerror}") from None

    def _begin(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"out: {self._path}: another sweep writes there") from None
        except OSError as error:  # a file system without locks
            raise UsageError(f"out: {self._path}: cannot be locked: {error.strerror}") from None
        if (self._path / PLAN).exists():
            self._go_on()
        elif os.fstat(self._file.fileno()).st_size:
            raise UsageError(f"out: {self._path}: has a {RESULTS}, but no {PLAN}")
        self._write_plan()

    def _go_on(self) -> None:
        described = _read_description(self._path)
        if difference := self._plan.lacks(_plan_of(described)):
            raise UsageError(f"out: {self._path} is of another sweep: {difference}")
        if (version := described["colo"]) != colo.__version__:
            raise UsageError(f"out: {self._path} is of colo {version}, this is {colo.__version__}")
        self._mend()
        for record in _read_records(self._path / RESULTS):
            key = self._plan.key(record["point"])
            (self.finished.discard if record["error"] else self.finished.add)(key)

    def _mend(self) -> None:
        """Takes away a line that was being written when its sweep was killed."""
        end = 0
        self._file.seek(0)
        for line in self._file:
            end += len(line) if line.endswith(b"\n") else 0
        self._file.truncate(end)

    def _write_plan(self) -> None:
        described = {
            "format": FORMAT,
            "colo": colo.__version__,
            "grid": self._plan.grid,
            "fixed": self._plan.fixed,
            "seeds": self._plan.seeds,
        }
        new = self._path / f"{PLAN}.new"
        try:
            new.write_text(json.dumps(described, indent=1) + "\n")
            new.replace(self._path / PLAN)
        except OSError as error:
            raise UsageError(f"out: {new}: {error.strerror}") from None


def _read_description(folder: Path) -> dict[str, Any]:
    path = folder / PLAN
    try:
        described: dict[str, Any] = json.loads(path.read_text())
        version = described["format"]
        if version == FORMAT:
            described["colo"], _plan_of(described).size
            return described
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; is that a sweep's folder?") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(f"{path}: does not describe a sweep") from None
    raise UsageError(f"{path}: is of format {version}, this colo knows {FORMAT}")


def _plan_of(described: Mapping[str, Any]) -> Plan:
    return Plan(described["grid"], described["seeds"], described["fixed"])


def _read_records(path: Path) -> Iterator[Record]:
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(open(path, "rb"))
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}") from None
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return  # is being written, or was when its sweep was killed
            try:
                record = json.loads(line)
                record["point"]["seed"], record["summary"], record["error"], record["seconds"]
            except (ValueError, KeyError, TypeError):
                raise UsageError(f"{path}:{number}: is not the result of a point") from None
            yield record
