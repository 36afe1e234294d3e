# SPDX-License-Identifier: GPL-2.0-only
"""Seeds for the fuzz targets out of captured packets.

fuzz-parse begins with the frames themselves; the others with programs in which two guests and
their client do what the captured server and client did. The bytes of a program are what
test/fuzz/fuzz-*.cc read.
"""

import hashlib
import struct
from pathlib import Path

ETHERNET = 1
FRAMES_MAX = 150  # of one capture, as the rest repeats them
STEPS_MAX = 60  # of one connection
PAYLOAD_MAX = 79  # of a segment in a program

FIN, SYN, RST, ACK = 1, 2, 4, 16


def frames(path):
    """Ethernet frames of a capture; none of one in another format or of another link."""
    data = path.read_bytes()
    order = {b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">"}.get(data[:4])
    if order is None or struct.unpack(order + "I", data[20:24])[0] != ETHERNET:
        return
    at = 24
    while at + 16 <= len(data):
        length = struct.unpack(order + "I", data[at + 8 : at + 12])[0]
        yield data[at + 16 : at + 16 + length]
        at += 16 + length


class Segment:
    """What a program needs of a TCP segment over IPv4."""

    def __init__(self, frame):
        l4 = 14 + (frame[14] & 15) * 4
        total = struct.unpack(">H", frame[16:18])[0]
        self.source = frame[26:30] + frame[l4 : l4 + 2]
        self.destination = frame[30:34] + frame[l4 + 2 : l4 + 4]
        self.flags = frame[l4 + 13]
        self.length = total - (l4 - 14) - (frame[l4 + 12] >> 4) * 4


def is_tcp(frame):
    return len(frame) >= 54 and frame[12:14] == b"\x08\x00" and frame[23] == 6


def connections(path):
    """Of each connection its segments, each with whether the server sent it."""
    found = {}
    for frame in frames(path):
        if not is_tcp(frame):
            continue
        segment = Segment(frame)
        ends = (segment.source, segment.destination)
        if segment.flags & (SYN | ACK) == SYN and ends not in found:
            found[ends] = []
        if ends in found:
            found[ends].append((False, segment))
        elif ends[::-1] in found:
            found[ends[::-1]].append((True, segment))
    return list(found.values())


def pieces(length):
    whole = [PAYLOAD_MAX] * min(length // PAYLOAD_MAX, 3)
    return whole + [length % PAYLOAD_MAX]


def compare_program(segments, flow, lag):
    """The primary is the server; the secondary says the same so many steps later."""
    high = flow << 6
    out = bytearray([0, 7, 0, high | 14, 0, 0])
    behind = []
    for by_server, segment in segments[:STEPS_MAX]:
        if segment.flags & SYN:
            continue
        if not by_server:
            out += bytes([high | 8, 2, 0])
            continue
        for length in pieces(segment.length):
            fin = bytes([3]) if segment.flags & FIN else b""
            what = 2 if fin else 0
            out += bytes([high | 0, what]) + fin + bytes([length])
            behind.append(bytes([high | 3, what]) + fin + bytes([length]))
            if len(behind) > lag:
                out += behind.pop(0)
    return bytes(out) + b"".join(behind)


def seqfix_program(segments, flow, hint_first):
    """The secondary is the server; the hint comes before its SYN-ACK, or after."""
    high = flow << 6
    out = bytearray([0])
    for by_server, segment in segments[:STEPS_MAX]:
        reset = 32 if segment.flags & RST else 0
        fin = 16 if segment.flags & FIN else 0
        data = 8 if segment.length else 0
        if segment.flags & SYN and by_server:
            hint, own = bytes([high | 8, 1]), bytes([high | 6, 1])
            out += hint + own if hint_first else own + hint
        elif segment.flags & SYN:
            out += bytes([high | 7, 0])
        else:
            say = high | (0 if by_server else 3)
            out += bytes([say, data | fin | reset])
            out += bytes([segment.length % 40]) if data else b""
    return bytes(out)


def parse_input(frame, side, cut):
    return bytes([side]) + struct.pack(">H", cut) + bytes(range(255, 239, -1)) + frame


def programs(path, make):
    for number, segments in enumerate(connections(path)):
        for variant in (0, 1, 3):
            yield make(segments, number % 4, variant)


def parse_inputs(path):
    for number, frame in enumerate(frames(path)):
        if number == FRAMES_MAX:
            break
        yield parse_input(frame, number % 3, 0xFFFF if number % 2 else 54 + number % 30)


def seeds(target, path):
    if target == "fuzz-parse":
        return parse_inputs(path)
    make = compare_program if target == "fuzz-compare" else seqfix_program
    return programs(path, make)


def write_seeds(target, captures, folder):
    """A file for each seed of a target, named by its contents."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(Path(captures).glob("*.pcap")):
        for seed in seeds(target, path):
            (folder / hashlib.sha1(seed).hexdigest()).write_bytes(seed)
