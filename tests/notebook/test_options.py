"""Options: their sources, which one takes precedence, and where invalid values are refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from IPython.utils.capture import capture_output

from ci_magics.errors import ArgumentError
from ci_magics.notebook.options import DEFAULT, OPTIONS, SET, OptionList, OptionRefused, known_option

if TYPE_CHECKING:
    from conftest import Notebook


def listed(notebook: Notebook) -> OptionList:
    found = notebook.run("%ci_config --sources")
    assert isinstance(found, OptionList)
    return found


def reload(notebook: Notebook) -> OptionList:
    notebook.run("%reload_ext ci_magics")
    return listed(notebook)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the pyproject.toml in the folder above that of the notebook."""
    folder = tmp_path / "analysis"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return tmp_path / "pyproject.toml"


def test_option_has_its_default_if_it_is_not_set(notebook: Notebook, project: Path) -> None:
    assert not project.exists()
    found = reload(notebook)
    assert found.values == {name: option.default for name, option in OPTIONS.items()}
    assert set(found.sources.values()) == {DEFAULT}


def test_each_source_takes_precedence_over_those_below_it(
    notebook: Notebook, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write_text("[tool.ci-magics]\nnormalization = 'enhanced'\nshort-errors = false\nprogress = false\n")
    monkeypatch.setenv("CI_MAGICS_PROGRESS", "on")
    monkeypatch.setenv("CI_MAGICS_SHORT_ERRORS", "1")
    reload(notebook)
    notebook.run("%config CiMagics.short_errors = False")
    found = listed(notebook)
    assert found.values == {"normalization": "enhanced", "progress": True, "short_errors": False}
    assert found.sources == {
        "normalization": "[tool.ci-magics] of pyproject.toml",
        "progress": "CI_MAGICS_PROGRESS",
        "short_errors": SET,
    }
    assert "CI_MAGICS_PROGRESS" in repr(found)
    assert "CI_MAGICS_PROGRESS" not in repr(notebook.run("%ci_config"))


def test_ipython_profile_takes_precedence(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_MAGICS_PROGRESS", "1")
    notebook.shell.config.CiMagics.progress = False
    found = reload(notebook)
    assert (found.values["progress"], found.sources["progress"]) == (False, SET)


@pytest.mark.parametrize("name", OPTIONS)
def test_both_ways_of_setting_an_option_are_equivalent(notebook: Notebook, name: str) -> None:
    value = OPTIONS[name].values[-1]
    notebook.run(f"%ci_config {name}={value}")
    assert listed(notebook).sources[name] == SET
    assert str(notebook.run(f"%config CiMagics.{name}")) == value
    first = OPTIONS[name].values[0]
    notebook.run(
        f"%config CiMagics.{name} = {first!r}" if OPTIONS[name].choices else f"%config CiMagics.{name}={first}"
    )
    assert str(listed(notebook).values[name]) == first


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("normalization", "'basics'", "option_value"),
        ("progress", "'maybe'", "option_value"),
        ("progres", "True", "unknown_option"),
    ],
)
def test_invalid_option_is_refused_where_it_is_set(notebook: Notebook, name: str, value: str, code: str) -> None:
    error = notebook.fail(f"%ci_config {name}={value.strip(chr(39))}")
    assert error.code == code
    with capture_output() as said:
        result = notebook.shell.run_cell(f"%config CiMagics.{name} = {value}\nreached = True")
    assert isinstance(result.error_in_exec, OptionRefused)
    assert str(result.error_in_exec) == str(error)
    assert said.stdout.splitlines() == [f"ArgumentError: {error}"]
    assert "reached" not in notebook.variables
    assert set(listed(notebook).sources.values()) == {DEFAULT}


@pytest.mark.parametrize("environment", [True, False])
def test_invalid_option_outside_the_notebook_is_refused_on_loading(
    notebook: Notebook, project: Path, monkeypatch: pytest.MonkeyPatch, *, environment: bool
) -> None:
    if environment:
        monkeypatch.setenv("CI_MAGICS_NORMALIZATION", "loose")
    else:
        project.write_text("[tool.ci-magics]\nnormalization = 'loose'\n")
    error = notebook.fail("%reload_ext ci_magics")
    assert "The option normalization cannot be 'loose' in" in error.sentence
    assert ("CI_MAGICS_NORMALIZATION" if environment else "pyproject.toml") in error.sentence


@pytest.mark.parametrize("line", ["progress = off", "progress =off", "progress= off", "=off", "progress="])
def test_blanks_around_an_equals_sign_are_reported(notebook: Notebook, line: str) -> None:
    error = notebook.fail(f"%ci_config {line}")
    assert error.sentence == "There are spaces around an equals sign, or nothing on one side of it."
    assert "without spaces" in error.next_step


def test_misspelled_option_suggests_the_nearest(notebook: Notebook) -> None:
    assert "Did you mean progress?" in notebook.fail("%ci_config progess=1").sentence
    assert notebook.fail("%ci_config progress").next_step.startswith("Write progress=VALUE")
    assert notebook.fail("%ci_config progress").sentence == "'progress' has no value."
    with pytest.raises(ArgumentError, match=r"There is no option environment\."):
        known_option("environment")  # the environment is an argument


def test_argument_takes_precedence_over_an_option(notebook: Notebook) -> None:
    notebook.run("%ci_segment A customers --quiet\n%ci_config normalization=both --quiet")
    assert notebook.run("%ci_preview A").normalization == "both"
    assert notebook.run("%ci_preview A --normalization enhanced").normalization == "enhanced"
