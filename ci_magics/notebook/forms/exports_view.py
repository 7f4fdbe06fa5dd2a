"""The list of saved exports in the panel: searched, filtered and sorted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import ipywidgets as widgets

from ci_magics.activation.exports.history import STATUSES
from ci_magics.activation.exports.listing import NOT_RUN, ExportLine, ExportList
from ci_magics.notebook.forms.fields import checkbox, dropdown, entry, page, row, show
from ci_magics.workspace.export_models import NO_CONNECTION

_ALL = ""
_KEYS: dict[str, Callable[[ExportLine], Any]] = {
    "name": lambda line: line.name.casefold(),
    "connection": lambda line: line.connection.casefold(),
    "status": lambda line: line.status,
    "last run": lambda line: line.last_run.isoformat() if line.last_run else "",
    "next run": lambda line: line.next_run.isoformat() if line.next_run else "9999",
}


class ExportsView:
    """The list and its search, filter and sort fields.

    Parameters
    ----------
    changed
        Called when the user searches, filters or sorts.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self.search = entry("Search", "search", hint="name, connection or segment")
        statuses = [("any status", _ALL), *((each, each) for each in (*STATUSES, NOT_RUN, NO_CONNECTION))]
        self.status = dropdown("Status", statuses, "status-filter")
        self.sort = dropdown("Sort by", list(_KEYS), "sort")
        self.descending = checkbox("last one first", "descending")
        self.table = page("exports-table")
        self.box: widgets.Widget = widgets.VBox(
            [self.search, self.status, row(self.sort, self.descending), self.table],
            layout=widgets.Layout(max_width="100%"),
        )
        for field in self.fields().values():
            field.observe(lambda _change: changed(), names="value")

    def fields(self) -> dict[str, Any]:
        """Return the fields by name."""
        return {"search": self.search, "status": self.status, "sort": self.sort, "descending": self.descending}

    def show(self, lines: Iterable[ExportLine], notes: tuple[str, ...] = ()) -> list[ExportLine]:
        """Show the exports that match, and return them.

        Parameters
        ----------
        lines
            All exports.
        notes
            Remarks about all exports, shown below the list.
        """
        found = self._fitting(list(lines))
        everything = ExportList(tuple(found), notes)
        self.table.value = everything._repr_html_()
        show(self.table, True)
        return found

    def _fitting(self, lines: list[ExportLine]) -> list[ExportLine]:
        words = self.search.value.casefold().split()
        status = self.status.value
        found = [each for each in lines if _has(each, words) and status in (_ALL, each.status)]
        return sorted(found, key=_KEYS[self.sort.value], reverse=self.descending.value)


def _has(line: ExportLine, words: list[str]) -> bool:
    text = " ".join([line.name, line.connection, *line.segments]).casefold()
    return all(word in text for word in words)
