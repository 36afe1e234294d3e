# SPDX-License-Identifier: GPL-2.0-only
"""coloctl as it was built, and a host for it that is a folder."""

import os
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent
TOOLS = Path(os.environ.get("COLO_BUILD_DIR", TOP / "build")) / "tools"
COLOCTL = TOOLS / "coloctl"

needs_coloctl = pytest.mark.skipif(not COLOCTL.exists(), reason="coloctl is not built")


def run(*arguments, **options):
    """Runs coloctl as somebody does who has it in PATH."""
    options.setdefault("timeout", 60)
    return subprocess.run(
        ["coloctl", *map(str, arguments)],
        executable=COLOCTL,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        **options,
    )


def complaint(done, status):
    """The one line that a command which failed so has said."""
    assert done.returncode == status, done
    assert done.stdout == "", done
    assert done.stderr.startswith("coloctl: ") and done.stderr.endswith("\n"), done
    assert done.stderr.count("\n") == 1, done
    return done.stderr[len("coloctl: ") : -1]


# What a host's commands do, as far as coloctl sees it in files. The n-th call fails if FAIL is n.
COMMANDS = r"""#!/usr/bin/python3 -S
import os, sys
from pathlib import Path

root = Path(os.environ["COLOCTL_ROOT"])
words = [os.path.basename(sys.argv[0]), *sys.argv[1:]]
line = " ".join(words)
calls = root / "calls"
before = calls.read_text() if calls.exists() else ""
calls.write_text(before + line + "\n")
if str(before.count("\n") + 1) == os.environ.get("FAIL"):
    sys.exit("it fails")
state = root / "state"
net = root / "sys/class/net"


def parameters():
    folder = root / "proc/sys/net/bridge"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def need(path):
    if not path.exists():
        sys.exit(f"{line}: there is no {path.name}")
    return path


def remember(text, there):
    known = set(state.read_text().splitlines()) if state.exists() else set()
    if (text in known) == there:
        sys.exit(f"{line}: is so already")
    (known.add if there else known.remove)(text)
    state.write_text("".join(one + "\n" for one in sorted(known)))


def device(name):
    (net / name).mkdir(parents=True)
    (net / name / "mtu").write_text("1500\n")
    (net / name / "flags").write_text("0x1002\n")


def leave(name):
    port = net / name / "brport"
    if port.exists():
        (net / os.path.basename(os.readlink(port / "bridge")) / "brif" / name).unlink()
        (port / "bridge").unlink()
        port.rmdir()


def link_set(name, what, value=None):
    here = need(net / name)
    if what in ("up", "down"):
        (here / "flags").write_text("0x1003\n" if what == "up" else "0x1002\n")
    elif what == "mtu":
        (here / "mtu").write_text(value + "\n")
    elif what == "nomaster":
        leave(name)
    elif what == "master":
        leave(name)
        (here / "brport").mkdir()
        (here / "brport/bridge").symlink_to("../../../net/" + value)
        (need(net / value / "brif") / name).touch()
    else:
        sys.exit(f"{line}: not known here")


if words[0] == "modprobe":
    (root / "sys/module" / words[1]).mkdir(parents=True)
    if words[1].startswith("xt_"):
        (root / "sys/module/nf_conntrack_colo").mkdir(exist_ok=True)
    if words[1] == "br_netfilter":
        for name in ("call-iptables", "call-ip6tables"):
            (parameters() / f"bridge-nf-{name}").write_text("1\n")
        (parameters() / "bridge-nf-filter-vlan-tagged").write_text("0\n")
elif words[0] == "sysctl":
    name, value = words[2].split("=")
    need(root / "proc/sys" / name.replace(".", "/")).write_text(value + "\n")
elif words[:4] == ["ip", "link", "add", "name"]:
    device(words[4])
    (net / words[4] / "bridge").mkdir()
    (net / words[4] / "brif").mkdir()
elif words[:4] == ["ip", "link", "del", "dev"]:
    os.rename(need(net / words[4]), root / "gone")
    os.system(f"rm -r {root}/gone")
elif words[:4] == ["ip", "link", "set", "dev"]:
    link_set(*words[4:])
elif "tables" in words[0]:
    rule = f"{words[0]} " + " ".join(words[5:])
    if words[4] == "-C":
        sys.exit(not state.exists() or rule not in state.read_text().splitlines())
    remember(rule, words[4] == "-A")
elif words[:3] == ["coloctl", "node", "add"]:
    remember(f"node {words[3]}", True)
elif words[:3] == ["coloctl", "node", "del"]:
    remember(f"node {words[3]}", False)
else:
    sys.exit(f"{line}: not known here")
"""
NAMES = "coloctl ip modprobe sysctl iptables ip6tables iptables-legacy ip6tables-legacy".split()


class Host:
    """A host that is a folder, with commands that change nothing but it."""

    def __init__(self, top):
        self.root = top / "root"
        self.commands = top / "commands"
        self.commands.mkdir()
        (self.root / "run").mkdir(parents=True)
        for name in NAMES:
            (self.commands / name).write_text(COMMANDS)
            (self.commands / name).chmod(0o755)

    def device(self, name, mtu=1500, bridge=None, up=False):
        folder = self.root / "sys/class/net" / name
        folder.mkdir(parents=True)
        (folder / "mtu").write_text(f"{mtu}\n")
        (folder / "flags").write_text("0x1003\n" if up else "0x1002\n")
        if bridge:
            (folder / "brport").mkdir()
            (folder / "brport/bridge").symlink_to(f"../../../net/{bridge}")
            (folder.parent / bridge / "brif" / name).touch()

    def bridge(self, name, up=False):
        self.device(name, up=up)
        (self.root / "sys/class/net" / name / "bridge").mkdir()
        (self.root / "sys/class/net" / name / "brif").mkdir()

    def run(self, *arguments, fail=None):
        (self.root / "calls").unlink(missing_ok=True)
        environment = {
            "PATH": f"{self.commands}:{os.environ['PATH']}",
            "COLOCTL_ROOT": str(self.root),
            "FAIL": str(fail or 0),
        }
        return run(*arguments, env=environment)

    def calls(self):
        path = self.root / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def snapshot(self):
        """All that the commands change, but modules, which stay loaded."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            name = str(path.relative_to(self.root))
            if path.is_symlink():
                found[name] = os.readlink(path)
            elif path.is_file() and name != "calls" and path.name != "lock":
                found[name] = path.read_text()
        return {name: text for name, text in found.items() if text or name != "state"}
