#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Records pairs/ anew, or those pairs that are named: record-pairs.py [--out=DIR] [NAME ...]

A pair is what a primary and a secondary guest, both real Linux TCP/IP, sent and received in
one session with one client. As root; needs tcpdump, ping, ip, sysctl, and /dev/net/tun.
No packet leaves the namespaces. README.md says what each pair is for.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
from collections import namedtuple
from pathlib import Path

sys.dont_write_bytecode = True

from pair_expect import Guest, expect
from pair_frames import ACK, ETHERNET, RAW_IP, SYN, TCP, CIRCLE
from pair_frames import Unequal, parse, parse_tcp, read_capture, renumber, tagged, timestamps
from pair_frames import write_pcap, write_pcapng
from pair_world import GUESTS, MAC, World

TOOLS = {"tcpdump": "tcpdump", "ping": "iputils-ping", "ip": "iproute2", "sysctl": "procps"}
GUEST4, GUEST6 = "10.0.0.2", "fd00::2"
# When each capture begins: it says nothing of where and when it was made.
START_NS = 1767225600 * 10**9
# Where frames are lost, chance may do something that the pair is not about.
ATTEMPTS = 5
DOT1Q, DOT1AD = 0x8100, 0x88A8


# Multicast is the guests' own affair, but for questions for each other's MAC address.
TALKING = "(ip or ip6) and not ether multicast"
ASKING = "not dst host ff02::16"


class Pair:
    def __init__(
        self,
        why,
        guests=(GUEST4,),
        fixed=False,
        wraps_at=None,
        tags=(),
        raw=False,
        form="ns",
        loss=None,
        secondary_mtu=1500,
        neighbours=False,
    ):
        self.why = why
        self.guests = guests
        self.fixed = fixed  # the secondary is recorded behind the sequence fix
        self.wraps_at = wraps_at  # bytes of the primary's stream before its position is 2^32
        self.tags = tags
        self.raw = raw
        self.form = form
        self.loss = loss or {}
        self.secondary_mtu = secondary_mtu
        self.neighbours = neighbours  # ask for each other's MAC address, in the capture as well


PAIRS = {
    "request-response": Pair(
        "Both guests send equal responses, cut differently: bytes decide, so no checkpoint.",
    ),
    "download": Pair(
        "Equal bulk data; the primary's positions pass 2^32 in its middle.", wraps_at=150000
    ),
    "upload": Pair(
        "Equal digests; the guests acknowledge at different times, so acks wait for each other.",
        fixed=True,
    ),
    "dns-udp": Pair(
        "The secondary answers some queries in another order, and datagrams match in any order.",
        guests=(GUEST4, GUEST6),
        form="us",
    ),
    "ping": Pair(
        "Several ping programs at once: each identifier is a flow of its own.",
        guests=(GUEST4, GUEST6),
        form="pcapng",
        neighbours=True,
    ),
    "ipv6": Pair("Equal responses over IPv6, one connection after another.", guests=(GUEST6,)),
    "divergent": Pair(
        "Two of five responses carry a session identifier, which each guest draws for itself.",
        fixed=True,
    ),
    "datagram-differs": Pair(
        "The secondary never sends the second of four datagrams: only a timeout shows that.",
    ),
    "fragments": Pair(
        "Equal datagrams, cut for an MTU of 1500 by the primary and of 1400 by the secondary.",
        guests=(GUEST4, GUEST6),
        secondary_mtu=1400,
    ),
    "vlan": Pair(
        "Equal responses and datagrams with an 802.1Q tag.",
        guests=(GUEST4, GUEST6),
        tags=((DOT1Q, 100),),
    ),
    "qinq": Pair(
        "Equal responses with an 802.1ad and an 802.1Q tag.", tags=((DOT1AD, 200), (DOT1Q, 100))
    ),
    "tuple-reuse": Pair(
        "One tuple, three connections: after TIME_WAIT, and after the client's reset.", raw=True
    ),
    "guest-opens": Pair(
        "The guests open the connections, so the secondary's SYN teaches its numbering.",
        guests=(GUEST4, GUEST6),
    ),
    "loss": Pair(
        "Frames are lost towards the client and, independently, towards each guest: what only"
        " one guest retransmits is no mismatch.",
        loss={"client": 0.04, "primary": 0.15, "secondary": 0.15},
    ),
}


