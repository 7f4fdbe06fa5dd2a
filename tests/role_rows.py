"""Each verb: its least role, the operation that needs it, and how to run it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import contoso
import pytest
from role_setup import PreparedWorkspace, quietly

import ci_magics as ci
from ci_magics.activation.audiences.audience_list import audiences
from ci_magics.activation.connections import emulator_process
from ci_magics.activation.erasure.forget import forget
from ci_magics.activation.refreshes.scheduler import run_scheduler
from ci_magics.activation.retention import purge
from ci_magics.clock import SystemClock
from ci_magics.errors import CiError
from ci_magics.workspace.access import Role, Verb

VIEWER, CONTRIBUTOR, ADMINISTRATOR = Role.VIEWER, Role.CONTRIBUTOR, Role.ADMINISTRATOR

#: The least role for each verb, stated a second time: a change must be made twice.
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
    Verb.PLAN_EXPORT: VIEWER,
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


@dataclass(frozen=True)
class Row:
    """A verb: its operation, its preconditions, and how to run it.

    Parameters
    ----------
    verb
        The verb that is checked.
    operation
        The operation by its Python name; for the scheduler, its function.
    prepared
        What an administrator does first.
    act
        Runs it.
    through
        Whether it uses a connection, which then must be shared.
    """

    verb: Verb
    operation: str
    prepared: Callable[[PreparedWorkspace], None]
    act: Callable[[PreparedWorkspace], Any]
    through: bool = False


def lists() -> Any:
    return audiences(contoso.NAME, show=quietly)


ROWS = (
    Row(
        Verb.LIST_CONNECTIONS,
        "connections.overview",
        PreparedWorkspace.with_connection,
        lambda _: ci.connections.overview(),
    ),
    Row(Verb.LIST_SEGMENTS, "segments.overview", PreparedWorkspace.with_segments, lambda _: ci.segments.overview()),
    Row(Verb.LIST_SEGMENTS, "segments.usage", PreparedWorkspace.with_segments, lambda _: ci.segments.usage("All")),
    Row(
        Verb.LIST_SEGMENTS,
        "segments.history",
        PreparedWorkspace.with_segments,
        lambda _: ci.segments.history("All"),
    ),
    Row(
        Verb.LIST_SEGMENTS, "segments.versions", PreparedWorkspace.with_segments, lambda _: ci.segments.versions("All")
    ),
    Row(
        Verb.CHANGE_SEGMENT,
        "segments.undo",
        PreparedWorkspace.with_replaced_segment,
        lambda _: ci.segments.undo("Other", show=quietly),
    ),
    Row(
        Verb.CHANGE_SEGMENT,
        "segments.redo",
        PreparedWorkspace.with_undone_segment,
        lambda _: ci.segments.redo("Other", show=quietly),
    ),
    Row(
        Verb.PREVIEW,
        "preview",
        PreparedWorkspace.with_segments,
        lambda _: ci.preview("All", to=contoso.NAME),
        through=True,
    ),
    Row(Verb.PREVIEW, "overlap", PreparedWorkspace.with_segments, lambda _: ci.overlap("All", "Other")),
    Row(
        Verb.PREVIEW,
        "differentiators",
        PreparedWorkspace.with_segments,
        lambda _: ci.differentiators("All", "Other", contoso.people(3)),
    ),
    Row(Verb.SHOW_STATUS, "status", PreparedWorkspace.with_audience, lambda _: ci.status(show=quietly)),
    Row(Verb.SHOW_STATUS, "runs.overview", PreparedWorkspace.with_audience, lambda _: ci.runs.overview()),
    Row(Verb.SHOW_STATUS, "runs.unfinished", PreparedWorkspace.with_audience, lambda _: ci.runs.unfinished()),
    Row(Verb.SHOW_STATUS, "emulator.status", PreparedWorkspace.without_anything, lambda _: ci.emulator.status()),
    Row(Verb.LIST_EXPORTS, "exports.overview", PreparedWorkspace.with_saved_export, lambda _: ci.exports.overview()),
    Row(Verb.LIST_EXPORTS, "exports.show", PreparedWorkspace.with_saved_export, lambda _: ci.exports.show("daily")),
    Row(Verb.LIST_EXPORTS, "exports.history", PreparedWorkspace.with_saved_export, lambda _: ci.exports.history()),
    Row(
        Verb.LIST_EXPORTS,
        "exports.run_details",
        PreparedWorkspace.with_export_run,
        lambda stage: ci.exports.run_details(stage.entry()),
    ),
    Row(
        Verb.LIST_EXPORTS,
        "exports.system_schedule",
        PreparedWorkspace.without_anything,
        lambda _: ci.exports.system_schedule(),
    ),
    Row(Verb.LIST_AUDIENCES, "audiences", PreparedWorkspace.with_audience, lambda _: lists(), through=True),
    Row(
        Verb.OPEN_CONNECTION,
        "connect",
        PreparedWorkspace.with_connection,
        lambda _: ci.connect(contoso.NAME),
        through=True,
    ),
    Row(
        Verb.OPEN_CONNECTION,
        "connections.sign_in",
        PreparedWorkspace.with_connection,
        lambda _: ci.connections.sign_in(contoso.NAME, show=quietly),
        through=True,
    ),
    Row(
        Verb.OPEN_CONNECTION,
        "connections.sign_out",
        PreparedWorkspace.with_connection,
        lambda _: ci.connections.sign_out(contoso.NAME, show=quietly),
        through=True,
    ),
    Row(
        Verb.OPEN_CONNECTION,
        "connections.accounts",
        PreparedWorkspace.with_connection,
        lambda _: ci.connections.accounts(contoso.NAME, show=quietly),
        through=True,
    ),
    Row(
        Verb.OPEN_CONNECTION,
        "connections.choose_account",
        PreparedWorkspace.with_connection,
        lambda _: ci.connections.choose_account(contoso.NAME, 1, show=quietly),
        through=True,
    ),
    Row(
        Verb.READ_INSIGHTS,
        "insights",
        PreparedWorkspace.without_anything,
        lambda _: ci.insights("Contoso", show=quietly),
    ),
    Row(
        Verb.READ_INSIGHTS,
        "connections.sign_in",
        PreparedWorkspace.with_insights,
        lambda _: ci.connections.sign_in("Contoso", show=quietly),
    ),
    Row(
        Verb.READ_INSIGHTS,
        "connections.sign_out",
        PreparedWorkspace.with_insights,
        lambda _: ci.connections.sign_out("Contoso", show=quietly),
    ),
    Row(
        Verb.READ_INSIGHTS,
        "connections.remove",
        PreparedWorkspace.with_insights,
        lambda _: ci.connections.remove("Contoso", show=quietly),
    ),
    Row(Verb.MAKE_SEGMENT, "segment", PreparedWorkspace.without_anything, lambda _: contoso.segment(3)),
    Row(
        Verb.MAKE_SEGMENT,
        "segments.duplicate",
        PreparedWorkspace.with_segments,
        lambda _: ci.segments.duplicate("All", "New"),
    ),
    Row(
        Verb.CHANGE_SEGMENT,
        "segments.rename",
        PreparedWorkspace.with_segments,
        lambda _: ci.segments.rename("All", "New"),
    ),
    Row(
        Verb.CHANGE_SEGMENT,
        "segments.activate",
        PreparedWorkspace.with_segments,
        lambda _: ci.segments.activate("All"),
    ),
    Row(
        Verb.CHANGE_SEGMENT,
        "segments.deactivate",
        PreparedWorkspace.with_segments,
        lambda _: ci.segments.deactivate("All"),
    ),
    Row(
        Verb.CHANGE_SEGMENT,
        "segments.tag",
        PreparedWorkspace.with_segments,
        lambda _: ci.segments.tag("All", "spring"),
    ),
    Row(
        Verb.REFRESH_SEGMENT,
        "segments.refresh",
        PreparedWorkspace.with_segments,
        lambda _: ci.segments.refresh("All", show=quietly),
    ),
    Row(
        Verb.DELETE_SEGMENT,
        "segments.delete",
        PreparedWorkspace.with_segments,
        lambda _: ci.segments.delete("All"),
    ),
    Row(
        Verb.DOWNLOAD_KEYS,
        "segments.download",
        PreparedWorkspace.with_segments,
        lambda stage: ci.segments.download("All", stage.folder / "keys.csv"),
    ),
    Row(Verb.PLAN_EXPORT, "plan", PreparedWorkspace.with_segments, lambda _: contoso.planned("All"), through=True),
    Row(Verb.RUN_EXPORT, "export", PreparedWorkspace.with_segments, lambda _: contoso.export("All"), through=True),
    Row(Verb.RUN_EXPORT, "Plan.apply", PreparedWorkspace.with_plan, lambda stage: _loaded(stage).apply(), through=True),
    Row(
        Verb.RUN_EXPORT,
        "exports.run",
        PreparedWorkspace.with_saved_export,
        lambda _: ci.exports.run("daily"),
        through=True,
    ),
    Row(Verb.RUN_EXPORT, "exports.run_all", PreparedWorkspace.with_saved_export, lambda _: ci.exports.run_all()),
    Row(Verb.RUN_EXPORT, "emulator.stop", PreparedWorkspace.without_anything, lambda stage: _stop_own_emulator(stage)),
    Row(
        Verb.RUN_EXPORT,
        "compare_normalizations",
        PreparedWorkspace.with_segments,
        lambda _: _unless_too_few(lambda: ci.compare_normalizations("All", to=contoso.NAME)),
        through=True,
    ),
    Row(
        Verb.RESUME_RUN,
        "runs.resume",
        PreparedWorkspace.with_interrupted_run,
        lambda stage: contoso.resumed(stage.run_name()),
        through=True,
    ),
    Row(
        Verb.SAVE_EXPORT,
        "exports.save",
        PreparedWorkspace.with_segments,
        lambda _: ci.exports.save("daily", "All", to=contoso.NAME, show=quietly),
        through=True,
    ),
    Row(
        Verb.EDIT_EXPORT,
        "exports.edit",
        PreparedWorkspace.with_saved_export,
        lambda _: ci.exports.edit("daily", rename="new"),
        through=True,
    ),
    Row(
        Verb.DUPLICATE_EXPORT,
        "exports.duplicate",
        PreparedWorkspace.with_saved_export,
        lambda _: ci.exports.duplicate("daily", "new"),
        through=True,
    ),
    Row(
        Verb.DETACH_EXPORT,
        "exports.detach",
        PreparedWorkspace.with_saved_export,
        lambda _: ci.exports.detach("daily"),
        through=True,
    ),
    Row(
        Verb.REMOVE_EXPORT,
        "exports.remove",
        PreparedWorkspace.with_saved_export,
        lambda _: ci.exports.remove("daily"),
        through=True,
    ),
    Row(
        Verb.SCHEDULE_EXPORT,
        "exports.schedule",
        PreparedWorkspace.with_saved_export,
        lambda _: ci.exports.schedule("daily", at=["06:00"]),
        through=True,
    ),
    Row(Verb.REFRESH_ALL, "refresh", PreparedWorkspace.with_saved_export, lambda _: ci.refresh(show=quietly)),
    Row(
        Verb.REFRESH_ALL,
        "refreshes.scheduler.run_scheduler",
        PreparedWorkspace.with_saved_export,
        lambda _: _schedule_for_a_moment(),
    ),
    Row(
        Verb.RENAME_AUDIENCE,
        "audiences.rename",
        PreparedWorkspace.with_audience,
        lambda _: lists().rename("All", "New", confirm="All"),
        through=True,
    ),
    Row(
        Verb.CREATE_CONNECTION,
        "connect",
        PreparedWorkspace.without_anything,
        lambda _: ci.connect("New", customer_id="222", account_id="112"),
    ),
    Row(
        Verb.EDIT_CONNECTION,
        "connections.edit",
        PreparedWorkspace.with_connection,
        lambda _: ci.connections.edit(contoso.NAME, rename="New", show=quietly),
    ),
    Row(
        Verb.SHARE_CONNECTION,
        "connections.share",
        PreparedWorkspace.with_connection,
        lambda _: ci.connections.share(contoso.NAME, "contributor"),
    ),
    Row(
        Verb.GIVE_CONSENT,
        "connect",
        lambda _: contoso.connect(share=["viewer"], accept_terms=False),
        lambda _: ci.connect(contoso.NAME, accept_terms=True),
    ),
    Row(
        Verb.WITHDRAW_CONSENT,
        "connections.withdraw_consents",
        PreparedWorkspace.with_connection,
        lambda _: ci.connections.withdraw_consents(contoso.NAME, show=quietly),
    ),
    Row(
        Verb.REMOVE_CONNECTION,
        "connections.remove",
        PreparedWorkspace.with_connection,
        lambda _: ci.connections.remove(contoso.NAME, show=quietly),
    ),
    Row(
        Verb.EMPTY_AUDIENCE,
        "audiences.empty",
        PreparedWorkspace.with_audience,
        lambda _: lists().empty("All", confirm="All"),
    ),
    Row(
        Verb.DELETE_AUDIENCE,
        "audiences.delete",
        PreparedWorkspace.with_audience,
        lambda _: lists().delete("All", confirm="All"),
    ),
    Row(
        Verb.DELETE_AUDIENCE,
        "emulator.reset",
        PreparedWorkspace.without_anything,
        lambda stage: _reset_own_emulator(stage),
    ),
    *(
        Row(
            verb,
            "emulator.control",
            PreparedWorkspace.without_anything,
            lambda stage, call=call, body=body: _control_own_emulator(stage, call, body),  # type: ignore[misc]
        )
        for verb, call, body in (
            (Verb.SHOW_STATUS, "audiences", None),
            (Verb.SHOW_STATUS, "settings", None),
            (Verb.RUN_EXPORT, "requests", None),
            (Verb.RUN_EXPORT, "clock", {"advance_hours": 1}),
            (Verb.RUN_EXPORT, "settings", {"delay_ms": 0}),
            (Verb.RUN_EXPORT, "faults", []),
            (Verb.DELETE_AUDIENCE, "reset", {}),
            (Verb.DELETE_AUDIENCE, "audiences/../reset", {}),
            (Verb.DELETE_AUDIENCE, "settings/../reset", {}),
        )
    ),
    Row(Verb.SUPPRESS, "segments.suppress", PreparedWorkspace.with_segments, lambda _: ci.segments.suppress("All")),
    Row(
        Verb.SUPPRESS,
        "segments.end_suppression",
        PreparedWorkspace.with_suppression,
        lambda _: ci.segments.end_suppression("All"),
    ),
    Row(
        Verb.SET_SYSTEM_SCHEDULE,
        "exports.system_schedule",
        PreparedWorkspace.without_anything,
        lambda _: ci.exports.system_schedule(at=["06:00"]),
    ),
    Row(
        Verb.LIST_EXPORTS,
        "notifications.overview",
        PreparedWorkspace.without_anything,
        lambda _: ci.notifications.overview(),
    ),
    Row(Verb.LIST_EXPORTS, "notifications.test", PreparedWorkspace.without_anything, lambda _: ci.notifications.test()),
    Row(
        Verb.SET_NOTIFICATIONS,
        "notifications.set",
        PreparedWorkspace.without_anything,
        lambda _: ci.notifications.set(rejected_percent=99),
    ),
    Row(
        Verb.FORGET_PERSON,
        "forget",
        PreparedWorkspace.with_segments,
        lambda _: forget(sha256=contoso.hash_of("p0@contoso.com"), show=quietly),
    ),
    Row(Verb.PURGE, "purge", PreparedWorkspace.without_anything, lambda _: purge()),
    Row(Verb.READ_AUDIT, "audit", PreparedWorkspace.without_anything, lambda _: ci.audit()),
    Row(Verb.GIVE_ROLE, "roles.give", PreparedWorkspace.without_anything, lambda _: ci.roles.give("bob", "viewer")),
    Row(
        Verb.GIVE_ROLE,
        "roles.take",
        lambda _: ci.roles.give("bob", "viewer") and None,
        lambda _: ci.roles.take("bob"),
    ),
)


class _Interrupted(SystemClock):
    """A clock whose first wait is interrupted, as with the stop button."""

    def sleep(self, seconds: float) -> None:
        raise KeyboardInterrupt(f"in a wait of {seconds} s")


def _schedule_for_a_moment() -> None:
    """Start a scheduler that stops after its first check."""
    run_scheduler(show=quietly, clock=_Interrupted())


@contextmanager
def _own_emulator(stage: PreparedWorkspace) -> Iterator[None]:
    """Start and stop the emulator of the workspace, without another one in the environment."""
    folder = stage.workspace.emulator_folder
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv(emulator_process.ADDRESS_VARIABLE)
        emulator_process.workspace_emulator(folder)
        try:
            yield
        finally:
            running = emulator_process.held.pop(folder)
            if running.alive:
                running.control("stop", {})
            running.release()


def _stop_own_emulator(stage: PreparedWorkspace) -> None:
    with _own_emulator(stage):
        assert ci.emulator.stop()
        assert not ci.emulator.status().running


def _reset_own_emulator(stage: PreparedWorkspace) -> None:
    with _own_emulator(stage):
        assert ci.emulator.reset().audiences == 0


def _control_own_emulator(stage: PreparedWorkspace, call: str, body: Any) -> None:
    with _own_emulator(stage):
        ci.emulator.control(call, body)


def _loaded(stage: PreparedWorkspace) -> ci.Plan:
    """Return the plan as another user loads it from a file."""
    return ci.Plan.load(stage.plan.save(stage.folder / "plan.json"))


def _unless_too_few(act: Callable[[], Any]) -> Any:
    """Do something for which three people are too few, which is checked after the roles."""
    with pytest.raises(CiError) as refused:
        act()
    if refused.value.code != "too_few_differ":
        raise refused.value
