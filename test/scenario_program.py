# SPDX-License-Identifier: GPL-2.0-only
"""How the tests run colo-scenario and read what it leaves."""

import json
import os
import struct
import subprocess
from collections import namedtuple
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
PROGRAM = Path(os.environ.get("COLO_BUILD_DIR", TOP / "build")) / "scenarios/colo-scenario"
TRACES = sorted((TOP / "traces").glob("*.pcap"))
FILES = {
    "summary.json",
    "verdicts.jsonl",
    "client.pcap",
    "primary-tap0.pcap",
    "secondary-tap0.pcap",
    "sec_dev.pcap",
}
LINKS = [
    "client",
    "lan",
    "sec_dev",
    "primary-tap",
    "secondary-tap",
    "eth0-primary",
    "eth0-secondary",
    "eth2",
]
# What --help says of each workload is tested against this.
WORKLOADS = [
    "request-response",
    "download",
    "upload",
    "bulk",
    "transactions",
    "key-value",
    "key-value-udp",
    "dns",
    "chat",
    "tls",
    "ssh",
    "lookups",
    "mixed",
]
PCAP_HEADER = struct.Struct("=IHHiIII")
PCAP_RECORD = struct.Struct("=IIII")
PCAP_MAGIC = 0xA1B2C3D4
PCAP_ETHERNET = 1
IPV4 = 0x0800
ARP = 0x0806
SYN = 0x02
ACK = 0x10
RST = 0x04

Result = namedtuple("Result", "status stdout stderr args", defaults=[()])
Tcp = namedtuple("Tcp", "source destination seq flags payload checksum_is_right")


def run(*arguments, cwd=None, timeout_s=120, prefix=()):
    done = subprocess.run(
        [*prefix, PROGRAM, *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    return Result(done.returncode, done.stdout, done.stderr, done.args)


def request_response(**options):
    return ["--workload=request-response"] + [
        f"--{name.replace('_', '-')}={value}" for name, value in options.items()
    ]


class Results:
    """The folder of a run that ended well."""

    def __init__(self, folder, *arguments, status=0):
        self.folder = folder
        self.done = run(*arguments, f"--out={folder}")
        assert self.done.status == status, (self.done, arguments)
        assert status or self.done.stderr == ""
        self.summary = json.loads((folder / "summary.json").read_text())
        self.verdicts = [
            json.loads(line) for line in (folder / "verdicts.jsonl").read_text().splitlines()
        ]

    def frames(self, name):
        return read_pcap(self.folder / name)


def read_pcap(path):
    """Frames of a capture, as (seconds, bytes); it must be whole and of link type Ethernet."""
    content = path.read_bytes()
    magic, *_, link_type = PCAP_HEADER.unpack_from(content)
    assert magic == PCAP_MAGIC
    assert link_type == PCAP_ETHERNET
    frames = []
    position = PCAP_HEADER.size
    while position < len(content):
        seconds, microseconds, size, size_on_wire = PCAP_RECORD.unpack_from(content, position)
        position += PCAP_RECORD.size
        assert size == size_on_wire
        assert position + size <= len(content)
        frames.append((seconds + microseconds / 1e6, content[position : position + size]))
        position += size
    return frames


def ethertype(frame):
    return int.from_bytes(frame[12:14], "big")


def internet_sum(data):
    total = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def read_tcp(frame):
    """The TCP segment of an Ethernet frame, or None."""
    if ethertype(frame) != IPV4 or frame[23] != 6:
        return None
    ip_header_bytes = (frame[14] & 15) * 4
    packet = frame[14 : 14 + int.from_bytes(frame[16:18], "big")]  # without Ethernet's padding
    assert internet_sum(packet[:ip_header_bytes]) == 0xFFFF
    tcp = packet[ip_header_bytes:]
    pseudo_header = packet[12:20] + struct.pack(">HH", 6, len(tcp))
    source_port, destination_port, seq = struct.unpack_from(">HHI", tcp)
    return Tcp(
        source=(packet[12:16], source_port),
        destination=(packet[16:20], destination_port),
        seq=seq,
        flags=tcp[13],
        payload=tcp[(tcp[12] >> 4) * 4 :],
        checksum_is_right=internet_sum(pseudo_header + tcp) == 0xFFFF,
    )


def read_segments(frames):
    return [tcp for _, frame in frames if (tcp := read_tcp(frame))]


def isns_of_server(segments):
    """The initial sequence number by which the server answers, for each of the client's ports."""
    return {
        tcp.destination[1]: tcp.seq for tcp in segments if tcp.flags & (SYN | ACK) == SYN | ACK
    }
