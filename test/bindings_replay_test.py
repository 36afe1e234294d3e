# SPDX-License-Identifier: GPL-2.0-only
"""colo.replay and colo.rules: what colo-replay says of captures, as a table."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import colo
import pandas
import pytest
from replay_program import OTHER, TOP, Flow, Replay, pcap, run

FLOW = Flow()
PAIRS = sorted(folder for folder in (TOP / "traces/pairs").iterdir() if folder.is_dir())
TEXT = bytes(range(256)) * 4


def of_program(verdict):
    """A line of --verdicts in the table's words."""
    return {
        "t_s": verdict["t_ns"] / 1e9,
        **{name: verdict[name] for name in
           ("event", "side", "packet", "flow", "reason", "position")},
        "primary": verdict.get("primary"),
        "secondary": verdict.get("secondary"),
        "part": verdict.get("part", False),
        "again": verdict.get("again", False),
    }


def of_table(table):
    rows = table.drop(columns="held_s").astype(object)
    return rows.where(rows.notna(), None).to_dict("records")


def captures(folder):
    return [next(folder.glob(f"{side}.pcap*")) for side in ("primary", "secondary")]


def write(folder, primary, secondary):
    paths = [folder / "P.pcap", folder / "S.pcap"]
    for path, packets in zip(paths, (primary, secondary)):
        path.write_bytes(pcap(packets))
    return paths


@pytest.mark.parametrize("folder", PAIRS, ids=lambda folder: folder.name)
def test_every_pair_as_the_program_has_it(folder, tmp_path):
    words = json.loads((folder / "expected.json").read_text())["options"]
    options = {}
    for word in words:
        name, _, value = word.removeprefix("--").partition("=")
        options[name.replace("-", "_")] = value or True
    primary, secondary = captures(folder)
    done = run(f"--primary={primary}", f"--secondary={secondary}", *words,
               f"--verdicts={tmp_path}/v.jsonl", f"--released={tmp_path}/program.pcap")
    assert done.status == 0
    lines = (tmp_path / "v.jsonl").read_text().splitlines()

    table = colo.replay(primary, secondary, **options, released=tmp_path / "ours.pcap")

    assert of_table(table) == [of_program(json.loads(line)) for line in lines]
    assert (tmp_path / "ours.pcap").read_bytes() == (tmp_path / "program.pcap").read_bytes()
    ours, theirs = (text.splitlines() for text in (table.attrs["report"], done.stdout))
    assert [line for line in ours if not line.startswith("Replayed")] == [
        line for line in theirs if not line.startswith("Replayed")
    ]


def test_the_summary_is_the_sum_of_the_table():
    folder = TOP / "traces/pairs/divergent"
    table = colo.replay(*captures(folder), guest="10.0.0.2")
    summary = table.attrs["summary"]
    assert summary["mismatches"] == {"bytes": 2}
    assert summary["checkpoints"] == 2 and summary["checkpoint_reasons"] == {"bytes": 2}
    assert summary["stopped"] == ""
    assert summary["primary"]["packets"] == 30 and summary["primary"]["outbound"] == 12

    released = table[(table.event == "release") & (table.side == "primary")]
    counts = released["reason"].value_counts()
    assert summary["released"]["primary"] == counts[counts > 0].to_dict()
    assert summary["hold_ms"]["count"] == len(released) == 12
    assert summary["hold_ms"]["mean"] == pytest.approx(released["held_s"].mean() * 1e3)
    assert summary["hold_ms"]["max"] == pytest.approx(released["held_s"].max() * 1e3)
    (flow,) = summary["flows"]
    assert flow["flow"] == released["flow"].iloc[0] and flow["released"] == 12
    assert json.loads(json.dumps(summary)) == summary


def test_mismatch_names_both_sides_bytes(tmp_path):
    paths = write(tmp_path, [FLOW.tcp(0, 1, b"abcd")], [FLOW.tcp(1, 1, b"abXY")])
    table = colo.replay(*paths)
    (mismatch,) = table[table.event == "mismatch"].to_dict("records")
    assert (mismatch["primary"], mismatch["secondary"]) == (b"cd".hex(), b"XY".hex())
    assert mismatch["position"] == 3 and mismatch["t_s"] == 0.001
    assert pandas.isna(mismatch["held_s"])
    (release,) = table[table.event == "release"].to_dict("records")
    assert (release["reason"], release["held_s"]) == ("commit", 0.006)


