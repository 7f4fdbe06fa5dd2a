"""``%ci_connect NAME --VERB``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import contoso
import pytest

from ci_magics.errors import ArgumentError

if TYPE_CHECKING:
    from conftest import Notebook

pytestmark = pytest.mark.usefixtures("emulator")


def test_a_connection_is_edited_and_agreed_to_in_one_line(notebook: Notebook) -> None:
    contoso.connect()
    line = '"Contoso EU" --edit --account-id 112 --agree --accept-terms --share contributor'
    changed = notebook.run(f"%ci_connect {line}")
    assert (changed.account_id, changed.account_name) == ("112", "Contoso US")
    assert changed.agreed
    assert changed.terms_accepted
    assert changed.shared_with == ("contributor",)


def test_a_connection_is_renamed(notebook: Notebook) -> None:
    contoso.connect()
    assert notebook.run('%ci_connect "Contoso EU" --rename Europe').name == "Europe"


def test_the_emulators_own_user_is_no_account_of_the_person(notebook: Notebook) -> None:
    contoso.connect()
    assert notebook.run('%ci_connect "Contoso EU" --accounts') == []
    assert notebook.run('%ci_connect "Contoso EU" --sign-out') is None
    assert notebook.run('%ci_connect "Contoso EU" --sign-in').name == "Contoso EU"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('"Contoso EU" --rename X --sign-out', "--rename cannot be combined with --sign-out"),
        ('"Contoso EU" --accounts --agree', "--accounts cannot be combined with --agree"),
        ("--edit --account-id 112", "--edit needs the name of a connection"),
        ('"Contoso EU" --account two', "--account must be a whole number"),
    ],
)
def test_a_line_says_one_thing(notebook: Notebook, line: str, words: str) -> None:
    contoso.connect()
    error = notebook.fail(f"%ci_connect {line}")
    assert isinstance(error, ArgumentError)
    assert words in str(error)
