# SPDX-License-Identifier: GPL-2.0-only
"""Finds in a kernel's log what no test may leave there."""

import re

REPORT = re.compile(
    r"""
    BUG: | WARNING: | \bOops\b | KASAN: | UBSAN: | KCSAN: | ODEBUG: | general\ protection\ fault
    | Kernel\ panic | invalid\ opcode | stack\ guard\ page
    | possible\ (circular|recursive|irq|invalid|unsafe) | INFO:\ (possible|trying\ to\ register)
    | inconsistent\ lock\ state | suspicious\ RCU | DEBUG_LOCKS_WARN_ON | held\ lock\ freed
    | sleeping\ function\ called | scheduling\ while\ atomic | detected\ stalls? | self-detected
    | blocked\ for\ more\ than | refcount_t: | unregister_netdevice:\ waiting
    | leaked\ reference | has\ \d+/\d+\ users\ at | list_(add|del)\ corruption
    | unreferenced\ object | new\ suspected\ memory\ leaks | slab\ error | bad:\ scheduling
    | hw\ csum\ failure | protocol\ \S+\ is\ buggy | still\ has\ locks | Memory\ limit
    """,
    re.VERBOSE,
)
LINES_MAX = 40


def find(log):
    """Lines of a kernel log that report something, without repetitions, few of many."""
    found = []
    for line in log.splitlines():
        if REPORT.search(line) and line not in found:
            found.append(line)
    return found[:LINES_MAX]
