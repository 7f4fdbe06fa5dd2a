"""``%ci_status``."""

from __future__ import annotations

from typing import Any

import ci_magics as ci
from ci_magics.display.output import tell
from ci_magics.grammar.command import Command, Positional
from ci_magics.notebook.call import Call, Magic, text_of
from ci_magics.notebook.shared_options import QUIET

COMMAND = Command(
    "%ci_status",
    "Show the audiences that were filled from here, with the sizes that Microsoft has counted.",
    '%ci_status "Big spenders"',
    (Positional("NAME", "audience or segment", several=True, kind="segment"),),
    (QUIET,),
)


def status(call: Call) -> Any:
    """Show audiences and their sizes."""
    return ci.status(*(text_of(each) for each in call.segments()), show=tell)


MAGIC = Magic(COMMAND, status)
