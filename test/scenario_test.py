# SPDX-License-Identifier: GPL-2.0-only
"""colo-scenario's results: what the issue promises of them, and that they agree with each other."""

import json
import os
import pty
import random
import re
import subprocess
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from math import sqrt
from pathlib import Path

import pytest
from scenario_program import (
    ACK,
    ARP,
    FILES,
    IPV4,
    LINKS,
    PROGRAM,
    RST,
    SYN,
    TRACES,
    Results,
    ethertype,
    isns_of_server,
    read_segments,
    request_response,
    run,
)

COLO_ETHERTYPE = 0x88B5
COLUMNS_MAX = 100
DEFAULT_S_MAX = 10
LAG_S_MAX = 1.5  # half of the compare timeout
SEEDS = 50
PROGRESS_AFTER_S = 1

COUNT = {"seed", "events", "checkpoints", "released_packets", "released_bytes"}
COUNT |= {"requests_completed", "client_bytes", "client_resets", "client_data_errors"}
FIGURE = {"sim_s", "wall_s", "throughput_mbps"}
DISTRIBUTION = {"pause_ms", "hold_ms", "latency_ms"}


@pytest.fixture(scope="module")
def default(tmp_path_factory):
    return Results(tmp_path_factory.mktemp("default") / "out")


def is_well(summary):
    return (
        summary["finished"]
        and summary["client_resets"] == 0
        and summary["client_data_errors"] == 0
        # a long lag may outlast a guest's retransmission timer
        and summary["client_bytes"] <= summary["released_bytes"] <= 1.2 * summary["client_bytes"]
    )


def test_default_run_is_quick_and_says_what_it_did():
    begin = time.monotonic()
    done = run()
    assert time.monotonic() - begin < DEFAULT_S_MAX
    assert (done.status, done.stderr) == (0, "")
    for words in (
        r"^Workload +capture:.*traces/.*\.pcap$",
        r"^Protection +colo, divergence 0\.\d+, lag 0\.2 ms$",
        r"^Client +\d+ requests answered, \d+ bytes received, 0 wrong, 0 resets$",
        r"^Checkpoints +\d+: the guests sent different bytes \(\d+\)$",
        r"^Mismatches +\d+: the guests sent different bytes \(\d+\)",
        r"^Released +\d+ packets, \d+ bytes; \d+ packets had to wait$",
        r"^ +milliseconds +mean +p50 +p99 +max$",
        r"^ +checkpoint interval( +\d+\.\d+){4}$",
        r"^ +checkpoint pause( +\d+\.\d+){4}$",
        r"^ +packet held( +\d+\.\d+){4}$",
        r"^ +latency protected( +\d+\.\d+){4}$",
        r"^ +latency unprotected( +\d+\.\d+){4}$",
        r"^ +client +Mbit/s +seconds$",
        r"^ +protected( +\d+\.\d+){2}$",
        r"^ +unprotected( +\d+\.\d+){2}$",
    ):
        assert re.search(words, done.stdout, re.MULTILINE), words


def test_default_run_takes_a_handful_of_checkpoints(default):
    assert 2 <= default.summary["checkpoints"] <= 12
    assert is_well(default.summary)


@pytest.mark.parametrize("options", [[], ["--divergence=0"], ["--protection=none"]])
def test_table_is_aligned_and_fits(options):
    table = run(*options, "--workload=request-response", "--requests=50").stdout
    tables = table.split("\n\n")[1:]
    for lines in map(str.splitlines, tables):
        assert len({len(line) for line in lines}) == 1, lines
    assert all(len(line) <= COLUMNS_MAX for line in table.splitlines())


def test_summary_has_the_promised_fields(default):
    summary = default.summary
    for name in COUNT:
        assert type(summary[name]) is int and summary[name] >= 0, name
    for name in FIGURE:
        assert type(summary[name]) is float and summary[name] > 0, name
    for name in DISTRIBUTION:
        values = summary[name]
        assert {"mean", "p50", "p99", "max"} <= set(values)
        assert 0 < values["p50"] <= values["p99"] <= values["max"]
        assert values["mean"] <= values["max"] * 1.000001
    assert type(summary["workload"]) is str
    assert summary["protection"] == "colo"
    assert all(type(count) is int and count > 0 for count in summary["mismatches"].values())
    rate_mbps = summary["client_bytes"] * 8 / summary["duration_s"] / 1e6
    assert summary["throughput_mbps"] == pytest.approx(rate_mbps)
    assert set(os.listdir(default.folder)) == FILES


