#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Boots a kernel in QEMU, on this machine's files, and runs a command there as root.

The guest sees this machine's root folder, and what it writes there goes to its own memory;
a folder /mnt/out, which is --out here, is shared. Its network is its own. Ends with the
command's status, 123 if the kernel reported a fault, 124 if the time was over, 125 if the
guest died.

    boot.py 6.1 -- ip netns add a
    boot.py 6.12 --out /tmp/out -- bash -x checks/00-boot.sh
"""

import argparse
import lzma
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import fetch
import lab
import reports
from lab import say

OUT_IN_GUEST = Path("/mnt/out")
EXIT_REPORT, EXIT_TIMEOUT, EXIT_DIED = 123, 124, 125
# What the guest needs before it can see this machine's files.
BOOT_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
POLL_S = 0.05
PANIC_S_MAX = 5
LAST_LINES = 40
# Over 9p a quarter of a megabyte a message is as quick as it gets.
SHARE = "trans=virtio,version=9p2000.L,msize=262144"

INIT = f"""#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t devtmpfs dev /dev
for module in /modules/*.ko; do [ -e "$module" ] && $b insmod "$module"; done
$b mount -t 9p -o ro,{SHARE},cache=loose root /lower
$b mount -t tmpfs tmpfs /own
$b mkdir /own/upper /own/work
$b mount -t overlay -o lowerdir=/lower,upperdir=/own/upper,workdir=/own/work overlay /newroot
$b cp /stage2 /newroot/.stage2
exec $b switch_root /newroot /bin/bash /.stage2
"""

STAGE2 = """
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
mount -t debugfs debug /sys/kernel/debug
mkdir -p /run/netns /run/lock /dev/pts /lib/modules
mount -t devpts pts /dev/pts
mount -t tmpfs mnt /mnt
mkdir /mnt/out
mount -t 9p -o {share} out {out} || echo "no {out}" >/dev/ttyS0
[ -z {modules} ] || ln -sfn {modules} /lib/modules/
ip link set lo up
echo 7 >/proc/sys/kernel/printk # a panic's details are shown from now on
cd {folder}
( {command} ) >>{out}/output 2>&1 </dev/null
status=$?
dmesg >{out}/dmesg
echo $status >{out}/status
busybox reboot -f
"""


class GuestDied(Exception):
    """The guest ended, or was ended, before its command did."""


def cpio(entries):
    """An archive in the format that kernels unpack, of (name, mode, bytes)."""
    archive = bytearray()
    for inode, (name, mode, data) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
        encoded = name.encode() + b"\0"
        numbers = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
        archive += b"070701" + b"".join(b"%08X" % number for number in numbers) + encoded
        archive += b"\0" * (-len(archive) % 4) + data
        archive += b"\0" * (-len(archive) % 4)
    return bytes(archive)


def boot_modules(kernel):
    """The files of BOOT_MODULES and of those that they need, in the order to load them."""
    found = []
    for name in BOOT_MODULES if kernel.root else ():
        command = ["modprobe", "-d", kernel.root, "-S", kernel.release, "--show-depends", name]
        for line in lab.output_of(command).splitlines():
            words = line.split()
            if words[0] == "insmod" and words[1] not in found:
                found.append(words[1])
    return [Path(name) for name in found]


def plain(path):
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def initramfs(kernel, command, folder, modules):
    stage2 = STAGE2.format(
        share=SHARE,
        out=OUT_IN_GUEST,
        modules=shlex.quote(str(modules or "")),
        folder=shlex.quote(str(folder)),
        command=shlex.join(map(str, command)),
    )
    folders = "bin dev lower modules newroot own proc sys".split()
    busybox = Path(lab.program("busybox", "busybox-static"))
    return cpio(
        [(name, 0o40755, b"") for name in folders]
        + [
            ("bin/busybox", 0o100755, busybox.read_bytes()),
            ("init", 0o100755, INIT.encode()),
            ("stage2", 0o100644, stage2.encode()),
        ]
        + [
            (f"modules/{number:02}.ko", 0o100644, plain(path))
            for number, path in enumerate(boot_modules(kernel))
        ]
    )


class Guest:
    """A running guest; what it writes is in the folder out."""

    def __init__(
        self,
        kernel,
        command,
        out,
        *,
        memory_mib=1024,
        cpus=1,
        append="",
        folder="/",  # where the command starts
        modules=None,  # lib/modules/RELEASE, if not the kernel's own
    ):
        self.out = Path(out).resolve()
        if not modules and kernel.root:
            modules = kernel.root / f"lib/modules/{kernel.release}"
        self.out.mkdir(parents=True, exist_ok=True)
        for name in ("status", "output", "console", "dmesg"):
            (self.out / name).unlink(missing_ok=True)
        (self.out / "output").touch()
        program = lab.program("qemu-system-x86_64", "qemu-system-x86")
        # Not in out, whose path may be longer than a socket's can be.
        self.scratch = tempfile.TemporaryDirectory(prefix="colo-lab-")
        self.monitor = Path(self.scratch.name, "monitor")
        archive = Path(self.scratch.name, "initramfs")
        archive.write_bytes(initramfs(kernel, command, folder, modules))
        with open(self.out / "qemu", "wb") as log:
            self.qemu = subprocess.Popen(
                # Even if we are killed, it must not stay.
                ["setpriv", "--pdeathsig", "KILL", program]
                + self.options(kernel, archive, memory_mib, cpus, append),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # or an interrupt would reach it before us
            )

    def options(self, kernel, archive, memory_mib, cpus, append):
        arguments = "console=ttyS0 quiet panic=-1 oops=panic mitigations=off"
        arguments += f" unknown_nmi_panic {append}"
        shares = [
            "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap",
            f"local,id=out,path={self.out},security_model=none",
        ]
        options = f"-M q35 -accel tcg -cpu max -smp {cpus} -m {memory_mib}".split()
        options += "-nodefaults -no-reboot -display none".split()
        options += ["-serial", f"file:{self.out}/console"]
        options += ["-monitor", f"unix:{self.monitor},server=on,wait=off"]
        options += ["-kernel", kernel.image, "-initrd", archive, "-append", arguments]
        for share in shares:
            tag = share.split(",")[1].removeprefix("id=")
            options += ["-fsdev", share]
            options += ["-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
        return options

    def alive(self):
        return self.qemu.poll() is None

    def status(self):
        """The command's, once the guest is gone; raises GuestDied if it never ended."""
        self.qemu.wait()
        try:
            return int((self.out / "status").read_text())
        except (OSError, ValueError):
            raise GuestDied(self.last_words()) from None

    def last_words(self):
        """The lines that tell why a guest is dead."""
        lines = self.read("console").splitlines()
        for number, line in enumerate(lines):
            if reports.find(line):
                return "\n".join(lines[number : number + LAST_LINES])
        lines = self.read("qemu").splitlines() or lines
        return "\n".join(lines[-LAST_LINES:]) or "it said nothing"

    def read(self, name):
        try:
            return (self.out / name).read_text(errors="replace")
        except OSError:
            return ""

    def kill(self):
        if self.alive():
            self.qemu.kill()
            self.qemu.wait()
        self.scratch.cleanup()

    def panic(self):
        """Ends a guest that hangs so that its console tells where, if it can still do that."""
        try:
            with socket.socket(socket.AF_UNIX) as monitor:
                monitor.connect(str(self.monitor))
                monitor.sendall(b"nmi\n")
                self.qemu.wait(PANIC_S_MAX)
        except (OSError, subprocess.TimeoutExpired):
            pass
        self.kill()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


def stream(guest, timeout_s):
    """Shows the command's output as it comes; False if the time was over."""
    end = time.monotonic() + timeout_s
    with open(guest.out / "output", "rb") as output:
        while True:
            alive = guest.alive()
            data = output.read()
            sys.stdout.buffer.write(data)
            sys.stdout.flush()
            if not alive:
                return True
            if time.monotonic() > end:
                return False
            if not data:
                time.sleep(POLL_S)


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("kernel", help=f"{', '.join(fetch.SERIES)}, or the file of a bzImage")
    add("command", nargs="+", help="what to run, after --")
    add("--out", type=Path, help="keep output, console, dmesg and status here")
    add("--timeout", type=float, default=300, metavar="S", help="default %(default)s")
    add("--memory", type=int, default=1024, metavar="MIB", help="default %(default)s")
    add("--cpus", type=int, default=1, help="1 is quickest, 2 finds more races")
    add("--append", default="", help="more words for the kernel's command line")
    return parser.parse_args()


def find_kernel(name):
    if "/" in name or os.path.exists(name):
        bzimage = Path(name).resolve()
        return fetch.Kernel("own", fetch.release_of(bzimage), bzimage, None, None)
    return fetch.fetch(name)


def main():
    options = arguments()
    kernel = find_kernel(options.kernel)
    with tempfile.TemporaryDirectory(prefix="colo-lab-") as scratch:
        how = {"memory_mib": options.memory, "cpus": options.cpus, "append": options.append}
        out = options.out or scratch
        with Guest(kernel, options.command, out, folder=Path.cwd(), **how) as guest:
            if not stream(guest, options.timeout):
                guest.panic()
                say(f"not done after {options.timeout:g} s; --timeout allows for more")
                return EXIT_TIMEOUT
            try:
                status = guest.status()
            except GuestDied as death:
                say(f"the guest died:\n{death}")
                return EXIT_DIED
            if found := reports.find(guest.read("dmesg")):
                say("the kernel reported:\n" + "\n".join(found))
                return EXIT_REPORT
            return status


if __name__ == "__main__":
    lab.run_main(main)
