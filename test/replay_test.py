# SPDX-License-Identifier: GPL-2.0-only
"""What colo-replay makes of two captures: verdicts, what is released, and the table."""

import pytest
from replay_program import (
    ACK,
    ARP,
    CLIENT,
    CLIENT6,
    CLIENT_MAC,
    FIN,
    GUEST,
    GUEST6,
    GUEST_MAC,
    MS,
    ORIGIN_NS,
    OTHER,
    RST,
    SYN,
    Flow,
    Packet,
    Replay,
    complement,
    ethernet,
    ip,
)

FLOW = Flow()
TEXT = bytes(range(256)) * 4
P_ISN, S_ISN, C_ISN = 1000, 2**32 - 500, 5000


def frames(packets):
    return [packet.frame for packet in packets]


def handshake(ms, isn, flow=FLOW, **more):
    """As a guest that is opened to answers, and what it is sent; SYN-ACK, then bytes from isn + 1."""
    return [
        flow.tcp(ms, C_ISN, flags=SYN, ack=0, of_client=True),
        flow.tcp(ms + 0.1, isn, flags=SYN | ACK, ack=C_ISN + 1, **more),
        flow.tcp(ms + 0.2, C_ISN + 1, ack=isn + 1, of_client=True),
    ]


def held_ms(replay):
    (line,) = [line for line in replay.table.splitlines() if line.startswith("  packet held")]
    return [float(word) for word in line.split()[2:]]


def assert_accounts_for(replay, numbers, side="primary"):
    """Rule no-loss: each packet of the guest has one last verdict."""
    last = [
        verdict["packet"]
        for verdict in replay.verdicts
        if verdict["event"] in ("release", "drop", "held-at-end")
        and verdict["side"] == side
        and "again" not in verdict
        and "part" not in verdict
    ]
    assert sorted(last) == list(numbers)


def test_same_bytes_cut_differently(tmp_path):
    primary = [FLOW.tcp(0, 1, TEXT[:600]), FLOW.tcp(1, 601, TEXT[600:])]
    secondary = [
        FLOW.tcp(2, 1, TEXT[:500]),
        FLOW.tcp(3, 501, TEXT[500:700]),
        FLOW.tcp(4.5, 701, TEXT[700:]),
    ]
    replay = Replay(tmp_path, primary, secondary)
    assert replay.brief("release") == [(3, 1, "matched"), (4.5, 2, "matched")]
    assert frames(replay.released) == frames(primary)
    assert [packet.ns - ORIGIN_NS for packet in replay.released] == [3 * MS, 4.5 * MS]
    assert replay.of("release")[1] == {
        "t_ns": 4500000,
        "event": "release",
        "side": "primary",
        "packet": 2,
        "flow": "10.0.0.2:80 > 10.0.0.1:40000",
        "reason": "matched",
        "position": 601,
    }
    assert_accounts_for(replay, range(1, 3))
    assert_accounts_for(replay, range(1, 4), "secondary")
    assert "Primary      P.pcap: 2 packets\n" in replay.table
    assert "Secondary    S.pcap: 3 packets\n" in replay.table
    assert "Replayed     0.004 s, which took " in replay.table
    assert "Mismatches   0\nCheckpoints  0\n" in replay.table
    assert " 2         0  the secondary sent the same bytes\n" in replay.table
    mean, p50, p99, longest = held_ms(replay)
    assert (mean, longest) == (3.25, 3.5)
    assert (p50, p99) == (pytest.approx(3, rel=0.001), pytest.approx(3.5, rel=0.001))
    assert FLOW.name() in replay.table
    assert "Note" not in replay.table


def test_time_begins_with_the_first_packet_of_both(tmp_path):
    replay = Replay(tmp_path, [FLOW.tcp(7, 1, b"a")], [FLOW.tcp(5, 1, b"a")])
    assert replay.brief("release") == [(2, 1, "matched")]
    assert replay.released[0].ns == ORIGIN_NS + 7 * MS


def diverging():
    primary = [
        FLOW.tcp(0, 1, b"same"),
        FLOW.tcp(1, 5, b"abcdefghijkl"),
        FLOW.tcp(2, 17, b"later"),
    ]
    secondary = [FLOW.tcp(0.5, 1, b"same"), FLOW.tcp(3, 5, b"abcXefghijYl")]
    return primary, secondary


