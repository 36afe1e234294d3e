# SPDX-License-Identifier: GPL-2.0-only
"""One simulated run: what `./ns3 run colo-scenario` does, with a result to go on with."""

import copy
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from colo import _colo
from colo._errors import UsageError
from colo._units import with_unit

if TYPE_CHECKING:
    import pandas

Progress = Callable[[str, float, int, int], object]
Time = str | timedelta
Link = str | Mapping[str, object]

DATA = Path(__file__).resolve().parent / "data"
if DATA.is_dir():  # installed; else the extension knows where the sources are
    _colo.set_data_folder(str(DATA))


class Option(NamedTuple):
    """An option of a run, as `colo-scenario --help` has it."""

    name: str  # in Python: "sec_dev" is --sec-dev
    kind: str  # of its value, such as "TIME"; "" if it is on or off
    default: str | None
    help: str

    @property
    def word(self) -> str:
        """As on a command line."""
        return "--" + self.name.replace("_", "-")


# What run() takes. compare() is a function of its own; a module has its help.
OPTIONS: tuple[Option, ...] = tuple(
    Option(name.replace("-", "_"), kind, default, text)
    for name, kind, default, text in _colo.options()
    if name not in ("help", "compare")
)
BY_NAME = {option.name: option for option in OPTIONS}
ATTRIBUTE = re.compile(r"ns3::\w+(::\w+)*(<.*>)?::\w+")


@dataclass(frozen=True)
class Distribution:
    """Of many measured times or counts, in the unit that the name ends with."""

    count: int
    mean: float
    p50: float
    p99: float
    max: float


class Result:
    """What a run came to: every figure of summary.json is an attribute.

    A second protected pair and the others are in `pairs`; totals are of all of them.
    """

    seed: int
    workload: str
    protection: str
    divergence: float
    lag_ms: float
    finished: bool  # the clients came to the end of their scripts
    sim_s: float
    wall_s: float
    events: int
    checkpoints: int
    checkpoints_per_s: float  # while the clients' exchange lasted
    checkpoint_reasons: dict[str, int]
    mismatches: dict[str, int]  # by reason, see colo.rules
    mismatches_coalesced: int  # that joined a pending checkpoint
    diverged_responses: int
    interval_ms: Distribution  # from one checkpoint's request to the next one's
    pause_ms: Distribution  # that the primary guest stood still, once a checkpoint
    pages: Distribution  # sent while the guests stood still, once a checkpoint
    hold_ms: Distribution  # of every released TCP packet of the primary
    latency_ms: Distribution  # of every request
    released_packets: int
    released_bytes: int
    held_packets: int
    requests_completed: int
    client_bytes: int
    client_resets: int
    client_data_errors: int  # wrong bytes
    duration_s: float  # of the clients' exchange
    throughput_mbps: float  # payload that the clients received
    faults: list[dict[str, Any]]
    pairs: list[dict[str, Any]]
    unprotected: dict[str, Any]  # the same run without protection
    calibration: dict[str, Any]

    def __init__(self, outcome: Mapping[str, Any]) -> None:
        self._summary: dict[str, Any] = json.loads(outcome["json"])
        self._timeline: str = outcome["timeline"]
        self._table: str = outcome["table"]
        #: Whether the workload ended in time, without a reset or a wrong byte.
        self.is_well: bool = outcome["is_well"]
        #: A line for each run that did not come to its end, with what it waited for.
        self.unfinished: str = "\n".join(outcome["unfinished"])
        for name, value in self._summary.items():
            if name != "unfinished":
                setattr(self, name, _as_attribute(value))

    def to_dict(self) -> dict[str, Any]:
        """All figures, as in summary.json; a copy."""
        return copy.deepcopy(self._summary)

    @property
    def timeline(self) -> "pandas.DataFrame":
        """What happened, in the order of time, a row an event; empty without `trace=True`.

        Columns: t_ns, pair, event, and what such an event has: side, flow, seq, bytes, held_ns,
        reason, position, phase, epoch, guest, paused_ns, host, step.
        """
        import pandas

        return pandas.DataFrame([json.loads(line) for line in self._timeline.splitlines()])

    def __str__(self) -> str:
        return self._table

    def __repr__(self) -> str:
        state = "" if self.is_well else ", did not end well"
        return (
            f"<colo.Result of {self.workload}, {self.protection}, seed {self.seed}:"
            f" {self.checkpoints} checkpoints, {self.throughput_mbps:.3f} Mbit/s{state}>"
        )


