# SPDX-License-Identifier: GPL-2.0-only
"""What COLO is measured against: --protection, --interval, --compare, and the published shapes."""

import json
import time

import pytest
from scenario_program import WORKLOADS, Results, run

PROTECTIONS = ["none", "colo", "colo-by-segment", "remus", "lockstep"]
COMPARING = ["colo", "colo-by-segment", "lockstep"]
UNIFORM = "ns3::UniformRandomVariable"
# Guests whose applications write in pieces of their own, into a buffer that is never full of
# them: so segments are cut differently all the time.
CUTS = [f"--ns3::ColoDivergence::WriteSize={UNIFORM}[Min=100|Max=3000]"]
CUTS += ["--ns3::TcpSocket::SndBufSize=65536"]
DOWNLOAD = ["--workload=download", "--requests=2", "--divergence=0"]
WEB = ["--workload=request-response", "--requests=200", "--divergence=0"]
# Short, so that all five run in a moment; every workload has its own shape else.
SHORT = {
    "download": ["--requests=2", "--response-size=300000"],
    "upload": ["--requests=2", "--request-size=300000"],
    "bulk": ["--request-size=300000", "--response-size=300000"],
}


def compare(folder, *options):
    """The rows of --compare by protection."""
    done = run("--compare", *options, f"--out={folder}")
    assert (done.status, done.stderr) == (0, ""), (done, options)
    rows = json.loads((folder / "summary.json").read_text())["protections"]
    assert [row["protection"] for row in rows] == PROTECTIONS
    return {row["protection"]: row for row in rows}, done.stdout


def assert_refused(words, *options):
    done = run(*options)
    assert (done.status, done.stdout) == (2, ""), done
    assert done.stderr.count("\n") == 1
    assert words in done.stderr, done.stderr


def test_side_by_side(tmp_path):
    begin = time.monotonic()
    rows, table = compare(tmp_path / "out")
    assert time.monotonic() - begin < 30
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"summary.json"}
    lines = [line.split() for line in table.splitlines() if line.startswith("  ")]
    assert lines[1] == ["Mbit/s", "%", *["p50", "ms", "p99", "ms", "p50", "ms"]] + [
        "points/s",
        *["p50", "ms", "p50", "ms"],
    ]
    assert [line[0] for line in lines[2:]] == PROTECTIONS
    for line in lines[2:]:
        row = rows[line[0]]
        shown = [float(field) for field in line[1:] if field != "-"]
        hidden = 4 if line[0] == "none" else 0
        expected = [
            row["throughput_mbps"],
            row["percent_of_none"],
            row["latency_ms"]["p50"],
            row["latency_ms"]["p99"],
            row["added_latency_ms"],
            row["checkpoints_per_s"],
            row["pause_ms"]["p50"],
            row["hold_ms"]["p50"],
        ][: 8 - hidden]
        assert shown == pytest.approx(expected, abs=0.06), line
    assert rows["none"]["percent_of_none"] == 100


@pytest.mark.parametrize("protection", PROTECTIONS)
def test_compares_what_a_run_alone_gives(protection, tmp_path):
    options = ["--workload=request-response", "--requests=100", "--seed=7"]
    rows, _ = compare(tmp_path / "all", *options)
    alone = Results(tmp_path / "alone", *options, f"--protection={protection}").summary
    assert alone["protection"] == protection
    for key in ["throughput_mbps", "latency_ms", "hold_ms", "pause_ms", "checkpoints"]:
        assert rows[protection][key] == alone[key], key


@pytest.mark.parametrize("workload", WORKLOADS)
def test_every_workload_under_each(workload, tmp_path):
    options = SHORT.get(workload, ["--requests=20"])
    # In datagrams, COLO tells random content from a lost partner by its timeout only.
    options = [*options, "--divergence=0.05", "--ns3::ColoProxy::CompareTimeout=50ms"]
    if workload == "mixed":
        workload += ":request-response=4,key-value=8,transactions=1,dns=3,chat=1"
    rows, _ = compare(tmp_path / "out", f"--workload={workload}", *options)
    for name, row in rows.items():
        assert row["finished"], name
        assert (row["client_resets"], row["client_data_errors"]) == (0, 0), name
        assert row["requests_completed"] == rows["none"]["requests_completed"], name


@pytest.mark.parametrize("protection", PROTECTIONS[2:])
@pytest.mark.parametrize(
    "options",
    [
        ["--pairs=3"],
        ["--ip=6"],
        ["--lan=loss=0.02,reorder=0.02,duplicate=0.02"],
        ["--checkpoint-link=loss=0.05", "--interval=20ms"],
    ],
    ids=lambda options: options[0].split("=")[0],
)
def test_worlds(protection, options, tmp_path):
    web = ["--workload=request-response", "--requests=60", *options]
    summary = Results(
        tmp_path / "out", *web, f"--protection={protection}", "--trace", "--netanim", "--pcap=all"
    ).summary
    assert summary["requests_completed"] == 60 * len(summary["pairs"])
    assert (summary["client_resets"], summary["client_data_errors"]) == (0, 0)


def test_by_segment_pays_for_each_cut_and_colo_for_none(tmp_path):
    rows, _ = compare(tmp_path / "out", *DOWNLOAD, *CUTS)
    share = {name: row["percent_of_none"] for name, row in rows.items()}
    assert share["colo-by-segment"] < 35 < 90 < share["colo"] < 100, share
    assert rows["colo"]["checkpoints"] == 0
    assert rows["colo-by-segment"]["checkpoints"] > 20
    assert share["lockstep"] < 35, share


