# SPDX-License-Identifier: GPL-2.0-only
"""colo.Comparator: the comparison packet by packet, whatever the packets are."""

import json
import math
import pickle
import random
from datetime import timedelta

import colo
import pytest
from replay_program import (
    ACK,
    GUEST,
    OTHER,
    RST,
    SYN,
    TOP,
    Flow,
    pcap,
    read_pcap,
)

FLOW = Flow()
# Ethernet with nanoseconds: the rest are other formats of the same, for whoever reads files.
PAIRS = sorted(
    path.parent
    for path in (TOP / "traces/pairs").glob("*/primary.pcap")
    if path.read_bytes()[:24] == pcap([])
)
SEED = 7


def frame(*arguments, flow=FLOW, **more):
    return flow.tcp(0, *arguments, **more).frame


def brief(verdicts):
    return [(verdict.event, verdict.side, verdict.packet, verdict.reason) for verdict in verdicts]


def test_held_until_the_secondary_sends_the_same():
    comparator = colo.Comparator()
    (held,) = comparator.primary(frame(1, b"hello"), time=0.001)
    assert (held.event, held.side, held.packet) == ("hold", "primary", 1)
    assert held.flow == FLOW.name() and held.position == 1
    assert comparator.held == [held]
    released, dropped = comparator.secondary(frame(1, b"hello"), time=0.003)
    assert brief([released, dropped]) == [
        ("release", "primary", 1, "matched"),
        ("drop", "secondary", 1, "compared"),
    ]
    assert released.frame == frame(1, b"hello") and dropped.frame is None
    assert (released.t_s, released.held_s) == (0.003, 0.002)
    assert comparator.held == []


def test_mismatch_then_checkpoint_after_its_time():
    comparator = colo.Comparator(checkpoint=timedelta(milliseconds=5))
    comparator.primary(frame(1, b"abcd"))
    (mismatch, *_) = comparator.secondary(frame(1, b"abXY"), "1ms")
    assert (mismatch.event, mismatch.reason, mismatch.position) == ("mismatch", "bytes", 3)
    assert (mismatch.primary, mismatch.secondary) == (b"cd".hex(), b"XY".hex())
    assert mismatch.held_s is None
    assert comparator.advance("5999us") == []
    commit, *rest = comparator.advance(0.006)
    assert (commit.event, commit.reason, commit.t_s) == ("commit", "bytes", 0.006)
    assert brief(rest)[0] == ("release", "primary", 1, "commit")


def test_commit_releases_what_is_held():
    comparator = colo.Comparator(checkpoint="never")
    comparator.primary(frame(1, b"abcd"))
    assert comparator.advance("2s") == []
    commit, released = comparator.commit()
    assert (commit.event, commit.reason) == ("commit", "operator")
    assert brief([released]) == [("release", "primary", 1, "commit")]
    comparator.primary(frame(5, b"abcd"))
    assert brief(comparator.advance("6s")) == [("mismatch", None, None, "timeout-data")]
    commit, released = comparator.commit()
    assert (commit.reason, released.reason, released.held_s) == ("timeout-data", "commit", 4)
    summary = comparator.summary()
    assert summary["checkpoint_reasons"] == {"operator": 1, "timeout-data": 1}
    assert summary["hold_ms"]["count"] == 2


def test_ack_policy_is_the_engines():
    for ack, expected in (("hold", ["hold"]), ("clamp", ["release"])):
        comparator = colo.Comparator(ack=ack)
        comparator.secondary(frame(1, ack=100))
        comparator.primary(frame(1, ack=100))
        assert comparator.held == []
        comparator.secondary(frame(1, ack=300))
        assert [verdict.event for verdict in comparator.primary(frame(1, ack=500))] == expected


def test_client_drives_the_flow():
    comparator = colo.Comparator()
    comparator.primary(frame(1, b"abcd", ack=1))
    assert len(comparator.held) == 1
    reset = frame(1, ack=0, flags=RST, of_client=True)
    assert brief(comparator.client(reset)) == [("drop", "primary", 1, "client-ended")]


def test_fix_isn_rewrites_the_secondary():
    comparator = colo.Comparator(fix_isn=True)
    comparator.client(frame(5000, ack=0, flags=SYN, of_client=True))
    comparator.primary(frame(1000, flags=SYN | ACK, ack=5001))
    assert comparator.secondary(frame(77000, flags=SYN | ACK, ack=5001))
    comparator.client(frame(5001, ack=1001, of_client=True))
    comparator.primary(frame(1001, b"text", ack=5001))
    (released, dropped) = comparator.secondary(frame(77001, b"text", ack=5001))
    assert brief([released]) == [("release", "primary", 2, "matched")]
    assert (released.position, dropped.position) == (1001, 1001)


