from __future__ import annotations

import datetime as dt
import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import given
from magic_lines import parsed
from random_rules import COLUMNS, MEMBERS, fitting_conditions, members, trees

import ci_magics as ci
from ci_magics.errors import ArgumentError, CiError, SegmentError
from ci_magics.notebook.forms.rule_builder import SetsEditor
from ci_magics.notebook.forms.rule_condition import ConditionEditor, EditorContext, MemberEditor
from ci_magics.notebook.forms.segment import SegmentForm
from ci_magics.notebook.forms.segment_fields import FILES, INSIGHTS, SEGMENTS
from ci_magics.sample import customers
from ci_magics.segmentation.rules.kinds import Kind
from ci_magics.segmentation.rules.tree import Join, Operator

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.segmentation.rules.tree import Node
    from ci_magics.workspace.store import Workspace

RULE = '(Country is any of NL, BE and TotalSpend > 100) union (Orders >= 3 and not City starts with "A")'
_KINDS = {"int": Kind.WHOLE, "uint": Kind.WHOLE, "float": Kind.NUMBER, "decimal": Kind.NUMBER, "date": Kind.DATE}
_KINDS |= {"timestamp": Kind.TIME, "bool": Kind.TRUTH, "null": Kind.EMPTY}


def kind_of(column: str) -> Kind:
    name = str(COLUMNS[column][0])
    return next((kind for beginning, kind in _KINDS.items() if name.startswith(beginning)), Kind.TEXT)


def builder(choices: list[Any] | None = None) -> SetsEditor:
    def refuse(error: CiError) -> None:
        raise error

    around = EditorContext(
        columns=list(COLUMNS),
        kind_of=kind_of,
        choices_of=lambda _column: list(choices or []),
        segments=list(MEMBERS),
        changed=lambda: None,
        refuse=refuse,
    )
    return SetsEditor(around)


@given(trees(fitting_conditions() | members))
def test_any_rule_is_shown_in_fields_and_read_back(node: Node) -> None:
    shown = builder()
    shown.put(node)
    assert shown.node() == node


@pytest.fixture
def frame() -> pd.DataFrame:
    return customers(500)


@pytest.fixture
def form(workspace: Workspace, frame: pd.DataFrame) -> SegmentForm:
    return SegmentForm(workspace, variables={"customers": frame, "number": 3, "_hidden": frame}, moment=0)


def test_frames_of_the_notebook_are_offered(form: SegmentForm) -> None:
    assert [value for _label, value in form.fields["source"].options] == ["customers", FILES]
    assert form.value["email"] == "EMail"
    form.wait()
    assert "500 profiles" in form.total.value


def test_rule_is_counted_in_total_and_by_part(form: SegmentForm, frame: pd.DataFrame) -> None:
    form.value = {"name": "Some", "rule": RULE}
    form.wait()
    one = frame["Country"].isin(["NL", "BE"]) & (frame["TotalSpend"] > 100)
    other = (frame["Orders"] >= 3) & ~frame["City"].str.startswith("A")
    assert f"{(one | other).sum()} of 500 profiles" in form.total.value
    counts = [editor.count.value for editor in form.builder.editors()]
    assert counts[0] == f"{one.sum()} profiles"
    assert f"{(frame['Orders'] >= 3).sum()} profiles" in counts
    assert "TotalSpend &gt; 100" in form.text_view.value
    assert "<summary>SQL</summary>" in form.text_view.value
    assert form.value["rule"] == RULE


def test_conditions_are_added_changed_and_removed(form: SegmentForm) -> None:
    form.value = {"name": "Some"}
    group = form.builder.groups[0]
    condition = group.add(ConditionEditor)
    condition.column.value = "Country"
    condition.operator.value = Operator.EQUALS
    assert "no value yet" in form.text_view.value
    with pytest.raises(SegmentError, match="no value yet"):
        form.save()
    condition.entries[0].widget.value = "NL"
    assert form.value["rule"] == "Country equals NL"
    joined = form.builder.add(Join.EXCEPT)
    other = joined.add(ConditionEditor)
    other.column.value, other.operator.value = "Orders", Operator.GREATER
    other.entries[0].widget.value = "many"
    assert "&#x27;many&#x27; is not a number" in form.text_view.value
    other.entries[0].widget.value = "2"
    assert form.value["rule"] == "Country equals NL except Orders > 2"
    group.take_away(condition)
    assert "A joined rule has no condition yet" in form.text_view.value
    form.wait()


