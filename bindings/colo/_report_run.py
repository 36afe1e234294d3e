# SPDX-License-Identifier: GPL-2.0-only
"""What a page shows of one run, read from the folder that colo-scenario left."""

import json
from collections import defaultdict, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Iterator, TypeGuard

from colo._errors import UsageError

SUMMARY = "summary.json"
TIMELINE = "timeline.jsonl"
TEXT_MAX = 300  # characters of a name: far more than any has
WHOLE_MAX = 2**53  # beyond it JavaScript's numbers have gaps
RELEASED, RESENT, DROPPED, STILL_HELD = range(4)
OUTCOMES = {"release": RELEASED, "resend": RESENT, "drop": DROPPED}
GUESTS = ("primary", "secondary")
OWN_COLUMNS = ("what", "pair", "seq", "bytes", "side")
PACKET_COLUMNS = ("from", "held", "flow", "reason", *OWN_COLUMNS)


@dataclass
class Bounds:
    """How much more fits into the page; what does not is counted and said."""

    packets: int = 200_000
    others: int = 50_000  # checkpoints, pauses, mismatches
    frame_digits: int = 8_000_000


@dataclass
class Names:
    """Texts that are said often, by number."""

    texts: list[str] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)

    def number(self, text: str) -> int:
        if text not in self.numbers:
            self.numbers[text] = len(self.texts)
            self.texts.append(text)
        return self.numbers[text]


@dataclass
class Packet:
    """From when it began to wait until it left; the same moment if it did not wait."""

    start: int
    end: int
    what: int
    pair: int
    flow: str
    seq: int
    bytes: int
    reason: str
    side: int


def is_run(folder: Path) -> bool:
    """Whether a run has left its results there."""
    return (folder / SUMMARY).is_file() or (folder / TIMELINE).is_file()


def read_object(path: Path) -> dict[str, Any]:
    """Reads a JSON object.

    Raises:
        UsageError: The file cannot be read, or has none.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"{path}: is no JSON: {error}") from None
    except RecursionError:
        raise UsageError(f"{path}: is nested too deeply") from None
    if not isinstance(found, dict):
        raise UsageError(f"{path}: is no JSON object")
    return found


def read_lines(path: Path) -> Iterator[dict[str, Any] | None]:
    """Yields each line's object, None for a line without one, such as a torn last line."""
    with path.open("rb") as file:
        for line in file:
            try:
                found = json.loads(line)
            except (ValueError, RecursionError):
                found = None
            yield found if isinstance(found, dict) else None


def is_whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < WHOLE_MAX


def whole(event: dict[str, Any], name: str) -> int:
    value = event.get(name)
    return value if is_whole(value) else 0


def text(event: dict[str, Any], name: str) -> str:
    value = event.get(name)
    return value[:TEXT_MAX] if isinstance(value, str) else ""


def hex_frame(value: Any) -> dict[str, Any] | None:
    """A guest's packet as a mismatch has it; None if it is not there or no hex digits."""
    if not isinstance(value, dict):
        return None
    digits = value.get("frame")
    try:
        frame = bytes.fromhex(digits) if isinstance(digits, str) else b""
    except ValueError:
        return None
    if not frame:
        return None
    return {"frame": frame.hex(), "bytes": max(len(frame), whole(value, "bytes"))}


