# SPDX-License-Identifier: GPL-2.0-only
"""The lab's own behaviour, without a guest and without a network.

What runs checks in a guest runs them here, behind a stand-in for the guest; what downloads
meets stand-ins for apt-get and its like.
"""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent
LAB = TOP / "kernel-ref/lab"
sys.path.insert(0, str(LAB))

import agent  # noqa: E402
import boot  # noqa: E402
import build  # noqa: E402
import fetch  # noqa: E402
import reports  # noqa: E402
import run  # noqa: E402

RELEASE = "6.1.0-9-amd64"
HEADER_AT, RELEASE_AT = 0x202, 0x3000


def call(program, *arguments, **environment):
    return subprocess.run(
        ["/usr/bin/python3", "-B", LAB / program, *map(str, arguments)],
        env={**os.environ, **{name: str(value) for name, value in environment.items()}},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


# Bad usage


@pytest.mark.parametrize(
    "arguments, names",
    [
        (["--kernel", "5.10"], "'5.10'"),
        (["--no-such-option"], "--no-such-option"),
        (["--only", "no-such-check"], "'no-such-check'"),
        (["--debug-kernel", "bzImage"], "--debug-headers"),
        (["--debug-headers", "headers"], "--debug-kernel"),
        (["--leaks"], "--debug-kernel"),
        (["--cpus", "0"], "--cpus"),
        (["--cpus", "two"], "'two'"),
    ],
)
def test_wrong_usage_exits_2_and_says_what(tmp_path, arguments, names):
    done = call("run.py", *arguments, COLO_BUILD_DIR=tmp_path)
    assert done.returncode == 2
    assert names in done.stderr.splitlines()[-1]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["5.10", "/no/such/file", __file__])
def test_boot_refuses_what_is_no_kernel(name):
    done = call("boot.py", name, "--", "true")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and name in done.stderr


def a_bzimage(path):
    image = bytearray(0x4000)
    image[HEADER_AT : HEADER_AT + 4] = b"HdrS"
    image[0x20E:0x210] = (RELEASE_AT - 0x200).to_bytes(2, "little")
    image[RELEASE_AT : RELEASE_AT + 20] = b"6.12.1 (me@here) #1\0"
    path.write_bytes(image)
    return path


def test_own_kernel_is_known_by_its_header(tmp_path):
    headers = tmp_path / "unpacked/headers"
    headers.mkdir(parents=True)
    for name in ("Makefile", "Module.symvers"):
        (headers / name).touch()
    kernel = fetch.own_kernel(a_bzimage(tmp_path / "bzImage"), headers.parent)
    assert (kernel.release, kernel.headers) == ("6.12.1", headers)


