# SPDX-License-Identifier: GPL-2.0-only
"""COLO from Python: run, sweep, plot, compare captures.

    import colo

    result = colo.run(workload="download", divergence=0.01, seed=7)
    print(result.checkpoints, result.pause_ms.p99, result.throughput_mbps)

    table = colo.sweep({"divergence": [0, 0.01, 0.02]}, workload="download", out="results")
    colo.plot.checkpoint_rate(table, "divergence").savefig("rate.png")

Names are imported when they are first used, as workers of a sweep need few of them.
"""

import importlib
from typing import TYPE_CHECKING, Any

from colo._errors import UsageError

__version__ = "0.1.0"

if TYPE_CHECKING:
    from colo import plot, rules
    from colo._advise import Advice, advise
    from colo._comparator import Comparator, Verdict
    from colo._executor import LocalExecutor
    from colo._replay import replay
    from colo._report import report
    from colo._results import load
    from colo._run import Distribution, Result, compare, run
    from colo._sweep import sweep

_PLACES = {
    "Advice": "colo._advise",
    "Comparator": "colo._comparator",
    "Distribution": "colo._run",
    "LocalExecutor": "colo._executor",
    "Result": "colo._run",
    "Verdict": "colo._comparator",
    "advise": "colo._advise",
    "compare": "colo._run",
    "load": "colo._results",
    "replay": "colo._replay",
    "report": "colo._report",
    "run": "colo._run",
    "sweep": "colo._sweep",
}
_MODULES = ("plot", "rules")

__all__ = [
    "Advice",
    "Comparator",
    "Distribution",
    "LocalExecutor",
    "Result",
    "UsageError",
    "Verdict",
    "advise",
    "compare",
    "load",
    "plot",
    "replay",
    "report",
    "rules",
    "run",
    "sweep",
]


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(importlib.import_module(_PLACES[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"colo.{name}")
    raise AttributeError(f"module 'colo' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
