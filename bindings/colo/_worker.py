# SPDX-License-Identifier: GPL-2.0-only
"""A worker of colo.LocalExecutor: imports the simulator once, and forks a child for each task.

It has one thread only, and so a fork is of a whole process; what a task breaks goes with its child.
"""

import ctypes
import importlib
import os
import pickle
import signal
import sys
from multiprocessing.connection import Connection, Pipe
from typing import Any

READY = b"ready"
DONE, RAISED, DIED = "done", "raised", "died"

PR_SET_PDEATHSIG = 1
STDERR = 2
LOG_LINES_MAX = 2  # what was wrong, and how the process ended


def main(descriptor: int, parent: int) -> None:
    """Serves the executor at the other end of a socket until that is closed.

    Each message from there is a pickled (function, args, kwargs), and each answer a pickled pair:
    what became of it (DONE, RAISED, DIED), and the result, the exception, or how its child died.

    Args:
        descriptor: The socket's.
        parent: Process id of the executor.
    """
    _die_with(parent)
    executor = Connection(descriptor)
    importlib.import_module("colo._point")
    log = os.memfd_create("stderr")
    executor.send_bytes(READY)
    while True:
        try:
            task = executor.recv_bytes()
        except (EOFError, OSError):
            return
        executor.send_bytes(_in_child(task, executor, log))


def _in_child(task: bytes, executor: Connection, log: int) -> bytes:
    worker = os.getpid()
    os.ftruncate(log, 0)
    os.lseek(log, 0, os.SEEK_SET)
    answers, answer = Pipe(duplex=False)
    child = os.fork()
    if child == 0:
        try:
            _die_with(worker)
            executor.close()
            answers.close()
            os.dup2(log, STDERR)
            answer.send_bytes(_answer_of(task))
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(0)  # without what the worker's end would do
    answer.close()
    with answers:
        try:
            given = answers.recv_bytes()
        except (EOFError, OSError):
            given = None
    _, status = os.waitpid(child, 0)
    text = os.pread(log, os.fstat(log).st_size, 0)
    if given is None:
        return pickle.dumps((DIED, _death(status, text.decode(errors="replace"))))
    if text:
        os.write(STDERR, text)
    return given


def _answer_of(task: bytes) -> bytes:
    try:
        function, args, kwargs = pickle.loads(task)
        return pickle.dumps((DONE, function(*args, **kwargs)))
    except Exception as error:
        return _pickled_error(error)


def _pickled_error(error: Exception) -> bytes:
    """Not each exception comes out of a pickle again."""
    try:
        answer = pickle.dumps((RAISED, error))
        pickle.loads(answer)
        return answer
    except Exception:
        return pickle.dumps((RAISED, RuntimeError(f"{type(error).__name__}: {error}")))


def _death(status: int, log: str) -> str:
    code = os.waitstatus_to_exitcode(status)
    how = f"killed by signal {-code}" if code < 0 else f"ended with status {code}"
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return ": ".join([how, *lines[-LOG_LINES_MAX:]])


def _die_with(parent: int) -> None:
    """Lets the kernel kill this process when the parent ends, however that does."""
    prctl: Any = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:  # it ended before
        os._exit(1)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
