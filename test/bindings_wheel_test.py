# SPDX-License-Identifier: GPL-2.0-only
"""The package as pip installs it: whole in its folder, wherever that is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent
RUN = "import colo; print(colo.__file__); print(colo.run(seed=3).to_dict()['workload'])"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--no-build-isolation", "--no-deps"]
    subprocess.run([*pip, "--quiet", f"--target={folder}", TOP], check=True, cwd=folder)
    return folder


def run(installed, *words):
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run([sys.executable, *words], env=environment, cwd=installed, check=True,
                          text=True, stdout=subprocess.PIPE).stdout


def test_it_needs_nothing_but_its_folder(installed):
    place, workload = run(installed, "-c", RUN).splitlines()
    assert place == f"{installed}/colo/__init__.py"
    assert workload == f"capture:{installed}/colo/data/traces/redis.pcap"
    extension, = (installed / "colo").glob("_colo*.so")
    libraries = subprocess.run(["ldd", extension], check=True, text=True,
                               stdout=subprocess.PIPE).stdout
    assert f"libcolo.so => {installed}/colo/libcolo.so" in libraries


def test_it_has_every_file_of_the_package(installed):
    package = TOP / "bindings/colo"
    expected = {path.relative_to(package) for path in package.rglob("*")
                if path.is_file() and path.suffix not in (".pyc", ".so")}
    found = {path.relative_to(installed / "colo") for path in (installed / "colo").rglob("*")}
    assert expected <= found


def test_its_command_is_there(installed):
    assert "COMMAND" in run(installed, installed / "bin/colo", "--help")


def test_the_sources_stay_as_they_were(installed):
    left = {path.name for path in TOP.iterdir()}
    assert not {"colo.egg-info", "dist"} & left