def test_mismatch_is_committed_later(tmp_path):
    primary, secondary = diverging()
    primary.append(FLOW.tcp(20, 22, b"!"))
    secondary.append(FLOW.tcp(21, 22, b"!"))
    replay = Replay(tmp_path, primary, secondary)
    assert replay.of("mismatch") == [
        {
            "t_ns": 3 * MS,
            "event": "mismatch",
            "side": "secondary",
            "packet": 2,
            "flow": FLOW.name(),
            "reason": "bytes",
            "position": 8,
            "primary": b"defghijk".hex(),
            "secondary": b"XefghijY".hex(),
        }
    ]
    assert replay.of("commit") == [
        {
            "t_ns": 8 * MS,
            "event": "commit",
            "side": None,
            "packet": None,
            "flow": None,
            "reason": "bytes",
            "position": None,
        }
    ]
    assert replay.brief("release") == [
        (0.5, 1, "matched"),
        (8, 2, "commit"),
        (8, 3, "commit"),
        (21, 4, "matched"),
    ]
    assert frames(replay.released) == frames(primary)
    assert_accounts_for(replay, range(1, 5))
    assert "Mismatches   1: the guests sent different bytes (1)\n" in replay.table
    assert "Checkpoints  1: the guests sent different bytes (1); each 5 ms after" in replay.table
    assert "Note: the captured secondary never got these checkpoints" in replay.table


@pytest.mark.parametrize("time, commit_ms", [("0s", 3), ("250us", 3.25), ("1.5s", 1503)])
def test_commit_time(tmp_path, time, commit_ms):
    replay = Replay(tmp_path, *diverging(), f"--checkpoint=commit:{time}")
    assert replay.brief("commit", None)[0][0] == commit_ms
    assert replay.brief("release")[-1] == (commit_ms, 3, "commit")


def test_checkpoint_never(tmp_path):
    primary, secondary = diverging()
    other = Flow(client_port=40001)
    primary += [other.tcp(9, 1, b"one")]
    secondary += [other.tcp(10, 1, b"two")]
    replay = Replay(tmp_path, primary, secondary, "--checkpoint=never")
    assert replay.brief("release") == [(0.5, 1, "matched")]
    assert [v["flow"] for v in replay.of("mismatch")] == [FLOW.name(), other.name()]
    assert replay.of("commit") == []
    assert replay.brief("held-at-end") == [(10, 2, "none"), (10, 3, "none"), (10, 4, "none")]
    assert_accounts_for(replay, range(1, 5))
    assert "Mismatches   2: the guests sent different bytes (2); 1 shared a checkpoint" in replay.table
    assert "Checkpoints  never committed (--checkpoint)\n" in replay.table
    assert "  held at end          3 " in replay.table


def test_timeout_comes_at_its_own_time(tmp_path):
    tick = Flow(client_port=40001)
    primary = [FLOW.tcp(0, 1, b"a"), tick.tcp(2000, 1, b"x")]
    secondary = [tick.tcp(2000, 1, b"x")]
    replay = Replay(tmp_path, primary, secondary, "--compare-timeout=1200ms")
    mismatch = replay.of("mismatch")[0]
    assert (mismatch["t_ns"], mismatch["reason"]) == (1200 * MS, "timeout-data")
    assert (mismatch["side"], mismatch["packet"]) == (None, None)
    assert replay.brief("commit", None) == [(1205, None, "timeout-data")]
    assert replay.brief("release")[0] == (1205, 1, "commit")
    assert replay.brief("release")[1] == (2000, 2, "matched")
    # Three seconds are not over when the captures are.
    replay = Replay(tmp_path, primary, secondary)
    assert replay.of("mismatch") == []
    assert replay.brief("held-at-end") == [(2000, 1, "none")]


@pytest.mark.parametrize("shift, wait_ms", [("40ms", 41), ("-900us", 0.1), ("-2s", 0)])
def test_shift_of_the_secondary(tmp_path, shift, wait_ms):
    primary, secondary = [FLOW.tcp(0, 1, b"a")], [FLOW.tcp(1, 1, b"a")]
    replay = Replay(tmp_path, primary, secondary, f"--shift-secondary={shift}")
    assert replay.released[0].ns - ORIGIN_NS == wait_ms * MS
    assert "no time in common" not in replay.table


