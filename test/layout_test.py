# SPDX-License-Identifier: GPL-2.0-only
"""The rooms and their arrows, as ARCHITECTURE.md has them, kept by a test.

Each check takes the top of a source tree and yields its faults as text. It is run
on this tree, which must have none, and on a tree with a fault planted in it, which
it must find.
"""

import os
import re
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent

TOP_ENTRIES = set(
    """
    model scenarios kernel-ref bindings traces test cmake doc wscript-compat
    CMakeLists.txt packages.txt pyproject.toml setup.py ns3 README.md ARCHITECTURE.md CONTRIBUTING.md LICENSE
    .ci .clang-format .gitignore
    """.split()
)
NOT_OURS = {".git", "build", "__pycache__", ".cache", ".pytest_cache"}

C_LIKE = {".c", ".h", ".cc"}
SOURCES = C_LIKE | {".py", ".sh", ".cmake"}
LINES_MAX = 600

CORE = "kernel-ref/core"
SEAM = CORE + "/colo_env.h"
COLOCTL = "kernel-ref/coloctl"
PLUGINS = "kernel-ref/iptables"
# What a room's files may include of ours.
MAY_INCLUDE = {
    CORE: {CORE},
    "kernel-ref": {CORE, "kernel-ref"},
    COLOCTL: {CORE, "kernel-ref", COLOCTL},
    PLUGINS: {"kernel-ref", PLUGINS},
    "model": {CORE, "model"},
    "scenarios": {"model", "scenarios"},
    "bindings": {"model", "scenarios", "bindings"},
    "test": {CORE, COLOCTL, "model", "scenarios", "test"},
}
# Rooms whose C and C++ files are built by CMake.
PACKAGE = "bindings/colo"  # linked into the build, file by file
BUILT = (CORE, COLOCTL, PLUGINS, "model", "scenarios", "bindings", "test")


def files(top):
    """Paths of all files below top that are ours, relative to it."""
    found = []
    for folder, folders, names in os.walk(top):
        folders[:] = [name for name in folders if name not in NOT_OURS]
        found += [(Path(folder) / name).relative_to(top) for name in names]
    return sorted(found)


def sources(top, suffixes=SOURCES):
    for path in files(top):
        is_script = path.name in ("ns3", "CMakeLists.txt") and suffixes is SOURCES
        if path.suffix in suffixes or is_script:
            yield path, (top / path).read_text()


def room(path):
    """The room a file is in: the longest that holds it."""
    holding = [name for name in MAY_INCLUDE if path.as_posix().startswith(name + "/")]
    return max(holding, key=len, default=None)


def includes(text):
    return re.findall(r'^\s*#\s*include\s*([<"][^>"]+)', text, re.MULTILINE)


def core_stands_alone(top):
    for path, text in sources(top, C_LIKE):
        if room(path) == CORE and path.as_posix() != SEAM:
            for name in includes(text):
                if name[0] == "<" or not (top / CORE / name[1:]).is_file():
                    yield f"{path}: the core includes {name[1:]}; only {SEAM} reaches outside"


def arrows_go_one_way(top):
    owner = {path.name: room(path) for path, _ in sources(top, C_LIKE)}
    for path, text in sources(top, C_LIKE):
        for name in includes(text):
            there = owner.get(Path(name[1:]).name)
            if name[1:].startswith("ns3/") and there != "model":
                continue  # ns-3's own, of which others may have a namesake
            if there and room(path) and there not in MAY_INCLUDE[room(path)]:
                yield f"{path}: {room(path)} includes {name[1:]} of {there}"


def engine_knows_no_ns3(top):
    """Follows the engine's includes through our files, wherever they lead."""
    texts = {path.name: (path, text) for path, text in sources(top, C_LIKE)}
    waiting = ["colo-engine.cc", "colo-engine.h"]
    seen = set()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in texts:
            continue
        seen.add(name)
        path, text = texts[name]
        for included in includes(text):
            if included[1:].startswith("ns3/"):
                yield f"{path}: the engine comes to include {included[1:]}"
            waiting.append(Path(included[1:]).name)


def only_the_seam_asks_for_the_kernel(top):
    for path, text in sources(top, C_LIKE):
        if "__KERNEL__" in text and path.as_posix() != SEAM:
            yield f"{path}: __KERNEL__ belongs into {SEAM}"


def files_stay_short(top):
    for path, text in sources(top):
        lines = text.count("\n")
        if lines > LINES_MAX:
            yield f"{path}: {lines} lines, at most {LINES_MAX}"


def top_has_no_strangers(top):
    for path in top.iterdir():
        if path.name not in TOP_ENTRIES | NOT_OURS:
            yield f"{path.name}: not a room of ARCHITECTURE.md"


def cmake_names_every_source(top):
    named = set()
    for path, text in sources(top):
        if path.name == "CMakeLists.txt":
            named |= {(path.parent / name).as_posix() for name in re.findall(r"[\w./-]+", text)}
    for path, _ in sources(top):
        is_built = path.suffix in C_LIKE and room(path) in BUILT
        if (is_built or path.is_relative_to(PACKAGE)) and path.as_posix() not in named:
            yield f"{path}: not named in CMakeLists.txt"


