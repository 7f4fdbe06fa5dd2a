"""Results declare their columns once; text, HTML and DataFrames derive from them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

import pandas as pd

from ci_magics.display.numbers import Share
from ci_magics.display.result_table import Column, ResultList, as_day, as_minute, frame_only

MOMENT = datetime(2026, 11, 30, 8, 5, tzinfo=UTC)


@dataclass(frozen=True)
class Line:
    name: str
    tags: tuple[str, ...]
    members: int | None
    made_at: datetime
    active: bool = True


@dataclass(frozen=True, repr=False)
class Lines(ResultList[Line]):
    lines: tuple[Line, ...]

    _columns = (
        Column("Name", "name"),
        Column("Tags", "tags"),
        Column("Members", "members"),
        Column("Part", lambda each: Share(each.members or 0, 2000)),
        *frame_only("active"),
        Column("Made", "made_at", as_minute),
        Column("Length", lambda each: len(each.name), frame_name="length"),
    )
    _title = "All <lines>"
    _notes = ("One & all.",)
    _if_empty = "No <line> yet."

    @property
    def _rows(self) -> tuple[Line, ...]:
        return self.lines


@dataclass(frozen=True, repr=False)
class Headed(Lines):
    _title_html = "<b>Lines</b>"
    _notes = ()
    _if_empty = None

    @property
    def _shown_rows(self) -> tuple[Line, ...]:
        return self.lines[:1]


ALL = (Line("<b>Big</b>", ("a", "b"), 1234, MOMENT), Line("Small", (), None, MOMENT, active=False))


def test_text_has_every_column_with_a_heading() -> None:
    assert repr(Lines(ALL)).splitlines() == [
        "All <lines>",
        "Name        Tags  Members  Part           Made              Length",
        "<b>Big</b>  a, b  1,234    1,234 (61.7%)  2026-11-30 08:05      10",
        "Small                      0 (0.0%)       2026-11-30 08:05       5",
        "One & all.",
    ]


def test_html_has_the_same_cells_escaped() -> None:
    page = Lines(ALL)._repr_html_()
    assert page.startswith("<div>All &lt;lines&gt;</div><div style=")
    assert page.endswith("<div>One &amp; all.</div>")
    assert re.findall(r"<th scope='col'[^>]*>([^<]*)", page) == ["Name", "Tags", "Members", "Part", "Made", "Length"]
    assert re.findall(r"<td[^>]*>([^<]*)", page)[:3] == ["&lt;b&gt;Big&lt;/b&gt;", "a, b", "1,234"]
    assert re.findall(r"<td[^>]*>([^<]*)", page)[8] == "\u2013"
    assert "<b>Big" not in page


def test_frame_has_raw_values() -> None:
    frame = Lines(ALL).to_frame()
    assert list(frame.columns) == ["name", "tags", "members", "active", "made_at", "length"]
    assert frame["tags"].tolist() == [("a", "b"), ()]
    assert frame["members"].tolist()[0] == 1234.0
    assert frame["active"].tolist() == [True, False]
    assert frame["made_at"].dtype == "datetime64[us, UTC]"
    assert frame["length"].tolist() == [10, 5]


def test_empty_result_shows_a_sentence_and_converts_to_an_empty_frame() -> None:
    assert repr(Lines(())) == "All <lines>\nNo <line> yet.\nOne & all."
    assert (
        Lines(())._repr_html_()
        == "<div>All &lt;lines&gt;</div><div>No &lt;line&gt; yet.</div><div>One &amp; all.</div>"
    )
    pd.testing.assert_index_equal(Lines(()).to_frame().columns, Lines(ALL).to_frame().columns)


def test_empty_result_without_a_sentence_shows_its_headings() -> None:
    assert repr(Headed(())) == "All <lines>\nName  Tags  Members  Part  Made  Length"
    assert Headed(())._repr_html_().count("<th ") == 6


def test_hidden_rows_are_in_the_frame() -> None:
    found = Headed(ALL)
    assert "Small" not in repr(found)
    assert found._repr_html_().startswith("<b>Lines</b><div")
    assert found.to_frame()["name"].tolist() == ["<b>Big</b>", "Small"]


def test_result_is_iterable_and_has_a_length() -> None:
    assert list(Lines(ALL)) == [*ALL]
    assert len(Lines(ALL)) == 2


def test_times_are_shown_to_the_minute_or_day() -> None:
    assert (as_minute(MOMENT), as_day(MOMENT)) == ("2026-11-30 08:05", "2026-11-30")
    assert as_minute(None) == as_day(None) == ""
