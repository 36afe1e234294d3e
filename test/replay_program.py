# SPDX-License-Identifier: GPL-2.0-only
"""How the tests make captures, run colo-replay on them, and read what it leaves."""

import json
import os
import socket
import struct
import subprocess
from collections import namedtuple
from pathlib import Path

from scenario_program import TOP, Result, internet_sum

PROGRAM = Path(os.environ.get("COLO_BUILD_DIR", TOP / "build")) / "scenarios/colo-replay"

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
TCP, UDP = 6, 17
IPV4, ARP, IPV6 = 0x0800, 0x0806, 0x86DD
GUEST, CLIENT, OTHER = "10.0.0.2", "10.0.0.1", "10.0.0.9"
GUEST6, CLIENT6 = "fd00::2", "fd00::1"
GUEST_MAC, CLIENT_MAC = bytes.fromhex("020000000002"), bytes.fromhex("020000000001")
ORIGIN_NS = 1_700_000_000_000_000_000
MS = 1_000_000
SECOND = 1_000_000_000

LINK_ETHERNET, LINK_RAW, LINK_SLL, LINK_IPV4, LINK_IPV6, LINK_SLL2 = 1, 101, 113, 228, 229, 276

Packet = namedtuple("Packet", "ns frame")


def complement(data):
    return 0xFFFF ^ internet_sum(data)


