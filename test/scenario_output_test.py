# SPDX-License-Identifier: GPL-2.0-only
"""What colo-scenario leaves on request: a timeline, an animation, totals of flows, a file to
repeat the run from; and what it says of a run that does not get on."""

import json
import os
import re
from collections import Counter, defaultdict
from xml.etree import ElementTree

import pytest
from scenario_program import (
    Results,
    read_pcap,
    read_segments,
    read_tcp,
    request_response,
    run,
)

GUEST = bytes([10, 0, 0, 100])
CLIENT = bytes([10, 0, 0, 1])
PAIR = ("primary", "secondary")
UDP_PAYLOAD = 42  # of IPv4 on Ethernet
SHIM = 10  # bytes between addresses and ethertype on sec_dev
PHASES = ["requested", "paused", "committed", "resumed"]
FIELDS = {
    "hold": {"side", "flow", "seq", "bytes", "held_ns"},
    "release": {"side", "flow", "seq", "bytes", "held_ns", "reason"},
    "resend": {"side", "flow", "seq", "bytes", "held_ns", "reason"},
    "drop": {"side", "flow", "seq", "bytes", "held_ns", "reason"},
    "mismatch": {"flow", "position", "reason"},
    "checkpoint": {"phase", "epoch", "reason"},
    "pause": {"guest"},
    "resume": {"guest", "paused_ns"},
    "stale": {"host", "bytes"},
}
STATE_FOREVER = "--ns3::ColoCheckpointer::Overhead=100000s"


def read_timeline(folder):
    return [json.loads(line) for line in (folder / "timeline.jsonl").read_text().splitlines()]


