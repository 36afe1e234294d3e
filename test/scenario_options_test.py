# SPDX-License-Identifier: GPL-2.0-only
"""What colo-scenario says to options of the simulated world that are of no use: one line, exit 2."""

import re

import pytest
from scenario_input_test import NOT_COUNTS, NOT_TIMES, assert_refused
from scenario_program import LINKS, WORKLOADS, run

CAPTURE_HAS_NO_USE_FOR = {
    "requests": 5,
    "request-size": 5,
    "response-size": 5,
    "connections": 5,
    "requests-per-connection": 1,
    "client-ports": 5,
    "think-time": "5ms",
}
COUNTS = {
    "requests-per-connection": (0, 1000000),
    "client-ports": (1, 40000),
    "clients": (1, 1000),
    "pairs": (1, 64),
}
LINK_OPTIONS = ["lan", "sec-dev", "checkpoint-link"]
# What is refused only once all options are right, and so says that they are.
STOP = "--workload=capture:/no/such.pcap"


def assert_right(*arguments):
    assert_refused(run(STOP, *arguments), "/no/such.pcap: no such file")


@pytest.mark.parametrize("name", COUNTS)
def test_count_out_of_range(name):
    smallest, largest = COUNTS[name]
    for value in (smallest - 1, largest + 1, 2**64, 10**40):
        done = run("--workload=request-response", f"--{name}={value}")
        word = "is not a number" if value < 0 else f"{value} is not in {smallest} to {largest}"
        assert_refused(done, f"--{name}", word)


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("value", [*NOT_COUNTS, ""])
def test_no_count(name, value):
    assert_refused(run("--workload=dns", f"--{name}", value), f"--{name}", f"'{value}'")


@pytest.mark.parametrize("value", ["", "0", "5", "46", "4,6", "v4", "IPv4", "4 "])
def test_no_version_of_ip(value):
    assert_refused(run("--ip", value), f"option --ip: '{value}' is neither 4 nor 6")


@pytest.mark.parametrize(
    "name", [*COUNTS, *LINK_OPTIONS, "ip", "pcap", "trace", "netanim", "flow-monitor"]
)
def test_option_given_twice(name):
    flag = name in ("trace", "netanim", "flow-monitor")
    option = f"--{name}" if flag else f"--{name}=1"
    assert_refused(run(option, option), f"--{name}", "more than once")


@pytest.mark.parametrize("name", ["trace", "netanim", "flow-monitor"])
def test_flag_with_a_value(name):
    assert_refused(run(f"--{name}=1"), f"--{name}")
    assert_refused(run(f"--{name}", "1"), "'1'")


@pytest.mark.parametrize(
    "value", ["", "dns2", "DNS", "mixed=dns", "dns:", "dns=1", "request-response,dns", "capture"]
)
def test_no_workload(value):
    assert_refused(run("--workload", value), f"option --workload: '{value}' is not among those")


@pytest.mark.parametrize(
    "mix, word",
    [
        ("", "'' is not NAME=WEIGHT"),
        ("dns", "'dns' is not NAME=WEIGHT"),
        ("dns=1,", "'' is not NAME=WEIGHT"),
        ("dns=0", "'0' is not a weight"),
        ("dns=x", "'x' is not a weight"),
        ("dns=1,dns=2", "dns is there twice"),
        ("mixed=1", "'mixed' is no workload"),
        ("capture=1", "'capture' is no workload"),
    ],
)
def test_no_mix(mix, word):
    assert_refused(run(f"--workload=mixed:{mix}"), f"option --workload=mixed:{mix}: mixed: {word}")


@pytest.mark.parametrize(
    "workload, options, words",
    [
        ("dns", {"response-size": 1401}, "response size must be from 1 to 1400"),
        ("key-value-udp", {"request-size": 1401}, "request size must be from 1 to 1400"),
        ("mixed", {"request-size": 7}, "request size means nothing to mixed"),
        ("mixed", {"requests": 4}, "requests must be at least 5"),
        ("mixed", {"connections": 4}, "connections must be at least 5"),
        ("lookups", {"requests": 16001}, "requests must be at most 16000"),
        ("tls", {"requests-per-connection": 101}, "requests per connection must be at most 100"),
        ("chat", {"clients": 21}, "clients must be from 1 to 20"),
        ("ssh", {"requests": 2, "clients": 3}, "clients must be from 1 to 2"),
        ("download", {"client-ports": 1}, "client ports must be from 2"),
    ],
)
def test_shape_that_a_workload_cannot_have(workload, options, words):
    options = [f"--{name}={value}" for name, value in options.items()]
    assert_refused(run(f"--workload={workload}", *options), f"option --workload={workload}: {words}")


@pytest.mark.parametrize("name", CAPTURE_HAS_NO_USE_FOR)
def test_capture_has_a_shape_of_its_own(name):
    option = f"--{name}={CAPTURE_HAS_NO_USE_FOR[name]}"
    assert_refused(run(option), f"option --{name}: means nothing to --workload=capture:")
    assert_refused(run(STOP, option), f"option --{name}: means nothing to {STOP}")


def test_more_clients_than_a_capture_has_connections():
    assert_refused(run("--clients=18"), "option --clients: ", "redis.pcap has only 17 connections")


