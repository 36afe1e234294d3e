# SPDX-License-Identifier: GPL-2.0-only
"""What colo-scenario says to input that is of no use, and what it leaves: one line, exit 2."""

import os
import resource
import shutil
import signal
import struct
import subprocess
import time

import pytest
from scenario_program import (
    FILES,
    PCAP_ETHERNET,
    PCAP_HEADER,
    PCAP_MAGIC,
    PCAP_RECORD,
    PROGRAM,
    TRACES,
    request_response,
    run,
)

STOP_S_MAX = 1.0
FILE_BYTES_MAX = 5000
EMPTY_PCAP = PCAP_HEADER.pack(PCAP_MAGIC, 2, 4, 0, 0, 65535, PCAP_ETHERNET)


def assert_refused(done, *words):
    assert done.status == 2, done
    assert done.stdout == ""
    assert done.stderr.startswith("colo-scenario: "), done
    assert done.stderr.count("\n") == 1 and done.stderr.endswith("\n"), done
    for word in words:
        assert word in done.stderr


@pytest.mark.parametrize(
    "argument, word",
    [
        ("--no-such-option", "--no-such-option"),
        ("--no-such-option=1", "--no-such-option"),
        ("--sede=1", "--sede"),
        ("--req=1", "--req"),
        ("--request=1", "--request"),
        ("--SEED=1", "--SEED"),
        ("-seed=1", "-seed"),
        ("-h", "-h"),
        ("--=1", "--"),
        ("redis.pcap", "redis.pcap"),
        ("", "''"),
        ("--seed", "--seed"),
        ("--help=1", "--help"),
        ("--ns3", "--ns3"),
    ],
)
def test_unknown_argument(argument, word):
    assert_refused(run(argument), word)


def test_positional_argument_behind_options(tmp_path):
    assert_refused(run("--seed", "1", "2"), "'2'")
    assert_refused(run("--", "--seed=1"), "--seed=1")


@pytest.mark.parametrize("name", ["seed", "workload", "out", "lag", "protection"])
def test_option_given_twice(tmp_path, name):
    value = {"workload": "request-response", "out": tmp_path / "out", "lag": "1ms"}.get(name, "1")
    assert_refused(run(f"--{name}={value}", f"--{name}={value}"), f"--{name}")
    assert not (tmp_path / "out").exists()


COUNTS = {
    "requests": (1, 1000000),
    "request-size": (1, 10**9),
    "response-size": (1, 10**9),
    "connections": (1, 40000),
    "seed": (0, 2**32 - 1),
}
NOT_COUNTS = ["-1", "+1", "1.5", "1e3", "0x10", " 1", "1 ", "nan", "inf", "one", "1s", "٣"]
TIMES = {"think-time": ("3601s", "60min"), "lag": ("60.000000001s", "1min")}
TIMES["time"] = ("1441min", "1440min")
NOT_TIMES = ["1", "0", "-1s", "+1s", "1 s", "s", ".s", "1.1.1s", "1e3ms", "nan", "nans", "infs"]
NOT_TIMES += ["1h", "1S", "0x1s", "1sms", "1,5s"]


@pytest.mark.parametrize("name", COUNTS)
def test_count_out_of_range(name):
    smallest, largest = COUNTS[name]
    below = [smallest - 1] if smallest else []  # -1 is no count at all
    for value in (*below, largest + 1, 2**64, 10**40):
        done = run(*request_response(**{name: value}))
        assert_refused(done, f"--{name}", f"{value} is not in {smallest} to {largest}")


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("value", NOT_COUNTS)
def test_no_count(name, value):
    assert_refused(run(*request_response(**{name: value})), f"--{name}", value)


@pytest.mark.parametrize("name", TIMES)
def test_time_out_of_range(name):
    beyond, largest = TIMES[name]
    for value in (beyond, "9" * 400 + "s", "99999999999999999999min"):
        assert_refused(run(f"--{name}={value}"), f"--{name}", f"{value} is not in", largest)


def test_no_time_at_all():
    for value in ("0s", "0.4ns"):
        assert_refused(run(f"--time={value}"), "--time", "1ns to 1440min")


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize("value", NOT_TIMES)
def test_no_time(name, value):
    assert_refused(run(f"--{name}={value}"), f"--{name}", value)


