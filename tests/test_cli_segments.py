from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import ci_magics as ci
from ci_magics.advice import Do, Reader, advise
from ci_magics.cli import main
from ci_magics.operations.declarations import NOUNS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ci_magics.workspace.store import Workspace

NAME = "Big $penders"


@pytest.fixture(autouse=True)
def people(workspace: Workspace, tmp_path: Path) -> Path:
    """Return a file of forty people, with a segment of all of them."""
    assert workspace
    path = tmp_path / "people.csv"
    written(path, 40)
    ci.segment(NAME, str(path), where="Spend >= 0")
    return path


def written(path: Path, count: int) -> None:
    emails = [f"p{number}@contoso.com" for number in range(count)]
    pd.DataFrame({"Id": range(count), "EMail": emails, "Spend": 5}).to_csv(path, index=False)


def said(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> Any:
    """Return what a command prints with --json, after checking its exit status."""
    assert main(["segments", *arguments, "--json"]) == status
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(("left", "allowance"), [(0, "--allow-empty"), (3, "--allow-shrink")])
def test_command_in_the_error_of_a_stopped_refresh_works(
    people: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str], left: int, allowance: str
) -> None:
    written(people, left)
    assert main(["refresh"]) == 1
    told = capsys.readouterr().out
    assert "%ci_segment" not in told
    command = f"ci-magics segments refresh '{NAME}' {allowance}"
    assert command in " ".join(told.split())
    assert workspace.segments[NAME].rows == 40
    assert main(["refresh", "--json"]) == 1
    assert command in json.loads(capsys.readouterr().out)["segments"][0]["reason"]
    assert main(["refresh", allowance]) == 2
    assert main(["refresh", allowance, "Nobody"]) == 1
    assert "There is no segment 'Nobody'" in capsys.readouterr().err
    other = "--allow-shrink" if allowance == "--allow-empty" else "--allow-empty"
    assert main(["refresh", other, NAME]) == 1
    assert workspace.segments[NAME].rows == 40
    assert main(["refresh", allowance, NAME]) == 0
    assert workspace.segments[NAME].rows == left
    written(people, 40)
    assert main(["refresh"]) == 0
    written(people, left)
    assert main(["segments", "refresh", NAME, allowance]) == 0
    assert workspace.segments[NAME].rows == left
    assert main(["refresh"]) == 0


def test_refresh_reads_with_the_named_encoding(
    people: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "Id,EMail,Spend,Name\n" + "".join(f"{number},p{number}@contoso.com,5,\xe9\n" for number in range(40))
    people.write_bytes(text.encode("cp1250") + b"41,p41@contoso.com,5,\x81\n")
    assert main(["refresh"]) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert f"ci-magics segments refresh '{NAME}' --encoding" in told
    assert main(["segments", "refresh", NAME, "--encoding", "latin-1"]) == 0
    assert workspace.segments[NAME].rows == 41
    assert workspace.segments[NAME].definition["source"]["encoding"] == "latin-1"
    assert main(["refresh"]) == 0


def test_refresh_reads_consents_from_the_named_column(
    people: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.read_csv(people).assign(Club=["in", "out"] * 20)
    frame.to_csv(people, index=False)
    assert main(["segments", "refresh", NAME, "--consent", "Club", "--consent-yes", "in", "--json"]) == 0
    assert "20" in capsys.readouterr().out
    kept = workspace.segments[NAME].definition["source"]
    assert (kept["consent"], kept["consent_yes"]) == (["Club"], ["in"])


def test_change_is_undone_and_redone(people: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "undo", NAME, status=1)["code"] == "no_version"
    written(people, 30)
    assert said(capsys, "refresh", NAME)[0]["profiles"] == 30
    assert [each["state"] for each in said(capsys, "versions", NAME)] == ["current", "refreshed"]
    assert main(["segments", "undo", NAME]) == 0
    assert f"Go back: ci-magics segments redo '{NAME}'" in capsys.readouterr().err
    assert workspace.segments[NAME].rows == 40
    assert said(capsys, "redo", NAME)[0]["profiles"] == 30
    assert main(["segments", "delete", NAME]) == 0
    assert f"ci-magics segments undo '{NAME}'" in capsys.readouterr().out
    assert said(capsys) == []
    assert said(capsys, "undo", NAME)[0]["profiles"] == 30


def test_segments_are_listed_and_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [each["name"] for each in said(capsys)] == [NAME]
    assert main(["segments"]) == 0
    assert NAME in capsys.readouterr().out
    assert said(capsys, "rename", NAME, "All")[0]["name"] == "All"
    assert [each["name"] for each in said(capsys, "duplicate", "All", "Copy")] == ["Copy"]
    assert said(capsys, "tag", "Copy", "old", "test")[0]["tags"] == ["old", "test"]
    assert said(capsys, "deactivate", "Copy")[0]["state"] == "inactive"
    assert said(capsys, "usage", "All")["exports"] == []
    assert said(capsys, "history", "All")
    assert said(capsys, "download", "All", str(tmp_path / "keys.csv"))["file"] == str(tmp_path / "keys.csv")
    assert main(["segments", "--help"]) == 0
    assert "ci-magics segments [VERB]" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ("undo",),
        ("undo", "X", "redo"),
        ("undo", "X", "--nonsense"),
        ("undo", "X", "--allow-empty"),
        ("X",),
        ("--undo",),
    ],
)
def test_invalid_arguments_exit_with_status_2(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, *arguments, status=2)["code"]


def test_viewer_can_look_but_not_undo(as_user: Callable[[str], None], capsys: pytest.CaptureFixture[str]) -> None:
    as_user("ann")
    assert said(capsys)
    for verb in ("undo", "redo", "refresh", "delete"):
        assert said(capsys, verb, NAME, status=1)["code"] == "role_too_low"


@pytest.mark.matrix
@pytest.mark.parametrize("verb", NOUNS["segments"].verbs())
@pytest.mark.parametrize(
    ("name", "shell"), [("All", "All"), ("Big spenders", "'Big spenders'"), ('"x" y', "'\"x\" y'")]
)
def test_every_verb_has_its_command_line_name(verb: str, name: str, shell: str) -> None:
    advice = advise("Go back: ", Do(f"segments.{verb.replace('-', '_')}", name), ".")
    assert advice.text(Reader.TERMINAL) == f"Go back: ci-magics segments {verb} {shell}."
