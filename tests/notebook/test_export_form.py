from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from magic_lines import parsed

import ci_magics as ci
from ci_magics.activation.plan import Plan
from ci_magics.activation.progress import Progress
from ci_magics.errors import ArgumentError, CiError, ExportStoppedError
from ci_magics.notebook.forms.export import ExportForm
from ci_magics.notebook.forms.pattern import background, callback
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


def test_export_without_a_connection_lists_the_connections(workspace: Workspace) -> None:
    ci.segment("All", customers(5))
    with pytest.raises(ArgumentError, match=r"There is none yet\. Make one: %ci_connect NAME\."):
        ci.export("All")
    ci.connect("Contoso EU", customer_id="222", account_id="111")
    with pytest.raises(ArgumentError, match=r"Name one with --to: 'Contoso EU'\."):
        ci.export("All", workspace=workspace)


def test_empty_workspace_says_what_to_create(workspace: Workspace) -> None:
    form = ExportForm(workspace)
    assert "There is no segment yet" in form.sentence
    assert form.plan_button.disabled
    assert (form.value["segments"], form.value["connection"], form.value["mode"]) == ((), None, "mirror")
    ci.segment("All", customers(5))
    form.refresh()
    assert "There is no connection yet" in form.sentence
    with pytest.raises(
        ArgumentError, match=r"There is no connection to choose yet\. Make one with the form %ci_connect"
    ):
        form.plan()
    ci.connect("Contoso EU", customer_id="222", account_id="111")
    form.refresh()
    with pytest.raises(ArgumentError, match="No segment is chosen"):
        form.plan()


def test_choices_are_set_and_read_back(form: ExportForm) -> None:
    chosen = {
        "connection": "Contoso EU",
        "segments": ("All", "Dutch"),
        "consent": "",
        "mode": "add",
        "audience": "",
        "membership_days": "30",
        "scope": "customer",
        "normalization": "both",
        "exclude": ("Dutch",),
        "allow_empty": True,
        "allow_shrink": True,
        "allow_mixed": True,
    }
    form.value = chosen
    assert form.value == chosen
    form.value = {"segments": ["Dutch"]}
    assert form.value == chosen | {"segments": ("Dutch",), "consent": None}
    assert "EMULATOR: nothing left this machine" in form.destination.value


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"normalization": "both", "segmnts": ["All"]}, "The form has no field 'segmnts'. Did you mean 'segments'?"),
        ({"segments": ["Duch"]}, "Segments cannot be 'Duch'. Did you mean 'Dutch'?"),
        ({"consent": "Nothing"}, "Consent cannot be 'Nothing'."),
        ({"connection": None}, "Connection cannot be 'None'."),
        ({"allow_empty": "perhaps"}, "Continue even if nobody is left to send cannot be a value of the type str."),
    ],
)
def test_invalid_choice_is_refused(form: ExportForm, choices: dict[str, Any], words: str) -> None:
    before = form.value
    with pytest.raises(ArgumentError) as refused:
        form.value = choices
    assert refused.value.sentence == words
    assert form.value == before


@pytest.mark.parametrize("days", ["soon", "1.5"])
def test_invalid_membership_days_are_refused(form: ExportForm, days: str) -> None:
    form.value = {"segments": ["Dutch"], "membership_days": days}
    form.plan_button.click()
    form.wait()
    assert "Membership days is not a whole number" in form.sentence


def test_plan_is_shown_and_nothing_is_sent(form: ExportForm, emulator: RunningEmulator) -> None:
    form.value = {"segments": ["Dutch"]}
    assert form.push_button.disabled
    plan = form.plan()
    assert isinstance(plan, Plan)
    assert "EMULATOR" in form.plan_view.value
    assert "This is the plan" in form.sentence
    assert (form.confirm.layout.display, form.push_button.disabled) == (None, True)
    form.confirm.value = True
    assert not form.push_button.disabled
    assert emulator.audiences() == {}