def module_page_names_what_can_be_set_and_traced(top):
    page = top / "doc/colo.rst"
    text = page.read_text() if page.is_file() else ""
    for path, source in sources(top, {".cc"}):
        if room(path) == "model":
            for name in re.findall(r'\.Add(?:Attribute|TraceSource)\(\s*"(\w+)"', source):
                if f"``{name}``" not in text:
                    yield f"{path}: {name} is not in doc/colo.rst"


def no_machine_is_named(top):
    for path in files(top):
        try:
            text = (top / path).read_text()
        except UnicodeDecodeError:
            continue
        for found in re.findall(r"(?<![\w.])/(?:work|root|home)/\w+", text):
            yield f"{path}: names a folder of one machine, {found}"


def whitespace_is_clean(top):
    for path, text in sources(top):
        for number, line in enumerate(text.split("\n"), 1):
            if line != line.rstrip():
                yield f"{path}:{number}: blanks at the end of the line"
            if "\t" in line and room(path) in ("model", "scenarios", "bindings", "test"):
                yield f"{path}:{number}: a tab"


def licence_is_on_top(top):
    for path, text in sources(top):
        if "SPDX-License-Identifier: GPL-2.0-only" not in "".join(text.splitlines(True)[:3]):
            yield f"{path}: no SPDX line on top"


SPDX = "// SPDX-License-Identifier: GPL-2.0-only\n"
PLANTED = [
    (core_stands_alone, "kernel-ref/core/colo_a.c", SPDX + "#include <stdio.h>\n"),
    (core_stands_alone, "kernel-ref/core/colo_a.c", SPDX + '#include "colo-engine.h"\n'),
    (arrows_go_one_way, "kernel-ref/core/colo_a.c", SPDX + '#include "colo-engine.h"\n'),
    (arrows_go_one_way, "scenarios/colo-a.cc", SPDX + '#include "colo_env.h"\n'),
    (arrows_go_one_way, "kernel-ref/iptables/libxt_a.c", SPDX + '#include "json.h"\n'),
    (arrows_go_one_way, "model/colo-engine.cc", SPDX + '#include "test.h"\n'),
    (engine_knows_no_ns3, "model/colo-engine.cc", SPDX + '#include "ns3/packet.h"\n'),
    (engine_knows_no_ns3, "model/colo-a.h", SPDX + '#include <ns3/packet.h>\n'),
    (only_the_seam_asks_for_the_kernel, "model/colo-a.h", SPDX + "#ifdef __KERNEL__\n#endif\n"),
    (files_stay_short, "model/colo-a.h", SPDX + "\n" * LINES_MAX),
    (top_has_no_strangers, "notes/notes.txt", "notes\n"),
    (cmake_names_every_source, "model/colo-new.cc", SPDX),
    (cmake_names_every_source, "kernel-ref/coloctl/new.c", SPDX),
    (cmake_names_every_source, "bindings/colo/new.py", "#" + SPDX[2:]),
    (
        module_page_names_what_can_be_set_and_traced,
        "model/colo-engine.cc",
        SPDX + '.AddAttribute(\n    "New", "What is new.")\n',
    ),
    (no_machine_is_named, "traces/origin.md", "made in /" + "home/someone\n"),
    (whitespace_is_clean, "model/colo-a.h", SPDX + "int a; \n"),
    (whitespace_is_clean, "model/colo-a.h", SPDX + "\tint a;\n"),
    (licence_is_on_top, "scenarios/colo-a.cc", "int a;\n"),
    (licence_is_on_top, "ns3", "#!/bin/bash\n"),
]
CHECKS = sorted({check for check, _, _ in PLANTED}, key=lambda check: check.__name__)


@pytest.fixture
def clean_tree(tmp_path):
    """A small tree in which no check finds a fault."""
    contents = {
        SEAM: SPDX + "#include <stdint.h>\n#ifdef __KERNEL__\n#endif\n",
        "kernel-ref/core/colo_a.c": SPDX + '#include "colo_env.h"\n\tint a;\n',
        "model/colo-engine.h": SPDX + '#include "colo-a.h"\n#include "colo_env.h"\n',
        "model/colo-engine.cc": SPDX + '#include "colo-engine.h"\n#include <map>\n',
        "model/colo-a.h": SPDX,
        "scenarios/colo-a.cc": SPDX + '#include "ns3/colo-a.h"\n',
        "kernel-ref/coloctl/json.h": SPDX,
        "kernel-ref/iptables/libxt_a.c": SPDX,
        "test/test.h": SPDX,
    }
    named = "\n".join(name for name in contents)
    contents["CMakeLists.txt"] = SPDX.replace("//", "#") + f"set(sources\n{named})\n"
    for name, text in contents.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_this_tree_has_no_fault(check):
    faults = list(check(TOP))
    assert not faults, "\n" + "\n".join(faults)


def test_clean_tree_has_no_fault(clean_tree):
    for check in CHECKS:
        assert not list(check(clean_tree))


@pytest.mark.parametrize(
    "check, name, text", PLANTED, ids=[f"{check.__name__}-{name}" for check, name, _ in PLANTED]
)
def test_planted_fault_is_found(clean_tree, check, name, text):
    path = clean_tree / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    faults = list(check(clean_tree))
    assert len(faults) == 1
    assert Path(name).parts[0] in faults[0]