@pytest.mark.parametrize("value", ["-0.1", "1.1", "nan", "-nan", "inf", "1e400", "0,5", "x", "1%"])
def test_no_probability(value):
    assert_refused(run(f"--divergence={value}"), "--divergence", value)


@pytest.mark.parametrize("value", ["Colo", "off", "0", "none,colo"])
def test_no_protection(value):
    assert_refused(run(f"--protection={value}"), "--protection", value)


@pytest.mark.parametrize(
    "name", [*COUNTS, *TIMES, "divergence", "protection", "workload", "out"]
)
def test_empty_value(name, tmp_path):
    assert_refused(run(f"--{name}=", cwd=tmp_path), f"--{name}")
    assert_refused(run(f"--{name}", "", cwd=tmp_path), f"--{name}")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("value", ["capture", "request", "Request-Response", "capture.pcap"])
def test_no_workload(value):
    assert_refused(run(f"--workload={value}"), "--workload", value)


def test_capture_without_a_name():
    assert_refused(run("--workload=capture:"), "--workload")


def udp_only():
    packet = b"\0" * 12 + b"\x08\0" + b"\x45\0\0\x1c" + b"\0" * 5 + b"\x11" + b"\0" * 18
    return EMPTY_PCAP + PCAP_RECORD.pack(0, 0, len(packet), len(packet)) + packet


def cut_in_packet(content):
    return content[:-7]


HTTP = next(path for path in TRACES if path.name == "http.pcap").read_bytes()


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", ["is empty"]),
        (b"GET / HTTP/1.0\r\n\r\n" * 100, ["not a capture"]),
        (b"\0" * 4096, ["not a capture"]),
        (os.urandom(4096), ["capture"]),
        (HTTP[:10], ["capture"]),
        (HTTP[: PCAP_HEADER.size], ["no TCP session"]),
        (HTTP[: PCAP_HEADER.size + 7], ["packet 1"]),
        (cut_in_packet(HTTP), ["packet"]),
        (EMPTY_PCAP, ["no TCP session"]),
        (udp_only(), ["no TCP session"]),
        (EMPTY_PCAP[:-4] + struct.pack("=I", 147), ["link type"]),
        (EMPTY_PCAP + PCAP_RECORD.pack(0, 0, 2**31, 2**31), ["packet 1"]),
    ],
    ids=range(12),
)
def test_bad_capture(tmp_path, content, words):
    path = tmp_path / "bad.pcap"
    path.write_bytes(content)
    done = run(f"--workload=capture:{path}", f"--out={tmp_path}/out")
    assert_refused(done, str(path), *words)
    assert os.listdir(tmp_path) == ["bad.pcap"]


@pytest.mark.parametrize("offset", range(PCAP_HEADER.size + 1, 400, 13))
def test_capture_cut_anywhere(tmp_path, offset):
    path = tmp_path / "cut.pcap"
    path.write_bytes(HTTP[:offset])
    assert_refused(run(f"--workload=capture:{path}"), str(path))


def test_capture_that_is_no_file(tmp_path):
    for path, word in (("/no/such.pcap", "no such file"), (tmp_path, "directory")):
        assert_refused(run(f"--workload=capture:{path}"), str(path), word)
    assert_refused(run("--workload=capture:/dev/null"), "/dev/null")
    os.mkfifo(tmp_path / "pipe")
    assert_refused(run(f"--workload=capture:{tmp_path}/pipe", timeout_s=10), "pipe")


def test_name_with_control_characters_stays_on_one_line():
    assert_refused(run("--workload=capture:/no/such\nfile\033[31m"))
    assert_refused(run("--no\nsuch=1"))


@pytest.fixture
def powerless():
    """How to start a program so that root, too, needs rights on files."""
    if os.geteuid() != 0:
        return ()
    if not shutil.which("setpriv"):
        pytest.skip("root may read everything, and there is no setpriv")
    return ("setpriv", "--bounding-set=-all", "--inh-caps=-all")


