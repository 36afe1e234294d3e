# SPDX-License-Identifier: GPL-2.0-only
"""Warm worker processes on this machine."""

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from multiprocessing.connection import Pipe
from typing import Any

from colo import _worker
from colo._errors import UsageError

ATTEMPTS = 2
WAIT_SECONDS = 10


class WorkerDied(RuntimeError):
    """The process of a task died; the text says how."""


class LocalExecutor(Executor):
    """Runs each task in a process of its own, forked from a worker that has colo imported.

    What a task breaks is its own process. If that dies, or its worker, the task is tried once more;
    then its future raises WorkerDied. Nothing of it outlives the process that made the executor.
    Unlike concurrent.futures.ProcessPoolExecutor it needs no `if __name__ == "__main__"`, goes on
    after a crash, and may be used beside threads. Functions have to be importable.
    """

    def __init__(self, jobs: int | None = None) -> None:
        """
        Args:
            jobs: How many tasks run at once; by default as many as this process may use CPUs.

        Raises:
            UsageError: `jobs` is not a number from 1.
        """
        #: How many tasks run at once.
        self.jobs: int = self.jobs_of(jobs)
        self._lock = threading.Lock()
        self._tasks: queue.SimpleQueue[tuple[Future[Any], bytes] | None] = queue.SimpleQueue()
        self._workers: set[_Worker] = set()
        self._is_shut = False
        self._broken = ""
        self._threads = [
            threading.Thread(target=self._serve, name=f"colo-worker-{number}", daemon=True)
            for number in range(self.jobs)
        ]
        for thread in self._threads:
            thread.start()

    @staticmethod
    def jobs_of(jobs: int | None) -> int:
        """What None, or such a number, means here."""
        if jobs is None:
            return len(os.sched_getaffinity(0))
        if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
            raise UsageError(f"jobs: {jobs!r} is not a number from 1")
        return jobs

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Run a function with these arguments; all of it goes through pickle."""
        task = pickle.dumps((function, args, kwargs))
        with self._lock:
            if self._broken:
                raise BrokenExecutor(self._broken)
            if self._is_shut:
                raise RuntimeError("cannot schedule new futures after shutdown")
            future: Future[Any] = Future()
            self._tasks.put((future, task))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more tasks, and end the workers when those that were submitted are done.

        Args:
            wait: Return when that is so.
            cancel_futures: Those that did not begin are not to.
        """
        with self._lock:
            if not self._is_shut:
                self._is_shut = True
                if cancel_futures:
                    self._cancel_waiting()
                for _ in self._threads:
                    self._tasks.put(None)
            elif cancel_futures:
                self._cancel_waiting()
        if wait:
            for thread in self._threads:
                thread.join()

    def kill(self) -> None:
        """End everything at once; futures that are not done are cancelled, or raise."""
        self._break("the executor was killed")
        self.shutdown()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.shutdown()
        else:
            self.kill()

    def _break(self, reason: str) -> None:
        with self._lock:
            self._broken = self._broken or reason
            self._cancel_waiting()
            for worker in self._workers:
                worker.kill()

    def _cancel_waiting(self) -> None:
        """The lock is held."""
        ends = 0
        with contextlib.suppress(queue.Empty):
            while True:
                if (task := self._tasks.get_nowait()) is None:
                    ends += 1
                elif task[0].cancel():
                    task[0].set_running_or_notify_cancel()
        for _ in range(ends):
            self._tasks.put(None)

    def _serve(self) -> None:
        """A thread: feeds one worker at a time."""
        # What this thread starts inherits that: Ctrl-C goes to all processes of a terminal, but
        # what is to happen then is for the user's own to say.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        worker = None
        while task := self._tasks.get():
            future, words = task
            if future.set_running_or_notify_cancel():
                worker = self._run(future, words, worker)
            del task, future
        self._stop(worker)

    def _run(
        self, future: "Future[Any]", task: bytes, worker: "_Worker | None"
    ) -> "_Worker | None":
        """Returns the worker to go on with."""
        death = ""
        for _ in range(ATTEMPTS):
            try:
                worker = worker or self._start()
                kind, value = worker.call(task)
            except BrokenExecutor as error:
                future.set_exception(error)
                self._break(str(error))
                return None
            except _WorkerGone as error:
                self._stop(worker)
                worker, death = None, f"worker {error}"
                continue
            except Exception as error:  # such as an answer that nobody can read
                future.set_exception(error)
                return worker
            if kind == _worker.DONE:
                future.set_result(value)
                return worker
            if kind == _worker.RAISED:
                future.set_exception(value)
                return worker
            death = value
        future.set_exception(WorkerDied(death))
        return worker

    def _start(self) -> "_Worker":
        with self._lock:
            if self._broken:
                raise BrokenExecutor(self._broken)
            try:
                worker = _Worker()
            except OSError as error:
                raise BrokenExecutor(f"a worker process could not begin: {error}") from None
            self._workers.add(worker)
        try:
            worker.wait_until_ready()
        except BrokenExecutor:
            self._stop(worker)
            raise
        return worker

    def _stop(self, worker: "_Worker | None") -> None:
        if worker:
            with self._lock:
                self._workers.discard(worker)
            worker.close()


class _WorkerGone(Exception):
    """How it ended."""


class _Worker:
    """The executor's end of a worker process."""

    def __init__(self) -> None:
        self._connection, theirs = Pipe()
        with theirs:
            words = ["-m", "colo._worker", str(theirs.fileno()), str(os.getpid())]
            self._process = subprocess.Popen(
                [sys.executable, "-P", *words],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={**os.environ, "PYTHONPATH": _python_path()},
            )

    def wait_until_ready(self) -> None:
        """Raises BrokenExecutor if it cannot work at all."""
        try:
            self._connection.recv_bytes()
        except (EOFError, OSError):
            raise BrokenExecutor(f"a worker process could not begin: {self._end()}") from None

    def call(self, task: bytes) -> tuple[str, Any]:
        """Raises _WorkerGone if it is not there, or dies."""
        try:
            self._connection.send_bytes(task)
            answer = self._connection.recv_bytes()
        except (EOFError, OSError):
            raise _WorkerGone(self._end()) from None
        kind, value = pickle.loads(answer)
        return kind, value

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        """It ends by itself when nobody is at the other end."""
        self._connection.close()
        try:
            self._process.wait(WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _end(self) -> str:
        try:
            status = self._process.wait(WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        return f"killed by signal {-status}" if status < 0 else f"ended with status {status}"


def _python_path() -> str:
    """What is found here is found there, and this package in any case."""
    here = os.path.dirname(os.path.dirname(__file__))
    return os.pathsep.join([*(os.path.abspath(folder) for folder in sys.path), here])
