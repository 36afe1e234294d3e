# SPDX-License-Identifier: GPL-2.0-only
"""Which captures colo-replay reads, and what it says to files and options that are of no use."""

import fcntl
import gzip
import os
import pty
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest
from replay_program import (
    GUEST,
    LINK_ETHERNET,
    LINK_IPV4,
    LINK_IPV6,
    LINK_RAW,
    LINK_SLL,
    LINK_SLL2,
    MS,
    ORIGIN_NS,
    PROGRAM,
    Flow,
    Replay,
    assert_refused,
    pcap,
    pcapng,
    run,
)

FLOW = Flow()
SIX = Flow("fd00::2", "fd00::1")
PRIMARY = [FLOW.tcp(0, 1, b"abc"), FLOW.tcp(1, 4, b"def"), FLOW.tcp(2, 7, b"ghi")]
SECONDARY = [FLOW.tcp(1.5, 1, b"abcdef"), FLOW.tcp(3, 7, b"ghi")]
PIPE_BYTES = 1 << 20
RELEASES = [(1.5, 1, "matched"), (1.5, 2, "matched"), (3, 3, "matched")]


def files(folder, primary=PRIMARY, secondary=SECONDARY):
    for name, packets in (("P.pcap", primary), ("S.pcap", secondary)):
        content = packets if isinstance(packets, bytes) else pcap(packets)
        (folder / name).write_bytes(content)
    return ["--primary=P.pcap", "--secondary=S.pcap"]


FORMATS = {
    "microseconds": lambda packets: pcap(packets, nanoseconds=False),
    "big-endian": lambda packets: pcap(packets, endian=">"),
    "pcapng": pcapng,
    "raw": lambda packets: pcap(packets, LINK_RAW),
    "ipv4": lambda packets: pcap(packets, LINK_IPV4),
    "cooked": lambda packets: pcap(packets, LINK_SLL),
    "cooked-2": lambda packets: pcap(packets, LINK_SLL2),
    "pcapng-raw": lambda packets: pcapng(packets, LINK_RAW),
    "gzip": lambda packets: gzip.compress(pcap(packets)),
    "pcapng-gzip": lambda packets: gzip.compress(pcapng(packets)),
}


@pytest.mark.parametrize("form", FORMATS)
def test_formats(tmp_path, form):
    write = FORMATS[form]
    replay = Replay(tmp_path, write(PRIMARY), pcap(SECONDARY))
    assert replay.brief("release") == RELEASES
    assert [packet.frame[14:] for packet in replay.released] == [p.frame[14:] for p in PRIMARY]
    assert {packet.frame[12:14] for packet in replay.released} == {b"\x08\x00"}
    assert Replay(tmp_path, pcap(PRIMARY), write(SECONDARY)).brief("release") == RELEASES
    assert Replay(tmp_path, write(PRIMARY), write(SECONDARY)).brief("release") == RELEASES


@pytest.mark.parametrize("link", [LINK_RAW, LINK_IPV6, LINK_SLL, LINK_SLL2])
def test_ipv6_without_ethernet(tmp_path, link):
    primary, secondary = [SIX.tcp(0, 1, b"abc")], [SIX.tcp(1, 1, b"abc")]
    replay = Replay(tmp_path, pcap(primary, link), pcap(secondary, link))
    assert replay.brief("release") == [(1, 1, "matched")]
    assert replay.of("release")[0]["flow"] == "[fd00::2]:80 > [fd00::1]:40000"
    assert replay.released[0].frame[12:] == primary[0].frame[12:]


def test_no_packet_at_all(tmp_path):
    replay = Replay(tmp_path, [], [])
    assert replay.verdicts == [] and replay.released == []
    assert "packet held                    -         -         -         -" in replay.table
    replay = Replay(tmp_path, PRIMARY, [], f"--guest={GUEST}")
    assert len(replay.of("held-at-end")) == 3


