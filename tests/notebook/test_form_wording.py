"""Messages in forms mention fields instead of the options of a magic."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import ci_magics as ci
from ci_magics.notebook.forms.export import ExportForm
from ci_magics.notebook.forms.in_form import in_words_of_form
from ci_magics.notebook.forms.segment import SegmentForm
from ci_magics.notebook.forms.segment_fields import FILES
from ci_magics.sample import customers

if TYPE_CHECKING:
    from ci_magics.workspace.store import Workspace


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Name another encoding with --encoding.", "Name another encoding with the field 'Encoding'."),
        ("say how to read it, for example --encoding cp1252.", "for example 'cp1252' in the field 'Encoding'."),
        ("Name the right one: --email COLUMN.", "Name the right one: the field 'E-mail column'."),
        ('Name the right one: --email "Work mail".', "Name the right one: 'Work mail' in the field 'E-mail column'."),
        ("or leave out --key to use row numbers.", "or clear the field 'Key column' to use row numbers."),
        ("Use it again: %ci_segment Big --key Id; or --key Id.", "%ci_segment Big --key Id; or 'Id' in the field"),
        ('Write it in SQL, for example --where "a < 5".', '--where "a < 5".'),
    ],
)
def test_segment_form_mentions_its_fields(workspace: Workspace, said: str, shown: str) -> None:
    assert shown in SegmentForm(workspace, variables={}).worded(said)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            "Check it, or use --allow-empty if everybody leaves.",
            "use the box 'Continue even if nobody is left to send' if",
        ),
        (
            "Use --normalization basic, or fill it once with --mode replace.",
            "Use 'basic' in the field 'Normalization', or",
        ),
        ("Accept it with --membership-days -1.", "Accept it with '-1' in the field 'Membership days'."),
        ("Name a connection with --to: 'A'.", "Name a connection with the field 'Connection': 'A'."),
        ("or everybody with --ignore-consent.", "with 'All profiles, those who refused too' in the field 'Consent'."),
        ("Finish it with %ci_export --resume 1a2b.", "Finish it with %ci_export --resume 1a2b."),
    ],
)
def test_export_form_mentions_its_fields(workspace: Workspace, said: str, shown: str) -> None:
    assert shown in ExportForm(workspace).worded(said)


def test_unknown_encoding_mentions_the_field(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(b"EMail,Name\na@contoso.com,\x81\x8d\n")
    form = SegmentForm(workspace, variables={})
    form.value = {"source": FILES, "path": str(path)}
    assert "the field &#x27;Encoding&#x27;" in form.sentence
    assert "--encoding" not in form.sentence


def test_blocked_plan_mentions_the_box_that_overrides_the_guard(workspace: Workspace, emulator: object) -> None:
    assert emulator
    ci.connect("Contoso EU", customer_id="222", account_id="111", agree=True, accept_terms=True)
    ci.segment("Nobody", customers(5), where="false")
    form = ExportForm(workspace)
    form.value = {"segments": ["Nobody"]}
    form.plan()
    for shown in (form.plan_view.value, form.sentence, form.push_button.tooltip):
        assert "Continue even if nobody is left to send" in shown
        assert not re.search(r"--allow-empty", shown)


def test_option_without_a_field_is_kept() -> None:
    assert in_words_of_form("Use --results-after 5.", {}) == "Use --results-after 5."
