"""``ci-magics audit``: print the audit log."""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ci_magics.cli.command import DONE, Commands, add_command, answer

if TYPE_CHECKING:
    from ci_magics.workspace.audit import AuditEntry


def add(commands: Commands) -> None:
    """Add the command."""
    audit = add_command(commands, "audit", "print who did what when; for administrators")
    audit.add_argument("--since", type=_moment, metavar="MOMENT", help="day or moment in UTC, such as 2026-11-01")
    audit.add_argument("--csv", action="store_true", help="answer with comma-separated values")
    audit.set_defaults(work=_audit)


def _audit(options: argparse.Namespace) -> int:
    from ci_magics.workspace.store import open_workspace

    entries = open_workspace().audit.since(options.since)
    text = _as_csv(entries) if options.csv else "\n".join(map(repr, entries)) or "Nothing was done yet."
    answer(options, [vars(each) for each in entries], text)
    return DONE


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _as_csv(entries: Sequence[AuditEntry]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["number", "at", "user", "verb", "subject", "facts"])
    for each in entries:
        writer.writerow([each.number, each.at.isoformat(), each.user, each.verb, each.subject, json.dumps(each.facts)])
    return file.getvalue().rstrip("\n")
