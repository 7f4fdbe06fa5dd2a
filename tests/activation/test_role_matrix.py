"""Each verb of the product times each role.

A function that somebody can call on a workspace has to be in the matrix, and so has every verb that a role is asked
for: a new one that is not here makes a test fail.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import contoso
import pytest

import ci_magics as ci
from ci_magics import activation
from ci_magics.activation import connection_verbs, notifying
from ci_magics.activation.accounts import list_accounts
from ci_magics.activation.audiences import audiences
from ci_magics.activation.connection_removal import remove_connection
from ci_magics.activation.consenting import withdraw_consents
from ci_magics.activation.customer_insights import verbs as insights_verbs
from ci_magics.activation.forgetting import forget
from ci_magics.activation.retention import purge
from ci_magics.activation.scheduler import run_scheduler
from ci_magics.activation.sharing import share_connection
from ci_magics.errors import AccessError, CiError
from ci_magics.workspace.access import Role, Verb, give_role, role_of, take_role

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

pytestmark = pytest.mark.usefixtures("waits")

#: What needs no role: it looks at the machine, and says how to get one.
OPEN_TO_ALL = {"examination.doctor"}

VIEWER, CONTRIBUTOR, ADMINISTRATOR = Role.VIEWER, Role.CONTRIBUTOR, Role.ADMINISTRATOR

#: What each role may at least do, said once more here: whoever moves a verb has to say so twice.
LEAST = {
    Verb.LIST_CONNECTIONS: VIEWER,
    Verb.LIST_SEGMENTS: VIEWER,
    Verb.PREVIEW: VIEWER,
    Verb.SHOW_STATUS: VIEWER,
    Verb.LIST_EXPORTS: VIEWER,
    Verb.LIST_AUDIENCES: VIEWER,
    Verb.OPEN_CONNECTION: CONTRIBUTOR,
    Verb.READ_INSIGHTS: CONTRIBUTOR,
    Verb.MAKE_SEGMENT: CONTRIBUTOR,
    Verb.CHANGE_SEGMENT: CONTRIBUTOR,
    Verb.REFRESH_SEGMENT: CONTRIBUTOR,
    Verb.DELETE_SEGMENT: CONTRIBUTOR,
    Verb.DOWNLOAD_KEYS: CONTRIBUTOR,
    Verb.PLAN_EXPORT: CONTRIBUTOR,
    Verb.RUN_EXPORT: CONTRIBUTOR,
    Verb.RESUME_RUN: CONTRIBUTOR,
    Verb.SAVE_EXPORT: CONTRIBUTOR,
    Verb.EDIT_EXPORT: CONTRIBUTOR,
    Verb.DUPLICATE_EXPORT: CONTRIBUTOR,
    Verb.DETACH_EXPORT: CONTRIBUTOR,
    Verb.REMOVE_EXPORT: CONTRIBUTOR,
    Verb.SCHEDULE_EXPORT: CONTRIBUTOR,
    Verb.REFRESH_ALL: CONTRIBUTOR,
    Verb.RENAME_AUDIENCE: CONTRIBUTOR,
    Verb.CREATE_CONNECTION: ADMINISTRATOR,
    Verb.EDIT_CONNECTION: ADMINISTRATOR,
    Verb.SHARE_CONNECTION: ADMINISTRATOR,
    Verb.GIVE_CONSENT: ADMINISTRATOR,
    Verb.WITHDRAW_CONSENT: ADMINISTRATOR,
    Verb.REMOVE_CONNECTION: ADMINISTRATOR,
    Verb.EMPTY_AUDIENCE: ADMINISTRATOR,
    Verb.DELETE_AUDIENCE: ADMINISTRATOR,
    Verb.SUPPRESS: ADMINISTRATOR,
    Verb.SET_SYSTEM_SCHEDULE: ADMINISTRATOR,
    Verb.SET_NOTIFICATIONS: ADMINISTRATOR,
    Verb.FORGET_PERSON: ADMINISTRATOR,
    Verb.PURGE: ADMINISTRATOR,
    Verb.READ_AUDIT: ADMINISTRATOR,
    Verb.GIVE_ROLE: ADMINISTRATOR,
}


def quietly(_sentence: str) -> None:
    """Nobody listens."""


class Stage:
    """What an administrator has prepared."""

    def __init__(self, folder: Path, emulator: RunningEmulator) -> None:
        self.folder = folder
        self.emulator = emulator
        self.plan: Any = None

    @property
    def workspace(self) -> Workspace:
        """The workspace as whoever works here sees it."""
        return ci.open_workspace()

    def connected(self) -> None:
        contoso.connect(share=["viewer"])

    def made(self) -> None:
        self.connected()
        contoso.people(3).to_csv(self.folder / "people.csv", index=False)
        ci.segment("All", str(self.folder / "people.csv"), key="Id", show=quietly)
        contoso.segment(2, name="Other")

    def suppressed(self) -> None:
        self.made()
        ci.suppress_segment("All")

    def planned(self) -> None:
        self.made()
        self.plan = contoso.planned("All")

    def reading(self) -> None:
        ci.insights("Contoso", show=quietly)

    def filled(self) -> None:
        self.made()
        contoso.export("All")

    def saved(self) -> None:
        self.made()
        ci.export("All", to=contoso.NAME, save="daily", show=quietly)

    def ran(self) -> None:
        self.saved()
        ci.run_export("daily")

    def interrupted(self) -> None:
        self.made()
        contoso.fail(self.emulator, "AddAudiences", *["http_500"] * 5)
        with pytest.raises(CiError):
            contoso.export("All")
        self.emulator.control("POST", "/faults", [])

    def run_name(self) -> str:
        (run,) = self.workspace.runs
        return run.name

    def entry(self) -> str:
        return next(iter(self.workspace.export_runs)).id

    def nothing(self) -> None:
        """Begin with an empty workspace."""


@dataclass(frozen=True)
class Row:
    """A verb: which function does it, what it needs, and how it is done.

    Parameters
    ----------
    verb
        What the role is asked for.
    function
        The function, by module and name.
    prepared
        What an administrator does before.
    act
        Does it.
    through
        Whether it goes through a connection, which then has to be shared.
    """

    verb: Verb
    function: str
    prepared: Callable[[Stage], None]
    act: Callable[[Stage], Any]
    through: bool = False


def lists() -> Any:
    return audiences(contoso.NAME, show=quietly)


ROWS = (
    Row(Verb.LIST_CONNECTIONS, "accounts.list_accounts", Stage.connected, lambda _: list_accounts()),
    Row(Verb.LIST_SEGMENTS, "segment_list.list_segments", Stage.made, lambda _: ci.list_segments()),
    Row(Verb.LIST_SEGMENTS, "segment_verbs.segment_usage", Stage.made, lambda _: ci.segment_usage("All")),
    Row(Verb.LIST_SEGMENTS, "segment_verbs.segment_history", Stage.made, lambda _: ci.segment_history("All")),
    Row(Verb.PREVIEW, "previews.preview", Stage.made, lambda _: ci.preview("All", to=contoso.NAME), through=True),
    Row(Verb.PREVIEW, "overlap.overlap", Stage.made, lambda _: ci.overlap("All", "Other")),
    Row(
        Verb.PREVIEW,
        "differentiating.differentiators",
        Stage.made,
        lambda _: ci.differentiators("All", "Other", contoso.people(3)),
    ),
    Row(Verb.SHOW_STATUS, "status.status", Stage.filled, lambda _: ci.status(show=quietly)),
    Row(Verb.LIST_EXPORTS, "export_list.list_exports", Stage.saved, lambda _: ci.list_exports()),
    Row(Verb.LIST_EXPORTS, "export_history.show_export", Stage.saved, lambda _: ci.show_export("daily")),
    Row(Verb.LIST_EXPORTS, "export_history.export_history", Stage.saved, lambda _: ci.export_history()),
    Row(
        Verb.LIST_EXPORTS,
        "export_history.export_run_details",
        Stage.ran,
        lambda stage: ci.export_run_details(stage.entry()),
    ),
    Row(Verb.LIST_EXPORTS, "system_schedule.system_schedule", Stage.nothing, lambda _: ci.system_schedule()),
    Row(Verb.LIST_AUDIENCES, "audiences.audiences", Stage.filled, lambda _: lists(), through=True),
    Row(Verb.OPEN_CONNECTION, "connections.connect", Stage.connected, lambda _: ci.connect(contoso.NAME), through=True),
    Row(
        Verb.OPEN_CONNECTION,
        "connection_verbs.sign_in_again",
        Stage.connected,
        lambda _: connection_verbs.sign_in_again(contoso.NAME, show=quietly),
        through=True,
    ),
    Row(
        Verb.OPEN_CONNECTION,
        "connection_verbs.sign_out",
        Stage.connected,
        lambda _: connection_verbs.sign_out(contoso.NAME, show=quietly),
        through=True,
    ),
    Row(
        Verb.OPEN_CONNECTION,
        "connection_verbs.signed_in_accounts",
        Stage.connected,
        lambda _: connection_verbs.signed_in_accounts(contoso.NAME, show=quietly),
        through=True,
    ),
    Row(
        Verb.OPEN_CONNECTION,
        "connection_verbs.choose_account",
        Stage.connected,
        lambda _: connection_verbs.choose_account(contoso.NAME, 1, show=quietly),
        through=True,
    ),
    Row(
        Verb.READ_INSIGHTS,
        "customer_insights.opening.insights",
        Stage.nothing,
        lambda _: ci.insights("Contoso", show=quietly),
    ),
    Row(
        Verb.READ_INSIGHTS,
        "customer_insights.verbs.sign_in_again",
        Stage.reading,
        lambda _: insights_verbs.sign_in_again("Contoso", show=quietly),
    ),
    Row(
        Verb.READ_INSIGHTS,
        "customer_insights.verbs.sign_out",
        Stage.reading,
        lambda _: insights_verbs.sign_out("Contoso", show=quietly),
    ),
    Row(
        Verb.READ_INSIGHTS,
        "customer_insights.verbs.remove_insights",
        Stage.reading,
        lambda _: insights_verbs.remove_insights("Contoso", show=quietly),
    ),
    Row(Verb.MAKE_SEGMENT, "segments.segment", Stage.nothing, lambda _: contoso.segment(3)),
    Row(Verb.MAKE_SEGMENT, "segment_verbs.duplicate_segment", Stage.made, lambda _: ci.duplicate_segment("All", "New")),
    Row(Verb.CHANGE_SEGMENT, "segment_verbs.rename_segment", Stage.made, lambda _: ci.rename_segment("All", "New")),
    Row(Verb.CHANGE_SEGMENT, "segment_verbs.activate_segment", Stage.made, lambda _: ci.activate_segment("All")),
    Row(Verb.CHANGE_SEGMENT, "segment_verbs.tag_segment", Stage.made, lambda _: ci.tag_segment("All", ["spring"])),
    Row(
        Verb.REFRESH_SEGMENT,
        "segments.refresh_segment",
        Stage.made,
        lambda _: ci.refresh_segment("All", show=quietly),
    ),
    Row(Verb.DELETE_SEGMENT, "segment_verbs.delete_segment", Stage.made, lambda _: ci.delete_segment("All")),
    Row(
        Verb.DOWNLOAD_KEYS,
        "segment_verbs.download_keys",
        Stage.made,
        lambda stage: ci.download_keys("All", stage.folder / "keys.csv"),
    ),
    Row(Verb.PLAN_EXPORT, "exports.export", Stage.made, lambda _: contoso.planned("All"), through=True),
    Row(Verb.RUN_EXPORT, "exports.export", Stage.made, lambda _: contoso.export("All"), through=True),
    Row(Verb.RUN_EXPORT, "plan.Plan.apply", Stage.planned, lambda stage: _loaded(stage).apply(), through=True),
    Row(Verb.RUN_EXPORT, "export_runs.run_export", Stage.saved, lambda _: ci.run_export("daily"), through=True),
    Row(Verb.RUN_EXPORT, "several_exports.run_exports", Stage.saved, lambda _: ci.run_exports()),
    Row(
        Verb.RUN_EXPORT,
        "comparison.compare_normalizations",
        Stage.made,
        lambda _: _unless_too_few(lambda: ci.compare_normalizations("All", to=contoso.NAME)),
        through=True,
    ),
    Row(
        Verb.RESUME_RUN,
        "exports.export",
        Stage.interrupted,
        lambda stage: contoso.resumed(stage.run_name()),
        through=True,
    ),
    Row(
        Verb.SAVE_EXPORT,
        "exports.export",
        Stage.made,
        lambda _: ci.export("All", to=contoso.NAME, save="daily", show=quietly),
        through=True,
    ),
    Row(
        Verb.EDIT_EXPORT,
        "export_edits.edit_export",
        Stage.saved,
        lambda _: ci.edit_export("daily", rename="new"),
        through=True,
    ),
    Row(
        Verb.DUPLICATE_EXPORT,
        "saved_exports.duplicate_export",
        Stage.saved,
        lambda _: ci.duplicate_export("daily", "new"),
        through=True,
    ),
    Row(
        Verb.DETACH_EXPORT,
        "saved_exports.detach_export",
        Stage.saved,
        lambda _: ci.detach_export("daily"),
        through=True,
    ),
    Row(
        Verb.REMOVE_EXPORT,
        "export_removal.remove_export",
        Stage.saved,
        lambda _: ci.remove_export("daily"),
        through=True,
    ),
    Row(
        Verb.SCHEDULE_EXPORT,
        "export_schedules.schedule_export",
        Stage.saved,
        lambda _: ci.schedule_export("daily", at=["06:00"]),
        through=True,
    ),
    Row(Verb.REFRESH_ALL, "refreshing.refresh", Stage.saved, lambda _: ci.refresh(show=quietly)),
    Row(Verb.REFRESH_ALL, "scheduler.run_scheduler", Stage.saved, lambda _: _schedule_for_a_moment()),
    Row(
        Verb.RENAME_AUDIENCE,
        "audience_verbs.rename_audience",
        Stage.filled,
        lambda _: lists().rename("All", "New", confirm="All"),
        through=True,
    ),
    Row(
        Verb.CREATE_CONNECTION,
        "connections.connect",
        Stage.nothing,
        lambda _: ci.connect("New", customer_id="222", account_id="112"),
    ),
    Row(
        Verb.EDIT_CONNECTION,
        "connection_verbs.edit_connection",
        Stage.connected,
        lambda _: connection_verbs.edit_connection(contoso.NAME, rename="New", show=quietly),
    ),
    Row(
        Verb.SHARE_CONNECTION,
        "sharing.share_connection",
        Stage.connected,
        lambda _: share_connection(contoso.NAME, ["contributor"]),
    ),
    Row(
        Verb.GIVE_CONSENT,
        "connections.connect",
        lambda _: contoso.connect(share=["viewer"], accept_terms=False),
        lambda _: ci.connect(contoso.NAME, accept_terms=True),
    ),
    Row(
        Verb.WITHDRAW_CONSENT,
        "consenting.withdraw_consents",
        Stage.connected,
        lambda _: withdraw_consents(contoso.NAME, show=quietly),
    ),
    Row(
        Verb.REMOVE_CONNECTION,
        "connection_removal.remove_connection",
        Stage.connected,
        lambda _: remove_connection(contoso.NAME, show=quietly),
    ),
    Row(
        Verb.EMPTY_AUDIENCE,
        "audience_verbs.empty_audience",
        Stage.filled,
        lambda _: lists().empty("All", confirm="All"),
    ),
    Row(
        Verb.DELETE_AUDIENCE,
        "audience_verbs.delete_audience",
        Stage.filled,
        lambda _: lists().delete("All", confirm="All"),
    ),
    Row(Verb.SUPPRESS, "segment_verbs.suppress_segment", Stage.made, lambda _: ci.suppress_segment("All")),
    Row(Verb.SUPPRESS, "segment_verbs.end_suppression", Stage.suppressed, lambda _: ci.end_suppression("All")),
    Row(
        Verb.SET_SYSTEM_SCHEDULE,
        "system_schedule.set_system_schedule",
        Stage.nothing,
        lambda _: ci.set_system_schedule(at=["06:00"]),
    ),
    Row(Verb.LIST_EXPORTS, "notifying.notification_limits", Stage.nothing, lambda _: notifying.notification_limits()),
    Row(
        Verb.SET_NOTIFICATIONS,
        "notifying.set_notification_limits",
        Stage.nothing,
        lambda _: notifying.set_notification_limits(notifying.Limits()),
    ),
    Row(
        Verb.FORGET_PERSON,
        "forgetting.forget",
        Stage.made,
        lambda _: forget(sha256=contoso.hash_of("p0@contoso.com"), show=quietly),
    ),
    Row(Verb.PURGE, "retention.purge", Stage.nothing, lambda _: purge()),
    Row(Verb.READ_AUDIT, "Workspace.audit", Stage.nothing, lambda stage: stage.workspace.audit.to_frame()),
    Row(Verb.GIVE_ROLE, "access.give_role", Stage.nothing, lambda stage: give_role(stage.workspace, "bob", "viewer")),
    Row(
        Verb.GIVE_ROLE,
        "access.take_role",
        lambda stage: give_role(stage.workspace, "bob", "viewer") and None,
        lambda stage: take_role(stage.workspace, "bob"),
    ),
)


def _schedule_for_a_moment() -> None:
    """Start a scheduler that ends at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ci_magics.activation.scheduler.BlockingScheduler.start", lambda _scheduler: None)
        patch.setattr("ci_magics.activation.scheduler._end_when_told", lambda _scheduler: None)
        run_scheduler(show=quietly)


