# SPDX-License-Identifier: GPL-2.0-only
"""Means over seeds, and how far the true mean may be from them; the Python package has it, too."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence

import pandas

# Student's t, quantile 0.975, for 1, 2, ... degrees of freedom.
T_975_WORDS = """
    12.706 4.303 3.182 2.776 2.571 2.447 2.365 2.306 2.262 2.228
    2.201 2.179 2.160 2.145 2.131 2.120 2.110 2.101 2.093 2.086
    2.080 2.074 2.069 2.064 2.060 2.056 2.052 2.048 2.045 2.042
"""
T_975 = [float(word) for word in T_975_WORDS.split()]
NORMAL_975 = statistics.NormalDist().inv_cdf(0.975)
SEEDS_MAX = len(T_975) + 1
SUFFIX = "_ci95"


def student_t(degrees: int) -> float:
    """Quantile 0.975; beyond the table, Abramowitz and Stegun's 26.7.5, good to five digits there."""
    if degrees <= len(T_975):
        return T_975[degrees - 1]
    z = NORMAL_975
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    return z + first / degrees + second / degrees**2


def half_width(values: Iterable[float]) -> float:
    """Of the 95 % confidence interval of the mean; of one value nothing is known (NaN)."""
    values = list(values)
    if len(values) < 2:
        return math.nan
    return student_t(len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))


def over_seeds(rows: Iterable[Mapping[str, object]], keys: Sequence[str]) -> pandas.DataFrame:
    """A row for each point: its keys, how many seeds, and mean and half width of each measure."""
    frame = pandas.DataFrame(rows)
    measures = [name for name in frame.columns if name not in keys]
    table = []
    for point, group in frame.groupby(list(keys), sort=False, dropna=False):
        row = dict(zip(keys, point), seeds=len(group))
        for name in measures:
            row[name] = group[name].mean()
            row[name + SUFFIX] = half_width(group[name])
        table.append(row)
    return pandas.DataFrame(table)