@pytest.mark.parametrize("headers", ["missing", "empty", "tarball"])
def test_own_kernel_needs_headers(tmp_path, monkeypatch, headers):
    monkeypatch.setenv("COLO_LAB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "empty").mkdir()
    (tmp_path / "tarball").write_text("not one")
    with pytest.raises(fetch.LabError, match=headers):
        fetch.own_kernel(a_bzimage(tmp_path / "bzImage"), tmp_path / headers)


# What counts as a report


@pytest.mark.parametrize(
    "line",
    [
        "WARNING: CPU: 0 PID: 1 at net/core/dev.c:1 dev_close+0x1/0x2",
        "BUG: KASAN: slab-use-after-free in colo_flow_find+0x1/0x2",
        "WARNING: possible circular locking dependency detected",
        "WARNING: suspicious RCU usage",
        "BUG: scheduling while atomic: kcolo/0/12/0x00000002",
        "refcount_t: underflow; use-after-free.",
        "unregister_netdevice: waiting for tap0 to become free. Usage count = 2",
        "rcu: INFO: rcu_preempt self-detected stall on CPU",
        "INFO: task kcolo/0:12 blocked for more than 120 seconds.",
        "unreferenced object 0xffff888003c1a400 (size 512):",
        "ODEBUG: free active (active state 0) object type: timer_list",
        "general protection fault, probably for non-canonical address",
    ],
)
def test_report_is_found_once(line):
    log = f"[    1.000000] device tap0 entered\n[    2.000000] {line}\n"
    assert reports.find(log + log) == [f"[    2.000000] {line}"]


@pytest.mark.parametrize(
    "line",
    [
        "nf_conntrack_colo: loading out-of-tree module taints kernel.",
        "br0: port 1(tap0) entered blocking state",
        "device tap0 left promiscuous mode",
        "sysrq: Show Blocked State",
        "KASAN multi-shot mode enabled.",
        "kmemleak: Kernel memory leak detector disabled",
    ],
)
def test_ordinary_line_is_no_report(line):
    assert not reports.find(line)


# Checks and their results


class StandIn:
    """Takes orders as a guest does, and runs the checks right here."""

    def __init__(self, kernel, command, out, **_):
        self.out = out
        self.living = True
        threading.Thread(target=self.work, daemon=True).start()

    def work(self):
        with open(self.out / "results", "a", buffering=1) as results:
            print(json.dumps({"name": "", "status": "ready"}), file=results)
            for order in agent.orders(self.out / "orders"):
                with open(self.out / f"{order['name']}.log", "ab") as log:
                    status = agent.run_script(order, log)
                if status == 99:
                    self.living = False
                    return
                result = agent.judge(status, order["timeout_s"], [], "")
                line = {"name": order["name"], "seconds": 0.1, **result}
                print(json.dumps(line), file=results)

    def alive(self):
        return self.living

    def last_words(self):
        return "Kernel panic - not syncing"

    def kill(self):
        self.living = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


@pytest.fixture
def judged(tmp_path, monkeypatch, capsys):
    """Runs these checks; returns the status, what was printed, and results.json."""
    monkeypatch.setenv("COLO_BUILD_DIR", str(tmp_path / "build"))
    monkeypatch.setattr(agent, "SCRATCH", tmp_path / "scratch")
    monkeypatch.setattr(agent, "SYSRQ", tmp_path / "sysrq")
    monkeypatch.setattr(boot, "Guest", StandIn)
    kernel = fetch.Kernel("6.1", RELEASE, None, None, None)
    monkeypatch.setattr(fetch, "fetch", lambda name: kernel)
    monkeypatch.setattr(build, "build_modules", lambda kernel: [])
    monkeypatch.setattr(build, "build_tools", lambda: [])

    def judge(*arguments, **checks):
        folder = tmp_path / "checks"
        folder.mkdir()
        for name, text in checks.items():
            (folder / f"{name}.sh").write_text(text + "\n")
        status = run.main(["--kernel", "6.1", "--checks", str(folder), *arguments])
        (results,) = (tmp_path / "build/lab/runs").glob("*/results.json")
        found = json.loads(results.read_text())
        by_name = {check["name"]: check for check in found["kernels"][0]["checks"]}
        return status, capsys.readouterr().out, by_name

    return judge


def test_all_pass(judged):
    status, printed, results = judged(one="true", two="echo unseen")
    assert status == 0
    assert {result["status"] for result in results.values()} == {"ok"}
    assert "unseen" not in printed
    assert printed.splitlines()[-1] == "2 passed, 0 failed, 0 skipped"


def test_failed_check_shows_its_end_and_where_all_of_it_is(judged):
    status, printed, results = judged(bad="seq 1000; exit 3", good="true")
    assert status == 1
    assert results["good"]["status"] == "ok"
    assert results["bad"]["why"] == ["exit status 3"]
    assert "    1000\n" in printed and "    900\n" not in printed
    assert results["bad"]["log"] in printed


def test_skipped_check_says_why(judged):
    status, printed, _ = judged(bare="echo no such device; exit 77")
    assert status == 0
    assert "no such device" in printed
    assert printed.splitlines()[-1] == "0 passed, 0 failed, 1 skipped"


def test_check_that_does_not_end_is_killed(judged):
    status, _, results = judged(slow="# lab: timeout_s=1\nsleep 100 & sleep 100")
    assert status == 1
    assert results["slow"]["why"] == ["not done after 1 s"]


def test_death_of_the_guest_fails_the_check_and_not_the_next(judged):
    status, printed, results = judged(a="exit 99", b="exit 99", c="true")
    assert status == 1
    assert [results[name]["status"] for name in "abc"] == ["failed", "failed", "ok"]
    assert "Kernel panic" in printed


def test_checks_find_what_they_were_promised(judged):
    wanted = 'echo $PATH $XTABLES_LIBDIR $COLO_LAB_RELEASE; test -d "$COLO_LAB_MODULES"'
    status, printed, _ = judged("--verbose", env=wanted)
    assert status == 0
    assert f"/tools:/usr/lib/x86_64-linux-gnu/xtables {RELEASE}" in printed


def test_only_and_reduced_choose(judged):
    status, _, results = judged(
        "--reduced", "--only", "flow", flow_a="# lab: reduced", flow_b="true", c="# lab: reduced"
    )
    assert status == 0
    assert list(results) == ["flow_a"]


def test_unknown_mark_is_refused(tmp_path):
    check = tmp_path / "a.sh"
    check.write_text("#!/bin/bash\n# lab: reduce\n")
    with pytest.raises(fetch.LabError, match="not reduce"):
        run.Check(check)


@pytest.mark.parametrize(
    "status, found, left, expected",
    [
        (0, [], "", "ok"),
        (77, [], "", "skipped"),
        (0, ["BUG: bad"], "", "failed"),
        (77, ["BUG: bad"], "", "failed"),
        (0, [], "cannot be unloaded", "failed"),
        (1, [], "", "failed"),
        (None, [], "", "failed"),
    ],
)
def test_report_or_leftover_fails_a_check(status, found, left, expected):
    assert agent.judge(status, 60, found, left)["status"] == expected


# Builds


@pytest.fixture
def sources(tmp_path, monkeypatch):
    monkeypatch.setenv("COLO_BUILD_DIR", str(tmp_path / "build"))
    folder = tmp_path / "kernel-ref"
    (folder / "lab").mkdir(parents=True)
    (folder / "lab/run.py").touch()
    monkeypatch.setattr(build.lab, "KERNEL_REF", folder)
    return folder


def test_build_leaves_the_sources_clean_and_copies_what_changed(sources):
    (sources / "Makefile").write_text("tools: a\n\tcp a coloctl/coloctl; cp a libxt_A.so\n")
    (sources / "coloctl").mkdir()
    (sources / "coloctl/a.o").write_bytes(b"\x7fELF of a build in the sources")
    (sources / "coloctl/a.h").touch()
    (sources / "a").write_text("one")
    (sources / "b").touch()
    _, product = build.build_tools()
    top = product.parent.parent
    before = (top / "Makefile").stat().st_mtime_ns
    (sources / "a").write_text("two")
    (sources / "b").unlink()
    build.build_tools()
    assert product.read_text() == "two"
    assert (top / "Makefile").stat().st_mtime_ns == before
    assert not any((top / name).exists() for name in ("b", "lab", "coloctl/a.o"))
    assert not (sources / "coloctl/coloctl").exists()


def test_failed_build_shows_the_error(sources):
    (sources / "Makefile").write_text("tools:\n\t@echo a.c:1: error: no; seq 99; false\n")
    with pytest.raises(build.BuildFailed, match="a.c:1: error: no"):
        build.build_tools()


def test_build_that_makes_nothing_fails(sources):
    (sources / "Makefile").write_text("tools:\n")
    with pytest.raises(build.BuildFailed, match="made no libxt_"):
        build.build_tools()


# Downloads

APT_CACHE = f"""
case "${{@: -2}}" in
"depends linux-image-amd64") echo "  Depends: linux-image-{RELEASE}" ;;
"depends linux-headers-{RELEASE}")
    printf '  Depends: %s\\n' linux-headers-6.1.0-9-common linux-kbuild-6.1 gcc-12 ;;
policy*) echo "  Candidate: 6.1.9-1~deb12" ;;
*) exit 100 ;;
esac
"""
APT_GET = """
echo "${@: -1}" >>CALLS
[[ " $* " == *" download "* ]] || exit 0
while [[ $1 != download ]]; do shift; done
for package in "${@:2}"; do touch "$package.deb"; done
"""
DPKG_DEB = f"""
mkdir -p "$3"/lib/modules/{RELEASE}/kernel/drivers/{{net/ethernet,gpu}} "$3/boot"
mkdir -p "$3/usr/src/linux-headers-{RELEASE}"
echo include /usr/src/linux-headers-6.1.0-9-common/Makefile \
    >"$3/usr/src/linux-headers-{RELEASE}/Makefile"
touch "$3"/boot/{{vmlinuz,config}}-{RELEASE}
"""
FOLDER = f"{RELEASE}_6.1.9-1-deb12"


class Registry:
    """Stand-ins for what downloads and unpacks, and a cache."""

    def __init__(self, top):
        self.top = top
        self.cache = top / "cache"
        self.calls = top / "calls"
        (top / "commands").mkdir()
        self.fake("apt-cache", APT_CACHE)
        self.fake("apt-get", APT_GET.replace("CALLS", str(self.calls)))
        self.fake("dpkg-deb", DPKG_DEB)
        self.fake("depmod", "true")

    def fake(self, name, script):
        path = self.top / "commands" / name
        path.write_text("#!/bin/bash\n" + script + "\n")
        path.chmod(0o755)

    def call(self, program, *arguments):
        path = f"{self.top}/commands:/usr/bin:/bin"
        places = {"COLO_LAB_CACHE": self.cache, "COLO_BUILD_DIR": self.top / "build"}
        return call(program, *arguments, PATH=path, **places)

    def kernels(self):
        return sorted(path.name for path in self.cache.iterdir() if path.name != ".lock")


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path)


