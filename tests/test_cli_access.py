"""``ci-magics roles`` and ``ci-magics audit``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable

import pytest

from ci_magics.cli import main
from ci_magics.workspace.access import Verb, role_of
from ci_magics.workspace.store import Workspace


def said(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    assert main([*arguments]) == status
    return capsys.readouterr().out


def test_administrator_gives_and_revokes_roles(
    workspace: Workspace, as_user: Callable[..., Workspace], capsys: pytest.CaptureFixture[str]
) -> None:
    listed = json.loads(said(capsys, "roles", "give", "ann", "contributor", "--json"))
    assert {each["user"]: each["role"] for each in listed} == {"ann": "contributor", workspace.user: "administrator"}
    assert role_of(workspace, "ann") == "contributor"
    assert "ann" not in said(capsys, "roles", "take", "ann")
    assert role_of(workspace, "ann") == "viewer"
    as_user("ann")
    refused = json.loads(said(capsys, "roles", "give", "ann", "administrator", "--json", status=1))
    assert "only administrators may give a user a role" in refused["error"]
    assert refused["code"] == "role_too_low"


def test_last_administrator_cannot_be_removed(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["take", workspace.user], ["give", workspace.user, "viewer"]):
        assert main(["roles", *arguments]) == 1
        assert "is the only administrator" in capsys.readouterr().err
    main(["roles", "give", "ann", "administrator"])
    assert main(["roles", "give", workspace.user, "viewer"]) == 0


@pytest.mark.parametrize("arguments", [["give"], ["give", "ann"], ["give", "ann", "king"], ["--to", "ann"]])
@pytest.mark.usefixtures("workspace")
def test_incomplete_role_command_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["roles", *arguments]) == 2
    assert capsys.readouterr().err


def test_audit_log_is_printed_in_three_formats(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "audit") == "No entries yet.\n"
    workspace.audit.note(Verb.MAKE_SEGMENT, "Big, spenders", profiles=3)
    assert "make_segment 'Big, spenders' (profiles 3)" in said(capsys, "audit")
    (entry,) = json.loads(said(capsys, "audit", "--json"))
    assert (entry["verb"], entry["facts"]) == ("make_segment", {"profiles": 3})
    (row,) = csv.DictReader(io.StringIO(said(capsys, "audit", "--csv")))
    assert (row["subject"], json.loads(row["facts"])) == ("Big, spenders", {"profiles": 3})
    assert said(capsys, "audit", "--since", "2999-01-01") == "No entries yet.\n"


def test_invalid_day_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "--since", "yesterday"]) == 2
    assert "'yesterday' is not a day." in capsys.readouterr().err


def test_audit_log_is_for_administrators(as_user: Callable[..., Workspace], capsys: pytest.CaptureFixture[str]) -> None:
    as_user("ann", "contributor")
    assert main(["audit"]) == 1
    assert "only administrators may read the audit log" in capsys.readouterr().err