def test_pipes(tmp_path):
    contents = {"P": pcap(PRIMARY), "S": gzip.compress(pcap(SECONDARY))}
    writers = []
    for name, content in contents.items():
        (tmp_path / f"{name}.bin").write_bytes(content)
        os.mkfifo(tmp_path / name)
        writers.append(subprocess.Popen(f"cat {name}.bin >{name}", shell=True, cwd=tmp_path))
    done = run("--primary=P", "--secondary=S", cwd=tmp_path, timeout_s=20)
    assert [writer.wait() for writer in writers] == [0, 0]
    assert done.status == 0 and " 3         0  the secondary sent the same bytes" in done.stdout


def test_both_directions_without_guest(tmp_path):
    both = PRIMARY + [FLOW.tcp(4, 1, b"x", of_client=True)]
    options = files(tmp_path, both)
    (tmp_path / "v").write_text("kept")
    done = run(*options, "--verdicts=v", cwd=tmp_path)
    assert_refused(done, "P.pcap: packet 4 is from 10.0.0.1 to 10.0.0.2", "--guest=")
    assert (tmp_path / "v").read_text() == "kept"
    assert sorted(os.listdir(tmp_path)) == ["P.pcap", "S.pcap", "v"]
    assert_refused(run(*files(tmp_path, PRIMARY, both), cwd=tmp_path), "S.pcap: packet 4")
    assert run(*files(tmp_path, both), f"--guest={GUEST}", cwd=tmp_path).status == 0


def test_guest_that_sent_nothing(tmp_path):
    done = run(*files(tmp_path), "--guest=10.0.0.77", cwd=tmp_path)
    assert_refused(done, "--guest", "P.pcap", "none of its 3 packets")


@pytest.mark.parametrize("name", ["P.pcap", "S.pcap"])
@pytest.mark.parametrize("cut, number", [(1, 3), (57, 3), (60, 3), (73, None), (100, 2)])
def test_cut_short(tmp_path, name, cut, number):
    """What came before, in either capture, is judged."""
    secondary = [FLOW.tcp(0.2, 1, b"abc"), FLOW.tcp(1.2, 4, b"def"), FLOW.tcp(2.2, 7, b"ghi")]
    contents = {"P.pcap": pcap(PRIMARY), "S.pcap": pcap(secondary)}
    contents[name] = contents[name][:-cut]
    if not number:  # a packet less is no fault
        assert Replay(tmp_path, *contents.values()).brief("release")[:1] == [(0.2, 1, "matched")]
        return
    text = f"colo-replay: {name}: packet {number}: "
    replay = Replay(tmp_path, *contents.values(), status=2, stderr=text)
    assert replay.done.stderr.count("\n") == 1
    assert f"Note: stopped before the end: {name}: packet {number}: " in replay.table
    releases = [(0.2, 1, "matched"), (1.2, 2, "matched")]
    judged = number - (2 if name == "P.pcap" else 1)
    assert replay.brief("release") == releases[:judged]


@pytest.mark.parametrize("cut", [1, 9, 30])
def test_compressed_and_cut_short(tmp_path, cut):
    primary = gzip.compress(pcap(PRIMARY))[:-cut]
    text = "the compressed file is cut short"
    replay = Replay(tmp_path, primary, SECONDARY, status=2, stderr=text)
    assert "P.pcap: packet " in replay.done.stderr


def test_packet_captured_in_part(tmp_path):
    big = PRIMARY[:2] + [FLOW.tcp(2, 7, b"x" * 1000)]
    text = "colo-replay: P.pcap: packet 3 was captured with 96 of its 1054 bytes"
    replay = Replay(tmp_path, pcap(big, snaplen=96), SECONDARY, status=2, stderr=text)
    assert "-s 0" in replay.done.stderr
    assert replay.brief("release") == RELEASES[:2]
    # Nobody compares what the client sends.
    inbound = [FLOW.tcp(0, 1, b"x" * 1000, of_client=True)] + PRIMARY
    replay = Replay(tmp_path, pcap(inbound, snaplen=96), SECONDARY, f"--guest={GUEST}")
    assert len(replay.released) == 3


