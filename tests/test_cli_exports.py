from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import contoso
import pytest

import ci_magics as ci
from ci_magics.cli import main

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace


@pytest.fixture(autouse=True)
def saved(emulator: RunningEmulator, workspace: Workspace) -> None:
    assert emulator
    assert workspace
    contoso.connect()
    contoso.segment(5)
    ci.exports.save("Every week", "All", to=contoso.NAME)


def said(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> Any:
    """Return what a command prints with --json, after checking its exit status."""
    assert main(["exports", *arguments, "--json"]) == status
    return json.loads(capsys.readouterr().out)


def test_list_and_details_of_exports_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    [line] = said(capsys)
    assert (line["name"], line["status"], line["permissions"]) == ("Every week", "Not run yet", "edit")
    assert line["next_run"] is None
    shown = said(capsys, "show", "Every week")
    assert shown["code"] == "ci-magics exports save 'Every week' All --to 'Contoso EU'"
    assert main(["exports"]) == 0
    assert "Every week" in capsys.readouterr().out


def test_run_exits_with_its_status(capsys: pytest.CaptureFixture[str], emulator: RunningEmulator) -> None:
    [result] = said(capsys, "run", "Every week")
    assert (result["audience"], result["accepted"]) == ("All", 5)
    contoso.segment(1)
    refused = said(capsys, "run", "Every week", status=1)
    assert refused["code"] == "shrinks"
    [line] = said(capsys, "run-all", status=1)
    assert line["status"] == "Skipped"
    contoso.segment(8)
    emulator.control("POST", "/faults", [{"operation": "ApplyCustomerListUserData", "call": 1, "fault": "partial"}])
    assert said(capsys, "run-all", status=3)[0]["status"] == "Completed with errors"


def test_every_other_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert [each["name"] for each in said(capsys, "duplicate", "Every week", "Copy")] == ["Copy"]
    assert said(capsys, "edit", "Copy", "--mode", "add", "--membership-days", "-1")["code"].endswith("--mode add "
        "--membership-days -1")  # fmt: skip
    [line] = said(capsys, "schedule", "Copy", "--at", "06:00", "--time-zone", "UTC")
    assert line["schedule"] == "daily at 06:00 (UTC)"
    assert said(capsys, "system-schedule", "--at", "05:00", "--time-zone", "UTC")["active"] is True
    assert said(capsys, "detach", "Copy")[0]["status"] == "No connection"
    assert len(said(capsys, "remove", "Copy")) == 1
    assert said(capsys, "history", "--status", "Failed") == []


@pytest.mark.parametrize(
    "arguments", [["rnu"], ["run"], ["run", "Every week", "--nonsense"], ["schedule", "Every week", "--at", "x"]]
)
def test_invalid_arguments_exit_with_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["exports", *arguments]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err
    assert "code" in said(capsys, *arguments, status=2)


def test_unknown_name_exits_with_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "run", "Every wek", status=1)["code"] == "not_found"


def test_help_equals_that_of_the_magic(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["exports", "--help"]) == 0
    assert "ci-magics exports run" in capsys.readouterr().out