def test_captures_without_common_time(tmp_path):
    replay = Replay(tmp_path, [FLOW.tcp(0, 1, b"a")], [FLOW.tcp(90_000, 1, b"a")])
    assert "no time in common: the secondary's begins 90.000 s after" in replay.table
    assert replay.brief("commit", None) == [(3005, None, "timeout-data")]
    replay = Replay(tmp_path, *[[FLOW.tcp(0, 1, b"a")]] * 2, "--shift-secondary=-1min")
    assert "no time in common: the secondary's begins -60.000 s after" in replay.table


def test_captures_that_begin_or_end_apart(tmp_path):
    tick = [FLOW.tcp(1000 * i, 1 + i, b"x") for i in range(10)]
    table = Replay(tmp_path, tick, tick[4:]).table
    assert "Note: the secondary's capture begins 4.000 s after the other\n" in table
    table = Replay(tmp_path, tick[:5], tick).table
    assert "Note: the primary's capture ends 5.000 s before the other\n" in table


def test_stamps_that_go_back(tmp_path):
    primary = [FLOW.tcp(5, 1, b"a"), FLOW.tcp(3, 2, b"b"), FLOW.tcp(4, 3, b"c")]
    secondary = [FLOW.tcp(4, 1, b"abc")]
    replay = Replay(tmp_path, primary, secondary)
    assert replay.brief("release") == [(1, 1, "matched"), (1, 2, "matched"), (1, 3, "matched")]
    assert frames(replay.released) == frames(primary)
    assert "Note: 2 stamps of the primary's capture and 0 of the secondary's" in replay.table


def both_sides(p_isn, s_isn, p_ts=None, s_ts=None):
    """A connection of two guests that number differently: the client's half is the same."""

    def one(ms, isn, ts):
        stamp = {"tsval": ts} if ts is not None else {}
        return handshake(ms, isn, **stamp) + [
            FLOW.tcp(ms + 1, isn + 1, TEXT, ack=C_ISN + 1, **stamp),
            FLOW.tcp(ms + 2, C_ISN + 1, b"more", ack=isn + 1 + len(TEXT), of_client=True),
            FLOW.tcp(ms + 3, isn + 1 + len(TEXT), b"end", ack=C_ISN + 5, flags=ACK | FIN, **stamp),
        ]

    return one(0, p_isn, p_ts), one(0.5, s_isn, s_ts)


@pytest.mark.parametrize("stamps", [{}, {"p_ts": 100, "s_ts": 2**32 - 7}])
@pytest.mark.parametrize("keep_inbound", ["both", "primary's", "none"])
def test_fix_isn_of_a_passive_open(tmp_path, stamps, keep_inbound):
    primary, secondary = both_sides(P_ISN, S_ISN, **stamps)
    from_guest = [1, 3, 5]
    options = ["--fix-isn", f"--guest={GUEST}"]
    if keep_inbound == "none":
        primary = [primary[i] for i in from_guest]
        options.pop()
    if keep_inbound != "both":
        secondary = [secondary[i] for i in from_guest]
    replay = Replay(tmp_path, primary, secondary, *options)
    assert replay.of("mismatch") == []
    out = primary if keep_inbound == "none" else [primary[i] for i in from_guest]
    assert frames(replay.released) == frames(out)
    waits = [v["t_ns"] + ORIGIN_NS - packet.ns for v, packet in zip(replay.of("release"), out)]
    start = 0.1 * MS if keep_inbound == "none" else 0
    assert {wait + start for wait in waits} == {0.5 * MS}
    # The secondary's positions are told in the primary's numbering.
    positions = [v["position"] for v in replay.of("drop", "secondary")]
    assert positions == [P_ISN, P_ISN + 1, P_ISN + 1 + len(TEXT)]
    assert "without the SYN" not in replay.table


def test_without_fix_isn_numbers_differ(tmp_path):
    primary, secondary = both_sides(P_ISN, S_ISN)
    replay = Replay(tmp_path, primary, secondary, f"--guest={GUEST}")
    assert [v["packet"] for v in replay.of("release", "primary")] == [2]  # a SYN-ACK may differ


def test_fix_isn_of_an_active_open(tmp_path):
    def one(ms, isn):
        return [
            FLOW.tcp(ms, isn, flags=SYN, ack=0),
            FLOW.tcp(ms + 1, C_ISN, flags=SYN | ACK, ack=isn + 1, of_client=True),
            FLOW.tcp(ms + 1.1, isn + 1, b"hello", ack=C_ISN + 1),
        ]

    # The secondary ahead of the primary: its SYN waits for the hint.
    primary, secondary = one(2, P_ISN), one(0, S_ISN)
    replay = Replay(tmp_path, primary, secondary, "--fix-isn", f"--guest={GUEST}")
    assert replay.brief("release") == [(2, 1, "matched"), (3.1, 3, "matched")]
    assert replay.of("mismatch") == []