def test_kernel_is_downloaded_once(registry):
    for _ in range(2):
        done = registry.call("fetch.py", "6.1")
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{RELEASE} {registry.cache}/{FOLDER}\n"
    assert len(registry.calls.read_text().splitlines()) == 1
    assert registry.kernels() == [FOLDER]


def test_kernel_is_made_small_and_its_headers_movable(registry):
    registry.call("fetch.py", "6.1")
    drivers = registry.cache / FOLDER / f"lib/modules/{RELEASE}/kernel/drivers"
    assert [path.name for path in drivers.iterdir()] == ["net"]
    assert not (drivers / "net/ethernet").exists()
    makefile = registry.cache / FOLDER / f"usr/src/linux-headers-{RELEASE}/Makefile"
    assert "/usr/src" not in makefile.read_text()


def test_download_that_is_cut_off_leaves_nothing_and_is_done_again(registry):
    registry.fake("dpkg-deb", DPKG_DEB + 'kill -KILL "$PPID"')
    assert registry.call("fetch.py", "6.1").returncode < 0
    assert FOLDER not in registry.kernels()
    registry.fake("dpkg-deb", DPKG_DEB)
    assert registry.call("fetch.py", "6.1").returncode == 0
    assert registry.kernels() == [FOLDER]


def test_without_a_network_the_cached_kernel_serves(registry):
    registry.call("fetch.py", "6.1")
    registry.fake("apt-cache", APT_CACHE.replace("6.1.9-1", "6.1.10-1"))
    registry.fake("apt-get", "echo E: no network >&2; exit 100")
    done = registry.call("fetch.py", "6.1")
    assert done.returncode == 0
    assert done.stdout.endswith(FOLDER + "\n")
    assert "has to do" in done.stderr


@pytest.mark.parametrize("arguments, status", [([], 2), (["--skip-unavailable"], 77)])
def test_without_network_and_cache_one_line_says_so(registry, arguments, status):
    registry.fake("apt-get", "echo Reading; echo E: no network >&2; exit 100")
    done = registry.call("run.py", "--kernel", "6.1", *arguments)
    assert done.returncode == status
    text = done.stdout + done.stderr
    assert "cannot download kernel 6.1: E: no network" in text
    assert "Traceback" not in text


def test_program_that_is_missing_is_named_with_its_package():
    with pytest.raises(fetch.Unavailable, match="install the Debian package its-package"):
        fetch.lab.program("no-such-program", "its-package")
