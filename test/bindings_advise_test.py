# SPDX-License-Identifier: GPL-2.0-only
"""Advice: of sweeps whose answer is known, and of a real one."""

import math
import subprocess
import sys

import colo
import pandas
import pytest

TIMEOUT = "ns3::ColoProxy::CompareTimeout"
ACK_POLICY = "ns3::ColoPrimaryProxy::AckPolicy"


def made(settings, axes=("interval",)):
    """A sweep whose runs have (added latency, throughput share, checkpoints), a seed each."""
    rows = []
    for setting, runs in settings.items():
        at = dict(zip(axes, setting if isinstance(setting, tuple) else (setting,)))
        for seed, (latency, share, rate) in enumerate(runs):
            rows.append({
                **at,
                "seed": seed,
                **({} if "workload" in at else {"workload": "web"}),
                "finished": True,
                "checkpoints_per_s": rate,
                "throughput_mbps": 200 * share,
                "unprotected_throughput_mbps": 200,
                "latency_ms_count": 100,
                "unprotected_latency_ms_count": 100,
                "latency_ms_mean": 1 + latency / 2,
                "unprotected_latency_ms_mean": 1,
                "latency_ms_p99": 3 + latency,
                "unprotected_latency_ms_p99": 3,
                "error": None,
            })
    frame = pandas.DataFrame(rows)
    frame.attrs["axes"] = list(axes)
    return frame


def around(latency, share, rate):
    """Three seeds with these means."""
    return [(latency + d, share + d / 100, rate + d) for d in (-0.1, 0, 0.1)]


THREE = made({
    "2ms": around(2, 0.5, 400), "5ms": around(5, 0.7, 150), "20ms": around(20, 0.9, 40),
})


def met(advice, name="interval"):
    return dict(zip(advice.table[name], advice.table["met"]))


def test_the_cheapest_that_meets_a_latency():
    advice = colo.advise(THREE, latency_ms=6)
    assert advice.setting == {"interval": "5ms"} and advice.nearest is None and advice.is_sure
    assert met(advice) == {"5ms": "yes", "2ms": "yes", "20ms": "no"}
    assert list(advice.table["interval"]) == ["5ms", "2ms", "20ms"]
    assert advice.text.startswith("Take checkpoint interval 5ms: 2 of 3 settings meet the target, ")


def test_the_evidence():
    row = colo.advise(THREE, latency_ms=6).table.iloc[0]
    half = 4.303 * 0.1 / math.sqrt(3)
    assert row["seeds"] == 3
    assert row["added_latency_ms"] == pytest.approx(5)
    assert row["added_latency_ms_ci95"] == pytest.approx(half)
    assert row["throughput"] == pytest.approx(0.7)
    assert row["throughput_ci95"] == pytest.approx(half / 100)
    assert row["checkpoints_per_s"] == pytest.approx(150)
    text = str(colo.advise(THREE, latency_ms=6))
    for part in ("5 ± 0.25 ms of added latency (p99)", "70 ± 0.25 % of",
                 "150 ± 0.25 checkpoints", "means of 3 seeds with 95 % confidence",
                 "cheapest is the highest throughput"):
        assert part in text, part
    assert text.splitlines()[-1].split() == "20ms 3 40 ± 0.25 90 ± 0.25 20 ± 0.25 no".split()


def test_the_percentile_counts():
    assert colo.advise(THREE, latency_ms=3, percentile="mean").setting == {"interval": "5ms"}
    assert colo.advise(THREE, latency_ms=3).setting == {"interval": "2ms"}


def test_a_throughput_alone_and_both():
    assert colo.advise(THREE, throughput=0.6).setting == {"interval": "20ms"}
    assert met(colo.advise(THREE, throughput=0.6)) == {"20ms": "yes", "5ms": "yes", "2ms": "no"}
    assert colo.advise(THREE, throughput=0.6, latency_ms=6).setting == {"interval": "5ms"}


