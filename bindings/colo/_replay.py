# SPDX-License-Identifier: GPL-2.0-only
"""Two captures through the comparison: what `colo-replay` does, as a table to go on with."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from colo import _colo, rules
from colo._replay_options import Path, Time, call, words_of

if TYPE_CHECKING:
    import numpy
    import pandas

SIDES = ("primary", "secondary")


def replay(
    primary: Path,
    secondary: Path,
    *,
    guest: str | Iterable[str] | None = None,
    fix_isn: bool = False,
    checkpoint: Time = "5ms",
    compare_timeout: Time = "3s",
    ack: str = "hold",
    shift_secondary: Time = "0s",
    gso_size: int = 0,
    released: Path | None = None,
) -> "pandas.DataFrame":
    """Put captures of what both guests sent through the proxy of a primary host.

    The options are those of `colo-replay --help`. The GIL is free meanwhile, and Ctrl-C ends it.

    Args:
        primary: Capture of the primary guest, pcap or pcapng, also compressed by gzip.
        secondary: Capture of the secondary guest.
        guest: Its addresses, if the captures hold both directions.
        fix_isn: The secondary's sequence numbers are its own: rewrite them first.
        checkpoint: From the request of a checkpoint to its end; or "never".
        compare_timeout: Longest time a packet is held before a checkpoint is asked for.
        ack: "hold" or "clamp": an ack ahead of the secondary's waits, or is lowered.
        shift_secondary: Added to the secondary's stamps; also below zero.
        gso_size: Payload bytes of the segments of a larger packet; 0 takes it as one.
        released: File for a capture of what a client would have been sent, and when.

    Returns:
        A row a verdict, in the order of time:

        - `t_s`: seconds since the first packet of both captures.
        - `event`: "release", "drop", "mismatch", "commit" (a checkpoint) or "held-at-end".
        - `side`, `packet`: whose packet and its number in that capture, from 1 on; of a mismatch,
          the one whose arrival showed it.
        - `flow`, `reason` (see colo.rules), `position` in the primary's numbering.
        - `held_s`: seconds from the packet's arrival until then.
        - `primary`, `secondary`: of a mismatch, the first bytes that differ, in hexadecimal
          digits.
        - `part`, `again`: only some segments of a packet; a copy of one that left before.

        `attrs["summary"]` has the sums, `stopped` among them: why it ended before the captures
        did, as one is damaged; "" if it did not. `attrs["report"]` is colo-replay's table.

    Raises:
        UsageError: A ValueError of one line, naming the option or file that is of no use.
    """
    words = words_of(
        primary=primary,
        secondary=secondary,
        guest=guest,
        fix_isn=fix_isn,
        checkpoint=checkpoint,
        compare_timeout=compare_timeout,
        ack=ack,
        shift_secondary=shift_secondary,
        gso_size=gso_size,
        released=released,
    )
    columns, summary, report = call(_colo.replay, words)
    table = _table(columns)
    table.attrs["summary"] = summary
    table.attrs["report"] = report
    return table


def _table(columns: dict[str, Any]) -> "pandas.DataFrame":
    import pandas

    def named(name: str, names: Iterable[str]) -> "pandas.Categorical":
        codes = pandas.Categorical.from_codes(columns[name], list(names))
        return codes.remove_unused_categories()

    def numbers(name: str) -> "pandas.arrays.IntegerArray":
        return pandas.arrays.IntegerArray(columns[name], columns[name] < 0)

    held_s = columns["held_ns"] / 1e9
    held_s[columns["held_ns"] < 0] = float("nan")
    return pandas.DataFrame(
        {
            "t_s": columns["ns"] / 1e9,
            "event": named("event", _colo.EVENTS),
            "side": named("side", SIDES),
            "packet": numbers("packet"),
            "flow": named("flow", columns["flows"]),
            "reason": named("reason", rules.names()),
            "position": numbers("position"),
            "held_s": held_s,
            "primary": _sparse(columns, "primary"),
            "secondary": _sparse(columns, "secondary"),
            "part": columns["part"].astype(bool),
            "again": columns["again"].astype(bool),
        }
    )


def _sparse(columns: dict[str, Any], name: str) -> "numpy.ndarray[Any, Any]":
    """Only mismatches have bytes."""
    import numpy

    texts = numpy.full(len(columns["ns"]), None, dtype=object)
    texts[columns["mismatches"]] = columns[name]
    return texts
