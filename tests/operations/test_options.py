"""Functions print nothing by default."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import contoso
import pytest

import ci_magics as ci
from ci_magics.display.output import announce, asking, tell

if TYPE_CHECKING:
    from ci_magics.workspace.store import Workspace


@pytest.fixture(autouse=True)
def _quiet_again(workspace: Workspace) -> Iterator[None]:
    assert workspace
    yield
    ci.options.verbose = False


def test_functions_print_nothing_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    for count in (3, 4):
        ci.segment("All", contoso.people(count))
    ci.segments.undo("All")
    assert capsys.readouterr().out == ""


def test_functions_report_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    ci.options.verbose = True
    for count in (3, 4):
        ci.segment("All", contoso.people(count))
    assert "All" in capsys.readouterr().out


def test_output_for_a_front_end_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    for count in (3, 4):
        ci.segment("All", contoso.people(count), show=said.append)
    assert len(said) == 1
    assert capsys.readouterr().out == ""


def test_instructions_are_always_shown() -> None:
    assert asking(announce) is tell
    assert asking(print) is print


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(AttributeError, match="verbose"):
        ci.options.verbos = True  # type: ignore[attr-defined]
