# SPDX-License-Identifier: GPL-2.0-only
"""What users did wrong."""


class UsageError(ValueError):
    """An option, file or column is of no use; the text is one line that names it."""
