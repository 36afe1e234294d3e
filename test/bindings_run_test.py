# SPDX-License-Identifier: GPL-2.0-only
"""One run from Python: as the program has it, repeatable, and never the end of the interpreter."""

import inspect
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from datetime import timedelta
from pathlib import Path

import colo
import numpy
import pytest
from colo._run import OPTIONS, check

BUILD = Path(os.environ.get("COLO_BUILD_DIR", Path(__file__).resolve().parent.parent / "build"))
SCENARIO = BUILD / "scenarios/colo-scenario"
MIXED = {"workload": "mixed:dns=1,tls=2", "requests": 60, "seed": 7}


def without_wall(summary):
    return {name: value for name, value in summary.items() if name != "wall_s"}


def of_program(folder, *words):
    subprocess.run([SCENARIO, f"--out={folder}", *words], check=True, stdout=subprocess.DEVNULL)
    return json.loads((folder / "summary.json").read_text())


def test_a_run_is_the_programs(tmp_path):
    theirs = of_program(tmp_path, "--workload=mixed:dns=1,tls=2", "--requests=60", "--seed=7",
                        "--ip=6", "--lag=1ms", "--sec-dev=loss=0.01",
                        "--ns3::ColoPrimaryProxy::AckPolicy=Clamp")
    ours = colo.run(**MIXED, ip=6, lag=timedelta(milliseconds=1), sec_dev={"loss": 0.01},
                    attributes={"ns3::ColoPrimaryProxy::AckPolicy": "Clamp"})
    assert without_wall(ours.to_dict()) == without_wall(theirs)
    assert ours.is_well and not ours.unfinished
    assert ours.checkpoints == theirs["checkpoints"] > 0
    assert ours.pause_ms.p99 == theirs["pause_ms"]["p99"] > 0


def test_runs_of_one_process_are_alike_whatever_came_between(tmp_path):
    first = colo.run(**MIXED, trace=True, out=tmp_path / "first")
    colo.run(workload="chat", requests=20, fail="kill-primary@5ms", ip=6, pairs=2)
    second = colo.run(**MIXED, trace=True, out=tmp_path / "second")
    assert without_wall(second.to_dict()) == without_wall(first.to_dict())
    assert second.timeline.equals(first.timeline)
    names = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert "sec_dev.pcap" in names and "timeline.jsonl" in names
    for name in names:
        if name != "summary.json":
            contents = [(tmp_path / run / name).read_bytes() for run in ("first", "second")]
            assert contents[0] == contents[1], name


def test_seeds_differ_and_zero_is_one():
    assert colo.run(**{**MIXED, "seed": 0}).latency_ms != colo.run(**{**MIXED, "seed": 1}).latency_ms


def test_numbers_of_numpy_are_numbers():
    ours = colo.run(requests=numpy.int64(30), workload="request-response",
                    divergence=numpy.float64(0.1), seed=numpy.int32(2))
    assert (ours.requests_completed, ours.divergence, ours.seed) == (30, 0.1, 2)


def test_timeline_has_what_happened():
    events = colo.run(**MIXED, trace=True).timeline
    assert events.t_ns.is_monotonic_increasing
    assert {"hold", "release", "mismatch", "checkpoint", "pause", "resume"} <= set(events.event)
    assert colo.run(**MIXED).timeline.empty


def test_run_takes_every_option_of_the_program():
    own = {"attributes", "progress"}
    assert set(inspect.signature(colo.run).parameters) - own == {option.name for option in OPTIONS}
    documented = inspect.getdoc(colo.run)
    for option in OPTIONS:
        assert f"    {option.name}: " in documented