def test_none_meets_it_and_the_nearest_is_named():
    advice = colo.advise(THREE, latency_ms=1)
    assert advice.setting is None and advice.nearest == {"interval": "2ms"} and not advice.is_sure
    assert set(met(advice).values()) == {"no"}
    assert advice.text.startswith("None of 3 settings meets the target, at most 1 ms")
    assert "Nearest comes checkpoint interval 2ms, with 2 ± 0.25 ms" in advice.text
    both = colo.advise(THREE, latency_ms=4, throughput=0.8)
    assert both.nearest == {"interval": "5ms"}  # 25 % and 12.5 % off; 2ms 37.5 %, 20ms 400 %


def test_a_mean_alone_does_not_make_it_sure():
    wide = [(3, 0.7, 100), (5, 0.7, 100), (6.5, 0.7, 100)]
    advice = colo.advise(made({"5ms": wide, "2ms": around(2, 0.5, 400)}), latency_ms=5)
    assert met(advice) == {"2ms": "yes", "5ms": "unsure"}
    # Though 5ms has more throughput.
    assert advice.setting == {"interval": "2ms"} and advice.is_sure
    alone = colo.advise(made({"5ms": wide}), latency_ms=5)
    assert alone.setting == {"interval": "5ms"} and not alone.is_sure
    assert "That is not sure" in alone.text and "more seeds decide" in alone.text


def test_the_first_of_those_that_throughput_does_not_tell_apart_has_fewest_checkpoints():
    advice = colo.advise(
        made({"2ms": around(2, 0.702, 400), "5ms": around(5, 0.7, 150), "6ms": around(5, 0.5, 90)}),
        latency_ms=6,
    )
    assert advice.setting == {"interval": "5ms"}
    assert "cannot be told" not in advice.text
    alike = made({("5ms", "Hold"): around(2, 0.7, 100), ("5ms", "Clamp"): around(2, 0.7, 100)},
                 ("interval", ACK_POLICY))
    assert "1 of the others cannot be told from it" in colo.advise(alike, latency_ms=6).text


@pytest.mark.parametrize(
    "count, word", [(1, "One seed says nothing"), (4, "4 seeds are few"), (9, None)]
)
def test_few_seeds_are_said(count, word):
    advice = colo.advise(made({"5ms": [(2 + i / 100, 0.5, 9) for i in range(count)]}), latency_ms=6)
    assert advice.setting == {"interval": "5ms"} and advice.is_sure == (count > 1)
    said = [text for text in ("One seed says nothing", "4 seeds are few") if text in advice.text]
    assert said == ([word] if word else [])
    assert "nan" not in str(advice)


def test_conditions_are_met_by_the_worst_of_them():
    data = made(
        {
            ("1s", 0.01): around(2, 0.9, 10), ("1s", 0.1): around(8, 0.6, 90),
            ("3s", 0.01): around(3, 0.8, 10), ("3s", 0.1): around(4, 0.7, 50),
        },
        (TIMEOUT, "divergence"),
    )
    advice = colo.advise(data, latency_ms=5)
    assert advice.setting == {TIMEOUT: "3s"} and met(advice, TIMEOUT) == {"3s": "yes", "1s": "no"}
    assert list(advice.table["added_latency_ms"]) == pytest.approx([4, 8])
    assert list(advice.table["throughput"]) == pytest.approx([0.7, 0.6])
    assert "the worst among divergence 0.01, 0.1" in advice.text


def test_one_workload_of_several():
    data = made(
        {("2ms", "web"): around(2, 0.5, 9), ("5ms", "web"): around(9, 0.6, 5),
         ("2ms", "dns"): around(9, 0.5, 9), ("5ms", "dns"): around(2, 0.6, 5)},
        ("interval", "workload"),
    )
    assert colo.advise(data, latency_ms=5, workload="web").setting == {"interval": "2ms"}
    assert colo.advise(data, latency_ms=5, workload="dns").setting == {"interval": "5ms"}
    with pytest.raises(colo.UsageError, match="workload: the sweep has several.*web, dns"):
        colo.advise(data, latency_ms=5)
    with pytest.raises(colo.UsageError, match="workload: 'ftp' is none of the sweep's: web, dns"):
        colo.advise(data, latency_ms=5, workload="ftp")


