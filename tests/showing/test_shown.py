"""What a notebook shows of every result: one set of rules for all of them."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import ci_magics as ci
from ci_magics.activation.segment_list import list_segments
from ci_magics.notebook.options import OPTIONS, OptionList
from ci_magics.showing.html_table import table
from ci_magics.showing.shown import Shown

if TYPE_CHECKING:
    from conftest import RunningEmulator

NAME = '<b>Bold</b> & "so"'
ADDRESS = "jan.de.vries@contoso.com"
WHERE = f"EMail <> '{ADDRESS}'"
CHANGING = re.compile(r"0x[0-9a-f]{6,}|[0-9a-f]{8}-[0-9a-f]{4}|\d{4}-\d\d-\d\dT?\d?|[0-9a-f]{32}")
COLOR = re.compile(r"(?:color|background|border)[\w-]*:[^;'\"]*#")
_VOID = {"img", "br", "hr"}


def kinds(base: type = Shown) -> Iterator[type]:
    for kind in base.__subclasses__():
        yield kind
        yield from kinds(kind)


def every_kind() -> list[type]:
    for module in pkgutil.walk_packages(ci_magics_path(), "ci_magics."):
        if not module.name.endswith((".__main__", ".env")) and ".migrations" not in module.name:
            importlib.import_module(module.name)
    return sorted(set(kinds()), key=lambda kind: kind.__name__)


def ci_magics_path() -> list[str]:
    return [str(Path(ci.__file__).parent)]


@pytest.fixture(scope="module")
def examples(emulator_process: RunningEmulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """One value of each kind, made by the functions that a person calls, with names that would spoil a page."""
    emulator_process.control("POST", "/reset")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CI_MAGICS_EMULATOR", emulator_process.base_url)
        patch.setenv("CI_MAGICS_WORKSPACE", str(tmp_path_factory.mktemp("workspace")))
        found = [*_of_segments(), *_of_exports()]
        yield {type(each).__name__: each for each in found}


def _of_segments() -> Iterator[Any]:
    people = pd.DataFrame(
        {
            "Id": [f"k{number}" for number in range(1_500)],
            "EMail": [*(f"p.{number}@contoso.com" for number in range(1_499)), ADDRESS],
            "Kind": [NAME, "plain"] * 750,
        }
    )
    one = ci.segment(NAME, people, where=WHERE)
    other = ci.segment("Other", people, rule=f'EMail does not equal "{ADDRESS}"')
    yield from (one, ci.Rule.parse(f'EMail equals "{ADDRESS}"'), ci.preview(one, other), ci.overlap(one, other))
    yield from (ci.differentiators(one, other, people), ci.quick_segments(people, "Kind"))
    yield ci.inspect_rules(people, f'EMail equals "{ADDRESS}"')
    yield from (list_segments(), ci.segment_history(NAME), ci.segment_usage(NAME))


def _of_exports() -> Iterator[Any]:
    connection = ci.connect(NAME, customer_id="222", account_id="111", agree=True, accept_terms=True)
    yield connection
    yield from (ci.export(NAME, to=NAME, dry_run=True), ci.export(NAME, to=NAME), ci.status())
    yield ci.compare_normalizations(NAME, to=NAME, dry_run=True)
    ci.export(NAME, to=NAME, save="Weekly")
    workspace = ci.open_workspace()
    yield ci.doctor()
    yield OptionList(dict.fromkeys(OPTIONS, 1), dict.fromkeys(OPTIONS, NAME), with_sources=True)
    yield from (workspace, connection.consents[0], next(iter(workspace.audit)))
    for shelf in vars(workspace).values():
        if isinstance(shelf, Shown):
            yield from (shelf, *list(shelf)[:1])


class _Page(HTMLParser):
    """Reads HTML strictly: what is opened is closed, in order."""

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
def test_every_result_is_shown_alike(examples: dict[str, Any], kind: str) -> None:
    assert kind in examples, f"make an example of {kind} in this file"
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


@pytest.mark.parametrize("kind", KINDS)
def test_every_page_is_safe_and_fits(examples: dict[str, Any], kind: str) -> None:
    html = examples[kind]._repr_html_()
    page = read(html)
    assert "<b>Bold" not in html
    assert not {"script", "style", "link", "iframe", "form"} & set(page.tags)
    assert not [name for name in page.attributes if name.startswith("on")]
    assert page.bare_tables == 0, "a table that may widen the page"
    styles = re.sub(r"src=\"data:[^\"]*\"", "", html)
    assert COLOR.findall(re.sub(r"var\(--[\w-]+, ?[^)]*\)", "var", styles)) == [], "a color of only one theme"


def test_a_table_keeps_its_place() -> None:
    assert read(table(("a",), [("<b>",)])).tags == ["div", "table", "thead", "tr", "th", "tbody", "tr", "td"]
