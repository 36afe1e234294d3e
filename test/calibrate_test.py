# SPDX-License-Identifier: GPL-2.0-only
"""coloctl calibrate, without a module: what it writes, where, and that colo-scenario takes it."""

import json
import os
import re
import resource
import stat
import time

import pytest
from coloctl_program import complaint, needs_coloctl, run
from scenario_program import TOP, Results, request_response

pytestmark = needs_coloctl

SHIPPED = json.loads((TOP / "scenarios" / "calibration.json").read_text())
QUICK = [*request_response(requests=20), "--divergence=0"]
MEASURED = ["compare-per-frame", "compare-per-kib"]
SECONDS_MAX = 10
NS_MAX = 20000  # a frame, even on a host that emulates its processor
RIGHTS_WITHOUT_UMASK = 0o640


def by_name(calibration):
    return {entry["name"]: entry for entry in calibration["figures"]}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("calibrate") / "host.json"
    begin = time.monotonic()
    done = run("calibrate", "--out", path)
    assert time.monotonic() - begin < SECONDS_MAX
    assert (done.returncode, done.stderr) == (0, "")
    for name in by_name(SHIPPED):
        assert re.search(f"^{name} +[0-9]+ (ns|packets) ", done.stdout, re.MULTILINE)
    assert os.listdir(path.parent) == ["host.json"]
    return path


def test_measures_what_it_can_and_assumes_the_rest(file):
    calibration = json.loads(file.read_text())
    assert calibration["format"] == SHIPPED["format"]
    ours, shipped = by_name(calibration), by_name(SHIPPED)
    assert list(ours) == list(shipped)
    for name in MEASURED:
        entry = ours.pop(name)
        assert entry["origin"] == "measured"
        assert entry["command"].startswith("coloctl calibrate: ")
        assert os.uname().release in entry["machine"]
        assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", entry["date"])
        assert 0 <= entry["value"] < NS_MAX
        for key in ("name", "unit", "attribute"):
            assert entry[key] == shipped[name][key]
    # Of the host's own kernel no module is loaded while the tests run.
    why = "; not measured: nf_conntrack_colo is not loaded"
    assert ours["kcolo-wakeup"]["source"] == shipped["kcolo-wakeup"]["source"] + why
    ours["kcolo-wakeup"]["source"] = shipped["kcolo-wakeup"]["source"]
    for name, entry in ours.items():
        assert entry == shipped[name]


def test_simulation_takes_it(file, tmp_path):
    results = Results(tmp_path / "out", *QUICK, f"--calibration={file}")
    told = results.summary["calibration"]
    assert told["file"] == str(file)
    for name, entry in by_name(json.loads(file.read_text())).items():
        assert {"name": name, **told["figures"][name]} == entry
    assert f"{file}: 5 assumed, 2 measured\n" in results.done.stdout


def test_its_figures_change_the_simulation(file, tmp_path):
    plain = Results(tmp_path / "plain", *QUICK, f"--calibration={file}")
    calibration = json.loads(file.read_text())
    by_name(calibration)["kcolo-wakeup"]["value"] = 20_000_000
    by_name(calibration)["compare-per-frame"]["value"] = 1_000_000
    edited = tmp_path / "edited.json"
    edited.write_text(json.dumps(calibration))
    slow = Results(tmp_path / "slow", *QUICK, f"--calibration={edited}")
    latencies = [results.summary["latency_ms"]["mean"] for results in (plain, slow)]
    assert latencies[0] < 10 and latencies[1] > 21, latencies


def test_standard_output():
    for options, lines in ([], 50), (["--json"], 1):
        done = run("calibrate", *options)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.count("\n") >= lines and (lines > 1 or done.stdout.count("\n") == 1)
        assert list(by_name(json.loads(done.stdout))) == list(by_name(SHIPPED))


def test_out_and_json(tmp_path):
    path = tmp_path / "host.json"
    done = run("calibrate", "--json", "--out", path)
    assert by_name(json.loads(done.stdout)).keys() == by_name(json.loads(path.read_text())).keys()


def test_a_user_without_rights(tmp_path):
    tmp_path.chmod(0o777)
    options = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
    try:
        done = run("calibrate", "--out", "host.json", cwd=tmp_path, **options)
    except PermissionError:
        pytest.skip("that user cannot reach coloctl or the folder")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(by_name(json.loads((tmp_path / "host.json").read_text()))) == len(by_name(SHIPPED))


def test_place_of_the_file(tmp_path):
    target = tmp_path / "target.json"
    target.write_text("old")
    link = tmp_path / "link.json"
    link.symlink_to(target)
    done = run("calibrate", "--out", link, preexec_fn=lambda: os.umask(0o026))
    assert done.returncode == 0, done
    assert link.is_symlink() and json.loads(target.read_text())
    assert stat.S_IMODE(target.stat().st_mode) == RIGHTS_WITHOUT_UMASK
    link.unlink()
    link.symlink_to("nowhere")
    assert complaint(run("calibrate", "--out", link), 2).endswith(": No such file or directory")
    assert run("calibrate", "--out", "/dev/null").returncode == 0


def few_bytes():
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))


def test_what_fails_leaves_the_earlier_file(tmp_path):
    path = tmp_path / "host.json"
    path.write_text("old")
    # Python ignores SIGXFSZ, and so does then what it runs.
    done = run("calibrate", "--out", path, preexec_fn=few_bytes, restore_signals=False)
    assert complaint(done, 1) == f"--out {path}: File too large"
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["host.json"]


BAD = {
    "/no/such/folder/host.json": "No such file or directory",
    "/": "Is a directory",
    "": "names no file",
    "/dev/null/host.json": "Not a directory",
    "x" * 300: "File name too long",
}


@pytest.mark.parametrize("place, text", BAD.items(), ids=range(len(BAD)))
def test_no_place_for_a_file(place, text, tmp_path):
    assert complaint(run("calibrate", f"--out={place}", cwd=tmp_path), 2) == f"--out {place}: {text}"
    assert not os.listdir(tmp_path)


def test_a_full_disk():
    done = run("calibrate", "--out=/dev/full")
    assert complaint(done, 1) == "--out /dev/full: No space left on device"


def test_words_and_options_that_are_none():
    text = 'calibrate: "x" is one word too many; usage: coloctl calibrate [--out FILE]'
    assert complaint(run("calibrate", "x"), 2) == text
    text = "calibrate has no option --index; see coloctl calibrate --help"
    assert complaint(run("calibrate", "--index=1"), 2) == text