def test_plan_without_changes_cannot_be_confirmed(form: ExportForm) -> None:
    ci.segment("Nobody", customers(50), where="FALSE")
    form.refresh()
    form.value = {"segments": ["Nobody"], "consent": ""}
    form.plan()
    assert "Nothing would be sent" in form.sentence
    assert "has no profiles" in form.sentence
    assert form.plan_view.value.index("Blocked") < form.plan_view.value.index("Plan for account")
    assert "has no profiles" in form.plan_view.value
    assert (form.confirm.layout.display, form.push_button.layout.display) == ("none", None)
    assert form.push_button.disabled
    assert form.push_button.tooltip.startswith("Blocked: The segment 'Nobody' has no profiles")
    form.value = {"allow_empty": True}
    form.plan()
    assert "This is the plan" in form.sentence


@pytest.mark.parametrize("change", [{"segments": ["Dutch"]}, {"normalization": "enhanced"}, {"consent": ""}])
def test_changed_choice_withdraws_the_plan(form: ExportForm, change: dict[str, Any]) -> None:
    form.value = {"segments": ["All"]}
    form.plan()
    form.confirm.value = True
    form.value = change
    assert (form.plan_view.value, form.confirm.value, form.push_button.disabled) == ("", False, True)
    with pytest.raises(ArgumentError, match="No plan is shown"):
        form.push()


def test_choice_changed_during_planning_withdraws_the_plan(form: ExportForm, monkeypatch: pytest.MonkeyPatch) -> None:
    form.value = {"segments": ["Dutch"]}
    plan_made = ci.plan

    def slow(*segments: Any, **options: Any) -> Any:
        plan = plan_made(*segments, **options)
        form.value = {"segments": ["All"]}
        return plan

    monkeypatch.setattr(ci, "plan", slow)
    with pytest.raises(ArgumentError, match="changed while the plan was made"):
        form.plan()
    assert form.plan_view.value == ""


def test_confirmed_plan_is_the_plan_that_is_shown(form: ExportForm) -> None:
    form.value = {"segments": ["Dutch"]}
    form.plan()
    form.confirm.value = True
    form.plan()
    assert (form.confirm.value, form.push_button.disabled) == (False, True)


def test_push_fills_the_audience_and_leaves_a_receipt(form: ExportForm, emulator: RunningEmulator) -> None:
    form.value = {"segments": ["Dutch"]}
    form.plan()
    run = form.push()
    assert run.status == "Completed"
    assert emulator.audiences()["Dutch"]["members"] == run.accepted > 0
    assert "Completed" in form.sentence
    assert "Dutch" in form.receipts._repr_html_()
    assert form.progress.bar.value == 1.0
    assert (form.confirm.value, form.push_button.disabled) == (False, True)
    with pytest.raises(ArgumentError, match="No plan is shown"):
        form.push()


def test_several_segments_and_exclusions_are_exported(form: ExportForm, emulator: RunningEmulator) -> None:
    form.value = {"segments": ["All"], "consent": "", "exclude": ["Dutch"]}
    form.plan()
    some = form.push().accepted
    form.value = {"segments": ["All", "Dutch"], "exclude": []}
    form.plan()
    form.push()
    assert set(emulator.audiences()) == {"All", "Dutch"}
    assert emulator.audiences()["All"]["members"] > some > 0


def test_buttons_do_the_same_as_methods(form: ExportForm, emulator: RunningEmulator) -> None:
    form.value = {"segments": ["Dutch"]}
    form.plan_button.click()
    form.wait()
    form.confirm.value = True
    form.push_button.click()
    form.wait()
    assert "Completed" in form.sentence
    assert not form.plan_button.disabled
    assert emulator.audiences()["Dutch"]["members"] > 0


def test_only_consented_profiles_are_sent(form: ExportForm) -> None:
    form.value = {"segments": ["All"]}
    assert form.value["consent"] == "MarketingConsent"
    some = form.plan().to_frame()["adds"].sum()
    form.value = {"consent": ""}
    assert form.plan().to_frame()["adds"].sum() > some > 0


def test_audiences_of_the_account_are_offered(form: ExportForm) -> None:
    form.value = {"segments": ["Dutch"]}
    form.plan()
    form.push()
    assert form.look_up_audiences() == ["Dutch"]
    assert form.choices.audience.options == ("Dutch",)