def run(
    *,
    attributes: Mapping[str, object] | None = None,
    progress: Progress | None = None,
    workload: str | None = None,
    requests: int | None = None,
    request_size: int | None = None,
    response_size: int | None = None,
    connections: int | None = None,
    requests_per_connection: int | str | None = None,
    client_ports: int | None = None,
    think_time: Time | None = None,
    clients: int | None = None,
    pairs: int | None = None,
    ip: int | None = None,
    lan: Link | None = None,
    sec_dev: Link | None = None,
    checkpoint_link: Link | None = None,
    divergence: float | None = None,
    lag: Time | None = None,
    seed: int | None = None,
    time: Time | None = None,
    protection: str | None = None,
    interval: Time | None = None,
    fail: str | Iterable[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    pcap: str | Iterable[str] | None = None,
    trace: bool = False,
    netanim: bool = False,
    flow_monitor: bool = False,
    calibration: str | os.PathLike[str] | None = None,
    save_config: str | os.PathLike[str] | None = None,
    config: str | os.PathLike[str] | None = None,
) -> Result:
    """Simulate a workload on a guest pair once, and once without protection to compare.

    The options are those of `./ns3 run colo-scenario -- --help`, which has their defaults and
    ranges; None leaves one as it is there. The same options give the same result. One simulation
    runs at a time in a process, others wait; the GIL is free meanwhile, and Ctrl-C ends it.

    Args:
        attributes: ns-3's, by name: {"ns3::ColoProxy::CompareTimeout": "1s"}.
        progress: Called a few times a second with what is simulated ("unprotected"), simulated
            seconds, requests done, and requests in all.
        workload: Such as "download", "mixed:dns=1,tls=2", "capture:FILE"; by default a captured
            Redis session.
        requests: How many in all.
        request_size: Bytes of each.
        response_size: Bytes of each.
        connections: How many at once.
        requests_per_connection: After which a connection is closed, and another one opened.
        client_ports: How many the clients have, in all.
        think_time: From a response to the next request, a time with its unit: "50ms".
        clients: Hosts that share the connections.
        pairs: Protected guests on the same two hosts.
        ip: 4 or 6.
        lan: What differs about the links of the switch: "rate=1Gbps,loss=0.01" or
            {"rate": "1Gbps", "loss": 0.01}.
        sec_dev: Likewise, of the link on which the hosts forward packets.
        checkpoint_link: Likewise, of the link for the guest's state.
        divergence: Share of responses whose bytes differ, 0 to 1.
        lag: How much later than the primary the secondary gets a frame.
        seed: Of every random stream.
        time: Simulated time at most.
        protection: "none", "colo", "colo-by-segment", "remus" or "lockstep".
        interval: Of checkpoints.
        fail: What goes wrong, and when: "kill-primary@1s", or several of these.
        out: Folder for summary.json, verdicts.jsonl and captures.
        pcap: Links to capture in `out`.
        trace: Keep the timeline: see Result.timeline; in `out` it is timeline.jsonl.
        netanim: Leave netanim.xml in `out`.
        flow_monitor: Count packets with ns-3's FlowMonitor.
        calibration: File with what hosts cost, as coloctl calibrate writes it.
        save_config: File to write all options and attributes to.
        config: File to take them from; what is given here wins.

    Returns:
        The figures. A workload that did not end well is a result too, see Result.is_well.

    Raises:
        UsageError: A ValueError of one line, naming the option that is of no use and its range.
    """
    options = {name: value for name, value in locals().items() if name in BY_NAME}
    options["attributes"] = attributes
    return run_options(options, progress=progress)


def compare(**options: Any) -> "pandas.DataFrame":
    """Run the same under each protection, as `colo-scenario --compare` does.

    Args:
        options: Those of run(), but for `protection`, `fail`, `trace`, `netanim`, `pcap` and
            `flow_monitor`.

    Returns:
        A row a protection, "none" first: `protection`, `throughput_mbps`, `percent_of_none`,
        `latency_ms_mean`, `checkpoints_per_s`, `pause_ms_mean` and so on.

    Raises:
        UsageError: As run() does.
    """
    import pandas

    outcome = _call(_colo.run, ["--compare", *words_of(options)], False, False)
    return pandas.json_normalize(json.loads(outcome["json"])["protections"], sep="_")


def check(options: Mapping[str, Any]) -> None:
    """See whether run() would take these options, without running anything.

    Raises:
        UsageError: It would not, for this reason.
    """
    _call(_colo.check, words_of(options))


def run_options(
    options: Mapping[str, Any], *, progress: Progress | None = None, is_checked: bool = False
) -> Result:
    """run() with its arguments in a mapping; attributes may also be there by their names.

    Args:
        options: By name.
        progress: See run().
        is_checked: They went through check(): attributes are not tried again in a child process,
            as they are by run() lest ns-3 ends this one over a value that it cannot read.
    """
    is_traced = bool(options.get("trace"))
    return Result(_call(_colo.run, words_of(options), is_checked, is_traced, progress))


def words_of(options: Mapping[str, Any]) -> list[str]:
    """Options as a command line of colo-scenario.

    Raises:
        UsageError: There is no such option, or its value can never be one.
    """
    words = []
    for name, value in {**options, **(options.get("attributes") or {})}.items():
        if name == "attributes" or value is None:
            continue
        if ATTRIBUTE.fullmatch(name):
            words.append(f"--{name}={_text(name, value)}")
        elif name not in BY_NAME:
            raise UsageError(f"{name}: there is no such option; colo run --help lists them")
        elif BY_NAME[name].kind:
            words.append(f"{BY_NAME[name].word}={_text(name, value)}")
        elif not isinstance(value, bool) and value not in ("", 0, 1):
            raise UsageError(f"{name}: is True or False, not {value!r}")
        elif value:
            words.append(BY_NAME[name].word)
    if options.get("out") is None and "--trace" in words:
        words.remove("--trace")  # no file, but Result.timeline
    return words


def _text(name: str, value: Any) -> str:
    """A value in colo-scenario's words."""
    if hasattr(value, "item") and not getattr(value, "shape", ()):
        value = value.item()  # of NumPy
    if isinstance(value, bool):
        if name in BY_NAME:
            raise UsageError(f"{name}: is {BY_NAME[name].kind}, not {value}")
        return str(value).lower()
    if isinstance(value, (str, os.PathLike)):
        return os.fspath(value)
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, timedelta):
        return with_unit(value)
    if isinstance(value, Mapping):
        return ",".join(f"{key.replace('_', '-')}={_text(name, part)}" for key, part in value.items())
    if isinstance(value, (list, tuple)):
        return ",".join(_text(name, part) for part in value)
    raise UsageError(f"{name}: no use for {value!r}")


def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    """What the programs call --sec-dev is sec_dev here, in messages too."""
    try:
        return function(*arguments)
    except UsageError as error:
        text = re.sub(r"^option --(ns3::)", r"\1", str(error))
        text = re.sub(r"^option ", "", text)
        raise UsageError(re.sub(r"--([a-z][a-z-]*)", _as_name, text)) from None


def _as_name(match: re.Match[str]) -> str:
    name = match[1].replace("-", "_")
    return name if name in BY_NAME else match[0]


def _as_attribute(value: Any) -> Any:
    if isinstance(value, dict) and tuple(value) == tuple(Distribution.__dataclass_fields__):
        return Distribution(**value)
    if isinstance(value, dict):
        return {name: _as_attribute(part) for name, part in value.items()}
    return value
