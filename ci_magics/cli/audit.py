"""``ci-magics audit``: print the audit log, as text, JSON or comma-separated values."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ci_magics.cli.command import DONE, TerminalCommand, answer
from ci_magics.cli.operations import carrier, operation_command
from ci_magics.grammar.command import Arguments, Flag

if TYPE_CHECKING:
    from ci_magics.workspace.audit import AuditEntry

CSV = Flag("--csv", "answer with comma-separated values")


def _work(_verb: str, arguments: Arguments) -> int:
    entries = carrier(arguments)("audit").result
    text = _as_csv(entries) if arguments.switch("csv") else "\n".join(map(repr, entries)) or "No entries yet."
    if not arguments.switch("quiet"):
        answer([vars(each) for each in entries], text, as_json=arguments.switch("json"))
    return DONE


def _as_csv(entries: Sequence[AuditEntry]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["number", "at", "user", "verb", "subject", "facts"])
    for each in entries:
        writer.writerow([each.number, each.at.isoformat(), each.user, each.verb, each.subject, json.dumps(each.facts)])
    return file.getvalue().rstrip("\n")


COMMAND: TerminalCommand = replace(operation_command("audit", CSV), work=_work)
