from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from IPython.core.completer import provisionalcompleter
from magic_lines import magic

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from tests.notebook.conftest import Notebook

CONNECT = '%ci_connect "Contoso EU" --customer-id 222 --account-id 111 --agree --accept-terms'


@pytest.fixture
def saved(notebook: Notebook, emulator: RunningEmulator) -> Notebook:
    """Return a notebook with a saved export."""
    assert emulator
    notebook.run(CONNECT)
    notebook.run('%ci_segment "Big spenders" customers')
    notebook.run('%ci_export "Big spenders" --to "Contoso EU" --save "Every week"')
    return notebook


def test_save_returns_the_export_and_sends_nothing(saved: Notebook, emulator: RunningEmulator) -> None:
    export = saved.run('%ci_export "Big spenders" --to "Contoso EU" --save "Every week"')
    assert repr(export) == "Export 'Every week': 'Big spenders' to Contoso EU"
    assert emulator.audiences() == {}
    run = saved.run('%ci_export "Big spenders" --to "Contoso EU" --save "Every week" --run')
    assert run.accepted == 3
    assert saved.fail('%ci_export "Big spenders" --to "Contoso EU" --save "Other" --dry-run').code == "save_dry_run"


def test_every_verb_of_exports(saved: Notebook) -> None:
    assert saved.run("%ci_exports --list").names() == ["Every week"]
    assert saved.run('%ci_exports run "Every week"').accepted == 3
    assert saved.run('%ci_exports "Every week"').line.status == "Completed"
    assert len(saved.run('%ci_exports history "Every week" --status Failed')) == 0
    [line] = saved.run("%ci_exports history --last 1 --since 2026-01-01")
    assert saved.run(f"%ci_exports run-details {line.run}").accepted == 3
    assert saved.run('%ci_exports duplicate "Every week" Copy').names() == ["Copy"]
    edited = saved.run("%ci_exports edit Copy --mode add --rename Added --allow-empty")
    assert "--mode add --allow-empty" in edited.code
    assert "--allow-empty" not in saved.run("%ci_exports edit Added --without allow-empty").code
    schedule = 'schedule "Every week" Added --weekly Monday --at 06:00 --at 18:30 --time-zone Europe/Amsterdam'
    lines = saved.run(f"%ci_exports {schedule}")
    assert {each.schedule for each in lines} == {"weekly on Monday at 06:00 and 18:30 (Europe/Amsterdam)"}
    assert saved.fail("%ci_exports schedule 'Every week' Added --at 07:00").code == "keep_or_replace"
    saved.run("%ci_exports schedule 'Every week' Added --at 07:00 --time-zone UTC --no-keep")
    saved.run("%ci_exports schedule Added --no-active")
    assert [each.export for each in saved.run("%ci_exports run-all")] == ["Every week"]
    [line] = saved.run("%ci_exports schedule Added --follow-system --active")
    assert line.schedule == "with the system refresh (off)"
    assert saved.run("%ci_exports detach Added").exports[0].status == "No connection"
    assert saved.run("%ci_exports remove Added --keep-ledger").names() == ["Every week"]


def test_refresh_of_the_workspace_is_shown_and_scheduled(saved: Notebook) -> None:
    assert repr(saved.run("%ci_exports system-schedule")) == "System refresh: off"
    chosen = saved.run("%ci_exports system-schedule --at 05:00 --time-zone UTC")
    assert repr(chosen) == "System refresh: daily at 05:00 (UTC)"
    assert repr(saved.run("%ci_exports system-schedule --no-active")) == "System refresh: off (daily at 05:00 (UTC))"


def test_one_failed_export_stops_the_notebook(saved: Notebook, capsys: pytest.CaptureFixture[str]) -> None:
    saved.run("empty = customers[:0]")
    saved.run("%ci_segment Nobody empty")
    saved.run('%ci_export Nobody --to "Contoso EU" --save Empty')
    error = saved.fail("%ci_exports run-all")
    assert error.sentence == "Not completed: 'Empty'."
    said = capsys.readouterr().out
    assert "Completed" in said
    assert "Skipped: The segment 'Nobody' has no profiles" in said


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("%ci_exports rnu 'Every week'", "Did you mean 'run'?"),
        ("%ci_exports 'Every wek'", "Did you mean 'Every week'?"),
        ("%ci_exports run", "run needs NAME: saved export"),
        ("%ci_exports run-all 'Every week'", "%ci_exports run-all does not expect 'Every week' here"),
        ("%ci_exports duplicate 'Every week'", "duplicate needs NEW: new name"),
        ("%ci_exports edit 'Every week' Another", "%ci_exports edit does not expect 'Another' here"),
        ("%ci_exports run 'Every week' --at 06:00", "%ci_exports run has no option --at"),
        ("%ci_exports schedule 'Every week' --active --no-active", "--active and --no-active cannot be combined"),
        ("%ci_exports schedule 'Every week' --at 25:00", "is not a time of the day"),
        ("%ci_exports history --since yesterday", "is not a day"),
        ("%ci_exports schedule 'Every week' --weekly Mondy --at 06:00", "Did you mean 'Monday'?"),
    ],
)
def test_invalid_line_suggests_the_nearest(saved: Notebook, line: str, says: str) -> None:
    assert says in str(saved.fail(line))


def test_names_and_verbs_are_completed(saved: Notebook) -> None:
    assert {"run", "run-all", "schedule"} <= set(offered(saved, "%ci_exports "))
    assert '"Every week"' in offered(saved, "%ci_exports run ")


def offered(notebook: Notebook, cell: str) -> list[str]:
    with provisionalcompleter():
        return [each.text for each in notebook.shell.Completer.completions(cell, len(cell))]


def test_help_lists_every_verb() -> None:
    for verb in ("run", "run-all", "show", "duplicate", "edit", "detach", "remove", "schedule"):
        assert f"\n  {verb} " in magic("%ci_exports").command.help()
