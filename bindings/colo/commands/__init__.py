# SPDX-License-Identifier: GPL-2.0-only
"""The commands of `python3 -m colo`, a module each.

Each has HELP, one line; add_arguments(parser); and main(arguments), which returns the exit status.
"""

NAMES = ("run", "sweep", "replay", "plot", "report", "advise")
