# SPDX-License-Identifier: GPL-2.0-only
"""What the checks share: a lab that is up, steps that pass or fail, and what is kept of a failure.

    @group
    def equal_servers():
        with Lab() as lab, step("downloads over IPv4"):
            ...

    run_groups()

A line for each step. A failed step ends its group; the others go on. Then the group is run once
more with all wires captured, as captures would slow every run and share every packet.
"""

import contextlib
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
import traceback
from pathlib import Path

import client
import control
import guest_server
import netns
import topology
from guest_server import ask
from hypervisor import Hypervisor
from topology import CLIENT, GUEST1, GUEST2, GUEST_ADDRESS, PRIMARY, SECONDARY

SLOWNESS = float(os.environ.get("COLO_LAB_SLOWNESS", "1"))
OUT = Path("/mnt/out")
MODULES = ("xt_PMYCOLO", "xt_SECCOLO", "nf_conntrack_colo")
# Long, as a guest in software on a busy machine may stand still for seconds.
COMPARE_TIMEOUT_MS = 10000 * SLOWNESS
CAPTURES = ((CLIENT, "eth0"), (PRIMARY, "tap0"), (PRIMARY, "eth1"), (SECONDARY, "tap0"))

groups = []
failures = []
capturing = bool(os.environ.get("COLO_LAB_CAPTURE"))


def size(length):
    """As many bytes as take about as long on a slow kernel."""
    return int(length / SLOWNESS)


class Failed(Exception):
    """What a step found; its text says what to look at."""


class Skipped(Exception):
    """This kernel or machine cannot do what a group needs."""

    @classmethod
    @contextlib.contextmanager
    def if_fails(cls, why):
        try:
            yield
        except RuntimeError as error:
            raise cls(why) from error


def group(function):
    groups.append(function)
    return function


@contextlib.contextmanager
def step(what):
    start = time.monotonic()
    try:
        yield
    except Exception as error:
        print(f"FAILED {what}: {type(error).__name__}: {error}", flush=True)
        if not isinstance(error, (Failed, client.WrongAnswer, OSError, control.Refused)):
            traceback.print_exc(file=sys.stdout)
        raise Failed(what) from error
    print(f"ok     {what} ({time.monotonic() - start:.1f} s)", flush=True)


def say(text):
    print(f"       {text}", flush=True)


def require(truth, text):
    if not truth:
        raise Failed(text)


def wait_for(what, condition, timeout_s=10):
    """Until condition() is true; returns what it returned."""
    end = time.monotonic() + timeout_s * SLOWNESS
    while not (found := condition()):
        if time.monotonic() > end:
            raise Failed(f"waited {timeout_s * SLOWNESS:g} s for {what}")
        time.sleep(0.02)
    return found


def refused(text, function, *arguments, **options):
    """It has to raise Refused, and say @text."""
    try:
        function(*arguments, **options)
    except control.Refused as error:
        require(text.lower() in str(error).lower(), f'said "{error}", and nothing of "{text}"')
        return str(error)
    raise Failed(f"was not refused; it should have said something of {text}")


def load_modules():
    for module in MODULES[:2]:
        subprocess.run(["modprobe", module], check=True)


def loaded():
    names = Path("/proc/modules").read_text().split("\n")
    return [module for module in MODULES if any(name.startswith(module + " ") for name in names)]


def unload_modules(modules=MODULES):
    """They have to go, but what a namespace or rule used may be on its way to be freed."""

    def gone():
        there = [name for name in modules if name in loaded()]
        subprocess.run(["rmmod", *there], capture_output=True, check=False)
        return not loaded()

    wait_for("the modules to be unloaded; /proc/modules says who uses them", gone)


