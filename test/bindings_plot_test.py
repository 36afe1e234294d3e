# SPDX-License-Identifier: GPL-2.0-only
"""Figures of sweeps and runs: what their lines, bands, cells and labels say."""

import math
import os
import subprocess
import sys
from pathlib import Path

import colo
import numpy
import pandas
import pytest
from colo import _confidence, _timeline

GRID = {"divergence": [0, 0.02, 0.3], "protection": ["colo", "remus"], "lag": ["200us", "1ms"]}
FIXED = {"workload": "request-response", "requests": 40}
SEEDS = range(1, 4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("plot") / "results"
    colo.sweep(GRID, seeds=SEEDS, jobs=2, out=path, progress=False, **FIXED)
    return path


@pytest.fixture(scope="module")
def table(folder):
    return colo.load(folder)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("plot") / "run"
    colo.run(workload="request-response", requests=60, divergence=0.1, seed=3, out=path, trace=True)
    return path


def made(points, axes):
    """A sweep's table of (axes..., checkpoints_per_s) for seeds 0, 1, ..."""
    rows = [
        {**dict(zip(axes, at)), "seed": seed, "checkpoints_per_s": rate, "error": None}
        for at, rates in points.items()
        for seed, rate in enumerate(rates)
    ]
    frame = pandas.DataFrame(rows)
    frame.attrs["axes"] = list(axes)
    return frame


def texts(figure):
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def band(axes, number=0):
    """Of the numbered band: its lower and upper end at each x."""
    (path,) = axes.collections[number].get_paths()
    ends = {}
    for x, y in path.vertices:
        low, high = ends.get(x, (y, y))
        ends[x] = (min(low, y), max(high, y))
    return ends


def colo_command(*words):
    return subprocess.run(
        [sys.executable, "-m", "colo", *map(str, words)], text=True, capture_output=True
    )


# The numbers


@pytest.mark.parametrize(
    "degrees, quantile", [(1, 12.7062), (9, 2.2622), (30, 2.0423), (31, 2.0395), (60, 2.0003),
                          (199, 1.9720), (10**6, 1.95997)]
)
def test_students_t_is_that_of_the_books(degrees, quantile):
    assert _confidence.student_t(degrees) == pytest.approx(quantile, abs=6e-4)


def test_means_and_bands_of_known_numbers():
    data = made({(0.1,): [1, 2, 3], (0.2,): [10, 10, 10]}, ["divergence"])
    means = colo.plot.means(data, "checkpoint-rate", ["divergence"])
    assert list(means["mean"]) == [2, 10] and list(means["seeds"]) == [3, 3]
    assert list(means["half"]) == pytest.approx([4.303 / math.sqrt(3), 0])
    axes = colo.plot.checkpoint_rate(data, "divergence").axes[0]
    assert list(axes.lines[0].get_xdata()) == [0.1, 0.2]
    assert list(axes.lines[0].get_ydata()) == [2, 10]
    ends = band(axes)
    assert ends[0.1] == pytest.approx((2 - 4.303 / math.sqrt(3), 2 + 4.303 / math.sqrt(3)))
    assert ends[0.2] == (10, 10)


def test_other_axes_are_averaged_within_seeds_and_said():
    """Far apart, they are no uncertainty: each seed has the same mean."""
    data = made({(0.1, "1ms"): [0, 1, 2], (0.1, "9ms"): [102, 101, 100]}, ["divergence", "lag"])
    means = colo.plot.means(data, "checkpoint-rate", ["divergence"])
    assert list(means["mean"]) == [51] and list(means["half"]) == [0]
    figure = colo.plot.checkpoint_rate(data, "divergence")
    assert any("averaged over lag" in text for text in texts(figure))


def test_one_seed_has_no_band():
    figure = colo.plot.checkpoint_rate(made({(1,): [5], (2,): [6]}, ["connections"]))
    assert not figure.axes[0].collections
    assert any("one seed" in text for text in texts(figure))


def test_failed_runs_are_left_out_and_counted():
    data = made({(1,): [5, 7, math.nan], (2,): [6, 8, 7]}, ["connections"])
    data.loc[data["checkpoints_per_s"].isna(), "error"] = "it broke"
    figure = colo.plot.checkpoint_rate(data)
    assert list(figure.axes[0].lines[0].get_ydata()) == [6, 7]
    assert any("1 runs failed, left out" in text for text in texts(figure))
    data["error"] = "it broke"
    with pytest.raises(colo.UsageError, match="all failed: it broke"):
        colo.plot.checkpoint_rate(data)


# Axes


def test_times_are_numbers_of_the_largest_fitting_unit():
    name = "ns3::ColoProxy::CompareTimeout"
    data = made({("1s",): [3, 4], ("50ms",): [2, 3], ("200us",): [1, 2]}, [name])
    axes = colo.plot.checkpoint_rate(data).axes[0]
    assert axes.get_xlabel() == "Compare timeout, s"
    assert list(axes.lines[0].get_xdata()) == pytest.approx([200e-6, 50e-3, 1])
    assert list(axes.lines[0].get_ydata()) == [1.5, 2.5, 3.5]
    assert axes.get_xscale() == "log"
    shorter = colo.plot.checkpoint_rate(data[data[name] != "1s"]).axes[0]
    assert shorter.get_xlabel() == "Compare timeout, ms"
    assert list(shorter.lines[0].get_xdata()) == pytest.approx([0.2, 50])


@pytest.mark.parametrize(
    "values, scale", [([1, 100], "linear"), ([1, 101], "log"), ([0, 1, 101], "symlog"),
                      ([0, 1, 10], "linear")]
)
def test_an_axis_of_decades_is_logarithmic(values, scale):
    axes = colo.plot.checkpoint_rate(made({(v,): [v, v] for v in values}, ["connections"])).axes[0]
    assert axes.get_xscale() == scale and axes.get_yscale() == scale
    low, high = axes.get_xlim()
    assert low <= min(values) and high >= max(values)
    places = [axes.transAxes.inverted().transform(axes.transData.transform((value, 1)))[0]
              for value in values]
    assert all(b - a > 0.05 for a, b in zip(places, places[1:]))  # can be told apart


def test_names_stand_apart_in_their_order():
    data = made({("Hold",): [1, 2], ("Clamp",): [3, 4], ("Apart",): [5, 6]}, ["AckPolicy"])
    axes = colo.plot.checkpoint_rate(data).axes[0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["Hold", "Clamp", "Apart"]
    points = axes.containers[0].lines[0]
    assert list(points.get_ydata()) == [1.5, 3.5, 5.5] and points.get_linestyle() == "None"
    assert axes.containers[0].has_yerr


def test_lines_differ_for_every_eye(table):
    axes = colo.plot.checkpoint_rate(table, "divergence", by="protection").axes[0]
    lines = [line for line in axes.lines if not line.get_label().startswith("_")]
    assert [line.get_label() for line in lines] == ["colo", "remus"]
    for style in ("get_color", "get_marker", "get_linestyle"):
        assert len({getattr(line, style)() for line in lines}) == 2, style
    assert axes.get_legend().get_title().get_text() == "Protection"


def test_x_is_the_first_numeric_axis(table):
    assert colo.plot.hold(table).axes[0].get_xlabel().startswith("Divergence")


# The measures, of real runs


def expected(table, kind, divergence, protection):
    rows = table[(table["divergence"] == divergence) & (table["protection"] == protection)]
    of_kind = {
        "checkpoint_rate": rows["checkpoints_per_s"],
        "throughput": 100 * rows["throughput_mbps"] / rows["unprotected_throughput_mbps"],
        "latency": rows["latency_ms_mean"] - rows["unprotected_latency_ms_mean"],
        "hold": rows["hold_ms_mean"],
    }
    return of_kind[kind].mean()


@pytest.mark.parametrize(
    "kind, label",
    [("checkpoint_rate", "Checkpoints per second"), ("throughput", "Throughput, % of unprotected"),
     ("latency", "Added latency (mean), ms"), ("hold", "Packet held (mean), ms")],
)
def test_a_measure_is_the_mean_of_its_runs(folder, table, kind, label):
    function = getattr(colo.plot, kind)
    for data in (folder, str(folder), table):
        axes = function(data, "divergence", by="protection").axes[0]
        assert axes.get_ylabel() == label
        assert axes.get_xlabel() == "Divergence, share of responses"
        for line, protection in zip(axes.lines, GRID["protection"]):
            wanted = [expected(table, kind, at, protection) for at in GRID["divergence"]]
            assert list(line.get_ydata()) == pytest.approx(wanted)
            assert all(map(math.isfinite, wanted))


def test_percentiles_are_of_requests(table):
    axes = colo.plot.latency(table, "divergence", by="protection", percentile="p99").axes[0]
    rows = table[(table["divergence"] == 0.3) & (table["protection"] == "colo")]
    wanted = (rows["latency_ms_p99"] - rows["unprotected_latency_ms_p99"]).mean()
    assert axes.lines[0].get_ydata()[2] == pytest.approx(wanted)
    assert axes.get_ylabel() == "Added latency (p99), ms"
    with pytest.raises(colo.UsageError, match="percentile: 'p42'"):
        colo.plot.hold(table, percentile="p42")


def test_heat_maps_have_a_cell_for_each_pair(table):
    figure = colo.plot.heatmap(table, "divergence", "lag", "pause_ms_mean")
    axes, bar = figure.axes
    mesh = axes.collections[0]
    cells = numpy.asarray(mesh.get_array()).reshape(2, 3)
    rows = table[(table["divergence"] == 0.3) & (table["lag"] == "200us")]
    assert cells[0, 2] == pytest.approx(rows["pause_ms_mean"].mean())
    assert bar.get_ylabel() == "pause_ms_mean, ms"
    assert axes.get_ylabel() == "Lag of the secondary, ms"
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["0.2", "1"]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0", "0.02", "0.3"]
    assert f"{cells[0, 2]:.3g}" in texts(figure)


@pytest.mark.parametrize(
    "call",
    [lambda t: colo.plot.hold(t, "color"), lambda t: colo.plot.hold(t, "lag", by="color"),
     lambda t: colo.plot.heatmap(t, "lag", "color"),
     lambda t: colo.plot.means(t, "hold", ["color"])],
)
def test_a_wrong_axis_is_one_line_with_those_there_are(table, call):
    with pytest.raises(colo.UsageError) as caught:
        call(table)
    assert "'color'" in str(caught.value) and "\n" not in str(caught.value)
    assert str(caught.value).endswith("divergence, protection, lag")


def test_what_is_no_sweep_is_told(tmp_path, table):
    for data, message in [
        (tmp_path / "none", "is that a sweep's folder"),
        (pandas.DataFrame({"a": [1]}), "no column 'seed'"),
        (7, "no use for int"),
        (table.drop(columns="hold_ms_mean"), "no column 'hold_ms_mean'"),
    ]:
        with pytest.raises(colo.UsageError, match=message):
            colo.plot.hold(data)
    with pytest.raises(colo.UsageError, match="value: 'workload' is neither"):
        colo.plot.heatmap(table, "lag", "divergence", "workload")


def test_more_lines_than_can_be_told_apart():
    data = made({(a, b): [1, 2] for a in (1, 2) for b in range(8)}, ["connections", "requests"])
    with pytest.raises(colo.UsageError, match="8 values.*heat map"):
        colo.plot.checkpoint_rate(data, "connections", by="requests")


# Files


@pytest.mark.parametrize(
    "name, magic", [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF")]
)
def test_formats(table, tmp_path, name, magic):
    for place in ("1", "2"):
        (tmp_path / place).mkdir()
        colo.plot.throughput(table, out=tmp_path / place / name)
    first, second = [(tmp_path / place / name).read_bytes() for place in ("1", "2")]
    assert first.startswith(magic) and first == second
    assert [path.name for path in (tmp_path / "1").iterdir()] == [name]


def test_a_file_that_cannot_be_written_is_left_as_it_was(table, tmp_path, monkeypatch):
    figure = colo.plot.throughput(table)
    with pytest.raises(colo.UsageError, match="a.jpeg: is none of .png, .svg, .pdf"):
        colo.plot.save(figure, tmp_path / "a.jpeg")
    with pytest.raises(colo.UsageError, match="No such file"):
        colo.plot.save(figure, tmp_path / "none" / "a.png")
    old = tmp_path / "a.png"
    old.write_text("old")

    def breaks(path, **_):
        Path(path).write_text("half")
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(figure, "savefig", breaks)
    with pytest.raises(colo.UsageError, match="No space left"):
        colo.plot.save(figure, old)
    assert old.read_text() == "old" and list(tmp_path.iterdir()) == [old]


# One run


def test_packets_that_are_held_are_counted():
    def event(t_ms, what, flow="a", seq=1, side="primary"):
        return {"t_ns": t_ms * 10**6, "pair": 0, "event": what, "side": side, "flow": flow,
                "seq": seq, "bytes": 10}

    events = pandas.DataFrame([
        event(1, "hold"), event(2, "hold", seq=2), event(3, "release"),
        event(4, "release", "other"), event(5, "drop", side="secondary", seq=2),
        event(6, "drop", seq=2),
    ])
    held = _timeline.held_over_time(events)
    assert dict(held) == {1: 1, 2: 2, 3: 1, 4: 1, 6: 0}


def test_a_timeline_shows_what_happened(run_folder):
    result = colo.run(workload="request-response", requests=60, divergence=0.1, seed=3, trace=True)
    for run in (run_folder, result, result.timeline):
        figure = colo.plot.timeline(run)
        above, middle, below = figure.axes
        assert below.get_xlabel() == "Simulated time, ms"
        assert above.get_ylabel() == "Held, packets"
        held = above.lines[0].get_ydata()
        assert max(held) > 0 and held[-1] == 0 and min(held) == 0
        shown = [len(line.get_xdata()) for line in middle.lines]
        assert shown == list(result.mismatches.values()) and sum(shown) > 0
        sent = below.collections[1]
        assert len(sent.get_paths()) == result.checkpoints > 0
        primary = below.collections[3]
        widths = [path.get_extents().width for path in primary.get_paths()]
        assert numpy.mean(widths) == pytest.approx(result.pause_ms.mean)


def test_a_timeline_shows_a_failover():
    result = colo.run(workload="request-response", requests=60, fail="kill-primary@3ms", trace=True)
    figure = colo.plot.timeline(result)
    assert any("secondary: take-over" in text for text in texts(figure))
    primary = figure.axes[2].collections[3]
    assert primary.get_paths()[-1].get_extents().x0 == pytest.approx(3)  # and stands from then on


def test_what_has_no_timeline_is_told(tmp_path):
    result = colo.run(workload="request-response", requests=5, out=tmp_path)
    for run, message in [
        (result, "trace=True keeps it"),
        (tmp_path, "timeline.jsonl: No such file.*--trace leaves it"),
        (pandas.DataFrame({"a": []}), "is no timeline"),
        (3, "no use for int"),
    ]:
        with pytest.raises(colo.UsageError, match=message):
            colo.plot.timeline(run)
    (tmp_path / "timeline.jsonl").write_text('{"t_ns":1,"pair":0,"event":"hold"}\nrubbish\n')
    with pytest.raises(colo.UsageError, match="timeline.jsonl:2: is no line of a timeline"):
        colo.plot.timeline(tmp_path)
    (tmp_path / "timeline.jsonl").write_text('{"t_ns":1,"pair":0,"event":"hold"}\n')
    with pytest.raises(colo.UsageError, match="pair: the run has 0, not 4"):
        colo.plot.timeline(tmp_path, pair=4)


# The command


def test_the_command_draws(folder, run_folder, tmp_path):
    for number, words in enumerate([
        [folder],
        [folder, "--kind=checkpoint-rate,throughput,latency,hold", "--x=lag", "--by=protection"],
        [folder, "--kind=heatmap", "--value=hold", "--percentile=p99"],
        [run_folder],
    ]):
        path = tmp_path / f"{number}.svg"
        done = colo_command("plot", *words, "-o", path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), words
        assert b"<svg" in path.read_bytes()


@pytest.mark.parametrize(
    "words, message",
    [(["--x=color"],
      "x: 'color' is no axis of the sweep, which has: divergence, protection, lag"),
     (["--kind=pie"],
      "--kind: 'pie' is none of checkpoint-rate, throughput, latency, hold, timeline, heatmap"),
     (["--y=lag"], "--y: is of no use to --kind=checkpoint-rate"),
     (["--kind=timeline", "--pair=x"], "--pair: 'x' is not a number")],
)
def test_a_wrong_word_is_one_line(folder, tmp_path, words, message):
    done = colo_command("plot", folder, *words, "-o", tmp_path / "a.png")
    assert (done.returncode, done.stderr) == (2, f"colo plot: {message}\n")
    assert not list(tmp_path.iterdir())
