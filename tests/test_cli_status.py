from __future__ import annotations

import json

import pytest
from contoso import connect, export, segment

from ci_magics.cli import main

pytestmark = pytest.mark.usefixtures("emulator", "workspace")


def test_status_shows_audiences_and_runs(capsys: pytest.CaptureFixture[str]) -> None:
    connect()
    run = export(segment(400, name="One"), segment(300, name="Two"))
    capsys.readouterr()
    assert main(["status"]) == 0
    said = capsys.readouterr().out
    assert "audience 'One': 400 sent" in said
    assert f"run {run.id[:8]} of " in said
    assert main(["status", "Two"]) == 0
    assert "'One'" not in capsys.readouterr().out


def test_status_as_json_has_the_same_content(capsys: pytest.CaptureFixture[str]) -> None:
    connect()
    run = export(segment(400))
    capsys.readouterr()
    assert main(["status", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [(each["audience"], each["members"]) for each in document["audiences"]] == [("All", 400)]
    assert [(each["name"], each["status"]) for each in document["runs"]] == [(run.id[:8], "Completed")]


def test_unknown_name_suggests_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    connect()
    export(segment(400, name="Big spenders"))
    capsys.readouterr()
    assert main(["status", "Big spender"]) == 1
    assert "Did you mean 'Big spenders'?" in capsys.readouterr().err


def test_empty_workspace_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == 0
    assert "No audience was filled from here yet." in capsys.readouterr().out
