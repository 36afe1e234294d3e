# SPDX-License-Identifier: GPL-2.0-only
"""colo-replay on each pair of captures in traces/pairs, against what must come out."""

import json
import os
import subprocess
import sys
from collections import Counter, namedtuple
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent
sys.path.append(str(TOP / "traces"))

from pair_expect import Guest, expect  # noqa: E402

PROGRAM = Path(os.environ.get("COLO_BUILD_DIR", TOP / "build")) / "scenarios/colo-replay"
PAIRS = sorted(path.parent for path in (TOP / "traces/pairs").glob("*/expected.json"))
# A clamped ack leaves again with a larger window: not the guest's packet, but a copy.
COPIES = {"window"}

Replay = namedtuple("Replay", "primary addresses expected verdicts released")


def capture(pair, role):
    (found,) = pair.glob(f"{role}.pcap*")
    return found


def addresses_of(expected):
    (guests,) = [option for option in expected["options"] if option.startswith("--guest=")]
    return guests.partition("=")[2].split(",")


@pytest.fixture(scope="module", params=PAIRS, ids=lambda pair: pair.name)
def pair(request):
    return request.param


@pytest.fixture(scope="module")
def replay(pair, tmp_path_factory):
    folder = tmp_path_factory.mktemp(pair.name)
    expected = json.loads((pair / "expected.json").read_text())
    done = subprocess.run(
        [
            PROGRAM,
            f"--primary={capture(pair, 'primary')}",
            f"--secondary={capture(pair, 'secondary')}",
            f"--verdicts={folder / 'verdicts.jsonl'}",
            f"--released={folder / 'released.pcap'}",
            *expected["options"],
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    verdicts = [json.loads(line) for line in (folder / "verdicts.jsonl").read_text().splitlines()]
    addresses = addresses_of(expected)
    primary = Guest(capture(pair, "primary"), addresses)
    return Replay(primary, addresses, expected, verdicts, folder / "released.pcap")


def of_primary(replay, event):
    return [
        verdict
        for verdict in replay.verdicts
        if verdict["event"] == event
        and verdict["side"] == "primary"
        and verdict["reason"] not in COPIES
    ]


def test_there_are_pairs():
    assert len(PAIRS) >= 14


def test_expectations_are_those_of_the_captures(pair):
    expected = json.loads((pair / "expected.json").read_text())
    files = capture(pair, "primary"), capture(pair, "secondary")
    for name, value in expect(*files, addresses_of(expected)).items():
        assert expected[name] == value


def test_mismatches_are_those_expected(replay):
    fields = ("reason", "flow", "position")
    found = [
        {name: verdict[name] for name in fields}
        for verdict in replay.verdicts
        if verdict["event"] == "mismatch"
    ]
    assert found == replay.expected["mismatches"]


def test_each_mismatch_is_answered_by_a_commit(replay):
    events = [v["event"] for v in replay.verdicts if v["event"] in ("mismatch", "commit")]
    assert events == ["mismatch", "commit"] * len(replay.expected["mismatches"])


def test_every_packet_of_the_primary_leaves_once(replay):
    ended = of_primary(replay, "release") + of_primary(replay, "drop")
    assert Counter(v["packet"] for v in ended) == Counter(replay.primary.numbers)


def test_as_many_are_released_and_held_as_expected(replay):
    assert len(of_primary(replay, "release")) == replay.expected["released_packets"]
    assert len(of_primary(replay, "held-at-end")) == replay.expected["held_at_end"]


def test_verdicts_are_in_the_order_of_time(replay):
    times = [verdict["t_ns"] for verdict in replay.verdicts]
    assert times == sorted(times)


def test_client_gets_the_primarys_streams(replay):
    released = Guest(replay.released, replay.addresses)
    assert {key: stream.bytes() for key, stream in released.streams.items()} == {
        key: stream.bytes() for key, stream in replay.primary.streams.items()
    }


def test_client_gets_the_primarys_datagrams_in_order(replay):
    def contents(guest):
        return {
            key: [what for *_, what in datagrams] for key, datagrams in guest.datagrams.items()
        }

    released = Guest(replay.released, replay.addresses)
    assert contents(released) == contents(replay.primary)
