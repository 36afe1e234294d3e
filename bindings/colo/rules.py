# SPDX-License-Identifier: GPL-2.0-only
"""Why packets are released or dropped and checkpoints asked for, as the core has it."""

from typing import TYPE_CHECKING, NamedTuple

from colo import _colo
from colo._errors import UsageError

if TYPE_CHECKING:
    import pandas


class Reason(NamedTuple):
    """One reason of a verdict."""

    name: str  # as in verdicts: "timeout-ack"
    kind: str  # of what: "release", "drop", "mismatch", "request" of a checkpoint, "none"
    text: str  # a sentence for people

    @property
    def is_mismatch(self) -> bool:
        """Whether the guests differ."""
        return self.kind == "mismatch"


_REASONS = {reason[0]: Reason._make(reason) for reason in _colo.reasons()}


def names() -> tuple[str, ...]:
    """Of all reasons, in the order of the core."""
    return tuple(_REASONS)


def reason(name: str) -> Reason:
    """What there is to be said of a reason.

    Raises:
        UsageError: There is none of this name.
    """
    try:
        return _REASONS[name]
    except KeyError:
        known = ", ".join(_REASONS)
        raise UsageError(f"reason: '{name}' is none of {known}") from None


def explain(name: str) -> str:
    """A reason in words: "mismatch: the guests sent different bytes".

    Raises:
        UsageError: There is none of this name.
    """
    found = reason(name)
    return f"{found.kind}: {found.text}"


def reasons() -> "pandas.DataFrame":
    """All reasons: a row each, by `name`, with `kind`, `text` and `is_mismatch`."""
    import pandas

    table = pandas.DataFrame(_REASONS.values())
    table["is_mismatch"] = table["kind"] == "mismatch"
    return table.set_index("name")
