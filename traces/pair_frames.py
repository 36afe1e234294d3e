# SPDX-License-Identifier: GPL-2.0-only
"""Frames of a capture: read, written, parsed, and TCP moved into another numbering."""

import ipaddress
import struct
from collections import namedtuple

ETHERNET = 1
RAW_IP = 101
IPV4 = 0x0800
IPV6 = 0x86DD
TAGS = (0x8100, 0x88A8)
ICMP, TCP, UDP, ICMPV6, FRAGMENT = 1, 6, 17, 58, 44
FIN, SYN, RST, ACK = 1, 2, 4, 16
OPTION_END, OPTION_NOP, OPTION_SACK, OPTION_TIMESTAMPS = 0, 1, 5, 8
CIRCLE = 1 << 32

PCAP_HEADER = struct.Struct("<IHHiIII")
PCAP_RECORD = struct.Struct("<IIII")
PCAP_NANOSECONDS = 0xA1B23C4D
PCAP_MICROSECONDS = 0xA1B2C3D4
BLOCK_SECTION, BLOCK_INTERFACE, BLOCK_PACKET = 0x0A0D0D0A, 1, 6
BYTE_ORDER = 0x1A2B3C4D

# The bytes from start to end are what the IP packet carries; fragment is (id, offset, more).
Packet = namedtuple("Packet", "tags source destination protocol start end fragment")
Segment = namedtuple("Segment", "source_port destination_port seq ack flags options payload")


class Unequal(Exception):
    """The guests differ in a way that the pair is not meant to show."""


def read_capture(path):
    """Link type and [(t_ns, bytes)] of a capture, as write_pcap() and write_pcapng() leave it."""
    content = path.read_bytes()
    magic = int.from_bytes(content[:4], "little")
    if magic == BLOCK_SECTION:
        return read_pcapng(content)
    unit_ns = {PCAP_NANOSECONDS: 1, PCAP_MICROSECONDS: 1000}[magic]
    link_type = PCAP_HEADER.unpack_from(content)[-1]
    frames, at = [], PCAP_HEADER.size
    while at < len(content):
        seconds, fraction, size, size_on_wire = PCAP_RECORD.unpack_from(content, at)
        at += PCAP_RECORD.size
        assert size == size_on_wire, f"{path} has a cut frame"
        frames.append((seconds * 10**9 + fraction * unit_ns, content[at : at + size]))
        at += size
    return link_type, frames


def read_pcapng(content):
    link_type, frames, at = None, [], 0
    while at < len(content):
        kind, size = struct.unpack_from("<II", content, at)
        if kind == BLOCK_INTERFACE:
            (link_type,) = struct.unpack_from("<H", content, at + 8)
        elif kind == BLOCK_PACKET:
            high, low, captured = struct.unpack_from("<III", content, at + 12)
            frames.append((high << 32 | low, content[at + 28 : at + 28 + captured]))
        at += size
    return link_type, frames


