# SPDX-License-Identifier: GPL-2.0-only
"""scenarios/figures: every figure is made, and has the shape that it should have."""

import csv
import json
import math
import shlex
import signal
import subprocess
import sys
import time

import pytest
from scenario_program import PROGRAM, TOP

FIGURES = TOP / "scenarios/figures"
sys.path.insert(0, str(FIGURES))

from confidence import half_width, over_seeds  # noqa: E402
from figures import save  # noqa: E402

# Columns of each CSV: first what makes a point, then what is measured.
COLUMNS = {
    "throughput": (
        ["workload", "protection"],
        ["throughput_percent", "duration_ms", "checkpoints"],
    ),
    "divergence": (["think_ms", "divergence_share"], ["checkpoints_per_s", "added_latency_ms"]),
    "pause": (["link_gbps", "dirty_pages_per_s"], ["pause_ms", "pages_per_checkpoint"]),
    "stall": (["link_gbps", "dirty_pages_per_s"], ["pause_ms", "stall_ms"]),
    "failover": (["fault", "lease_ms"], ["longest_request_ms", "takeover_ms"]),
    "remus": (["protection", "interval_ms"], ["added_latency_ms", "stopped_percent"]),
}
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


def figures(*arguments, program=PROGRAM, **more):
    command = [FIGURES / "figures.py", f"--program={program}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **more)


def read(folder, name):
    """Rows of a CSV; numbers as such, an empty place as NaN."""
    with open(folder / f"{name}.csv", newline="") as file:
        return [{key: number(text) for key, text in row.items()} for row in csv.DictReader(file)]


def number(text):
    try:
        return float(text or "nan")
    except ValueError:
        return text


def select(rows, **wanted):
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def correlation(pairs):
    xs, ys = zip(*pairs)
    x_mean, y_mean = sum(xs) / len(xs), sum(ys) / len(ys)
    covariance = sum((x - x_mean) * (y - y_mean) for x, y in pairs)
    return covariance / math.sqrt(
        sum((x - x_mean) ** 2 for x in xs) * sum((y - y_mean) ** 2 for y in ys)
    )


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """A folder in which somebody had a file, with all figures."""
    folder = tmp_path_factory.mktemp("figures")
    (folder / "notes.txt").write_text("mine")
    done = figures("--quick", "--seeds=1", f"--out={folder}")
    assert (done.returncode, done.stderr) == (0, "")
    return folder


def test_each_figure_is_a_table_and_a_picture(quick):
    made = {f"{name}.{ending}" for name in COLUMNS for ending in ("csv", "png")}
    assert {path.name for path in quick.iterdir()} == made | {"notes.txt"}
    assert (quick / "notes.txt").read_text() == "mine"
    for name in COLUMNS:
        picture = (quick / f"{name}.png").read_bytes()
        assert picture.startswith(PNG_MAGIC) and 5000 < len(picture) < 100000


@pytest.mark.parametrize("name", COLUMNS)
def test_columns(quick, name):
    keys, measures = COLUMNS[name]
    rows = read(quick, name)
    assert list(rows[0]) == [*keys, "seeds"] + [m + s for m in measures for s in ("", "_ci95")]
    for row in rows:
        assert row["seeds"] == 1
        assert all(math.isfinite(row[m]) and math.isnan(row[m + "_ci95"]) for m in measures)
    # NaN, where COLO has no interval, equals nothing
    assert len({tuple(str(row[key]) for key in keys) for row in rows}) == len(rows)


def test_bytes_beat_segments(quick):
    rows = read(quick, "throughput")
    for workload in ("download", "key-value"):
        none, colo, by_segment, remus, lockstep = (
            row["throughput_percent"] for row in select(rows, workload=workload)
        )
        assert none == 100
        assert by_segment < 0.7 * colo < colo <= none
        assert lockstep < 0.7 * colo and remus < 0.5 * colo


def test_divergence_costs_checkpoints(quick):
    for think_ms in (0, 50):
        rows = select(read(quick, "divergence"), think_ms=think_ms)
        rates = [row["checkpoints_per_s"] for row in rows]
        latencies = [row["added_latency_ms"] for row in rows]
        assert rates == sorted(rates) and latencies == sorted(latencies)
        assert rates[0] == 0 and rates[-1] > 10
        assert latencies[0] < 0.5 and latencies[-1] > 1


def test_the_pause_is_linear_in_what_is_dirty(quick):
    rows = read(quick, "pause")
    for link_gbps in (1, 10):
        points = [
            (r["dirty_pages_per_s"], r["pause_ms"]) for r in select(rows, link_gbps=link_gbps)
        ]
        assert correlation(points) > 0.99
        first, *_, last = select(rows, link_gbps=link_gbps)
        pages = last["pages_per_checkpoint"] - first["pages_per_checkpoint"]
        rate = last["dirty_pages_per_s"] - first["dirty_pages_per_s"]
        assert 0.9 * 0.2 * rate < pages < 1.1 * 0.2 * rate  # a checkpoint each 200 ms
        # headers and loading take time, too
        wire_ms = pages * 4096 * 8 / (link_gbps * 1e6)
        assert wire_ms < last["pause_ms"] - first["pause_ms"] < 1.2 * wire_ms


def test_a_client_stalls_about_as_long_as_the_pause(quick):
    for row in read(quick, "stall"):
        # it asks each 5 ms, so at most that much of the pause is over when it does
        assert row["pause_ms"] - 6 < row["stall_ms"] < row["pause_ms"] + 3


def test_a_failover_takes_what_the_lease_says(quick):
    rows = read(quick, "failover")
    for row in rows:
        lease_ms = row["lease_ms"]
        # from the last heartbeat that was heard, up to a quarter of the lease before the fault
        assert 1.2 * lease_ms < row["takeover_ms"] < 1.5 * lease_ms + 5
        if row["fault"] == "dies-tcp":
            assert row["longest_request_ms"] > row["takeover_ms"] + 50
        else:
            assert abs(row["longest_request_ms"] - row["takeover_ms"]) < 12
    assert {row["fault"] for row in rows} == {"dies", "hangs", "dies-tcp"}


def test_remus_trades_and_colo_does_not(quick):
    rows = read(quick, "remus")
    (colo,) = select(rows, protection="colo")
    often, seldom = select(rows, protection="remus")
    assert often["interval_ms"] < seldom["interval_ms"]
    assert often["added_latency_ms"] < 0.5 * seldom["added_latency_ms"]
    assert often["stopped_percent"] > 2 * seldom["stopped_percent"]
    assert colo["added_latency_ms"] < 0.1 * often["added_latency_ms"]
    assert colo["stopped_percent"] == 0


def test_half_width_of_known_numbers():
    # t of 4 and of 1 degrees of freedom, standard deviation of 1 to 5: sqrt(2.5)
    assert half_width([1, 2, 3, 4, 5]) == pytest.approx(2.776 * math.sqrt(2.5 / 5))
    assert half_width([10, 12]) == pytest.approx(12.706)
    assert half_width([7.1] * 31) == 0
    assert math.isnan(half_width([3]))


def test_who_is_interrupted_keeps_the_former_file(tmp_path):
    path = tmp_path / "pause.csv"
    path.write_text("of before")

    def write_half(unfinished):
        unfinished.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save(path, write_half)
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [
        ("pause.csv", "of before")
    ]


def test_means_over_seeds_keep_points_apart():
    rows = [
        {"p": p, "x_ms": x, "m": m}
        for p, x, m in [("b", 1, 2), ("b", 1, 4), ("a", math.nan, 5), ("a", math.nan, 5)]
    ]
    table = over_seeds(rows, ["p", "x_ms"])
    assert list(table["p"]) == ["b", "a"]
    assert list(table["m"]) == [3, 5]
    assert list(table["seeds"]) == [2, 2]
    assert list(table["m_ci95"]) == [pytest.approx(12.706), 0]


def test_same_seeds_same_tables_by_any_number_of_jobs(tmp_path):
    tables = []
    for jobs in (1, 3):
        folder = tmp_path / str(jobs)
        done = figures("--quick", "--only=failover,stall", f"--jobs={jobs}", f"--out={folder}")
        assert (done.returncode, done.stderr) == (0, "")
        assert len(list(folder.iterdir())) == 4
        tables.append([(folder / f"{name}.csv").read_text() for name in ("failover", "stall")])
    assert tables[0] == tables[1]
    assert {row["seeds"] for row in read(folder, "stall")} == {2}


@pytest.mark.parametrize(
    "argument",
    [
        "--seeds=0",
        "--seeds=32",
        "--seeds=two",
        "--seeds=" + 5000 * "1",
        "--jobs=0",
        "--jobs=-1",
        "--only=pauses",
        "--only=",
        "--only=pause,",
        "--no-such",
        "more",
        "--program=no-such-file",
        "--program=.",
    ],
)
def test_bad_options_are_refused(tmp_path, argument):
    done = figures("--quick", f"--out={tmp_path / 'out'}", argument)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("figures: ") and done.stderr.count("\n") == 1
    assert argument.split("=")[0] in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "taken/pause.png").mkdir(parents=True)
    for out in ("file", "file/below", "taken"):
        done = figures("--quick", "--only=pause", f"--out={tmp_path / out}")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"figures: option --out: {tmp_path / out}")
        assert done.stderr.count("\n") == 1
    assert list((tmp_path / "taken/pause.png").iterdir()) == []


