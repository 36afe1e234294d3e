# SPDX-License-Identifier: GPL-2.0-only
"""The control channel spoken by hand, also as no well-meaning program would speak it.

Numbers come from uapi/colo.h itself, so that they cannot differ from it.
"""

import errno
import os
import re
import socket
import struct
from pathlib import Path

NETLINK_GENERIC, SOL_NETLINK = 16, 270
NETLINK_ADD_MEMBERSHIP, NETLINK_EXT_ACK = 1, 11
CTRL_FAMILY, CTRL_GETFAMILY, CTRL_NAME, CTRL_ID, CTRL_GROUPS = 16, 3, 2, 1, 7
NLMSG_ERROR, NLMSG_DONE = 2, 3
REQUEST, ACK, DUMP = 1, 4, 0x300
CAPPED, ACK_TLVS = 0x100, 0x200
NESTED = 0x8000
HEADER = Path(__file__).resolve().parent.parent / "uapi/colo.h"


def enumerators(path=HEADER):
    """Of all enums of the header, by name."""
    text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
    numbers = {}
    for body in re.findall(r"enum\s+\w+\s*{(.*?)}", text, re.DOTALL):
        names = [name.strip() for name in body.split(",") if name.strip()]
        numbers.update({name: number for number, name in enumerate(names)})
    return numbers


COLO = enumerators()


class Refused(OSError):
    """The kernel's answer is an error; text is its extended acknowledgement."""

    def __init__(self, number, text):
        super().__init__(number, os.strerror(number))
        self.text = text

    def __str__(self):
        return f"{errno.errorcode.get(self.errno, self.errno)}: {self.text or 'says nothing'}"


def attribute(kind, data):
    if isinstance(data, str):
        data = data.encode() + b"\0"
    return struct.pack("HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def u8(kind, value):
    return attribute(kind, struct.pack("B", value))


def u32(kind, value):
    return attribute(kind, struct.pack("I", value))


def u64(kind, value):
    return attribute(kind, struct.pack("Q", value))


def attributes(data):
    """A list, as dumps have the same one several times."""
    found = []
    while len(data) >= 4:
        length, kind = struct.unpack_from("HH", data)
        found.append((kind & 0x3FFF, data[4:length]))
        data = data[(length + 3) & ~3 :]
    return found


def number(data):
    return int.from_bytes(data, "little")


class Channel:
    """A generic-netlink socket in the namespace where it is made."""

    def __init__(self, timeout_s=30, family="colo"):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
        self.sock.settimeout(timeout_s)
        self.sock.bind((0, 0))
        self.sock.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
        self.sequence = 0
        self.family, self.groups = CTRL_FAMILY, {}
        if family:
            self.find(family)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def find(self, name):
        answer = dict(self.request(CTRL_GETFAMILY, attribute(CTRL_NAME, name), version=2)[0])
        for _, group in attributes(answer.get(CTRL_GROUPS, b"")):
            parts = dict(attributes(group))
            self.groups[parts[1].rstrip(b"\0").decode()] = number(parts[2])
        self.family = number(answer[CTRL_ID])

    def join(self, group="events"):
        self.sock.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, self.groups[group])

    def send(self, message):
        self.sock.send(message)

    def request(self, command, body=b"", flags=ACK, version=1, family=None):
        """Answers, each a list of attributes. Raises Refused."""
        self.sequence += 1
        generic = struct.pack("BBH", command, version, 0) + body
        kind = self.family if family is None else family
        head = struct.pack("IHHII", 16 + len(generic), kind, REQUEST | flags, self.sequence, 0)
        self.send(head + generic)
        return self.answers(dump=flags & DUMP == DUMP)

    def answers(self, dump=False):
        found = []
        while True:
            data = self.sock.recv(1 << 18)
            while len(data) >= 16:
                length, kind, flags, sequence, _ = struct.unpack_from("IHHII", data)
                message, data = data[:length], data[(length + 3) & ~3 :]
                if sequence != self.sequence:
                    continue
                if kind == NLMSG_ERROR or (kind == NLMSG_DONE and dump):
                    raise_refusal(message, flags, kind)
                    return found
                found.append(attributes(message[20:]))


def raise_refusal(message, flags, kind):
    code = -struct.unpack_from("i", message, 16)[0] if len(message) >= 20 else 0
    if not code:
        return
    offset = 20
    if kind == NLMSG_ERROR:
        quoted = struct.unpack_from("I", message, 20)[0]
        offset += 16 if flags & CAPPED else (quoted + 3) & ~3
    text = ""
    if flags & ACK_TLVS:
        text = dict(attributes(message[offset:])).get(1, b"").rstrip(b"\0").decode()
    raise Refused(code, text)
