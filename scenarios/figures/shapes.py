# SPDX-License-Identifier: GPL-2.0-only
"""The figures: which runs each needs, what it measures in them, what it says.

A point is one place of a figure, as columns of its CSV. Names of columns end in their unit.
"""

import math
import random
from dataclasses import dataclass
from typing import Callable

# Protections, in the order of the bars.
PROTECTIONS = {
    "none": "none",
    "colo": "COLO",
    "colo-by-segment": "COLO by segment",
    "remus": "Remus",
    "lockstep": "lockstep",
}
# A client that asks as ping does, and waits for the answer.
PING = [
    "--workload=request-response",
    "--connections=1",
    "--request-size=64",
    "--response-size=64",
    "--think-time=5ms",
    "--divergence=0",
]
INTERVAL_MS = 200


class Missing(Exception):
    """A run without what it was started for."""


@dataclass(frozen=True)
class Figure:
    """One figure; points, arguments and measures make its table, the rest its picture."""

    name: str
    title: str  # what one sees
    points: Callable  # of quick: a list of dictionaries, all with the same keys
    arguments: Callable  # of a point, seed, quick: the command line
    measures: Callable  # of a point and a run's summary: a dictionary
    x: str  # column
    x_label: str
    panels: dict  # column of each panel: label of its axis
    series: str  # column
    series_labels: dict  # for each of its values
    reference: tuple = None  # label and function of x: a line to compare with
    is_bars: bool = False
    is_log: bool = False  # both axes


def added_latency_ms(summary):
    return summary["latency_ms"]["mean"] - summary["unprotected"]["latency_ms"]["mean"]


# 1: the same work, so that durations can be compared.
WORKLOADS = {
    "download": (["--workload=download", "--response-size=200000"], 40),
    "upload": (["--workload=upload", "--request-size=200000"], 40),
    "web": (["--workload=request-response"], 500),
    "key-value": (["--workload=key-value"], 500),
    "transactions": (["--workload=transactions"], 50),
}


def throughput_points(quick):
    workloads = ["download", "key-value"] if quick else WORKLOADS
    return [{"workload": w, "protection": p} for w in workloads for p in PROTECTIONS]


def throughput_arguments(point, seed, quick):
    workload, requests = WORKLOADS[point["workload"]]
    return [
        *workload,
        f"--requests={requests // 4 if quick else requests}",
        f"--protection={point['protection']}",
        "--divergence=0",
        "--ns3::ColoDivergence::WriteSize=ns3::UniformRandomVariable[Min=500|Max=4000]",
    ]


def throughput_measures(point, summary):
    native = summary.get("unprotected", summary)
    return {
        "throughput_percent": 100 * (native["duration_s"] / summary["duration_s"]),
        "duration_ms": 1000 * summary["duration_s"],
        "checkpoints": summary["checkpoints"],
    }


# 2
THINKING = {0: "clients that ask at once", 50: "clients that pause 50 ms"}


def divergence_points(quick):
    shares = [0, 0.05, 0.2] if quick else [0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2]
    return [{"think_ms": t, "divergence_share": share} for t in THINKING for share in shares]


def divergence_arguments(point, seed, quick):
    return [
        "--workload=request-response",
        f"--requests={200 if quick else 600}",
        f"--think-time={point['think_ms']}ms",
        f"--divergence={point['divergence_share']}",
    ]


def divergence_measures(point, summary):
    return {
        "checkpoints_per_s": summary["checkpoints"] / summary["duration_s"],
        "added_latency_ms": added_latency_ms(summary),
    }


# 3 and 4
LINKS = {1: "1 Gbit/s", 10: "10 Gbit/s"}


def dirty_points(quick):
    rates = [2000, 10000, 20000] if quick else [0, 5000, 10000, 20000, 30000, 40000]
    return [{"link_gbps": link, "dirty_pages_per_s": rate} for link in LINKS for rate in rates]


def dirty_arguments(point, seed, quick):
    # the checkpoints come at another place in the client's cycle with each seed
    interval_us = 1000 * INTERVAL_MS + random.Random(seed).randrange(5000)
    return [
        *PING,
        f"--requests={100 if quick else 200}",
        f"--interval={interval_us}us",
        f"--checkpoint-link=rate={point['link_gbps']}Gbps",
        # each write to another page, as nearly as chance will have it
        "--ns3::ColoMemory::WriteRate=0",
        f"--ns3::ColoMemory::OtherRate={point['dirty_pages_per_s']}",
    ]


def pause_measures(point, summary):
    if not summary["checkpoints"]:
        raise Missing("there was no checkpoint")
    return {
        "pause_ms": summary["pause_ms"]["mean"],
        "pages_per_checkpoint": summary["pages"]["mean"],
    }


def stall_measures(point, summary):
    if not summary["checkpoints"]:
        raise Missing("there was no checkpoint")
    return {"pause_ms": summary["pause_ms"]["max"], "stall_ms": summary["latency_ms"]["max"]}


# 5
FAULTS = {
    "dies": "host dies; UDP client repeats each 5 ms",
    "hangs": "host hangs; UDP client repeats each 5 ms",
    "dies-tcp": "host dies; TCP client repeats by its timer",
}
TAKEOVER_PER_LEASE = 1.5


def failover_points(quick):
    leases = [50, 200] if quick else [25, 50, 100, 200, 400, 800]
    return [{"fault": fault, "lease_ms": lease} for fault in FAULTS for lease in leases]


