from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.utils.capture import capture_output

from ci_magics import errors
from ci_magics.errors import ArgumentError, CiError, SegmentError, nearest_name, without_addresses

if TYPE_CHECKING:
    from conftest import Notebook

SECRET = "jan.de.vries@contoso.com"
PHONE = "06-12345678"


def shown(notebook: Notebook, cell: str) -> str:
    with capture_output() as said:
        notebook.shell.run_cell(cell)
    return str(said.stdout + said.stderr)


def test_error_says_what_happened_and_what_to_do() -> None:
    error = SegmentError("It broke.", "Fix it.", code=7, tracking_id="t-1")
    assert str(error) == "It broke. Fix it. (code 7, TrackingId t-1)"
    assert str(SegmentError("It broke.")) == "It broke."
    assert error._render_traceback_() == [f"SegmentError: {error}"]


@pytest.mark.parametrize(
    "family",
    [
        each
        for each in vars(errors).values()
        if getattr(each, "__module__", "") == errors.__name__ and isinstance(each, type)
    ],
)
def test_every_error_is_a_ci_error(family: type[Exception]) -> None:
    assert issubclass(family, CiError)


@given(st.emails(), st.sampled_from(["{}", "There is no segment '{}'.", "{}: no", "<{}>", "say {}, please"]))
def test_address_in_an_error_is_masked(address: str, sentence: str) -> None:
    error = CiError(sentence.format(address), sentence.format(address))
    assert "@" not in str(error)
    assert sentence.split("{}")[0] in error.sentence


@given(st.text(st.characters(exclude_characters="@")))
def test_text_without_an_address_is_unchanged(text: str) -> None:
    assert without_addresses(text) == text


@pytest.mark.parametrize(
    ("name", "nearest"), [("emial", "EMail"), ("EMAIL", "EMail"), ("spent", "Spend"), ("xyz", None), ("", None)]
)
def test_nearest_name_ignores_case(name: str, nearest: str | None) -> None:
    assert nearest_name(name, ["EMail", "Spend"]) == nearest
    assert nearest_name(name, []) is None


def test_traceback_is_shown_on_request(notebook: Notebook) -> None:
    assert shown(notebook, "%ci_segment A customrs").count("\n") == 1
    whole = shown(notebook, "%tb")
    assert "names.py" in whole
    assert "NotFoundError: There is no variable 'customrs'" in whole
    notebook.run("%config CiMagics.short_errors = False")
    assert "names.py" in shown(notebook, "%ci_segment A customrs")


@pytest.mark.parametrize("mode", ["", "Verbose"])
def test_traceback_contains_no_address(notebook: Notebook, mode: str) -> None:
    notebook.run("%config CiMagics.short_errors = False")
    notebook.variables["customers"] = notebook.variables["customers"].assign(EMail=SECRET)
    cell = f"%ci_segment A customers --where \"EMail = '{SECRET}' AND EMail::INTEGER = 1\""
    for text in (shown(notebook, cell), shown(notebook, f"%tb {mode}")):
        assert "SegmentError: The condition cannot be used" in text
        assert "queries.py" in text
        assert "contoso" not in text


class _FailingFrame:
    """A frame whose error quotes a value, as errors of libraries do."""

    columns = ("EMail",)

    def __arrow_c_stream__(self, _schema: object = None) -> object:
        raise RuntimeError(SECRET)

    def select(self, _columns: list[str]) -> object:
        raise RuntimeError(f"cannot read '{SECRET}' of {PHONE}")


def test_messages_of_other_libraries_are_not_repeated(notebook: Notebook) -> None:
    notebook.variables["spoiled"] = _FailingFrame()
    text = shown(notebook, "%ci_segment A spoiled")
    assert text.startswith("CiError: %ci_segment failed unexpectedly (RuntimeError). See where with %tb")
    assert text.count("\n") == 1
    notebook.run("%config CiMagics.short_errors = False")
    for whole in (shown(notebook, "%ci_segment A spoiled"), shown(notebook, "%tb")):
        assert "in select" in whole
        assert "RuntimeError" in whole
        assert "contoso" not in whole
        assert PHONE not in whole


def test_public_function_fails_in_one_line_too(notebook: Notebook) -> None:
    text = shown(notebook, "import ci_magics as ci\nci.segment('A', customers, email='EMial')")
    assert text.startswith("SegmentError: There is no column 'EMial'. Did you mean 'EMail'?")
    assert text.count("\n") == 1


def test_interrupt_of_a_magic_is_passed_on(notebook: Notebook) -> None:
    class Stopped(_FailingFrame):
        def select(self, _columns: list[str]) -> object:
            raise KeyboardInterrupt

    notebook.variables["stopped"] = Stopped()
    with capture_output():
        result = notebook.shell.run_cell("%ci_segment A stopped")
    assert isinstance(result.error_in_exec, KeyboardInterrupt)
    assert not isinstance(result.error_in_exec, ArgumentError)