def test_options_reach_the_engine(tmp_path):
    paths = write(tmp_path, [FLOW.tcp(0, 1, b"late")], [FLOW.tcp(9000, 1, b"late")])
    table = colo.replay(*paths, compare_timeout=timedelta(milliseconds=20), checkpoint="1ms")
    assert table["t_s"].tolist()[:3] == [0.02, 0.021, 0.021]
    never = colo.replay(*paths, compare_timeout="20ms", checkpoint="never", shift_secondary="-8s")
    assert never.attrs["summary"]["checkpoints"] == 0
    assert never[never.event == "release"]["held_s"].tolist() == [1.0]


@pytest.mark.parametrize(
    "options, words",
    [
        ({"guest": "10.0.0"}, ["guest: '10.0.0' is not an address"]),
        ({"guest": 7}, ["guest"]),
        ({"guest": OTHER}, ["guest: ", "P.pcap"]),
        ({"ack": "drop"}, ["ack: 'drop' is neither hold nor clamp"]),
        ({"checkpoint": "soon"}, ["checkpoint: 'soon'"]),
        ({"compare_timeout": "0s"}, ["compare_timeout: ", "60min"]),
        ({"compare_timeout": 3.5}, ["compare_timeout: no use for 3.5"]),
        ({"gso_size": 70000}, ["gso_size: ", "65535"]),
        ({"fix_isn": "no"}, ["fix_isn: is True or False"]),
        ({"released": "none/there.pcap"}, ["released: none/there.pcap"]),
        ({"released": "S.pcap"}, ["released: S.pcap: is the file of secondary"]),
        ({"released": "a\0b"}, ["released: no use"]),
    ],
)
def test_refuses_with_the_options_name(tmp_path, monkeypatch, options, words):
    write(tmp_path, [FLOW.tcp(0, 1, b"x")], [FLOW.tcp(0, 1, b"x")])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(colo.UsageError) as refused:
        colo.replay("P.pcap", "S.pcap", **options)
    assert "\n" not in str(refused.value)
    for word in words:
        assert word in str(refused.value)


def test_refuses_files_as_the_program_does(tmp_path):
    primary, secondary = write(tmp_path, [FLOW.tcp(0, 1)], [FLOW.tcp(0, 1)])
    with pytest.raises(ValueError, match="none.pcap: no such file"):
        colo.replay(tmp_path / "none.pcap", secondary)
    (tmp_path / "text.pcap").write_text("this is no capture of anything at all")
    with pytest.raises(ValueError, match="text.pcap: not a capture"):
        colo.replay(primary, tmp_path / "text.pcap")
    odd = os.fsdecode(b"\xff\n.pcap")
    with pytest.raises(ValueError, match="no such file"):
        colo.replay(tmp_path / odd, secondary)
    both = [FLOW.tcp(0, 1, b"x"), FLOW.tcp(1, 1, b"y", of_client=True)]
    with pytest.raises(ValueError, match="say which is the guest's: guest="):
        colo.replay(*write(tmp_path, both, both))


def test_damaged_capture_is_judged_up_to_there(tmp_path):
    packets = [FLOW.tcp(0, 1, TEXT), FLOW.tcp(1, 1025, TEXT)]
    paths = write(tmp_path, packets, packets)
    paths[0].write_bytes(pcap(packets)[:-7])
    table = colo.replay(*paths)
    theirs = Replay(tmp_path, paths[0].read_bytes(), packets, status=2, stderr="packet 2")
    assert of_table(table) == [of_program(verdict) for verdict in theirs.verdicts]
    assert table.attrs["summary"]["stopped"].startswith(f"{paths[0]}: packet 2: ")


def test_empty_captures_are_an_empty_table(tmp_path):
    table = colo.replay(*write(tmp_path, [], []))
    assert len(table) == 0 and table.attrs["summary"]["flows"] == []


def test_the_gil_is_free_meanwhile(tmp_path):
    """A pipe with no writer blocks: only another thread can give it one."""
    primary, secondary = write(tmp_path, [FLOW.tcp(0, 1, b"x")], [FLOW.tcp(0, 1, b"x")])
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Timer(0.2, lambda: pipe.write_bytes(primary.read_bytes()))
    writer.start()
    table = colo.replay(pipe, secondary)
    writer.join()
    assert table.attrs["summary"]["released"]["primary"] == {"matched": 1}


