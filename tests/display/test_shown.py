"""One set of rules for how notebooks show every kind of result."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from results import ADDRESS, every_kind, results

from ci_magics.display.displayable import Displayable
from ci_magics.display.html_table import table

if TYPE_CHECKING:
    from conftest import RunningEmulator

NAME = '<b>Bold</b> & "so"'
CHANGING = re.compile(r"0x[0-9a-f]{6,}|[0-9a-f]{8}-[0-9a-f]{4}|\d{4}-\d\d-\d\dT?\d?|[0-9a-f]{32}")
COLOR = re.compile(r"(?:color|background|border)[\w-]*:[^;'\"]*#")
_VOID = {"img", "br", "hr"}


@pytest.fixture(scope="module")
def examples(emulator_process: RunningEmulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Return one value of each kind, made by public functions, with names that would break unescaped HTML."""
    emulator_process.control("POST", "/reset")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CI_MAGICS_EMULATOR", emulator_process.base_url)
        patch.setenv("CI_MAGICS_WORKSPACE", str(tmp_path_factory.mktemp("workspace")))
        yield results(NAME)


class _Page(HTMLParser):
    """Parses HTML strictly: every tag is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.bare_tables = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _value in attrs]
        style = self.styles[-1] if tag == "table" and self.styles else ""
        self.bare_tables += tag == "table" and "overflow-x:auto" not in style
        if tag not in _VOID:
            self.open.append(tag)
            self.styles.append(dict(attrs).get("style") or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.styles.pop()

    @property
    def styles(self) -> list[str]:
        return self.__dict__.setdefault("_styles", [])


def read(html: str) -> _Page:
    page = _Page()
    page.feed(html)
    page.close()
    assert page.open == []
    return page


KINDS = [kind.__name__ for kind in every_kind()]


@pytest.mark.parametrize("kind", KINDS)
def test_every_result_has_html_text_and_a_summary(examples: dict[str, Any], kind: str) -> None:
    assert kind in examples, f"make an example of {kind} in tests/results.py"
    value = examples[kind]
    bundle = value._repr_mimebundle_()
    assert {"text/html", "text/plain", value.summary_type()} <= set(bundle)
    assert bundle["text/plain"] == repr(value) == repr(value)
    summary = json.dumps(bundle[value.summary_type()])
    assert json.loads(summary) == value.to_dict()
    assert len(summary) > 5
    assert value._repr_mimebundle_(include={"application/json"})["application/json"] == value.to_dict()
    for text in (repr(value), bundle["text/html"], summary):
        assert ADDRESS not in text
        assert "jan.de" not in text
    assert CHANGING.findall(summary) == []
    assert "0x" not in repr(value)
    assert not repr(value).startswith(f"{kind}("), "the text that a dataclass generates"


@pytest.mark.parametrize("kind", KINDS)
def test_html_of_every_result_is_safe_and_fits(examples: dict[str, Any], kind: str) -> None:
    html = examples[kind]._repr_html_()
    page = read(html)
    assert "<b>Bold" not in html
    assert not {"script", "style", "link", "iframe", "form"} & set(page.tags)
    assert not [name for name in page.attributes if name.startswith("on")]
    assert page.bare_tables == 0, "a table that may widen the page"
    styles = re.sub(r"src=\"data:[^\"]*\"", "", html)
    assert COLOR.findall(re.sub(r"var\(--[\w-]+, ?[^)]*\)", "var", styles)) == [], "a color of only one theme"


def test_every_class_with_html_is_displayable() -> None:
    every_kind()
    classes = {
        kind
        for name, module in list(sys.modules.items())
        if name.startswith("ci_magics.")
        for kind in vars(module).values()
        if isinstance(kind, type) and kind.__module__ == name and hasattr(kind, "_repr_html_")
    }
    assert {kind.__name__ for kind in classes if not issubclass(kind, Displayable)} == {
        "Receipts"
    }  # a part of the forms


def test_table_has_its_own_scrolling_container() -> None:
    assert read(table(("a",), [("<b>",)])).tags == ["div", "table", "thead", "tr", "th", "tbody", "tr", "td"]


def test_long_text_wraps_and_a_time_does_not() -> None:
    long = "bought_more_than_twice_since_last_summer"
    first, short, moment, other = re.findall(
        r"<td style='([^']*)'", table("abcd", [(long, "Lapsed", "2026-12-01", long)])
    )
    assert "overflow-wrap:anywhere" in first
    assert "overflow-wrap:anywhere" in other
    assert "nowrap" not in first + short + other
    assert "nowrap" in moment
