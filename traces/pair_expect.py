# SPDX-License-Identifier: GPL-2.0-only
"""What a replay of two captures has to find, worked out from whole streams in plain Python.

It shares no code with the comparison core and does not go packet by packet: it puts both
guests' streams together and compares those.
"""

import ipaddress
import struct
from collections import Counter, defaultdict, namedtuple

from pair_frames import ACK, ETHERNET, FIN, ICMP, ICMPV6, RST, SYN, TCP, UDP, CIRCLE
from pair_frames import Unequal, parse, parse_tcp, read_capture

COMMIT_NS = 5_000_000
TIMEOUT_NS = 3_000_000_000
MSS, WINDOW_SCALE, SACK_PERMITTED, TIMESTAMPS = 2, 3, 4, 8
ECHO_REPLY = {ICMP: 0, ICMPV6: 129}

# start and end count from the guest's ISN, ack from the client's; number is the frame's.
Sent = namedtuple("Sent", "number t_ns start end ack flags payload")


class Stream:
    """What one guest sent in one connection."""

    def __init__(self, isn, options):
        self.isn = isn
        self.options = options
        self.client_isn = None
        self.sent = []

    def add(self, number, t_ns, segment):
        start = (segment.seq - self.isn) % CIRCLE
        end = start + len(segment.payload) + bool(segment.flags & (SYN | FIN))
        if self.client_isn is None and segment.flags & ACK:
            self.client_isn = segment.ack - 1
        ack = (segment.ack - self.client_isn) % CIRCLE if segment.flags & ACK else 0
        self.sent.append(Sent(number, t_ns, start, end, ack, segment.flags, segment.payload))

    def bytes(self):
        """All bytes from position 1 on; retransmissions must repeat what was sent."""
        ends = [s.start + len(s.payload) for s in self.sent if s.payload]
        content = bytearray(max(ends, default=1))
        known = bytearray(len(content))
        for s in self.sent:
            place = slice(s.start, s.start + len(s.payload))
            if any(k and a != b for k, a, b in zip(known[place], content[place], s.payload)):
                raise Unequal("a guest retransmits other bytes")
            content[place] = s.payload
            known[place] = b"\1" * len(s.payload)
        if not all(known[1:]):
            raise Unequal("a stream has a gap")
        return bytes(content[1:])

    def fin(self):
        return max((s.end for s in self.sent if s.flags & FIN), default=None)

    def repeats(self):
        """The ends of the segments that were sent again."""
        high, found = 0, []
        for s in self.sent:
            if s.end <= high and (s.payload or s.flags & FIN):
                found.append(s.end)
            high = max(high, s.end)
        return found

    def resets(self):
        return {s.start for s in self.sent if s.flags & RST}

    def reaches_at(self, position, ack=0):
        """When all up to position was sent, and as much acknowledged; None if never."""
        high = high_ack = 0
        for s in self.sent:
            high, high_ack = max(high, s.end), max(high_ack, s.ack)
            if high >= position and high_ack >= ack:
                return s.t_ns
        return None

    def reached_by(self, t_ns):
        return max((s.end for s in self.sent if s.t_ns <= t_ns), default=0)


class Guest:
    """What a capture shows of the guest that has these addresses."""

    def __init__(self, path, addresses):
        self.streams = {}  # by tuple and which use of it this is
        self.datagrams = defaultdict(list)  # (frame number, t_ns, what counts of it) of each flow
        self.numbers = []  # of the frames that the guest sent, from 1
        self._uses = Counter()
        self._pieces = defaultdict(dict)
        link_type, frames = read_capture(path)
        for number, (t_ns, data) in enumerate(frames, 1):
            packet = parse(data, link_type)
            outward = (packet.source if packet else arp_sender(data, link_type)) in addresses
            if not outward:
                continue
            self.numbers.append(number)
            if packet and packet.protocol == TCP:
                self._tcp(number, t_ns, packet, parse_tcp(data, packet), data)
            elif packet and not is_neighbour_discovery(packet, data):
                self._datagram(number, t_ns, packet, data)

    def _tcp(self, number, t_ns, packet, segment, data):
        near = packet.source, segment.source_port
        far = packet.destination, segment.destination_port
        key = packet.tags, near, far
        stream = self.streams.get((*key, self._uses[key]))
        if not stream or segment.flags & SYN and stream.isn != segment.seq:
            self._uses[key] += 1
            stream = Stream(segment.seq, syn_options(data, segment))
            self.streams[(*key, self._uses[key])] = stream
        stream.add(number, t_ns, segment)

    def _datagram(self, number, t_ns, packet, data):
        payload = bytes(data[packet.start : packet.end])
        if packet.fragment:
            identifier, offset, more = packet.fragment
            pieces = self._pieces[packet.source, packet.protocol, identifier]
            pieces[offset] = payload, more
            payload, at = b"", 0
            while at in pieces:
                piece, more = pieces[at]
                payload, at = payload + piece, at + len(piece)
            if more or len(payload) != sum(len(piece) for piece, _ in pieces.values()):
                return
            pieces.clear()
        (here, there), what = what_counts(packet.protocol, payload)
        key = packet.tags, (packet.source, here), (packet.destination, there), packet.protocol
        self.datagrams[key].append((number, t_ns, what))


