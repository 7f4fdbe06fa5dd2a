"""``%ci_audiences [CONNECTION] [rename|empty|delete NAME_OR_ID]``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import contoso
import pytest

import ci_magics as ci
from ci_magics.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Notebook, RunningEmulator

    from ci_magics.workspace.store import Workspace


@pytest.fixture
def filled(notebook: Notebook, emulator: RunningEmulator) -> Notebook:
    """A notebook, and a list with three members."""
    del emulator
    contoso.connect()
    contoso.export(contoso.segment(3))
    return notebook


def test_lists_are_shown_renamed_emptied_and_deleted(filled: Notebook, emulator: RunningEmulator) -> None:
    assert filled.run('%ci_audiences "Contoso EU"').names() == ["All"]
    assert filled.run("%ci_audiences").names() == ["All"]
    assert filled.run("%ci_audiences rename All --to Everybody --confirm All").names() == ["Everybody"]
    number = emulator.audiences()["Everybody"]["Id"]
    filled.run(f'%ci_audiences "Contoso EU" empty {number} --confirm Everybody')
    assert emulator.members("Everybody") == set()
    assert filled.run("%ci_audiences delete Everybody --confirm Everybody").names() == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("delete All", "confirm it by its name; this one is 'All'"),
        ('"Contoso EU" erase All', "'erase' is not rename, empty or delete"),
        ('"Contoso EU" renam All', "Did you mean rename?"),
        ("delete", "delete needs the name or number of a list"),
        ("empty Big spenders", "empty takes one list, and the line also has 'spenders'"),
        ("rename All --confirm All", "rename needs the new name"),
        ("empty All --to X --confirm All", "--to is the new name for rename, and the line says empty"),
        ("--confirm All", "--to and --confirm go with rename, empty or delete, and the line has none of them"),
    ],
)
def test_a_line_that_is_not_whole_changes_nothing(
    filled: Notebook, emulator: RunningEmulator, line: str, words: str
) -> None:
    error = filled.fail(f"%ci_audiences {line}")
    assert isinstance(error, ArgumentError)
    assert words in str(error)
    assert len(emulator.members("All")) == 3


def test_without_a_name_there_must_be_one_connection(
    notebook: Notebook, emulator: RunningEmulator, as_user: Callable[..., Workspace]
) -> None:
    del emulator
    assert "There is no connection yet" in str(notebook.fail("%ci_audiences"))
    contoso.connect()
    ci.connect("Contoso US", customer_id="222", account_id="112")
    assert "There are several connections" in str(notebook.fail("%ci_audiences"))
    as_user("ann", "contributor")
    assert "No Microsoft Advertising connection is shared with you" in str(notebook.fail("%ci_audiences"))