def test_without_noise_all_that_compare_agree(tmp_path):
    rows, _ = compare(tmp_path / "out", *DOWNLOAD)
    for name in COMPARING:
        assert rows[name]["checkpoints"] == 0, name
        assert rows[name]["percent_of_none"] > 95, name


def test_interval_trades_latency_for_overhead_under_remus_only(tmp_path):
    """Overhead is the share of time for which the guest stands still."""
    latency, overhead, colo = [], [], []
    for interval in ["10ms", "25ms", "50ms", "100ms"]:
        rows, _ = compare(tmp_path / interval, *WEB, f"--interval={interval}")
        remus = rows["remus"]
        latency.append(remus["latency_ms"]["p50"])
        overhead.append(remus["pause_ms"]["mean"] * remus["checkpoints_per_s"] / 1000)
        del rows["colo"]["wall_s"]
        colo.append(rows["colo"])
        assert remus["latency_ms"]["p50"] == pytest.approx(int(interval[:-2]), rel=0.1)
    assert latency == sorted(latency)
    assert overhead == sorted(overhead, reverse=True)
    assert overhead[0] > 5 * overhead[-1]
    assert colo == [colo[0]] * 4
    assert colo[0]["checkpoints"] == 0


def test_periodic_checkpoints_of_colo_leave_its_latency_alone(tmp_path):
    medians = set()
    for interval in ["10ms", "30ms", "1s"]:
        out = tmp_path / interval
        options = [*WEB, f"--interval={interval}", "--protection=colo"]
        summary = Results(out, *options).summary
        assert set(summary["checkpoint_reasons"]) <= {"periodic"}
        assert (summary["checkpoints"] > 0) == (interval != "1s")
        medians.add(round(summary["latency_ms"]["p50"], 2))
    assert len(medians) == 1, medians


def test_timeline_of_remus(tmp_path):
    out = tmp_path / "out"
    Results(out, *WEB, "--protection=remus", "--trace")
    lines = [json.loads(line) for line in (out / "timeline.jsonl").read_text().splitlines()]
    assert {line["event"] for line in lines} == {"pause", "resume", "checkpoint", "release"}
    committed = {line["t_ns"] for line in lines if line["event"] == "checkpoint"}
    assert {line["t_ns"] for line in lines if line["event"] == "release"} <= committed


def test_protection_in_a_saved_file(tmp_path):
    file = tmp_path / "run.txt"
    options = [*WEB, "--protection=remus", "--interval=40ms"]
    before = Results(tmp_path / "a", *options, f"--save-config={file}").summary
    after = Results(tmp_path / "b", f"--config={file}").summary
    del before["wall_s"], after["wall_s"]
    assert before == after
    assert before["latency_ms"]["p50"] == pytest.approx(40, rel=0.1)


STORM = "--ns3::ColoPrimaryProxy::CheckpointIntervalMin=5ms"


@pytest.mark.parametrize(
    "words, options",
    [
        ("--protection: 'qemu' is not among none, colo, colo-by-segment", ["--protection=qemu"]),
        ("--interval: 0s is not in 1us to 1440min", ["--protection=remus", "--interval=0s"]),
        ("--interval: 0ms is not in", ["--interval=0ms"]),
        ("--interval: no checkpoint would come before --time", ["--interval=2s", "--time=1s"]),
        ("--interval: no checkpoint would come", ["--compare", "--interval=2s", "--time=1s"]),
        ("--interval: there are no checkpoints", ["--protection=none", "--interval=1s"]),
        ("--interval: shorter than ns3::ColoPrimaryProxy::C", [STORM, "--interval=4ms"]),
        (
            "--interval: shorter than ns3::ColoPrimaryProxy::C",
            [STORM, "--interval=4ms", "--protection=lockstep"],
        ),
        ("--compare: runs each protection", ["--compare", "--protection=colo"]),
        ("--trace: is of one run", ["--compare", "--trace", "--out=nowhere"]),
        ("--netanim: is of one run", ["--compare", "--netanim", "--out=nowhere"]),
        ("--pcap: is of one run", ["--compare", "--pcap=all", "--out=nowhere"]),
        ("--flow-monitor: is of one run", ["--compare", "--flow-monitor"]),
        ("--sec-dev: there is no such link", ["--protection=remus", "--sec-dev=loss=0.1"]),
        (
            "--pcap: there is no secondary-tap with --protection=remus",
            ["--protection=remus", "--pcap=secondary-tap", "--out=nowhere"],
        ),
        (
            "--fail: nobody takes over with --protection=remus",
            ["--protection=remus", "--fail=kill-primary@1s"],
        ),
        (
            "--fail: nobody takes over with --protection=lockstep",
            ["--protection=lockstep", "--fail=kill-primary@1s"],
        ),
        ("--fail: nobody takes over with --compare", ["--compare", "--fail=kill-primary@1s"]),
    ],
)
def test_contradictions(words, options):
    assert_refused(words, *options)


def test_storm_limit_below_the_interval_is_right(tmp_path):
    done = run(*WEB, STORM, "--interval=6ms")
    assert done.status == 0, done
