# SPDX-License-Identifier: GPL-2.0-only
"""Warm workers: what a task breaks is its own, and nothing outlives its user."""

import math
import operator
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import BrokenExecutor, CancelledError, wait
from pathlib import Path

import colo
import psutil
import pytest
from colo import LocalExecutor, UsageError
from colo._executor import WorkerDied

SOON = 10


@pytest.fixture
def executor():
    with LocalExecutor(2) as made:
        yield made


def workers():
    return [process for process in psutil.Process().children() if is_worker(process)]


def is_worker(process):
    """Or the child of one."""
    return not is_gone(process) and "colo._worker" in process.cmdline()


def workers_pids():
    return {worker.pid for worker in workers()}


def until(condition):
    end = time.monotonic() + SOON
    while not (value := condition()):
        assert time.monotonic() < end
        time.sleep(0.005)
    return value


def is_gone(process):
    """Or waits for whoever is to take note of that."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_results_and_exceptions_come_back(executor):
    assert list(executor.map(math.sqrt, range(0, 40))) == [math.sqrt(n) for n in range(0, 40)]
    assert executor.submit(dict, a=1).result() == {"a": 1}
    assert len(executor.submit(operator.mul, b"x", 1_000_000).result()) == 1_000_000
    with pytest.raises(ValueError, match="math domain error"):
        executor.submit(math.sqrt, -1).result()
    with pytest.raises(Exception, match="pickle"):
        executor.submit(lambda: 1)


def test_each_task_has_a_process_of_its_own_forked_from_a_warm_worker(executor):
    pids = set(executor.map(eval, ["__import__('os').getpid()"] * 10))
    parents = set(executor.map(eval, ["__import__('os').getppid()"] * 10))
    assert len(pids) == 10 and not pids & parents
    assert parents <= workers_pids() and len(workers()) <= 2
    assert executor.submit(eval, "'colo._colo' in __import__('sys').modules").result()


def test_workers_have_one_thread(executor):
    wait([executor.submit(time.sleep, 0.2) for _ in range(2)])
    assert [worker.num_threads() for worker in workers()] == [1, 1]


def test_tasks_run_at_the_same_time(executor):
    wait([executor.submit(time.sleep, 0.3) for _ in range(2)])  # the workers are there then
    begin = time.monotonic()
    wait([executor.submit(time.sleep, 1) for _ in range(2)])
    assert time.monotonic() - begin < 1.9


@pytest.mark.parametrize(
    "task, text",
    [
        ("os.kill(os.getpid(), 9)", "killed by signal 9"),
        ("os.abort()", "killed by signal 6"),
        ("os._exit(3)", "ended with status 3"),
        (
            "os.write(2, b'first\\nmsg=\"too much\"\\nterminate called\\n') and os.abort()",
            'killed by signal 6: msg="too much": terminate called',
        ),
    ],
)
def test_a_task_that_dies_says_how_and_others_go_on(executor, task, text):
    others = [executor.submit(math.sqrt, number) for number in range(10)]
    with pytest.raises(WorkerDied) as raised:
        executor.submit(exec, f"import os\n{task}").result()
    assert str(raised.value) == text
    assert [other.result() for other in others] == [math.sqrt(number) for number in range(10)]


def test_a_task_that_dies_is_tried_once_more(executor, tmp_path):
    code = f"""
import os, pathlib
path = pathlib.Path({str(tmp_path / "tries")!r})
path.open("a").write("x")
if path.read_text() != "xx":
    os.abort()
