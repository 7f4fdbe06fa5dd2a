"""``ci-magics doctor``: check the environment."""

from __future__ import annotations

import argparse

from ci_magics.cli.command import DONE, FAILED, Commands, add_command, answer


def add(commands: Commands) -> None:
    """Add the command."""
    doctor = add_command(commands, "doctor", "examine versions, workspace, sign-ins, consents, services and clock")
    doctor.set_defaults(work=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    from ci_magics.activation.examination import doctor

    found = doctor()
    answer(options, found.to_dict(), repr(found))
    return DONE if found.healthy else FAILED