@pytest.mark.parametrize(
    "options, text",
    [
        ({"divergence": 2}, "divergence: 2 is not in 0 to 1"),
        ({"divergence": "x"}, "divergence: 'x' is not a number"),
        ({"divergence": float("nan")}, "divergence: nan is not in 0 to 1"),
        ({"lag": "5"}, "lag: '5' is not a time"),
        ({"lag": 5}, "lag: '5' is not a time"),
        ({"seed": -1}, "seed: "),
        ({"workload": "nothing"}, "workload: "),
        ({"workload": "capture:/nowhere.pcap"}, "/nowhere.pcap: no such file"),
        ({"sec_dev": {"loss": 2}}, "sec_dev: loss: 2 is not in 0 to 1"),
        ({"sec_dev": "loss=0.1", "protection": "none"}, "sec_dev: there is no such link"),
        ({"pcap": ["client", "eth2"]}, "pcap: needs out=FOLDER"),
        ({"trace": "yes"}, "trace: is True or False"),
        ({"divergence": True}, "divergence: is SHARE, not True"),
        ({"requests": object()}, "requests: no use for <object"),
        ({"calibration": "/nowhere.json"}, "calibration: /nowhere.json"),
        ({"config": "/nowhere.txt"}, "config: /nowhere.txt"),
        ({"attributes": {"ns3::ColoProxy::Nothing": 1}}, "ns3::ColoProxy::Nothing: "),
        ({"attributes": {"CompareTimeout": "1s"}}, "CompareTimeout: there is no such option"),
        # ns-3 ends its process for these two, the second when the value is first used.
        ({"attributes": {"ns3::ColoProxy::CompareTimeout": "x"}}, "Can't Parse Time x"),
        (
            {"attributes": {"ns3::ColoSecondaryProxy::Lag": "1s[",
                            "ns3::TcpSocketBase::MinRto": "-1"}},
            "ns3::ColoSecondaryProxy::Lag: ",
        ),
    ],
)
def test_bad_options_are_named_and_nothing_runs(options, text):
    for function in (colo.run, lambda **given: check(given)):
        with pytest.raises(ValueError) as raised:
            function(**options)
        assert text in str(raised.value)
        assert "\n" not in str(raised.value) and "option --" not in str(raised.value)


def test_unknown_names_are_refused():
    with pytest.raises(TypeError):
        colo.run(divergense=0.1)
    with pytest.raises(ValueError, match="divergense: there is no such option"):
        check({"divergense": 0.1})


def test_a_workload_that_does_not_end_is_a_result():
    ours = colo.run(workload="download", requests=100, time="20ms")
    assert not ours.is_well and not ours.finished
    assert "20" in ours.unfinished and "did not end well" in repr(ours)


def test_what_was_there_stays_if_a_run_is_refused(tmp_path):
    colo.run(**MIXED, out=tmp_path)
    before = (tmp_path / "summary.json").read_bytes()
    with pytest.raises(ValueError):
        colo.run(out=tmp_path, attributes={"ns3::ColoProxy::CompareTimeout": "x"})
    assert (tmp_path / "summary.json").read_bytes() == before


def test_interrupt_ends_it_within_a_second(tmp_path):
    begun = []

    def interrupt(what, simulated, done, requests):
        if not begun:
            begun.append(time.monotonic())
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        colo.run(workload="download", requests=100_000, progress=interrupt, out=tmp_path / "out")
    assert time.monotonic() - begun[0] < 1
    assert not list(tmp_path.rglob("*.json*"))
    assert colo.run(**MIXED).is_well


def test_other_threads_go_on_and_runs_take_turns():
    counted = []
    results = []
    threads = [threading.Thread(target=lambda: results.append(colo.run(**MIXED, connections=20)))
               for _ in range(2)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        counted.append(time.monotonic())
        time.sleep(0.001)
    assert len(counted) > 20
    assert without_wall(results[0].to_dict()) == without_wall(results[1].to_dict())


def test_progress_is_told():
    told = []
    colo.run(workload="request-response", requests=3000,
             progress=lambda *words: told.append(words))
    assert {what for what, *_ in told} == {"unprotected", "simulating"}
    assert all(0 < done <= requests == 3000 for _, _, done, requests in told)


def test_an_error_in_progress_is_raised():
    def fail(*_):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        colo.run(workload="download", requests=100, progress=fail)
    assert colo.run(**MIXED).is_well


def test_compare_has_all_protections():
    table = colo.compare(workload="request-response", requests=100)
    assert list(table.protection) == ["none", "colo", "colo-by-segment", "remus", "lockstep"]
    assert table.percent_of_none[0] == 100
    assert (table.percent_of_none[1:] < 100).all()
    with pytest.raises(ValueError, match="protection"):
        colo.compare(protection="none")


def test_importing_is_quick_and_light():
    """Each worker of a sweep does so."""
    code = """
        import sys
        import colo._run
        print(*(name for name in ("pandas", "matplotlib", "distributed") if name in sys.modules))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, text=True,
                          stdout=subprocess.PIPE)
    assert done.stdout.strip() == ""