def _loaded(stage: Stage) -> ci.Plan:
    """Return the plan as somebody else finds it in a file."""
    return ci.Plan.load(stage.plan.save(stage.folder / "plan.json"))


def _unless_too_few(act: Callable[[], Any]) -> Any:
    """Do something, for which three people are too few: that is found out after the roles were looked at."""
    with pytest.raises(CiError) as refused:
        act()
    if refused.value.code != "too_few_differ":
        raise refused.value


def _named(row: Row) -> str:
    return f"{row.verb.name.lower()}-{row.function.rpartition('.')[2]}"


@pytest.fixture
def stage(tmp_path: Path, workspace: Workspace, emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch) -> Stage:
    del workspace
    monkeypatch.setenv("CI_MAGICS_SUBSCRIPTION_KEY", emulator.subscription_key)
    return Stage(tmp_path, emulator)


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
    if row.function != "connection_verbs.choose_account":
        row.act(stage)
        return
    with pytest.raises(CiError, match="There is no account 1"):
        row.act(stage)


@pytest.mark.parametrize("row", [row for row in ROWS if row.through], ids=_named)
def test_what_goes_through_a_connection_needs_it_to_be_shared(
    row: Row, stage: Stage, as_user: Callable[..., Workspace]
) -> None:
    row.prepared(stage)
    share_connection(contoso.NAME, ["administrator"])
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
    assert found - {row.function for row in ROWS} == OPEN_TO_ALL
    assert len(found) > 40


def _is_called_on_a_workspace(value: object, module: str) -> bool:
    """Tell whether something is a public function that takes the default workspace unless another is given."""
    if not inspect.isfunction(value) or value.__module__ != module or value.__name__.startswith("_"):
        return False
    workspace = inspect.signature(value).parameters.get("workspace")
    return workspace is not None and workspace.default is None
