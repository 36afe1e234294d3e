# SPDX-License-Identifier: GPL-2.0-only
"""A client and two guests in network namespaces, and the wire between them.

    [client] eth0 ── Wire ──┬── eth0 [primary guest]     tcpdump
    10.0.0.1, fd00::1       └── eth0 [secondary guest]   tcpdump
                                 both 10.0.0.2, fd00::2 and of one MAC address

Each eth0 is a tap device, and the Wire this process. The namespaces have no names: they
end with the processes in them, which end with this one, however it ends.
"""

import ctypes
import fcntl
import heapq
import os
import random
import select
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

from pair_frames import ACK, RST, SYN, TCP, CIRCLE, is_after, parse, parse_tcp, renumber
from pair_frames import Unequal, seq_end, timestamps

ROLES = ("client", "primary", "secondary")
GUESTS = ROLES[1:]
MAC = {"client": "02:00:00:00:00:01", "primary": "02:00:00:00:00:02"}
MAC["secondary"] = MAC["primary"]
HOST_NUMBER = {"client": 1, "primary": 2, "secondary": 2}

LINK_DELAY_S = 0.0003
# The way over sec_dev.
SECONDARY_LAG_S = 0.0002
HOLD_S_MAX = 1.0
QUIET_S = 0.4
SESSION_S_MAX = 60

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
TUNSETIFF = 0x400454CA
IFF_TAP_NO_PI = 0x1002
LIBC = ctypes.CDLL(None, use_errno=True)

SYSCTLS = """
net.ipv4.tcp_timestamps=1 net.ipv4.tcp_ecn=0
net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.eth0.disable_ipv6=0
net.ipv6.conf.eth0.addr_gen_mode=1 net.ipv6.conf.eth0.router_solicitations=0
""".split()


def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class Namespace:
    def __init__(self, role):
        check(LIBC.unshare(CLONE_NEWNET))
        self.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self.tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(self.tap, TUNSETIFF, struct.pack("16sH22x", b"eth0", IFF_TAP_NO_PI))
        self.role = role

    def close(self):
        os.close(self.tap)
        os.close(self.fd)

    def _enter(self):
        check(LIBC.setns(self.fd, CLONE_NEWNET))
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    def start(self, *command, **options):
        return subprocess.Popen([*map(str, command)], preexec_fn=self._enter, **options)

    def do(self, *command):
        process = self.start(*command, stderr=subprocess.PIPE, text=True)
        _, complaint = process.communicate()
        if process.returncode:
            sys.exit(f"record-pairs.py: {' '.join(command)}: {complaint.strip()}")

    def set_up(self, mtu, asks_for_neighbours):
        number = HOST_NUMBER[self.role]
        self.do("sysctl", "-qw", *SYSCTLS)
        link = f"ip link set dev eth0 address {MAC[self.role]} mtu {mtu}"
        self.do(*link.split())
        self.do("ip", "link", "set", "dev", "lo", "up")
        self.do("ip", "link", "set", "dev", "eth0", "up")
        self.do(*f"ip address add 10.0.0.{number}/24 dev eth0".split())
        # The guests share an address, and are to think nothing of it.
        self.do(*f"ip -6 address add fd00::{number}/64 dev eth0 nodad".split())
        if not asks_for_neighbours:
            mac = MAC["primary" if self.role == "client" else "client"]
            for address in (f"10.0.0.{3 - number}", f"fd00::{3 - number}"):
                self.do(*f"ip neighbour add {address} lladdr {mac} dev eth0 nud permanent".split())


class Connection:
    """How far each guest is in one connection, in its own numbering."""

    def __init__(self):
        self.client_isn = None
        self.isn = {}
        self.time = {}
        self.high = {}
        self.ack = {}
        self.held = []
        self.last_of_client = None

    def offset(self, numbers=None):
        """The secondary's numbering less the primary's, once known."""
        numbers = numbers or self.isn
        if len(self.isn) < 2:
            return None
        return (numbers["secondary"] - numbers["primary"]) % CIRCLE

    def update(self, role, segment, time):
        if segment.flags & SYN and role not in self.isn:
            self.isn[role], self.time[role] = segment.seq, time
        end = seq_end(segment)
        if role not in self.high or is_after(end, self.high[role]):
            self.high[role] = end
        if segment.flags & ACK:
            if role not in self.ack or is_after(segment.ack, self.ack[role]):
                self.ack[role] = segment.ack

    def secondary_has_sent(self, segment):
        offset = self.offset()
        if offset is None or segment.flags & RST:
            return offset is not None
        if is_after((seq_end(segment) + offset) % CIRCLE, self.high["secondary"]):
            return False
        acks = segment.flags & ACK
        return not acks or not is_after(segment.ack, self.ack.get("secondary", segment.ack - 1))


