# SPDX-License-Identifier: GPL-2.0-only
"""Times as the programs write them: a number with its unit."""

import re
from datetime import timedelta

from colo._errors import UsageError

SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0}
TIME = re.compile(r"([0-9.eE+-]+)(ns|us|ms|s|min)")


def seconds(text: str) -> float:
    """Seconds of a time with its unit, such as "200us".

    Raises:
        UsageError: It is no such time.
    """
    match = TIME.fullmatch(text)
    try:
        if match:
            return float(match[1]) * SECONDS[match[2]]
    except ValueError:  # such as "1-2s"
        pass
    raise UsageError(f"'{text}' is not a time with a unit: ns, us, ms, s or min")


def with_unit(time: timedelta) -> str:
    """The same time in the programs' words, exact to the microsecond."""
    return f"{time // timedelta(microseconds=1)}us"