@pytest.mark.parametrize("option", ["primary", "secondary"])
@pytest.mark.parametrize(
    "content, words",
    [
        (None, ["no such file"]),
        (b"", ["is empty"]),
        (b"GET / HTTP/1.0\r\n\r\n" * 100, ["not a capture"]),
        (b"\0" * 4096, ["not a capture"]),
        (gzip.compress(b"GET / HTTP/1.0\r\n\r\n" * 100), ["not a capture"]),
        (gzip.compress(pcap(PRIMARY))[:12], ["not a capture"]),
        (pcap(PRIMARY)[:10], ["not a capture"]),
        (pcap(PRIMARY, 147), ["link type", "147"]),
        (pcap(PRIMARY, 105), ["link type 105 (IEEE802_11)"]),
    ],
    ids=range(9),
)
def test_no_capture(tmp_path, option, content, words):
    names = {"primary": "P.pcap", "secondary": "S.pcap"}
    files(tmp_path)
    path = tmp_path / names[option]
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    (tmp_path / "v").write_text("kept")
    options = [f"--{name}={file}" for name, file in names.items()]
    done = run(*options, "--verdicts=v", "--released=r", cwd=tmp_path)
    assert_refused(done, path.name, *words)
    assert (tmp_path / "v").read_text() == "kept"
    assert not (tmp_path / "r").exists()


def test_capture_that_is_no_file(tmp_path):
    files(tmp_path)
    for path, word in ((".", "directory"), ("/dev/null", "neither a file nor a pipe")):
        done = run(f"--primary={path}", "--secondary=S.pcap", cwd=tmp_path)
        assert_refused(done, path, word)


OPTIONS = [
    ([], "--primary"),
    (["--primary=P.pcap"], "--secondary"),
    (["--primary=", "--secondary=S.pcap"], "--primary"),
    (["--nothing"], "--nothing"),
    (["P.pcap"], "'P.pcap'"),
    (["--fix-isn=1"], "--fix-isn"),
    (["--fix-isn", "--fix-isn"], "--fix-isn"),
    (["--guest="], "--guest"),
    (["--guest=10.0.0"], "'10.0.0'"),
    (["--guest=10.0.0.2,"], "''"),
    (["--guest=10.0.0.2,fe80::g"], "'fe80::g'"),
    (["--guest=host"], "'host'"),
    (["--ack=drop"], "neither hold nor clamp"),
    (["--checkpoint=always"], "neither commit:TIME nor never"),
    (["--checkpoint=commit"], "neither commit:TIME nor never"),
    (["--checkpoint=commit:"], "not a time such as"),
    (["--checkpoint=commit:5"], "not a time such as"),
    (["--checkpoint=commit:-1ms"], "not a time such as"),
    (["--checkpoint=commit:61min"], "0s to 60min"),
    (["--compare-timeout=3"], "'3' is not a time such as 200us or 1.5s"),
    (["--compare-timeout=0s"], "1ns to 60min"),
    (["--compare-timeout=-1s"], "'-1s'"),
    (["--compare-timeout=1e3ms"], "'1e3ms'"),
    (["--shift-secondary=5"], "'5' is not a time"),
    (["--shift-secondary=-"], "'-' is not a time"),
    (["--shift-secondary=--1s"], "'--1s'"),
    (["--shift-secondary=99999999999min"], "--shift-secondary"),
    (["--gso-size=65536"], "0 to 65535"),
    (["--gso-size=-1"], "'-1' is not a number"),
    (["--gso-size=1k"], "'1k'"),
    (["--verdicts="], "--verdicts"),
    (["--released"], "--released"),
    (["--released=a", "--released=b"], "--released"),
]


