# SPDX-License-Identifier: GPL-2.0-only
"""The package's type hints hold together."""

import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "bindings/colo"


def test_hints_are_complete_and_right(tmp_path):
    done = subprocess.run(
        ["mypy", "--disallow-untyped-defs", "--warn-unreachable", "--ignore-missing-imports",
         f"--python-executable={sys.executable}", f"--cache-dir={tmp_path}", PACKAGE],
        text=True, stdout=subprocess.PIPE)
    assert done.returncode == 0, done.stdout
