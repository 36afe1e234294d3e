# SPDX-License-Identifier: GPL-2.0-only
"""Every workload, over IPv4 and IPv6, with and without divergence, with and without losses on
sec_dev: all clients get what they should, and mismatches are those that one should expect.
"""

import itertools
import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from scenario_program import Results

WORKLOADS = {
    "request-response": 60,
    "download": 4,
    "upload": 4,
    "transactions": 30,
    "key-value": 100,
    "key-value-udp": 100,
    "dns": 100,
    "bulk": 2,
    "chat": 30,
    "tls": 10,
    "ssh": 20,
    "lookups": 20,
    "mixed": 100,
}
# Their guests draw keys, so they differ whatever else is asked for.
SECRETIVE = {"tls", "ssh", "mixed"}
LOSS = 0.01
DIVERGENCE = 0.01
BYTES = {"bytes"}
# What never came. Also a datagram that differs: nobody knows which one is its partner.
ALONE = {"timeout-data", "timeout-ack", "secondary-extra"}
DATAGRAMS = {"dns", "key-value-udp", "lookups", "mixed"}
CASES = list(itertools.product(WORKLOADS, (4, 6), (0, DIVERGENCE), (0, LOSS)))


def name_of(case):
    workload, ip, divergence, loss = case
    return f"{workload}-ipv{ip}-divergence{divergence}-loss{loss}"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """All runs, two at a time."""

    def one(case):
        workload, ip, divergence, loss = case
        try:
            return Results(
                tmp_path_factory.mktemp("matrix") / "out",
                f"--workload={workload}",
                f"--requests={WORKLOADS[workload]}",
                f"--ip={ip}",
                f"--divergence={divergence}",
                f"--sec-dev=loss={loss}",
            )
        except AssertionError as error:
            return error

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(CASES, pool.map(one, CASES)))


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_case_runs_right(results, case):
    workload, _, divergence, loss = case
    result = results[case]
    if isinstance(result, AssertionError):
        raise result
    summary = result.summary
    told = json.dumps(summary["mismatches"])
    assert summary["finished"], told
    assert summary["requests_completed"] > 0
    assert (summary["client_resets"], summary["client_data_errors"]) == (0, 0), told
    allowed = set()
    if divergence or workload in SECRETIVE:
        allowed |= BYTES
    if loss or (divergence and workload in DATAGRAMS):
        allowed |= ALONE
    assert set(summary["mismatches"]) <= allowed, told
    if workload in ("tls", "ssh"):
        assert summary["checkpoints"] > 0
    assert bool(summary["mismatches"]) == bool(summary["checkpoints"])


def test_losses_were_there(results):
    """Else the half of the matrix that has them would say nothing."""
    slower = sum(
        results[workload, ip, 0, LOSS].summary["duration_s"]
        > results[workload, ip, 0, 0].summary["duration_s"]
        for workload in WORKLOADS
        for ip in (4, 6)
    )
    assert slower > len(WORKLOADS)
