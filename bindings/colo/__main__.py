# SPDX-License-Identifier: GPL-2.0-only
"""python3 -m colo COMMAND."""

import argparse
import importlib
import os
import sys

from colo import commands
from colo._errors import UsageError

DESCRIPTION = """\
Simulates guests under COLO, from one run to a sweep on a cluster, compares captures, and shows
what came out of it. Every command has its own --help, with examples.
"""
EXIT_USAGE = 2


def parser_of(name: str | None) -> argparse.ArgumentParser:
    """Knows all commands by a line each, and one of them wholly: imports take their time."""
    parser = argparse.ArgumentParser(
        prog="colo",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="exit status: 0 done, 1 it did not end well, 2 wrong usage or input",
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in commands.NAMES:
        if name in (command, None):
            module = importlib.import_module(f"colo.commands.{command}")
            subparser = subparsers.add_parser(
                command,
                help=module.HELP,
                description=module.HELP,
                formatter_class=argparse.RawDescriptionHelpFormatter,
                allow_abbrev=False,
            )
            module.add_arguments(subparser)
            subparser.set_defaults(main=module.main)
    return parser


def parse(words: list[str]) -> argparse.Namespace:
    """Also the names of ns-3's attributes, which argparse cannot know."""
    parser = parser_of(words[0] if words and words[0] in commands.NAMES else None)
    arguments, unknown = parser.parse_known_args(words)
    for word in unknown:
        option, equals, value = word.partition("=")
        if not option.startswith("--ns3::") or not equals or not hasattr(arguments, "attributes"):
            parser.error(f"unrecognized arguments: {' '.join(unknown)}")
        arguments.attributes = {**arguments.attributes, option[2:]: value}
    return arguments


def main(words: list[str] | None = None) -> int:
    """Runs one command.

    Returns:
        The exit status: 0 done, 1 it did not end well, 2 wrong usage or input.
    """
    words = sys.argv[1:] if words is None else words
    try:
        arguments = parse(words)
        status: int = arguments.main(arguments)
        sys.stdout.flush()
        return status
    except UsageError as error:
        print(f"colo {words[0]}: {error}", file=sys.stderr)
        return EXIT_USAGE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that exiting is silent
        return EXIT_USAGE
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
