"""The doctor: one line and one remedy for each problem."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from contoso import connect

import ci_magics as ci
from ci_magics.activation import examination as examining
from ci_magics.activation.connections.sign_in import forget_sign_in, note_sign_in
from ci_magics.activation.examination import BAD, GOOD, LOOK, Examination, Finding
from ci_magics.cli import main
from ci_magics.notebook.front_end import FrontEnd, examined, front_end

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace


def found(examination: Examination, check: str) -> Finding:
    return next(each for each in examination.findings if each.check.startswith(check))


def test_good_environment_is_healthy(emulator: RunningEmulator, workspace: Workspace) -> None:
    assert emulator.audiences() == {}
    connect()
    examination = ci.doctor()
    assert examination.healthy
    assert found(examination, "services of emulator").found == "1 of 1 answer."
    for check in ("versions", "workspace", "sign-in to 'Contoso EU'", "terms of 'Contoso EU'", "clock"):
        assert found(examination, check).state == GOOD, check
    assert len(workspace.connections) == 1


def test_every_finding_is_one_line_and_every_problem_has_a_remedy(
    emulator: RunningEmulator, workspace: Workspace
) -> None:
    assert emulator.audiences() == {}
    assert len(workspace.connections) == 0
    examination = ci.doctor(front_end=examined(FrontEnd("a terminal", widgets=False, asks=False)))
    assert {each.state for each in examination.findings} >= {GOOD, LOOK}
    for each in examination.findings:
        assert "\n" not in each.found + each.remedy
        assert bool(each.remedy) == (each.state != GOOD), each


def test_html_shows_symbols_and_text_stays_ascii() -> None:
    examination = Examination((Finding("a", GOOD, "Fine."), Finding("b", LOOK, "So.", "Do."), Finding("c", BAD, "No.")))
    assert repr(examination).splitlines() == ["ok a: Fine.", "! b: So. Do.", "x c: No."]
    page = examination._repr_html_()
    assert [sign for sign in ("\u2713 a", "! b", "\u2717 c") if f">{sign}</td>" in page] == [
        "\u2713 a",
        "! b",
        "\u2717 c",
    ]
    assert examination.to_frame()["state"].tolist() == [GOOD, LOOK, BAD]


def test_missing_consent_is_reported_with_its_remedy(emulator: RunningEmulator, workspace: Workspace) -> None:
    assert emulator.audiences() == {}
    connect(accept_terms=False)
    terms = found(ci.doctor(workspace=workspace), "terms")
    assert (terms.state, terms.remedy) == (LOOK, 'ci.connect("Contoso EU", accept_terms=True)')


def test_missing_sign_in_is_reported(
    emulator: RunningEmulator, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert emulator.audiences() == {}
    connection = connect()
    forget_sign_in(workspace, connection.id)
    workspace.connections.put(replace(connection, environment="production"))
    monkeypatch.setattr("ci_magics.activation.examination.ask_services", lambda _endpoints: [])
    assert found(ci.doctor(workspace=workspace), "sign-in").remedy == 'ci.connections.sign_in("Contoso EU") signs in.'
    note_sign_in(workspace, connection.id, "an account")
    signed_in = found(ci.doctor(workspace=workspace), "sign-in")
    assert (signed_in.state, signed_in.found.split(";")[0]) == (GOOD, "Signed in")
    monkeypatch.setenv("CI_MAGICS_REFRESH_TOKEN", "0.AX-token")
    said = repr(ci.doctor(workspace=workspace))
    assert "CI_MAGICS_REFRESH_TOKEN" in said
    assert "AX-token" not in said


@pytest.mark.usefixtures("workspace")
def test_missing_library_is_a_problem_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examining, "_LIBRARIES", ("pyarrow", "no_such_library"))
    versions = found(ci.doctor(), "versions")
    assert (versions.state, versions.found) == (BAD, "no_such_library not installed.")
    assert versions.remedy == "pip install --upgrade ci-magics"


def test_unreachable_service_is_named(
    emulator: RunningEmulator, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect()
    assert emulator.audiences() == {}
    monkeypatch.setenv("CI_MAGICS_EMULATOR", "http://127.0.0.1:9")
    services = found(ci.doctor(workspace=workspace), "services")
    assert (services.state, services.found) == (BAD, "127.0.0.1:9 cannot be reached: the connection was refused.")
    assert not ci.doctor(workspace=workspace).healthy


def test_unusable_workspace_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_MAGICS_WORKSPACE", "nonsense://there")
    workspace = found(ci.doctor(), "workspace")
    assert workspace.state == BAD
    assert "CI_MAGICS_WORKSPACE" in workspace.remedy


def test_folder_readable_by_others_is_reported(workspace: Workspace) -> None:
    Path(workspace.folder).chmod(0o755)
    assert found(ci.doctor(workspace=workspace), "workspace").state == LOOK


def test_command_shows_the_same(
    emulator: RunningEmulator, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    connect()
    assert (emulator.audiences(), len(workspace.connections)) == ({}, 1)
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out.startswith("ok versions: ci-magics ")
    assert main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == ci.doctor().to_dict()


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("COLAB_RELEASE_TAG", "Google Colab"),
        ("DATABRICKS_RUNTIME_VERSION", "Databricks"),
        ("TRIDENT_RUNTIME_VERSION", "Microsoft Fabric"),
        ("VSCODE_PID", "VS Code"),
    ],
)
def test_front_end_is_recognized(variable: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ci_magics.notebook.front_end.in_kernel", lambda: True)
    assert front_end({variable: "1"}).name == name
    assert front_end({variable: "1"}).widgets


def test_ipython_without_a_kernel_is_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ci_magics.notebook.front_end.in_kernel", lambda: False)
    assert front_end({}) == FrontEnd("a terminal", widgets=False, asks=False)
    assert "no forms here" in examined(front_end({}))[0].found
