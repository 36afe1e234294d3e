# SPDX-License-Identifier: GPL-2.0-only
"""Many runs: each point of a grid with several seeds, on this machine or a cluster."""

import contextlib
import itertools
import os
import queue
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from typing import TYPE_CHECKING, Any

from colo._errors import UsageError
from colo._executor import LocalExecutor, WorkerDied
from colo._plan import Key, Plan, Point
from colo._point import error_text, run_point
from colo._results import Record, ResultFolder, load, row_of, table

if TYPE_CHECKING:
    import pandas

Progress = bool | Callable[[int, int], object] | None

# Enough for workers of a cluster to have something to do; little enough to be kept in memory.
IN_FLIGHT_MAX = 1000


def sweep(
    grid: Mapping[str, Iterable[Any]],
    seeds: Iterable[int] = range(20),
    jobs: int | None = None,
    executor: Any = None,
    out: str | os.PathLike[str] | None = None,
    progress: Progress = None,
    **fixed: Any,
) -> "pandas.DataFrame":
    """Run each point of a grid, with each seed.

    All points are checked before the first one runs. One that fails is a row with its error, and
    the sweep goes on.

    Args:
        grid: The axes: lists, ranges or arrays of values, by the names of options of colo.run(), or
            of ns-3's attributes: {"divergence": [0, 0.01], "ns3::ColoProxy::CompareTimeout":
            ["1s", "3s"]}. None is an option's default.
        seeds: Of the random streams; the same ones at each point.
        jobs: How many runs at once on this machine; by default as many as it has CPUs.
        executor: What is to run them elsewhere: a concurrent.futures.Executor, a
            distributed.Client, a mpi4py.futures.MPIPoolExecutor. colo has to be installed there.
        out: A folder for results, which are there as they come. A sweep that was interrupted, or
            one with more seeds or values, runs what the folder does not have, and what failed.
        progress: True or False for a progress bar on stderr, by default if that is a terminal; or
            a function that is called with how many points are done, and how many there are.
        fixed: Options of all points, as of colo.run().

    Returns:
        A row a point, see colo.load().

    Raises:
        UsageError: A ValueError of one line that names the option, axis or folder of no use.
        concurrent.futures.BrokenExecutor: The executor takes no more points. What came is in `out`.
    """
    plan = Plan.of(grid, seeds, fixed)
    if executor is None:
        jobs = LocalExecutor.jobs_of(jobs)
    elif jobs is not None:
        raise UsageError("jobs: is of local processes, which an executor is there instead of")
    else:
        executor = _executor_of(executor)
    plan.check()
    memory = _Memory()
    store: ResultFolder | _Memory = memory
    with contextlib.ExitStack() as stack:
        if out is not None:
            store = stack.enter_context(ResultFolder(out, plan))
        bar = stack.enter_context(_Bar(progress, plan.size, len(store.finished)))
        missing = plan.size - len(store.finished)
        if missing:
            if jobs is not None:
                executor = stack.enter_context(LocalExecutor(min(missing, jobs)))
            points = (point for point in plan.points() if plan.key(point) not in store.finished)
            _Flight(executor, plan.fixed, store, bar).run(points, missing)
    return load(out) if out is not None else table(plan, memory.rows)


def _executor_of(given: Any) -> Executor:
    # A distributed.Client has one; a point that runs again is not to be found in its cache.
    executor: Executor = given.get_executor(pure=False) if hasattr(given, "get_executor") else given
    if not hasattr(executor, "submit"):
        raise UsageError(f"executor: {executor!r} cannot submit()")
    return executor


class _Flight:
    """Keeps an executor busy with points, and stores each result as it comes."""

    def __init__(
        self,
        executor: Executor,
        fixed: Mapping[str, Any],
        store: "ResultFolder | _Memory",
        bar: "_Bar",
    ) -> None:
        self._executor = executor
        self._fixed = fixed
        self._store = store
        self._bar = bar
        self._landed: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        self._flying: dict[Future[Any], Point] = {}
        self._count = 0

    def run(self, points: Iterator[Point], count: int) -> None:
        """All of these points; that many they are."""
        try:
            while True:
                for point in itertools.islice(points, IN_FLIGHT_MAX - len(self._flying)):
                    self._submit(point)
                if not self._flying:
                    return
                self._bar.step(self._land(self._landed.get()))
        except BrokenExecutor as error:
            self._give_up()
            raise BrokenExecutor(
                f"the executor broke after {self._count} of {count} points: {error}; the same"
                " sweep with out=FOLDER goes on where it was"
            ) from None
        except BaseException:
            self._give_up()
            raise

    def _submit(self, point: Point) -> None:
        try:
            future = self._executor.submit(run_point, {**self._fixed, **point})
        except RuntimeError as error:  # it was shut down, or broke
            raise BrokenExecutor(str(error)) from None
        self._flying[future] = point
        future.add_done_callback(self._landed.put)

    def _land(self, future: "Future[Any]") -> Record:
        point = self._flying.pop(future)
        try:
            outcome = future.result()
        except BrokenExecutor:
            raise
        except CancelledError:
            raise BrokenExecutor("points were cancelled") from None
        except Exception as error:
            text = str(error) if isinstance(error, WorkerDied) else error_text(error)
            outcome = {"summary": None, "error": text, "seconds": None}
        record = {"point": point, **outcome}
        self._store.append(record)
        self._count += 1
        return record

    def _give_up(self) -> None:
        """What came is kept, nothing else begins."""
        for future in list(self._flying):
            future.cancel()
        with contextlib.suppress(queue.Empty):
            while True:
                future = self._landed.get_nowait()
                if future in self._flying and not future.cancelled():
                    with contextlib.suppress(BrokenExecutor):
                        self._land(future)


class _Memory:
    """Instead of a folder."""

    def __init__(self) -> None:
        self.rows: list[Record] = []
        self.finished: set[Key] = set()

    def append(self, record: Record) -> None:
        self.rows.append(row_of(record))


class _Bar:
    """Says how far it is: a bar with rate and time left, a function of the user's, or nothing."""

    def __init__(self, progress: Progress, count: int, done: int) -> None:
        self._call = progress if callable(progress) else None
        self._count, self._done, self._failed = count, done, 0
        is_shown = sys.stderr.isatty() if progress is None else bool(progress)
        self._bar = None
        if is_shown and not self._call:
            from tqdm import tqdm

            self._bar = tqdm(total=count, initial=done, unit="point", file=sys.stderr)

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def step(self, record: Record) -> None:
        """One more point."""
        self._done += 1
        self._failed += record["error"] is not None
        if self._call:
            self._call(self._done, self._count)
        if self._bar is not None:
            if record["error"] is not None:
                self._bar.set_postfix(failed=self._failed, refresh=False)
            self._bar.update()