"""
    executor.submit(exec, code).result()
    assert (tmp_path / "tries").read_text() == "xx"


def test_another_worker_follows_one_that_was_killed(executor):
    futures = [executor.submit(time.sleep, 1) for _ in range(2)]
    until(lambda: len(workers()) == 2 and all(worker.children() for worker in workers()))
    child = workers()[0].children()[0]
    first = workers()[0].pid
    os.kill(first, signal.SIGKILL)
    until(lambda: is_gone(child))
    assert [future.result() for future in futures] == [None] * 2
    assert len(workers()) == 2 and first not in workers_pids()


def test_a_terminals_ctrl_c_is_the_users_alone(executor):
    future = executor.submit(eval, "__import__('time').sleep(0.5) or __import__('os').getpid()")
    worker = until(workers)[0]
    child = until(worker.children)[0]
    for process in (child, worker):
        process.send_signal(signal.SIGINT)
    assert future.result() == child.pid and worker in workers()


def test_a_task_whose_workers_are_killed_says_so(executor):
    with pytest.raises(WorkerDied, match="worker killed by signal 9"):
        executor.submit(exec, "import os, time; os.kill(os.getppid(), 9); time.sleep(9)").result()
    assert executor.submit(math.sqrt, 4).result() == 2


def test_shutdown_finishes_what_was_submitted_and_leaves_nothing():
    executor = LocalExecutor(2)
    futures = [executor.submit(time.sleep, 0.05) for _ in range(6)]
    executor.shutdown()
    assert all(future.done() for future in futures) and not workers()
    with pytest.raises(RuntimeError, match="shutdown"):
        executor.submit(math.sqrt, 1)


def test_shutdown_cancels_what_has_not_begun():
    executor = LocalExecutor(1)
    futures = [executor.submit(time.sleep, 0.3) for _ in range(4)]
    until(futures[0].running)
    executor.shutdown(cancel_futures=True)
    assert futures[0].result() is None
    assert [future.cancelled() for future in futures] == [False, True, True, True]


def test_an_error_inside_with_ends_all_at_once():
    begin = time.monotonic()
    with pytest.raises(KeyError), LocalExecutor(1) as executor:
        futures = [executor.submit(time.sleep, 60) for _ in range(3)]
        until(futures[0].running)
        raise KeyError
    assert time.monotonic() - begin < SOON and not workers()
    with pytest.raises(BrokenExecutor):
        futures[0].result()
    with pytest.raises(CancelledError):
        futures[1].result()
    with pytest.raises(BrokenExecutor):
        executor.submit(math.sqrt, 1)


def test_a_worker_that_cannot_begin_breaks_the_executor(monkeypatch, capfd):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with LocalExecutor(1) as executor:
        future = executor.submit(math.sqrt, 1)
        with pytest.raises(BrokenExecutor, match="could not begin: ended with status 1"):
            future.result()
    monkeypatch.setattr(sys, "executable", "/nowhere/python3")
    with LocalExecutor(1) as executor, pytest.raises(BrokenExecutor, match="No such file"):
        executor.submit(math.sqrt, 1).result()


@pytest.mark.parametrize("jobs", [0, -1, 1.5, True, "2"])
def test_jobs_is_a_number(jobs):
    with pytest.raises(UsageError, match="jobs: "):
        LocalExecutor(jobs)


def test_it_may_be_made_in_a_thread_of_a_busy_process():
    results = []

    def use():
        with LocalExecutor(1) as executor:
            results.append(executor.submit(math.sqrt, 9).result())

    threads = [threading.Thread(target=use) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [3, 3, 3]


def test_workers_find_colo_as_their_user_does():
    """Which has it from its working folder, and leaves that."""
    place = Path(colo.__file__).parent.parent
    code = """
import os, math, colo
os.chdir("/")
with colo.LocalExecutor(1) as executor:
    print(executor.submit(math.sqrt, 4).result())
"""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=place,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert done.stdout == "2.0\n"


# As users write: without `if __name__ == "__main__"`.
SCRIPT = """
    import os, sys, time
    from colo import LocalExecutor
    executor = LocalExecutor(2)
    list(executor.map(time.sleep, [0.1, 0.1]))  # the workers are there then
    futures = [executor.submit(time.sleep, 60) for _ in range(2)]
    while not all(future.running() for future in futures):
        time.sleep(0.01)
    print("running", flush=True)
    {end}
"""


def of_workers(pid):
    return list(filter(is_worker, psutil.Process(pid).children(recursive=True)))


@pytest.mark.parametrize(
    "end, signum",
    [
        ("time.sleep(60)", signal.SIGKILL),
        # One that has the same files open.
        ("os.fork() == 0 and (time.sleep(20), os._exit(0)); time.sleep(60)", signal.SIGKILL),
        ("time.sleep(60)", signal.SIGTERM),
        ("sys.stdin.read()", None),
    ],
)
def test_nothing_outlives_its_user(tmp_path, end, signum):
    script = Path(tmp_path / "script.py")
    script.write_text(textwrap.dedent(SCRIPT.format(end=end)))
    words = [sys.executable, script]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as user:
        assert user.stdout.readline() == "running\n"
        processes = until(lambda: len(found := of_workers(user.pid)) == 4 and found)
        if signum:
            user.send_signal(signum)
        user.stdin.close()
        user.wait(SOON)
    assert until(lambda: all(is_gone(process) for process in processes))