@pytest.mark.parametrize("name", LINK_OPTIONS)
@pytest.mark.parametrize(
    "value, words",
    [
        ("", "'' is not PART=VALUE"),
        ("1Gbps", "'1Gbps' is not PART=VALUE"),
        ("rate=1Gbps,", "'' is not PART=VALUE"),
        ("rate=1Gbps;loss=1", "rate: '1Gbps;loss=1' is not a rate"),
        ("bandwidth=1Gbps", "'bandwidth' is none of rate, delay, loss, reorder"),
        ("=1", "'' is none of rate"),
        ("Loss=1", "'Loss' is none of"),
        ("loss=0.1,delay=1ms,loss=0.1", "loss is there twice"),
        ("rate=", "rate: '' is not a rate"),
        ("rate=0", "rate: '0' is not a rate"),
        ("rate=0Gbps", "rate: 0Gbps is not in 1kbps to 1000Gbps"),
        ("rate=999bps", "rate: 999bps is not in 1kbps to 1000Gbps"),
        ("rate=1001Gbps", "rate: 1001Gbps is not in 1kbps to 1000Gbps"),
        ("rate=-1Gbps", "rate: '-1Gbps' is not a rate"),
        ("rate=1Gbit", "rate: '1Gbit' is not a rate"),
        ("rate=1.2.3Gbps", "rate: '1.2.3Gbps' is not a rate"),
        ("rate=Gbps", "rate: 'Gbps' is not a rate"),
        ("rate=" + "9" * 400 + "Gbps", "is not in 1kbps to 1000Gbps"),
        ("delay=61s", "delay: 61s is not in 0s to 1min"),
        ("reorder=0.1,reorder-delay=61s", "reorder-delay: 61s is not in 0s to 1min"),
        ("reorder-delay=1ms", "reorder-delay means nothing without reorder"),
        ("reorder=0,reorder-delay=1ms", "reorder-delay means nothing without reorder"),
    ],
)
def test_no_link(name, value, words):
    assert_refused(run(f"--{name}", value), f"option --{name}: ", words)


@pytest.mark.parametrize("name", LINK_OPTIONS)
@pytest.mark.parametrize("part", ["loss", "reorder", "duplicate"])
@pytest.mark.parametrize("value", ["-0.1", "1.1", "nan", "inf", "1e400", "x", "1%", ""])
def test_no_share_of_a_link(name, part, value):
    assert_refused(run(f"--{name}={part}={value}"), f"option --{name}: {part}: ", value)


@pytest.mark.parametrize("value", [value for value in NOT_TIMES if "," not in value])
def test_no_delay_of_a_link(value):
    assert_refused(run(f"--lan=delay={value}"), "option --lan: delay: ", value)


@pytest.mark.parametrize("name", LINK_OPTIONS)
@pytest.mark.parametrize(
    "value",
    [
        "rate=10Gbps,delay=20us,loss=0.01,reorder=0.01,duplicate=0.001,reorder-delay=100us",
        "reorder-delay=1ms,reorder=1",
        "loss=0",
        "loss=1",
        "loss=1e-3",
        "rate=1kbps",
        "rate=1000bps",
        "rate=1000Gbps",
        "rate=2.5Gbps",
        "delay=0s",
        "delay=1min",
    ],
)
def test_links(name, value):
    assert_right(f"--{name}={value}")


@pytest.mark.parametrize("name", ["sec-dev", "checkpoint-link"])
def test_link_that_is_only_there_under_protection(name):
    words = f"option --{name}: there is no such link with --protection=none"
    assert_refused(run(f"--{name}=loss=0.1", "--protection=none"), words)


@pytest.mark.parametrize(
    "value, words",
    [
        ("", "''"),
        ("wlan", "'wlan'"),
        ("client,", "''"),
        ("client,wlan", "'wlan'"),
        ("all,client", "'all'"),
        ("none,client", "'none'"),
        ("sec-dev", "'sec-dev'"),
        ("client, lan", "' lan'"),
    ],
)
def test_no_link_to_capture(value, words, tmp_path):
    done = run("--pcap", value, f"--out={tmp_path}/out")
    assert_refused(done, f"option --pcap: {words} is not among the links")
    assert list(tmp_path.iterdir()) == []


def test_link_to_capture_twice(tmp_path):
    words = "option --pcap: lan is there twice"
    assert_refused(run("--pcap=lan,client,lan", f"--out={tmp_path}/out"), words)


@pytest.mark.parametrize("name", ["sec_dev", "secondary-tap", "eth0-secondary", "eth2"])
def test_link_to_capture_that_is_only_there_under_protection(name, tmp_path):
    done = run(f"--pcap=client,{name}", "--protection=none", f"--out={tmp_path}/out")
    assert_refused(done, f"option --pcap: there is no {name} with --protection=none")


@pytest.mark.parametrize("option", ["pcap=none", "pcap=all", "pcap=client", "trace", "netanim"])
def test_result_without_a_place(option):
    assert_refused(run(f"--{option}"), f"option --{option.split('=')[0]}: needs --out=FOLDER")


def test_options_that_go_together(tmp_path):
    out = f"--out={tmp_path}/out"
    assert_right("--pairs=2", "--ip=6", "--clients=3", "--divergence=0.5")
    assert_right(out, "--trace", "--netanim", "--flow-monitor", "--pcap=all")
    assert_right(out, "--pcap=" + ",".join(LINKS))
    assert_right(out, "--pcap=all", "--protection=none")
    assert_right("--divergence=0.5", "--lag=1ms", "--protection=none", "--lan=loss=0.1")
    assert list(tmp_path.iterdir()) == []


def test_help_lists_every_workload():
    text = run("--help").stdout
    listed = re.findall(r"^  ([a-z-]+) +\S.*\n {20}\d+ \S.* on \d+ connections", text, re.MULTILINE)
    assert listed == WORKLOADS


def test_table_says_what_the_workload_was():
    done = run("--workload=transactions", "--requests=3", "--connections=2", "--request-size=50")
    assert done.status == 0
    words = "Workload     transactions, 3 transactions on 2 connections, 50 bytes, answered by 17-72\n"
    assert words in done.stdout
