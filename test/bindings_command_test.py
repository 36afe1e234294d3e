# SPDX-License-Identifier: GPL-2.0-only
"""What all commands of `python3 -m colo` have in common: help, errors in a line, exit statuses."""

import json
import subprocess
import sys

import pytest
from colo import commands


def colo(*words, **settings):
    return subprocess.run([sys.executable, "-m", "colo", *words], text=True, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, **settings)


def test_help_has_a_line_for_each():
    done = colo("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for name in commands.NAMES:
        assert f"\n    {name} " in done.stdout


@pytest.mark.parametrize("name", commands.NAMES)
def test_each_has_help_with_examples(name):
    done = colo(name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"python3 -m colo {name} " in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


@pytest.mark.parametrize(
    "words, text",
    [
        ([], "COMMAND"),
        (["nothing"], "invalid choice: 'nothing'"),
        (["run", "--nothing"], "--nothing"),
        (["run", "--divergence=2"], "divergence: 2 is not in 0 to 1"),
        (["run", "--workload=capture:/nowhere"], "/nowhere: no such file"),
        (["run", "--ns3::ColoProxy::CompareTimeout=x"], "CompareTimeout"),
        (["sweep", "--axis", "divergence=0,2"], "divergence: 2 is not in 0 to 1"),
        (["sweep", "/nowhere.toml"], "/nowhere.toml"),
        (["replay", "/nowhere.pcap", "/neither.pcap"], "/nowhere.pcap"),
        (["plot", "/nowhere", "-o", "x.png"], "/nowhere"),
        (["report", "/nowhere", "-o", "x.html"], "/nowhere"),
        (["advise", "/nowhere", "--latency=5ms"], "/nowhere"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(tmp_path, words, text):
    done = colo(*words, cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    lines = done.stderr.splitlines()
    assert text in lines[-1] and "Traceback" not in done.stderr
    assert len(lines) == 1 or lines[0].startswith("usage: ")
    assert not list(tmp_path.iterdir())


def test_a_run_prints_its_table_or_json():
    table = colo("run", "--requests=50", "--workload=dns", "--seed=3")
    assert (table.returncode, table.stderr) == (0, "")
    assert "50 requests answered" in table.stdout
    done = colo("run", "--requests=50", "--workload=dns", "--seed=3", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["requests_completed"] == 50


def test_a_run_that_does_not_end_well_is_status_1():
    done = colo("run", "--workload=download", "--time=20ms")
    assert done.returncode == 1 and "Traceback" not in done.stderr


def test_a_reader_that_goes_away_is_no_traceback():
    words = [sys.executable, "-m", "colo", "run", "--help"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
