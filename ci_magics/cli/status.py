"""``ci-magics status``: audiences and the latest runs, as in ``%ci_status``."""

from __future__ import annotations

import argparse

from ci_magics.cli.command import DONE, Commands, add_command, answer, say


def add(commands: Commands) -> None:
    """Add the command."""
    status = add_command(
        commands, "status", "show the audiences that were filled from here, with Microsoft's sizes, and the last runs"
    )
    status.add_argument("names", nargs="*", metavar="NAME", help="audience or segment; all of them when none is named")
    status.set_defaults(work=_status)


def _status(options: argparse.Namespace) -> int:
    from ci_magics.activation.runs.status import status

    found = status(*options.names, show=say)
    answer(options, found.document(), repr(found))
    return DONE
