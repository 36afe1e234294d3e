# SPDX-License-Identifier: GPL-2.0-only
"""Sweeps on workers of dask and of MPI: the same tables as from local processes."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import colo
import dask
import pandas
import pytest
from distributed import Client, LocalCluster

WEB = {"workload": "request-response", "requests": 30}
GRID = {"divergence": [0, 0.1]}
SEEDS = range(3)
SOON = 10
MPI = ["mpiexec", "--allow-run-as-root", "--oversubscribe", "-n", "3", sys.executable]


@pytest.fixture(scope="module")
def local():
    return colo.sweep(GRID, SEEDS, jobs=2, **WEB)


@pytest.fixture(scope="module")
def cluster():
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as made,
    ):
        yield made


def assert_same(table, other):
    times = ["seconds", "wall_s"]
    pandas.testing.assert_frame_equal(table.drop(columns=times), other.drop(columns=times))


def test_dask_workers_give_the_same(cluster, local, tmp_path):
    with Client(cluster) as client:
        table = colo.sweep(GRID, SEEDS, executor=client, out=tmp_path, **WEB)
        again = colo.sweep(GRID, SEEDS, executor=client.get_executor(), **WEB)
    assert_same(table, local)
    assert_same(again, local)
    assert_same(colo.load(tmp_path), local)


def test_a_dask_worker_that_is_killed_costs_its_points(cluster, tmp_path):
    """Here dask may not try points again; the sweep does when it goes on."""
    options = {"workload": "download", "requests": 3}

    def kill():
        end = time.monotonic() + SOON
        path = tmp_path / "results.jsonl"
        while not path.exists() or not path.read_bytes():
            assert time.monotonic() < end
            time.sleep(0.01)
        os.kill(cluster.workers[0].pid, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    with Client(cluster) as client:
        table = colo.sweep(GRID, SEEDS, executor=client, out=tmp_path, **options)
        thread.join()
        assert 1 <= table.error.notna().sum() < len(table) == 6
        assert table.error.dropna().str.startswith("KilledWorker: ").all()
        table = colo.sweep(GRID, SEEDS, executor=client, out=tmp_path, **options)
    assert table.error.isna().all()


def test_the_command_runs_on_dask(cluster, local, tmp_path):
    words = [
        "--axis=divergence=0,0.1",
        "--seeds=0:3",
        "--requests=30",
        f"--out={tmp_path}",
        "--workload=request-response",
        f"--dask={cluster.scheduler_address}",
    ]
    subprocess.run([sys.executable, "-m", "colo", "sweep", *words], check=True, timeout=60)
    assert_same(colo.load(tmp_path), local)


SCRIPT = """
    import colo, sys
    from mpi4py.futures import MPIPoolExecutor

    if __name__ == "__main__":
        with MPIPoolExecutor() as executor:
            colo.sweep({grid!r}, {seeds!r}, executor=executor, out=sys.argv[1], **{web!r})
"""


def test_mpi_ranks_give_the_same(local, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT.format(grid=GRID, seeds=SEEDS, web=WEB)))
    subprocess.run([*MPI, "-m", "mpi4py.futures", script, tmp_path / "out"], check=True, timeout=60)
    assert_same(colo.load(tmp_path / "out"), local)


def test_the_command_runs_on_mpi(local, tmp_path):
    words = [
        "--axis=divergence=0,0.1",
        "--seeds=0:3",
        "--requests=30",
        f"--out={tmp_path}",
        "--workload=request-response",
        "--mpi",
    ]
    subprocess.run([*MPI, "-m", "colo", "sweep", *words], check=True, timeout=60)
    assert_same(colo.load(tmp_path), local)
    done = subprocess.run(
        [*MPI, "-m", "colo", "sweep", *words, "--axis=lag=1"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0 and "colo sweep: lag: '1' is not a time" in done.stderr
