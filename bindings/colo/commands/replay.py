# SPDX-License-Identifier: GPL-2.0-only
"""colo replay: captures of both guests through the comparison."""

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from colo._errors import UsageError
from colo._replay import replay

if TYPE_CHECKING:
    import pandas

HELP = "put captures of a primary and a secondary guest through the comparison"
EPILOG = """\
Examples:
  python3 -m colo replay primary.pcap secondary.pcap --guest=10.0.0.2
  python3 -m colo replay primary.pcap secondary.pcap --guest=10.0.0.2,fd00::2 --fix-isn --csv=v.csv
  python3 -m colo replay primary.pcap secondary.pcap --checkpoint=never --ack=clamp --json

Exit status: 0 done, whatever the guests did; 2 wrong usage, input or output. Of a capture that
breaks off, all before the break is judged and reported.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    add = parser.add_argument
    add("primary", help="capture of what the primary guest sent: pcap or pcapng, also gzipped")
    add("secondary", help="capture of what the secondary guest sent")
    add("--guest", metavar="ADDRESS,...",
        help="the guest's addresses, if the captures hold both directions")
    add("--fix-isn", action="store_true",
        help="the secondary's sequence numbers are its own: rewrite them first")
    add("--checkpoint", metavar="TIME|never", default="5ms",
        help="from a checkpoint's request to its end (%(default)s)")
    add("--compare-timeout", metavar="TIME", default="3s",
        help="longest time a packet is held (%(default)s)")
    add("--ack", metavar="hold|clamp", default="hold",
        help="an ack that is ahead of the secondary's waits, or is lowered (%(default)s)")
    add("--shift-secondary", metavar="TIME", default="0s",
        help="added to the secondary's stamps; also below zero")
    add("--gso-size", metavar="BYTES", type=int, default=0,
        help="payload of each segment of a packet that is larger; 0 takes it as one")
    add("--released", metavar="FILE",
        help="capture of what a client would have been sent, and when")
    add("--csv", metavar="FILE", help="all verdicts, a row each")
    add("--json", action="store_true", help="print the sums as JSON, not as a table")


def main(arguments: argparse.Namespace) -> int:
    options = dict(vars(arguments))
    for name in ("command", "main", "csv", "json"):
        options.pop(name)
    _check_csv(arguments)
    table = replay(options.pop("primary"), options.pop("secondary"), **options)
    if arguments.csv:
        _write_csv(table, Path(arguments.csv))
    if arguments.json:
        print(json.dumps(table.attrs["summary"], indent=1))
    else:
        print(table.attrs["report"], end="")
    if table.attrs["summary"]["stopped"]:
        raise UsageError(table.attrs["summary"]["stopped"])
    return 0


def _check_csv(arguments: argparse.Namespace) -> None:
    """Before the work, not after it."""
    if not arguments.csv:
        return
    path = os.path.realpath(arguments.csv)
    if not os.path.isdir(os.path.dirname(path)) or os.path.isdir(path):
        raise UsageError(f"csv: {arguments.csv}: there can be no such file")
    for name in ("primary", "secondary", "released"):
        other = getattr(arguments, name)
        if other and os.path.realpath(other) == path and _is_plain(Path(path)):
            raise UsageError(f"csv: {arguments.csv}: is the file of {name}")


def _write_csv(table: "pandas.DataFrame", path: Path) -> None:
    """Beside its place first, so that a full disk spoils no earlier file; not so into a pipe."""
    place = path.resolve() if _is_plain(path) else path
    draft = place.with_name(f".{place.name}.{os.getpid()}") if _is_plain(path) else path
    try:
        try:
            table.to_csv(draft, index=False)
            if draft != place:
                os.replace(draft, place)
        except BaseException:
            if draft != place:
                draft.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"csv: {path}: {error.strerror}") from None


def _is_plain(path: Path) -> bool:
    return path.is_file() or not path.exists()
