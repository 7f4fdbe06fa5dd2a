"""``%ci_preview``."""

from __future__ import annotations

from typing import Any

import ci_magics as ci
from ci_magics.grammar.command import Command, Flag, Positional
from ci_magics.notebook.call import Call, Magic
from ci_magics.notebook.shared_options import EXCLUDE, EXPORT_CONSENT, NORMALIZATION, QUIET

COMMAND = Command(
    "%ci_preview",
    "Show how many profiles can be matched, and why the others cannot; without arguments, show the form.",
    '%ci_preview "Big spenders" --to "Contoso EU"',
    (Positional("SEGMENT", "segment, by name or variable", several=True, kind="segment"),),
    (
        Flag("--to", "connection: count also what is new there", value="NAME", kind="connection"),
        NORMALIZATION,
        EXCLUDE,
        *EXPORT_CONSENT,
        QUIET,
    ),
)


def preview(call: Call) -> Any:
    """Count the profiles of each segment that can be matched, or show the form."""
    if not call.arguments.words and not call.arguments.options:
        from ci_magics.notebook.forms.coverage import CoverageForm
        from ci_magics.notebook.forms.restoring import restored

        return restored(CoverageForm)
    return ci.preview(
        *call.segments(),
        to=call.connection("to"),
        normalization=call.arguments.given("normalization") or call.settings.normalization,
        exclude=call.excluded(),
        consent=call.arguments.given("consent"),
        consent_yes=call.arguments.all("consent_yes"),
        ignore_consent=call.arguments.switch("ignore_consent"),
    )


MAGIC = Magic(COMMAND, preview)