class RunReader:
    """Gathers the events of one timeline, as the page's JavaScript wants them."""

    def __init__(self, bounds: Bounds, packets_max: int) -> None:
        self.bounds = bounds
        self.packets_max = packets_max
        self.packets: list[Packet] = []
        self.flows = Names()
        self.reasons = Names()
        self.mismatches: list[dict[str, Any]] = []
        self.failovers: list[dict[str, Any]] = []
        self.pauses: list[dict[str, Any]] = []
        self.checkpoints: dict[tuple[int, int], dict[str, Any]] = {}
        self.pairs: set[int] = set()
        self.waiting: dict[tuple[int, str, int, int], deque[Packet]] = defaultdict(deque)
        self.pausing: dict[tuple[int, str], dict[str, Any]] = {}
        self.span: list[int] = []
        self.unusable = 0
        self.packets_left_out = 0
        self.others_left_out = 0
        self.frames_left_out = 0
        self.noters = {
            "hold": self.note_hold,
            "mismatch": self.note_mismatch,
            "checkpoint": self.note_checkpoint,
            "pause": self.note_pause,
            "resume": self.note_resume,
            "stale": self.note_failover,
            "failover": self.note_failover,
            **dict.fromkeys(OUTCOMES, self.note_outcome),
        }

    def read(self, path: Path) -> None:
        for event in read_lines(path):
            if event is None or not is_whole(event.get("t_ns")):
                self.unusable += 1
            else:
                self.note(event)
        end = self.span[1] if self.span else 0
        for packet in self.packets:
            if packet.what == STILL_HELD:
                packet.end = end
        for pause in self.pausing.values():
            pause["till"] = end

    def note(self, event: dict[str, Any]) -> None:
        name = text(event, "event")
        if name not in self.noters:
            self.unusable += 1
            return
        t, pair = event["t_ns"], whole(event, "pair")
        self.span = [min(t, *self.span), max(t, *self.span)] if self.span else [t, t]
        self.pairs.add(pair)
        self.noters[name](event, t, pair)

    def packet_of(self, event: dict[str, Any], t: int, pair: int, what: int) -> Packet:
        return Packet(
            start=t,
            end=t,
            what=what,
            pair=pair,
            flow=text(event, "flow"),
            seq=whole(event, "seq"),
            bytes=whole(event, "bytes"),
            reason=text(event, "reason"),
            side=int(text(event, "side") == "secondary"),
        )

    def add_packet(self, packet: Packet) -> None:
        if len(self.packets) < self.packets_max:
            self.packets.append(packet)
        else:
            self.packets_left_out += 1

    def note_hold(self, event: dict[str, Any], t: int, pair: int) -> None:
        packet = self.packet_of(event, t, pair, STILL_HELD)
        self.waiting[pair, packet.flow, packet.seq, packet.bytes].append(packet)
        self.add_packet(packet)

    def note_outcome(self, event: dict[str, Any], t: int, pair: int) -> None:
        packet = self.packet_of(event, t, pair, OUTCOMES[event["event"]])
        key = (pair, packet.flow, packet.seq, packet.bytes)
        if key in self.waiting and packet.what != RESENT:  # else a copy leaves, the packet stays
            held = self.waiting[key].popleft()
            if not self.waiting[key]:
                del self.waiting[key]
            held.end, held.what, held.reason = t, packet.what, packet.reason
        else:
            self.add_packet(packet)

    def has_room(self) -> bool:
        if self.bounds.others > 0:
            self.bounds.others -= 1
            return True
        self.others_left_out += 1
        return False

    def note_mismatch(self, event: dict[str, Any], t: int, pair: int) -> None:
        if not self.has_room():
            return
        mismatch = {
            "t": t,
            "pair": pair,
            "flow": text(event, "flow"),
            "position": whole(event, "position"),
            "reason": text(event, "reason"),
        }
        frames = {role: hex_frame(event.get(role)) for role in GUESTS}
        digits = sum(len(frame["frame"]) for frame in frames.values() if frame)
        if digits > self.bounds.frame_digits:
            mismatch["frames_left_out"] = True
            self.frames_left_out += 1
        else:
            self.bounds.frame_digits -= digits
            mismatch.update(frames)
        self.mismatches.append(mismatch)

    def note_checkpoint(self, event: dict[str, Any], t: int, pair: int) -> None:
        epoch = whole(event, "epoch")
        if (pair, epoch) not in self.checkpoints:
            if not self.has_room():
                return
            self.checkpoints[pair, epoch] = {
                "pair": pair,
                "epoch": epoch,
                "reason": text(event, "reason"),
                "phases": {},
            }
        self.checkpoints[pair, epoch]["phases"][text(event, "phase")] = t

    def note_pause(self, event: dict[str, Any], t: int, pair: int) -> None:
        guest = text(event, "guest")
        if guest in GUESTS and self.has_room():
            pause = {"pair": pair, "guest": guest, "from": t, "till": t}
            self.pausing[pair, guest] = pause
            self.pauses.append(pause)

    def note_resume(self, event: dict[str, Any], t: int, pair: int) -> None:
        pause = self.pausing.pop((pair, text(event, "guest")), None)
        if pause:
            pause["till"] = t

    def note_failover(self, event: dict[str, Any], t: int, pair: int) -> None:
        if self.has_room():
            step = text(event, "step") or "stale"
            self.failovers.append({"t": t, "pair": pair, "host": text(event, "host"), "step": step})

    def columns(self) -> dict[str, list[int]]:
        """Packets in the order of their beginnings, each told as the time since the one before."""
        columns: dict[str, list[int]] = {name: [] for name in PACKET_COLUMNS}
        last = 0
        for packet in sorted(self.packets, key=lambda packet: packet.start):
            columns["from"].append(packet.start - last)
            columns["held"].append(max(0, packet.end - packet.start))
            columns["flow"].append(self.flows.number(packet.flow))
            columns["reason"].append(self.reasons.number(packet.reason))
            for name in OWN_COLUMNS:
                columns[name].append(getattr(packet, name))
            last = packet.start
        return columns

    def notes(self) -> list[str]:
        """What the page cannot show, a sentence each."""
        shown = len(self.packets)
        said = [
            (self.unusable, "{:,} lines of the timeline could not be used."),
            (
                self.packets_left_out,
                f"Only the first {shown:,} packets are shown; {{:,}} have been left out.",
            ),
            (self.others_left_out, "{:,} mismatches, checkpoints and pauses have been left out."),
            (self.frames_left_out, "The packets of {:,} mismatches have been left out."),
        ]
        return [sentence.format(count) for count, sentence in said if count]


def read_timeline(path: Path, name: str, bounds: Bounds, packets_max: int) -> dict[str, Any]:
    """Reads a run's timeline.

    Args:
        path: Of timeline.jsonl.
        name: Of the run, for the page.
        bounds: How much fits into the page; lowered by what this takes.
        packets_max: How many packets of them this run may take.

    Returns:
        What lanes.js draws, and `notes`, what it cannot. Times are in nanoseconds.

    Raises:
        UsageError: The file cannot be read.
    """
    reader = RunReader(bounds, packets_max)
    try:
        reader.read(path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    bounds.packets -= len(reader.packets)
    start, end = reader.span or (0, 0)
    return {
        "name": name,
        "from": start,
        "till": end,
        "pairs": sorted(reader.pairs),
        "packets": reader.columns(),
        "flows": reader.flows.texts,
        "reasons": reader.reasons.texts,
        "mismatches": sorted(reader.mismatches, key=lambda mismatch: mismatch["t"]),
        "checkpoints": list(reader.checkpoints.values()),
        "pauses": reader.pauses,
        "failovers": reader.failovers,
        "notes": reader.notes(),
    }
