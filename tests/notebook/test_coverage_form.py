from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from magic_lines import parsed

import ci_magics as ci
from ci_magics.errors import ArgumentError
from ci_magics.notebook.forms.coverage import CoverageForm
from ci_magics.sample import customers

if TYPE_CHECKING:
    from ci_magics.workspace.store import Workspace


@pytest.fixture
def form(workspace: Workspace) -> CoverageForm:
    ci.segment("All", customers(500))
    ci.segment("Dutch", customers(500), where="Country = 'NL'")
    return CoverageForm(workspace, moment=0)


def test_empty_workspace_says_what_to_create(workspace: Workspace) -> None:
    form = CoverageForm(workspace)
    assert "There is no segment yet" in form.sentence
    assert form.keep_button.disabled
    with pytest.raises(ArgumentError, match=r"There is no segment to choose yet\. Make one"):
        form.preview()


def test_chosen_segment_is_counted_at_once(form: CoverageForm) -> None:
    form.value = {"segments": ["All"]}
    form.wait()
    assert form.coverage is not None
    assert form.coverage.segments[0].rows == 500
    assert "All: " in form.sentence
    assert "of 500 can be sent (basic)" in form.sentence
    assert 'alt="Coverage of All' in form.view.value
    form.value = {"normalization": "both"}
    form.wait()
    assert "(both)" in form.sentence
    form.value = {"segments": []}
    form.wait()
    assert (form.coverage, form.view.value) == (None, "")
    with pytest.raises(ArgumentError, match="No segment is chosen"):
        form.preview()


def test_several_segments_show_their_overlap(form: CoverageForm) -> None:
    form.value = {"segments": ["All", "Dutch"]}
    coverage = form.preview()
    assert ("All", "Dutch") in coverage.overlap
    assert "Overlap of segments" in form.view.value


def test_only_the_latest_choice_is_counted(workspace: Workspace) -> None:
    ci.segment("All", customers(50))
    form = CoverageForm(workspace, moment=60)
    form.value = {"segments": ["All"]}
    form.value = {"segments": []}  # cancels the pending count, which would take a minute
    form.wait()
    assert form.coverage is None


def test_code_does_the_same_as_the_form(form: CoverageForm) -> None:
    form.value = {"segments": ["Dutch", "All"], "normalization": "enhanced"}
    arguments = parsed(form.code.magic)
    assert [word.text for word in arguments.words] == ["Dutch", "All"]
    assert arguments.given("normalization") == "enhanced"
    assert repr(eval(form.code.python, {"ci": ci})) == repr(form.preview())  # noqa: S307 - the code that the form gives
    form.wait()


def test_receipt_contains_the_picture(form: CoverageForm) -> None:
    form.value = {"segments": ["All"]}
    form.keep_button.click()
    form.wait()
    assert 'alt="Coverage of All' in form.receipts._repr_html_()
    assert "written below" in form.sentence


def test_error_while_counting_is_shown(form: CoverageForm, workspace: Workspace) -> None:
    workspace.segments.remove(workspace.segments["All"].id)
    form.value = {"segments": ["All"]}
    form.wait()
    assert "There is no segment &#x27;All&#x27;" in form.sentence