@pytest.fixture(
    scope="module",
    params=[
        ["--divergence=0.05"],
        ["--divergence=0", *request_response(requests=200, response_size=3000)],
        ["--divergence=0.1", "--lag=2ms", "--ns3::ColoPrimaryProxy::AckPolicy=Clamp"]
        + request_response(requests=50, response_size=100000),
        ["--divergence=0", "--ns3::ColoPrimaryProxy::CheckpointIntervalMax=20ms"],
    ],
    ids=["divergent", "equal", "clamped", "periodic"],
)
def traced(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("traced") / "out"
    results = Results(folder, *request.param, "--trace", "--netanim", "--flow-monitor")
    results.timeline = read_timeline(folder)
    return results


def test_timeline_is_in_order_and_complete(traced):
    times = [line["t_ns"] for line in traced.timeline]
    assert times == sorted(times)
    assert all(line["pair"] == 0 for line in traced.timeline)
    for line in traced.timeline:
        fields = set(line) - {"t_ns", "pair", "event", "primary", "secondary"}
        assert fields == FIELDS[line["event"]], line


def test_timeline_agrees_with_summary(traced):
    count = Counter(line["event"] for line in traced.timeline)
    resumed = [line for line in traced.timeline if line.get("phase") == "resumed"]
    assert len(resumed) == traced.summary["checkpoints"]
    assert Counter(line["reason"] for line in resumed) == traced.summary["checkpoint_reasons"]
    assert count["mismatch"] == sum(traced.summary["mismatches"].values())
    for event in ("release", "resend"):
        told = Counter(verdict["event"] for verdict in traced.verdicts)
        assert count[event] == told[event], event


def test_every_hold_ends(traced):
    """Found again by the packet and by when it arrived."""

    def packet(line):
        arrived = line["t_ns"] - line["held_ns"]
        return (line["side"], line["flow"], line["seq"], line["bytes"], arrived)

    ends = defaultdict(list)
    for line in traced.timeline:
        if line["event"] in ("release", "resend", "drop"):
            ends[packet(line)].append(line)
    holds = [line for line in traced.timeline if line["event"] == "hold"]
    assert holds
    for line in holds:
        assert ends[packet(line)], line
        assert ends[packet(line)][0]["t_ns"] >= line["t_ns"]
    held = [line for line in holds if ends[packet(line)][0]["event"] == "release"]
    assert len(held) == traced.summary["held_packets"]


def test_checkpoints_go_through_their_phases(traced):
    phases = [line for line in traced.timeline if line["event"] == "checkpoint"]
    for first in range(0, len(phases), len(PHASES)):
        checkpoint = phases[first : first + len(PHASES)]
        assert [line["phase"] for line in checkpoint] == PHASES
        assert {line["epoch"] for line in checkpoint} == {first // len(PHASES) + 1}
        assert len({line["reason"] for line in checkpoint}) == 1


def test_a_mismatch_leads_to_a_checkpoint(traced):
    """It asks for one in the same instant, or joins the one that is under way."""
    is_under_way = False
    asked = None
    for line in traced.timeline:
        if line["event"] == "mismatch" and not is_under_way:
            assert asked is None, asked
            asked = line
        if line.get("phase") == "requested":
            is_under_way = True
            if asked:
                assert (asked["t_ns"], asked["reason"]) == (line["t_ns"], line["reason"])
                asked = None
        if line.get("phase") == "resumed":
            is_under_way = False
    assert asked is None


def captured(folder, name, behind_addresses=0):
    """Frames of a capture without what the link has put behind their addresses."""
    frames = (frame for _, frame in read_pcap(folder / name))
    return {frame[:12] + frame[12 + behind_addresses :] for frame in frames}


def test_a_mismatch_shows_both_packets(traced):
    """Those that the guests sent, which part at the position; none twice, and only there."""
    lines = [line for line in traced.timeline if line["event"] == "mismatch"]
    assert not [line for line in traced.timeline if "primary" in line and line not in lines]
    sent = captured(traced.folder, "primary-tap0.pcap")
    forwarded = captured(traced.folder, "sec_dev.pcap", SHIM)
    for line in lines:
        assert line["reason"] == "bytes"
        primary, secondary = (bytes.fromhex(line[side]["frame"]) for side in PAIR)
        assert (line["primary"]["bytes"], line["secondary"]["bytes"]) == tuple(
            map(len, (primary, secondary))
        )
        assert primary in sent and secondary in forwarded
        byte = [
            tcp.payload[(line["position"] - tcp.seq) % 2**32]
            for tcp in (read_tcp(primary), read_tcp(secondary))
        ]
        assert byte[0] != byte[1]


def test_datagrams_of_a_mismatch_part_at_its_position(tmp_path):
    """The primary's oldest, and the one that overtook its partner."""
    window = "--ns3::ColoPrimaryProxy::ReorderWindow=1"
    words = ["--workload=key-value-udp", "--requests=100", "--divergence=0.3", window, "--trace"]
    results = Results(tmp_path, *words)
    lines = [line for line in read_timeline(results.folder) if line["event"] == "mismatch"]
    assert len(lines) > 3
    for line in lines:
        payloads = [bytes.fromhex(line[side]["frame"])[UDP_PAYLOAD:] for side in PAIR]
        assert len(os.path.commonprefix(payloads)) == line["position"]


@pytest.mark.parametrize("protection", ["colo", "lockstep"])
def test_a_packet_without_partner_is_shown_alone(tmp_path, protection):
    ports = "--ns3::ColoGuest::EphemeralPort=ns3::UniformRandomVariable[Min=40000|Max=50000]"
    results = Results(
        tmp_path,
        "--workload=lookups",
        "--requests=40",
        "--divergence=0",
        f"--protection={protection}",
        ports,
        "--ns3::ColoProxy::CompareTimeout=50ms",
        "--trace",
    )
    lines = [line for line in read_timeline(results.folder) if line["event"] == "mismatch"]
    late = [line for line in lines if line["reason"] == "timeout-data"]
    extra = [line for line in lines if line["reason"] == "secondary-extra"]
    assert late
    assert all("primary" in line and "secondary" not in line for line in late)
    assert all("secondary" in line and "primary" not in line for line in extra)
    sent = captured(tmp_path, "primary-tap0.pcap")
    assert all(bytes.fromhex(line["primary"]["frame"]) in sent for line in late)


def test_guests_stand_still_as_long_as_told(traced):
    paused = {}
    for line in traced.timeline:
        if line["event"] == "pause":
            paused[line["guest"]] = line["t_ns"]
        if line["event"] == "resume":
            assert line["t_ns"] - paused.pop(line["guest"]) == line["paused_ns"]
    assert not paused


def test_animation_shows_every_frame(traced):
    animation = ElementTree.parse(traced.folder / "netanim.xml").getroot()
    assert (animation.tag, animation.get("filetype")) == ("anim", "animation")
    names = {}
    for update in animation.iter("nu"):
        if update.get("p") == "d":
            names.setdefault(update.get("id"), update.get("descr"))
    nodes = {node.get("id") for node in animation.iter("node")}
    assert set(names) == nodes and len(set(names.values())) == 7
    links = Counter()
    for frame in animation.iter("p"):
        ends = names[frame.get("fId")], names[frame.get("tId")]
        links[frozenset(ends)] += 1
        times = [float(frame.get(name)) for name in ("fbTx", "lbTx", "lbRx")]
        assert times == sorted(times)
    for capture, ends in (
        ("client.pcap", ("client", "switch")),
        ("primary-tap0.pcap", ("primary guest", "primary host")),
        ("secondary-tap0.pcap", ("secondary guest", "secondary host")),
    ):
        assert links[frozenset(ends)] == len(traced.frames(capture)), capture
    hosts = links[frozenset(("primary host", "secondary host"))]
    states = hosts - len(traced.frames("sec_dev.pcap"))  # on the checkpoint link
    assert states > 10 * traced.summary["checkpoints"]
    reds = [u for u in animation.iter("nu") if u.get("p") == "c" and u.get("r") == "200"]
    assert len(reds) == 2 * traced.summary["checkpoints"]


def test_animation_times_are_those_of_the_link(traced):
    """A frame is on the switch when the link says, not when it was handed to the device."""
    animation = ElementTree.parse(traced.folder / "netanim.xml").getroot()
    client = next(u.get("id") for u in animation.iter("nu") if u.get("descr") == "client")
    ends = [float(p.get("lbTx")) for p in animation.iter("p") if p.get("fId") == client]
    begins = [float(p.get("fbTx")) for p in animation.iter("p") if p.get("fId") == client]
    assert ends
    assert all(end <= begin + 1e-9 for end, begin in zip(ends, begins[1:]))


def test_flow_totals_count_what_the_ends_send(traced):
    totals = traced.summary["flow_monitor"]
    sent = 0
    for capture, source in (("primary-tap0.pcap", GUEST), ("client.pcap", CLIENT)):
        segments = read_segments(traced.frames(capture))
        sent += sum(segment.source[0] == source for segment in segments)
    assert totals["tx_packets"] == sent
    assert totals["rx_packets"] + totals["lost_packets"] <= totals["tx_packets"]
    assert totals["rx_bytes"] >= traced.summary["client_bytes"]
    assert totals["delay_ms_mean"] > 0
    assert re.search(r"^Flows +\d+: \d+ packets sent", traced.done.stdout, re.MULTILINE)


def test_outputs_do_not_change_the_run(traced, tmp_path):
    plain = Results(tmp_path / "out", *[a for a in traced.done.args[1:] if is_of_the_run(a)])
    for name in ("latency_ms", "checkpoints", "released_packets", "client_bytes", "duration_s"):
        assert plain.summary[name] == traced.summary[name], name
    assert not {"timeline.jsonl", "netanim.xml"} & set(os.listdir(plain.folder))
    assert "flow_monitor" not in plain.summary


def is_of_the_run(argument):
    return argument.split("=")[0] not in ("--trace", "--netanim", "--flow-monitor", "--out")


def test_results_of_an_earlier_run_go(tmp_path):
    few = request_response(requests=10)
    Results(tmp_path / "out", *few, "--trace", "--netanim")
    Results(tmp_path / "out", *few)
    assert not {"timeline.jsonl", "netanim.xml"} & set(os.listdir(tmp_path / "out"))


def test_captures_are_of_the_links_asked_for(tmp_path):
    few = [*request_response(requests=10), "--divergence=1"]
    results = Results(tmp_path / "out", *few, "--pcap=client,eth2")
    pcaps = {name for name in os.listdir(results.folder) if name.endswith(".pcap")}
    assert pcaps == {"client.pcap", "eth2.pcap"}
    assert len(results.frames("eth2.pcap")) > 10 * results.summary["checkpoints"] > 0
    again = Results(tmp_path / "out", *few, "--pcap=none", "--trace")
    assert not {"client.pcap", "eth2.pcap"} & set(os.listdir(again.folder))


def test_totals_are_those_of_the_pairs(traced):
    (pair,) = traced.summary["pairs"]
    del pair["failover"]  # whose steps are a pair's
    for name, value in pair.items():
        assert traced.summary[name] == value, name


# Files to repeat a run from.


def summary(folder):
    figures = json.loads((folder / "summary.json").read_text())
    del figures["wall_s"]
    return figures


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--flow-monitor", "--seed=7", "--lag=1.5ms", "--ns3::ColoProxy::CompareTimeout=1s"],
        ["--ns3::ColoSecondaryProxy::Lag=3ms", "--protection=colo"]
        + request_response(requests=50, think_time="3ms", connections=4),
        ["--protection=none", *request_response(requests=50, response_size=50000)],
    ],
)
def test_a_saved_run_repeats(tmp_path, options):
    file = tmp_path / "run.conf"
    Results(tmp_path / "first", *options, f"--save-config={file}")
    Results(tmp_path / "again", f"--config={file}", f"--save-config={tmp_path / 'again.conf'}")
    assert summary(tmp_path / "again") == summary(tmp_path / "first")
    assert (tmp_path / "again.conf").read_text() == file.read_text()


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    file = tmp_path_factory.mktemp("saved") / "run.conf"
    options = [*request_response(requests=50), "--ns3::ColoProxy::CompareTimeout=1s"]
    assert run(*options, "--seed=3", f"--save-config={file}").status == 0
    return file


