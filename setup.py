# SPDX-License-Identifier: GPL-2.0-only
"""The bridge from setuptools to CMake, which knows all that belongs into the wheel."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

TOP = Path(__file__).resolve().parent
BUILD = TOP / "build"


class CMakeBuild(build_ext):
    """Builds as everything here is built, and collects what CMake would install."""

    def run(self):
        subprocess.run([TOP / "ns3", "build", "_colo"], check=True)
        with tempfile.TemporaryDirectory() as folder:
            install = ["cmake", "--install", BUILD, "--component", "python", "--strip"]
            subprocess.run([*install, "--prefix", folder], check=True)
            (package,) = Path(folder).glob("**/colo")
            place = Path(self.build_lib) / "colo"
            shutil.rmtree(place, ignore_errors=True)  # files of yesterday's
            shutil.copytree(package, place)


BUILD.mkdir(exist_ok=True)
setup(
    ext_modules=[Extension("colo._colo", [])],  # makes it a wheel of this platform
    packages=[],
    cmdclass={"build_ext": CMakeBuild},
    options={"egg_info": {"egg_base": "build"}},
)
