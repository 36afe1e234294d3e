# SPDX-License-Identifier: GPL-2.0-only
"""The tutorial, as one would run it."""

import re
import subprocess
import sys
from pathlib import Path

import colo
import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "bindings/examples"


def run(name, *words):
    return subprocess.run([sys.executable, EXAMPLES / name, *map(str, words)], text=True,
                          capture_output=True)


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tutorial")
    done = run("divergence_sweep.py", "--grid=small", "--jobs=2", f"--out={folder}")
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_the_tutorial_answers(tutorial):
    """By its own sweeps: the answer lies where COLO's throughput falls below Remus' best."""
    folder, printed = tutorial
    found = re.search(r"a divergence of (\S+) \(95 % confidence: (\S+) to (beyond )?(\S+); 3 seeds",
                      printed)
    assert found, printed
    middle, low, high = (float(found[number]) for number in (1, 2, 4))
    assert low <= middle <= high
    means = {
        name: colo.plot.means(folder / name, "throughput_mbps", axes)
        for name, axes in (("colo", ["divergence"]), ("remus", ["divergence", "interval"]))
    }
    best = means["remus"].groupby("divergence")["mean"].max()
    ahead = means["colo"].set_index("divergence")["mean"] - best
    before, after = ahead[ahead > 0], ahead[ahead < 0]
    assert before.index.max() < after.index.min()
    width = after.index[0] - before.index[-1]
    wanted = before.index[-1] + width * before.iloc[-1] / (before.iloc[-1] - after.iloc[0])
    assert middle == pytest.approx(wanted, rel=0.06)  # of two digits
    assert (folder / "divergence.png").read_bytes().startswith(b"\x89PNG")


def test_the_tutorial_goes_on_where_it_was(tutorial):
    folder, printed = tutorial
    before = {path: path.read_bytes() for path in folder.glob("*/results.jsonl")}
    again = run("divergence_sweep.py", "--grid=small", f"--out={folder}")
    assert again.stdout == printed
    assert before == {path: path.read_bytes() for path in folder.glob("*/results.jsonl")}
