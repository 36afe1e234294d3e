# SPDX-License-Identifier: GPL-2.0-only
"""Figures from outside: what --calibration takes, refuses and changes, and how a run repeats it."""

import json
import os
import re

import pytest
from scenario_input_test import assert_refused
from scenario_program import TOP, Results, request_response, run

SHIPPED = TOP / "scenarios" / "calibration.json"
QUICK = request_response(requests=20)
WAKEUP = "ns3::ColoPrimaryProxy::KcoloWakeup"
UNITS = {"ns", "packets"}


def shipped():
    return json.loads(SHIPPED.read_text())


def figure(calibration, name):
    (found,) = [entry for entry in calibration["figures"] if entry["name"] == name]
    return found


def write(folder, calibration, name="host.json"):
    path = folder / name
    text = calibration if isinstance(calibration, str) else json.dumps(calibration)
    path.write_text(text)
    return path


def with_wakeup(folder, ns, name="host.json"):
    calibration = shipped()
    figure(calibration, "kcolo-wakeup")["value"] = ns
    return write(folder, calibration, name)


def without_time(results):
    return {name: value for name, value in results.summary.items() if name != "wall_s"}


def test_shipped_file_says_where_each_figure_is_from():
    calibration = shipped()
    for entry in calibration["figures"]:
        assert entry["unit"] in UNITS
        keys = {"name", "value", "unit", "attribute", "origin"}
        if entry["origin"] == "measured":
            keys |= {"command", "machine", "date"}
        else:
            assert entry["origin"] == "assumed"
            keys |= {"source"}
        assert set(entry) == keys
    origins = {entry["origin"] for entry in calibration["figures"]}
    assert origins == {"measured", "assumed"}


def test_shipped_file_is_what_a_run_without_the_option_takes(tmp_path):
    plain = Results(tmp_path / "plain", *QUICK)
    given = Results(tmp_path / "given", *QUICK, f"--calibration={SHIPPED}")
    told = plain.summary["calibration"]
    assert told["file"] == "as shipped"
    assert given.summary["calibration"]["file"] == str(SHIPPED)
    assert given.summary["calibration"]["figures"] == told["figures"]
    assert set(told["figures"]) == {entry["name"] for entry in shipped()["figures"]}
    for entry in shipped()["figures"]:
        assert {"name": entry["name"], **told["figures"][entry["name"]]} == entry
    for results in (plain, given):
        del results.summary["calibration"]
    assert without_time(plain) == without_time(given)


def test_figures_change_the_run(tmp_path):
    plain = Results(tmp_path / "plain", *QUICK, "--divergence=0")
    file = with_wakeup(tmp_path, 50_000_000)
    slow = Results(tmp_path / "slow", *QUICK, "--divergence=0", f"--calibration={file}")
    assert plain.summary["latency_ms"]["mean"] < 10
    assert slow.summary["latency_ms"]["mean"] > 50
    unprotected = [results.summary["unprotected"] for results in (plain, slow)]
    assert unprotected[0]["latency_ms"] == unprotected[1]["latency_ms"]


@pytest.mark.parametrize("entry", shipped()["figures"], ids=lambda entry: entry["name"])
def test_each_figure_sets_its_attribute(tmp_path, entry):
    calibration = shipped()
    value = 2 * entry["value"]
    figure(calibration, entry["name"])["value"] = value
    file = write(tmp_path, calibration)
    saved = tmp_path / "saved"
    done = run(*request_response(requests=1), f"--calibration={file}", f"--save-config={saved}")
    assert done.status == 0, done
    (line,) = [
        line for line in saved.read_text().splitlines() if f" {entry['attribute']} " in line
    ]
    assert float(re.search(r'"\+?([0-9.e+]+)(ns)?"', line)[1]) == value


def test_attributes_win(tmp_path):
    file = with_wakeup(tmp_path, 50_000_000)
    results = Results(tmp_path / "out", *QUICK, f"--calibration={file}", f"--{WAKEUP}=1us")
    assert results.summary["latency_ms"]["mean"] < 10
    told = results.summary["calibration"]["figures"]["kcolo-wakeup"]
    assert told == {"value": "1us", "attribute": WAKEUP, "origin": "attribute"}
    assert f"{file}: " in results.done.stdout and "1 set by attributes" in results.done.stdout