def test_fix_isn_outlasts_a_long_silence(tmp_path):
    """Without the client's packets a connection never looks opened; it is kept all the same."""
    primary, secondary = ([both[i] for i in (1, 3)] for both in both_sides(P_ISN, S_ISN))
    tick = Flow(client_port=40001)
    for capture in (primary, secondary):
        capture += [tick.tcp(1000 * i, 1 + i, b"x") for i in range(1, 150, 10)]
    primary.append(FLOW.tcp(150_000, P_ISN + 1 + len(TEXT), b"late", ack=C_ISN + 1))
    secondary.append(FLOW.tcp(150_001, S_ISN + 1 + len(TEXT), b"late", ack=C_ISN + 1))
    replay = Replay(tmp_path, primary, secondary, "--fix-isn")
    assert replay.brief("release")[-1][1:] == (len(primary), "matched")
    assert len(replay.released) == len(primary)


def test_fix_isn_goes_on_after_a_checkpoint(tmp_path):
    primary, secondary = both_sides(P_ISN, S_ISN)
    bad = secondary[3]
    secondary[3] = Packet(bad.ns, bad.frame[:-1] + b"?")
    replay = Replay(
        tmp_path,
        primary[:4] + [FLOW.tcp(50, P_ISN + 1 + len(TEXT), b"on", ack=C_ISN + 1)],
        secondary[:4] + [FLOW.tcp(51, S_ISN + 1 + len(TEXT), b"on", ack=C_ISN + 1)],
        "--fix-isn",
        f"--guest={GUEST}",
    )
    assert [v["reason"] for v in replay.of("release", "primary")] == ["matched", "commit", "matched"]
    assert len(replay.of("commit")) == 1


def test_fix_isn_of_a_flow_in_mid_stream(tmp_path):
    primary = [FLOW.tcp(0, 100, b"a")]
    secondary = [FLOW.tcp(1, 900, b"a")]
    replay = Replay(tmp_path, primary, secondary, "--fix-isn")
    assert "Note: 1 TCP flow without the SYN of both guests: --fix-isn could not" in replay.table
    assert "without the SYN" not in Replay(tmp_path, primary, secondary).table


def test_fix_isn_waits_in_vain_for_the_primary(tmp_path):
    _, secondary = both_sides(P_ISN, S_ISN)
    tick = Flow(client_port=40001)
    primary = [tick.tcp(0, 1, b"x"), tick.tcp(9000, 2, b"y")]
    replay = Replay(tmp_path, primary, secondary, "--fix-isn", f"--guest={GUEST}")
    assert {v["reason"] for v in replay.of("drop", "secondary")} == {"expired"}
    assert {v["position"] for v in replay.of("drop", "secondary")} == {None}
    assert "waited too long for its " in replay.table


def test_what_the_client_sends_counts(tmp_path):
    primary = handshake(0, P_ISN)[:3] + [
        FLOW.tcp(1, P_ISN + 1, b"never read", ack=C_ISN + 1),
        FLOW.tcp(2, C_ISN + 1, ack=P_ISN + 1, flags=RST, of_client=True),
    ]
    secondary = handshake(0, P_ISN)
    replay = Replay(tmp_path, primary, secondary, f"--guest={GUEST}")
    assert replay.brief("drop") == [(2, 4, "client-ended")]
    # The same reset in the secondary's file alone is none of the comparison's business.
    replay = Replay(tmp_path, primary[:4], secondary + primary[4:], f"--guest={GUEST}")
    assert replay.brief("held-at-end") == [(2, 4, "none")]
    assert "4 packets; 2 from the guest, 2 to it, 0 of others skipped\n" in replay.table
    assert "4 packets; 1 from the guest, 3 to it (not needed), 0 of others" in replay.table


def arp(ms, sender, mac, target):
    addresses = mac + ip_bytes(sender) + bytes(6) + ip_bytes(target)
    frame = b"\xff" * 6 + mac + ARP.to_bytes(2, "big") + bytes.fromhex("0001080006040001") + addresses
    return Packet(ORIGIN_NS + round(ms * MS), frame + bytes(18))