@pytest.mark.parametrize("options, word", OPTIONS, ids=range(len(OPTIONS)))
def test_options(tmp_path, options, word):
    given = files(tmp_path)
    if options and not options[0].startswith("--primary"):
        options = given + options
    assert_refused(run(*options, cwd=tmp_path), word)


def test_help(tmp_path):
    done = run("--help")
    assert done.status == 0 and done.stderr == ""
    for word in ("--primary", "--gso-size", "commit:5ms", "never got a checkpoint"):
        assert word in done.stdout


def test_output_is_no_input(tmp_path):
    given = files(tmp_path)
    (tmp_path / "link").symlink_to("P.pcap")
    os.link(tmp_path / "S.pcap", tmp_path / "hard")
    (tmp_path / "sub").mkdir()
    for name, word in (
        ("P.pcap", "--primary"),
        ("./sub/../S.pcap", "--secondary"),
        ("link", "--primary"),
        ("hard", "--secondary"),
    ):
        for option in ("--verdicts", "--released"):
            done = run(*given, f"{option}={name}", cwd=tmp_path)
            assert_refused(done, option, name, f"is the file of {word}")
    assert_refused(run(*given, "--verdicts=x", "--released=./x", cwd=tmp_path), "of --verdicts")
    assert (tmp_path / "P.pcap").read_bytes() == pcap(PRIMARY)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("option", ["verdicts", "released"])
def test_output_that_cannot_be_written(tmp_path, option):
    given = files(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "nowhere").symlink_to("missing/file")
    for name, word in (
        ("folder", "is a folder"),
        ("missing/file", "No such file"),
        ("P.pcap/file", "Not a directory"),
        ("nowhere", "leads nowhere"),
    ):
        assert_refused(run(*given, f"--{option}={name}", cwd=tmp_path), f"--{option}", name, word)


@pytest.fixture
def powerless():
    """How to start a program so that root, too, needs rights on files."""
    if os.geteuid() != 0:
        return ()
    if not shutil.which("setpriv"):
        pytest.skip("root may write everything, and there is no setpriv")
    return ("setpriv", "--bounding-set=-all", "--inh-caps=-all")


def test_files_without_rights(tmp_path, powerless):
    given = files(tmp_path)
    (tmp_path / "fixed").write_text("kept")
    (tmp_path / "fixed").chmod(0o444)
    done = run(*given, "--verdicts=fixed", cwd=tmp_path, prefix=powerless)
    assert_refused(done, "--verdicts", "fixed", "Permission denied")
    (tmp_path / "P.pcap").chmod(0)
    assert_refused(run(*given, cwd=tmp_path, prefix=powerless), "P.pcap", "Permission denied")


def test_output_replaces_a_file_and_keeps_its_mode(tmp_path):
    given = files(tmp_path)
    (tmp_path / "real").write_text("old")
    (tmp_path / "real").chmod(0o640)
    (tmp_path / "v").symlink_to("real")
    assert run(*given, "--verdicts=v", "--released=r", cwd=tmp_path).status == 0
    assert (tmp_path / "v").is_symlink()
    assert "matched" in (tmp_path / "real").read_text()
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o640
    (tmp_path / "usual").touch()
    assert (tmp_path / "r").stat().st_mode == (tmp_path / "usual").stat().st_mode
    assert sorted(os.listdir(tmp_path)) == ["P.pcap", "S.pcap", "r", "real", "usual", "v"]


def test_output_to_standard_output(tmp_path):
    done = run(*files(tmp_path), "--verdicts=/dev/stdout", cwd=tmp_path)
    assert done.status == 0
    assert done.stdout.startswith('{"t_ns":1500000,"event":"release"')
    assert "\nPrimary      P.pcap" in done.stdout


def small_files():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))


