#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What runs in a guest: a server whose answers depend on nothing but what it is asked.

On TCP, lines in a connection, one after the other:

    GET length seed                that many bytes of pattern.py
    PUT length                     takes as many bytes; answers with their CRC-32 in a line
    ASK text                       answers with its number in the connection, and the text
    CALL port local length seed    connects to the client from port @local and sends as many bytes

On UDP, `GET length seed` likewise; everything else comes back. On a Unix socket the lab's
hypervisor stops it, takes its whole state, sets another one's, and lets it go on:

    {"do": "quiesce" | "dump" | "load" | "resume" | "diverge" | "status", ...}
"""

import argparse
import json
import os
import random
import selectors
import socket
import sys
import zlib

import handover
from pattern import pattern

PORT = 7000
LINE_MAX = 4096
READ_MAX = WRITE_MAX = 128 << 10
DATAGRAM_MAX = 65000
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
FAMILIES = (socket.AF_INET, socket.AF_INET6)


class Connection:
    """Commands in, bytes out; all but the socket goes to the other guest."""

    KEPT = ("get", "put_left", "put_crc", "asked", "made", "ended")

    def __init__(self, sock, flaws):
        self.sock = sock
        self.flaws = flaws
        self.frozen = False
        self.window = None  # the peer's, if it was dumped since it was frozen
        self.input = b""
        self.output = b""
        self.get = None  # [seed, offset, end] of what is being sent
        self.put_left = None
        self.put_crc = 0
        self.asked = 0
        self.made = 0  # bytes of patterns so far
        self.ended = False  # the client sends no more

    def state(self):
        kept = {name: getattr(self, name) for name in self.KEPT}
        return {**kept, "input": self.input.hex(), "output": self.output.hex()}

    def set_state(self, state, unsent):
        for name in self.KEPT:
            setattr(self, name, state[name])
        self.input = bytes.fromhex(state["input"])
        self.output = unsent + bytes.fromhex(state["output"])

    def wants(self):
        return (0 if self.ended else READ) | (WRITE if self.output or self.get else 0)

    def read(self):
        data = self.sock.recv(READ_MAX)
        self.ended = not data
        self.input += data

    def take_put(self):
        taken, self.input = self.input[: self.put_left], self.input[self.put_left :]
        self.put_crc = zlib.crc32(taken, self.put_crc)
        self.put_left -= len(taken)
        if not self.put_left:
            self.output += b"%08x\n" % self.put_crc
            self.put_left = None

    def work(self, server):
        """Commands that came whole, until one has to wait."""
        while not self.get:
            if self.put_left is not None:
                self.take_put()
                if self.put_left is not None:
                    return
            line, newline, rest = self.input.partition(b"\n")
            if not newline:
                if len(line) > LINE_MAX:
                    raise ValueError("a line is too long")
                return
            self.input = rest
            self.command(server, line)

    def command(self, server, line):
        verb, _, rest = line.partition(b" ")
        if verb == b"GET":
            length, seed = map(int, rest.split())
            self.get = [seed, 0, length] if length else None
        elif verb == b"PUT":
            self.put_left, self.put_crc = int(rest), 0
        elif verb == b"ASK":
            self.asked += 1
            wrong = self.flaws.get("request") and self.asked >= self.flaws["request"]
            self.output += b"%d %s\n" % (self.asked, rest.swapcase() if wrong else rest)
        elif verb == b"CALL":
            server.call(self.sock, *map(int, rest.split()))
        else:
            raise ValueError("no such command")

    def make(self):
        seed, offset, end = self.get
        data = bytes(pattern(seed, offset, min(WRITE_MAX, end - offset)))
        flaw = self.flaws.get("byte")
        if flaw is not None and self.made + len(data) > flaw:
            start = max(0, flaw - self.made)
            data = data[:start] + bytes(255 - byte for byte in data[start:])
        self.made += len(data)
        self.output += data
        self.get = [seed, offset + len(data), end] if offset + len(data) < end else None

    def write(self):
        if not self.output and self.get:
            self.make()
        if self.output:
            self.output = self.output[self.sock.send(self.output) :]

    def is_done(self):
        return self.ended and not self.output and not self.get


class Server:
    def __init__(self, control):
        self.flaws = {}
        self.quiet = False
        self.connections = {}
        self.closed = 0  # that no handover could take along
        self.data = selectors.DefaultSelector()
        self.top = selectors.DefaultSelector()
        for family in FAMILIES:
            self.listen(family)
        self.top.register(self.data.fileno(), READ, self.serve_data)
        self.control = socket.socket(socket.AF_UNIX)
        if os.path.exists(control):
            os.unlink(control)
        self.control.bind(control)
        self.control.listen()
        self.top.register(self.control, READ, self.serve_control)

    def listen(self, family):
        for kind, ready in ((socket.SOCK_STREAM, self.accept), (socket.SOCK_DGRAM, self.datagram)):
            sock = socket.socket(family, kind)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(("", PORT))
            sock.setblocking(False)
            if kind == socket.SOCK_STREAM:
                sock.listen(64)
            self.data.register(sock, READ, (ready, sock))

    def add(self, sock):
        sock.setblocking(False)
        connection = Connection(sock, self.flaws)
        self.connections[sock] = connection
        self.data.register(sock, READ, (self.serve, connection))
        return connection

    def remove(self, connection):
        self.data.unregister(connection.sock)
        del self.connections[connection.sock]
        connection.sock.close()

    def accept(self, sock):
        self.add(sock.accept()[0])

    def datagram(self, sock):
        data, peer = sock.recvfrom(DATAGRAM_MAX + 1)
        if data.startswith(b"GET "):
            length, seed = map(int, data[4:].split())
            data = bytes(pattern(seed, 0, min(length, DATAGRAM_MAX)))
            if self.flaws.get("datagram"):
                data = data[::-1]
        sock.sendto(data, peer)

    def call(self, origin, port, local, length, seed):
        """The local port is named, as two kernels would choose two."""
        sock = socket.socket(origin.family)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((origin.getsockname()[0], local))
        handover.choose_isn(sock, random.SystemRandom().randrange(1 << 32))
        sock.setblocking(False)
        sock.connect_ex((origin.getpeername()[0], port))
        connection = self.add(sock)
        connection.get = [seed, 0, length]
        self.data.modify(sock, connection.wants(), (self.serve, connection))

    def serve(self, connection):
        """A bit of each, so that no connection starves the others."""
        try:
            try:
                if not connection.ended:
                    connection.read()
            except BlockingIOError:
                pass
            connection.work(self)
            connection.write()
            connection.work(self)
        except BlockingIOError:
            pass
        except (OSError, ValueError) as error:
            print(f"connection of {connection.sock}: {error}", file=sys.stderr, flush=True)
            self.remove(connection)
            return
        self.watch(connection)

    def watch(self, connection):
        if connection.is_done():
            self.remove(connection)
            return
        wanted = connection.wants()
        if self.data.get_key(connection.sock).events != wanted:
            self.data.modify(connection.sock, wanted, (self.serve, connection))

    def serve_data(self):
        if self.quiet:
            return  # was ready when the order to stop came
        for key, _ in self.data.select(0):
            call, argument = key.data
            if key.fileobj.fileno() >= 0:
                call(argument)

    # --- what the hypervisor asks for ---

    def quiesce(self, _):
        if not self.quiet:
            self.top.unregister(self.data.fileno())
        self.quiet = True
        for connection in list(self.connections.values()):
            if handover.state_of(connection.sock) == handover.ESTABLISHED:
                handover.freeze(connection.sock)
                connection.frozen = True
        return {"connections": len(self.connections)}

    def dump(self, _):
        """Established connections; the others are closed, as nobody can take them along."""
        states = []
        for connection in list(self.connections.values()):
            if handover.state_of(connection.sock) == handover.ESTABLISHED:
                kernel = handover.dump(connection.sock)
                if connection.window is None:
                    connection.window = handover.peer_window(kernel)
                states.append({"kernel": kernel, "server": connection.state()})
            else:
                self.closed += 1
                self.thaw(connection)
                self.remove(connection)
        return {"connections": states, "flaws": self.flaws, "closed": self.closed}

    def load(self, request):
        """The other guest's state instead of ours, which nobody hears of."""
        for connection in list(self.connections.values()):
            handover.freeze(connection.sock)
            self.remove(connection)
        self.flaws = dict(request["state"]["flaws"])
        for state in request["state"]["connections"]:
            sock, unsent = handover.load(state["kernel"])
            connection = self.add(sock)
            connection.frozen = True
            connection.set_state(state["server"], unsent)
        return {"connections": len(self.connections)}

    def resume(self, _):
        for connection in list(self.connections.values()):
            self.thaw(connection)
            self.watch(connection)
        if self.quiet:
            self.top.register(self.data.fileno(), READ, self.serve_data)
        self.quiet = False
        return {}

    def thaw(self, connection):
        """Also one that the client has closed meanwhile."""
        if connection.frozen:
            handover.thaw(connection.sock, connection.window)
            connection.frozen = False
            connection.window = None

    def diverge(self, request):
        self.flaws.clear()
        self.flaws.update(request["flaws"])
        return {}

    def status(self, _):
        return {"connections": len(self.connections), "closed": self.closed, "quiet": self.quiet}

    def serve_control(self):
        sock, _ = self.control.accept()
        with sock, sock.makefile("rw", encoding="ascii") as file:
            request = json.loads(file.readline())
            try:
                answer = getattr(self, request["do"])(request)
            except OSError as error:
                answer = {"error": f"{request['do']}: {error}"}
            json.dump(answer, file)

    def run(self):
        while True:
            for key, _ in self.top.select():
                key.data()


def ask(control, do, **request):
    """For the hypervisor: one request, its answer. Raises OSError if the guest could not."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(60)
        sock.connect(control)
        with sock.makefile("rw", encoding="ascii") as file:
            file.write(json.dumps({"do": do, **request}) + "\n")
            file.flush()
            answer = json.loads(file.read())
    if "error" in answer:
        raise OSError(f"guest at {control}: {answer['error']}")
    return answer


def serve(control):
    Server(control).run()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("control", help="path of the Unix socket")
    arguments = parser.parse_args()
    serve(arguments.control)


if __name__ == "__main__":
    main()