def ip(source, destination, protocol, payload):
    """The packet with its checksums, that of the payload at its usual place included."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    ends = socket.inet_pton(family, source) + socket.inet_pton(family, destination)
    at = {TCP: 16, UDP: 6}.get(protocol)
    if at is not None:
        pseudo = ends + struct.pack(">LL", len(payload), protocol)
        total = complement(pseudo + payload)
        payload = payload[:at] + struct.pack(">H", total) + payload[at + 2 :]
    if family == socket.AF_INET6:
        return struct.pack(">LHBB", 6 << 28, len(payload), protocol, 64) + ends + payload
    header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0) + ends
    return header[:10] + struct.pack(">H", complement(header)) + header[12:] + payload


def ethernet(packet, to=CLIENT_MAC, of=GUEST_MAC):
    ethertype = IPV6 if packet[0] >> 4 == 6 else IPV4
    return to + of + struct.pack(">H", ethertype) + packet


def tcp_segment(ports, seq, ack, flags, payload, window, tsval):
    options = b""
    if flags & SYN:
        options += struct.pack(">BBH", 2, 4, 1460)
    if tsval is not None:
        options += struct.pack(">BBBBLL", 1, 1, 8, 10, tsval, 7)
    header = struct.pack(">HHLLBBHHH", *ports, seq % 2**32, ack % 2**32, 0, flags, window, 0, 0)
    size = len(header) + len(options)
    return header[:12] + bytes([size << 2]) + header[13:] + options + payload


class Flow:
    """One connection; packets of the guest, or with of_client those for it."""

    def __init__(self, guest=GUEST, client=CLIENT, port=80, client_port=40000):
        self.ends = (guest, client)
        self.ports = (port, client_port)

    def tcp(self, ms, seq, payload=b"", ack=1, flags=ACK, of_client=False, window=1000, tsval=None):
        ends, ports = self.ends, self.ports
        if of_client:
            ends, ports = ends[::-1], ports[::-1]
        segment = tcp_segment(ports, seq, ack, flags, payload, window, tsval)
        frame = ethernet(ip(*ends, TCP, segment))
        if of_client:
            frame = frame[6:12] + frame[:6] + frame[12:]
        return Packet(ORIGIN_NS + round(ms * MS), frame)

    def udp(self, ms, payload):
        header = struct.pack(">HHHH", *self.ports, 8 + len(payload), 0)
        return Packet(ORIGIN_NS + round(ms * MS), ethernet(ip(*self.ends, UDP, header + payload)))

    def name(self):
        form = "[{}]:{} > [{}]:{}" if ":" in self.ends[0] else "{}:{} > {}:{}"
        return form.format(self.ends[0], self.ports[0], self.ends[1], self.ports[1])


def pcap(packets, link=LINK_ETHERNET, nanoseconds=True, snaplen=262144, endian="<"):
    """A pcap file; frames lose their Ethernet header if the link type wants that."""
    magic, unit = (0xA1B23C4D, 1) if nanoseconds else (0xA1B2C3D4, 1000)
    content = [struct.pack(endian + "LHHLLLL", magic, 2, 4, 0, 0, snaplen, link)]
    for packet in packets:
        data = link_packet(packet.frame, link)
        seconds, rest = divmod(packet.ns, SECOND)
        head = struct.pack(endian + "LLLL", seconds, rest // unit, len(data[:snaplen]), len(data))
        content += [head, data[:snaplen]]
    return b"".join(content)


def link_packet(frame, link):
    ethertype, payload = frame[12:14], frame[14:]
    if link == LINK_SLL:
        return struct.pack(">HHH", 0, 1, 6) + frame[6:12] + b"\0\0" + ethertype + payload
    if link == LINK_SLL2:
        return ethertype + struct.pack(">HLHBB", 0, 1, 1, 0, 6) + frame[6:12] + b"\0\0" + payload
    return frame if link == LINK_ETHERNET else payload


def pcapng(packets, link=LINK_ETHERNET, snaplen=0):
    def block(kind, body):
        body += b"\0" * (-len(body) % 4)
        size = 12 + len(body)
        return struct.pack("<LL", kind, size) + body + struct.pack("<L", size)

    nanoseconds = struct.pack("<HHBxxxHH", 9, 1, 9, 0, 0)
    content = block(0x0A0D0D0A, struct.pack("<LHHq", 0x1A2B3C4D, 1, 0, -1))
    content += block(1, struct.pack("<HHL", link, 0, snaplen) + nanoseconds)
    for packet in packets:
        data = link_packet(packet.frame, link)
        stamp = (0, packet.ns >> 32, packet.ns & 0xFFFFFFFF, len(data), len(data))
        content += block(6, struct.pack("<LLLLL", *stamp) + data)
    return content


def read_pcap(path):
    """Packets of a capture with nanoseconds; it must be whole and of link type Ethernet."""
    content = path.read_bytes()
    magic, *_, link = struct.unpack_from("=LHHLLLL", content)
    assert (magic, link) == (0xA1B23C4D, LINK_ETHERNET)
    packets, at = [], 24
    while at < len(content):
        seconds, nanoseconds, size, wire = struct.unpack_from("=LLLL", content, at)
        at += 16
        assert size == wire and at + size <= len(content)
        packets.append(Packet(seconds * SECOND + nanoseconds, content[at : at + size]))
        at += size
    return packets


def run(*arguments, cwd=None, timeout_s=120, prefix=(), **more):
    done = subprocess.run(
        [*prefix, PROGRAM, *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        **more,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def assert_refused(done, *words):
    assert done.status == 2, done
    assert done.stdout == ""
    assert done.stderr.startswith("colo-replay: "), done
    assert done.stderr.count("\n") == 1 and done.stderr.endswith("\n"), done
    for word in words:
        assert word in done.stderr, done


class Replay:
    """Two captures, what colo-replay said to them, and what it wrote."""

    def __init__(self, folder, primary, secondary, *options, status=0, stderr=""):
        self.folder = folder
        for name, packets in (("P.pcap", primary), ("S.pcap", secondary)):
            content = packets if isinstance(packets, bytes) else pcap(packets)
            (folder / name).write_bytes(content)
        self.done = run(
            "--primary=P.pcap",
            "--secondary=S.pcap",
            "--verdicts=verdicts.jsonl",
            "--released=released.pcap",
            *options,
            cwd=folder,
        )
        assert self.done.status == status, self.done
        assert (self.done.stderr == "") == (stderr == ""), self.done
        assert stderr in self.done.stderr
        self.table = self.done.stdout
        self.verdicts = [
            json.loads(line) for line in (folder / "verdicts.jsonl").read_text().splitlines()
        ]
        self.released = read_pcap(folder / "released.pcap")

    def of(self, event, side=None):
        return [
            verdict
            for verdict in self.verdicts
            if verdict["event"] == event and side in (None, verdict["side"])
        ]

    def brief(self, event, side="primary"):
        """[(ms, packet, reason)]"""
        return [(v["t_ns"] / MS, v["packet"], v["reason"]) for v in self.of(event, side)]