def nearest_rank(values, percent):
    return sorted(values)[-(-len(values) * percent // 100) - 1]


def test_summary_agrees_with_the_verdicts(default):
    summary, verdicts = default.summary, default.verdicts
    for verdict in verdicts:
        assert {"t_ns", "event", "side", "flow", "reason", "seq"} <= set(verdict)
    times_ns = [verdict["t_ns"] for verdict in verdicts]
    assert times_ns == sorted(times_ns)

    by_event = {event: [v for v in verdicts if v["event"] == event] for event in
                ("release", "resend", "drop", "mismatch", "commit")}
    assert sum(map(len, by_event.values())) == len(verdicts)
    assert len(by_event["commit"]) == summary["checkpoints"]
    assert Counter(v["reason"] for v in by_event["mismatch"]) == summary["mismatches"]
    assert [v["seq"] for v in by_event["commit"]] == list(range(1, summary["checkpoints"] + 1))
    joined = sum(summary["mismatches"].values()) - summary["checkpoints"]
    assert joined == summary["mismatches_coalesced"]

    released = [
        v
        for v in by_event["release"] + by_event["resend"]
        if v["side"] == "primary" and v["flow"]
    ]
    assert len(released) == summary["released_packets"] == summary["hold_ms"]["count"]
    assert sum(v["bytes"] for v in released) == summary["released_bytes"]
    held_ms = [v["held_ns"] / 1e6 for v in released]
    assert summary["hold_ms"]["mean"] == pytest.approx(sum(held_ms) / len(held_ms))
    assert summary["hold_ms"]["p50"] == pytest.approx(nearest_rank(held_ms, 50))
    assert summary["hold_ms"]["p99"] == pytest.approx(nearest_rank(held_ms, 99))
    assert summary["hold_ms"]["max"] == pytest.approx(max(held_ms))


def test_summary_agrees_with_the_captures(default):
    summary = default.summary
    segments = read_segments(default.frames("client.pcap"))
    to_client = [tcp for tcp in segments if tcp.destination[0] == bytes([10, 0, 0, 1])]
    assert len(to_client) == summary["released_packets"]
    assert sum(len(tcp.payload) for tcp in to_client) == summary["client_bytes"]
    assert not any(tcp.flags & RST for tcp in segments)
    begins = [tcp for tcp in segments if tcp.flags & (SYN | ACK) == SYN]
    assert len(begins) == 17  # connections of redis.pcap


def test_every_checksum_is_right(default):
    for name in ("client.pcap", "primary-tap0.pcap", "secondary-tap0.pcap"):
        segments = read_segments(default.frames(name))
        assert len(segments) > 100
        assert all(tcp.checksum_is_right for tcp in segments)
        assert all(ethertype(frame) in (IPV4, ARP) for _, frame in default.frames(name))


def test_sec_dev_carries_the_shim_only(default):
    frames = default.frames("sec_dev.pcap")
    assert len(frames) > 100
    assert {ethertype(frame) for _, frame in frames} == {COLO_ETHERTYPE}


def test_frames_are_in_order_of_time(default):
    for name in FILES:
        if name.endswith(".pcap"):
            seconds = [second for second, _ in default.frames(name)]
            assert seconds == sorted(seconds)
            assert seconds[-1] <= default.summary["sim_s"]


def isns(results, name):
    return isns_of_server(read_segments(results.frames(name)))


def test_guests_draw_isns_of_their_own(default):
    primary = isns(default, "primary-tap0.pcap")
    secondary = isns(default, "secondary-tap0.pcap")
    assert len(primary) == 17
    assert set(primary) == set(secondary)
    assert all(primary[port] != secondary[port] for port in primary)
    assert len(set(primary.values()) | set(secondary.values())) == 34
    assert isns(default, "client.pcap") == primary


def test_same_seed_gives_the_same_run(default, tmp_path):
    again = Results(tmp_path / "again", "--seed=1")
    for name in FILES - {"summary.json"}:
        assert (again.folder / name).read_bytes() == (default.folder / name).read_bytes(), name
    lines = [(r.folder / "summary.json").read_text().splitlines() for r in (default, again)]
    differing = [a for a, b in zip(*lines, strict=True) if a != b]
    assert all("wall_s" in line for line in differing)


def test_other_seed_gives_other_isns(default, tmp_path):
    other = Results(tmp_path / "other", "--seed=2")
    for name in ("primary-tap0.pcap", "secondary-tap0.pcap"):
        ours, theirs = isns(default, name), isns(other, name)
        assert all(ours[port] != theirs[port] for port in ours)


def read_summary(*arguments):
    """The summary of a run of which nothing else matters."""
    with tempfile.TemporaryDirectory() as folder:
        return Results(Path(folder) / "out", *arguments).summary


def read_summaries(runs):
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda arguments: read_summary(*arguments), runs))