def ip_bytes(address):
    return bytes(int(part) for part in address.split("."))


def test_others_are_skipped_and_counted(tmp_path):
    other_mac = bytes.fromhex("020000000009")
    solicit = ethernet(ip("fe80::2", "ff02::1", 58, bytes([133]) + bytes(7)))
    stranger = ethernet(ip("fe80::9", "ff02::1", 58, bytes([133]) + bytes(7)), of=other_mac)
    primary = [
        arp(0, OTHER, other_mac, CLIENT),
        arp(0, GUEST, GUEST_MAC, CLIENT),
        Flow(guest=OTHER).tcp(0, 1, b"x"),
        Packet(ORIGIN_NS, solicit),  # link-local, but from where the guest's ARP was
        Packet(ORIGIN_NS, stranger),
        arp(0, CLIENT, CLIENT_MAC, GUEST),
    ]
    replay = Replay(tmp_path, primary, [arp(1, GUEST, GUEST_MAC, CLIENT)], f"--guest={GUEST}")
    assert "6 packets; 2 from the guest, 1 to it, 3 of others skipped\n" in replay.table
    assert [v["packet"] for v in replay.of("release", "primary")] == [2, 4]
    assert replay.of("release")[0]["flow"] is None
    assert replay.of("release")[0]["position"] is None


def test_guest_of_two_families(tmp_path):
    six = Flow(GUEST6, CLIENT6)
    primary = [
        FLOW.tcp(0, 1, b"a"),
        six.tcp(0, 1, b"b"),
        six.tcp(0, 1, of_client=True),
        FLOW.tcp(0, 1, of_client=True),
    ]
    secondary = [six.tcp(1, 1, b"b"), FLOW.tcp(2, 1, b"a")]
    replay = Replay(tmp_path, primary, secondary, f"--guest={GUEST6},{GUEST}")
    assert replay.brief("release") == [(1, 2, "matched"), (2, 1, "matched")]
    assert six.name() in replay.table


def test_flows_are_listed_up_to_twenty(tmp_path):
    primary, secondary = [], []
    for port in range(25):
        flow = Flow(client_port=1000 + port)
        primary += [flow.tcp(0, 1 + i, b"x") for i in range(30 - port)]
        secondary += [flow.tcp(1, 1, b"x" * (30 - port))]
    table = Replay(tmp_path, primary, secondary).table
    assert [f":{1000 + port} " in table for port in range(25)] == [True] * 20 + [False] * 5
    assert table.endswith("  and 5 more\n")


def test_flows_beyond_the_limit_only_count_in_the_sums(tmp_path):
    frame = bytearray(FLOW.tcp(0, 1, b"x").frame)
    packets = []
    for client in range(100_007):
        frame[30:34] = client.to_bytes(4, "big")
        packets.append(Packet(ORIGIN_NS, bytes(frame)))
    table = Replay(tmp_path, packets, packets).table
    assert "  and 99980 more\n" in table
    assert "Note: 14 packets are of flows beyond the first 100000, which" in table
    assert "  released        100007 " in table


@pytest.mark.parametrize("policy", ["hold", "clamp"])
def test_ack_policy(tmp_path, policy):
    primary = handshake(0, P_ISN) + [
        FLOW.tcp(1, P_ISN + 1, ack=C_ISN + 1001),
        FLOW.tcp(2, P_ISN + 1, ack=C_ISN + 2001),
    ]
    secondary = handshake(0, P_ISN) + [
        FLOW.tcp(1, P_ISN + 1, ack=C_ISN + 501),
        FLOW.tcp(10, P_ISN + 1, ack=C_ISN + 2001),
    ]
    replay = Replay(tmp_path, primary, secondary, f"--ack={policy}", f"--guest={GUEST}")
    acks = [int.from_bytes(packet.frame[42:46], "big") - C_ISN for packet in replay.released]
    times_ms = [(packet.ns - ORIGIN_NS) / MS for packet in replay.released]
    if policy == "hold":
        assert acks == [1, 1001, 2001]
        assert times_ms[1:] == [10, 10]
    else:
        assert (acks[1], times_ms[1]) == (501, 1)
        assert (acks[-1], times_ms[-1]) == (2001, 10)
    assert_accounts_for(replay, [2, 4, 5])


