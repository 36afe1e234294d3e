# SPDX-License-Identifier: GPL-2.0-only
# %% [markdown]
# # At which divergence does COLO stop paying off against Remus?
#
# Both keep a secondary guest ready to take over. **Remus** takes a checkpoint at every interval,
# and lets nothing out before the next one: every response waits. **COLO** runs the same requests on
# both guests, lets out what they agree on, and takes a checkpoint only when they do not. The more
# often they diverge, the less of that advantage is left.
#
# How much is left, and where it ends, depends on the workload. This sweeps one, and answers for it.
# Run it as a program, or cell by cell: VS Code, Spyder and Jupyter (with jupytext) know `# %%`.
#
#     export PYTHONPATH=build/python
#     /usr/bin/python3 bindings/examples/divergence_sweep.py --out=divergence-sweep

# %%
import argparse
import sys
from pathlib import Path

import colo
import numpy
import pandas

parser = argparse.ArgumentParser(description="At which divergence does COLO stop paying off?")
parser.add_argument("--grid", choices=("full", "small"), default="full", help="small: seconds only")
parser.add_argument("--jobs", type=int, help="runs at once (default: this machine's CPUs)")
parser.add_argument("--out", type=Path, default=Path("divergence-sweep"), help="folder for results")
# In a notebook the words are the kernel's own.
options = parser.parse_args([] if "ipykernel" in sys.modules else None)

# %% [markdown]
# ## The workload
#
# A key-value store such as memcached, with twenty connections that each wait for a response before
# they send the next request. The secondary's host is a busy one: the guest on it gets every frame
# two milliseconds late, so COLO can never answer faster than that. Put yours here; any option of
# `colo.run` will do.

# %%
workload = {"workload": "key-value", "connections": 20, "requests": 1000, "lag": "2ms"}

# %% [markdown]
# ## The sweeps
#
# The divergence is the share of responses of which the secondary's has other bytes. Remus has no
# use for it, but has an interval to choose, and to be fair COLO is held against the best one at
# each divergence. The seeds are the same for both: what chance does to the one it does to the
# other, and the difference of two runs with one seed says more than either.
#
# Results go to `--out` as they come. Run this again after an interruption, and it goes on.

# %%
if options.grid == "full":
    divergences = [0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 1]
    intervals = ["2ms", "5ms", "25ms"]
    seeds = range(1, 11)
else:
    divergences = [0, 0.05, 0.3]
    intervals = ["2ms", "25ms"]
    seeds = range(1, 4)
    workload["requests"] = 400

sweeps = {
    "colo": {"divergence": divergences},
    "remus": {"divergence": divergences, "interval": intervals},
}
tables = {
    protection: colo.sweep(
        grid,
        seeds=seeds,
        jobs=options.jobs,
        out=options.out / protection,
        protection=protection,
        **workload,
    )
    for protection, grid in sweeps.items()
}

# %% [markdown]
# ## What they cost
#
# One table of both, with a column `setting` to tell them apart. A row is a run, with all its
# figures; `attrs["axes"]` names what was varied, which is what `colo.plot` can draw against.

# %%
tables["colo"]["setting"] = "COLO"
tables["remus"]["setting"] = "Remus, " + tables["remus"]["interval"]
both = pandas.concat(tables.values(), ignore_index=True)
both.attrs["axes"] = ["divergence", "setting"]

throughput = colo.plot.means(both, "throughput", ["divergence", "setting"])
print("Throughput, % of unprotected:")
print(throughput.pivot(index="divergence", columns="setting", values="mean").round(2).to_string())

# %% [markdown]
# ## Where the advantage ends
#
# Of each run with COLO: by how many percent of the unprotected throughput it is ahead of Remus,
# with the same seed and the interval that is best at that divergence. The mean over the seeds has a
# 95 % confidence interval; where the mean crosses zero is the answer, and where the ends of the
# interval do is how far off that may be.

# %%
share = 100 * both["throughput_mbps"] / both["unprotected_throughput_mbps"]
runs = both.assign(share=share).pivot_table(
    index=["divergence", "seed"], columns="setting", values="share"
)
of_remus = runs.drop(columns="COLO")
best = of_remus.groupby("divergence").mean().idxmax(axis="columns")
ahead = pandas.DataFrame(
    [
        {"divergence": at, "seed": seed, "ahead": row["COLO"] - row[best[at]]}
        for (at, seed), row in runs.iterrows()
    ]
)
ahead.attrs["axes"] = ["divergence"]
lead = colo.plot.means(ahead, "ahead", ["divergence"])


def crossing(values: pandas.Series) -> float:
    """The divergence from which on values are negative, between points by a straight line.

    It is 0 if the first is, and infinite if the last is not.
    """
    if values.iloc[-1] >= 0:
        return numpy.inf
    last = numpy.flatnonzero(values >= 0).max(initial=-1)
    if last < 0:
        return 0.0
    ends = slice(last, last + 2)
    return float(numpy.interp(0, values.iloc[ends][::-1], lead["divergence"].iloc[ends][::-1]))


middle = crossing(lead["mean"])
low, high = crossing(lead["mean"] - lead["half"]), crossing(lead["mean"] + lead["half"])

# %%
top = max(divergences)
name = workload["workload"]
if middle == 0:
    answer = f"COLO does not pay off for {name}, whatever the divergence"
elif numpy.isinf(middle):
    answer = f"COLO pays off for {name} up to a divergence of {top:g}, the highest one swept"
else:
    reach = f"{high:.2g}" if numpy.isfinite(high) else f"beyond {top:g}"
    answer = (
        f"COLO stops paying off for {name} at a divergence of {middle:.2g}"
        f" (95 % confidence: {low:.2g} to {reach}; {len(seeds)} seeds)"
    )
print(answer + ".")

# %% [markdown]
# ## The figure
#
# `colo.plot` returns a matplotlib figure, to which anything can be added.

# %%
figure = colo.plot.throughput(both, "divergence", by="setting")
axes = figure.axes[0]
axes.set_title(answer.replace(" (", "\n("), fontsize=10)
if 0 < middle < numpy.inf:
    axes.axvline(middle, color="black", linewidth=1, linestyle=":")
    axes.axvspan(low, min(high, top), color="#808080", alpha=0.25, linewidth=0)
colo.plot.save(figure, options.out / "divergence.png")
print(f"See {options.out / 'divergence.png'}")

# %% [markdown]
# ## What next
#
# - Throughput is one cost; `colo.plot.latency(both, "divergence", by="setting")` is another.
# - Which interval of Remus, or which settings of COLO, keep latency below a target?
#   `colo.advise(options.out / "remus", latency_ms=10)` tells.
# - On a cluster: `executor=` of `colo.sweep`, and nothing else changes.
