#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Prints what a sweep costs beyond its simulations, on an otherwise idle machine.

    PYTHONPATH=build/python /usr/bin/python3 test/sweep-bench.py [JOBS]
"""

import resource
import sys
import time

import colo
from distributed import Client, LocalCluster

POINTS = 200
GRID = {"divergence": [0, 0.01, 0.02, 0.05, 0.1]}
SEEDS = range(POINTS // 5)
OPTIONS = {"workload": "request-response", "requests": 300}


def of_children():
    """CPU seconds of processes that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed(**how):
    """Wall and CPU seconds of a sweep, and its table."""
    begin, cpu = time.perf_counter(), of_children()
    table = colo.sweep(GRID, SEEDS, progress=False, **how, **OPTIONS)
    assert table.error.isna().all()
    return time.perf_counter() - begin, of_children() - cpu, table


def main():
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    wall, cpu, table = timed(jobs=jobs)
    slots = wall * jobs / 100
    print(
        f"{jobs} jobs: {POINTS} points in {wall:.2f} s, {table.seconds.mean() * 1e3:.1f} ms each;"
        f" CPUs {cpu / slots:.1f} % busy (reach: 90),"
        f" jobs {table.seconds.sum() / slots:.1f} % of the time inside a point"
    )
    alone, _, table = timed(jobs=1)
    beyond = (alone - table.seconds.sum()) / POINTS
    print(f"1 job: {alone:.2f} s, beyond the simulation {beyond * 1e3:.1f} ms a point (reach: 50)")
    with (
        LocalCluster(n_workers=jobs, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        timed(executor=client)  # its workers import colo
        dask, _, _ = timed(executor=client)
    print(f"dask: {dask:.2f} s, {100 * (dask / wall - 1):+.1f} % (reach: within 15)")


if __name__ == "__main__":
    main()