def test_capture_without_right_to_read(tmp_path, powerless):
    path = tmp_path / "secret.pcap"
    path.write_bytes(HTTP)
    path.chmod(0)
    done = run(f"--workload=capture:{path}", prefix=powerless)
    assert_refused(done, str(path), "Permission denied")


@pytest.mark.parametrize(
    "option, words",
    [
        ("ns3::NoSuchClass::Lag=1s", ["no class ns3::NoSuchClass"]),
        ("ns3::ColoProxy::NoSuch=1", ["no such attribute"]),
        ("ns3::ColoProxy=1", ["ns3::ColoProxy"]),
        ("ns3::=1", ["ns3::"]),
        ("ns3::ColoProxy::CompareTimeout", ["needs a value"]),
        ("ns3::ColoProxy::CompareTimeout=", ["ns3::ColoProxy::CompareTimeout"]),
        ("ns3::ColoPrimaryProxy::CompareTimeout=1s", ["set ns3::ColoProxy::CompareTimeout"]),
        ("ns3::ColoProxy::CompareTimeout=0s", ["'0s'"]),
        ("ns3::ColoProxy::CompareTimeout=soon", ["soon"]),
        ("ns3::ColoCheckpointer::DeviceState=much", ["much"]),
        ("ns3::SimpleNetDevice::DataRate=fast", ["fast"]),
        ("ns3::ColoCheckpointLink::SegmentSize=65536", ["'65536'", "536:"]),
        ("ns3::ColoPrimaryProxy::FlowHeldMax=0", ["'0'", "1:"]),
        ("ns3::ColoPrimaryProxy::AckPolicy=Drop", ["'Drop'", "Hold", "Clamp"]),
        ("ns3::ColoDivergence::Content=7", ["'7'", "0:1"]),
        ("ns3::ColoGuest::CongestionControl=ns3::NoSuch", ["ns3::NoSuch"]),
        # What ns-3 itself only finds as it runs:
        ("ns3::ColoGuest::CongestionControl=ns3::TcpBbr", ["cannot be cloned", "use"]),
        ("ns3::ColoGuest::CongestionControl=ns3::Node", ["CongestionControl=ns3::Node"]),
        ("ns3::SimpleNetDevice::TxQueue=ns3::NoSuch", ["ns3::SimpleNetDevice::TxQueue"]),
        ("ns3::ColoCheckpointLink::BufferSize=100000", ["100000", "two segments"]),
    ],
)
def test_bad_attribute(tmp_path, option, words):
    done = run(f"--{option}", f"--out={tmp_path}/out")
    assert_refused(done, "--ns3::", *words)
    assert os.listdir(tmp_path) == []


def test_attribute_given_twice():
    option = "--ns3::ColoProxy::CompareTimeout=1s"
    assert_refused(run(option, option), "more than once")


@pytest.mark.parametrize("place", ["file", "file/out", "none/out", "link", "none/more/out/"])
def test_out_that_cannot_be_a_folder(tmp_path, place):
    (tmp_path / "file").write_text("kept")
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    done = run("--out", place, cwd=tmp_path)
    assert_refused(done, "--out", place)
    assert sorted(os.listdir(tmp_path)) == ["file", "link"]
    assert (tmp_path / "file").read_text() == "kept"


def test_out_without_right_to_write(tmp_path, powerless):
    (tmp_path / "fixed").mkdir(0o555)
    for place in ("fixed", "fixed/out"):
        assert_refused(run("--out", place, cwd=tmp_path, prefix=powerless), place, "denied")
    assert os.listdir(tmp_path / "fixed") == []


def test_out_in_which_a_folder_is_in_the_way(tmp_path):
    (tmp_path / "sec_dev.pcap").mkdir()
    (tmp_path / "summary.json").write_text("kept")
    assert_refused(run(f"--out={tmp_path}"), "sec_dev.pcap")
    assert sorted(os.listdir(tmp_path)) == ["sec_dev.pcap", "summary.json"]
    assert (tmp_path / "summary.json").read_text() == "kept"