class Wire:
    """The link to the client, the mirror, and as much of a proxy as keeps two guests together.

    The primary's TCP segments wait until the secondary has sent as much. No bytes are
    compared, as recording must not depend on what is recorded for. Without the wait, the
    client would acknowledge what the secondary has not sent yet. What the client sends goes to
    both guests, for the secondary with the acks of its own numbering.
    """

    def __init__(self, taps, loss, seed):
        self.taps = taps
        self.loss = loss
        self.random = random.Random(seed)
        self.connections = {}
        self.under_way = []
        self.count = 0

    def run(self, session):
        """Carries frames until the session's process has ended and the line is quiet."""
        poller = select.poll()
        for tap in self.taps.values():
            poller.register(tap, select.POLLIN)
        role_of = {tap: role for role, tap in self.taps.items()}
        start = quiet_since = time.monotonic()
        while session.poll() is None or time.monotonic() - quiet_since < QUIET_S:
            if time.monotonic() - start > SESSION_S_MAX:
                sys.exit("record-pairs.py: the client got no answer")
            wait_s = self.under_way[0][0] - time.monotonic() if self.under_way else 0.01
            for tap, _ in poller.poll(max(0, min(wait_s, 0.01)) * 1000):
                quiet_since = time.monotonic()
                self._from(role_of[tap], os.read(tap, 65536))
            while self.under_way and self.under_way[0][0] <= time.monotonic():
                _, _, role, data = heapq.heappop(self.under_way)
                os.write(self.taps[role], data)
            if session.poll() is None:
                quiet_since = time.monotonic()
            self._check_held()
        if session.returncode:
            sys.exit(f"record-pairs.py: the client ended with status {session.returncode}")

    def _send(self, role, data, delay_s):
        if self.random.random() < self.loss.get(role, 0):
            return
        self.count += 1  # frames of the same time stay in order
        heapq.heappush(self.under_way, (time.monotonic() + delay_s, self.count, role, data))

    def _from(self, role, data):
        packet = parse(data)
        if packet and packet.protocol == TCP and not packet.fragment:
            segment = parse_tcp(data, packet)
            if role == "client":
                self._tcp_from_client(data, packet, segment)
            else:
                self._tcp_from_guest(role, data, packet, segment)
        elif role == "client":
            self._send("primary", data, LINK_DELAY_S)
            self._send("secondary", data, LINK_DELAY_S + SECONDARY_LAG_S)
        elif role == "primary":
            self._send("client", data, LINK_DELAY_S)

    def _tcp_from_client(self, data, packet, segment):
        key = (packet.destination, segment.destination_port, packet.source, segment.source_port)
        connection = self.connections.setdefault(key, Connection())
        if segment.flags & (SYN | ACK) == SYN and connection.client_isn != segment.seq:
            connection = self.connections[key] = Connection()
            connection.client_isn = segment.seq
        self._send("primary", data, LINK_DELAY_S)
        offset = connection.offset()
        if segment.flags & ACK:
            if offset is None:
                return
            # Since 6.14, Linux refuses the echo of a timestamp that it has not sent.
            time_offset = connection.offset(connection.time)
            data = renumber(data, packet, segment, False, offset, time_offset)
            connection.last_of_client = segment.ack, data
        self._send("secondary", data, LINK_DELAY_S + SECONDARY_LAG_S)

    def _tcp_from_guest(self, role, data, packet, segment):
        key = (packet.source, segment.source_port, packet.destination, segment.destination_port)
        connection = self.connections.setdefault(key, Connection())
        repeats = role in connection.high and not is_after(seq_end(segment), connection.high[role])
        connection.update(role, segment, timestamps(data, segment)[0])
        if role == "primary":
            connection.held.append((time.monotonic(), data, segment))
        elif repeats and segment.payload and connection.last_of_client:
            # What the client has acknowledged, but not to the secondary (rule tcp-remirror).
            ack, last = connection.last_of_client
            if not is_after(seq_end(segment), (ack + connection.offset()) % CIRCLE):
                self._send("secondary", last, SECONDARY_LAG_S)
        while connection.held and connection.secondary_has_sent(connection.held[0][2]):
            self._send("client", connection.held.pop(0)[1], LINK_DELAY_S)

    def _check_held(self):
        for key, connection in self.connections.items():
            if connection.held and time.monotonic() - connection.held[0][0] > HOLD_S_MAX:
                raise Unequal(f"the secondary never sent what the primary did, {key}")


class World:
    """The three namespaces, for one session."""

    def __init__(self, folder, secondary_mtu=1500, asks_for_neighbours=False):
        self.folder = folder
        outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self.namespaces = {role: Namespace(role) for role in ROLES}
        check(LIBC.setns(outside, CLONE_NEWNET))
        os.close(outside)
        for role, namespace in self.namespaces.items():
            mtu = secondary_mtu if role == "secondary" else 1500
            namespace.set_up(mtu, asks_for_neighbours)
        self.processes = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()
        for namespace in self.namespaces.values():
            namespace.close()

    def record(self, session, capture_filter, loss, seed):
        """The captures of both guests, by role."""
        program = [sys.executable, "-B", Path(__file__).with_name("pair_guest.py")]
        captures = {role: self.folder / f"{role}.raw.pcap" for role in GUESTS}
        dumps = []
        for role in GUESTS:
            namespace = self.namespaces[role]
            server = namespace.start(
                *program, role, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            self.processes.append(server)
            if server.stdout.readline() != "ready\n":
                sys.exit(f"record-pairs.py: no services in the {role} guest")
            tcpdump = "tcpdump -i eth0 -s 0 -U --immediate-mode -B 16384 -Z root"
            tcpdump += f" --time-stamp-precision=nano -w {captures[role]} {capture_filter}"
            dumps.append(namespace.start(*tcpdump.split(), stderr=subprocess.DEVNULL))
        self.processes += dumps
        while not all(path.exists() and path.stat().st_size for path in captures.values()):
            if any(dump.poll() is not None for dump in dumps):
                sys.exit("record-pairs.py: tcpdump ended too soon")
            time.sleep(0.02)
        client = self.namespaces["client"].start(*program, f"client:{session}")
        self.processes.append(client)
        taps = {role: namespace.tap for role, namespace in self.namespaces.items()}
        Wire(taps, loss, seed).run(client)
        for dump in dumps:
            dump.send_signal(signal.SIGINT)  # it writes out what it has
            dump.wait()
        return captures