def test_values_are_chosen_from_existing_ones(form: SegmentForm, frame: pd.DataFrame) -> None:
    condition = form.builder.groups[0].add(ConditionEditor)
    condition.column.value, condition.operator.value = "Country", Operator.ANY_OF
    picker = condition.picker
    assert [value for _label, value in picker.options] == sorted(frame["Country"].unique())
    picker.choose(["NL"])
    assert form.value["rule"] == "Country is any of NL"
    condition.column.value = "MarketingConsent"
    assert [value for _label, value in condition.operator.options] == [
        Operator.EQUALS, Operator.DIFFERS, Operator.ANY_OF, Operator.NULL, Operator.NOT_NULL,
    ]  # fmt: skip
    form.wait()


def test_address_is_neither_offered_nor_stored(workspace: Workspace) -> None:
    few = pd.DataFrame({"Id": [1, 2, 3], "EMail": ["jan@contoso.com", "eva@contoso.com", None]})
    form = SegmentForm(workspace, variables={"few": few}, moment=0)
    condition = form.builder.groups[0].add(ConditionEditor)
    condition.column.value, condition.operator.value = "EMail", Operator.EQUALS
    entry = condition.entries[0].widget
    assert entry.options == ()
    entry.value = "jan@contoso.com"
    assert entry.value == ""
    assert "An e-mail address is not kept in a form" in form.sentence
    condition.operator.value = Operator.ENDS
    condition.entries[0].widget.value = "@contoso.com"
    form.wait()
    assert "2 of 3 profiles" in form.total.value


def test_segment_is_saved_with_its_rule(form: SegmentForm, workspace: Workspace) -> None:
    form.value = {"name": "Dutch <b>", "rule": "Country equals NL"}
    form.save_button.click()
    form.wait()
    assert workspace.segments["Dutch <b>"].definition["rule"] == "Country equals NL"
    assert "✓ Segment &#x27;Dutch &lt;b&gt;&#x27;" in form.sentence
    assert "Dutch &lt;b&gt;" in form.receipts._repr_html_()
    assert "contoso.com" not in str(form.get_state())


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"rule": "Country equals NL"}, "The segment has no name yet"),
        ({"name": "X", "source": FILES}, "No file is named yet"),
        ({"name": "X", "source": FILES, "path": "customers.docx"}, "The name does not end as that of a file that"),
        ({"name": "X", "source": FILES, "path": "SELECT * FROM customers"}, "This looks like a query"),
        ({"name": "X", "source": FILES, "path": "https://contoso.com/people"}, "This is an address, and the field"),
        ({"name": "X", "source": FILES, "path": "."}, "This is a folder"),
        ({"name": "X", "rule": "TotalSpend > 5 and TotalSpend < 4"}, "The rule can never be true"),
    ],
)
def test_missing_choice_is_explained(form: SegmentForm, choices: dict[str, Any], words: str) -> None:
    form.value = choices
    form.save_button.click()
    form.wait()
    assert words in form.sentence


def test_invalid_rule_is_refused(form: SegmentForm) -> None:
    with pytest.raises(SegmentError, match="The rule cannot be read"):
        form.value = {"rule": "Country is like NL"}
    form.wait()


@pytest.mark.parametrize("rule", ["", RULE, "City contains \"it's 'x'\" ignoring case"])
def test_code_makes_the_same_segment(form: SegmentForm, frame: pd.DataFrame, rule: str) -> None:
    form.value = {"name": "A \"b\" 'c'", "rule": rule, "key": "CustomerId"}
    arguments = parsed(form.code.magic, {"customers": frame})
    assert [word.text for word in arguments.words] == ["A \"b\" 'c'", "customers"]
    assert (arguments.given("rule") or "", arguments.given("key")) == (rule, "CustomerId")
    made = eval(form.code.python, {"ci": ci, "customers": frame})  # noqa: S307 - the code that the form gives
    assert made.rows == form.count() == form.save().rows


