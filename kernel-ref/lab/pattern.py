# SPDX-License-Identifier: GPL-2.0-only
"""Bytes that both guests make alike and a client can check, from any offset on."""

import functools
import random

PERIOD = 65521  # a prime, so that no segment size ever repeats the same bytes


@functools.lru_cache(maxsize=16)
def period(seed):
    return random.Random(seed).randbytes(PERIOD)


def pattern(seed, offset, length):
    """@length bytes from @offset on of the endless stream that @seed names."""
    start = offset % PERIOD
    copies = (start + length) // PERIOD + 1
    return memoryview(period(seed) * copies)[start : start + length]
