# SPDX-License-Identifier: GPL-2.0-only
"""The comparison, packet by packet."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, NamedTuple

from colo import _colo
from colo._errors import UsageError
from colo._replay_options import Time, call, words_of
from colo._units import seconds

NS_MAX = 100 * 365 * 24 * 3600 * 10**9  # a century


class Verdict(NamedTuple):
    """Something that the comparison decided, in columns like those of colo.replay()."""

    t_s: float  # since the comparator's beginning
    event: str  # "release", "hold", "drop", "mismatch" or "commit", which is a checkpoint
    side: str | None  # whose packet: "primary" or "secondary"
    packet: int | None  # its number among those of its side, from 1 on
    flow: str | None
    reason: str  # see colo.rules
    position: int | None  # in the stream, in the primary's numbering
    held_s: float | None  # until then
    primary: str | None  # first bytes that differ, in hexadecimal digits
    secondary: str | None
    part: bool  # some segments of a packet, whose rest is held
    again: bool  # a copy of a packet that left before
    frame: bytes | None  # what leaves

    def __repr__(self) -> str:
        words = [f"{self.t_s:.6f} s", self.event]
        if self.packet:
            words.append(f"{self.side} packet {self.packet}")
        words += ["part of it"] * self.part + ["again"] * self.again
        more = [] if self.event == "hold" else [self.reason]
        if self.flow:
            more.append(self.flow)
        if self.position is not None:
            more.append(f"position {self.position}")
        if self.primary or self.secondary:
            more.append(f"primary {self.primary or '-'}, secondary {self.secondary or '-'}")
        if self.held_s:
            more.append(f"held {self.held_s * 1000:g} ms")
        if self.frame is not None:
            more.append(f"{len(self.frame)} bytes")
        return f"<{' '.join(words)}: {', '.join(more)}>" if more else f"<{' '.join(words)}>"


class Comparator:
    """What the proxy of a primary host does with packets of both guests, by the same code.

        comparator = colo.Comparator(ack="clamp")
        comparator.primary(frame)    # held
        comparator.secondary(frame)  # the same bytes: released

    Frames are Ethernet's, as bytes, without their checksum. Times are seconds as a number, a text
    with its unit ("1.5ms") or a timedelta, since the comparator's beginning; they never go back,
    and None is the time of the call before. Whatever is due by then happens first, and is told.

    Each comparator is on its own. One is for one thread at a time.
    """

    def __init__(
        self,
        guest: str | Iterable[str] | None = None,
        *,
        fix_isn: bool = False,
        checkpoint: Time = "5ms",
        compare_timeout: Time = "3s",
        ack: str = "hold",
        gso_size: int = 0,
        link: str = "ethernet",
    ) -> None:
        """The options are those of `colo-replay --help`.

        Args:
            guest: Its addresses, if what is given to primary() and secondary() is also what was
                sent to it, as in a capture; else the guests sent all of that.
            fix_isn: The secondary's sequence numbers are its own: rewrite them first.
            checkpoint: From the request of a checkpoint to its end; or "never", then only
                commit() makes one.
            compare_timeout: Longest time a packet is held before a checkpoint is asked for.
            ack: "hold" or "clamp": an ack ahead of the secondary's waits, or is lowered.
            gso_size: Payload bytes of the segments of a larger packet; 0 takes it as one.
            link: "ethernet", or "ip": what is given, and what leaves, has no link header.

        Raises:
            UsageError: A ValueError of one line, naming the option.
        """
        if link not in ("ethernet", "ip"):
            raise UsageError(f"link: {link!r} is neither 'ethernet' nor 'ip'")
        words = words_of(
            guest=guest,
            fix_isn=fix_isn,
            checkpoint=checkpoint,
            compare_timeout=compare_timeout,
            ack=ack,
            gso_size=gso_size,
        )
        self._engine = call(_colo.Comparator, words, link == "ip")
        self._ns = 0

    def primary(self, frame: Any, time: float | Time | None = None) -> list[Verdict]:
        """Give a frame that the primary guest sent.

        Args:
            frame: Its bytes, or what has the buffer protocol.
            time: When it was sent.

        Returns:
            What that decided, in order: about other packets, too, and a "hold" if this one has to
            wait.

        Raises:
            ValueError: The time is before that of the last call, or the frame is too large.
        """
        return self._call(self._engine.primary, _bytes(frame), self._forward(time))

    def secondary(self, frame: Any, time: float | Time | None = None) -> list[Verdict]:
        """Give a frame that the secondary guest sent; otherwise like primary()."""
        return self._call(self._engine.secondary, _bytes(frame), self._forward(time))

    def client(self, frame: Any, time: float | Time | None = None) -> list[Verdict]:
        """Give a frame that is for the guests, in the primary's numbering; like primary()."""
        return self._call(self._engine.client, _bytes(frame), self._forward(time))

    def advance(self, time: float | Time) -> list[Verdict]:
        """Let time pass, until `time`.

        Returns:
            What became due: packets that waited too long, checkpoints.

        Raises:
            ValueError: It is before that of the last call.
        """
        return self._call(self._engine.advance, self._forward(time))

    def commit(self) -> list[Verdict]:
        """Make a checkpoint now: the one that was asked for, or else one of the operator's.

        Returns:
            The "commit", and releases of all that was held.
        """
        return self._call(self._engine.commit)

    @property
    def held(self) -> list[Verdict]:
        """A "hold" for each packet that waits, in the order in which they came."""
        return self._call(self._engine.held)

    @property
    def time_s(self) -> float:
        """Seconds since the beginning, of the last call."""
        return self._ns / 1e9

    def summary(self) -> dict[str, Any]:
        """Sums of all verdicts, like `attrs["summary"]` of colo.replay()."""
        summary: dict[str, Any] = self._engine.summary()
        return summary

    def __repr__(self) -> str:
        return f"<colo.Comparator at {self.time_s:g} s, {len(self._engine.held())} packets held>"

    def _forward(self, time: float | Time | None) -> int:
        ns = self._ns if time is None else _nanoseconds(time)
        if ns < self._ns:
            raise UsageError(f"time: {time} is before {self.time_s:.9g} s, and never goes back")
        self._ns = ns
        return ns

    @staticmethod
    def _call(function: Any, *arguments: Any) -> list[Verdict]:
        return [Verdict._make(fields) for fields in call(function, *arguments)]


def _bytes(frame: Any) -> bytes:
    try:
        return bytes(memoryview(frame))
    except TypeError:
        raise UsageError(f"frame: is bytes, not {type(frame).__name__}") from None


def _nanoseconds(time: float | Time) -> int:
    if isinstance(time, timedelta):
        time = time.total_seconds()
    try:
        ns = round((seconds(time) if isinstance(time, str) else float(time)) * 1e9)
    except UsageError as error:
        raise UsageError(f"time: {error}") from None
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"time: {time!r} is no time") from None
    if not 0 <= ns <= NS_MAX:
        raise UsageError(f"time: {time} is not in 0 s to 100 years")
    return ns