def test_file_makes_a_dynamic_or_static_segment(
    form: SegmentForm, frame: pd.DataFrame, workspace: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "customers.csv"
    frame.to_csv(path, index=False)
    form.value = {"name": "Files", "source": FILES, "path": str(path), "rule": "Country equals NL"}
    assert form.value["keep"] == "dynamic"
    form.save()
    assert workspace.segments["Files"].is_dynamic
    form.value = {"name": "Once", "keep": "static"}
    form.save()
    assert not workspace.segments["Once"].is_dynamic
    assert form.code.magic.startswith(f'files = {str(path)!r}\n%ci_segment "Once" files')
    form.wait()


@pytest.mark.parametrize("encoding", ["cp1250", "utf-16", "mac_roman"])
def test_encoding_can_be_chosen_for_files(form: SegmentForm, tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("Id,EMail,City\n1,jan@contoso.com,Orléans\n2,eva@contoso.com,Köln\n", encoding=encoding)
    assert form.fields["encoding"].layout.display == "none"
    form.value = {"name": "Files", "source": FILES, "path": str(path), "encoding": encoding}
    assert form.fields["encoding"].layout.display is None
    form.value = {"rule": "City equals Köln"}
    assert form.count() == 1
    assert form.save().rows == 1
    arguments = parsed(form.code.magic[form.code.magic.index("%ci_segment") :], {"files": str(path)})
    assert arguments.given("encoding") == encoding
    assert f"encoding={encoding!r}" in form.code.python
    form.wait()


def test_unknown_encoding_is_reported_at_once(form: SegmentForm, tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("Id,EMail\n1,jan@contoso.com\n")
    form.value = {"source": FILES, "path": str(path), "encoding": "cp1225"}
    assert "There is no encoding &#x27;cp1225&#x27;. Did you mean cp125" in form.sentence
    form.value = {"encoding": "cp1252"}
    form.wait()
    assert form.total.value.startswith("<b>1 ")


@pytest.mark.parametrize(
    ("rule", "guard", "hint"),
    [
        ("Country equals Germny", "allow_empty", "did you mean 'Germany'"),
        ("Country is any of Germany, Swedn", "allow_shrink", "did you mean 'Sweden'"),
    ],
)
def test_segment_that_loses_its_people_is_stopped_and_can_be_allowed(
    workspace: Workspace, rule: str, guard: str, hint: str
) -> None:
    countries = ["Sweden"] * 30 + ["Germany"] * 10
    emails = [f"p{number}@contoso.com" for number in range(40)]
    people = pd.DataFrame({"Id": range(40), "EMail": emails, "Country": countries})
    form = SegmentForm(workspace, variables={"people": people}, moment=0)
    form.value = {"name": "North"}
    form.save()
    box = form.fields[guard]
    form.value = {"rule": rule}
    form.save_button.click()
    form.wait()
    assert hint.casefold() in html.unescape(form.sentence).casefold()
    assert box.description in html.unescape(form.sentence)
    assert "--allow" not in form.sentence
    assert box.layout.display is None
    assert [form.fields[each].layout.display for each in ("allow_empty", "allow_shrink") if each != guard] == ["none"]
    assert workspace.segments["North"].rows == 40
    form.value = {guard: True}
    arguments = parsed(form.code.magic, {"people": people})
    assert arguments.switch(guard)
    assert f"{guard}=True" in form.code.python
    saved = form.save()
    assert workspace.segments["North"].rows == saved.rows < 20
    form.value = {"rule": "Country equals Nowhere"}  # the permission does not extend to another definition
    assert form.value[guard] is False
    assert box.layout.display == "none"
    form.wait()


def test_last_change_is_undone_and_redone(form: SegmentForm, workspace: Workspace) -> None:
    buttons = (form.undo_button, form.redo_button)
    form.value = {"name": "Some"}
    all_of_them = form.save().rows
    assert [each.layout.display for each in buttons] == ["none", "none"]
    form.value = {"rule": "Country is any of NL, BE, DE, FR, ES, IT"}
    some = form.save().rows
    assert some < all_of_them
    assert [each.layout.display for each in buttons] == [None, "none"]
    form.undo_button.click()
    assert workspace.segments["Some"].rows == all_of_them
    assert "has 500 profiles again" in form.sentence
    assert [each.layout.display for each in buttons] == ["none", None]
    form.redo_button.click()
    assert workspace.segments["Some"].rows == some
    assert "has 500 profiles again" in form.receipts._repr_html_()
    form.value = {"name": "Another"}
    assert [each.layout.display for each in buttons] == ["none", "none"]
    form.wait()


def test_deleted_segment_is_restored(form: SegmentForm, workspace: Workspace) -> None:
    form.value = {"name": "Some"}
    form.save()
    ci.segments.delete("Some")
    form.refresh()
    assert form.undo_button.layout.display is None
    assert form.undo().rows == workspace.segments["Some"].rows == 500
    assert form.undo_button.layout.display == "none"
    form.wait()


def test_rule_over_earlier_segments_needs_no_frame(
    form: SegmentForm, frame: pd.DataFrame, workspace: Workspace
) -> None:
    ci.segment("Dutch", frame, where="Country = 'NL'")
    ci.segment("Big", frame, where="TotalSpend > 100")
    form.refresh()
    form.value = {"name": "Both", "source": SEGMENTS}
    group = form.builder.groups[0]
    group.match.value = "none"
    group.add(MemberEditor).segment.value = "Dutch"
    group.match.value = "all"
    group.add(MemberEditor).segment.value = "Big"
    assert form.value["rule"] == "'Dutch' and 'Big'"
    assert form.count() == form.save().rows > 0
    assert form.code.magic == "%ci_segment \"Both\" --rule \"'Dutch' and 'Big'\""
    assert workspace.segments["Both"].is_dynamic


def test_many_columns_and_odd_names_are_offered(workspace: Workspace) -> None:
    wide = pd.DataFrame({f"Column {number} <b>": [number, 2] for number in range(200)})
    wide["EMail"] = ["a@contoso.com", "b@contoso.com"]
    form = SegmentForm(workspace, variables={"wide": wide}, moment=0)
    form.value = {"name": "Wide", "rule": '"Column 150 <b>" > 3'}
    form.wait()
    assert "1 of 2 profiles" in form.total.value
    assert "<b> &gt;" not in form.text_view.value
    assert len(form.fields["email"].options) == 201


def test_refreshing_the_form_keeps_choices(form: SegmentForm) -> None:
    form.value = {"name": "Some", "rule": RULE}
    form.refresh()
    assert (form.value["name"], form.value["rule"]) == ("Some", RULE)
    form.wait()


def test_only_the_latest_change_is_counted(workspace: Workspace, frame: pd.DataFrame) -> None:
    form = SegmentForm(workspace, variables={"customers": frame}, moment=60)
    form.value = {"rule": "Country equals NL"}
    form.live.cancel()  # the pending count would take a minute
    form.wait()
    assert form.total.value == ""
    assert form.count() == (frame["Country"] == "NL").sum()


def test_dates_are_entered_as_dates(form: SegmentForm) -> None:
    condition = form.builder.groups[0].add(ConditionEditor)
    condition.column.value, condition.operator.value = "LastPurchase", Operator.BETWEEN
    assert [entry.widget.description for entry in condition.entries] == ["from", "to"]
    for entry, text in zip(condition.entries, ("2025-01-31", "2025-06-30T12:00"), strict=True):
        entry.widget.value = text
    assert condition.node().values == (dt.date(2025, 1, 31), dt.datetime(2025, 6, 30, 12))  # noqa: DTZ001 - as rules have it
    form.wait()


def test_empty_choice_is_not_a_source(workspace: Workspace) -> None:
    form = SegmentForm(workspace, moment=0)
    assert form.value["source"] == FILES
    with pytest.raises(ArgumentError, match="The segment has no name yet"):
        form.code  # noqa: B018 - asking is the test


def test_segment_of_customer_insights_is_saved(
    emulator: RunningEmulator, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_MAGICS_SUBSCRIPTION_KEY", emulator.subscription_key)
    ci.insights("Contoso")
    form = SegmentForm(workspace, moment=0)
    form.value = {"name": "Young men", "source": INSIGHTS}
    with pytest.raises(ArgumentError, match="No segment of Customer Insights is chosen"):
        form.save()
    form.look_up_button.click()
    form.wait()
    assert "Male_under_40" in [value for _label, value in form.fields["from_insights"].options]
    form.value = {"from_insights": "Male_under_40"}
    arguments = parsed(form.code.magic)
    assert (arguments.given("from_insights"), arguments.given("instance")) == ("Male_under_40", "Contoso")
    assert form.save().rows > 0
    assert workspace.segments["Young men"].is_dynamic
    made = eval(form.code.python, {"ci": ci})  # noqa: S307 - the code that the form gives
    assert made.rows == workspace.segments["Young men"].rows