def write_pcap(path, link_type, frames, unit_ns=1):
    magic = PCAP_NANOSECONDS if unit_ns == 1 else PCAP_MICROSECONDS
    with open(path, "wb") as out:
        out.write(PCAP_HEADER.pack(magic, 2, 4, 0, 0, 262144, link_type))
        for t_ns, data in frames:
            seconds, rest_ns = divmod(t_ns, 10**9)
            out.write(PCAP_RECORD.pack(seconds, rest_ns // unit_ns, len(data), len(data)) + data)


def write_pcapng(path, link_type, frames):
    # Not editcap: its section header names the machine's system.
    def block(kind, body):
        size = struct.pack("<I", 12 + len(body))
        return struct.pack("<I", kind) + size + body + size

    nanoseconds = struct.pack("<HHBxxxI", 9, 1, 9, 0)
    with open(path, "wb") as out:
        out.write(block(BLOCK_SECTION, struct.pack("<IHHq", BYTE_ORDER, 1, 0, -1)))
        out.write(block(BLOCK_INTERFACE, struct.pack("<HHI", link_type, 0, 262144) + nanoseconds))
        for t_ns, data in frames:
            head = struct.pack("<IIIII", 0, t_ns >> 32, t_ns % CIRCLE, len(data), len(data))
            out.write(block(BLOCK_PACKET, head + data + b"\0" * (-len(data) % 4)))


def parse(data, link_type=ETHERNET):
    """The IP packet in a frame, or None."""
    at, tags = 0, ()
    if link_type == ETHERNET:
        (ethertype,) = struct.unpack_from(">H", data, 12)
        at = 14
        while ethertype in TAGS:
            tag, ethertype = struct.unpack_from(">HH", data, at)
            tags += (tag & 0xFFF,)
            at += 4
    else:
        ethertype = IPV4 if data[0] >> 4 == 4 else IPV6
    if ethertype == IPV4:
        size, identifier, cut = struct.unpack_from(">HHH", data, at + 2)
        fragment = (identifier, (cut & 0x1FFF) * 8, bool(cut & 0x2000)) if cut & 0x3FFF else None
        addresses = data[at + 12 : at + 16], data[at + 16 : at + 20]
        protocol, start, end = data[at + 9], at + (data[at] & 15) * 4, at + size
    elif ethertype == IPV6:
        size, protocol = struct.unpack_from(">HB", data, at + 4)
        addresses = data[at + 8 : at + 24], data[at + 24 : at + 40]
        start, end, fragment = at + 40, at + 40 + size, None
        if protocol == FRAGMENT:
            protocol, _, cut, identifier = struct.unpack_from(">BBHI", data, start)
            fragment = identifier, cut & 0xFFF8, bool(cut & 1)
            start += 8
    else:
        return None
    source, destination = (str(ipaddress.ip_address(bytes(address))) for address in addresses)
    return Packet(tags, source, destination, protocol, start, end, fragment)


def parse_tcp(data, packet):
    source, destination, seq, ack, offset, flags = struct.unpack_from(">HHIIBB", data, packet.start)
    payload = packet.start + (offset >> 4) * 4
    options = {}
    at = packet.start + 20
    while at < payload and data[at] != OPTION_END:
        if data[at] == OPTION_NOP:
            at += 1
            continue
        options[data[at]] = at + 2, data[at + 1] - 2  # where its value is, and how long
        at += data[at + 1]
    return Segment(
        source, destination, seq, ack, flags, options, bytes(data[payload : packet.end])
    )


def seq_end(segment):
    extent = len(segment.payload) + bool(segment.flags & SYN) + bool(segment.flags & FIN)
    return (segment.seq + extent) % CIRCLE


def is_after(a, b):
    """Whether position a lies after b on the circle."""
    return 0 < (a - b) % CIRCLE < CIRCLE // 2


def timestamps(data, segment):
    at, _ = segment.options.get(OPTION_TIMESTAMPS, (None, 0))
    return struct.unpack_from(">II", data, at) if at else (0, 0)


def internet_sum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data[: len(data) & ~1]))
    total += data[-1] << 8 if len(data) % 2 else 0
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def tcp_sum(data, packet):
    addresses = b"".join(
        ipaddress.ip_address(address).packed for address in (packet.source, packet.destination)
    )
    tail = struct.pack(">II", packet.end - packet.start, TCP)
    return internet_sum(addresses + tail + data[packet.start : packet.end])


def renumber(data, packet, segment, from_guest, seq_shift, time_shift):
    """A copy of a frame for a guest whose sequence numbers and timestamps lie that much higher.

    What the guest sends moves its own numbers; what it is sent moves those that it is
    answered with: ack, SACK, echoed timestamp.
    """
    data = bytearray(data)

    def add(at, shift):
        (value,) = struct.unpack_from(">I", data, at)
        struct.pack_into(">I", data, at, (value + shift) % CIRCLE)

    time_at, _ = segment.options.get(OPTION_TIMESTAMPS, (None, 0))
    if from_guest:
        add(packet.start + 4, seq_shift)
        if time_at:
            add(time_at, time_shift)
    elif segment.flags & ACK:
        add(packet.start + 8, seq_shift)
        if time_at:
            add(time_at + 4, time_shift)
        sack_at, sack_bytes = segment.options.get(OPTION_SACK, (0, 0))
        for at in range(sack_at, sack_at + sack_bytes, 4):
            add(at, seq_shift)
    data[packet.start + 16 : packet.start + 18] = b"\0\0"
    checksum = tcp_sum(data, packet) ^ 0xFFFF
    struct.pack_into(">H", data, packet.start + 16, checksum)
    return bytes(data)


def tagged(data, tags):
    """The frame as it is on a trunk; tags are (ethertype, VLAN), the outer one first."""
    return data[:12] + b"".join(struct.pack(">HH", *tag) for tag in tags) + data[12:]
