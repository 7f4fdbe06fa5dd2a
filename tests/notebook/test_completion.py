"""Tab completion in the line of a magic."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pytest
from contoso import connect
from IPython.core.completer import Completion, provisionalcompleter

import ci_magics as ci
from ci_magics.grammar.command import Flag
from ci_magics.notebook.candidates import KINDS
from ci_magics.notebook.registry import MAGICS
from ci_magics.workspace.roles import give_role

if TYPE_CHECKING:
    from conftest import Notebook, RunningEmulator

    from ci_magics.workspace.store import Workspace

CURSOR = "|"
BARE = {"text", "new name", "secret", "json"}


def offered(notebook: Notebook, cell: str) -> list[str]:
    """Return the cells after each completion at the cursor, which is at the end unless marked."""
    before, _, after = cell.partition(CURSOR)
    found = completions(notebook, before + after, len(before))
    return [(before + after)[: each.start] + each.text + (before + after)[each.end :] for each in found]


def words(notebook: Notebook, cell: str) -> list[str]:
    before, _, after = cell.partition(CURSOR)
    return [each.text for each in completions(notebook, before + after, len(before))]


def completions(notebook: Notebook, cell: str, place: int) -> list[Completion]:
    with provisionalcompleter():
        return list(notebook.shell.Completer.completions(cell, place))


@pytest.fixture
def filled(notebook: Notebook) -> Notebook:
    """Return a notebook with two segments, and variables and frames of each kind."""
    notebook.run("big = %ci_segment 'Big spenders' customers --where 'TotalSpend > 250'")
    notebook.run("%ci_segment lapsed customers --quiet")
    notebook.variables["people"] = pl.DataFrame({"EMail": ["jan@contoso.com"], "First name": ["Jan"]})
    notebook.variables["number"] = 5
    return notebook


@pytest.mark.parametrize("magic", MAGICS, ids=lambda magic: magic.command.name)
def test_every_option_of_a_magic_is_completed_once(notebook: Notebook, magic: Any) -> None:
    names = [option.name for option in magic.command.options]
    assert words(notebook, f"{magic.command.name} -") == [*names, "--help"]
    given = next(option for option in magic.command.options if option.value is None and not option.repeatable)
    assert given.name not in words(notebook, f"{magic.command.name} {given.name} -")


@pytest.mark.parametrize("magic", MAGICS, ids=lambda magic: magic.command.name)
def test_every_choice_of_an_option_is_completed(notebook: Notebook, magic: Any) -> None:
    for option in magic.command.options:
        if option.choices:
            assert words(notebook, f"{magic.command.name} {option.name} ") == list(option.choices)
            assert words(notebook, f"{magic.command.name} {option.name}={option.choices[-1][:2]}") == [
                each for each in option.choices if each.startswith(option.choices[-1][:2])
            ]


@pytest.mark.parametrize("magic", MAGICS, ids=lambda magic: magic.command.name)
def test_every_kind_of_word_has_completions(magic: Any) -> None:
    commands = [magic.command, *magic.verbs().values()]
    kinds = {each.kind for command in commands for each in (*command.options, *command.positionals)}
    assert kinds <= set(KINDS) | BARE


@pytest.mark.parametrize(
    "form", ["%ci_preview ", "x = %ci_preview ", "if True:\n    found = %ci_preview ", "  %ci_preview "]
)
def test_names_are_completed_in_every_form_of_a_magic(filled: Notebook, form: str) -> None:
    assert words(filled, form)[:3] == ['"Big spenders"', "lapsed", "big"]
    assert words(filled, f"{form}Big") == ['"Big spenders"', "big"]


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("cell", "becomes"),
    [
        ('%ci_preview "Big', '%ci_preview "Big spenders"'),
        ("%ci_preview 'Big sp", "%ci_preview 'Big spenders'"),
        ('%ci_preview "Big sp|"', '%ci_preview "Big spenders"'),
        ("%ci_preview spend", '%ci_preview "Big spenders"'),
        ("%ci_preview lapsed Big|", '%ci_preview lapsed "Big spenders"'),
        ("%ci_export lapsed --exclude=Big|", '%ci_export lapsed --exclude="Big spenders"'),
        ('%ci_export lapsed --exclude="Big|', '%ci_export lapsed --exclude="Big spenders"'),
        ("%ci_export lapsed --dry|", "%ci_export lapsed --dry-run"),
        ("%ci_export \\\n   --mode mir", "%ci_export \\\n   --mode mirror"),
        ("%ci_export lap| --dry-run", "%ci_export lapsed --dry-run"),
        ("%ci_segment New peop", "%ci_segment New people"),
        ("%ci_segment New people --email EM", "%ci_segment New people --email EMail"),
        ("%ci_segment New people --email=EM", "%ci_segment New people --email=EMail"),
        ("%ci_segment New people --key Fi", '%ci_segment New people --key "First name"'),
        ('%ci_segment A customers --where "Id > 5 AND Tot', '%ci_segment A customers --where "Id > 5 AND TotalSpend'),
        ("%ci_segment New customers --rule \"not 'Big|", "%ci_segment New customers --rule \"not 'Big spenders'"),
        ("%ci_segment New customers --rule \"Tot|", "%ci_segment New customers --rule \"TotalSpend"),
        ("%%ci_segment A --key Tot|\nFROM customers", "%%ci_segment A --key TotalSpend\nFROM customers"),
        ("%ci_preview $num", "%ci_preview $number"),
        ("%ci_export 'Big spenders' --email E", "%ci_export 'Big spenders' --email EMail"),
    ],
)  # fmt: skip
def test_word_is_completed_with_the_necessary_quotes(filled: Notebook, cell: str, becomes: str) -> None:
    assert becomes in offered(filled, cell)
    assert len(offered(filled, cell)) <= 2


def test_completed_line_is_understood(filled: Notebook) -> None:
    (cell,) = offered(filled, "%ci_preview spend")
    assert filled.run(cell).segments[0].name == "Big spenders"


@pytest.mark.parametrize("name", ["It's", 'a "b" c', "Zwölf", "-x", "a=b", "{x}", "$y"])
def test_completed_name_is_read_back(notebook: Notebook, name: str) -> None:
    ci.segment(name, notebook.variables["customers"])
    for begun in ("%ci_preview ", '%ci_preview "', "%ci_preview '"):
        cells = [cell for cell in offered(notebook, begun) if "--" not in cell]
        assert [each.name for each in notebook.run(cells[0]).segments] == [name]


def test_columns_that_need_a_query_are_not_completed(notebook: Notebook) -> None:
    notebook.variables["far"] = pl.scan_csv("there-is-no-such-file.csv")
    assert "far" in words(notebook, "%ci_segment A ")
    assert not [each for each in words(notebook, "%ci_segment A far --email ") if each.startswith("EM")]


def test_column_without_a_name_is_left_out(notebook: Notebook) -> None:
    notebook.variables["odd"] = pd.DataFrame({5: [1], "EMail": ["jan@contoso.com"]})
    assert words(notebook, "%ci_segment A odd --key ") == ["EMail"]


def test_files_are_completed(notebook: Notebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "keys of mine").mkdir()
    (tmp_path / "keys.csv").touch()
    (tmp_path / "keys of mine" / "one.csv").touch()
    assert words(notebook, "%ci_segments download A key") == ['"keys of mine/"', "keys.csv"]
    assert words(notebook, '%ci_segments download A "keys of mine/o') == ['"keys of mine/one.csv"']


def test_connections_audiences_and_interrupted_runs_are_completed(filled: Notebook, emulator: RunningEmulator) -> None:
    assert emulator.audiences() == {}
    connect()
    filled.run("%ci_export 'Big spenders' --to 'Contoso EU' --quiet")
    assert words(filled, "%ci_export lapsed --to ") == ['"Contoso EU"']
    assert words(filled, "%ci_export lapsed --audience B") == ['"Big spenders"']
    assert words(filled, "%ci_export --resume ") == []
    assert words(filled, "%ci_audiences ")[:4] == ["rename", "empty", "delete", '"Contoso EU"']
    assert words(filled, "%ci_audiences em") == ["empty"]
    assert words(filled, "%ci_audiences empty ")[0] == '"Contoso EU"'
    assert words(filled, '%ci_audiences empty "Contoso EU" B') == ['"Big spenders"']


def test_roles_and_users_are_completed_for_sharing(filled: Notebook, workspace: Workspace) -> None:
    give_role(workspace, "ann", "contributor")
    assert words(filled, "%ci_connect A --share con") == ["contributor"]
    assert words(filled, "%ci_connect A --share an") == ["ann"]


def test_unknown_values_have_no_completions(filled: Notebook) -> None:
    for cell in ("%ci_connect A --tenant ", "%ci_export --resume ", "%ci_segments rename lapsed num"):
        assert words(filled, cell) == []


def test_expression_is_completed_as_python(filled: Notebook) -> None:
    assert "number" in " ".join(words(filled, "%ci_preview {num"))


def test_other_code_is_completed_as_before(filled: Notebook) -> None:
    for cell in ("numb", "%ci_pre", "# %ci_preview Big", "print('%ci_preview Big", "%time numb", "%ci_nothing Big"):
        assert '"Big spenders"' not in words(filled, cell), cell
    assert "number" in words(filled, "numb")
    assert words(filled, "%ci_pre") == ["%ci_preview"]


def test_completion_sends_no_request(filled: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_named: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for magic in MAGICS:
        for part in (*magic.command.options, *magic.command.positionals):
            option = f"{part.name} " if isinstance(part, Flag) and part.value else ""
            words(filled, f"{magic.command.name} {option}")


def test_unreadable_workspace_has_no_completions(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CI_MAGICS_WORKSPACE", "nonsense://there")
    assert all(word.startswith("--") for word in words(notebook, "%ci_preview "))
    assert capfd.readouterr().err == ""