@pytest.mark.parametrize("option", ["verdicts", "released"])
def test_disk_full(tmp_path, option):
    packets = [FLOW.tcp(i, 1 + 100 * i, b"x" * 100) for i in range(200)]
    given = files(tmp_path, packets, packets)
    (tmp_path / "out").write_text("kept")
    done = run(*given, f"--{option}=out", cwd=tmp_path, preexec_fn=small_files)
    assert_refused(done, f"--{option}: out: File too large")
    assert (tmp_path / "out").read_text() == "kept"
    assert sorted(os.listdir(tmp_path)) == ["P.pcap", "S.pcap", "out"]


def test_full_standard_output(tmp_path):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run(
            [PROGRAM, *files(tmp_path)], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 2
    assert done.stderr == "colo-replay: standard output: No space left on device\n"


def test_reader_of_the_verdicts_goes_away(tmp_path):
    packets = [FLOW.tcp(i, 1 + i, b"x") for i in range(2000)]
    given = " ".join(files(tmp_path, packets, packets))
    os.mkfifo(tmp_path / "v")
    command = f"head -c1 v >/dev/null & exec {PROGRAM} {given} --verdicts=v"
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "colo-replay: option --verdicts: v: Broken pipe\n"


@pytest.fixture
def slow(tmp_path):
    """colo-replay in the middle of captures that come through pipes, and go on for ever."""
    for name, packets in (("P", PRIMARY), ("S", SECONDARY)):
        os.mkfifo(tmp_path / name)
    master, terminal = pty.openpty()
    process = subprocess.Popen(
        [PROGRAM, "--primary=P", "--secondary=S", "--released=r", "--verdicts=v"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=terminal,
        text=True,
    )
    os.close(terminal)
    # For reading as well, as the second pipe is opened only after the first one's header.
    pipes = [open(tmp_path / name, "r+b", buffering=0) for name in "PS"]
    for pipe in pipes:
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    yield process, pipes, master
    process.kill()
    for pipe in pipes:
        pipe.close()
    process.wait()
    process.stdout.close()
    os.close(master)


def feed(pipes, count, begin=True):
    packets = [FLOW.tcp(i, 1 + i, b"x") for i in range(count)]
    content = pcap(packets)
    assert len(content) < PIPE_BYTES
    for pipe in pipes:
        pipe.write(content if begin else content[24:])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(tmp_path, slow, number):
    process, pipes, _ = slow
    feed(pipes, 5000)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(number)
    out, _ = process.communicate(timeout=10)
    assert process.returncode == 128 + number
    assert "Note: stopped before the end: interrupted\n" in out
    lines = (tmp_path / "v").read_text().splitlines()
    assert len(lines) > 100 and lines[-1].endswith("}")
    assert sorted(os.listdir(tmp_path)) == ["P", "S", "r", "v"]


def test_progress_on_a_terminal(slow):
    process, pipes, master = slow
    feed(pipes, 5000)
    time.sleep(1.2)
    feed(pipes, 5000, begin=False)
    assert "replaying: " in os.read(master, 1000).decode()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)


# A process of its own, as a child's peak counts from its parent's size on.
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak_kib(folder, packets):
    payload = bytes(range(200)) * 7
    rounds = [FLOW.tcp(0, 1 + 1400 * i, payload) for i in range(packets)]
    for name, late_ns in (("P.pcap", 0), ("S.pcap", MS)):
        stamped = (p._replace(ns=ORIGIN_NS + i * MS + late_ns) for i, p in enumerate(rounds))
        (folder / name).write_bytes(pcap(stamped))
    given = ["--primary=P.pcap", "--secondary=S.pcap", "--verdicts=v", "--released=r"]
    command = [sys.executable, "-c", PEAK, PROGRAM, *given]
    return int(subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout)


def test_memory_does_not_grow_with_the_captures(tmp_path):
    few = peak_kib(tmp_path, 2000)
    many = peak_kib(tmp_path, 60000)
    assert (tmp_path / "P.pcap").stat().st_size > 80_000_000
    assert many - few < 2048