def test_help_lists_figures_and_defaults():
    done = figures("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(name in done.stdout for name in COLUMNS)
    assert done.stdout.count("(default: ") == 5


def stand_in(tmp_path, script):
    program = tmp_path / "stand-in"
    program.write_text("#!/bin/bash\n" + script + "\n")
    program.chmod(0o755)
    return program


def test_a_run_that_fails_names_its_command(tmp_path):
    program = stand_in(tmp_path, 'echo warning >&2; echo "it is broken" >&2; exit 1')
    (tmp_path / "pause.csv").write_text("of before")
    done = figures("--quick", "--only=pause", f"--out={tmp_path}", program=program)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("figures: it is broken; to repeat it: ")
    assert done.stderr.count("\n") == 1
    command = shlex.split(done.stderr.split("to repeat it: ")[1])
    assert command[0] == str(program)
    assert "--seed=1" in command or "--seed=2" in command
    assert subprocess.run([PROGRAM, *command[1:]], capture_output=True).returncode == 0
    assert (tmp_path / "pause.csv").read_text() == "of before"


@pytest.mark.parametrize("name, what", [("stall", "checkpoint"), ("failover", "take over")])
def test_a_run_without_what_is_measured_names_its_command(tmp_path, name, what):
    summary = {"checkpoints": 0, "pairs": [{"failover": []}]}
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    script = f'for a; do [[ $a != --out=* ]] || cp {tmp_path}/summary.json "${{a#--out=}}"; done'
    program = stand_in(tmp_path, script)
    done = figures("--quick", f"--only={name}", f"--out={tmp_path / 'out'}", program=program)
    assert (done.returncode, done.stdout) == (1, "")
    assert what in done.stderr and f"; to repeat it: {program} --" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_told_to(tmp_path, kind):
    program = stand_in(tmp_path, f'echo $$ >>"{tmp_path}/started"; exec sleep 60')
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command = [FIGURES / "figures.py", f"--program={program}", f"--out={tmp_path / 'out'}"]
    running = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        env={"TMPDIR": str(temporary), "PATH": "/usr/bin:/bin"},
    )
    try:
        wait_until(
            lambda: (tmp_path / "started").exists()
            and (tmp_path / "started").read_text().count("\n") == 2
        )
        running.send_signal(kind)
        assert running.communicate(timeout=20)[1] == "figures: interrupted\n"
    finally:
        running.kill()
        running.wait()
    assert running.returncode == 130
    for pid in (tmp_path / "started").read_text().split():
        wait_until(lambda: not is_running(pid))
    assert list(temporary.iterdir()) == []
    assert list((tmp_path / "out").iterdir()) == []


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(is_so, seconds=20):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)
