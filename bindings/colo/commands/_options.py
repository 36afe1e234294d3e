# SPDX-License-Identifier: GPL-2.0-only
"""Options of colo.run() on command lines, by the names that colo-scenario has for them."""

import argparse
from collections.abc import Iterable
from typing import Any

from colo._run import OPTIONS

ATTRIBUTES_HELP = """
Any ns-3 attribute: --ns3::Class::Attribute=value, such as
  --ns3::ColoProxy::CompareTimeout=1s
"""


def add_options(parser: argparse.ArgumentParser, without: Iterable[str] = ()) -> None:
    """Adds those of a run, and has __main__ accept attributes."""
    options = [option for option in OPTIONS if option.name not in without]
    group = parser.add_argument_group("options of a run", "A TIME has its unit: 200us, 1ms, 3s.")
    for option in options:
        text = option.help.replace("%", "%%")
        if option.default is not None:
            text += f" (default: {option.default.replace('%', '%%')})"
        if option.kind:
            group.add_argument(option.word, dest=option.name, metavar=option.kind, help=text)
        else:
            group.add_argument(option.word, dest=option.name, action="store_true", help=text)
    parser.set_defaults(attributes={}, options=[option.name for option in options])


def options_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """Those that were given, as texts, and the attributes."""
    given = {name: getattr(arguments, name) for name in arguments.options}
    return {
        **{name: value for name, value in given.items() if value not in (None, False)},
        **arguments.attributes,
    }