def test_a_saved_file_says_all(saved):
    lines = saved.read_text().splitlines()
    for line in (
        'option seed "3"',
        'option requests "50"',
        'default ns3::ColoProxy::CompareTimeout "+1e+09ns"',
        'default ns3::TcpSocket::SegmentSize "1448"',
        'global ChecksumEnabled "true"',
    ):
        assert line in lines, line
    assert not [line for line in lines if "ConfigStore" in line or "save-config" in line]


def test_the_command_line_wins_over_the_file(saved, tmp_path):
    mine = ["--seed=9", "--lag=1ms", "--ns3::ColoProxy::CompareTimeout=2s"]
    Results(tmp_path / "file", f"--config={saved}", *mine)
    Results(tmp_path / "plain", *request_response(requests=50), *mine)
    assert summary(tmp_path / "file") == summary(tmp_path / "plain")


def test_an_edited_attribute_counts(saved, tmp_path):
    text = saved.read_text()
    name = "ns3::ColoCheckpointer::LoadTime"
    line = re.search(rf'^default {name} "(.*)"$', text, re.MULTILINE)
    edited = text[: line.start(1)] + "50ms" + text[line.end(1) :]
    (tmp_path / "edited.conf").write_text("# slow disks\n\n" + edited)
    options = ["--divergence=0.2"]
    Results(tmp_path / "file", f"--config={tmp_path / 'edited.conf'}", *options)
    Results(tmp_path / "plain", f"--config={saved}", *options, f"--{name}=50ms")
    assert summary(tmp_path / "file") == summary(tmp_path / "plain")
    assert summary(tmp_path / "file")["pause_ms"]["mean"] > 50


