# SPDX-License-Identifier: GPL-2.0-only
"""Options of colo-replay, which Comparator and replay() take by the same names."""

import os
import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from colo._errors import UsageError
from colo._units import with_unit

Time = str | timedelta
Path = str | os.PathLike[str]


def words_of(
    *,
    guest: str | Iterable[str] | None,
    fix_isn: bool,
    checkpoint: Time,
    ack: str,
    **others: Time | Path | int | None,
) -> list[bytes]:
    """Options as a command line of colo-replay.

    Raises:
        UsageError: A value can never be one.
    """
    if checkpoint != "never":
        checkpoint = "commit:" + _text("checkpoint", checkpoint)
    if guest is not None and not isinstance(guest, str):
        if not isinstance(guest, Iterable):
            raise UsageError(f"guest: no use for {guest!r}")
        guest = ",".join(_text("guest", address) for address in guest)
    if not isinstance(fix_isn, bool):
        raise UsageError(f"fix_isn: is True or False, not {fix_isn!r}")
    options: dict[str, Any] = {"guest": guest, "checkpoint": checkpoint, "ack": ack, **others}
    words = [
        f"--{name.replace('_', '-')}={_text(name, value)}"
        for name, value in options.items()
        if value is not None
    ]
    return [os.fsencode(word) for word in words + ["--fix-isn"] * fix_isn]


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """What the program calls --fix-isn is fix_isn here, in messages too."""
    try:
        return function(*arguments)
    except UsageError as error:
        text = str(error).removeprefix("option ")
        name = re.compile(r"--([a-z][a-z-]*)")
        raise UsageError(name.sub(lambda match: match[1].replace("-", "_"), text)) from None


def _text(name: str, value: Any) -> str:
    """A value in the program's words."""
    if isinstance(value, timedelta):
        return with_unit(value)
    if isinstance(value, (str, os.PathLike)):
        text = os.fspath(value)
        if isinstance(text, str) and "\0" not in text:
            return text
    elif hasattr(value, "__index__") and not isinstance(value, bool):
        return str(value.__index__())
    raise UsageError(f"{name}: no use for {value!r}")
