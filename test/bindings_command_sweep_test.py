# SPDX-License-Identifier: GPL-2.0-only
"""The commands run and sweep, as users type them."""

import json
import signal
import subprocess
import sys
import time
import tomllib

import colo
import colo.__main__
import pytest
from colo.commands import sweep

WEB = ["--workload=request-response", "--requests=30"]


def command(*words, folder=None):
    return subprocess.run(
        [sys.executable, "-m", "colo", *words],
        cwd=folder,
        timeout=60,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def refused(*words, folder=None):
    """The one line that says why."""
    done = command(*words, folder=folder)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1
    return done.stderr.rstrip()


def test_run_prints_all_figures_or_a_table(tmp_path):
    done = command(
        "run",
        *WEB,
        "--seed=7",
        "--divergence=0.1",
        "--sec-dev=loss=0.01",
        "--json",
        "--ns3::ColoProxy::CompareTimeout=1s",
        f"--out={tmp_path}",
        "--trace",
    )
    assert (done.returncode, done.stderr) == (0, "")
    ours = json.loads(done.stdout)
    theirs = colo.run(
        workload="request-response",
        requests=30,
        seed=7,
        divergence=0.1,
        sec_dev={"loss": 0.01},
        attributes={"ns3::ColoProxy::CompareTimeout": "1s"},
    )
    assert {**ours, "wall_s": 0} == {**theirs.to_dict(), "wall_s": 0}
    assert json.loads((tmp_path / "summary.json").read_text()) == ours
    assert (tmp_path / "timeline.jsonl").exists()
    done = command("run", *WEB)
    assert done.returncode == 0 and "latency unprotected" in done.stdout


def test_run_says_if_it_did_not_end_well():
    done = command("run", "--workload=download", "--requests=100", "--time=20ms")
    assert done.returncode == 1 and done.stderr.startswith("colo run: ")


@pytest.mark.parametrize(
    "words, text",
    [
        (["run", "--divergence=2"], "colo run: divergence: 2 is not in 0 to 1"),
        (["run", "--ns3::ColoProxy::Nothing=1"], "colo run: ns3::ColoProxy::Nothing: "),
        (["sweep", "--axis", "divergence"], "colo sweep: --axis: 'divergence' is not NAME=VALUES"),
        (["sweep", "--axis", "divergence=0:9e9:1e-9"], "colo sweep: divergence: 0:9e9:1E-9 is too"),
        (["sweep", "--axis", "divergence=0:1:0"], "colo sweep: divergence: 0:1:0 is too many"),
        (["sweep", "--axis", "divergence=1:0"], "colo sweep: divergence: has no values"),
        (["sweep", "--axis", "divergense=0"], "colo sweep: divergense: there is no such option"),
        (["sweep", "--lag=5"], "colo sweep: lag: '5' is not a time"),
        (["sweep", "--seeds=x"], "colo sweep: seeds: 'x' is not a whole number"),
        (["sweep", "--jobs=0"], "colo sweep: jobs: 0 is not a number from 1"),
        (["sweep", "--axis=lag=1ms", "--axis=lag=2ms"], "colo sweep: --axis: lag is there twice"),
        (["sweep", "--axis=lag=1ms", "--lag=2ms"], "colo sweep: lag: is an axis, and fixed"),
        (["sweep", "--dask=tcp://x:1", "--mpi"], "colo sweep: --dask, --mpi: only one of them"),
        (["sweep", "--dask=nonsense://x"], "colo sweep: --dask: nonsense://x: "),
        (["sweep", "--mpi", "--jobs=2"], "colo sweep: --jobs: is of local processes"),
        (["sweep", "/nowhere.toml"], "colo sweep: /nowhere.toml: No such file or directory"),
    ],
)
def test_wrong_usage_is_one_line(words, text):
    assert text in refused(*words)


@pytest.mark.parametrize(
    "words", [["run", "--nothing"], ["run", "--ns3::A"], ["sweep", "--seed=1"]]
)
def test_unknown_options_are_refused(words):
    done = command(*words)
    assert done.returncode == 2 and f"unrecognized arguments: {words[1]}" in done.stderr


STUDY = """
out = "results"
seeds = "0:2"
jobs = 2
[fixed]
workload = "request-response"
requests = 30
[grid]
divergence = "0:0.2:0.1"
"ns3::ColoProxy::CompareTimeout" = ["1s", "3s"]
"""


def test_sweep_is_that_of_python_from_words_and_from_a_file(tmp_path):
    grid = {"divergence": [0, 0.1], "ns3::ColoProxy::CompareTimeout": ["1s", "3s"]}
    options = {"workload": "request-response", "requests": 30}
    table = colo.sweep(grid, range(2), out=tmp_path / "python", **options)
    done = command(
        "sweep",
        *WEB,
        "--axis=divergence=0,0.1",
        "--seeds=0,1",
        "--quiet",
        "--axis",
        "ns3::ColoProxy::CompareTimeout=1s,3s",
        f"--out={tmp_path}/words",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "8 points, 0 failed" in done.stdout and "checkpoints/s" in done.stdout
    (tmp_path / "study.toml").write_text(STUDY)
    assert command("sweep", "study.toml", folder=tmp_path).returncode == 0
    described = {
        (tmp_path / name / "sweep.json").read_text() for name in ("python", "words", "results")
    }
    assert len(described) == 1
    times = ["seconds", "wall_s"]
    for name in ("words", "results"):
        other = colo.load(tmp_path / name)
        assert other.drop(columns=times).equals(table.drop(columns=times))


def test_the_command_line_wins_over_the_file(tmp_path):
    (tmp_path / "study.toml").write_text(STUDY)
    done = command(
        "sweep",
        "study.toml",
        "--requests=20",
        "--seeds=4",
        "--out=other",
        "--lag=1ms",
        "--axis=divergence=0.3",
        "--axis=pairs=1,2",
        folder=tmp_path,
    )
    assert done.returncode == 0 and not (tmp_path / "results").exists()
    described = json.loads((tmp_path / "other/sweep.json").read_text())
    assert described["grid"] == {
        "divergence": [0.3],
        "pairs": [1, 2],
        "ns3::ColoProxy::CompareTimeout": ["1s", "3s"],
    }
    assert described["fixed"] == {"workload": "request-response", "requests": 20, "lag": "1ms"}
    assert described["seeds"] == [4]


@pytest.mark.parametrize(
    "change, text",
    [
        (("seeds =", "seeds"), "study.toml: "),
        (("seeds =", "sedes ="), "study.toml: sedes: is none of grid, fixed, seeds, jobs, out"),
        (("[grid]", "[grit]"), "study.toml: grit: is none of"),
        (("requests = 30", "progress = 1"), "study.toml: fixed.progress: is not an option of runs"),
        (("requests = 30", "request = 1"), "request: there is no such option"),
        (("requests = 30", "requests = 1979-05-27"), "requests: no use for"),
        (('"0:0.2:0.1"', "0.1"), "divergence: 0.1 is not a list of values"),
        (("jobs = 2", "jobs = 1.5"), "jobs: 1.5 is not a number from 1"),
        (('out = "results"', "out = 1"), "study.toml: out: 1 is not a folder"),
        (("[fixed]", "fixed = 1\n[grid.x]"), "study.toml: fixed: is not a table"),
    ],
)
def test_mistakes_in_a_file_are_one_line(tmp_path, change, text):
    (tmp_path / "study.toml").write_text(STUDY.replace(*change))
    assert text in refused("sweep", "study.toml", folder=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["study.toml"]


def test_the_example_of_the_help_is_one(tmp_path):
    text = sweep.EPILOG.partition("command line wins:\n")[2].partition("\n\n")[0]
    study = tomllib.loads(text)
    assert set(study) == {"out", "seeds", "jobs", "fixed", "grid"}
    (tmp_path / "study.toml").write_text(text)
    done = command("sweep", "study.toml", "--seeds=1", "--requests=1", folder=tmp_path)
    assert done.returncode == 0 and "6 points, 0 failed" in done.stdout


def test_an_interrupted_sweep_says_how_to_go_on(tmp_path):
    words = [sys.executable, "-m", "colo", "sweep", *WEB, "--seeds=0:500", f"--out={tmp_path}"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        while not (tmp_path / "sweep.json").exists() or not len(colo.load(tmp_path)):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert process.stderr.read() == (
            "colo sweep: interrupted; with --out, the same again goes on\n"
        )
    assert 1 <= len(colo.load(tmp_path)) < 500


def test_a_sweep_that_cannot_run_says_so(monkeypatch, capfd):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert colo.__main__.main(["sweep", *WEB, "--seeds=0:3", "--jobs=1"]) == 1
    done = capfd.readouterr()
    assert done.err.startswith("colo sweep: the executor broke after 0 of 3 points: a worker")
    assert done.err.count("\n") == 1 and done.out == ""


@pytest.mark.parametrize(
    "text, values",
    [
        ("0,0.01,1e-2x", [0, 0.01, "1e-2x"]),
        ("0:5", [0, 1, 2, 3, 4]),
        ("0:0.5:0.1", [0, 0.1, 0.2, 0.3, 0.4]),
        ("0:0.45:0.2", [0, 0.2, 0.4]),
        ("3:0:-1", [3, 2, 1]),
        ("0:3e-6:1e-6", [0, 1e-6, 2e-6]),
        ("100us,1ms", ["100us", "1ms"]),
        ("mixed:dns=1,tls=2;download", ["mixed:dns=1,tls=2", "download"]),
        ("mixed:dns=1,tls=2;", ["mixed:dns=1,tls=2"]),
    ],
)
def test_values_of_an_axis(text, values):
    assert sweep.values_of("divergence", text) == values
