# SPDX-License-Identifier: GPL-2.0-only
"""The small scenarios: each shows what its first lines say, and does so again."""

import re
import subprocess

import pytest
from scenario_program import PROGRAM

EXAMPLES = {
    "failover": ["--requests=500"],
    "sec-dev-loss": ["--requests=2"],
    "many-connections": ["--connections=200", "--clients=4"],
    "two-pairs": ["--requests=50"],
}


def run(name, *arguments):
    return subprocess.run(
        [PROGRAM.parent / name, *arguments], capture_output=True, text=True, timeout=60
    )


def rows(done):
    assert (done.returncode, done.stderr) == (0, "")
    return [line.split() for line in done.stdout.splitlines()[1:]]


@pytest.mark.parametrize("name", EXAMPLES)
def test_same_seed_same_output(name):
    first, again, other = (
        re.sub(r"took \S+ s of CPU", "", run(name, *EXAMPLES[name], f"--seed={seed}").stdout)
        for seed in (5, 5, 6)
    )
    assert first == again
    assert first.count("\n") >= 3
    # in the others, no figure of the table depends on chance
    assert name in ("failover", "many-connections") or first != other


def test_losses_cost_time_and_nothing_else():
    table = rows(run("sec-dev-loss", "--requests=2"))
    assert [float(row[0]) for row in table] == [0, 0.1, 0.5, 1, 2]
    assert float(table[-1][1]) > 4 * float(table[0][1])
    assert all(row[3:5] == ["0", "0"] for row in table)
    assert table[0][2] == "0"


def test_the_other_pair_does_not_notice():
    quiet, busy = rows(run("two-pairs", "--requests=50"))
    assert quiet[1] == "0"
    assert int(busy[1]) > 5
    assert float(busy[3]) > 2 * float(quiet[3])
    assert float(quiet[3]) < 1
    assert quiet[2] == busy[2]


def test_many_connections_are_all_answered():
    done = run("many-connections", "--connections=200", "--clients=4")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^released +\d+ packets, 400000 bytes$", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("name", EXAMPLES)
def test_help_and_bad_options(name):
    shown = run(name, "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    option = EXAMPLES[name][0].split("=")[0]
    assert option in shown.stdout and "(=" in shown.stdout
    for arguments in ([f"{option}=0"], [f"{option}=many"], ["--no-such"], ["--seed=0"]):
        done = run(name, *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"{name}: ") and done.stderr.count("\n") == 1


def test_a_failover_costs_what_the_lease_says():
    table = rows(run("failover", "--requests=1000"))
    assert len(table) == 12
    assert all(row[-2:] == ["0", "0"] for row in table)
    by_fault = {}
    for fault, lease, takeover, longest, *_ in table:
        by_fault.setdefault(fault, []).append((int(lease), takeover, float(longest)))
    for fault, points in by_fault.items():
        for lease, takeover, longest in points:
            if takeover == "never":
                # it woke up, or nobody else could tell, in time
                assert fault.startswith("hang") and 2 * lease > 300 - lease / 4
                continue
            # from the last heartbeat that was heard, not from the fault
            assert 1.7 * lease < float(takeover) < 2 * lease + 5
            assert float(takeover) < longest
    assert [point[1] for point in by_fault["hang-primary@20ms+300ms"]][2:] == ["never", "never"]
