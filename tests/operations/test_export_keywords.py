"""The options of an export are declared once, and shown by every function that accepts them."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import pytest

import ci_magics as ci
from ci_magics.activation.plans.export_options import ExportKeywords, ExportOptions, with_changes
from ci_magics.grammar.option import Option

if TYPE_CHECKING:
    from ci_magics.workspace.store import Workspace

TAKING = (ci.plan, ci.export, ci.exports.save, ci.exports.edit)
DECLARED = {
    name: next(each for each in get_args(hint) if isinstance(each, Option))
    for name, hint in get_type_hints(ExportKeywords, include_extras=True).items()
}


def test_stored_options_are_the_declared_ones() -> None:
    assert set(ExportOptions.model_fields) | {"email", "url"} == set(DECLARED)
    defaults = {name: option.default for name, option in DECLARED.items()}
    assert with_changes(ExportOptions(), defaults) == ExportOptions()


@pytest.mark.parametrize("function", TAKING, ids=lambda each: each.__name__)
def test_each_option_is_in_the_signature_and_the_help(function: Any) -> None:
    parameters = inspect.signature(function).parameters
    documentation = inspect.getdoc(function) or ""
    assert "options" not in parameters
    for name, option in DECLARED.items():
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert f"\n{name}\n    " in documentation
        assert option.description.split()[0] in documentation
    assert "\noptions\n" not in documentation


def test_default_is_shown_if_an_option_has_one() -> None:
    assert inspect.signature(ci.export).parameters["mode"].default == "mirror"
    assert repr(inspect.signature(ci.exports.edit).parameters["mode"].default) == "<kept>"


@pytest.mark.parametrize("function", [ci.plan, ci.export])
def test_unknown_option_suggests_the_nearest(function: Any, workspace: Workspace) -> None:
    assert workspace
    with pytest.raises(ci.ArgumentError, match=r"no choice 'mod'\. Did you mean 'mode'"):
        function("All", to="Contoso EU", mod="add")
