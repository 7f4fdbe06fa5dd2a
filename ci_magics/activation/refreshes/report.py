"""The report of a refresh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ci_magics.display.displayable import plain
from ci_magics.display.result_table import Column, ResultTable
from ci_magics.workspace.export_models import Refresh
from ci_magics.workspace.statuses import COMPLETED, WITH_ERRORS, undated


@dataclass(frozen=True)
class RefreshLine:
    """The result of a refresh for one segment or export.

    Parameters
    ----------
    what
        ``segment`` or ``export``.
    name, status, reason
        Its name, its status, and why it did not complete.
    count
        Number of profiles of a segment, or of accepted hashes of an export.
    """

    what: str
    name: str
    status: str
    count: int
    reason: str


@dataclass(frozen=True, repr=False)
class RefreshReport(ResultTable[RefreshLine]):
    """What a refresh did.

    Parameters
    ----------
    record
        Stored record of the refresh.
    """

    record: Refresh

    _columns = (
        Column("What", "what"),
        Column("Name", "name"),
        Column("Status", "status"),
        Column("Profiles or hashes", "count"),
        Column("Why", "reason"),
    )
    _if_empty = ""

    @property
    def status(self) -> str:
        """``Completed``, ``Completed with errors``, or ``Failed``."""
        return self.record.status

    @property
    def reason(self) -> str:
        """Why the refresh as a whole failed, such as an error in a cell of its notebook."""
        return self.record.reason

    @property
    def segments(self) -> list[dict[str, Any]]:
        """Result for each segment."""
        return self.record.segments

    @property
    def exports(self) -> list[dict[str, Any]]:
        """Result for each export."""
        return self.record.exports

    @property
    def not_completed(self) -> list[str]:
        """Names of the stale segments and of the exports that did not complete."""
        segments = [each["segment"] for each in self.segments if each["stale"]]
        return segments + [each["export"] for each in self.exports if each["status"] not in (COMPLETED, WITH_ERRORS)]

    def document(self) -> dict[str, Any]:
        """Return all stored data of the refresh."""
        return vars(self.record)

    def to_dict(self) -> dict[str, Any]:
        """Return the results, without the user and the time."""
        each = self.record
        return {
            "status": each.status,
            "reason": each.reason,
            "segments": plain(each.segments),
            "exports": plain([export | {"reason": undated(export["reason"])} for export in each.exports]),
        }

    @property
    def _title(self) -> str:
        each = self.record
        notebook = f" of {each.notebook}" if each.notebook else ""
        reason = f": {each.reason}" if each.reason else ""
        nothing = "" if each.segments or each.exports or each.reason else "; nothing was due"
        return f"Refresh{notebook} {each.started_at:%Y-%m-%d %H:%M} UTC: {each.status}{reason}{nothing}"

    @property
    def _rows(self) -> list[RefreshLine]:
        segments = [
            RefreshLine("segment", each["segment"], each["status"], each["profiles"], each["reason"])
            for each in self.segments
        ]
        return segments + [
            RefreshLine("export", each["export"], each["status"], each.get("accepted", 0), each["reason"])
            for each in self.exports
        ]
