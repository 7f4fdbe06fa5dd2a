"""``%ci_connections VERB NAME``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import contoso
import pytest

from ci_magics.errors import ArgumentError

if TYPE_CHECKING:
    from conftest import Notebook

pytestmark = pytest.mark.usefixtures("emulator")


def test_connection_is_edited_agreed_to_and_shared(notebook: Notebook) -> None:
    contoso.connect()
    changed = notebook.run('%ci_connections edit "Contoso EU" --account-id 112')
    assert not changed.agreed
    notebook.run('%ci_connect "Contoso EU" --agree --accept-terms')
    changed = notebook.run('%ci_connections share "Contoso EU" contributor')
    assert (changed.account_id, changed.account_name) == ("112", "Contoso US")
    assert changed.agreed
    assert changed.terms_accepted
    assert changed.shared_with == ("contributor",)


def test_connection_is_renamed(notebook: Notebook) -> None:
    contoso.connect()
    assert notebook.run('%ci_connections edit "Contoso EU" --rename Europe').name == "Europe"


def test_user_of_the_emulator_is_not_listed_as_an_account(notebook: Notebook) -> None:
    contoso.connect()
    assert notebook.run('%ci_connections accounts "Contoso EU"') == []
    assert [each.name for each in notebook.run('%ci_connections sign-out "Contoso EU"')] == ["Contoso EU"]
    assert notebook.run('%ci_connections sign-in "Contoso EU"').name == "Contoso EU"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('sign-out "Contoso EU" --rename X', "%ci_connections sign-out has no option --rename"),
        ('accounts "Contoso EU" --agree', "%ci_connections accounts has no option --agree"),
        ("edit --account-id 112", "edit needs NAME: connection"),
        ('choose-account "Contoso EU" two', "N must be a whole number"),
    ],
)
def test_invalid_line_is_refused(notebook: Notebook, line: str, words: str) -> None:
    contoso.connect()
    error = notebook.fail(f"%ci_connections {line}")
    assert isinstance(error, ArgumentError)
    assert words in str(error)
