#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Compare what a pair costs here and in QEMU's colo-compare, fed with the same frames.

A pair is one packet of the primary, one of the secondary, and one release.

QEMU runs without a guest. Its figure is the user time of its process (/proc/PID/stat) while
frames go in and come out through its sockets, so without the kernel's part of socket calls but
with QEMU's own framing, which cannot be taken apart. The frames of the primary come in chunks,
each followed by the secondary's when QEMU has taken it: the secondary is behind by the lag and
up to a chunk. The figure of build/test/colo-bench is the CPU time from raw bytes to the released
frame. Both are nanoseconds a pair on this machine in this run; neither has anything to do with
throughput on a wire.
"""

import argparse
import json
import os
import select
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

QEMU = "qemu-system-x86_64"
PACKAGE = "qemu-system-x86"
TOP = Path(__file__).resolve().parent.parent
SKIPPED = 77  # as automake and others have it

ETHERNET = bytes.fromhex("020000000001 020000000002")
# An unknown ethertype passes QEMU at once, and so tells when what was before it is done.
BARRIER = struct.pack(">I", 60) + ETHERNET + b"\x88\xb5" + bytes(46)
QUEUE_MAX = 1 << 20  # packets that QEMU holds for a connection
SEQ = 0x10000001
PORTS = 16384


class Failure(Exception):
    """What went wrong, in one line."""


@dataclass(frozen=True)
class Case:
    title: str
    name: str  # colo-bench's
    payload: int = 64
    connections: int = 1
    lag: int = 0  # packets
    block: int = 1  # in which the primary's packets arrive, the last first
    cut: int = 1  # frames that the secondary needs for one of the primary's

    @property
    def chunk(self):
        """Pairs of a round: few, so that a lag of none is none; a block stays whole."""
        return max(self.block, 64)


CASES = [
    Case(f"{payload} B, {count:,} connection{'s' if count > 1 else ''}",
         f"tcp/payload:{payload}/connections:{count}", payload=payload, connections=count)
    for payload in (64, 512, 1460)
    for count in (1, 1000, 10000)
]
CASES += [
    Case(f"64 B, secondary lags {lag:,}", f"tcp/payload:64/connections:1/lag:{lag}", lag=lag)
    for lag in (1000, 100000)
]
CASES += [
    Case(f"64 B, reversed blocks of {block:,}", f"tcp/payload:64/primary_reversed:{block}",
         lag=block, block=block)
    for block in (1000, 10000)
]
CASES += [
    Case(f"{payload} B, secondary cut in 4", f"tcp/payload:{payload}/secondary_cut:4",
         payload=payload, cut=4)
    for payload in (64, 512, 1460)
]


class Frames:
    """The frames of a case with their lengths before them, as QEMU's sockets want them."""

    IP, TCP, PAYLOAD = 14, 34, 54

    def __init__(self, case):
        self.case = case
        self.payload = bytes(i % 251 for i in range(case.payload))
        self.whole = self._template(0, case.payload)
        step = case.payload // case.cut
        cuts = [(i * step, case.payload if i + 1 == case.cut else (i + 1) * step)
                for i in range(case.cut)]
        self.parts = [(begin, self._template(begin, end)) for begin, end in cuts]

    def _template(self, begin, end):
        ip_len = 40 + end - begin
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, ip_len, 0, 0, 64, 6, 0,
                         bytes([10, 0, 0, 1]), bytes([192, 0, 0, 0]))
        tcp = struct.pack(">HHIIBBHHH", 80, 40000, 0, 0x20000001, 0x50, 0x10, 1000, 0, 0)
        frame = ETHERNET + b"\x08\x00" + ip + tcp + self.payload[begin:end]
        return struct.pack(">I", len(frame)) + frame

    def _set(self, frame, number, begin):
        connections = self.case.connections
        turn, place = divmod(number, connections)
        connection = place * 7919 % connections
        seq = SEQ + turn * self.case.payload + begin & 0xFFFFFFFF
        client = 0xC0000000 + connection // PORTS
        struct.pack_into(">I", frame, 4 + self.IP + 16, client)
        struct.pack_into(">HI", frame, 4 + self.TCP + 2, 40000 + connection % PORTS, seq)
        if begin == 0:  # no two payloads alike
            struct.pack_into("<Q", frame, 4 + self.PAYLOAD, number)

    def primary(self, first, count):
        frames = []
        for i in range(first, first + count):
            base = i - i % self.case.block
            frame = bytearray(self.whole)
            self._set(frame, base + self.case.block - 1 - (i - base), 0)
            frames.append(frame)
        return b"".join(frames)

    def secondary(self, first, count):
        frames = []
        for number in range(first, first + count):
            for begin, template in self.parts:
                frame = bytearray(template)
                self._set(frame, number, begin)
                frames.append(frame)
        return b"".join(frames)


