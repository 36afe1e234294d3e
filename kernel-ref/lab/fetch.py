#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Fetches Debian's current kernels, with what is needed to build modules for them.

Nothing is installed: packages are downloaded and unpacked into a cache, which is
$COLO_LAB_CACHE, or colo-lab in the user's cache folder. What is there once is used again,
also without a network.
"""

import argparse
import lzma
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import lab
from lab import LabError, Unavailable, say

# By series, the packages that depend on the current image. On Debian 12.
METAPACKAGES = {"6.1": ["linux-image-amd64"], "6.12": ["linux-image-6.12-amd64"]}
SERIES = list(METAPACKAGES)
# Drivers of hardware that no guest has are most of an image.
DRIVERS_KEPT = {"block", "char", "net", "virtio"}
NET_DRIVERS_DROPPED = {"ethernet", "wireless"}
DOWNLOAD_S_MAX = 900
APT = "-q -o APT::Sandbox::User=root -o Acquire::Retries=2 -o Acquire::http::Timeout=30".split()


@dataclass
class Kernel:
    """A kernel that can be booted and built for."""

    name: str  # as the user calls it: 6.1, 6.12, debug
    release: str  # as uname -r does
    image: Path  # bzImage or vmlinux
    headers: Path
    root: Path | None  # has lib/modules; None if drivers are built in


class Apt:
    """Debian's package lists: the machine's, or fresh ones of our own, which needs no root."""

    def __init__(self, folder=None):
        self.options = list(APT)
        if folder:
            for name in ("state/lists/partial", "cache/archives/partial"):
                (folder / name).mkdir(parents=True)
            lists = f"Dir::State::lists={folder}/state/lists"
            self.options += ["-o", lists, "-o", f"Dir::Cache={folder}/cache"]
            lab.output_of(["apt-get", *self.options, "update"], timeout=DOWNLOAD_S_MAX)

    def depends(self, package):
        try:
            text = lab.output_of(["apt-cache", *self.options, "depends", package])
        except subprocess.CalledProcessError:
            return []
        return re.findall(r"^\s*\|?Depends: (\S+)$", text, re.MULTILINE)

    def version(self, package):
        text = lab.output_of(["apt-cache", *self.options, "policy", package])
        found = re.search(r"Candidate: (\S+)", text)
        return found and found.group(1)

    def download(self, packages, folder):
        command = ["apt-get", *self.options, "download", *packages]
        lab.output_of(command, cwd=folder, timeout=DOWNLOAD_S_MAX)

    def current(self, series):
        """Release and version of a series' current kernel, or None if it is not listed."""
        for metapackage in METAPACKAGES[series]:
            for image in self.depends(metapackage):
                found = re.fullmatch(rf"linux-image-({re.escape(series)}\..+)", image)
                if found:
                    return found.group(1), self.version(image)
        return None

    def packages(self, release):
        headers = f"linux-headers-{release}"
        build = [
            name
            for name in self.depends(headers)
            if re.fullmatch(r"linux-(headers-.*-common|kbuild-.*)", name)
        ]
        return [f"linux-image-{release}", headers, *build]


def folder_name(release, version):
    return f"{release}_{version}".replace("~", "-")


def cached(cache, series):
    """Folders of a series' kernels, the newest last."""
    found = [path for path in cache.glob(f"{series}.*_*") if path.is_dir()]
    return sorted(found, key=lambda path: path.stat().st_mtime)


def as_kernel(series, folder):
    release = folder.name.split("_")[0]
    vmlinux = folder / "vmlinux"
    return Kernel(
        name=series,
        release=release,
        image=vmlinux if vmlinux.exists() else folder / f"boot/vmlinuz-{release}",
        headers=folder / f"usr/src/linux-headers-{release}",
        root=folder,
    )


def drop_drivers(modules):
    drivers = modules / "kernel/drivers"
    dropped = [path for path in drivers.iterdir() if path.name not in DRIVERS_KEPT]
    dropped += [drivers / "net" / name for name in NET_DRIVERS_DROPPED]
    for path in [*dropped, modules / "kernel/sound"]:
        shutil.rmtree(path, ignore_errors=True)


def make_headers_movable(folder, release):
    """Debian's Makefile includes another by its absolute path, where it is not installed here."""
    makefile = folder / f"usr/src/linux-headers-{release}/Makefile"
    here = "$(dir $(lastword $(MAKEFILE_LIST)))../"
    text = makefile.read_text()
    makefile.write_text(text.replace("/usr/src/", here))


def unpack_image(folder, release):
    """A vmlinux boots without a firmware, and 3 s sooner than what is packed with xz."""
    packed = (folder / f"boot/vmlinuz-{release}").read_bytes()
    config = (folder / f"boot/config-{release}").read_text()
    start = packed.find(b"\xfd7zXZ\0")
    if start < 0 or "CONFIG_PVH=y" not in config:
        return
    vmlinux = lzma.LZMADecompressor().decompress(packed[start:])
    if vmlinux.startswith(b"\x7fELF"):
        (folder / "vmlinux").write_bytes(vmlinux)


