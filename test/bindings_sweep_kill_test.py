# SPDX-License-Identifier: GPL-2.0-only
"""Sweeps whose processes are killed: a point at most is lost, and a folder goes on."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import colo
import pandas
import psutil
import pytest

WEB = {"workload": "request-response", "requests": 30}
LONG = {"workload": "download", "requests": 20_000}  # minutes
SOON = 5


def lines(folder):
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


def workers():
    mine = filter(is_running, psutil.Process().children())
    return [process for process in mine if "colo._worker" in process.cmdline()]


def is_running(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def until(condition):
    end = time.monotonic() + SOON
    while not (value := condition()):
        assert time.monotonic() < end
        time.sleep(0.005)
    return value


def test_killed_children_and_workers_cost_a_point_at_most(tmp_path):
    """Each is killed once and runs again; the results are those of an undisturbed sweep."""
    options = {"workload": "download", "requests": 3}
    killed = []

    def kill():
        for of_children, worker in enumerate(until(lambda: len(workers()) == 2 and workers())):
            child = until(worker.children)[0]
            process = child if of_children else worker
            process.kill()
            killed.append(process.pid)

    thread = threading.Thread(target=kill)
    thread.start()
    table = colo.sweep({"divergence": [0, 0.1]}, range(2), jobs=2, out=tmp_path, **options)
    thread.join()
    assert len(killed) == 2 and table.error.isna().all() and len(lines(tmp_path)) == 4
    again = colo.sweep({"divergence": [0, 0.1]}, range(2), jobs=2, **options)
    times = ["seconds", "wall_s"]
    pandas.testing.assert_frame_equal(table.drop(columns=times), again.drop(columns=times))


def test_a_point_whose_process_is_killed_twice_is_a_row():
    def kill():
        for _ in range(2):
            child = until(until(workers)[0].children)[0]
            child.kill()
            until(lambda: not is_running(child))

    thread = threading.Thread(target=kill)
    thread.start()
    table = colo.sweep({}, [1], jobs=1, **LONG)
    thread.join()
    assert list(table.error) == ["killed by signal 9"]
    assert list(table.columns) == ["seed", "error", "seconds"]


SCRIPT = """
    import colo
    colo.sweep({{"divergence": [0, 0.1]}}, range(15), jobs=2, out={out!r}, **{options!r})
"""


def begun(tmp_path, folder):
    """A script that sweeps, with some points done."""
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT.format(out=str(folder), options=WEB)))
    process = subprocess.Popen(
        [sys.executable, script], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    path = folder / "results.jsonl"
    until(lambda: path.exists() and path.read_bytes().count(b"\n") >= 6)
    return process


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_sweep_goes_on_where_it_was(tmp_path, signum):
    folder = tmp_path / "out"
    with begun(tmp_path, folder) as script:
        children = psutil.Process(script.pid).children(recursive=True)
        sent = time.monotonic()
        if signum == signal.SIGINT:  # as a terminal does
            os.killpg(script.pid, signum)
        else:
            script.send_signal(signum)
        errors = script.communicate(timeout=SOON)[1]
        assert time.monotonic() - sent < 1
    until(lambda: not any(map(is_running, children)))
    assert script.returncode == -signum
    assert errors.count("Traceback") == (signum == signal.SIGINT)  # workers keep quiet
    done = len(colo.load(folder))
    assert 6 <= done < 30
    told = []
    table = colo.sweep(
        {"divergence": [0, 0.1]},
        range(15),
        jobs=2,
        out=folder,
        progress=lambda *of: told.append(of),
        **WEB,
    )
    assert len(table) == 30 and told[0] == (done + 1, 30)
    points = [json.dumps(line["point"]) for line in lines(folder)]
    assert len(points) == len(set(points)) == 30


def test_two_sweeps_do_not_write_one_folder(tmp_path):
    folder = tmp_path / "out"
    with begun(tmp_path, folder) as script:
        assert len(colo.load(folder)) >= 6  # reading is fine
        with pytest.raises(ValueError, match="out: .*: another sweep writes there"):
            colo.sweep({"divergence": [0, 0.1]}, range(15), out=folder, **WEB)
        script.kill()
        script.communicate()
    assert len(colo.sweep({"divergence": [0, 0.1]}, range(15), out=folder, **WEB)) == 30