@pytest.mark.parametrize("trace", TRACES, ids=lambda trace: trace.stem)
def test_without_divergence_there_is_no_checkpoint(trace):
    draw = random.Random(trace.name)
    lags_s = [0, LAG_S_MAX]
    lags_s += [min(LAG_S_MAX, 10 ** draw.uniform(-6, 0.3)) for _ in range(SEEDS - len(lags_s))]
    runs = [
        [f"--workload=capture:{trace}", "--divergence=0", f"--seed={seed}", f"--lag={lag_s:.9f}s"]
        for seed, lag_s in enumerate(lags_s, 1)
    ]
    for options, summary in zip(runs, read_summaries(runs)):
        assert summary["checkpoints"] == 0, options
        assert summary["mismatches"] == {}, options
        assert is_well(summary), options
        assert summary["diverged_responses"] == 0, options


def test_without_divergence_generated_load_needs_no_checkpoint():
    runs = [
        request_response(divergence=0, requests=30, seed=seed, lag=lag, response_size=size)
        for seed, lag in enumerate(["0s", "1us", "3ms", "250ms", "1.5s"], 1)
        for size in (1, 1448, 100000)
    ]
    for options, summary in zip(runs, read_summaries(runs)):
        assert (summary["checkpoints"], summary["mismatches"]) == (0, {}), options
        assert is_well(summary), options
        assert summary["client_bytes"] == 30 * int(options[-1].split("=")[1])


@pytest.mark.parametrize("divergence", [0.05, 0.3])
def test_one_connection_takes_a_checkpoint_for_each_diverged_response(divergence):
    """Each response waits for the one before: none is covered by another one's checkpoint."""
    requests, seeds = 100, 20
    runs = [
        request_response(divergence=divergence, requests=requests, connections=1, seed=seed)
        for seed in range(1, seeds + 1)
    ]
    diverged = 0
    for options, summary in zip(runs, read_summaries(runs)):
        assert is_well(summary), options
        assert summary["mismatches"].get("bytes", 0) == summary["diverged_responses"], options
        assert summary["checkpoints"] == summary["diverged_responses"], options
        assert set(summary["mismatches"]) <= {"bytes"}, options
        diverged += summary["diverged_responses"]
    assert_binomial(diverged, requests * seeds, divergence)


@pytest.mark.parametrize("divergence", [0.05, 0.3])
@pytest.mark.parametrize("workload", ["generated", "captured"])
def test_diverged_responses_never_reach_the_client(workload, divergence):
    """
    With several connections a checkpoint covers what others have said by then, so that a
    diverged response leads to a mismatch or is covered; and nothing else leads to one.
    """
    if workload == "generated":
        options, requests, flows = request_response(requests=200, response_size=3000), 200, 10
    else:
        options, requests, flows = [], 241, 17
    runs = [[*options, f"--divergence={divergence}", f"--seed={seed}"] for seed in range(1, 11)]
    said = diverged = 0
    for options, summary in zip(runs, read_summaries(runs)):
        mismatches = sum(summary["mismatches"].values())
        assert is_well(summary), options
        assert summary["requests_completed"] == requests, options
        assert set(summary["mismatches"]) == {"bytes"}, options
        assert mismatches == summary["checkpoints"] + summary["mismatches_coalesced"], options
        covered = summary["diverged_responses"] - mismatches
        assert 0 <= covered <= summary["checkpoints"] * (flows - 1), options
        said += requests
        diverged += summary["diverged_responses"]
    # A checkpoint may also spare the secondary a response, so it says fewer than the primary.
    assert divergence * said / 2 < diverged < divergence * said + 4 * sqrt(divergence * said)


