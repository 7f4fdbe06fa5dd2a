"""``ci-magics forget``: erase a person on request."""

from __future__ import annotations

import argparse

from ci_magics.cli.command import DONE, PARTLY, Commands, add_command, answer, say, typed


def add(commands: Commands) -> None:
    """Add the command."""
    forget = add_command(commands, "forget", "suppress a person, take them out of every audience, delete what is kept")
    who = forget.add_mutually_exclusive_group(required=True)
    who.add_argument("--key", help="what identifies the person in segments")
    who.add_argument("--hash", help="SHA-256 of the address, under either rule")
    who.add_argument("--address", action="store_true", help="ask for the address, or read it from standard input")
    forget.add_argument("--key-column", metavar="COL", help="which key, where several columns have this value")
    forget.set_defaults(work=_forget)


def _forget(options: argparse.Namespace) -> int:
    from ci_magics.activation.erasure.forget import forget

    forgotten = forget(
        key=options.key,
        key_column=options.key_column,
        sha256=options.hash,
        address=typed("E-mail address (not shown)") if options.address else None,
        show=say,
    )
    answer(options, forgotten.document(), repr(forgotten))
    return DONE if forgotten.erased else PARTLY
