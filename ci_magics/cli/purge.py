"""``ci-magics purge``: remove data whose retention period is over."""

from __future__ import annotations

import argparse

from ci_magics.cli.command import DONE, Commands, add_command, answer


def add(commands: Commands) -> None:
    """Add the command."""
    purge = add_command(commands, "purge", "remove hashes and keys that are kept too long; for administrators")
    purge.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    purge.set_defaults(work=_purge)


def _purge(options: argparse.Namespace) -> int:
    from ci_magics.activation.retention import purge

    purged = purge(dry_run=options.dry_run)
    answer(options, purged.document(), repr(purged))
    return DONE