def failover_arguments(point, seed, quick):
    lease_us = 1000 * point["lease_ms"]
    # anywhere between two heartbeats
    at_us = 300000 + random.Random(seed).randrange(lease_us // 4)
    if point["fault"] == "dies-tcp":
        client = PING
    else:
        client = [
            "--workload=key-value-udp",
            "--connections=1",
            "--think-time=5ms",
            "--divergence=0",
            "--ns3::ColoDatagramAsker::RetryAfter=5ms",
            "--ns3::ColoDatagramAsker::Retries=10000",
        ]
    fault = (
        f"hang-primary@{at_us}us+10s" if point["fault"] == "hangs" else f"kill-primary@{at_us}us"
    )
    return [
        *client,
        "--requests=150",
        f"--fail={fault}",
        f"--ns3::ColoProxy::Lease={lease_us}us",
        f"--ns3::ColoProxy::Takeover={round(TAKEOVER_PER_LEASE * lease_us)}us",
        f"--ns3::ColoProxy::HeartbeatInterval={lease_us // 4}us",
    ]


def failover_measures(point, summary):
    for step in summary["pairs"][0]["failover"]:
        if (step["host"], step["step"]) == ("secondary", "alone"):
            return {
                # the client asked for it at most its 5 ms before the fault
                "longest_request_ms": summary["latency_ms"]["max"],
                "takeover_ms": 1000 * (step["t_s"] - summary["faults"][0]["t_s"]),
            }
    raise Missing("the secondary did not take over")


# 6
def remus_points(quick):
    intervals = [25, 100] if quick else [10, 20, 40, 80, 120, 160, 200]
    return [
        {"protection": "colo", "interval_ms": math.nan},  # it takes none
        *({"protection": "remus", "interval_ms": interval} for interval in intervals),
    ]


def remus_arguments(point, seed, quick):
    return [
        "--workload=request-response",
        f"--requests={50 if quick else 200}",
        "--response-size=1000",
        "--think-time=1ms",
        "--divergence=0",
        f"--protection={point['protection']}",
        *([f"--interval={point['interval_ms']}ms"] if point["protection"] == "remus" else []),
    ]


def remus_measures(point, summary):
    pause = summary["pause_ms"]
    return {
        "added_latency_ms": added_latency_ms(summary),
        "stopped_percent": 100 * pause["count"] * pause["mean"] / (1000 * summary["sim_s"]),
    }


FIGURES = [
    Figure(
        name="throughput",
        title="Comparing bytes costs little where comparing segments costs much",
        points=throughput_points,
        arguments=throughput_arguments,
        measures=throughput_measures,
        x="workload",
        x_label="workload; each guest cuts its writes differently, 500 to 4000 bytes",
        panels={"throughput_percent": "throughput (% of none)"},
        series="protection",
        series_labels=PROTECTIONS,
        is_bars=True,
    ),
    Figure(
        name="divergence",
        title="The more the guests differ, the more checkpoints, until clients wait for them",
        points=divergence_points,
        arguments=divergence_arguments,
        measures=divergence_measures,
        x="divergence_share",
        x_label="divergence (share of responses that differ)",
        panels={
            "checkpoints_per_s": "checkpoints per second",
            "added_latency_ms": "added latency, mean (ms)",
        },
        series="think_ms",
        series_labels=THINKING,
    ),
    Figure(
        name="pause",
        title="A checkpoint's pause is the dirty pages' time on the link, and a fixed part",
        points=dirty_points,
        arguments=dirty_arguments,
        measures=pause_measures,
        x="dirty_pages_per_s",
        x_label=f"4 KiB pages dirtied per second; a checkpoint each {INTERVAL_MS} ms",
        panels={"pause_ms": "pause (ms)"},
        series="link_gbps",
        series_labels=LINKS,
    ),
    Figure(
        name="stall",
        title="What a client feels of a checkpoint is about its pause",
        points=dirty_points,
        arguments=dirty_arguments,
        measures=stall_measures,
        x="pause_ms",
        x_label="longest pause of the guests (ms)",
        panels={"stall_ms": "longest request (ms)"},
        series="link_gbps",
        series_labels=LINKS,
        reference=("as long as the pause", lambda x: x),
        is_log=True,
    ),
    Figure(
        name="failover",
        title="After the primary's end clients wait for the takeover, and TCP's for its timer",
        points=failover_points,
        arguments=failover_arguments,
        measures=failover_measures,
        x="lease_ms",
        x_label=f"lease (ms); takeover is asked for after {TAKEOVER_PER_LEASE} times that",
        panels={"longest_request_ms": "longest request (ms)"},
        series="fault",
        series_labels=FAULTS,
        reference=("takeover is asked for", lambda x: TAKEOVER_PER_LEASE * x),
        is_log=True,
    ),
    Figure(
        name="remus",
        title="Remus trades latency for overhead; COLO with equal guests has neither",
        points=remus_points,
        arguments=remus_arguments,
        measures=remus_measures,
        x="interval_ms",
        x_label="Remus' interval between checkpoints (ms)",
        panels={
            "added_latency_ms": "added latency, mean (ms)",
            "stopped_percent": "time that the guest stands still (%)",
        },
        series="protection",
        series_labels={"remus": "Remus", "colo": "COLO, divergence 0"},
    ),
]
FIGURES = {figure.name: figure for figure in FIGURES}
