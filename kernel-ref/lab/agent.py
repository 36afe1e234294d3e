# SPDX-License-Identifier: GPL-2.0-only
"""Runs in the guest: takes the names of checks from a file of orders, and runs them.

The folder it is called with is shared with run.py outside. There, "orders" grows by a line of
JSON for each check, and "results" by one when it is done. Between checks all is put back: a
check finds no module of ours, no namespace, no device, no rule and no process of another.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import reports

TABLES = ("raw", "mangle", "nat", "filter")
EXIT_SKIPPED = 77
POLL_S = 0.05
KILL_S_MAX = 5
CLEAN_S_MAX = 20
# kmemleak looks at what is older than 5 s.
LEAK_AGE_S = 6
KMEMLEAK = Path("/sys/kernel/debug/kmemleak")
SCRATCH = Path("/mnt/scratch")
SYSRQ = Path("/proc/sysrq-trigger")


class KernelLog:
    """What the kernel has logged since the last look."""

    def __init__(self, path="/dev/kmsg"):
        self.kmsg = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def news(self):
        lines = []
        while True:
            try:
                record = os.read(self.kmsg, 8192)
            except BlockingIOError:
                break
            except BrokenPipeError:
                lines.append("(some were overwritten)")
                continue
            if not record:
                break
            head, _, text = record.decode(errors="replace").partition(";")
            seconds = int(head.split(",")[2]) / 1e6
            lines += [f"[{seconds:12.6f}] {line}" for line in text.rstrip("\n").split("\n")]
        return "\n".join(lines)


def quietly(*command):
    """Runs what cleans up; what is wrong with it shows in what is left over."""
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=CLEAN_S_MAX,
        ).returncode
    except subprocess.TimeoutExpired:
        return -1


def loaded(modules):
    """Which of these modules are loaded, users before what they use."""
    lines = [line.split() for line in Path("/proc/modules").read_text().splitlines()]
    return [words[0] for words in lines if words[0] in modules]


def unload(modules):
    """Unloads what can be; returns what cannot."""
    while names := loaded(modules):
        for name in names:
            quietly("rmmod", name)
        if loaded(modules) == names:
            break
    return names


def flush_rules():
    for command in ("iptables-legacy", "ip6tables-legacy", "iptables-nft", "ip6tables-nft"):
        for table in TABLES:
            quietly(command, "-t", table, "-F")
            quietly(command, "-t", table, "-X")


def delete_devices(before):
    for name in os.listdir("/sys/class/net"):
        if name not in before and os.path.exists(f"/sys/class/net/{name}"):
            quietly("ip", "link", "delete", name)


def others():
    """Processes that a check left behind: all but init's family and the kernel's threads."""
    mine = {os.getpid(), os.getppid(), 1}
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) not in mine:
            try:
                if os.readlink(f"/proc/{name}/exe") and os.getpgid(int(name)) != os.getpgrp():
                    yield int(name)
            except OSError:
                continue  # a thread of the kernel, or just gone


def clean(devices_before, modules):
    """Puts the guest back; returns what could not be, as a text, or nothing."""
    for process in list(others()):
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue
    for name in os.listdir("/run/netns"):
        quietly("ip", "netns", "delete", name)
    delete_devices(devices_before)
    shutil.rmtree(SCRATCH, ignore_errors=True)
    if unload(modules):
        flush_rules()
        if stuck := unload(modules):
            return f"cannot be unloaded after it: {' '.join(stuck)}"
    return ""


def run_script(check, log):
    """Runs a check; returns its status, or None if it had to be killed."""
    SCRATCH.mkdir(exist_ok=True)
    process = subprocess.Popen(
        check["command"],
        cwd=SCRATCH,
        env={**os.environ, **check["environment"]},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        return process.wait(check["timeout_s"])
    except subprocess.TimeoutExpired:
        # Tell what waits where, before the reason is gone.
        SYSRQ.write_text("w")
        os.killpg(process.pid, signal.SIGKILL)
        try:
            process.wait(KILL_S_MAX)
        except subprocess.TimeoutExpired:
            raise SystemExit("a process cannot be killed") from None
        return None


def leaks():
    """What kmemleak finds lost, on kernels that have it."""
    time.sleep(LEAK_AGE_S)
    for _ in range(2):  # a first scan may find what is only on the way
        try:
            KMEMLEAK.write_text("scan")
        except OSError:
            return ""  # switched off
    found = KMEMLEAK.read_text()
    KMEMLEAK.write_text("clear")
    return found


def judge(status, timeout_s, found, left):
    """The result of a check: ok, failed or skipped, and why."""
    why = []
    if status is None:
        why.append(f"not done after {timeout_s:g} s")
    elif status not in (0, EXIT_SKIPPED):
        why.append(f"exit status {status}")
    why += [f"kernel: {line}" for line in found]
    if left:
        why.append(left)
    if why:
        return {"status": "failed", "why": why}
    return {"status": "ok" if status == 0 else "skipped", "why": []}


def run_check(check, out, kernel_log):
    devices = os.listdir("/sys/class/net")
    start = time.monotonic()
    with open(out / f"{check['name']}.log", "ab") as log:
        status = run_script(check, log)
    seconds = time.monotonic() - start
    left = clean(devices, check["modules"])
    text = kernel_log.news()
    if check["leaks"] and KMEMLEAK.exists():
        text += leaks()
    (out / f"{check['name']}.dmesg").write_text(text + "\n")
    result = judge(status, check["timeout_s"], reports.find(text), left)
    return {"name": check["name"], "seconds": round(seconds, 2), **result}


def orders(path):
    """Each line of a growing file, as it comes."""
    with open(path, "rb") as file:
        while True:
            start = file.tell()
            line = file.readline()
            if line.endswith(b"\n"):
                yield json.loads(line)
            else:
                file.seek(start)
                time.sleep(POLL_S)


def main():
    out = Path(sys.argv[1])
    kernel_log = KernelLog()
    (out / "boot.dmesg").write_text(kernel_log.news() + "\n")
    with open(out / "results", "a", buffering=1) as results:
        print(json.dumps({"name": "", "status": "ready"}), file=results)
        for order in orders(out / "orders"):
            if order is None:
                break
            print(json.dumps(run_check(order, out, kernel_log)), file=results)


if __name__ == "__main__":
    main()
