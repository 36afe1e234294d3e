# SPDX-License-Identifier: GPL-2.0-only
"""What a sweep is to run: the points of a grid, each with several seeds."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from colo import _run
from colo._errors import UsageError

Point = dict[str, Any]
Key = tuple[Any, ...]

# Options of colo.run() that leave files, or more than figures.
OF_SINGLE_RUNS = ("out", "trace", "pcap", "netanim", "save_config", "progress")


@dataclass(frozen=True)
class Plan:
    """All values are as JSON has them: None, True, 1, 0.5, "text"."""

    grid: dict[str, list[Any]]
    seeds: list[int]
    fixed: dict[str, Any]

    @classmethod
    def of(
        cls, grid: Mapping[str, Iterable[Any]], seeds: Iterable[int], fixed: Mapping[str, Any]
    ) -> "Plan":
        """Takes what users give.

        Raises:
            UsageError: That is no grid; whether runs can be of it, check() says.
        """
        attributes = fixed.get("attributes") or {}
        options = {name: value for name, value in fixed.items() if name != "attributes"}
        plan = cls(
            {name: _values(name, values) for name, values in dict(grid).items()},
            _values("seeds", seeds),
            {
                name: _plain(name, value)
                for name, value in {**options, **attributes}.items()
                if value is not None
            },
        )
        for name in (*plan.grid, *plan.fixed):
            if name in ("seed", "attributes"):
                hint = {"seed": "seeds=[...]", "attributes": "each attribute by its name"}
                raise UsageError(f"{name}: a sweep takes {hint[name]}")
            if name in OF_SINGLE_RUNS:
                raise UsageError(f"{name}: is of single runs; a sweep keeps their figures only")
            if name in plan.grid and name in plan.fixed:
                raise UsageError(f"{name}: is an axis, and fixed as well")
        for seed in plan.seeds:
            if isinstance(seed, bool) or not isinstance(seed, int):
                raise UsageError(f"seeds: {seed!r} is not a whole number")
        return plan

    def check(self) -> None:
        """Sees whether all points could run, before any does.

        Raises:
            UsageError: One could not; names its option.
        """
        for seed in (min(self.seeds), max(self.seeds)):
            _run.check({"seed": seed})
        for values in itertools.product(*self.grid.values()):
            _run.check({**self.fixed, **dict(zip(self.grid, values))})

    @property
    def size(self) -> int:
        """How many points it has."""
        count = len(self.seeds)
        for values in self.grid.values():
            count *= len(values)
        return count

    def points(self) -> Iterator[Point]:
        """All of them, seeds the fastest."""
        names = (*self.grid, "seed")
        for values in itertools.product(*self.grid.values(), self.seeds):
            yield dict(zip(names, values))

    def key(self, point: Point) -> Key:
        """The same for the same point, whether 0 or 0.0 was asked for."""
        return tuple(point[name] for name in (*self.grid, "seed"))

    def lacks(self, other: "Plan") -> str:
        """What another plan has that this one has not; "" if this one only adds points."""
        if set(self.grid) != set(other.grid):
            return f"its axes are {', '.join(other.grid) or 'none'}"
        for name in {**other.fixed, **self.fixed}:
            if self.fixed.get(name) != other.fixed.get(name):
                return f"its {name} is {_shown(other.fixed.get(name))}"
        for name, values in {**other.grid, "seed": other.seeds}.items():
            mine = self.seeds if name == "seed" else self.grid[name]
            if missing := [value for value in values if value not in mine]:
                return f"it has {name} {_shown(missing[0])} as well"
        return ""


def _values(name: str, values: Iterable[Any]) -> list[Any]:
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise UsageError(f"{name}: {values!r} is not a list of values")
    plain = [_plain(name, value) for value in values]
    if not plain:
        raise UsageError(f"{name}: has no values")
    seen: set[Any] = set()
    for value in plain:
        if value in seen:
            raise UsageError(f"{name}: {_shown(value)} is there twice")
        seen.add(value)
    return plain


def _plain(name: str, value: Any) -> Any:
    """As JSON has it, so that a folder of results says the same as who asked for them."""
    if hasattr(value, "item") and not getattr(value, "shape", ()):
        value = value.item()  # of NumPy
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return _run.words_of({name: value})[0].partition("=")[2]


def _shown(value: Any) -> str:
    return "the default" if value is None else str(value)
