# SPDX-License-Identifier: GPL-2.0-only
"""What a checkpoint costs: a pause by dirty pages and link, which is what clients notice."""

import json

import pytest
from scenario_program import run

PAGE = 4096 + 8  # with its header
LOAD_PER_PAGE_US = 0.4
WRITES = (4000, 16000, 64000)


def summary(tmp_path, *arguments):
    done = run(
        "--workload=request-response",
        "--connections=1",
        "--requests=1000",
        "--think-time=1ms",
        "--divergence=0",
        f"--out={tmp_path}",
        "--pcap=none",
        *arguments,
    )
    assert (done.status, done.stderr) == (0, ""), arguments
    return json.loads((tmp_path / "summary.json").read_text())


def by_writes(tmp_path, *arguments):
    """A client that asks each ms, and a checkpoint after each 300 ms, by writes a second."""
    return [
        summary(
            tmp_path / str(writes),
            "--interval=300ms",
            "--ns3::ColoMemory::WorkingSet=200000",
            f"--ns3::ColoMemory::WriteRate={writes}",
            *arguments,
        )
        for writes in WRITES
    ]


@pytest.mark.parametrize("gbps", [1, 10])
def test_pause_grows_linearly_with_dirty_pages(gbps, tmp_path):
    runs = by_writes(tmp_path, f"--checkpoint-link=rate={gbps}Gbps")
    points = [(found["pages"]["mean"], found["pause_ms"]["mean"] * 1000) for found in runs]
    expected = PAGE * 8 / gbps / 1000 + LOAD_PER_PAGE_US
    for (pages, pause), (more_pages, longer) in zip(points, points[1:]):
        assert more_pages > 2 * pages
        slope = (longer - pause) / (more_pages - pages)
        assert slope == pytest.approx(expected, rel=0.03), f"us a page, {points}"
    pages, pause = points[0]
    fixed = pause - expected * pages
    assert 2000 < fixed < 6000, f"us besides pages: overhead, load time, messages; {points}"


def test_a_clients_stall_is_about_the_pause(tmp_path):
    for found in by_writes(tmp_path):
        stall = found["latency_ms"]["max"] - found["latency_ms"]["p50"]
        assert stall == pytest.approx(found["pause_ms"]["max"], rel=0.15), found["pause_ms"]


def test_pages_sent_before_shorten_the_pause_and_cost_the_link(tmp_path):
    plain, sent_before = (
        summary(
            tmp_path / name,
            "--interval=300ms",
            "--ns3::ColoMemory::WorkingSet=200000",
            "--ns3::ColoMemory::WriteRate=30000",
            *more,
        )
        for name, more in (("plain", []), ("sent", ["--ns3::ColoCheckpointer::BackgroundRate=2Gbps"]))
    )
    assert sent_before["pages"]["mean"] < 0.5 * plain["pages"]["mean"]
    assert sent_before["pause_ms"]["mean"] < 0.7 * plain["pause_ms"]["mean"]


def test_intervals_that_contradict_are_refused():
    done = run(
        "--ns3::ColoPrimaryProxy::CheckpointIntervalMin=2s",
        "--ns3::ColoPrimaryProxy::CheckpointIntervalMax=1s",
    )
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "CheckpointIntervalMin" in done.stderr and "CheckpointIntervalMax" in done.stderr
