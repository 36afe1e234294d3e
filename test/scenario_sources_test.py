# SPDX-License-Identifier: GPL-2.0-only
"""Each source of divergence, turned on alone: the mismatches that it should give, and no others."""

from collections import namedtuple

import pytest
from scenario_program import Results

Source = namedtuple("Source", "options must may", defaults=(set(), set()))

LATE = {"timeout-data", "timeout-ack"}
UNIFORM = "ns3::UniformRandomVariable"
NORMAL = "ns3::ExponentialRandomVariable"


def attributes(**values):
    return [f"--ns3::{name.replace('__', '::')}={value}" for name, value in values.items()]


def jitter(mean):
    return f"{NORMAL}[Mean={mean}|Bound={mean * 10}]"


THREADS = attributes(ColoDivergence__SchedulingJitter=jitter(0.0005))
WEB = ["--workload=request-response", "--requests=200", "--connections=8", "--response-size=4000"]
PUSH = ["--workload=chat", "--requests=30"]
ASKS = ["--workload=lookups", "--requests=40"]
UPLOAD = ["--workload=upload", "--requests=4"]

# Nothing but bytes is compared: what moves, cuts or delays the same bytes must not cost anything.
SOURCES = {
    "none": Source(WEB),
    "random content": Source([*WEB, "--divergence=0.05"], must={"bytes"}),
    "dates": Source(
        [*WEB, *attributes(ColoDivergence__DateGranularity="10ms"), "--think-time=3ms"],
        must={"bytes"},
    ),
    "threads that share nothing": Source([*WEB, *THREADS]),
    "threads that share a counter": Source(
        [*WEB, *THREADS, *attributes(ColoDivergence__SharedCounter="true")], must={"bytes"}
    ),
    "timers": Source([*PUSH, *attributes(ColoDivergence__TimerTick="4ms")]),
    "write sizes": Source(
        [*WEB, *attributes(ColoDivergence__WriteSize=f"{UNIFORM}[Min=100|Max=3000]")]
    ),
    "segment sizes": Source(
        [*WEB, *attributes(ColoGuest__SegmentSize=f"{UNIFORM}[Min=500|Max=1448]")]
    ),
    "segment sizes that are announced": Source(
        [
            *WEB,
            *attributes(
                ColoGuest__SegmentSize=f"{UNIFORM}[Min=500|Max=1448]",
                ColoGuest__AnnounceSegmentSize="true",
            ),
        ],
        must={"syn-options"},
    ),
    "delayed acks, by count": Source(
        [*UPLOAD, *attributes(ColoGuest__DelAckCount=f"{UNIFORM}[Min=1|Max=8]")]
    ),
    "delayed acks, by time": Source(
        [*UPLOAD, *attributes(ColoGuest__DelAckTimeout=f"{UNIFORM}[Min=0.001|Max=0.2]")]
    ),
    # A secondary that waits for the ack of bytes that are in a segment of the primary which goes on
    # beyond them, and so is held, says no more: see Limits in ARCHITECTURE.md.
    "Nagle": Source(
        [
            *WEB,
            *attributes(
                ColoGuest__Nagle=0.5, ColoDivergence__WriteSize=f"{UNIFORM}[Min=100|Max=900]"
            ),
        ],
        may={"timeout-data"},
    ),
    "TCP timestamps": Source(
        [*WEB, *attributes(ColoGuest__TimestampOffset=f"{UNIFORM}[Min=0|Max=4000000000]")]
    ),
    "ephemeral ports": Source(
        [*ASKS, *attributes(ColoGuest__EphemeralPort=f"{UNIFORM}[Min=49152|Max=65535]")],
        must={"timeout-data"},
        may={"secondary-extra"},
    ),
    "lag": Source([*WEB, "--lag=5ms"]),
    "scheduling of the secondary guest": Source(
        [*WEB, *attributes(ColoSecondaryProxy__LagJitter=jitter(0.001))]
    ),
    "cold caches": Source(
        [
            *WEB,
            *attributes(
                ColoSecondaryProxy__ColdLag="5ms", ColoPrimaryProxy__CheckpointIntervalMax="20ms"
            ),
        ]
    ),
    "query ids": Source(
        [*ASKS, *attributes(ColoDivergence__RandomQueryIds="true")],
        must={"timeout-data"},
        may={"secondary-extra"},
    ),
    "losses on sec_dev": Source([*WEB, "--sec-dev=loss=0.02"], may=LATE | {"secondary-extra"}),
    "losses on sec_dev, uploads": Source([*UPLOAD, "--sec-dev=loss=0.01"], may=LATE),
    "reordering on sec_dev": Source([*WEB, "--sec-dev=reorder=0.05"]),
    "duplicates on sec_dev": Source([*WEB, "--sec-dev=duplicate=0.05"]),
}


@pytest.mark.parametrize("name", SOURCES)
def test_source_alone(tmp_path, name):
    source = SOURCES[name]
    divergence = [] if "--divergence=0.05" in source.options else ["--divergence=0"]
    summary = Results(tmp_path / "out", *source.options, *divergence).summary
    assert summary["finished"]
    assert (summary["client_resets"], summary["client_data_errors"]) == (0, 0)
    found = set(summary["mismatches"])
    assert source.must <= found <= source.must | source.may, summary["mismatches"]