def test_no_proxy_no_figures(tmp_path):
    results = Results(tmp_path / "out", *QUICK, "--protection=none")
    assert "calibration" not in results.summary
    assert "Calibration" not in results.done.stdout


# A run that is repeated.


def test_saved_run_repeats_it(tmp_path):
    file = with_wakeup(tmp_path, 3_000_000)
    saved = tmp_path / "saved"
    first = Results(tmp_path / "first", *QUICK, f"--calibration={file}", f"--save-config={saved}")
    again = Results(tmp_path / "again", f"--config={saved}", f"--save-config={tmp_path / 'again.c'}")
    assert without_time(first) == without_time(again)
    assert saved.read_text() == (tmp_path / "again.c").read_text()
    changed = Results(tmp_path / "changed", f"--config={saved}", f"--{WAKEUP}=0s")
    assert changed.summary["latency_ms"]["mean"] < first.summary["latency_ms"]["mean"]


def test_saved_run_outlives_a_changed_file(tmp_path):
    file = with_wakeup(tmp_path, 3_000_000)
    saved = tmp_path / "saved"
    first = Results(tmp_path / "first", *QUICK, f"--calibration={file}", f"--save-config={saved}")
    with_wakeup(tmp_path, 0)
    again = Results(tmp_path / "again", f"--config={saved}")
    assert again.summary["calibration"]["figures"]["kcolo-wakeup"]["origin"] == "attribute"
    for results in (first, again):
        del results.summary["calibration"]
    assert without_time(first) == without_time(again)
    file.unlink()
    assert_refused(run(f"--config={saved}"), f"{saved}:", f"--calibration: {file}: No such file")


@pytest.mark.parametrize("is_gone", [False, True])
def test_command_line_wins_over_the_saved_run(tmp_path, is_gone):
    file = with_wakeup(tmp_path, 50_000_000)
    saved = tmp_path / "saved"
    Results(tmp_path / "first", *QUICK, f"--calibration={file}", f"--save-config={saved}")
    if is_gone:
        file.unlink()
    other = with_wakeup(tmp_path, 0, "other.json")
    mine = Results(tmp_path / "mine", f"--config={saved}", f"--calibration={other}")
    assert mine.summary["latency_ms"]["mean"] < 10
    assert mine.summary["calibration"]["figures"]["kcolo-wakeup"]["value"] == 0
    assert mine.summary["calibration"]["figures"]["kcolo-wakeup"]["origin"] == "assumed"


# What is of no use.


def changed(which, **values):
    calibration = shipped()
    entry = figure(calibration, which)
    for key, value in values.items():
        if value is None:
            del entry[key]
        else:
            entry[key] = value
    return calibration


def without(name):
    calibration = shipped()
    calibration["figures"].remove(figure(calibration, name))
    return calibration


def with_raw_value(text):
    return json.dumps(changed("load-time", value=987654321)).replace("987654321", text)


