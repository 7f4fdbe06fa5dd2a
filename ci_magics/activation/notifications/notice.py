"""The content of notifications about exports and refreshes: no addresses, hashes or secrets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ci_magics.display.numbers import agreeing, counted, counted_in_words
from ci_magics.errors import without_addresses
from ci_magics.workspace.export_models import ExportRun, Refresh
from ci_magics.workspace.statuses import CANCELED, QUEUED, RUNNING, SKIPPED
from ci_magics.workspace.statuses import FAILED as RUN_FAILED

WELL, FAILED, REJECTS, SHRANK = "well", "failed", "rejects", "shrank"


class Limits(BaseModel):
    """Thresholds for notifications.

    Parameters
    ----------
    active
        Whether notifications are on.
    rejected_percent
        Notify if more than this percentage of the sent hashes is rejected.
    drop_percent
        Notify if an export's audiences lose more than this percentage of their members.
    """

    model_config = ConfigDict(frozen=True)

    active: bool = True
    rejected_percent: int = Field(default=5, ge=0, le=100)
    drop_percent: int = Field(default=30, ge=0, le=100)


@dataclass(frozen=True)
class News:
    """A notification.

    Parameters
    ----------
    subject_id
        The id of the export, or ``refresh``.
    state
        The state that the notification is about, such as `FAILED`.
    title, text
        One line, and one or two sentences.
    facts
        The same for programs.
    """

    subject_id: str
    state: str
    title: str
    text: str
    facts: dict[str, Any]


def state_after(entry: ExportRun, before: ExportRun | None, limits: Limits) -> str | None:
    """Return the state of an export after a run; None if the run does not change it.

    Parameters
    ----------
    entry
        The run.
    before
        The last completed run before it; None if there was none.
    limits
        The thresholds.
    """
    if entry.status in (QUEUED, RUNNING, CANCELED):
        return None
    if entry.status in (RUN_FAILED, SKIPPED):
        return FAILED
    sent = entry.accepted + entry.rejected
    if entry.rejected * 100 > limits.rejected_percent * sent:
        return REJECTS
    if before is not None and entry.members * 100 < before.members * (100 - limits.drop_percent):
        return SHRANK
    return WELL


def news_of_export(entry: ExportRun, state: str, before: ExportRun | None) -> News:
    """Return the notification about an export's new state.

    Parameters
    ----------
    entry
        The run that led to the state.
    state
        The new state: `WELL`, `FAILED`, `REJECTS` or `SHRANK`.
    before
        The last completed run before it; None if there was none.
    """
    name = _line(entry.export_name)
    titles = {
        FAILED: f"The export '{name}' {'was skipped' if entry.status == SKIPPED else 'failed'}",
        REJECTS: f"The export '{name}' had many hashes refused",
        SHRANK: f"The audiences of the export '{name}' shrank",
        WELL: f"The export '{name}' is well again",
    }
    texts = {
        FAILED: entry.reason,
        REJECTS: f"{counted(entry.rejected)} of {counted_in_words(entry.accepted + entry.rejected, 'hash')} "
        f"{agreeing(entry.rejected, 'was')} refused.",
        SHRANK: f"They hold {counted_in_words(entry.members, 'member')}, "
        f"{counted(before.members if before else 0)} before.",
        WELL: f"{counted_in_words(entry.accepted, 'hash', 'was')} accepted, its audiences hold "
        f"{counted_in_words(entry.members, 'member')}.",
    }
    facts = {
        "export": name,
        "state": state,
        "status": entry.status,
        "reason": _line(entry.reason),
        "run": entry.name,
        "connection": _line(entry.connection_name),
        "trigger": entry.trigger,
        "started_at": entry.started_at.isoformat(),
        "due_at": entry.due_at.isoformat() if entry.due_at else None,
        "accepted": entry.accepted,
        "rejected": entry.rejected,
        "members": entry.members,
    }
    return News(entry.export_id, state, titles[state], _line(texts[state]), facts)


def news_of_refresh(record: Refresh, state: str) -> News:
    """Return the notification about a refresh that failed, or about the first one that succeeded afterward.

    Parameters
    ----------
    record
        The refresh.
    state
        `FAILED` or `WELL`.
    """
    name = f"The refresh of {record.notebook}" if record.notebook else "The refresh"
    title = f"{name} {'failed' if state == FAILED else 'is well again'}"
    facts = {
        "refresh": record.name,
        "state": state,
        "status": record.status,
        "reason": _line(record.reason),
        "notebook": record.notebook,
        "started_at": record.started_at.isoformat(),
    }
    return News("refresh", state, title, _line(record.reason) or "Everything was refreshed.", facts)


def _line(text: str) -> str:
    return " ".join(without_addresses(text).split())
