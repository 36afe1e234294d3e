#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Asks a guest and checks every byte of the answer.

As a program, for trying something by hand:

    ip netns exec colo-client ./client.py 10.66.0.10 get 1000000
"""

import argparse
import array
import fcntl
import os
import select
import socket
import struct
import sys
import termios
import time
import zlib

from guest_server import PORT
from pattern import pattern

CHUNK = 64 << 10
WAIT_S = 60
ECHO_REQUEST = {4: 8, 6: 128}
ECHO_REPLY = {4: 0, 6: 129}


class WrongAnswer(Exception):
    """The client saw what no guest should have sent."""


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class Client:
    """One TCP connection to a guest."""

    def __init__(self, address, port=PORT, wait_s=WAIT_S, receive_buffer=None):
        self.sock = socket.socket(family_of(address))
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(wait_s)
        self.sock.connect((address, port))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def line(self):
        data = b""
        while not data.endswith(b"\n"):
            more = self.sock.recv(1)
            if not more:
                raise WrongAnswer("the connection ended within a line")
            data += more
        return data[:-1]

    def unread(self):
        """Bytes that have come, and wait in the kernel."""
        count = array.array("i", [0])
        fcntl.ioctl(self.sock, termios.FIONREAD, count)
        return count[0]

    def ask(self, text, number):
        self.sock.sendall(b"ASK %s\n" % text)
        answer = self.line()
        if answer != b"%d %s" % (number, text):
            raise WrongAnswer(f"asked {text}, number {number}, the answer is {answer}")

    def begin_get(self, length, seed=1):
        self.sock.sendall(b"GET %d %d\n" % (length, seed))

    def read(self, start, end, seed=1):
        """What a GET sends from @start to @end."""
        check_stream(self.sock, start, end, seed)

    def get(self, length, seed=1):
        self.begin_get(length, seed)
        self.read(0, length, seed)

    def put(self, length, seed=1):
        self.begin_put(length)
        self.write(0, length, seed)
        self.end_put(length, seed)

    def begin_put(self, length):
        self.sock.sendall(b"PUT %d\n" % length)

    def write(self, start, end, seed=1):
        for offset in range(start, end, CHUNK):
            self.sock.sendall(pattern(seed, offset, min(CHUNK, end - offset)))

    def end_put(self, length, seed=1):
        answer = self.line()
        wanted = b"%08x" % zlib.crc32(pattern(seed, 0, length))
        if answer != wanted:
            raise WrongAnswer(f"uploaded bytes with CRC {wanted}, the guest got {answer}")

    def be_called(self, local, length, seed=1):
        """The guest connects to us, from its port @local."""
        own = self.sock.getsockname()[0]
        with socket.socket(self.sock.family) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((own, 0))
            listener.listen()
            listener.settimeout(self.sock.gettimeout())
            port = listener.getsockname()[1]
            self.sock.sendall(b"CALL %d %d %d %d\n" % (port, local, length, seed))
            sock, peer = listener.accept()
        with sock:
            sock.settimeout(self.sock.gettimeout())
            if peer[1] != local:
                raise WrongAnswer(f"called from port {peer[1]}, not {local}")
            check_stream(sock, 0, length, seed)


def check_stream(sock, start, end, seed):
    offset = start
    while offset < end:
        data = sock.recv(min(CHUNK, end - offset))
        if not data:
            raise WrongAnswer(f"the stream ended at {offset} of {end}")
        wanted = pattern(seed, offset, len(data))
        if data != wanted:
            wrong = next(i for i, byte in enumerate(data) if byte != wanted[i])
            raise WrongAnswer(f"byte {offset + wrong} of the stream is wrong")
        offset += len(data)


def ask_datagrams(address, count, length, wait_s=WAIT_S, first_seed=1):
    """One after the other. UDP may lose, but in this lab nothing does."""
    with socket.socket(family_of(address), socket.SOCK_DGRAM) as sock:
        sock.settimeout(wait_s)
        sock.connect((address, PORT))
        for seed in range(first_seed, first_seed + count):
            sock.send(b"GET %d %d" % (length, seed))
            answer = sock.recv(length + 1)
            if answer != pattern(seed, 0, length):
                raise WrongAnswer(f"datagram {seed} of {length} bytes is wrong")


def echo_datagram(address, data, wait_s=WAIT_S):
    with socket.socket(family_of(address), socket.SOCK_DGRAM) as sock:
        sock.settimeout(wait_s)
        sock.connect((address, PORT))
        sock.send(data)
        if sock.recv(len(data) + 1) != data:
            raise WrongAnswer(f"an echo of {len(data)} bytes is wrong")


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[: len(data) & ~1]))
    total += data[-1] << 8 if len(data) & 1 else 0
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def send_ping(address, identifier, number, data):
    """Asks; the socket for wait_for_echo()."""
    version = 6 if ":" in address else 4
    protocol = socket.IPPROTO_ICMPV6 if version == 6 else socket.IPPROTO_ICMP
    sock = socket.socket(family_of(address), socket.SOCK_RAW, protocol)
    sock.connect((address, 0))
    rest = struct.pack("!HH", identifier, number) + data
    head = struct.pack("!BBH", ECHO_REQUEST[version], 0, 0)
    if version == 4:  # the kernel does it for ICMPv6
        head = head[:2] + struct.pack("!H", checksum(head + rest))
    sock.send(head + rest)
    return sock


def ping(address, count=1, length=56, wait_s=WAIT_S):
    """Echo requests, one after the other; returns nothing, raises what is wrong."""
    version = 6 if ":" in address else 4
    identifier = os.getpid() & 0xFFFF
    for number in range(1, count + 1):
        data = bytes(pattern(number, 0, length))
        with send_ping(address, identifier, number, data) as sock:
            wait_for_echo(sock, version, identifier, number, data, wait_s)


def wait_for_echo(sock, version, identifier, number, data, wait_s):
    end = time.monotonic() + wait_s
    while True:
        if not select.select([sock], [], [], max(0, end - time.monotonic()))[0]:
            raise TimeoutError(f"no answer to ping {number} of {len(data)} bytes")
        packet = sock.recv(65536)
        if version == 4:
            packet = packet[(packet[0] & 15) * 4 :]
        kind, _, _, its_identifier, its_number = struct.unpack("!BBHHH", packet[:8])
        if (kind, its_identifier, its_number) != (ECHO_REPLY[version], identifier, number):
            continue
        if packet[8:] != data:
            raise WrongAnswer(f"the answer to ping {number} of {len(data)} bytes is wrong")
        return


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("address")
    parser.add_argument("what", choices=["get", "put", "ask", "call", "udp", "ping"])
    parser.add_argument("length", type=int, nargs="?", default=1000)
    parser.add_argument("--count", type=int, default=1)
    arguments = parser.parse_args()
    address, length, count = arguments.address, arguments.length, arguments.count
    started = time.monotonic()
    if arguments.what == "udp":
        ask_datagrams(address, count, length)
    elif arguments.what == "ping":
        ping(address, count, length)
    else:
        with Client(address) as client:
            for number in range(1, count + 1):
                if arguments.what == "ask":
                    client.ask(b"x" * length, number)
                elif arguments.what == "call":
                    client.be_called(8000 + number, length)
                else:
                    getattr(client, arguments.what)(length)
    elapsed = time.monotonic() - started
    print(f"right; {count * length / elapsed / 1e6:.2f} MB/s, {elapsed / count * 1000:.1f} ms each")


if __name__ == "__main__":
    try:
        main()
    except (WrongAnswer, OSError) as error:
        print(f"client: {error}", file=sys.stderr)
        sys.exit(1)