class Numbering:
    """Where a guest's numbers begin in each connection of its capture."""

    def __init__(self, frames):
        self.start = {}  # (isn, first timestamp) by tuple and how often it was used before
        self.places = []  # each frame's packet, segment, direction and connection
        generation, opener = {}, {}
        for _, data in frames:
            packet = parse(data)
            if not packet or packet.protocol != TCP:
                self.places.append(None)
                continue
            segment = parse_tcp(data, packet)
            from_guest = packet.source in (GUEST4, GUEST6)
            near = packet.source, segment.source_port
            far = packet.destination, segment.destination_port
            tuple_ = (near, far) if from_guest else (far, near)
            if segment.flags & (SYN | ACK) == SYN and opener.get(tuple_) != segment.seq:
                opener[tuple_] = segment.seq
                generation[tuple_] = generation.get(tuple_, 0) + 1
            connection = tuple_ + (generation[tuple_],)
            if from_guest and segment.flags & SYN and connection not in self.start:
                self.start[connection] = segment.seq, timestamps(data, segment)[0]
            self.places.append((packet, segment, from_guest, connection))

    def moved(self, frames, starts):
        """The frames as if each connection of the guest had begun with other numbers."""
        result = []
        for (t_ns, data), place in zip(frames, self.places):
            if place:
                packet, segment, from_guest, connection = place
                shifts = [b - a for a, b in zip(self.start[connection], starts[connection])]
                data = renumber(data, packet, segment, from_guest, *shifts)
            result.append((t_ns, data))
        return result


def renumbered(name, pair, frames):
    """Both guests' frames, in the numbering that the pair is to have.

    All namespaces share the kernel's secrets, so both guests' numbers begin close to each other.
    Guests on two kernels are far apart, and so are these.
    """
    numbers = {role: Numbering(frames[role]) for role in GUESTS}
    starts = {role: dict(numbers[role].start) for role in GUESTS}
    draw = random.Random(name)
    seq_shift, time_shift = draw.getrandbits(32), draw.getrandbits(32)
    for connection, (isn, first_time) in starts["secondary"].items():
        starts["secondary"][connection] = isn + seq_shift, first_time + time_shift
    if pair.wraps_at is not None:
        for connection, (_, first_time) in starts["primary"].items():
            starts["primary"][connection] = -pair.wraps_at - 1, first_time
    if pair.fixed:
        starts["secondary"] = starts["primary"]
    return {role: numbers[role].moved(frames[role], starts[role]) for role in GUESTS}


def dressed(pair, frames, first_ns):
    result = []
    for t_ns, data in frames:
        if pair.raw:
            data = data[14:]
        elif pair.tags:
            data = tagged(data, pair.tags)
        result.append((t_ns - first_ns + START_NS, data))
    return result


def record(name, pair, target):
    with tempfile.TemporaryDirectory(prefix="colo-pairs-") as folder:
        with World(Path(folder), pair.secondary_mtu, pair.neighbours) as world:
            capture_filter = ASKING if pair.neighbours else TALKING
            captures = world.record(name, capture_filter, pair.loss, name)
        frames = {role: read_capture(captures[role])[1] for role in GUESTS}
    first_ns = min(frames[role][0][0] for role in GUESTS)
    frames = renumbered(name, pair, frames)
    link_type = RAW_IP if pair.raw else ETHERNET
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    paths = {}
    for role in GUESTS:
        kept = dressed(pair, frames[role], first_ns)
        if pair.form == "pcapng":
            paths[role] = target / f"{role}.pcapng"
            write_pcapng(paths[role], link_type, kept)
        else:
            paths[role] = target / f"{role}.pcap"
            write_pcap(paths[role], link_type, kept, 1000 if pair.form == "us" else 1)
    options = [f"--guest={','.join(pair.guests)}"]
    guests = {role: Guest(paths[role], pair.guests) for role in GUESTS}
    if pair.loss:
        repeats = [s.repeats() for role in GUESTS for s in guests[role].streams.values()]
        if not all(repeats) or repeats[0] == repeats[1]:
            raise Unequal("no guest repeats anything on its own")
    if guests["primary"].streams and not pair.fixed:
        options.insert(0, "--fix-isn")
    expected = {"options": options, **expect(paths["primary"], paths["secondary"], pair.guests)}
    expected["why"] = pair.why
    (target / "expected.json").write_text(json.dumps(expected, indent=2) + "\n")


def main():
    parser = argparse.ArgumentParser(description="Records pairs/ anew.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "pairs")
    parser.add_argument("names", nargs="*", metavar="NAME", help="of a pair; all if none is given")
    options = parser.parse_args()
    for name in options.names:
        if name not in PAIRS:
            parser.error(f"no such pair: {name}")
    if os.geteuid():
        sys.exit("record-pairs.py: needs root, for its network namespaces")
    for tool, package in TOOLS.items():
        if not shutil.which(tool):
            sys.exit(f"record-pairs.py: {tool} is missing (apt-get install {package})")
    if not os.path.exists("/dev/net/tun"):
        sys.exit("record-pairs.py: /dev/net/tun is missing (modprobe tun)")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    for name in options.names or PAIRS:
        for attempt in range(ATTEMPTS):
            try:
                record(name, PAIRS[name], options.out / name)
                break
            except Unequal as fault:
                if attempt == ATTEMPTS - 1:
                    sys.exit(f"record-pairs.py: {name}: {fault}")
        print(name, flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
