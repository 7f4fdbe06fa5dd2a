"""The report of a refresh."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ci_magics.display.displayable import Displayable, plain
from ci_magics.display.html_table import table
from ci_magics.display.text_table import text_table
from ci_magics.workspace.export_models import Refresh
from ci_magics.workspace.statuses import COMPLETED, WITH_ERRORS, undated

if TYPE_CHECKING:
    import pandas as pd

_HEADS = ("What", "Name", "Status", "Profiles or hashes", "Why")


@dataclass(frozen=True)
class RefreshReport(Displayable):
    """What a refresh did.

    Parameters
    ----------
    record
        Stored record of the refresh.
    """

    record: Refresh

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

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each segment and export."""
        import pandas as pd

        return pd.DataFrame(self._rows(), columns=["what", "name", "status", "count", "reason"])

    def to_dict(self) -> dict[str, Any]:
        """Return the results, without the user and the time."""
        each = self.record
        return {
            "status": each.status,
            "reason": each.reason,
            "segments": plain(each.segments),
            "exports": plain([export | {"reason": undated(export["reason"])} for export in each.exports]),
        }

    def __repr__(self) -> str:
        return "\n".join([self._title(), *([text_table(_HEADS, self._rows())] if self._rows() else [])])

    def _repr_html_(self) -> str:
        shown = table(_HEADS, self._rows()) if self._rows() else ""
        return f"<div>{html.escape(self._title())}</div>{shown}"

    def _title(self) -> str:
        each = self.record
        notebook = f" of {each.notebook}" if each.notebook else ""
        reason = f": {each.reason}" if each.reason else ""
        nothing = "" if each.segments or each.exports or each.reason else "; nothing was due"
        return f"Refresh{notebook} {each.started_at:%Y-%m-%d %H:%M} UTC: {each.status}{reason}{nothing}"

    def _rows(self) -> list[tuple[str, str, str, int, str]]:
        segments = [
            ("segment", each["segment"], each["status"], each["profiles"], each["reason"]) for each in self.segments
        ]
        return segments + [
            ("export", each["export"], each["status"], each.get("accepted", 0), each["reason"]) for each in self.exports
        ]