def test_ack_that_leaves_again(tmp_path):
    """A clamped window is sent again when the secondary can take more, and that is no new packet."""
    primary = handshake(0, P_ISN) + [FLOW.tcp(1, P_ISN + 1, ack=C_ISN + 1001, window=900)]
    secondary = handshake(0, P_ISN) + [
        FLOW.tcp(1, P_ISN + 1, ack=C_ISN + 1001, window=100),
        FLOW.tcp(5, P_ISN + 1, ack=C_ISN + 1001, window=500),
        FLOW.tcp(9, P_ISN + 1, ack=C_ISN + 1001, window=900),
    ]
    replay = Replay(tmp_path, primary, secondary, f"--guest={GUEST}")
    windows = [int.from_bytes(packet.frame[48:50], "big") for packet in replay.released]
    assert windows == [1000, 100, 500, 900]
    assert [(v["t_ns"] / MS, "again" in v) for v in replay.of("release")[1:]] == [
        (1, False),
        (5, True),
        (9, True),
    ]
    assert_accounts_for(replay, [2, 4])
    assert f"{FLOW.name()}         2         4         2 " in replay.table


def test_gso(tmp_path):
    """A large packet leaves segment by segment (rule tcp-gso), and is one packet all the same."""
    primary = [FLOW.tcp(0, 1, TEXT)]
    secondary = [FLOW.tcp(1, 1, TEXT[:450]), FLOW.tcp(2, 451, TEXT[450:])]
    whole = Replay(tmp_path, primary, secondary)
    assert whole.brief("release") == [(2, 1, "matched")]
    parts = Replay(tmp_path, primary, secondary, "--gso-size=200")
    assert [(v["t_ns"] / MS, "part" in v) for v in parts.of("release")] == [
        (1, True),
        (1, True),
        (2, False),
    ]
    sizes = [len(packet.frame) - 54 for packet in parts.released]
    assert sizes == [200, 200, len(TEXT) - 400]
    assert b"".join(packet.frame[54:] for packet in parts.released) == TEXT
    assert_accounts_for(parts, [1])


def test_datagrams(tmp_path):
    flow = Flow(port=53)
    primary = [flow.udp(0, b"one"), flow.udp(1, b"two"), flow.udp(2, b"three")]
    secondary = [flow.udp(0.5, b"two"), flow.udp(3, b"one")]
    tick = Flow(client_port=40001)
    primary.append(tick.tcp(4000, 1, b"x"))
    replay = Replay(tmp_path, primary, secondary)
    assert replay.brief("release") == [
        (3, 1, "matched"),
        (3, 2, "matched"),
        (3007, 3, "commit"),
    ]
    (mismatch,) = replay.of("mismatch")
    assert mismatch["t_ns"] == 3002 * MS and mismatch["flow"].startswith(flow.name())
    assert (mismatch["reason"], mismatch["position"]) == ("timeout-data", None)


def fragments(ms, flow, payload, sizes):
    whole = flow.udp(ms, payload)
    data, at = whole.frame[34:], 0
    for size in sizes:
        part = data[at : at + size]
        more = 0x2000 if at + size < len(data) else 0
        header = bytearray(whole.frame[14:34])
        header[2:4] = (20 + len(part)).to_bytes(2, "big")
        header[4:6] = b"\x12\x34"
        header[6:8] = (more | at >> 3).to_bytes(2, "big")
        header[10:12] = bytes(2)
        header[10:12] = complement(bytes(header)).to_bytes(2, "big")
        yield Packet(whole.ns, whole.frame[:14] + bytes(header) + part)
        at += size


def test_fragments(tmp_path):
    flow = Flow(port=53)
    primary = list(fragments(0, flow, TEXT, [512, 520]))
    secondary = list(fragments(1, flow, TEXT, [256, 256, 520]))
    replay = Replay(tmp_path, primary, secondary)
    assert frames(replay.released) == frames(primary)
    assert replay.brief("release") == [(1, 1, "matched"), (1, 2, "matched")]
    # One that is never whole is held like anything, and not forgotten.
    replay = Replay(tmp_path, primary[:1], secondary)
    assert replay.brief("held-at-end") == [(1, 1, "none")]
    assert_accounts_for(replay, [1, 2, 3], "secondary")


def test_same_captures_same_results(tmp_path):
    results = []
    for _ in range(2):
        replay = Replay(tmp_path, *diverging())
        results.append((replay.verdicts, replay.released, replay.table.split("which took")[0]))
    assert results[0] == results[1]
