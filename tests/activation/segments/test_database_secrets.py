"""The workspace stores no secret of a database: secrets come from the environment, the keyring, or a prompt."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from pathlib import Path

import keyring
import pandas as pd
import pytest
from keyring.backend import KeyringBackend
from sqlalchemy import create_engine, text
from test_stored_database_address import SECRET, WITH_SECRETS

import ci_magics as ci
from ci_magics.activation.segments import database_secrets
from ci_magics.activation.segments.database_secrets import VARIABLE, with_secrets
from ci_magics.errors import SegmentError
from ci_magics.segmentation.sources.database_errors import DatabaseClosedError
from ci_magics.workspace.store import Workspace

KEPT = "postgresql://db/shop"
WHOLE = f"postgresql://reader:{SECRET}@db/shop?sslpassword={SECRET}"


class InMemory(KeyringBackend):
    priority = 1

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password


@pytest.fixture
def ring() -> InMemory:
    before = keyring.get_keyring()
    ring = InMemory()
    keyring.set_keyring(ring)
    yield ring
    keyring.set_keyring(before)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The answers to prompts; nobody answers while the list is empty."""
    answers: list[str] = []
    monkeypatch.setattr(database_secrets, "can_ask", lambda: bool(answers))
    monkeypatch.setattr(getpass, "getpass", lambda _question: answers.pop())
    return answers


def opened(address: str) -> str:
    if address != WHOLE:
        raise DatabaseClosedError("The database at db refused the user or the password.", "Check both.", code="28P01")
    return "rows"


@pytest.mark.usefixtures("ring", "answers")
def test_environment_gives_the_whole_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, f"mysql://x:y@elsewhere/shop {WHOLE}")
    assert with_secrets(KEPT, opened, print) == "rows"


@pytest.mark.usefixtures("ring", "answers")
def test_error_without_a_prompt_says_what_to_set() -> None:
    with pytest.raises(SegmentError, match=f"keeps no user and no password of a database. Set {VARIABLE}"):
        with_secrets(KEPT, opened, print)


def test_user_is_asked_once_and_the_keyring_remembers(ring: InMemory, answers: list[str]) -> None:
    answers.append(WHOLE)
    assert with_secrets(KEPT, opened, print) == "rows"
    assert answers == []
    assert with_secrets(KEPT, opened, print) == "rows"
    assert list(ring.kept.values()) == [WHOLE]


def test_address_of_another_database_is_refused(ring: InMemory, answers: list[str]) -> None:
    answers.append(f"postgresql://reader:{SECRET}@elsewhere/shop")
    with pytest.raises(SegmentError, match="another database") as error:
        with_secrets(KEPT, opened, print)
    assert SECRET not in str(error.value)
    assert ring.kept == {}


@pytest.mark.usefixtures("ring")
def test_empty_answer_keeps_the_error_of_the_database(answers: list[str]) -> None:
    answers.append("  ")
    with pytest.raises(DatabaseClosedError, match="refused the user or the password"):
        with_secrets(KEPT, opened, print)


def test_address_that_the_keyring_cannot_store_is_used_with_a_notice(
    answers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_secrets, "remembered", lambda _name: None)
    monkeypatch.setattr(database_secrets, "remember", lambda *_: "This machine has no keyring")
    answers.append(WHOLE)
    said: list[str] = []
    assert with_secrets(KEPT, opened, said.append) == "rows"
    [notice] = said
    assert VARIABLE in notice
    assert SECRET not in notice


@pytest.mark.parametrize("where", WITH_SECRETS)
def test_errors_contain_no_secret(where: str, capfd: pytest.CaptureFixture[str]) -> None:
    address = WITH_SECRETS[where].replace("@db/", "@localhost:9/").replace("//db/", "//localhost:9/")
    with pytest.raises(ci.CiError) as error:
        ci.segment("All", "SELECT * FROM people WHERE", database=address)
    assert SECRET not in str(error.value) + "".join(error.value._render_traceback_()) + "".join(capfd.readouterr())


SOURCES: dict[str, Callable[[Path], object]] = {
    "address": lambda path: f"sqlite:///file:{path}?mode=ro&uri=true&key={SECRET}",
    "engine": lambda path: create_engine(f"sqlite:///file:{path}?mode=ro&uri=true&key={SECRET}"),
    "creator": lambda path: create_engine("sqlite://", creator=lambda: __import__("sqlite3").connect(path)),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_stored_and_shown_values_contain_no_secret(
    kind: str, tmp_path: Path, workspace: Workspace, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "shop.sqlite"
    with create_engine(f"sqlite:///{path}").begin() as database:
        pd.DataFrame({"Id": [1], "EMail": ["a@contoso.com"]}).to_sql("people", database, index=False)
        database.execute(text("SELECT 1"))
    made = ci.segment("All", "SELECT * FROM people", database=SOURCES[kind](path))  # type: ignore[arg-type]
    shown = repr(made) + made._repr_html_() + repr(workspace.segments["All"]) + repr(list(workspace.audit))
    assert SECRET not in shown + "".join(capfd.readouterr())
    files = [each for each in workspace.folder.rglob("*") if each.is_file()]
    assert not [each.name for each in files if SECRET.encode() in each.read_bytes()]
    assert workspace.segments["All"].is_dynamic is (kind != "creator")
    if kind != "creator":
        assert ci.segments.refresh("All").rows == 1
