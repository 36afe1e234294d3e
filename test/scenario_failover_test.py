# SPDX-License-Identifier: GPL-2.0-only
"""colo-scenario --fail: every workload goes on, and what the program says of it."""

import json

import pytest
from scenario_input_test import assert_refused
from scenario_program import WORKLOADS, run

# In each of these, one of the two hosts speaks in the end.
FAULTS = {
    "kill-primary@15ms": "secondary",
    "hang-primary@15ms+900ms": "secondary",
    "cut-eth0-primary@15ms": "secondary",
    "kill-secondary@15ms": "primary",
    "cut-sec_dev@15ms": "primary",
}


def summary(tmp_path, *arguments):
    done = run(f"--out={tmp_path}", "--pcap=none", *arguments)
    assert (done.status, done.stderr) == (0, ""), arguments
    return json.loads((tmp_path / "summary.json").read_text())


@pytest.mark.parametrize("fault", ["kill-primary@15ms", "cut-sec_dev@15ms"])
@pytest.mark.parametrize("workload", WORKLOADS)
def test_every_workload_goes_on(workload, fault, tmp_path):
    options = ["--workload=" + workload] if workload != "mixed" else ["--workload=mixed:dns=1,chat=1"]
    if workload in ("download", "upload", "bulk"):
        options.append("--response-size=3000000" if workload == "download" else "--requests=2")
    found = summary(tmp_path, *options, "--divergence=0.05", f"--fail={fault}", "--ip=6")
    assert (found["client_resets"], found["client_data_errors"]) == (0, 0)
    steps = [(step["host"], step["step"]) for step in found["pairs"][0]["failover"]]
    assert (FAULTS[fault], "alone") in steps


@pytest.mark.parametrize("fault", FAULTS)
def test_steps_are_told_in_order(fault, tmp_path):
    found = summary(
        tmp_path, "--workload=request-response", "--trace", f"--fail={fault}", "--pairs=3"
    )
    assert len(found["faults"]) == 1 and found["faults"][0]["t_s"] == 0.015
    for pair in found["pairs"]:
        steps = [(step["host"], step["step"]) for step in pair["failover"]]
        speaker = FAULTS[fault]
        assert steps.index((speaker, "peer-lost")) < steps.index((speaker, "alone"))
        assert ("secondary", "take-over") in steps or speaker == "primary"
        assert (speaker, "fenced") not in steps
        times = [step["t_s"] for step in pair["failover"]]
        assert times == sorted(times)
        # The last heartbeat that was heard was at 0; the secondary waits 300 ms, the lease is 200.
        alone = next(step for step in pair["failover"] if step["step"] == "alone")
        assert 0.2 < alone["t_s"] < 0.36
    lines = [json.loads(line) for line in (tmp_path / "timeline.jsonl").read_text().splitlines()]
    told = [(line["pair"], line["host"], line["step"]) for line in lines if line["event"] == "failover"]
    assert sorted(told) == sorted(
        (index, step["host"], step["step"])
        for index, pair in enumerate(found["pairs"])
        for step in pair["failover"]
    )


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    "fault", ["kill-primary@30ms", "hang-primary@30ms+600ms", "cut-eth2@30ms", "kill-secondary@30ms"]
)
def test_several_pairs_on_links_that_lose_frames(fault, seed, tmp_path):
    found = summary(
        tmp_path,
        "--workload=mixed",
        "--clients=3",
        "--pairs=2",
        "--divergence=0.03",
        "--lan=loss=0.002",
        "--sec-dev=loss=0.005,reorder=0.01,duplicate=0.01",
        "--checkpoint-link=loss=0.001",
        f"--fail={fault}",
        f"--seed={seed}",
    )
    assert (found["client_resets"], found["client_data_errors"]) == (0, 0)
    for pair in found["pairs"]:
        assert len([step for step in pair["failover"] if step["step"] == "alone"]) == 1


def test_a_host_that_comes_back_is_the_next_secondary(tmp_path):
    found = summary(
        tmp_path,
        "--workload=chat",
        "--requests=1500",
        "--connections=10",
        "--divergence=0.02",
        "--ns3::ColoMemory::Size=67108864",
        "--fail=kill-primary@100ms,revive-primary@1s,kill-secondary@6s,revive-secondary@7s",
    )
    assert (found["client_resets"], found["client_data_errors"]) == (0, 0)
    steps = [(step["host"], step["step"]) for step in found["pairs"][0]["failover"]]
    taken_over = [("secondary", step) for step in ("peer-lost", "take-over", "alone")]
    protected = [("secondary", "protected"), ("primary", "protected")]
    assert steps == (taken_over + protected) * 2
    assert found["checkpoint_reasons"]["join"] == 2
    mismatches = sum(found["mismatches"].values())  # of all nodes that compared, one after the other
    assert mismatches == found["checkpoint_reasons"]["bytes"] + found["mismatches_coalesced"]
    assert found["latency_ms"]["max"] < 2000


def test_without_faults_there_are_no_heartbeats(tmp_path):
    quiet = summary(tmp_path / "quiet", "--workload=chat")
    beating = summary(tmp_path / "beating", "--workload=chat", "--fail=kill-primary@1000s")
    assert quiet["faults"] == [] and quiet["pairs"][0]["failover"] == []
    assert beating["events"] > quiet["events"]
    for name in ("latency_ms", "client_bytes", "checkpoints"):
        assert quiet[name] == beating[name]


def test_a_fault_that_comes_too_late_is_said_to():
    done = run("--fail=kill-primary@1000s")
    assert done.status == 0
    assert "1000.000 s: the primary host dies; all was over by then" in done.stdout


@pytest.mark.parametrize(
    "value, words",
    [
        ("", "says no time"),
        ("kill-primary", "says no time"),
        ("kill@1s", "is not kill-HOST@TIME"),
        ("kill-both@1s", "is not kill-HOST@TIME"),
        ("stop-primary@1s", "is not kill-HOST@TIME"),
        ("kill-primary@", "'' is not a time"),
        ("kill-primary@2", "'2' is not a time"),
        ("kill-primary@-1s", "is not"),
        ("kill-primary@0s", "is not in 1ns to"),
        ("kill-primary@1s+1s", "says for how long; revive-HOST@TIME"),
        ("revive-primary@1s+1s", "who comes back stays"),
        ("kill-secondary@1s,revive-primary@2s", "the other one is dead"),
        ("kill-primary@1s,kill-primary@2s", "is not over"),
        ("hang-primary@1s", "does not say for how long"),
        ("hang-primary@1s+", "'' is not a time"),
        ("cut-@1s", "cuts none of the links"),
        ("cut-primary-tap0@1s", "cuts none of the links"),
        ("cut-sec_dev@1s,", "says no time"),
        ("hang-primary@1s+5s,hang-primary@2s+1s", "is not over"),
        ("kill-secondary@1s,hang-secondary@2s+1s", "is not over"),
    ],
)
def test_bad_faults(value, words):
    assert_refused(run("--fail", value), "option --fail", words)


def test_faults_need_a_second_host():
    assert_refused(run("--protection=none", "--fail=kill-primary@1s"), "option --fail", "none")


def test_leases_that_make_no_sense():
    for name, value, words in (
        ("Lease", "400ms", "the takeover time must be longer than the lease"),
        ("HeartbeatInterval", "200ms", "the heartbeat interval must be shorter than the lease"),
    ):
        done = run("--fail=kill-primary@1s", f"--ns3::ColoProxy::{name}={value}")
        assert_refused(done, name, words)
