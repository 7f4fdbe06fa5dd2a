"""Each verb of the product times each role.

A function that somebody can call on a workspace has to be in the matrix, and so has every verb that a role is asked
for: a new one that is not here makes a test fail.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import contoso
import pytest
from role_rows import LEAST, ROWS, Row
from role_stage import Stage

import ci_magics as ci
from ci_magics import activation
from ci_magics.errors import AccessError, CiError
from ci_magics.operations.declarations import NOUNS
from ci_magics.workspace.access import Role, Verb, role_of

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

pytestmark = pytest.mark.usefixtures("waits")

#: What asks for no role: it looks at the machine and says how to get one.
OPEN_TO_ALL = {"examination.doctor"}
#: Collections whose verbs are rows by their names in Python.
MATRIX_NOUNS = ("connections", "exports", "segments")


def _named(row: Row) -> str:
    return f"{row.verb.name.lower()}-{row.function.rpartition('.')[2]}"


@pytest.fixture
def stage(tmp_path: Path, workspace: Workspace, emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch) -> Stage:
    del workspace
    monkeypatch.setenv("CI_MAGICS_SUBSCRIPTION_KEY", emulator.subscription_key)
    return Stage(tmp_path, emulator)


@pytest.mark.matrix
@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("row", ROWS, ids=_named)
def test_a_role_may_do_what_it_may_and_nothing_else(
    row: Row, role: Role, stage: Stage, as_user: Callable[..., Workspace]
) -> None:
    row.prepared(stage)
    as_user(f"some {role}", role.value)
    assert role_of(stage.workspace) is role
    if role.includes(LEAST[row.verb]):
        _carried_out(row, stage)
        return
    with pytest.raises(AccessError) as refused:
        row.act(stage)
    assert refused.value.code == "role_too_low"
    assert f"You (some {role}) are a {role} of this workspace" in refused.value.sentence
    assert f"may {row.verb.doing}." in refused.value.sentence


def _carried_out(row: Row, stage: Stage) -> None:
    """Do it; the emulator's own user is no account that could be chosen."""
    if row.function != "connections.choose_account":
        row.act(stage)
        return
    with pytest.raises(CiError, match="No account is signed in"):
        row.act(stage)


@pytest.mark.matrix
@pytest.mark.parametrize("row", [row for row in ROWS if row.through], ids=_named)
def test_what_goes_through_a_connection_needs_it_to_be_shared(
    row: Row, stage: Stage, as_user: Callable[..., Workspace]
) -> None:
    row.prepared(stage)
    ci.connections.share(contoso.NAME, "administrator")
    as_user("ann", "contributor")
    with pytest.raises(AccessError) as refused:
        row.act(stage)
    assert refused.value.code == "not_shared"


def test_the_matrix_has_every_verb() -> None:
    assert set(LEAST) == set(Verb)
    assert {verb: verb.least for verb in Verb} == LEAST
    assert {row.verb for row in ROWS} == set(Verb)


def test_the_matrix_has_every_function_that_is_called_on_a_workspace() -> None:
    whole = f"{activation.__name__}."
    modules = [each.name for each in pkgutil.walk_packages(activation.__path__, whole)]
    found = {
        f"{module.removeprefix(whole)}.{name}"
        for module in modules
        for name, value in vars(importlib.import_module(module)).items()
        if _is_called_on_a_workspace(value, module)
    }
    verbs = {each.path for noun in MATRIX_NOUNS for each in NOUNS[noun].verbs().values()}
    assert (found | verbs) - {row.function for row in ROWS} == OPEN_TO_ALL
    assert len(found | verbs) > 40


def _is_called_on_a_workspace(value: object, module: str) -> bool:
    """Tell whether something is a public function that takes the default workspace unless another is given."""
    if not inspect.isfunction(value) or value.__module__ != module or value.__name__.startswith("_"):
        return False
    workspace = inspect.signature(value).parameters.get("workspace")
    return workspace is not None and workspace.default is None
