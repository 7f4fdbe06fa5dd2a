from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import contoso
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from ci_magics.errors import AccessError
from ci_magics.workspace.access import Verb
from ci_magics.workspace.store import Workspace


def test_audit_entry_records_user_verb_subject_and_time(workspace: Workspace) -> None:
    before = datetime.now(UTC)
    workspace.audit.note(Verb.MAKE_SEGMENT, "Big spenders", profiles=3)
    (entry,) = workspace.audit
    assert (entry.user, entry.verb, entry.subject) == (workspace.user, "make_segment", "Big spenders")
    assert entry.facts == {"profiles": 3}
    assert before <= entry.at <= datetime.now(UTC)
    assert list(workspace.audit.to_frame()["verb"]) == ["make_segment"]
    assert workspace.audit.since(datetime.now(UTC) + timedelta(hours=1)) == []


@pytest.mark.parametrize("personal", ["jane@contoso.com", contoso.hash_of("jane@contoso.com")])
def test_audit_log_never_contains_addresses_or_hashes(workspace: Workspace, personal: str) -> None:
    workspace.audit.note(Verb.MAKE_SEGMENT, f"of {personal}", name=personal, names=[personal, "plain"])
    (entry,) = workspace.audit
    assert personal not in repr(entry)
    assert "plain" in repr(entry)


@pytest.mark.parametrize("change", ["UPDATE audit_entries SET subject = 'x'", "DELETE FROM audit_entries"])
def test_database_refuses_changes_to_the_audit_log(workspace: Workspace, change: str) -> None:
    workspace.audit.note(Verb.SUPPRESS, "Opted out")
    with workspace._engine.connect() as database, pytest.raises(DBAPIError, match="only ever added to"):  # noqa: SLF001 - past all that guards it
        database.execute(text(change))
    assert len(workspace.audit) == 1


def test_only_administrators_can_read_the_audit_log(workspace: Workspace, as_user: Callable[..., Workspace]) -> None:
    workspace.audit.note(Verb.SUPPRESS, "Opted out")
    with pytest.raises(AccessError, match="only administrators may read the audit log"):
        as_user("ann", "contributor").audit.to_frame()


def test_export_and_its_preparation_are_audited(workspace: Workspace, emulator: Any) -> None:
    contoso.connect()
    run = contoso.export(contoso.segment(3), allow_shrink=True)
    done = {each.verb: each for each in workspace.audit}
    assert set(done) == {"create_connection", "give_consent", "make_segment", "run_export"}
    assert done["run_export"].facts["run"] == run.id
    assert done["run_export"].facts["adds"] == 3
    assert done["run_export"].facts["overridden"] == ["allow_shrink"]
    del emulator