@pytest.mark.parametrize(
    "choices",
    [
        {"segments": ["All"]},
        {"segments": ["All"], "consent": ""},
        {"segments": ["Dutch", "All"], "consent": "", "exclude": ["Dutch"], "allow_empty": True},
        {"segments": ["Dutch"], "mode": "add", "membership_days": "-1", "scope": "customer"},
    ],
)
def test_code_does_the_same_as_the_form(form: ExportForm, choices: dict[str, Any]) -> None:
    form.value = choices | {"normalization": "both"}
    arguments = parsed(form.code.magic)
    assert [word.text for word in arguments.words] == choices["segments"]
    assert (arguments.given("to"), arguments.given("normalization")) == ("Contoso EU", "both")
    assert (arguments.given("consent") or "") == (form.value["consent"] or "")
    assert (arguments.given("mode") or "mirror") == form.value["mode"]
    assert arguments.all("exclude") == list(form.value["exclude"])
    assert arguments.switch("allow_empty") == form.value["allow_empty"]
    assert str(arguments.given("membership_days") or "") == form.value["membership_days"]
    planned = eval(form.code.python.replace("ci.export(", "ci.plan("), {"ci": ci})  # noqa: S307 - the code that the form gives
    assert planned.options == form.plan().options
    assert planned.to_frame()["adds"].tolist() == form.plan().to_frame()["adds"].tolist()


@pytest.mark.parametrize("name", ['The "big" ones', "O'Neil's", "both 'and\" ", "$name {x} --to", "<b>&amp;"])
def test_code_quotes_any_name(form: ExportForm, name: str) -> None:
    ci.segment(name, customers(50), where="MarketingConsent")
    form.refresh()
    form.value = {"segments": [name]}
    assert parsed(form.code.magic).words[0].text == name


def test_code_can_be_copied(form: ExportForm) -> None:
    form.value = {"segments": ["Dutch"]}
    form.code_button.click()
    assert "%ci_export &quot;Dutch&quot; --to &quot;Contoso EU&quot;" in form.code_view.value
    assert "import ci_magics as ci" in form.code_view.value
    form.value = {"segments": ["All"]}
    assert form.code_view.value == ""


def test_error_after_a_button_is_shown(form: ExportForm, workspace: Workspace) -> None:
    form.value = {"segments": ["Dutch"]}
    workspace.segments.remove(workspace.segments["Dutch"].id)
    form.plan_button.click()
    form.wait()
    assert "There is no segment &#x27;Dutch&#x27;" in form.sentence
    assert "role='status'" in form.sentence


def test_background_error_is_shown_and_kept(form: ExportForm) -> None:
    form.value = {"segments": ["Dutch"]}
    form.plan()
    form.confirm.value = True
    ci.connect("Contoso EU", withdraw=True)
    form.push_button.click()
    form.wait()
    assert "consent" in form.sentence.lower()
    assert "--agree" in form.sentence
    assert "--agree" in repr(form.receipts)
    assert not form.plan_button.disabled


def test_plan_after_a_failed_push_must_be_confirmed_again(form: ExportForm) -> None:
    form.value = {"segments": ["Dutch"]}
    form.plan()
    form.confirm.value = True
    ci.connect("Contoso EU", withdraw=True)
    form.push_button.click()
    form.wait()
    ci.connect("Contoso EU", agree=True, accept_terms=True)
    form.plan()
    assert not form.confirm.value
    form.confirm.value = True
    assert not form.push_button.disabled


def test_stopped_run_can_be_resumed_in_another_form(
    form: ExportForm, emulator: RunningEmulator, workspace: Workspace
) -> None:
    form.value = {"segments": ["Dutch"]}
    form.plan()
    form.progress.begin()
    report = form.progress.report

    def stop_at_once(progress: Progress) -> None:
        form.stop()
        report(progress)

    form.progress.report = stop_at_once  # type: ignore[method-assign]  # the user clicks at once
    with pytest.raises(ExportStoppedError, match="The export was stopped"):
        form.push()
    assert len(form.unfinished.options) == 1
    assert form.resume_row.layout.display is None
    other = ExportForm(workspace)
    other.resume_button.click()
    other.wait()
    assert "Completed" in other.sentence
    assert other.resume_row.layout.display == "none"
    assert emulator.audiences()["Dutch"]["members"] > 0
    with pytest.raises(ArgumentError, match="No interrupted run is left to finish"):
        other.resume()