@pytest.mark.parametrize(
    "line, words",
    [
        ("nonsense", ["'nonsense'"]),
        ('value /NodeList/0/Name "x"', ["value"]),
        ('default ns3::ColoProxy::CompareTimeout 1s', ["CompareTimeout"]),
        ('default ns3::NoSuchClass::Attribute "1"', ["no class ns3::NoSuchClass"]),
        ('default ns3::ColoProxy::NoSuch "1"', ["ns3::ColoProxy has no such attribute"]),
        ('default ns3::ColoPrimaryProxy::CompareTimeout "1s"', ["set ns3::ColoProxy"]),
        ('default ns3::ColoPrimaryProxy::ReorderWindow "many"', ['"many"']),
        ('default Nonsense "1"', ["Nonsense"]),
        ('default ns3::ColoPrimaryProxy::AckPolicy "Hold"\n' * 2, ["twice"]),
        ('default ns3::ColoLinkChannel::Loss "0.5"', ["links are set by --lan"]),
        ('global ChecksumEnabled "false"', ["ChecksumEnabled"]),
        ('global NoSuchGlobal "false"', ["NoSuchGlobal"]),
        ('option no-such "1"', ["no-such"]),
        ('option config "other"', ["config"]),
        ('option lag "fast"', ["--lag", "'fast'"]),
        ('option seed "one"', ["--seed", "one"]),
        ('option flow-monitor "yes"', ["flow-monitor"]),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, words):
    file = tmp_path / "bad.conf"
    file.write_text('# a comment\noption requests "10"\n' + line + "\n")
    out = tmp_path / "out"
    done = run(f"--config={file}", "--workload=request-response", f"--out={out}")
    number = 3 + line.count("\n") - ("\n" in line)
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    for word in [f"{file}:{number}", *words]:
        assert word in done.stderr, done.stderr
    assert not out.exists()


def test_an_endless_file_is_refused():
    done = run("--config=/dev/zero", timeout_s=10)
    assert (done.status, done.stdout) == (2, "")
    assert re.fullmatch(r"colo-scenario: option --config: /dev/zero: is no file .*\n", done.stderr)


@pytest.mark.parametrize("make", [None, "mkdir"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, make):
    file = tmp_path / "run.conf"
    if make:
        file.mkdir()
    done = run(f"--config={file}")
    assert (done.status, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert f"option --config: {file}: " in done.stderr


def test_a_contradiction_in_the_file_is_named(tmp_path):
    file = tmp_path / "run.conf"
    file.write_text('option protection "none"\noption sec-dev "loss=0.1"\n')
    done = run(f"--config={file}")
    assert done.status == 2
    assert done.stderr.startswith(f"colo-scenario: {file}:2: option --sec-dev: ")
    assert run(f"--config={file}", "--protection=colo", "--time=1ms").status == 1


def test_a_bad_option_of_the_command_line_is_not_blamed_on_the_file(saved):
    done = run(f"--config={saved}", "--seed=-1")
    assert done.status == 2
    assert done.stderr.startswith("colo-scenario: option --seed")


@pytest.mark.parametrize("place", ["no/such/folder/run.conf", "/dev/full", "."])
def test_a_place_that_cannot_be_written_is_named(tmp_path, place):
    done = run(f"--save-config={place}", *request_response(requests=1), cwd=tmp_path)
    assert (done.status, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "option --save-config: " + place in done.stderr
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("option", ["--trace", "--netanim"])
def test_results_need_a_place(option):
    done = run(option)
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr == f"colo-scenario: option {option}: needs --out=FOLDER\n"


def test_a_full_disk_is_named(tmp_path):
    """As far as a limit of a file's size can play one."""
    limit = ["bash", "-c", 'trap "" XFSZ; ulimit -f 64; exec "$@"', "bash"]
    done = run("--trace", f"--out={tmp_path / 'out'}", prefix=limit)
    assert (done.status, done.stdout) == (2, "")
    assert "option --out: " in done.stderr and done.stderr.count("\n") == 1
    assert os.listdir(tmp_path) == []


# Runs that do not get on.


def test_a_run_that_stands_still_ends_with_what_is_stuck(tmp_path):
    options = request_response(requests=20)
    results = Results(tmp_path / "out", *options, "--divergence=1", STATE_FOREVER, status=1)
    assert results.done.stderr.count("\n") == 1
    for words in (
        r"^colo-scenario: stuck at 30\d\.\d+ s: no byte came or went for 300 s; ",
        r"client 0 port 20000 is in turn 2 of \d+, which brought \d+ of 10000 bytes",
        r", and \d more; pair 0 holds packets: \d+ of 10\.0\.0\.100:80 > 10\.0\.0\.1:20000 since 0",
        r" is in a checkpoint \(bytes\) to epoch 1: primary transfer, secondary paused$",
    ):
        assert re.search(words, results.done.stderr), (words, results.done.stderr)
    assert "NOT over, stuck" in results.done.stdout
    assert results.summary["sim_s"] < 310
    assert results.summary["unfinished"] in results.done.stderr


def test_time_that_is_over_says_what_was_not():
    done = run("--time=20ms")
    assert done.status == 1
    assert done.stderr.count("\n") == 1
    words = r"colo-scenario: not over at 0\.020 s: the time is over \(--time\); client 0 port \d"
    assert re.match(words, done.stderr)
    assert "NOT over within --time" in done.stdout


def test_a_long_think_time_is_not_stuck():
    options = request_response(requests=3, connections=1, think_time="400s")
    done = run(*options, "--time=20min", "--protection=none")
    assert (done.status, done.stderr) == (0, "")


def test_tcp_gives_up_before_the_run_does():
    """Nobody answers: a reset of TCP's own, after its time."""
    done = run("--ns3::ColoPrimaryProxy::KcoloWakeup=1000s", *request_response(requests=2))
    assert done.status == 1
    assert "stuck" not in done.stderr + done.stdout
    assert re.search(r"[1-9] resets", done.stdout)