@pytest.mark.parametrize("is_there", [False, True])
@pytest.mark.parametrize("place", ["{}/out", "{}/out/", "{}/./x/../out//", "out", "./out/", "."])
def test_out_gets_its_files_and_keeps_others(tmp_path, place, is_there):
    if place == ".":
        out = tmp_path
    else:
        out = tmp_path / "out"
        if is_there:
            out.mkdir()
    (tmp_path / "x").mkdir()
    others = {"notes.txt", "x"} if place == "." else set()
    (tmp_path / "notes.txt").write_text("kept")
    assert run("--out", place.format(tmp_path), cwd=tmp_path).status == 0
    assert set(os.listdir(out)) == FILES | others
    if place != ".":
        assert set(os.listdir(tmp_path)) == {"notes.txt", "x", "out"}
    assert (tmp_path / "notes.txt").read_text() == "kept"


def test_results_of_two_runs_do_not_mix(tmp_path):
    assert run(f"--out={tmp_path}").status == 0
    assert run(f"--out={tmp_path}", "--protection=none").status == 0
    assert set(os.listdir(tmp_path)) == FILES - {"secondary-tap0.pcap", "sec_dev.pcap"}


def test_out_of_a_usual_mode(tmp_path):
    assert run(f"--out={tmp_path}/out").status == 0
    usual = tmp_path / "usual"
    usual.mkdir()
    assert (tmp_path / "out").stat().st_mode == usual.stat().st_mode


def small_files():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES_MAX, FILE_BYTES_MAX))


@pytest.mark.parametrize("options", [[], ["--protection=none"]])
def test_disk_full_under_the_results(tmp_path, options):
    done = subprocess.run(
        [PROGRAM, f"--out={tmp_path}/out", *options],
        preexec_fn=small_files,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("colo-scenario: option --out: ")
    assert done.stderr.count("\n") == 1
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("options", [[], ["--help"]])
def test_disk_full_under_the_table(options):
    with open("/dev/full", "w") as full:
        done = subprocess.run([PROGRAM, *options], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr == "colo-scenario: standard output: No space left on device\n"


def test_closed_stdout_is_an_error_and_spoils_no_file(tmp_path):
    done = subprocess.run(
        ["sh", "-c", f'"{PROGRAM}" --out="{tmp_path}/out" >&-'], stderr=subprocess.PIPE, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("colo-scenario: standard output: ")
    for name in FILES:
        assert b"Checkpoints " not in (tmp_path / "out" / name).read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("is_there", [False, True])
@pytest.mark.parametrize("size", [{"requests": 1000000}, {"requests": 5000}], ids=["long", "short"])
def test_stopped_run_leaves_nothing(tmp_path, number, is_there, size):
    """The long script is stopped while it is read, the short one while it is played."""
    if is_there:
        (tmp_path / "out").mkdir()
    options = request_response(**size, response_size=1000000, protection="none")
    with subprocess.Popen(
        [PROGRAM, *options, f"--out={tmp_path}/out"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        time.sleep(0.3)
        assert process.poll() is None
        begin = time.monotonic()
        process.send_signal(number)
        output = process.communicate(timeout=10)
        stopped_s = time.monotonic() - begin
    assert process.returncode == -number  # a shell makes 130 and 143 of it
    assert stopped_s < STOP_S_MAX
    assert output == (b"", b"")
    assert os.listdir(tmp_path) == (["out"] if is_there else [])
    assert not is_there or os.listdir(tmp_path / "out") == []


def test_ignored_signal_stays_ignored():
    with subprocess.Popen(
        [PROGRAM, *request_response(requests=500)],
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    ) as process:
        time.sleep(0.1)
        assert process.poll() is None
        process.send_signal(signal.SIGHUP)
    assert process.returncode == 0


def test_fault_that_no_option_caused_is_told_in_full(tmp_path):
    fault = {"NS_ATTRIBUTE_DEFAULT": "ns3::ColoGuest::CongestionControl=ns3::TcpBbr"}
    done = subprocess.run(
        [PROGRAM, f"--out={tmp_path}/out"], env=os.environ | fault, capture_output=True, text=True
    )
    assert done.returncode == -signal.SIGABRT
    assert done.stderr.startswith("colo-scenario: ")
    assert "colo-guest.cc" in done.stderr
    assert os.listdir(tmp_path) == []