def test_stop_button_ends_a_wait(form: ExportForm, emulator: RunningEmulator) -> None:
    emulator.control("POST", "/faults", [{"operation": "ApplyCustomerListUserData", "call": 1, "fault": "117"}])
    form.value = {"segments": ["Dutch"]}
    waiting = threading.Event()
    say = form.say

    def listen(sentence: str, kind: str = "info") -> None:
        say(sentence, kind)
        if "Trying again in" in sentence:
            waiting.set()

    form.say = listen  # type: ignore[method-assign]  # a plan announces its waits with it
    form.plan()
    form.confirm.value = True
    form.push_button.click()
    assert waiting.wait(20), form.sentence
    form.stop()
    form.wait()
    assert "The export was stopped" in form.sentence
    assert form.resume().status == "Completed"


def test_rejected_rows_are_shown_by_key(form: ExportForm, emulator: RunningEmulator) -> None:
    emulator.control("POST", "/faults", [{"operation": "ApplyCustomerListUserData", "call": 1, "fault": "partial"}])
    form.value = {"segments": ["Dutch"]}
    form.plan()
    run = form.push()
    assert run.rejected > 0
    assert "Rejected rows" in form.result.value
    assert str(run.rejected_rows()["key"].iloc[0]) in form.result.value


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (CiError("It broke <b>.", "Fix it."), "It broke &lt;b&gt;. Fix it."),
        (ValueError("jan@contoso.com"), "failed unexpectedly (ValueError)"),
    ],
)
@pytest.mark.parametrize("kind", [callback, background])
def test_error_in_a_callback_is_shown(form: ExportForm, error: Exception, words: str, kind: Any) -> None:
    @kind
    def broken(_form: ExportForm) -> None:
        raise error

    broken(form, object())
    form.wait()
    assert words in form.sentence
    assert "contoso.com" not in form.sentence
    assert not form.is_busy


def test_choices_and_receipts_are_visible_without_a_kernel(form: ExportForm) -> None:
    assert "run the cell to use the form" in form._repr_mimebundle_()["text/html"]
    form.value = {"segments": ["Dutch"]}
    form.plan()
    form.push()
    bundle = form._repr_mimebundle_()
    assert "Completed:" in bundle["text/html"]
    assert "Dutch" in bundle["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "contoso.com" not in str(form.get_state())
    assert repr(form).startswith("ExportForm(connection='Contoso EU', segments=('Dutch',)")


def test_progress_estimates_the_remaining_time(workspace: Workspace) -> None:
    moments = iter([0.0, 0.0, 30.0])
    form = ExportForm(workspace, monotonic=lambda: next(moments, 30.0))
    form.progress.report(Progress("Sending", 1_000, 4_000))
    assert form.progress.text.value == "Sending: 1,000 of 4,000 (25%)"
    form.progress.report(Progress("Sending", 1_000, 4_000))
    assert form.progress.text.value == "Sending: 1,000 of 4,000 (25%), 33 per second, about 90 s left"


def test_thousand_segments_are_searched_by_part_of_their_name(workspace: Workspace) -> None:
    segment = ci.segment("Segment 0", customers(5))
    record = workspace.segments[segment.name]
    for number in range(1, 1_000):
        workspace.segments.put(replace(record, id=f"id{number}", name=f"Segment {number} <b>"))
    form = ExportForm(workspace)
    form.choices.segments.find("777")
    shown = [box.description for box in form.choices.segments.boxes if box.layout.display is None]
    assert shown == ["Segment 777 <b> (5 profiles)"]
    form.value = {"segments": ["Segment 777 <b>"]}
    form.choices.segments.find("")
    assert form.value["segments"] == ("Segment 777 <b>",)
    assert "&lt;b&gt;" in form._repr_mimebundle_()["text/html"]
    assert "<b>:" not in form._repr_mimebundle_()["text/html"]
