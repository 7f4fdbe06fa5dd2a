"""Each verb with each role.

Every operation has to be in the matrix, and so has every verb that a role is asked for: a new one that is not here
makes a test fail.
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
from role_setup import PreparedWorkspace

import ci_magics as ci
from ci_magics import activation
from ci_magics.errors import AccessError, CiError
from ci_magics.operations.declarations import FUNCTIONS, NOUNS, declaration
from ci_magics.workspace.access import Role, Verb, role_of

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

pytestmark = pytest.mark.usefixtures("waits")

#: Operations that are not in the matrix, and why.
NOT_TRIED = {
    "doctor": "it asks for no role: it looks at the machine and says how to get one",
    "notifications.clear": "it asks for no role: it changes the keyring of this machine",
    "roles.enforce": "it needs PostgreSQL, where its own tests try it; a test below refuses it",
    "roles.overview": "everybody may read who may do what",
}
SCHEDULER = "refreshes.scheduler.run_scheduler"
OPERATIONS = {*FUNCTIONS, *(each.path for noun in NOUNS.values() for each in noun.verbs().values())}


def _named(row: Row) -> str:
    return f"{row.verb.name.lower()}-{row.operation.rpartition('.')[2]}"


@pytest.fixture
def stage(
    tmp_path: Path, workspace: Workspace, emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch
) -> PreparedWorkspace:
    del workspace
    monkeypatch.setenv("CI_MAGICS_SUBSCRIPTION_KEY", emulator.subscription_key)
    return PreparedWorkspace(tmp_path, emulator)


@pytest.mark.matrix
@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("row", ROWS, ids=_named)
def test_role_allows_its_verbs_and_no_others(
    row: Row, role: Role, stage: PreparedWorkspace, as_user: Callable[..., Workspace]
) -> None:
    row.prepared(stage)
    as_user(f"some {role}", role.value)
    assert role_of(stage.workspace) is role
    if role.includes(LEAST[row.verb]):
        _run(row, stage)
        return
    with pytest.raises(AccessError) as refused:
        row.act(stage)
    assert refused.value.code == "role_too_low"
    assert f"You (some {role}) are a {role} of this workspace" in refused.value.sentence
    assert f"may {row.verb.phrase}." in refused.value.sentence


def _run(row: Row, stage: PreparedWorkspace) -> None:
    """Run it; the user of the emulator is not an account that can be chosen."""
    if row.operation != "connections.choose_account":
        row.act(stage)
        return
    with pytest.raises(CiError, match="No account is signed in"):
        row.act(stage)


@pytest.mark.matrix
@pytest.mark.parametrize("row", [row for row in ROWS if row.through], ids=_named)
def test_verbs_of_a_connection_need_it_to_be_shared(
    row: Row, stage: PreparedWorkspace, as_user: Callable[..., Workspace]
) -> None:
    row.prepared(stage)
    ci.connections.share(contoso.NAME, "administrator")
    as_user("ann", "contributor")
    with pytest.raises(AccessError) as refused:
        row.act(stage)
    assert refused.value.code == "not_shared"


def test_matrix_has_every_verb() -> None:
    assert set(LEAST) == set(Verb)
    assert {verb: verb.minimum_role for verb in Verb} == LEAST
    assert {row.verb for row in ROWS} == set(Verb)


def test_the_matrix_has_every_operation() -> None:
    collections = {each.path for noun in NOUNS.values() for each in noun.verbs().values()}
    listed = {f"{noun}.overview" for noun in NOUNS if hasattr(getattr(ci, noun), "overview")}
    functions = {name for name in ci.__all__ if _takes_workspace(getattr(ci, name))}
    expected = collections | listed | functions | {SCHEDULER}
    assert expected - {row.operation for row in ROWS} == set(NOT_TRIED)
    assert {row.operation for row in ROWS} - expected == {"Plan.apply"}


@pytest.mark.usefixtures("workspace")
def test_only_administrators_enforce_roles(as_user: Callable[..., Workspace]) -> None:
    as_user("ann", "contributor")
    with pytest.raises(AccessError, match="a contributor of this workspace"):
        ci.roles.enforce()


@pytest.mark.parametrize("path", sorted({row.operation for row in ROWS} & OPERATIONS))
def test_an_operation_declares_the_verb_that_it_requires(path: str) -> None:
    assert declaration(path).facts.verb in {row.verb for row in ROWS if row.operation == path}


def test_only_operations_open_the_default_workspace() -> None:
    """A second function with a default workspace would be a second way to the same operation."""
    whole = f"{activation.__name__}."
    modules = [each.name for each in pkgutil.walk_packages(activation.__path__, whole)]
    found = {
        (module.removeprefix(whole), name)
        for module in modules
        for name, value in vars(importlib.import_module(module)).items()
        if inspect.isfunction(value) and value.__module__ == module and _takes_workspace(value)
    }
    public = {(module.removeprefix("activation."), name) for name, module in ci._HOMES.items()}  # noqa: SLF001
    assert {f"{module}.{name}" for module, name in found - public} == {SCHEDULER}


def _takes_workspace(value: object) -> bool:
    """Tell whether something is a function that takes the default workspace unless another is given."""
    if not inspect.isfunction(value):
        return False
    workspace = inspect.signature(value).parameters.get("workspace")
    return workspace is not None and workspace.default is None
