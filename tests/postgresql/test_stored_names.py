"""Tab in a notebook whose workspace is on a server: names as they were last seen, and no question."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import contoso
import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from ci_magics.notebook.stored_names import StoredNames
from ci_magics.workspace.store import Workspace


@pytest.fixture
def asking() -> Iterator[list[str]]:
    """The threads that took a connection or sent a statement, whichever database it is of."""
    threads: list[str] = []

    def note(*_anything: Any) -> None:
        threads.append(threading.current_thread().name)

    for moment in ("engine_connect", "before_cursor_execute"):
        event.listen(Engine, moment, note)
    yield threads
    for moment in ("engine_connect", "before_cursor_execute"):
        event.remove(Engine, moment, note)


def test_names_are_those_last_seen_and_the_server_is_not_asked(workspace: Workspace, asking: list[str]) -> None:
    contoso.segment(3)
    stored = StoredNames()
    asking.clear()
    assert stored.names("segment") == ()
    assert asking == []
    stored.look_again()
    stored.wait()
    assert set(asking) == {"ci-magics names"}
    contoso.segment(3, name="Later")
    assert workspace.segments.names() == ["All", "Later"]
    asking.clear()
    assert stored.names("segment") == ["All"]
    assert stored.columns("All") == ["EMail", "Id"]
    assert asking == []
    stored.look_again()
    stored.wait()
    assert stored.names("segment") == ["All", "Later"]
    stored.end()


def test_nobody_else_is_offered_what_one_person_saw(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    contoso.segment(3)
    stored = StoredNames()
    stored.look_again()
    stored.wait()
    assert stored.names("user") == [workspace.user]
    monkeypatch.setenv("JUPYTERHUB_USER", "ann")
    assert stored.names("segment") == ()
    stored.end()


@pytest.mark.usefixtures("workspace")
def test_a_server_that_is_gone_leaves_what_was_seen(capfd: pytest.CaptureFixture[str]) -> None:
    contoso.segment(3)
    stored = StoredNames()
    stored.look_again()
    stored.wait()
    event.listen(Engine, "before_cursor_execute", _gone)
    stored.look_again()
    stored.wait()
    event.remove(Engine, "before_cursor_execute", _gone)
    assert stored.names("segment") == ["All"]
    assert capfd.readouterr().err == ""
    stored.end()


def _gone(*_anything: Any) -> None:
    raise OperationalError("SELECT", None, OSError("the server closed the connection"))
