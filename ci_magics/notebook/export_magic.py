"""``%ci_export``."""

from __future__ import annotations

from typing import Any

import ci_magics as ci
from ci_magics.display.output import tell
from ci_magics.errors import ArgumentError
from ci_magics.grammar.command import Command, Flag, Positional
from ci_magics.notebook.call import Call, Magic
from ci_magics.notebook.shared_options import ACCOUNT, EXCLUDE, EXPORT_CONSENT, NORMALIZATION, QUIET

MODES = ("mirror", "add", "remove", "replace")
COMMAND = Command(
    "%ci_export",
    "Send segments to Microsoft Advertising, each to the audience of its name; without arguments, show the form.",
    '%ci_export "Big spenders" --to "Contoso EU" --dry-run\n%ci_export "Big spenders" --to "Contoso EU"',
    (Positional("SEGMENT", "segment, by name or variable", several=True, kind="segment"),),
    (
        Flag("--to", "connection", value="NAME", kind="connection"),
        Flag("--email", "column with the addresses, to make sure", value="COL", kind="column"),
        *ACCOUNT,
        Flag("--mode", "how the audience changes (mirror)", value="M", choices=MODES),
        Flag(
            "--audience",
            "name or number of an existing list, instead of the segment's",
            value="NAME_OR_ID",
            kind="audience",
        ),
        Flag("--scope", "who can use a new audience (account)", value="S", choices=("account", "customer")),
        Flag("--dry-run", "show the plan and send nothing"),
        Flag("--save", "keep it under this name instead, and send nothing", value="NAME", kind="export"),
        Flag("--run", "run at once what was saved"),
        NORMALIZATION,
        Flag("--membership-days", "1 to 390, or -1 for no end (-1 for a new audience)", value="N", whole_number=True),
        *EXPORT_CONSENT,
        EXCLUDE,
        Flag("--allow-empty", "go on with a segment that has nobody to send"),
        Flag("--allow-shrink", "go on although more than half of the members would leave"),
        Flag("--allow-mixed", "send a column that mixes addresses and hashes"),
        Flag("--resume", "finish a run that was interrupted; nothing else is given then", value="RUN", kind="run"),
        QUIET,
    ),
)
_TEXTS = ("email", "customer_id", "account_id", "url", "consent", "audience", "membership_days")
_DEFAULTS = {"mode": "mirror", "scope": "account"}
_SWITCHES = ("ignore_consent", "allow_empty", "allow_shrink", "allow_mixed")


def export(call: Call) -> Any:
    """Plan, push or save segments, finish a run, or show the form."""
    arguments = call.arguments
    if not arguments.words and not arguments.options:
        from ci_magics.notebook.forms.export import ExportForm
        from ci_magics.notebook.forms.restoring import restored

        return restored(ExportForm)

    segments, to, exclude = call.segments(), call.connection("to"), call.excluded()
    given, save = arguments.given, arguments.given("save")
    if given("resume") is not None:
        if segments or to is not None or given("dry_run") or save is not None:
            raise ArgumentError("A run is resumed as it was planned.", "Write only --resume RUN.", code="resume_alone")
        with call.progress() as progress:
            return ci.runs.resume(given("resume"), progress=progress, show=tell)
    options: dict[str, Any] = {name: given(name) for name in _TEXTS}
    options |= {name: given(name) or default for name, default in _DEFAULTS.items()}
    options |= {name: arguments.switch(name) for name in _SWITCHES}
    options |= {"normalization": given("normalization") or call.settings.normalization, "exclude": exclude}
    options |= {"to": to, "consent_yes": arguments.all("consent_yes"), "show": tell}
    if given("dry_run"):
        if save is not None:
            raise ArgumentError(
                "Saving sends nothing, so there is nothing to try.",
                "Leave out --dry-run or --save.",
                code="save_dry_run",
            )
        return ci.plan(*segments, **options)
    if save is not None:
        saved = ci.exports.save(save, *segments, **options)
        if not given("run"):
            return saved
    with call.progress() as progress:
        if save is not None:
            return ci.exports.run(save, progress=progress, show=tell)
        return ci.export(*segments, **options, progress=progress)


MAGIC = Magic(COMMAND, export)