def test_several_at_once_are_independent():
    """Threads do work side by side, each on its own engines."""
    folders = [TOP / "traces/pairs" / name for name in ("divergent", "upload", "datagram-differs")]

    def work(folder):
        table = colo.replay(*captures(folder), guest="10.0.0.2")
        return table, {**table.attrs["summary"], "wall_s": 0}

    alone = [work(folder) for folder in folders]
    with ThreadPoolExecutor(4) as executor:
        for number, (table, summary) in enumerate(executor.map(work, folders * 10)):
            pandas.testing.assert_frame_equal(table, alone[number % 3][0])
            assert summary == alone[number % 3][1]


ENDLESS = """
import os, sys, threading, colo
content = open(sys.argv[1], "rb").read()
def write():
    with open(sys.argv[2], "wb") as pipe:
        pipe.write(content)
        print("writing", flush=True)
        while True:
            pipe.write(content[24:])
threading.Thread(target=write, daemon=True).start()
try:
    colo.replay(sys.argv[2], sys.argv[1], released=sys.argv[3])
except KeyboardInterrupt:
    print("interrupted", flush=True)
    os._exit(0)
"""


def test_ctrl_c_ends_it_within_a_second(tmp_path):
    primary, _ = write(tmp_path, [FLOW.udp(0, b"same") for _ in range(1000)], [])
    os.mkfifo(tmp_path / "pipe")
    kept = tmp_path / "released.pcap"
    kept.write_text("earlier")
    child = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, primary, tmp_path / "pipe", kept],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "writing\n"
    time.sleep(0.5)
    begin = time.monotonic()
    child.send_signal(signal.SIGINT)
    assert child.communicate(timeout=20)[0] == "interrupted\n"
    assert time.monotonic() - begin < 1
    assert kept.read_text() == "earlier"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "P.pcap", "S.pcap", "pipe", "released.pcap"
    ]


def command(*words, cwd):
    return subprocess.run(
        [sys.executable, "-m", "colo", "replay", *map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_command_has_the_programs_table(tmp_path):
    folder = TOP / "traces/pairs/divergent"
    done = command(*captures(folder), "--guest=10.0.0.2", "--csv=v.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Mismatches   2: the guests sent different bytes (2)" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["v.csv"]
    read = pandas.read_csv(tmp_path / "v.csv")
    table = colo.replay(*captures(folder), guest="10.0.0.2")
    assert read["t_s"].tolist() == table["t_s"].tolist()
    assert read["reason"].tolist() == table["reason"].tolist()
    done = command(*captures(folder), "--guest=10.0.0.2", "--json", cwd=tmp_path)
    summary = json.loads(done.stdout)
    assert {**summary, "wall_s": 0} == {**table.attrs["summary"], "wall_s": 0}


def test_the_command_refuses_in_one_line(tmp_path):
    write(tmp_path, [FLOW.tcp(0, 1, TEXT)], [FLOW.tcp(0, 1, TEXT)])
    for words, said in [
        (["P.pcap", "none.pcap"], "none.pcap: no such file"),
        (["P.pcap", "S.pcap", "--ack=x"], "ack: 'x' is neither"),
        (["P.pcap", "S.pcap", "--csv=P.pcap"], "csv: P.pcap: is the file of primary"),
        (["P.pcap", "S.pcap", "--csv=none/v.csv"], "csv: none/v.csv"),
    ]:
        done = command(*words, cwd=tmp_path)
        assert done.returncode == 2 and done.stdout == ""
        assert done.stderr.startswith("colo replay: ") and done.stderr.count("\n") == 1
        assert said in done.stderr
    (tmp_path / "P.pcap").write_bytes(pcap([FLOW.tcp(0, 1, TEXT)])[:-3])
    done = command("P.pcap", "S.pcap", cwd=tmp_path)
    assert done.returncode == 2 and "Note: stopped before the end" in done.stdout
    assert done.stderr.startswith("colo replay: P.pcap: packet 1: ")


def test_rules_are_the_cores():
    source = (TOP / "kernel-ref/core/colo_reason.c").read_text()
    table = colo.rules.reasons()
    assert len(table) == source.count('] = { "')
    for name, row in table.iterrows():
        assert f'{{ "{name}", "{row.text}" }}' in source
    enum = (TOP / "kernel-ref/core/colo_reason.h").read_text()
    for kind in ("release", "drop", "mismatch", "request"):
        assert (table["kind"] == kind).sum() == enum.count(f"\tCOLO_{kind.upper()}_")
    assert table["is_mismatch"].sum() == enum.count("\tCOLO_MISMATCH_")
    assert colo.rules.explain("bytes") == "mismatch: the guests sent different bytes"
    assert colo.rules.reason("timeout-ack").is_mismatch
    with pytest.raises(ValueError, match="'byte' is none of .*bytes"):
        colo.rules.explain("byte")