def arp_sender(data, link_type):
    is_arp = link_type == ETHERNET and data[12:14] == b"\x08\x06"
    return str(ipaddress.ip_address(data[28:32])) if is_arp else None


def is_neighbour_discovery(packet, data):
    is_whole = packet.protocol == ICMPV6 and not packet.fragment
    return is_whole and data[packet.start] in range(133, 138)


def syn_options(data, segment):
    found = set()
    for kind, (at, size) in segment.options.items():
        if kind in (MSS, WINDOW_SCALE):
            found.add((kind, bytes(data[at : at + size])))
        elif kind in (SACK_PERMITTED, TIMESTAMPS):
            found.add(kind)
    return found


def what_counts(protocol, payload):
    """A datagram's ports, or what takes their place, and what both guests must agree on."""
    if protocol == UDP:
        return struct.unpack_from(">HH", payload), payload[8:]
    if protocol in ECHO_REPLY and payload[0] == ECHO_REPLY[protocol]:
        return (int.from_bytes(payload[4:6], "big"), 0), payload[:2] + payload[6:]
    if protocol == ICMP:  # an error: addresses and ports of what it quotes
        return (0, 0), payload[:2] + payload[4:8] + payload[20:32]
    return (0, 0), payload


def name(key):
    (near, near_port), (far, far_port) = key[1:3]
    return f"{near}:{near_port} > {far}:{far_port}"


def judge_stream(primary, secondary):
    """Raw positions of the mismatches, and the longest time that a packet is held."""
    if primary.options != secondary.options:
        raise Unequal("the SYN options differ")
    # Once its side of a connection is closed, a guest may reset what the other still answers.
    end = max(s.end for s in primary.sent)
    resets = {position for position in secondary.resets() if position < end}
    if primary.fin() != secondary.fin() or not resets <= primary.resets() <= secondary.resets():
        raise Unequal("the guests end at different positions")
    ours, theirs = primary.bytes(), secondary.bytes()
    if len(ours) != len(theirs):
        raise Unequal("the streams differ in length")
    mismatches, commits, cursor = [], [], 0
    while ours[cursor:] != theirs[cursor:]:
        at = next(i for i in range(cursor, len(ours)) if ours[i] != theirs[i])
        mismatches.append((primary.isn + 1 + at) % CIRCLE)
        commit_ns = COMMIT_NS + max(s.reaches_at(at + 2) for s in (primary, secondary))
        commits.append((commit_ns, primary.reached_by(commit_ns)))
        cursor = max(cursor, commits[-1][1] - 1)
    held_ns = 0
    for s in primary.sent:
        free_ns = secondary.reaches_at(s.end, s.ack)
        commit_ns = next((t_ns for t_ns, _ in commits if t_ns >= s.t_ns), None)
        ways = [t_ns for t_ns in (free_ns, commit_ns) if t_ns is not None]
        if not ways:
            raise Unequal(f"the secondary never reaches frame {s.number}")
        held_ns = max(held_ns, min(ways) - s.t_ns)
    return mismatches, held_ns


def judge_datagrams(primary, secondary):
    """How often a datagram's partner never comes, and the longest time that one is held."""
    partners = defaultdict(list)
    for _, t_ns, what in secondary:
        partners[what].append(t_ns)
    missing = held_ns = free_ns = commit_ns = 0
    for _, t_ns, what in primary:
        # A datagram leaves after those that the primary sent before it.
        if partners[what]:
            free_ns = max(free_ns, partners[what].pop(0))
        elif t_ns > commit_ns:
            missing += 1
            free_ns = commit_ns = t_ns + TIMEOUT_NS + COMMIT_NS
        held_ns = max(held_ns, free_ns - t_ns)
    return missing, held_ns


def expect(primary_path, secondary_path, addresses):
    """The body of expected.json, but for what a person has to say."""
    primary, secondary = (Guest(path, addresses) for path in (primary_path, secondary_path))
    for kind in ("streams", "datagrams"):
        if set(getattr(primary, kind)) != set(getattr(secondary, kind)):
            raise Unequal("the guests have different flows")
    mismatches, held_ns = [], 0
    for key, stream in primary.streams.items():
        positions, stream_held_ns = judge_stream(stream, secondary.streams[key])
        mismatches += [
            {"reason": "bytes", "flow": name(key), "position": position} for position in positions
        ]
        held_ns = max(held_ns, stream_held_ns)
    for key, datagrams in primary.datagrams.items():
        missing, flow_held_ns = judge_datagrams(datagrams, secondary.datagrams[key])
        mismatches += [{"reason": "timeout-data", "flow": name(key) + " udp", "position": None}] * missing
        held_ns = max(held_ns, 0 if missing else flow_held_ns)
    if held_ns >= TIMEOUT_NS / 2:
        raise Unequal(f"a packet is held for {held_ns} ns, too close to the compare timeout")
    return {
        "mismatches": mismatches,
        "released_packets": len(primary.numbers),
        "held_at_end": 0,
    }
