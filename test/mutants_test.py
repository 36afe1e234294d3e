# SPDX-License-Identifier: GPL-2.0-only
"""Taking a rule out of the core makes its tests fail.

test/mutants/<rule>.patch removes a rule's effect and has to fail a test case whose name
begins with the rule's; <rule>--<clause>.patch removes a clause. Both say on lines that
begin with "fails:" which test cases have to notice. The patches apply to a copy; the tests
are compiled once, and only the core that they load is built anew for each.
"""

import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent
PATCHES = {path.stem: path.read_text() for path in sorted((TOP / "test/mutants").glob("*.patch"))}
SOURCES = "kernel-ref/core"
HARNESS = ["core-frame", "core-harness", "core-harness-fix", "core-pair-world", "core-text"]
TESTS = [
    "core-call-test",
    "core-datagram-test",
    "core-failover-checkpoint-test",
    "core-failover-pair-test",
    "core-failover-test",
    "core-gso-test",
    "core-icmp-test",
    "core-key-test",
    "core-link-test",
    "core-node-test",
    "core-options-test",
    "core-oracle-test",
    "core-packet-test",
    "core-remirror-test",
    "core-seqfix-life-test",
    "core-seqfix-test",
    "core-shim-test",
    "core-stream-ack-test",
    "core-stream-life-test",
    "core-stream-test",
]
RULES = """
    tcp-bytes tcp-release tcp-pure-ack tcp-retransmit tcp-out-of-order tcp-syn tcp-fin tcp-rst
    tcp-window tcp-ignore tcp-serial tcp-reopen tcp-adopt tcp-idle tcp-gso tcp-options
    tcp-remirror secondary-extra udp icmp other-ip l2-other flow-key
    fix-passive fix-active fix-both-ways fix-timestamps fix-hint fix-duplicate-syn
    fix-checkpoint fix-failover fix-close
    ckpt-states ckpt-coalesce ckpt-commit ckpt-epoch ckpt-rebase ckpt-limits ckpt-failure
    fail-primary fail-secondary fail-fence
    output-commit no-loss order liveness bounded deterministic malformed neighbour
""".split()
# No program takes a second; a mutant may loop for ever, and is noticed by that as well.
RUN_SECONDS_MAX = 5


def expected(name):
    """Beginnings of the names of the test cases that have to fail."""
    found = re.findall(r"^fails: (\w+)$", PATCHES[name], re.MULTILINE)
    if "--" not in name:
        found.append(name.replace("-", "_"))
    return found


def run(command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def compiler(name):
    return ["ccache", name] if shutil.which("ccache") else [name]


def build_core(folder, base=None):
    """The core in a folder; what does not differ from the base is not compiled again."""

    def same(name):
        return base and (folder / SOURCES / name).read_bytes() == (base / SOURCES / name).read_bytes()

    headers_are_same = all(same(path.name) for path in (folder / SOURCES).glob("*.h"))
    objects = []
    for source in sorted((folder / SOURCES).glob("*.c")):
        changed = not (headers_are_same and same(source.name))
        objects.append((folder if changed else base) / (source.stem + ".o"))
        if changed:
            run(["gcc", "-std=c11", "-O0", "-fPIC", "-c", source, "-o", objects[-1]])
    run(["gcc", "-shared", "-o", folder / "libcolo-core.so", *objects])


class Bench:
    """The tests' programs, and the outcome of each mutant."""

    def __init__(self, folder):
        self.folder = folder
        self.unchanged = folder / "unchanged"
        shutil.copytree(TOP / SOURCES, self.unchanged / SOURCES)
        build_core(self.unchanged)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(self.compile, HARNESS + TESTS))
            list(pool.map(self.link, TESTS))
            self.cases = dict(zip(TESTS, pool.map(self.list_cases, TESTS)))
            self.failures = dict(zip(PATCHES, pool.map(self.try_mutant, PATCHES)))

    def compile(self, name):
        flags = ["-std=c++17", "-O0", "-DBOOST_TEST_DYN_LINK", "-I", TOP / SOURCES]
        source = TOP / "test" / f"{name}.cc"
        run([*compiler("g++"), *flags, "-c", source, "-o", self.folder / f"{name}.o"])

    def link(self, name):
        objects = [self.folder / f"{part}.o" for part in [name, *HARNESS]]
        core = ["-L", self.unchanged, "-lcolo-core", "-lboost_unit_test_framework"]
        run(["g++", "-o", self.folder / name, *objects, *core])

    def build(self, mutant):
        folder = self.folder / mutant
        shutil.copytree(TOP / SOURCES, folder / SOURCES)
        run(["patch", "-p1", "-s", "-d", folder], input=PATCHES[mutant])
        build_core(folder, self.unchanged)
        return folder

    def environment(self, folder):
        return {**os.environ, "LD_LIBRARY_PATH": str(folder), "BOOST_TEST_COLOR_OUTPUT": "no"}

    def list_cases(self, test):
        program = [self.folder / test, "--list_content"]
        listed = run(program, env=self.environment(self.unchanged))
        return re.findall(r"^(\w+)\*", listed, re.MULTILINE)

    def failing(self, test, cases, folder):
        if not cases:
            return set()
        try:
            done = subprocess.run(
                [self.folder / test, "--run_test=" + ",".join(cases)],
                capture_output=True,
                text=True,
                errors="replace",
                env=self.environment(folder),
                timeout=RUN_SECONDS_MAX,
            )
        except subprocess.TimeoutExpired:
            if len(cases) == 1:
                return set(cases)
            return set().union(*(self.failing(test, [case], folder) for case in cases))
        output = done.stdout + done.stderr
        failed = set(re.findall(r'error: in "(\w+)', output))
        assert bool(failed) == bool(done.returncode), output
        return failed

    def try_mutant(self, mutant):
        try:
            folder = self.build(mutant)
        except AssertionError as error:
            return error  # of its own test, not of all
        wanted = tuple(expected(mutant))
        failed = set()
        for test, cases in self.cases.items():
            chosen = [case for case in cases if case.startswith(wanted)]
            failed |= self.failing(test, chosen, folder)
        shutil.rmtree(folder)
        return failed

    def all_cases(self):
        return [case for cases in self.cases.values() for case in cases]


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return Bench(tmp_path_factory.mktemp("mutants"))


@pytest.mark.parametrize("mutant", PATCHES)
def test_mutant_is_noticed(bench, mutant):
    if isinstance(bench.failures[mutant], AssertionError):
        raise bench.failures[mutant]
    for beginning in expected(mutant):
        assert any(case.startswith(beginning) for case in bench.failures[mutant]), (
            f"no test case {beginning}* fails without: {PATCHES[mutant].splitlines()[0]}"
        )


def test_unchanged_core_passes(bench):
    for test, cases in bench.cases.items():
        assert not bench.failing(test, cases, bench.unchanged)


@pytest.mark.parametrize("rule", RULES)
def test_rule_has_a_mutant(rule):
    assert rule in PATCHES


def test_every_named_case_has_a_mutant(bench):
    named = {case for case in bench.all_cases() if case.startswith("case_")}
    noticed = {case for mutant in PATCHES for case in expected(mutant)}
    assert named and named <= noticed
