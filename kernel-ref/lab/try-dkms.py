#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Debian's dkms, tried for real: add, build, install, remove, for a Debian kernel.

It happens in this machine's own files with an overlay on top, which goes when it ends, so nothing
is installed here. Needs root. Status 0 if all went well, 1 if not, 2 if it could not be tried.
"""

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

import fetch
import lab

BUILD_S_MAX = 900

# Runs in a mount namespace of its own: $1 an empty folder, the rest as below.
ENTER = r"""
mount -t tmpfs none "$1"
mkdir "$1"/{upper,work,top}
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" none "$1/top"
for folder in dev proc sys; do mount --rbind "/$folder" "$1/top/$folder"; done
mount -t tmpfs none "$1/top/tmp"
mkdir "$1"/top/tmp/{dkms,kernel,colo}
mount --bind "$2" "$1/top/tmp/dkms"
mount --bind "$3" "$1/top/tmp/kernel"
mount --bind "$4" "$1/top/tmp/colo"
export RELEASE=$5
exec chroot "$1/top" /bin/bash -euc "$6"
"""

TRY = r"""
say() { echo "--- $*"; }
trap 'echo "failed: $BASH_COMMAND" >&2' ERR
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
unset MAKEFLAGS MAKELEVEL
modules=/lib/modules/$RELEASE

say "what the headers' package would bring"
mkdir -p "$modules"
cp -r "/tmp/kernel/lib/modules/$RELEASE/." "$modules"
rm -f "$modules"/{build,source}
ln -s "/tmp/kernel/usr/src/linux-headers-$RELEASE" "$modules/build"
if [[ ! -e /usr/lib/linux-kbuild-6.1 && -e /tmp/kernel/usr/lib ]]; then
    cp -rn /tmp/kernel/usr/lib/linux-kbuild-* /usr/lib/ || true
fi

say "dkms"
dpkg --force-depends --force-confold -i /tmp/dkms/*.deb
make -C /tmp/colo install-dkms

say "add, build, install"
dkms add -m colo -v 1.0
dkms build -m colo -v 1.0 -k "$RELEASE" || { cat /var/lib/dkms/colo/1.0/build/make.log; exit 1; }
dkms install -m colo -v 1.0 -k "$RELEASE"
dkms status -m colo | tee /dev/stderr | grep -q "$RELEASE.*: installed"
for name in nf_conntrack_colo xt_PMYCOLO xt_SECCOLO; do
    [[ $(modinfo -k "$RELEASE" -F vermagic $name) == "$RELEASE "* ]]
    [[ $(modinfo -k "$RELEASE" -F filename $name) == */updates/dkms/* ]]
    [[ $(modinfo -k "$RELEASE" -F license $name) == GPL* ]]
    [[ $(modinfo -k "$RELEASE" -F description $name) ]]
done
modprobe -S "$RELEASE" --show-depends xt_PMYCOLO | grep -q nf_conntrack_colo

say "remove"
dkms remove -m colo -v 1.0 --all
[[ -z $(dkms status -m colo) ]]
! find "$modules" -name '*colo*.ko*' -o -name 'xt_*COLO.ko*' | grep .
[[ ! -e /var/lib/dkms/colo/1.0 ]]
say "all well"
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kernel", choices=fetch.SERIES, default="6.1")
    series = parser.parse_args().kernel
    if os.geteuid():
        raise lab.Unavailable("dkms is tried in an overlay, which only root can mount")
    kernel = fetch.fetch(series)
    with tempfile.TemporaryDirectory(prefix="colo-dkms-") as scratch:
        package, overlay = Path(scratch, "package"), Path(scratch, "overlay")
        package.mkdir()
        overlay.mkdir()
        fetch.Apt().download(["dkms", "lsb-release"], package)
        words = [overlay, package, kernel.root, lab.KERNEL_REF, kernel.release, TRY]
        enter = ["unshare", "--mount", "--propagation", "private", "bash", "-euc", ENTER, "enter"]
        done = subprocess.run([*enter, *map(str, words)], timeout=BUILD_S_MAX)
    if done.returncode:
        raise SystemExit(lab.EXIT_FAILED)


if __name__ == "__main__":
    lab.run_main(main)