def assert_binomial(count, of, probability):
    """Within four standard deviations: once in 16000 a change of all seeds fails by chance."""
    assert abs(count - of * probability) < 4 * sqrt(of * probability * (1 - probability))


def test_request_response_is_what_was_asked_for(tmp_path):
    results = Results(
        tmp_path / "out",
        *request_response(requests=23, request_size=77, response_size=1501, connections=4),
    )
    assert results.summary["requests_completed"] == 23
    assert results.summary["client_bytes"] == 23 * 1501
    assert results.summary["latency_ms"]["count"] == 23
    segments = read_segments(results.frames("client.pcap"))
    assert len(isns_of_server(segments)) == 4
    from_client = [tcp for tcp in segments if tcp.source[0] == bytes([10, 0, 0, 1])]
    assert sum(len(tcp.payload) for tcp in from_client) == 23 * 77


def test_more_connections_than_requests(tmp_path):
    results = Results(tmp_path / "out", *request_response(requests=3, connections=40000))
    assert results.summary["requests_completed"] == 3


def test_smallest_and_large_sizes():
    tiny = read_summary(*request_response(requests=1, request_size=1, response_size=1))
    assert (tiny["requests_completed"], tiny["client_bytes"]) == (1, 1)
    large = read_summary(*request_response(requests=2, request_size=3000000, response_size=5000000))
    assert large["client_bytes"] == 10000000


def test_think_time_lengthens_the_exchange():
    options = {"requests": 10, "connections": 2, "divergence": 0}
    at_once, later = (
        read_summary(*request_response(**options, think_time=think)) for think in ("0s", "50ms")
    )
    # Four pauses on each of the two connections.
    assert later["duration_s"] - at_once["duration_s"] == pytest.approx(4 * 0.05, rel=0.01)


def test_long_think_time_is_not_cut():
    """Captures are played without long silences, which must not cut what was asked for."""
    summary = read_summary(*request_response(requests=3, connections=1, think_time="2s"))
    assert 4 < summary["duration_s"] < 4.5


def test_lag_delays_responses():
    options = {"requests": 20, "connections": 1, "divergence": 0}
    near, far = (read_summary(*request_response(**options, lag=lag)) for lag in ("0s", "20ms"))
    more_ms = far["latency_ms"]["mean"] - near["latency_ms"]["mean"]
    assert more_ms == pytest.approx(20, rel=0.05)


def test_time_ends_the_run(tmp_path):
    options = request_response(requests=1000)
    results = Results(tmp_path / "out", *options, "--time=50ms", status=1)
    assert "NOT over within --time" in results.done.stdout
    assert results.summary["finished"] is False
    assert results.summary["sim_s"] == 0.05
    assert 0 < results.summary["requests_completed"] < 1000


def test_shortest_time():
    done = run("--time=1ns")
    assert done.status == 1
    assert "NOT over" in done.stdout
    assert "-0." not in done.stdout and "nan" not in done.stdout


def test_unprotected_run_is_the_one_that_a_protected_run_compares_with(tmp_path):
    protected = Results(tmp_path / "colo", "--seed=3")
    alone = Results(tmp_path / "none", "--seed=3", "--protection=none")
    assert (alone.summary["checkpoints"], alone.verdicts) == (0, [])
    assert alone.summary["released_packets"] == 0
    assert set(os.listdir(alone.folder)) == FILES - {"secondary-tap0.pcap", "sec_dev.pcap"}
    compared = protected.summary["unprotected"]
    assert set(compared) == {"latency_ms", "duration_s", "throughput_mbps"}
    for name, value in compared.items():
        assert alone.summary[name] == value
    assert compared["throughput_mbps"] > protected.summary["throughput_mbps"]
    assert "Checkpoints" not in alone.done.stdout