@pytest.mark.parametrize("column, value", [("error", "it broke"), ("finished", False)])
def test_a_setting_with_which_runs_failed_is_not_advised(column, value):
    data = THREE.copy()
    data.loc[data["interval"].eq("5ms") & data["seed"].eq(1), column] = value
    advice = colo.advise(data, latency_ms=6)
    assert advice.setting == {"interval": "2ms"} and met(advice)["5ms"] == "runs failed"
    assert "did not finish: 1 of them" in advice.text


def test_a_setting_with_which_every_run_failed_is_listed():
    data = THREE.copy()
    data.loc[data["interval"] == "5ms", "error"] = "it broke"
    advice = colo.advise(data, latency_ms=6)
    assert advice.setting == {"interval": "2ms"} and met(advice)["5ms"] == "runs failed"


@pytest.mark.parametrize(
    "options, message",
    [({}, "latency, throughput: at least one"),
     ({"latency_ms": -1}, "latency: -1 ms is not 0 or more"),
     ({"latency_ms": math.nan}, "latency: nan"),
     ({"throughput": 80}, "throughput: 80 is not a share"),
     ({"throughput": 0}, "throughput: 0 is not"),
     ({"latency_ms": 1, "percentile": "p42"}, "percentile: ")],
)
def test_a_target_of_no_use(options, message):
    with pytest.raises(colo.UsageError, match=message):
        colo.advise(THREE, **options)


def test_nothing_to_advise_about():
    data = made({0.1: around(1, 0.5, 1)}, ("divergence",))
    with pytest.raises(colo.UsageError, match="no axis to advise about: .*interval.*: divergence"):
        colo.advise(data, latency_ms=1)
    one = THREE.assign(latency_ms_count=[0, 0, 0, 9, 9, 9, 9, 9, 9])
    assert colo.advise(one, latency_ms=6).setting == {"interval": "5ms"}
    assert met(colo.advise(one, latency_ms=6))["2ms"] == "no"
    none = THREE.assign(latency_ms_count=0)
    with pytest.raises(colo.UsageError, match="no run of this sweep has .*added_latency_ms"):
        colo.advise(none, latency_ms=1)
    assert colo.advise(none, throughput=0.6).setting == {"interval": "20ms"}


# A real one


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of Remus, whose responses wait for the interval: what meets a latency is known beforehand."""
    path = tmp_path_factory.mktemp("advise") / "results"
    colo.sweep({"interval": ["5ms", "15ms", "40ms"]}, seeds=range(1, 4), jobs=2, out=path,
               progress=False, protection="remus", workload="key-value", requests=100)
    return path


def command(*words):
    return subprocess.run([sys.executable, "-m", "colo", "advise", *map(str, words)], text=True,
                          capture_output=True)


def test_a_real_sweep(folder):
    advice = colo.advise(folder, latency_ms=20, percentile="p50")
    assert met(advice) == {"5ms": "yes", "15ms": "yes", "40ms": "no"}
    assert colo.advise(folder, latency_ms=20, throughput=0.99).setting is None


def test_the_command(folder):
    done = command(folder, "--latency=20ms", "--percentile=p50")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{colo.advise(folder, latency_ms=20, percentile='p50')}\n"
    assert command(folder, "--latency=20ms", "--throughput=0.99").returncode == 1


@pytest.mark.parametrize(
    "words, message",
    [(["--latency=5"], "--latency: '5' is not a time with a unit: ns, us, ms, s or min"),
     (["--throughput=much"], "--throughput: 'much' is not a number"),
     ([], "latency, throughput: at least one of them is needed as a target")],
)
def test_a_wrong_word_is_one_line(folder, words, message):
    done = command(folder, *words)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"colo advise: {message}\n")