def test_ip_without_a_link_header():
    comparator = colo.Comparator(link="ip")
    comparator.primary(frame(1, b"x")[14:])
    released, _ = comparator.secondary(frame(1, b"x")[14:])
    assert released.frame == frame(1, b"x")[14:]
    assert released.flow == FLOW.name()


def test_with_addresses_both_directions_are_told_apart():
    comparator = colo.Comparator(guest=[GUEST])
    assert comparator.primary(frame(1, ack=0, flags=SYN, of_client=True)) == []
    assert comparator.primary(frame(1, flow=Flow(guest=OTHER))) == []
    (held,) = comparator.primary(frame(1, b"x"))
    assert (held.event, held.packet) == ("hold", 3)


@pytest.mark.parametrize("folder", PAIRS, ids=lambda folder: folder.name)
def test_every_pair_as_a_replay_has_it(folder, tmp_path):
    options = {
        name.replace("-", "_"): value or True
        for name, _, value in (
            word.removeprefix("--").partition("=")
            for word in json.loads((folder / "expected.json").read_text())["options"]
        )
    }
    paths = [folder / "primary.pcap", folder / "secondary.pcap"]
    table = colo.replay(*paths, **options, released=tmp_path / "released.pcap")
    packets = [
        (packet.ns, side, packet.frame)
        for side, path in zip(("primary", "secondary"), paths)
        for packet in read_pcap(path)
    ]
    packets.sort(key=lambda packet: packet[:2])

    comparator = colo.Comparator(**options)
    verdicts = []
    for ns, side, content in packets:
        verdicts += getattr(comparator, side)(content, time=(ns - packets[0][0]) / 1e9)
    verdicts += comparator.advance(max(comparator.time_s, table["t_s"].max()))

    rows = table[table.event != "held-at-end"].astype(object)
    theirs = rows.where(rows.notna(), None).to_dict("records")
    ours = [verdict._asdict() for verdict in verdicts if verdict.event != "hold"]
    frames = [verdict.pop("frame") for verdict in ours]
    assert ours == theirs
    released = [packet.frame for packet in read_pcap(tmp_path / "released.pcap")]
    assert [content for content in frames if content] == released
    assert {name: comparator.summary()[name] for name in ("mismatches", "released", "dropped")} == {
        name: table.attrs["summary"][name] for name in ("mismatches", "released", "dropped")
    }


def test_comparators_are_independent():
    one, other = colo.Comparator(), colo.Comparator(ack="clamp")
    one.primary(frame(1, b"abcd"), time=1)
    assert other.secondary(frame(1, b"abXY"), time=0.5)[0].event == "hold"
    assert (len(one.held), len(other.held)) == (1, 1)
    del one
    assert other.primary(frame(1, b"abcd"))[0].reason == "bytes"
    many = [colo.Comparator() for _ in range(50)]
    for number, comparator in enumerate(many):
        comparator.primary(frame(1, bytes([number])))
    for number, comparator in enumerate(many):
        assert comparator.secondary(frame(1, bytes([number])))[0].reason == "matched"


def corrupted(generator, content):
    content = bytearray(content)
    for _ in range(generator.randrange(4)):
        if content:
            content[generator.randrange(len(content))] = generator.randrange(256)
    if generator.random() < 0.3:
        content = content[: generator.randrange(len(content) + 1)]
    return bytes(content)


@pytest.mark.parametrize("options", [{}, {"fix_isn": True, "guest": f"{GUEST},fd00::2"},
                                     {"ack": "clamp", "gso_size": 100}, {"link": "ip"}],
                         ids=["plain", "fix", "gso", "ip"])
