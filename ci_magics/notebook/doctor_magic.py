"""``%ci_doctor``."""

from __future__ import annotations

from typing import Any

from ci_magics.grammar.command import Command
from ci_magics.notebook.call import Call, Magic
from ci_magics.notebook.shared_options import QUIET

COMMAND = Command(
    "%ci_doctor",
    "Examine the environment: versions, front end, workspace, tokens, sign-ins, consents, services and clock.",
    "%ci_doctor",
    (),
    (QUIET,),
    notes="Each line says what there is and what to do about it. `ci-magics doctor --json` says it to programs.",
)


def examine(_call: Call) -> Any:
    """Examine the environment."""
    from ci_magics.activation.examination import doctor
    from ci_magics.notebook.front_end import examined, front_end

    return doctor(front_end=examined(front_end()))


MAGIC = Magic(COMMAND, examine)
