from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import ci_magics as ci
from ci_magics.activation.plan import Plan
from ci_magics.activation.progress import Progress
from ci_magics.errors import ArgumentError, CiError
from ci_magics.notebook.arguments import parse
from ci_magics.notebook.export_magic import COMMAND
from ci_magics.notebook.forms.export import ExportForm
from ci_magics.notebook.forms.pattern import callback
from ci_magics.sample import customers

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace


@pytest.fixture
def form(emulator: RunningEmulator, workspace: Workspace) -> ExportForm:
    assert emulator.audiences() == {}
    ci.connect("Contoso EU", customer_id="222", account_id="111", agree=True, accept_terms=True)
    ci.segment("All", customers(500))
    ci.segment("Dutch", customers(500), where="Country = 'NL' AND MarketingConsent")
    return ExportForm(workspace)


def test_an_empty_workspace_says_what_to_make(workspace: Workspace) -> None:
    form = ExportForm(workspace)
    assert "There is no segment yet" in form.sentence
    assert form.plan_button.disabled
    assert form.value == {"segment": None, "connection": None, "normalization": "basic", "consent": None}
    ci.segment("All", customers(5))
    form.refresh()
    assert "There is no connection yet" in form.sentence
    assert form.value["segment"] == "All"
    with pytest.raises(ArgumentError, match="Choose a segment and a connection first"):
        form.plan()


def test_choices_go_in_and_come_out(form: ExportForm) -> None:
    chosen = {"consent": "", "segment": "All", "connection": "Contoso EU", "normalization": "both"}
    form.value = chosen
    assert form.value == chosen
    form.value = {"segment": "Dutch"}
    assert form.value == chosen | {"segment": "Dutch", "consent": None}
    assert "EMULATOR: nothing left this machine" in form.destination.value


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"normalization": "both", "segmnt": "All"}, "The form has no field 'segmnt'. Did you mean 'segment'?"),
        ({"segment": "Duch"}, "Segment cannot be 'Duch'. Did you mean 'Dutch'?"),
        ({"consent": "Nothing"}, "Consent cannot be 'Nothing'."),
        ({"connection": None}, "Connection cannot be 'None'."),
    ],
)
def test_a_wrong_choice_is_refused(form: ExportForm, choices: dict[str, Any], words: str) -> None:
    before = form.value
    with pytest.raises(ArgumentError) as refused:
        form.value = choices
    assert refused.value.sentence == words
    assert form.value == before


def test_a_plan_is_shown_and_sends_nothing(form: ExportForm, emulator: RunningEmulator) -> None:
    form.value = {"segment": "Dutch"}
    plan = form.plan()
    assert isinstance(plan, Plan)
    assert "EMULATOR" in form.plan_view.value
    assert "This is the plan" in form.sentence
    assert (form.confirm.disabled, form.push_button.disabled) == (False, True)
    form.confirm.value = True
    assert not form.push_button.disabled
    assert emulator.audiences() == {}


@pytest.mark.parametrize("change", [{"segment": "Dutch"}, {"normalization": "enhanced"}, {"consent": ""}])
def test_another_choice_takes_the_plan_back(form: ExportForm, change: dict[str, str]) -> None:
    form.value = {"segment": "All"}
    form.plan()
    form.confirm.value = True
    form.value = change
    assert (form.plan_view.value, form.confirm.value, form.push_button.disabled) == ("", False, True)
    with pytest.raises(ArgumentError, match="There is no plan yet"):
        form.push()


def test_what_is_confirmed_is_the_plan_that_is_shown(form: ExportForm) -> None:
    form.value = {"segment": "Dutch"}
    form.plan()
    form.confirm.value = True
    form.plan()
    assert (form.confirm.value, form.push_button.disabled) == (False, True)


def test_a_push_fills_the_audience_and_leaves_a_receipt(form: ExportForm, emulator: RunningEmulator) -> None:
    form.value = {"segment": "Dutch"}
    form.plan()
    run = form.push()
    assert run.status == "Completed"
    assert emulator.audiences()["Dutch"]["members"] == run.accepted > 0
    assert "Completed" in form.sentence
    assert "Dutch" in form.receipt.value
    assert form.bar.value == 1.0
    assert (form.confirm.value, form.push_button.disabled) == (False, True)
    with pytest.raises(ArgumentError, match="There is no plan yet"):
        form.push()


def test_the_buttons_do_the_same(form: ExportForm, emulator: RunningEmulator) -> None:
    form.value = {"segment": "Dutch"}
    form.plan_button.click()
    form.confirm.value = True
    form.push_button.click()
    form.wait()
    assert "Completed" in form.sentence
    assert not form.plan_button.disabled
    assert emulator.audiences()["Dutch"]["members"] > 0


