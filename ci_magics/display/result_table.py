"""Results shown as a table: columns are declared once; text, HTML, and DataFrame derive from them."""

from __future__ import annotations

import html
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ci_magics.display.displayable import Displayable
from ci_magics.display.html_table import Cell, as_cell, table
from ci_magics.display.text_table import text_table

if TYPE_CHECKING:
    import pandas as pd

R = TypeVar("R")


@dataclass(frozen=True)
class Column(Generic[R]):
    """One column of a result.

    Parameters
    ----------
    head
        The heading where the result is shown; None for a column that only a DataFrame has.
    value
        The value of a row: the name of an attribute, which also names the column of a DataFrame, or a function.
    show
        Converts a value to a cell.
    frame_name
        The name in a DataFrame of a column whose value is a function; a DataFrame has no column without a name.
    """

    head: str | None
    value: str | Callable[[R], Any]
    show: Callable[[Any], Cell] = as_cell
    frame_name: str = ""

    @property
    def name(self) -> str:
        """The name in a DataFrame; empty if a DataFrame does not have the column."""
        return self.value if isinstance(self.value, str) else self.frame_name

    def value_of(self, row: R) -> Any:
        """Return the value of a row, as a DataFrame holds it."""
        return getattr(row, self.value) if isinstance(self.value, str) else self.value(row)

    def cell_of(self, row: R) -> Cell:
        """Return the cell of a row, as it is shown."""
        return self.show(self.value_of(row))


def frame_only(*names: str) -> tuple[Column[Any], ...]:
    """Return columns that are not shown, by the names of their attributes."""
    return tuple(Column(None, name) for name in names)


def as_minute(moment: date | None) -> str:
    """Return a time to the minute, without its time zone; empty for None."""
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""


def as_day(moment: date | None) -> str:
    """Return the day of a time; empty for None."""
    return f"{moment:%Y-%m-%d}" if moment else ""


class ResultTable(Displayable, ABC, Generic[R]):
    """A result with one row for each of its parts.

    A subclass defines `_columns` and `_rows`, and whatever else is shown, as class attributes or as properties. If it
    is a dataclass, it is declared with ``repr=False``, because a generated ``__repr__`` would replace the table.
    """

    @property
    @abstractmethod
    def _columns(self) -> Sequence[Column[R]]:
        """The columns, from left to right."""

    @property
    @abstractmethod
    def _rows(self) -> Sequence[R]:
        """All rows."""

    @property
    def _shown_rows(self) -> Sequence[R]:
        """The rows that are shown; a DataFrame always has all of them."""
        return self._rows

    @property
    def _title(self) -> str:
        """The line above the table."""
        return ""

    @property
    def _title_html(self) -> str:
        """What a page shows above the table."""
        return f"<div>{html.escape(self._title)}</div>" if self._title else ""

    @property
    def _notes(self) -> Sequence[str]:
        """The lines below the table."""
        return ()

    @property
    def _if_empty(self) -> str | None:
        """The sentence that replaces a table without rows; None shows the headings."""
        return None

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each row of the result."""
        import pandas as pd

        columns = [each for each in self._columns if each.name]
        rows = [[each.value_of(row) for each in columns] for row in self._rows]
        return pd.DataFrame(rows, columns=[each.name for each in columns])

    def __repr__(self) -> str:
        rows = self._cells()
        shown = text_table(self._heads(), rows) if rows or self._if_empty is None else self._if_empty
        return "\n".join(line for line in (self._title, shown, *self._notes) if line)

    def _repr_html_(self) -> str:
        notes = "".join(f"<div>{html.escape(note)}</div>" for note in self._notes)
        return f"{self._title_html}{self._table_html()}{notes}"

    def _table_html(self) -> str:
        rows = self._cells()
        if rows or self._if_empty is None:
            return table(self._heads(), rows)
        return f"<div>{html.escape(self._if_empty)}</div>" if self._if_empty else ""

    def _heads(self) -> list[str]:
        return [each.head for each in self._columns if each.head is not None]

    def _cells(self) -> list[list[Cell]]:
        shown = [each for each in self._columns if each.head is not None]
        return [[each.cell_of(row) for each in shown] for row in self._shown_rows]


class ResultList(ResultTable[R]):
    """A result that is a list of its rows."""

    def __iter__(self) -> Iterator[R]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)