class Lab:
    """Topology, nodes on both hosts, rules, guest servers and hypervisor; as much as is wanted."""

    def __init__(self, tools=control.LEGACY, proxy=True, serve=True, checkpoints=True, **config):
        self.tools = tools
        self.proxy = proxy
        self.serve = serve
        self.checkpoints = checkpoints
        self.config = {"compare_timeout": f"{COMPARE_TIMEOUT_MS:g}ms", **config}
        self.processes = []
        self.servers = []
        self.hypervisor = None
        self.sockets = (os.path.abspath("guest1"), os.path.abspath("guest2"))

    def __enter__(self):
        try:
            topology.setup()
            if capturing:
                self.capture()
            if self.serve:
                self.start_servers()
            if self.proxy:
                self.protect()
            if self.serve:
                self.wait_for_servers()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind, *_):
        if kind not in (None, Skipped) and self.proxy:
            self.tell()
        self.close()

    def start_servers(self):
        """Forks, as another interpreter would take a second to start."""
        for guest, path in zip((GUEST1, GUEST2), self.sockets):
            with netns.inside(guest):
                process = multiprocessing.Process(
                    target=guest_server.serve, args=(path,), daemon=True
                )
                process.start()
            self.servers.append(process)

    def wait_for_servers(self):
        def ready(path):
            try:
                return ask(path, "status")
            except OSError:
                return None

        for path in self.sockets:
            wait_for(f"the guest server of {path}", lambda path=path: ready(path))

    def protect(self):
        load_modules()
        for host in (PRIMARY, SECONDARY):
            control.add_node(host, **self.config)
            control.arm(host, tools=self.tools)
        if self.checkpoints:
            self.hypervisor = Hypervisor(self.sockets, say=say)

    def capture(self):
        for name, device in CAPTURES:
            file = OUT / f"{Path(sys.argv[0]).stem}-{name}-{device}.pcap"
            command = ("tcpdump", "-Z", "root", "-U", "-n", "-s", "160", "-i", device, "-w", file)
            self.processes.append(netns.start(name, *command, stderr=subprocess.DEVNULL))

    def tell(self):
        """Of a failure: what both hosts know."""
        for host in (PRIMARY, SECONDARY):
            for what in ("stats", "flows"):
                with contextlib.suppress(Exception):
                    text = control.coloctl(host, what, 1).strip()
                    print(f"--- {host} {what}\n{text}", flush=True)
        if self.hypervisor:
            for event in self.hypervisor.monitor.seen:
                say(f"event {event}")

    def close(self):
        if self.hypervisor:
            self.hypervisor.close()
        for process in self.processes:
            process.terminate()
            process.wait()
        for server in self.servers:
            server.kill()
            server.join()
        for path in self.sockets:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        topology.teardown()

    # --- what the steps do with it ---

    def client(self, version=4, address=None, **options):
        with netns.inside(CLIENT):
            to = address or GUEST_ADDRESS[version]
            return client.Client(to, wait_s=60 * SLOWNESS, **options)

    def ask_guest(self, number, do, **request):
        return ask(self.sockets[number - 1], do, **request)

    def diverge(self, **flaws):
        """The secondary guest goes its own way, until the next checkpoint."""
        self.ask_guest(2, "diverge", flaws=flaws)

    def stats(self, host=PRIMARY):
        return control.stats(host)

    def stats_or_none(self, host=PRIMARY):
        try:
            return control.stats(host)
        except control.Refused:
            return None

    def requests(self):
        return self.hypervisor.monitor.requests()

    def expect_request(self, reason, number=1):
        """The number-th request came, has this reason, and was followed by its commit."""
        wait_for(f"checkpoint request {number}", lambda: len(self.requests()) >= number)
        wait_for(
            f"commit {number}; see the hypervisor's faults: {self.hypervisor.faults}",
            lambda: len(self.hypervisor.done) >= number,
        )
        found = self.requests()[number - 1]["reason"]
        require(found == reason, f"the reason is {found}, not {reason}; see the events")
        return self.requests()[number - 1]

    def expect_no_request(self, before=0):
        events = self.requests()[before:]
        require(not events, f"a checkpoint was requested for no reason: {events}")

    def expect_compared(self, least_bytes=0):
        """That the proxy judged what went by, and holds nothing that waits."""

        def settled():
            # One ack a flow stays, to be sent again when the secondary's window opens.
            stats = self.stats()
            return stats["held"] <= stats["flows"] and stats

        stats = wait_for("all that is held to leave", settled)
        require(stats["from_guest"] > 0, "no packet of the guest was taken; see the rules")
        released = stats["released_bytes"]
        require(released >= least_bytes, f"{released} bytes were compared, not {least_bytes}")


@contextlib.contextmanager
def as_client():
    with netns.inside(CLIENT):
        yield


def run_group(function):
    global capturing
    try:
        function()
        return True
    except Skipped as skipped:
        print(f"skip   {function.__name__}: {skipped}", flush=True)
        return True
    except Failed as failure:
        if failure.__cause__ is None:
            print(f"FAILED {function.__name__}: {failure}", flush=True)
    except Exception:
        print(f"FAILED {function.__name__}", flush=True)
        traceback.print_exc(file=sys.stdout)
    return False


def run_groups():
    """All, or those that are named on the command line."""
    global capturing
    wanted = sys.argv[1:]
    for function in groups:
        if wanted and function.__name__ not in wanted:
            continue
        if not run_group(function):
            failures.append(function.__name__)
            can_capture = OUT.is_dir() and shutil.which("tcpdump") and not capturing
            if len(failures) == 1 and can_capture:
                print(f"again, with captures: {OUT}/{Path(sys.argv[0]).stem}-*.pcap", flush=True)
                capturing = True
                run_group(function)
                capturing = False
    if failures:
        print(f"failed: {' '.join(failures)}", flush=True)
    sys.exit(1 if failures else 0)
