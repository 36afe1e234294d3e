# SPDX-License-Identifier: GPL-2.0-only
"""One point of a sweep, as workers of every kind run it."""

import time
from collections.abc import Mapping
from typing import Any

from colo._run import run_options


def run_point(options: Mapping[str, Any]) -> dict[str, Any]:
    """Simulate one point.

    Args:
        options: Those of colo.run(), that went through colo._run.check().

    Returns:
        `summary` as colo.Result.to_dict() has it, None if the run failed; `error`, a line that says
        why it failed, else None; `seconds` that it took.
    """
    begin = time.perf_counter()
    summary, error = None, None
    try:
        summary = run_options(options, is_checked=True).to_dict()
    except Exception as caught:  # whatever it is, it is the end of this point only
        error = error_text(caught)
    return {"summary": summary, "error": error, "seconds": time.perf_counter() - begin}


def error_text(error: BaseException) -> str:
    """An error in a line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