def unpack(packages, folder, release):
    for package in packages:
        lab.output_of(["dpkg-deb", "-x", package, folder])
        package.unlink()
    # Debian 13 has no /lib of its own any more.
    if (folder / "usr/lib/modules").is_dir() and not (folder / "lib").exists():
        (folder / "lib").symlink_to("usr/lib")
    drop_drivers(folder / f"lib/modules/{release}")
    lab.output_of(["depmod", "-b", folder, release])
    make_headers_movable(folder, release)
    unpack_image(folder, release)


def download(apt, series, cache):
    """The folder of the current kernel, downloaded if it is not there."""
    current = apt.current(series)
    if not current:
        raise Unavailable(f"apt knows no linux-image package of {series}")
    release, version = current
    folder = cache / folder_name(release, version)
    if folder.is_dir():
        return folder
    with lab.locked(cache, "another download"):
        if not folder.is_dir():
            download_to(folder, apt, release)
            # A run elsewhere may still use the one before.
            for path in cached(cache, series)[:-2]:
                shutil.rmtree(path)
    return folder


def download_to(folder, apt, release):
    say(f"downloading Debian's kernel {release}")
    for path in folder.parent.glob(".download-*"):  # those that were cut off; we hold the lock
        shutil.rmtree(path, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".download-") as scratch:
        apt.download(apt.packages(release), scratch)
        whole = Path(scratch, "whole")
        unpack(sorted(Path(scratch).glob("*.deb")), whole, release)
        # What has its own name is complete, whenever we are cut off.
        os.rename(whole, folder)


def first_line(error):
    lines = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
    errors = [line for line in lines if line.startswith("E: ")]
    return (errors or lines or ["no message"])[0]


def fetch(series):
    """A kernel of that series; a cached one if there is no network."""
    if series not in METAPACKAGES:
        raise LabError(f"no kernel is called '{series}'; there are: {' '.join(SERIES)}")
    for name, package in (("apt-get", "apt"), ("dpkg-deb", "dpkg"), ("depmod", "kmod")):
        lab.program(name, package)
    cache = lab.cache_folder()
    try:
        return as_kernel(series, download(Apt(), series, cache))
    except (Unavailable, subprocess.SubprocessError):
        pass  # the lists are missing or old, or there is no network
    if found := cached(cache, series):
        say(f"cannot ask for a newer kernel, so {found[-1].name} has to do")
        return as_kernel(series, found[-1])
    say("asking for newer lists of packages")
    with tempfile.TemporaryDirectory(prefix="colo-lab-") as lists:
        try:
            return as_kernel(series, download(Apt(Path(lists)), series, cache))
        except subprocess.SubprocessError as error:
            raise Unavailable(
                f"cannot download kernel {series}: {first_line(error)}; "
                "see that apt-get reaches Debian, then try again"
            ) from None


def release_of(bzimage):
    """The release that a bzImage's header names (boot protocol, field kernel_version)."""
    try:
        head = bzimage.read_bytes()[: 1 << 16]
    except OSError as error:
        raise LabError(f"cannot read kernel {bzimage}: {error.strerror}") from None
    if head[0x202:0x206] != b"HdrS":
        raise LabError(f"{bzimage} is no bzImage; name one that the kernel's build made")
    start = int.from_bytes(head[0x20E:0x210], "little") + 0x200
    return head[start : head.index(b"\0", start)].split()[0].decode()


def unpack_headers(tarball):
    """Into the cache, under a name that changes with the tarball."""
    state = tarball.stat()
    cache = lab.cache_folder()
    folder = cache / f"headers-{state.st_size}-{state.st_mtime_ns}"
    with lab.locked(cache, "another download"):
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(dir=cache, prefix=".headers-") as scratch:
                whole = Path(scratch, "whole")
                whole.mkdir()
                lab.output_of(["tar", "-xf", tarball, "-C", whole])
                os.rename(whole, folder)
    return folder


def headers_of(path):
    """The folder with the headers' Makefile, of a folder or tarball that has it."""
    if not path.exists():
        raise LabError(f"cannot read headers {path}: no such file or folder")
    try:
        folder = path if path.is_dir() else unpack_headers(path)
    except subprocess.CalledProcessError as error:
        raise LabError(f"cannot unpack headers {path}: {first_line(error)}") from None
    for found in (folder, *sorted(folder.iterdir())):
        if (found / "Makefile").is_file() and (found / "Module.symvers").is_file():
            return found
    raise LabError(f"{path} has no Makefile and Module.symvers to build modules with")


def own_kernel(bzimage, headers, name="debug"):
    """A kernel with all drivers built in, of the user's own."""
    bzimage = Path(bzimage).resolve()
    release = release_of(bzimage)
    return Kernel(name, release, bzimage, headers_of(Path(headers).resolve()), None)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("series", nargs="*", default=SERIES, help=f"{', '.join(SERIES)}; all")
    for series in parser.parse_args().series:
        kernel = fetch(series)
        print(f"{kernel.release} {kernel.root}")


if __name__ == "__main__":
    lab.run_main(main)
