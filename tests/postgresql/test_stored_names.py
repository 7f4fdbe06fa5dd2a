"""Tab completion with a workspace on a server: names as last seen, without a query."""

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
def querying_threads() -> Iterator[list[str]]:
    """Record the threads that open a connection or run a statement in any database."""
    threads: list[str] = []

    def note(*_anything: Any) -> None:
        threads.append(threading.current_thread().name)

    for moment in ("engine_connect", "before_cursor_execute"):
        event.listen(Engine, moment, note)
    yield threads
    for moment in ("engine_connect", "before_cursor_execute"):
        event.remove(Engine, moment, note)


def test_names_are_completed_as_last_seen_without_a_query(workspace: Workspace, querying_threads: list[str]) -> None:
    contoso.segment(3)
    stored = StoredNames()
    querying_threads.clear()
    assert stored.names("segment") == ()
    assert querying_threads == []
    stored.look_again()
    stored.wait()
    assert set(querying_threads) == {"ci-magics names"}
    contoso.segment(3, name="Later")
    assert workspace.segments.names() == ["All", "Later"]
    querying_threads.clear()
    assert stored.names("segment") == ["All"]
    assert stored.columns("All") == ["EMail", "Id"]
    assert querying_threads == []
    stored.look_again()
    stored.wait()
    assert stored.names("segment") == ["All", "Later"]
    stored.end()


def test_names_are_not_offered_to_another_user(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    contoso.segment(3)
    stored = StoredNames()
    stored.look_again()
    stored.wait()
    assert stored.names("user") == [workspace.user]
    monkeypatch.setenv("JUPYTERHUB_USER", "ann")
    assert stored.names("segment") == ()
    stored.end()


@pytest.mark.usefixtures("workspace")
def test_names_are_offered_after_the_server_is_gone(capfd: pytest.CaptureFixture[str]) -> None:
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
