"""The arguments that ``%ci_exports`` and ``ci-magics exports`` share."""

from __future__ import annotations

from dataclasses import replace

from ci_magics.activation.exports.names import EXPORT_VERBS
from ci_magics.grammar.command import Command, Flag, Positional
from ci_magics.notebook.export_magic import MODES
from ci_magics.notebook.shared_options import ACCOUNT, EXPORT_CONSENT, NORMALIZATION, QUIET

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
TIMES = (
    Flag("--at", "schedule: time of the day, such as 06:30; up to four", value="TIME", repeatable=True),
    Flag(
        "--weekly",
        "schedule: on this day only; repeatable",
        value="DAY",
        choices=WEEKDAYS,
        repeatable=True,
    ),
    Flag("--time-zone", "schedule: such as Europe/Amsterdam (this machine's)", value="ZONE"),
)
EDITS = (
    Flag("--segment", "edit: its segments; may be repeated", value="SEGMENT", repeatable=True, kind="segment"),
    Flag("--to", "edit: connection", value="NAME", kind="connection"),
    Flag("--rename", "edit: another name", value="NEW"),
    Flag("--email", "edit: column with the addresses, to make sure", value="COL", kind="column"),
    *ACCOUNT,
    Flag("--mode", "edit: how the audience changes", value="M", choices=MODES),
    Flag("--audience", "edit: name or number of an existing list", value="NAME_OR_ID", kind="audience"),
    Flag("--scope", "edit: who can use a new audience", value="S", choices=("account", "customer")),
    NORMALIZATION,
    Flag("--membership-days", "edit: 1 to 390, or -1 for no end", value="N", whole_number=True),
    *(replace(each, help=f"edit: {each.help}") for each in EXPORT_CONSENT),
    Flag(
        "--exclude",
        "edit: segment whose people are not sent; may be repeated",
        value="SEGMENT",
        repeatable=True,
        kind="segment",
    ),
    Flag("--allow-empty", "edit: go on with a segment that has nobody to send"),
    Flag("--allow-shrink", "edit: go on although more than half of the members would leave"),
    Flag("--allow-mixed", "edit: send a column that mixes addresses and hashes"),
    Flag(
        "--without", "edit: take a choice back, such as --without allow-empty", value="CHOICE", repeatable=True
    ),
)  # fmt: skip
COMMAND = Command(
    "%ci_exports",
    "Show the saved exports, or do something with them; without arguments, show the panel.",
    '%ci_exports --list\n%ci_exports run "Every week"\n'
    '%ci_exports schedule "Every week" --weekly Monday --at 06:00 --time-zone Europe/Amsterdam',
    (
        Positional("VERB", f"one of {', '.join(EXPORT_VERBS)}", choices=EXPORT_VERBS),
        Positional("NAME", "the export, or several; duplicate takes the new name second", several=True, kind="export"),
    ),
    (
        *TIMES,
        Flag("--system", "schedule: follow the system refresh; without a name, its own schedule"),
        Flag("--on", "schedule: turn it on"),
        Flag("--off", "schedule: turn it off; it can still be run"),
        Flag("--keep", "schedule: exports that have their own schedule keep it"),
        Flag("--replace", "schedule: all get the new one"),
        Flag("--status", "show: only runs with this status", value="STATUS"),
        Flag("--since", "show: only runs since this day, such as 2026-11-01", value="DAY"),
        Flag("--last", "show: how many runs (20)", value="N", whole_number=True),
        Flag("--details", "show: one run, audience by audience", value="RUN", kind="run"),
        *EDITS,
        Flag("--list", "list the exports"),
        Flag("--keep-ledger", "remove: keep what was sent, to go on without a saved export"),
        QUIET,
    ),
    notes="Save one with %ci_export SEGMENT --to CONNECTION --save NAME. Run-all runs those whose schedule is on.",
)