def test_hostile_bytes_are_judged_like_any(options):
    """No packet is lost on the way, whatever it is (rule no-loss)."""
    generator = random.Random(SEED)
    good = [
        packet.frame
        for folder in PAIRS
        for side in ("primary", "secondary")
        for packet in read_pcap(folder / f"{side}.pcap")[:40]
    ]
    comparator = colo.Comparator(**options, checkpoint="1ms", compare_timeout="50ms")
    verdicts = []
    given = {"primary": 0, "secondary": 0}
    for _ in range(8000):
        if generator.random() < 0.1:
            content = generator.randbytes(generator.randrange(200))
        else:
            content = corrupted(generator, generator.choice(good))
        if "link" in options:
            content = content[14:]
        side = generator.choice(("primary", "secondary", "client"))
        if side in given:
            given[side] += 1
        time = comparator.time_s + generator.choice((0, 0, 1e-6, 1e-3))
        verdicts += getattr(comparator, side)(content, time=time)
    verdicts += comparator.commit()
    for side, count in given.items():
        last = [
            verdict.packet
            for verdict in verdicts
            if verdict.side == side and verdict.event in ("release", "drop")
            and not verdict.part and not verdict.again
        ]
        waiting = [verdict.packet for verdict in comparator.held if verdict.side == side]
        assert len(set(last + waiting)) == len(last + waiting)
        if "guest" not in options:
            assert sorted(last + waiting) == list(range(1, count + 1))
    assert all("\n" not in repr(verdict) for verdict in verdicts)


@pytest.mark.parametrize("content", [b"", b"\0", bytes(13), bytes(14), bytes(1 << 17)])
def test_frames_of_any_size(content):
    for options in ({}, {"link": "ip"}, {"guest": GUEST}):
        comparator = colo.Comparator(**options)
        for give in (comparator.primary, comparator.secondary, comparator.client):
            give(content)
    with pytest.raises(ValueError, match="frame: of 131073 bytes"):
        colo.Comparator().primary(bytes(131073))


def test_takes_any_bytes_and_nothing_else():
    comparator = colo.Comparator()
    comparator.primary(bytearray(frame(1, b"x")))
    assert comparator.secondary(memoryview(frame(1, b"x")))[0].reason == "matched"
    for wrong in (5, "text", None, [1, 2]):
        with pytest.raises(ValueError, match="frame: is bytes, not "):
            comparator.primary(wrong)


def test_time_never_goes_back():
    comparator = colo.Comparator()
    comparator.advance("10ms")
    for give in (comparator.advance, lambda time: comparator.primary(b"", time)):
        with pytest.raises(ValueError, match="time: 9ms is before 0.01 s"):
            give("9ms")
    assert comparator.time_s == 0.01
    for wrong in (-1, math.nan, math.inf, "10", "soon", 1e12, [], timedelta(days=-1)):
        with pytest.raises(ValueError, match="time: "):
            comparator.advance(wrong)
    assert comparator.advance(0.01) == []


def test_a_long_wait_is_short():
    comparator = colo.Comparator()
    for number in range(200):
        flow = Flow(client_port=1000 + number)
        comparator.primary(frame(1, b"x", flow=flow))
        comparator.secondary(frame(1, b"y" * (number % 2), flow=flow))
    comparator.advance(3e9)
    assert comparator.held == []


@pytest.mark.parametrize(
    "options, said",
    [
        ({"guest": "x"}, "guest: 'x' is not an address"),
        ({"ack": "never"}, "ack: 'never' is neither hold nor clamp"),
        ({"compare_timeout": "61min"}, "compare_timeout: .*60min"),
        ({"checkpoint": "5"}, "checkpoint: "),
        ({"gso_size": -1}, "gso_size: "),
        ({"fix_isn": 1}, "fix_isn: is True or False"),
        ({"link": "sll"}, "link: 'sll' is neither"),
    ],
)
def test_refuses_with_the_options_name(options, said):
    with pytest.raises(colo.UsageError, match=f"^{said}"):
        colo.Comparator(**options)


def test_a_verdict_is_one_readable_line():
    comparator = colo.Comparator()
    (held,) = comparator.primary(frame(1, b"abcd"), "1ms")
    assert repr(held) == (
        "<0.001000 s hold primary packet 1: 10.0.0.2:80 > 10.0.0.1:40000, position 1>"
    )
    mismatch, *_ = comparator.secondary(frame(1, b"abXY"), "1500us")
    assert repr(mismatch) == (
        "<0.001500 s mismatch secondary packet 1: bytes, 10.0.0.2:80 > 10.0.0.1:40000, "
        "position 3, primary 6364, secondary 5859>"
    )
    commit, released, *_ = comparator.advance("10ms")
    assert repr(commit) == "<0.006500 s commit: bytes>"
    assert repr(released) == (
        "<0.006500 s release primary packet 1: commit, 10.0.0.2:80 > 10.0.0.1:40000, "
        "position 1, held 5.5 ms, 58 bytes>"
    )
    assert repr(comparator) == "<colo.Comparator at 0.01 s, 0 packets held>"
    assert pickle.loads(pickle.dumps(released)) == released
