# SPDX-License-Identifier: GPL-2.0-only
"""Sweeps: each point as a single run has it, once; and a folder that goes on."""

import json
import shutil
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, ThreadPoolExecutor
from datetime import timedelta

import colo
import numpy
import pandas
import pytest

WEB = {"workload": "request-response", "requests": 30}
GRID = {"divergence": [0, 0.1], "ns3::ColoProxy::CompareTimeout": ["1s", "3s"]}


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A folder with results, and the table that came with them."""
    folder = tmp_path_factory.mktemp("sweep") / "results"
    return folder, colo.sweep(GRID, seeds=range(2), jobs=2, out=folder, **WEB)


@pytest.fixture
def folder(swept, tmp_path):
    return shutil.copytree(swept[0], tmp_path / "copy")


def lines(folder):
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


def without_times(table):
    return table.drop(columns=["seconds", "wall_s"])


def test_each_row_is_what_a_single_run_gives(swept):
    _, table = swept
    assert len(table) == 8 and table.attrs["axes"] == list(GRID)
    for row in table.to_dict("records"):
        timeout = row["ns3::ColoProxy::CompareTimeout"]
        run = colo.run(
            divergence=row["divergence"],
            seed=row["seed"],
            **WEB,
            attributes={"ns3::ColoProxy::CompareTimeout": timeout},
        )
        assert row["error"] is None and row["seconds"] > 0
        assert row["checkpoints"] == run.checkpoints
        assert row["latency_ms_p99"] == run.latency_ms.p99
        assert row["unprotected_throughput_mbps"] == run.unprotected["throughput_mbps"]
        assert row["checkpoint_reasons_bytes"] == run.checkpoint_reasons.get("bytes", 0)
    assert table.checkpoints.sum() > 0


def test_rows_are_in_the_order_of_the_grid_whoever_was_first(swept):
    _, table = swept
    names = [*GRID, "seed"]
    assert list(table.columns[:3]) == names and list(table.columns[-2:]) == ["error", "seconds"]
    product = pandas.MultiIndex.from_product([*GRID.values(), range(2)])
    assert list(table[names].itertuples(index=False, name=None)) == list(product)


def test_load_has_the_same_table(swept):
    folder, table = swept
    pandas.testing.assert_frame_equal(colo.load(folder), table)
    assert colo.load(folder).attrs == table.attrs


def test_every_executor_gives_the_same(swept):
    _, table = swept
    for executor in (ThreadPoolExecutor(2), ProcessPoolExecutor(2)):
        with executor:
            other = colo.sweep(GRID, seeds=range(2), executor=executor, **WEB)
        pandas.testing.assert_frame_equal(without_times(other), without_times(table))
    other = colo.sweep(GRID, seeds=range(2), jobs=1, **WEB)
    pandas.testing.assert_frame_equal(without_times(other), without_times(table))


def test_values_are_taken_as_users_have_them(tmp_path):
    table = colo.sweep(
        {
            "divergence": numpy.linspace(0, 0.1, 2),
            "lag": [timedelta(milliseconds=1), None],
            "requests": range(20, 22),
            "sec_dev": [{"loss": 0.01}],
        },
        seeds=numpy.arange(1, 2),
        workload="request-response",
        out=tmp_path,
        attributes={"ns3::ColoProxy::CompareTimeout": "2s"},
    )
    assert table.error.isna().all()
    assert list(table.divergence.unique()) == [0, 0.1]
    assert list(table.lag.unique()) == ["1000us", None]
    assert list(table.lag_ms.unique()) == [1.0, 0.2]
    assert table.requests_completed.equals(table.requests)
    described = json.loads((tmp_path / "sweep.json").read_text())
    assert described["fixed"] == {
        "workload": "request-response",
        "ns3::ColoProxy::CompareTimeout": "2s",
    }
    assert described["grid"]["sec_dev"] == ["loss=0.01"]
    assert described["seeds"] == [1] and described["colo"] == colo.__version__


def test_a_sweep_of_seeds_alone():
    table = colo.sweep({}, seeds=[3, 5], **WEB)
    assert list(table.seed) == [3, 5] and table.attrs["axes"] == []


@pytest.mark.parametrize(
    "grid, others, text",
    [
        ({"divergense": [0]}, {}, "divergense: there is no such option"),
        ({"divergence": [0, 2]}, {}, "divergence: 2 is not in 0 to 1"),
        ({"ns3::ColoProxy::Nothing": [1]}, {}, "ns3::ColoProxy::Nothing: "),
        ({"ns3::ColoProxy::CompareTimeout": ["1s", "x"]}, {}, "Can't Parse Time x"),
        ({"workload": "download"}, {}, "workload: 'download' is not a list"),
        ({"divergence": 0.1}, {}, "divergence: 0.1 is not a list"),
        ({"divergence": []}, {}, "divergence: has no values"),
        ({"divergence": [0, 0.0]}, {}, "divergence: 0.0 is there twice"),
        ({"divergence": [object()]}, {}, "divergence: no use for <object"),
        ({"seed": [1]}, {}, "seed: a sweep takes seeds"),
        ({}, {"seed": 1}, "seed: a sweep takes seeds"),
        ({"trace": [True]}, {}, "trace: is of single runs"),
        ({}, {"lag": "5"}, "lag: '5' is not a time"),
        ({"lag": ["1ms"]}, {"lag": "2ms"}, "lag: is an axis, and fixed as well"),
        ({}, {"seeds": []}, "seeds: has no values"),
        ({}, {"seeds": 3}, "seeds: 3 is not a list"),
        ({}, {"seeds": [0.5]}, "seeds: 0.5 is not a whole number"),
        ({}, {"seeds": [1, -1]}, "seed: "),
        ({}, {"jobs": 0}, "jobs: 0 is not a number from 1"),
        ({}, {"jobs": 1, "executor": ThreadPoolExecutor(1)}, "jobs: is of local processes"),
        ({}, {"executor": 3}, "executor: 3 cannot submit"),
    ],
)
def test_what_is_of_no_use_is_named_before_anything_runs(tmp_path, grid, others, text):
    with pytest.raises(ValueError) as raised:
        colo.sweep(grid, out=tmp_path / "out", **{**WEB, **others})
    assert text in str(raised.value) and "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_a_finished_sweep_runs_nothing_again(folder, swept):
    before = (folder / "results.jsonl").read_bytes()
    told = []
    table = colo.sweep(
        GRID, seeds=range(2), out=folder, progress=lambda *of: told.append(of), **WEB
    )
    assert (folder / "results.jsonl").read_bytes() == before and not told
    pandas.testing.assert_frame_equal(table, swept[1])


def test_more_seeds_and_values_run_what_is_missing(folder):
    told = []
    more = {
        "ns3::ColoProxy::CompareTimeout": ["3s", "2s", "1s"],
        "divergence": numpy.array([0.1, 0, 0.2]),
    }
    table = colo.sweep(
        more, seeds=range(3), out=folder, progress=lambda *of: told.append(of), **WEB
    )
    assert len(lines(folder)) == len(table) == 27
    assert told == [(done, 27) for done in range(9, 28)]
    assert colo.load(folder).equals(table)


@pytest.mark.parametrize(
    "grid, others, text",
    [
        ({"divergence": [0, 0.1]}, {}, "its axes are divergence, ns3::ColoProxy::CompareTimeout"),
        ({**GRID, "divergence": [0, 0.2]}, {}, "it has divergence 0.1 as well"),
        (GRID, {"seeds": [0, 2]}, "it has seed 1 as well"),
        (GRID, {"requests": 31}, "its requests is 30"),
        (GRID, {"lag": "1ms"}, "its lag is the default"),
    ],
)
def test_a_folder_of_another_sweep_is_refused_and_stays(folder, grid, others, text):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ValueError) as raised:
        colo.sweep(grid, out=folder, **{**WEB, "seeds": range(2), **others})
    assert str(raised.value) == f"out: {folder} is of another sweep: {text}"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_figures_of_two_versions_are_not_mixed(folder, monkeypatch):
    monkeypatch.setattr(colo, "__version__", "99")
    with pytest.raises(ValueError, match="out: .* is of colo .*, this is 99"):
        colo.sweep(GRID, range(2), out=folder, **WEB)
    assert len(colo.load(folder)) == 8


def test_a_torn_last_line_is_no_result_and_runs_again(folder, swept):
    path = folder / "results.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    assert len(colo.load(folder)) == 7
    table = colo.sweep(GRID, seeds=range(2), out=folder, **WEB)
    assert len(lines(folder)) == 8
    pandas.testing.assert_frame_equal(without_times(table), without_times(swept[1]))


def test_the_last_of_two_results_of_a_point_counts(folder):
    record = lines(folder)[0]
    record["seconds"] = 99.0
    with open(folder / "results.jsonl", "a") as file:
        file.write(json.dumps(record) + "\n")
    table = colo.load(folder)
    assert len(table) == 8 and (table.seconds == 99).sum() == 1


def test_broken_folders_are_named(folder, tmp_path):
    path = folder / "results.jsonl"
    path.write_text(path.read_text().replace('{"point"', "[", 1))
    for function in (colo.load, lambda out: colo.sweep(GRID, range(2), out=out, **WEB)):
        with pytest.raises(ValueError, match="results.jsonl:1: is not the result of a point"):
            function(folder)
    described = json.loads((folder / "sweep.json").read_text())
    (folder / "sweep.json").write_text(json.dumps({**described, "format": 2}))
    with pytest.raises(ValueError, match="sweep.json: is of format 2"):
        colo.load(folder)
    (folder / "sweep.json").write_text("[]")
    with pytest.raises(ValueError, match="sweep.json: does not describe a sweep"):
        colo.load(folder)
    (folder / "sweep.json").unlink()
    with pytest.raises(ValueError, match="has a results.jsonl, but no sweep.json"):
        colo.sweep(GRID, range(2), out=folder, **WEB)
    with pytest.raises(ValueError, match="No such file"):
        colo.load(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="out: .*results.jsonl: File exists"):
        colo.sweep(GRID, out=path, **WEB)


def test_what_came_before_an_interrupt_is_kept(tmp_path):
    executor = ThreadPoolExecutor(1)

    def interrupt(done, count):
        executor.shutdown()  # waits for all
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        colo.sweep({}, range(3), executor=executor, out=tmp_path, progress=interrupt, **WEB)
    assert len(lines(tmp_path)) == 3


class Flaky(ThreadPoolExecutor):
    """Cannot run points of seed 1."""

    def submit(self, function, /, options):
        return super().submit(fail if options["seed"] == 1 else function, options)


def fail(options):
    raise LookupError("no luck\nat all")


def test_failures_are_rows_and_run_again(tmp_path):
    with Flaky(1) as executor:
        table = colo.sweep({}, range(3), executor=executor, out=tmp_path, **WEB)
    assert list(table.error) == [None, "LookupError: no luck", None]
    assert table.checkpoints.isna().tolist() == [False, True, False]
    assert colo.load(tmp_path).equals(table)
    table = colo.sweep({}, range(3), out=tmp_path, **WEB)
    assert table.error.isna().all() and [line["point"]["seed"] for line in lines(tmp_path)][3:] == [
        1
    ]


def test_a_broken_executor_ends_it_and_keeps_what_came(tmp_path, monkeypatch):
    monkeypatch.setattr("colo._sweep.IN_FLIGHT_MAX", 1)

    class Breaking(ThreadPoolExecutor):
        def submit(self, function, /, options):
            if options["seed"] == 3:
                raise BrokenExecutor("lost")
            return super().submit(function, options)

    with Breaking(1) as executor, pytest.raises(BrokenExecutor, match="after 3 of 9 points: lost"):
        colo.sweep({}, range(9), executor=executor, out=tmp_path, **WEB)
    assert [line["point"]["seed"] for line in lines(tmp_path)] == [0, 1, 2]
    assert len(colo.sweep({}, range(9), out=tmp_path, **WEB)) == 9
    assert len(lines(tmp_path)) == 9


def test_progress_is_a_bar_a_function_or_nothing(capfd):
    colo.sweep({}, range(3), **WEB)
    assert capfd.readouterr().err == ""
    colo.sweep({}, range(3), progress=True, **WEB)
    assert "3/3" in (err := capfd.readouterr().err) and "point/s" in err
    with Flaky(1) as executor:
        colo.sweep({}, range(3), progress=True, executor=executor, **WEB)
    assert "failed=1" in capfd.readouterr().err
    told = []
    colo.sweep({}, range(3), progress=lambda *of: told.append(of), **WEB)
    assert told == [(1, 3), (2, 3), (3, 3)] and capfd.readouterr().err == ""


def test_a_million_points_are_not_submitted_at_once(monkeypatch):
    monkeypatch.setattr("colo._sweep.IN_FLIGHT_MAX", 4)

    class Counting(ThreadPoolExecutor):
        flying = most = 0

        def submit(self, function, /, options):
            self.flying += 1
            self.most = max(self.most, self.flying)
            future = super().submit(function, options)
            future.add_done_callback(self.landed)
            return future

        def landed(self, _):
            self.flying -= 1

    with Counting(1) as executor:
        assert len(colo.sweep({}, range(12), executor=executor, **WEB)) == 12
    assert executor.most == 4
