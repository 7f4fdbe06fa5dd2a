"""The arguments that ``%ci_exports`` and ``ci-magics exports`` share."""

from __future__ import annotations

from dataclasses import replace

from ci_magics.activation.exports.names import EXPORT_VERBS
from ci_magics.notebook.arguments import Command, Option, Positional
from ci_magics.notebook.export_magic import MODES
from ci_magics.notebook.shared_options import ACCOUNT, EXPORT_CONSENT, NORMALIZATION, QUIET

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
TIMES = (
    Option("--at", "schedule: time of the day, such as 06:30; up to four", value="TIME", repeatable=True),
    Option(
        "--weekly",
        "schedule: on this day only; repeatable",
        value="DAY",
        choices=WEEKDAYS,
        repeatable=True,
    ),
    Option("--time-zone", "schedule: such as Europe/Amsterdam (this machine's)", value="ZONE"),
)
EDITS = (
    Option("--segment", "edit: its segments; may be repeated", value="SEGMENT", repeatable=True, kind="segment"),
    Option("--to", "edit: connection", value="NAME", kind="connection"),
    Option("--rename", "edit: another name", value="NEW"),
    Option("--email", "edit: column with the addresses, to make sure", value="COL", kind="column"),
    *ACCOUNT,
    Option("--mode", "edit: how the audience changes", value="M", choices=MODES),
    Option("--audience", "edit: name or number of an existing list", value="NAME_OR_ID", kind="audience"),
    Option("--scope", "edit: who can use a new audience", value="S", choices=("account", "customer")),
    NORMALIZATION,
    Option("--membership-days", "edit: 1 to 390, or -1 for no end", value="N", whole_number=True),
    *(replace(each, help=f"edit: {each.help}") for each in EXPORT_CONSENT),
    Option(
        "--exclude",
        "edit: segment whose people are not sent; may be repeated",
        value="SEGMENT",
        repeatable=True,
        kind="segment",
    ),
    Option("--allow-empty", "edit: go on with a segment that has nobody to send"),
    Option("--allow-shrink", "edit: go on although more than half of the members would leave"),
    Option("--allow-mixed", "edit: send a column that mixes addresses and hashes"),
    Option(
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
        Option("--system", "schedule: follow the system refresh; without a name, its own schedule"),
        Option("--on", "schedule: turn it on"),
        Option("--off", "schedule: turn it off; it can still be run"),
        Option("--keep", "schedule: exports that have their own schedule keep it"),
        Option("--replace", "schedule: all get the new one"),
        Option("--status", "show: only runs with this status", value="STATUS"),
        Option("--since", "show: only runs since this day, such as 2026-11-01", value="DAY"),
        Option("--last", "show: how many runs (20)", value="N", whole_number=True),
        Option("--details", "show: one run, audience by audience", value="RUN", kind="run"),
        *EDITS,
        Option("--list", "list the exports"),
        Option("--keep-ledger", "remove: keep what was sent, to go on without a saved export"),
        QUIET,
    ),
    notes="Save one with %ci_export SEGMENT --to CONNECTION --save NAME. Run-all runs those whose schedule is on.",
)