def test_only_those_who_consented_are_sent(form: ExportForm) -> None:
    form.value = {"segment": "All"}
    assert form.value["consent"] == "MarketingConsent"
    some = form.plan().to_frame()["adds"].sum()
    form.value = {"consent": ""}
    assert form.plan().to_frame()["adds"].sum() > some > 0


@pytest.mark.parametrize("choices", [{"segment": "All"}, {"segment": "All", "consent": ""}, {"segment": "Dutch"}])
def test_the_code_does_what_the_form_does(form: ExportForm, choices: dict[str, str]) -> None:
    form.value = choices | {"normalization": "both"}
    magic, _comment, call = form.code.splitlines()
    arguments = parse(COMMAND, magic.removeprefix("%ci_export "), {})
    assert [word.text for word in arguments.words] == [choices["segment"]]
    assert (arguments.given("to"), arguments.given("normalization")) == ("Contoso EU", "both")
    assert (arguments.given("consent") or "") == (form.value["consent"] or "")
    planned = eval(call.replace(")", ", dry_run=True)"), {"ci": ci})  # noqa: S307 - the code that the form gives
    assert planned.to_frame()["adds"].tolist() == form.plan().to_frame()["adds"].tolist()


@pytest.mark.parametrize("name", ['The "big" ones', "O'Neil's", "both 'and\" "])
def test_the_code_quotes_any_name(form: ExportForm, name: str) -> None:
    ci.segment(name, customers(50), where="MarketingConsent")
    form.refresh()
    form.value = {"segment": name}
    magic = form.code.splitlines()[0]
    assert parse(COMMAND, magic.removeprefix("%ci_export "), {}).words[0].text == name


def test_the_code_is_shown_to_be_copied(form: ExportForm) -> None:
    form.value = {"segment": "Dutch"}
    form.code_button.click()
    assert "%ci_export &quot;Dutch&quot; --to &quot;Contoso EU&quot;" in form.code_view.value


def test_an_error_behind_a_button_is_shown(form: ExportForm, workspace: Workspace) -> None:
    form.value = {"segment": "Dutch"}
    workspace.segments.remove(workspace.segments["Dutch"].id)
    form.plan_button.click()
    assert "There is no segment &#x27;Dutch&#x27;" in form.sentence
    assert "role='status'" in form.sentence


def test_an_error_in_the_background_is_shown(form: ExportForm) -> None:
    form.value = {"segment": "Dutch"}
    form.plan_button.click()
    form.confirm.value = True
    ci.connect("Contoso EU", withdraw=True)
    form.push_button.click()
    form.wait()
    assert "consent" in form.sentence.lower()
    assert "--agree" in form.sentence
    assert not form.plan_button.disabled


def test_after_a_failed_push_a_new_plan_is_confirmed_anew(form: ExportForm) -> None:
    form.value = {"segment": "Dutch"}
    form.plan_button.click()
    form.confirm.value = True
    ci.connect("Contoso EU", withdraw=True)
    form.push_button.click()
    form.wait()
    ci.connect("Contoso EU", agree=True, accept_terms=True)
    form.plan_button.click()
    assert not form.confirm.value
    form.confirm.value = True
    assert not form.push_button.disabled


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (CiError("It broke <b>.", "Mend it."), "It broke &lt;b&gt;. Mend it."),
        (ValueError("jan@contoso.com"), "failed unexpectedly (ValueError)"),
    ],
)
def test_no_callback_loses_an_error(form: ExportForm, error: Exception, words: str) -> None:
    @callback
    def broken(_form: ExportForm) -> None:
        raise error

    broken(form, object())
    assert words in form.sentence
    assert "contoso" not in form.sentence


def test_without_a_kernel_the_receipt_remains(form: ExportForm) -> None:
    assert "Run the cell to use it" in form._repr_mimebundle_()["text/html"]
    form.value = {"segment": "Dutch"}
    form.plan()
    form.push()
    bundle = form._repr_mimebundle_()
    assert form.receipt.value in bundle["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "contoso.com" not in str(form.get_state())


def test_progress_says_how_long_it_will_take(workspace: Workspace) -> None:
    moments = iter([0.0, 0.0, 30.0])
    form = ExportForm(workspace, monotonic=lambda: next(moments, 30.0))
    form.show_progress(Progress("Sending", 1_000, 4_000))
    assert form.bar_text.value == "Sending: 1\u2009000 of 4\u2009000 (25%)"
    form.show_progress(Progress("Sending", 1_000, 4_000))
    assert form.bar_text.value == "Sending: 1\u2009000 of 4\u2009000 (25%), 33 per second, about 90 s left"