def test_attribute_takes_effect():
    moved = read_summary(
        "--ns3::ColoMemory::WriteRate=0",
        "--ns3::ColoMemory::OtherRate=0",
        "--ns3::ColoMemory::PagesPerKib=0",
        "--ns3::ColoCheckpointer::DeviceState=0",
    )
    assert moved["pause_ms"]["max"] == pytest.approx(2 + 1 + 4 * 0.05, abs=0.1)
    periodic = read_summary(
        "--divergence=0", "--ns3::ColoPrimaryProxy::CheckpointIntervalMax=10ms"
    )
    assert set(periodic["mismatches"]) == set()
    assert periodic["checkpoints"] > 0


def test_option_and_value_may_be_two_words(default):
    assert read_summary("--seed", "1")["events"] == default.summary["events"]


def test_help_tells_all_of_every_option():
    done = run("--help")
    assert (done.status, done.stderr) == (0, "")
    assert max(len(line.rstrip()) for line in done.stdout.splitlines()) <= COLUMNS_MAX
    text = " ".join(done.stdout.split())
    described = dict(re.findall(r" --([a-z-]+) (.*?)(?= --|$)", text))
    expected = {
        "help": ["print"],
        "workload": ["capture:FILE", "mixed:NAME=WEIGHT", "default"],
        "requests": ["COUNT", "1 to 1000000", "default"],
        "request-size": ["BYTES", "1 to 1000000000", "1400", "default"],
        "response-size": ["BYTES", "default"],
        "connections": ["COUNT", "1 to 40000", "default"],
        "requests-per-connection": ["COUNT", "1 to 1000000", "0 for", "default"],
        "client-ports": ["COUNT", "40000", "default"],
        "think-time": ["TIME", "0s to 60min", "default"],
        "clients": ["COUNT", "=1)", "1 to 1000"],
        "pairs": ["COUNT", "=1)", "1 to 64"],
        "ip": ["4|6", "=4)"],
        "lan": ["LINK", "default: rate=1Gbps,delay=50us"],
        "sec-dev": ["LINK", "default: rate=10Gbps,delay=20us"],
        "checkpoint-link": ["LINK", "default: rate=10Gbps,delay=50us"],
        "divergence": ["=0.02)", "0 to 1"],
        "lag": ["TIME", "=200us)", "0s to 1min"],
        "seed": ["=1)", "0 to 4294967295"],
        "time": ["TIME", "=600s)", "1ns to 1440min"],
        "protection": ["none, colo, colo-by-segment, remus or lockstep", "=colo)"],
        "interval": ["TIME", "1us to 1440min", "25ms"],
        "compare": ["side by side"],
        "out": ["FOLDER", "default"],
        "pcap": ["all", "none", *LINKS, "default"],
        "trace": ["timeline.jsonl"],
        "netanim": ["netanim.xml"],
        "flow-monitor": ["FlowMonitor"],
        "fail": ["FAULT,...", "kill-HOST@TIME", "eth0-primary", "arbiter", "lease of 200ms"],
        "calibration": ["FILE", "coloctl calibrate", "shipped"],
        "save-config": ["FILE", "attributes"],
        "config": ["FILE", "command line"],
    }
    assert set(described) == set(expected)
    for name, words in expected.items():
        assert all(word in described[name] for word in words), name


def run_on_terminal(*arguments):
    """What goes to stderr if that is a terminal, as (seconds since the start, text)."""
    terminal, program_end = pty.openpty()
    begin = time.monotonic()
    with subprocess.Popen(
        [PROGRAM, *arguments], stdout=subprocess.DEVNULL, stderr=program_end
    ) as process:
        os.close(program_end)
        said = []
        while True:
            try:
                text = os.read(terminal, 4096).decode()
            except OSError:  # the other end is closed
                break
            if not text:
                break
            said.append((time.monotonic() - begin, text))
    os.close(terminal)
    assert process.returncode == 0
    return said


def test_progress_is_for_terminals_and_long_runs():
    long_run = request_response(requests=3000, protection="none", response_size=30000)
    assert run_on_terminal("--seed=1") == []
    said = run_on_terminal(*long_run)
    assert said[0][0] >= PROGRESS_AFTER_S
    assert re.search(r"\d+ of 3000 requests, \d+\.\d s simulated", said[0][1])
    assert said[-1][1].endswith("\r\033[K")
    assert run(*long_run).stderr == ""
