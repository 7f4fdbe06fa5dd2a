"""Choosing a consent column, and the values that mean yes, in the forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

import ci_magics as ci
from ci_magics.notebook.forms.export_choices import ExportChoices
from ci_magics.notebook.forms.segment import SegmentForm

if TYPE_CHECKING:
    from ci_magics.workspace.store import Workspace


def people(answers: list[str], **columns: list[str]) -> pd.DataFrame:
    emails = [f"p{number}@contoso.com" for number in range(len(answers))]
    return pd.DataFrame({"CustomerId": range(len(answers)), "EMail": emails, "Newsletter": answers, **columns})


def test_segment_form_offers_consent_columns_and_unknown_values(workspace: Workspace) -> None:
    frame = people(["weekly", "no", "monthly", "weekly"], Asked=["p0@contoso.com", "b", "c", "d"])
    form = SegmentForm(workspace, variables={"frame": frame}, moment=0)
    assert form.fields["consent"].options[0][0] == "found by name: Newsletter"
    assert [value for _label, value in form.fields["consent_yes"].options] == ["monthly", "weekly"]
    form.value = {"name": "Weekly", "consent": "Newsletter", "consent_yes": ("weekly",)}
    assert form.save().consent.consented == 2
    assert "--consent Newsletter --consent-yes weekly" in form.code.magic
    form.value = {"consent": "Asked"}
    assert form.fields["consent_yes"].options == ()


def test_export_form_offers_consented_profiles_or_all(workspace: Workspace) -> None:
    ci.segment("Mixed", people(["yes", "no", ""]))
    ci.segment("All agreed", people(["yes", "ja"]))
    ci.segment("Asked", people(["weekly", "no"]), show=lambda _sentence: None)
    choices = ExportChoices(workspace)
    choices.refresh()
    for name, offered in (
        ("Mixed", ["Newsletter", ""]),
        ("All agreed", []),
        ("Asked", ["=weekly", ""]),
    ):
        choices.segments.choose([name])
        choices.segments_changed()
        assert [value for _label, value in choices.consent.options] == offered
    assert choices.options()["consent_yes"] == ["weekly"]