BAD = {
    "empty": ("", ["is not JSON", "line 1"]),
    "text": ("wakeup = 10us\n", ["is not JSON"]),
    "half": (SHIPPED.read_text()[:700], ["is not JSON"]),
    "binary": ("\0\x01\x7f", ["is not JSON"]),
    "nested": ("[" * 100000, ["is not JSON"]),
    "deep": ("[" * 100000 + "]" * 100000, ["no JSON object"]),
    "more after it": (SHIPPED.read_text() + "{}", ["is not JSON"]),
    "key twice": (
        SHIPPED.read_text().replace('"value": 10000,', '"value": 10000, "value": 1,'),
        ['has "value" twice in one object'],
    ),
    "list": ([], ["is no JSON object"]),
    "number": ("7", ["is no JSON object"]),
    "no format": ({"figures": shipped()["figures"]}, ['has no "format"']),
    "other format": ({**shipped(), "format": "colo-calibration-9"}, ["format", "-9"]),
    "no figures": ({"format": shipped()["format"]}, ['has no list "figures"']),
    "figures of no list": ({**shipped(), "figures": {}}, ['has no list "figures"']),
    "empty list": ({**shipped(), "figures": []}, ['"kcolo-wakeup": is missing']),
    "unknown member": ({**shipped(), "version": 1}, ['"version" is not known']),
    "element of no name": ({**shipped(), "figures": [{}]}, ['element 1 of "figures" has no name']),
    "element of no object": ({**shipped(), "figures": [3]}, ["element 1"]),
    "name of no text": (changed("load-time", name=3), ["element", "has no name"]),
    "unknown figure": (changed("load-time", name="lod-time"), ['"lod-time": is not known']),
    "incomplete": (without("load-time"), ['"load-time": is missing']),
    "twice": (
        {**shipped(), "figures": shipped()["figures"] + shipped()["figures"][:1]},
        ['"kcolo-wakeup": is there twice'],
    ),
    "no value": (changed("load-time", value=None), ["load-time", 'no "value"']),
    "text as value": (changed("load-time", value="1ms"), ["load-time", '"1ms"', "not a number"]),
    "true": (with_raw_value("true"), ["load-time", "true"]),
    "null": (with_raw_value("null"), ["load-time", "null"]),
    "NaN": (with_raw_value("NaN"), ["is not JSON"]),
    "infinity": (with_raw_value("1e999"), ["is not JSON", "1e999"]),
    "negative": (changed("load-time", value=-1), ["load-time", "-1", "0 to 60000000000 ns"]),
    "too large": (changed("load-time", value=60000000001), ["load-time", "60000000001 is not in"]),
    "beyond 64 bits": (with_raw_value("1" + "0" * 30), ["load-time", "is not in"]),
    "broken": (changed("load-time", value=0.5), ["load-time", "0.5", "whole number of ns"]),
    "no packet": (changed("flow-held-max", value=0), ["flow-held-max", "1 to 1073741824 packets"]),
    "slow": (changed("kcolo-wakeup", value=1000000001), ["kcolo-wakeup", "0 to 1000000000 ns"]),
    "no unit": (changed("load-time", unit=None), ["load-time", 'no "unit"']),
    "wrong unit": (changed("load-time", unit="ms"), ["load-time", '"ms", not "ns"']),
    "other attribute": (
        changed("load-time", attribute="ns3::ColoCheckpointer::Overhead"),
        ["load-time", 'not "ns3::ColoCheckpointer::LoadTime"'],
    ),
    "no origin": (changed("load-time", origin=None), ["load-time", 'no "origin"']),
    "odd origin": (changed("load-time", origin="guessed"), ["load-time", '"guessed"']),
    "no source": (changed("load-time", source=None), ["load-time", 'no "source"']),
    "empty source": (changed("load-time", source=""), ["load-time", '"source"']),
    "long source": (changed("load-time", source="x" * 401), ["load-time", '"source"', "400"]),
    "no machine": (changed("compare-per-kib", machine=None), ["compare-per-kib", '"machine"']),
    "no date": (changed("compare-per-kib", date=None), ["compare-per-kib", '"date"']),
    "no command": (changed("compare-per-kib", command=None), ["compare-per-kib", '"command"']),
    "odd key": (changed("load-time", remark="x"), ["load-time", '"remark" is not known']),
}


@pytest.mark.parametrize("case", BAD)
def test_file_of_no_use(tmp_path, case):
    content, words = BAD[case]
    file = write(tmp_path, content)
    done = run(f"--calibration={file}", *QUICK, f"--out={tmp_path / 'out'}", timeout_s=10)
    assert_refused(done, f"option --calibration: {file}: ", *words)
    assert not (tmp_path / "out").exists()


def test_no_file(tmp_path):
    for place in (tmp_path, tmp_path / "none", "/dev/zero"):
        done = run(f"--calibration={place}", timeout_s=10)
        assert_refused(done, f"option --calibration: {place}: ")
    large = tmp_path / "large"
    large.touch()
    os.truncate(large, (1 << 20) + 1)
    assert_refused(run(f"--calibration={large}"), f"{large}: ", "1048576 bytes")


def test_no_name_and_twice():
    assert_refused(run("--calibration="), "--calibration")
    assert_refused(run("--calibration", ""), "option --calibration: : No such file")
    assert_refused(run("--calibration=a", "--calibration=b"), "--calibration", "more than once")


def test_file_may_come_from_a_link(tmp_path):
    (tmp_path / "link").symlink_to(SHIPPED)
    assert run(*QUICK, f"--calibration={tmp_path / 'link'}").status == 0
