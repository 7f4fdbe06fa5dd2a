"""Entry fields for the values of a condition: typed, chosen or picked, and parsed by type."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets

from ci_magics.errors import SegmentError
from ci_magics.notebook.forms.picker import Picker
from ci_magics.segmentation.rules.kinds import Kind
from ci_magics.segmentation.rules.tree import NULL_TESTS, Operator
from ci_magics.segmentation.rules.writer import MONTHS

_ADDRESS = re.compile(r"[^\s@,;]+@[^\s@,;]+\.[^\s@,;]")
_HINTS = {
    Kind.WHOLE: "a number, as 500",
    Kind.NUMBER: "a number, as 19.95",
    Kind.DATE: "a date, as 2026-01-31",
    Kind.TIME: "a date or time, as 2026-01-31T14:30",
}
_NAMES = {Kind.WHOLE: "a number", Kind.NUMBER: "a number", Kind.DATE: "a date", Kind.TIME: "a date or time"}


class ValueEntry:
    """A field for one value.

    Parameters
    ----------
    label
        The visible label.
    kind
        What the column holds.
    choices
        Values of the column, offered as suggestions.
    refuse
        Called with an error about a typed value.
    """

    _single = True

    def __init__(self, label: str, kind: Kind, choices: Sequence[Any], refuse: Callable[[SegmentError], None]) -> None:
        self._kind = kind
        self._refuse = refuse
        self._given: Any = None
        layout = widgets.Layout(width="auto", min_width="120px", max_width="100%", flex="1 1 190px")
        style = {"description_width": "initial"}
        hint = _HINTS.get(kind, "")
        if kind is Kind.TRUTH and self._single:
            self.widget: Any = widgets.Dropdown(
                description=label, options=[("true", "true"), ("false", "false")], layout=layout, style=style
            )
        else:
            self.widget = widgets.Combobox(
                description=label,
                placeholder=hint,
                options=tuple(_written(each) for each in choices),
                continuous_update=False,
                layout=layout,
                style=style,
            )
            self.widget.observe(lambda change: self._typed(change["new"]), names="value")
        self.widget.add_class("ci-value")

    def put(self, value: Any) -> None:
        """Show a value."""
        self._given = value
        self.widget.value = _written(value)

    def value(self) -> Any:
        """Return the value.

        Raises
        ------
        SegmentError
            It is missing or has the wrong type.
        """
        text = str(self.widget.value)
        if self._given is not None and text == _written(self._given):
            return self._given
        return read_value(text, self._kind)

    def _typed(self, text: str) -> None:
        """Reject an e-mail address, because the form may be saved with the notebook."""
        if _ADDRESS.search(text):
            self.widget.value = ""
            self._refuse(
                SegmentError(
                    "An e-mail address is not kept in a form.",
                    "Use a part of it, such as 'ends with @contoso.com', or write the rule in a cell: --rule.",
                    code="address_in_form",
                )
            )


class ListEntry(ValueEntry):
    """A field for several values, separated by commas."""

    _single = False

    def put(self, value: Sequence[Any]) -> None:
        """Show values."""
        self._given = tuple(value)
        self.widget.value = _written_list(value)

    def value(self) -> tuple[Any, ...]:
        """Return the values."""
        text = str(self.widget.value)
        if self._given is not None and text == _written_list(self._given):
            return tuple(self._given)
        parts = next(csv.reader(io.StringIO(text), skipinitialspace=True), [])
        return tuple(read_value(part.strip(), self._kind) for part in parts)


def read_value(text: str, kind: Kind) -> Any:
    """Parse a text as a value of a column.

    Parameters
    ----------
    text
        The typed text.
    kind
        What the column holds.

    Raises
    ------
    SegmentError
        It is empty or has the wrong type.
    """
    if not text.strip():
        raise unfinished("A condition has no value yet.")
    try:
        return _READERS.get(kind, str)(text)
    except ValueError:
        raise SegmentError(
            f"'{text}' is not {_NAMES.get(kind, 'a value')}.", f"Write {_HINTS.get(kind, 'another')}.", code="rule_type"
        ) from None


def unfinished(sentence: str) -> SegmentError:
    """Return the error for an incomplete condition."""
    return SegmentError(sentence, "Complete it, or remove it.", code="rule_unfinished")


def month_picker() -> Picker:
    """Return check boxes for the months."""
    picker = Picker("Months", "months", most=12)
    picker.options = [(name, number) for number, name in enumerate(MONTHS, start=1)]
    return picker


def labels_of(operator: Operator) -> tuple[str, ...]:
    """Return the labels of an operator's single values; empty if it takes no value or a list."""
    if operator in NULL_TESTS or operator in (Operator.ANY_OF, Operator.MONTH):
        return ()
    if operator is Operator.BETWEEN:
        return ("from", "to")
    return ("days",) if operator is Operator.WITHIN_LAST else ("value",)


def _number(text: str) -> int | float:
    plain = text.strip()
    return int(plain) if re.fullmatch(r"[+-]?\d+", plain) else float(plain)


def _moment(text: str) -> dt.date | dt.datetime:
    plain = text.strip()
    return dt.date.fromisoformat(plain) if len(plain) == len("2026-01-31") else dt.datetime.fromisoformat(plain)


_READERS: dict[Kind, Callable[[str], Any]] = {
    Kind.WHOLE: _number,
    Kind.NUMBER: _number,
    Kind.DATE: lambda text: dt.date.fromisoformat(text.strip()),
    Kind.TIME: _moment,
    Kind.TRUTH: lambda text: text == "true",
}


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, dt.date) else str(value)


def _written_list(values: Sequence[Any]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow([_written(each) for each in values])
    return ", ".join(_split(out.getvalue()))


def _split(line: str) -> list[str]:
    """Return the raw parts of a CSV line, quotes included."""
    return re.findall(r'(?:"(?:[^"]|"")*"|[^,])+', line)
