"""``%ci_audiences [rename|empty|delete] [CONNECTION] [NAME_OR_ID]``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import contoso
import pytest

import ci_magics as ci
from ci_magics.errors import ArgumentError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Notebook, RunningEmulator

    from ci_magics.workspace.store import Workspace


@pytest.fixture
def filled(notebook: Notebook, emulator: RunningEmulator) -> Notebook:
    """Return a notebook, with an audience of three members."""
    del emulator
    contoso.connect()
    contoso.export(contoso.segment(3))
    return notebook


def test_audiences_are_listed_renamed_emptied_and_deleted(filled: Notebook, emulator: RunningEmulator) -> None:
    assert filled.run('%ci_audiences "Contoso EU"').names() == ["All"]
    assert filled.run("%ci_audiences").names() == ["All"]
    assert filled.run("%ci_audiences rename All Everybody --confirm All").names() == ["Everybody"]
    number = emulator.audiences()["Everybody"]["Id"]
    filled.run(f'%ci_audiences empty "Contoso EU" {number} --confirm Everybody')
    assert emulator.members("Everybody") == set()
    assert filled.run("%ci_audiences delete Everybody --confirm Everybody").names() == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("delete All", "delete needs --confirm: the list's name again"),
        ("delete All --confirm Al", "confirm it by its name; this one is 'All'"),
        ('erase "Contoso EU" All', "There is no connection 'erase'"),
        ('"Contoso EU" renam All', "%ci_audiences does not know 'renam'. Did you mean 'rename'?"),
        ("delete", "delete needs NAME_OR_ID: name or number of the list"),
        ("empty Contoso Big spenders", "%ci_audiences empty does not expect 'spenders' here"),
        ("rename All --confirm All", "rename needs NEW: new name"),
        ("empty All --confirm All --force", "%ci_audiences empty has no option --force"),
        ("--confirm All", "%ci_audiences has no option --confirm"),
        ("rename All --to X", "%ci_audiences rename has no option --to"),
    ],
)
def test_incomplete_line_changes_nothing(filled: Notebook, emulator: RunningEmulator, line: str, words: str) -> None:
    error = filled.fail(f"%ci_audiences {line}")
    assert isinstance(error, ArgumentError | NotFoundError)
    assert words in str(error)
    assert len(emulator.members("All")) == 3


def test_connection_can_be_omitted_only_if_there_is_one(
    notebook: Notebook, emulator: RunningEmulator, as_user: Callable[..., Workspace]
) -> None:
    del emulator
    assert "There is no connection yet" in str(notebook.fail("%ci_audiences"))
    contoso.connect()
    ci.connect("Contoso US", customer_id="222", account_id="112")
    assert "There are several connections" in str(notebook.fail("%ci_audiences"))
    as_user("ann", "contributor")
    assert "No Microsoft Advertising connection is shared with you" in str(notebook.fail("%ci_audiences"))