class Qemu:
    """colo-compare in a process of its own, and its four sockets."""

    def __init__(self, folder, limit_s):
        self.deadline = time.monotonic() + limit_s
        self.sockets = {}
        self.received = 0
        names = ("pri", "sec", "out", "ntf")
        paths = {name: os.path.join(folder, name + ".sock") for name in names}
        command = [QEMU, "-M", "none", "-nodefaults", "-no-user-config", "-display", "none",
                   "-accel", "tcg", "-S", "-object", "iothread,id=io0"]
        for name, path in paths.items():
            command += ["-chardev", f"socket,id={name},path={path},server=on,wait=off"]
        command += ["-object", "colo-compare,id=c0,primary_in=pri,secondary_in=sec,outdev=out,"
                    f"iothread=io0,notify_dev=ntf,max_queue_size={QUEUE_MAX},"
                    "compare_timeout=600000,expired_scan_cycle=600000"]
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=self.errors)
        try:
            for name, path in paths.items():
                self.sockets[name] = self._connect(path)
            self._await_output()
        except BaseException:
            self.close()
            raise

    def _connect(self, path):
        while True:
            self.check()
            sock = socket.socket(socket.AF_UNIX)
            try:
                sock.connect(path)
                sock.setblocking(False)
                return sock
            except OSError:
                sock.close()
                time.sleep(0.01)

    def _await_output(self):
        """Connected is not accepted: until then QEMU's output is lost."""
        while not self.received:
            self.send("pri", BARRIER)
            self._wait(seconds=0.2)
        while select.select([self.sockets["out"]], [], [], 0.2)[0]:
            self._receive()
        self.received = 0

    def check(self):
        if self.process.poll() is not None:
            self.errors.seek(0)
            said = self.errors.read().decode(errors="replace").strip().split("\n")[-1]
            raise Failure(f"{QEMU} ended with status {self.process.returncode}: {said}")
        if time.monotonic() > self.deadline:
            raise Failure("took longer than --limit")

    def _receive(self):
        try:
            data = self.sockets["out"].recv(1 << 20)
        except BlockingIOError:
            return
        if not data:
            raise Failure("QEMU closed its output")
        self.received += len(data)

    def _wait(self, writer=None, seconds=1):
        watched = [self.sockets["out"], self.sockets["ntf"]]
        readable, _, _ = select.select(watched, [writer] if writer else [], [], seconds)
        if self.sockets["ntf"] in readable:
            raise Failure("QEMU asked for a checkpoint")
        if self.sockets["out"] in readable:
            self._receive()
        self.check()

    def send(self, name, data):
        """All of it, while what comes out is taken away."""
        view = memoryview(data)
        while view:
            try:
                view = view[self.sockets[name].send(view):]
            except BlockingIOError:
                self._wait(self.sockets[name])

    def receive(self, total):
        """Until so many bytes have come out since the start."""
        while self.received < total:
            self._wait()
        if self.received > total:
            raise Failure("QEMU released more than it was given")

    def user_seconds(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return int(fields[11]) / os.sysconf("SC_CLK_TCK")

    def close(self):
        for sock in self.sockets.values():
            sock.close()
        self.process.kill()
        self.process.wait()
        self.errors.close()


def run_qemu(case, seconds, limit_s):
    """Nanoseconds of QEMU's user time a pair."""
    frames = Frames(case)
    size = len(frames.whole)
    chunk = case.chunk
    sent = compared = expected = 0
    with tempfile.TemporaryDirectory(prefix="colo-peer-") as folder:
        qemu = Qemu(folder, limit_s)
        try:
            def send_primary(count):
                nonlocal sent, expected
                qemu.send("pri", frames.primary(sent, count) + BARRIER)
                sent += count
                expected += len(BARRIER)
                qemu.receive(expected)

            def send_secondary(count):
                nonlocal compared, expected
                qemu.send("sec", frames.secondary(compared, count))
                compared += count
                expected += count * size
                qemu.receive(expected)

            while sent < case.lag:
                send_primary(min(chunk, case.lag - sent))
            # Every connection is known, and QEMU's memory warm, before anything is measured.
            warm = max(case.connections, 2 * chunk)
            while compared < warm:
                send_primary(chunk)
                send_secondary(chunk)
            before, first = qemu.user_seconds(), compared
            while qemu.user_seconds() - before < seconds:
                for _ in range(max(1, 2048 // chunk)):
                    send_primary(chunk)
                    send_secondary(chunk)
            return (qemu.user_seconds() - before) / (compared - first) * 1e9
        finally:
            qemu.close()


def run_own(bench, cases, repetitions):
    """Nanoseconds of colo-bench a pair, by case name: medians."""
    names = "|".join(case.name for case in cases)
    command = [bench, f"--benchmark_filter=^({names})$", "--benchmark_format=json",
               f"--benchmark_repetitions={repetitions}", "--benchmark_min_time=0.2"]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                            timeout=600, check=False)
    if result.returncode:
        raise Failure(f"{bench} ended with status {result.returncode}")
    times = {}
    for entry in json.loads(result.stdout)["benchmarks"]:
        if entry["run_type"] == "iteration":
            times.setdefault(entry["run_name"], []).append(entry["cpu_time"])
    return {name: sorted(values)[len(values) // 2] for name, values in times.items()}


def parse_arguments():
    summary, _, details = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(description=summary, epilog=details,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    build = Path(os.environ.get("COLO_BUILD_DIR", TOP / "build"))
    parser.add_argument("--bench", type=Path, default=build / "test/colo-bench", metavar="FILE",
                        help="our benchmark (default build/test/colo-bench)")
    parser.add_argument("--seconds", type=float, default=1.0, metavar="S",
                        help="user time of QEMU to spend on a case, in seconds (default 1)")
    parser.add_argument("--repetitions", type=int, default=5, metavar="N",
                        help="runs of our benchmark, of which the median counts (default 5)")
    parser.add_argument("--limit", type=float, default=120.0, metavar="S",
                        help="longest time for a case in QEMU, in seconds (default 120)")
    parser.add_argument("--filter", default="", metavar="TEXT",
                        help="only cases whose title contains this")
    options = parser.parse_args()
    if options.seconds <= 0 or options.limit <= 0 or options.repetitions < 1:
        parser.error("--seconds, --limit and --repetitions must be above zero")
    return options


def main():
    options = parse_arguments()
    cases = [case for case in CASES if options.filter in case.title]
    if not cases:
        print(f"peer-bench.py: no case has '{options.filter}' in its title", file=sys.stderr)
        return 2
    if not os.access(options.bench, os.X_OK):
        print(f"peer-bench.py: {options.bench} is missing: ./ns3 build", file=sys.stderr)
        return 2
    if not shutil.which(QEMU):
        print(f"peer-bench.py: {QEMU} is missing: install the package {PACKAGE}")
        return SKIPPED
    status = 0
    try:
        own = run_own(options.bench, cases, options.repetitions)
    except (Failure, subprocess.TimeoutExpired) as failure:
        print(f"peer-bench.py: {failure}", file=sys.stderr)
        return 1
    print(f"{'ns a pair':34}{'colo-compare':>14}{'colo-bench':>12}{'ratio':>8}", flush=True)
    for case in cases:
        try:
            theirs = run_qemu(case, options.seconds, options.limit)
        except (Failure, OSError) as failure:
            print(f"{case.title:34}  {failure}", flush=True)
            status = 1
            continue
        ours = own[case.name]
        print(f"{case.title:34}{theirs:14,.0f}{ours:12,.0f}{theirs / ours:8.1f}", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
