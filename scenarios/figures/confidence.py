# SPDX-License-Identifier: GPL-2.0-only
"""Means over seeds, and how far the true mean may be from them."""

import math
import statistics

import pandas

# Student's t, quantile 0.975, for 1, 2, ... degrees of freedom.
T_975 = """
    12.706 4.303 3.182 2.776 2.571 2.447 2.365 2.306 2.262 2.228
    2.201 2.179 2.160 2.145 2.131 2.120 2.110 2.101 2.093 2.086
    2.080 2.074 2.069 2.064 2.060 2.056 2.052 2.048 2.045 2.042
"""
T_975 = [float(word) for word in T_975.split()]
SEEDS_MAX = len(T_975) + 1
SUFFIX = "_ci95"


def half_width(values):
    """Of the 95 % confidence interval of the mean; of one value nothing is known (NaN)."""
    values = list(values)
    if len(values) < 2:
        return math.nan
    return T_975[len(values) - 2] * statistics.stdev(values) / math.sqrt(len(values))


def over_seeds(rows, keys):
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
