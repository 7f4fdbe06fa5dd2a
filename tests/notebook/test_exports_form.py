from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from magic_lines import parsed

import ci_magics as ci
from ci_magics.activation.progress import Progress
from ci_magics.errors import ArgumentError, ExportStoppedError
from ci_magics.notebook.forms.export import ExportForm
from ci_magics.notebook.forms.exports import ExportsForm
from ci_magics.operations.exports import Exports
from ci_magics.sample import customers

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

EVERY = 0.05


@pytest.fixture
def form(emulator: RunningEmulator, workspace: Workspace) -> ExportsForm:
    assert emulator.audiences() == {}
    ci.connect("Contoso EU", customer_id="222", account_id="111", agree=True, accept_terms=True)
    ci.segment("Dutch", customers(500), where="Country = 'NL' AND MarketingConsent")
    ci.segment("Big", customers(500), where="TotalSpend > 100 AND MarketingConsent")
    ci.exports.save("Every week", "Dutch", to="Contoso EU")
    ci.exports.save("Each <b> month", "Big", to="Contoso EU")
    return ExportsForm(workspace, every=EVERY)


def rows(form: ExportsForm) -> list[str]:
    return [each for each in ("Each &lt;b&gt; month", "Every week") if each in form.view.table.value]


def test_empty_panel_says_how_to_start(workspace: Workspace) -> None:
    form = ExportsForm(workspace)
    assert "No export is saved yet" in form.sentence
    assert form.run_button.disabled
    with pytest.raises(ArgumentError, match=r"There is no saved export to choose yet\. Save one"):
        form.run_chosen()


def test_exports_are_searched_filtered_and_sorted(form: ExportsForm) -> None:
    assert len(rows(form)) == 2
    form.value = {"search": "dutch contoso"}
    assert rows(form) == ["Every week"]
    assert "1 of 2 exports is shown" in form.sentence
    form.value = {"search": "", "status": "Completed"}
    assert rows(form) == []
    form.value = {"status": "", "sort": "name", "descending": True}
    shown = form.view.table.value
    assert shown.index("Every week") < shown.index("Each &lt;b&gt; month")
    form.value = {"descending": False}
    shown = form.view.table.value
    assert shown.index("Every week") > shown.index("Each &lt;b&gt; month")


def test_selected_export_is_run_and_the_list_is_updated(form: ExportsForm, emulator: RunningEmulator) -> None:
    form.value = {"export": "Every week"}
    form.run_button.click()
    form.wait()
    assert "✓ Every week: Completed" in form.sentence
    assert "Completed" in form.view.table.value
    assert emulator.audiences()["Dutch"]["members"] > 0
    assert "Every week: Completed" in repr(form.receipts)
    assert form.code == ('%ci_exports run "Every week"', "ci.exports.run('Every week')")


def test_all_exports_are_run(form: ExportsForm, emulator: RunningEmulator) -> None:
    form.run_all_button.click()
    form.wait()
    assert "2 exports ran." in form.sentence
    assert set(emulator.audiences()) == {"Dutch", "Big"}


def test_run_of_another_process_is_followed_until_it_ends(form: ExportsForm, workspace: Workspace) -> None:
    going_on, look = threading.Event(), threading.Event()

    def hold(_progress: Progress) -> None:
        going_on.set()
        assert look.wait(20)

    other = threading.Thread(target=lambda: Exports(workspace).run("Every week", progress=hold))
    other.start()
    assert going_on.wait(20)
    form.refresh()
    assert "Running" in form.view.table.value
    look.set()
    form.wait()
    other.join()
    assert "Running" not in form.view.table.value
    assert "Completed" in form.view.table.value


def test_run_can_be_stopped(form: ExportsForm) -> None:
    form.value = {"export": "Every week"}
    report = form.progress.report

    def stop_at_once(progress: Progress) -> None:
        form.progress.stop()
        report(progress)

    form.progress.report = stop_at_once  # type: ignore[method-assign]  # the user clicks at once
    with pytest.raises(ExportStoppedError):
        form.run_chosen()
    form.wait()
    form.refresh()
    assert "Canceled" in form.view.table.value


@pytest.mark.parametrize("button", ["run_button", "run_all_button"])
def test_stop_button_ends_a_wait(form: ExportsForm, emulator: RunningEmulator, button: str) -> None:
    emulator.fault("ApplyCustomerListUserData", "117")
    form.value = {"export": "Every week"}
    waiting = threading.Event()
    say = form.say

    def listen(sentence: str, kind: str = "info") -> None:
        say(sentence, kind)
        if "Trying again in" in sentence:
            waiting.set()

    form.say = listen  # type: ignore[method-assign]  # a run tells of its waits by it
    getattr(form, button).click()
    assert waiting.wait(20), form.sentence
    form.progress.stop()
    form.wait()
    assert "Canceled" in form.view.table.value


def test_details_and_history_are_shown(form: ExportsForm) -> None:
    form.value = {"export": "Every week"}
    form.run_chosen()
    form.details_button.click()
    assert "%ci_exports save" in form.details.value
    assert "Every week: 1 run." in form.sentence
    form.value = {"export": "Each <b> month"}
    assert form.details.value == ""
    form.wait()


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"at": "06:30, 18:00", "weekly": ["Monday"], "time_zone": "Europe/Amsterdam"}, "Monday"),
        ({"when": "off"}, "off"),
        ({"when": "system"}, "with the system refresh"),
    ],
)
def test_schedule_is_set_by_form_and_code(form: ExportsForm, choices: dict[str, object], words: str) -> None:
    form.value = {"export": "Every week", **choices}
    form.set_schedule()
    said = form.sentence
    assert words in said
    schedule = next(iter(ci.exports.overview("Every week"))).schedule
    arguments = parsed(form.code.magic)
    assert [word.text for word in arguments.words] == ["Every week"]
    ci.exports.schedule("Every week", follow_system=True, active=words == "off")
    eval(form.code.python, {"ci": ci})  # noqa: S307 - the code that the form gives
    assert next(iter(ci.exports.overview("Every week"))).schedule == schedule


def test_invalid_schedule_is_explained(form: ExportsForm) -> None:
    form.value = {"export": "Every week", "at": "soon"}
    with pytest.raises(ArgumentError):
        form.set_schedule()


def test_exports_are_copied_detached_and_removed(form: ExportsForm, workspace: Workspace) -> None:
    form.value = {"export": "Every week"}
    with pytest.raises(ArgumentError, match="The copy has no name yet"):
        form.duplicate()
    form.value = {"new_name": "Copy"}
    form.duplicate()
    assert "Copy" in workspace.exports.names()
    form.value = {"export": "Copy"}
    form.detach()
    assert "No connection" in form.view.table.value
    with pytest.raises(ArgumentError, match="Removing is not confirmed"):
        form.remove()
    form.confirm.value = True
    form.remove()
    assert "Copy" not in workspace.exports.names()
    assert not form.confirm.value
    assert "Copy was removed." in form.sentence


def test_export_form_saves_an_export(form: ExportsForm, workspace: Workspace) -> None:
    export = ExportForm(workspace)
    export.value = {"segments": ["Dutch"], "mode": "add"}
    with pytest.raises(ArgumentError, match="The export has no name yet"):
        export.save()
    assert export.code.magic.startswith("%ci_export ")
    export.save_as.value = "By form"
    export.save_button.click()
    export.wait()
    assert "Saved as &#x27;By form&#x27;" in export.sentence
    assert export.code.magic == '%ci_exports save "By form" "Dutch" --to "Contoso EU" --mode add'
    form.refresh()
    assert "By form" in form.view.table.value
