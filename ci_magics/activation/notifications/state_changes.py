"""Notify people when the state of an export changes. A notification never affects the result of the run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from ci_magics.activation.notifications.delivery import (
    FAILED,
    SHRANK,
    WELL,
    Limits,
    News,
    channels,
    news_of_export,
    news_of_refresh,
    state_after,
)
from ci_magics.clock import SystemClock
from ci_magics.errors import CiError
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.export_models import ExportRun, Notice, Refresh, Setting
from ci_magics.workspace.statuses import COMPLETED, WITH_ERRORS
from ci_magics.workspace.store import Workspace

_NAME = "notifications"
Show = Callable[[str], None]


def notification_limits(workspace: Workspace) -> Limits:
    """Return the thresholds for notifications."""
    require(workspace, Verb.LIST_EXPORTS)
    kept = workspace.settings.get(_NAME)
    return Limits.model_validate(kept.value) if kept else Limits()


def set_notification_limits(workspace: Workspace, limits: Limits) -> None:
    """Set the thresholds for notifications."""
    require(workspace, Verb.SET_NOTIFICATIONS)
    workspace.settings.put(Setting(_NAME, limits.model_dump(), workspace.user, SystemClock().now()))
    workspace.audit.note(Verb.SET_NOTIFICATIONS, _NAME, **limits.model_dump())


def notify_of_run(workspace: Workspace, entry: ExportRun, show: Show) -> None:
    """Notify people of a finished run if the state of its export changed.

    Parameters
    ----------
    workspace
        The workspace that stores the runs and what was notified.
    entry
        The run.
    show
        Called with a sentence if a notification fails.
    """
    limits = notification_limits(workspace)
    before = _completed_before(workspace, entry)
    state = state_after(entry, before, limits)
    if state is not None and limits.active:
        _tell(workspace, news_of_export(entry, state, before), entry.finished_at or entry.started_at, show)


def notify_of_refresh(workspace: Workspace, record: Refresh, show: Show) -> None:
    """Notify people of a refresh that failed as a whole, and of the first one that succeeds afterward.

    Parameters
    ----------
    workspace
        The workspace that stores what was notified.
    record
        The refresh.
    show
        Called with a sentence if a notification fails.
    """
    if notification_limits(workspace).active:
        news = news_of_refresh(record, FAILED if record.reason else WELL)
        _tell(workspace, news, record.finished_at or record.started_at, show)


def _tell(workspace: Workspace, news: News, now: datetime, show: Show) -> None:
    """Deliver a notification through each channel whose last one had another state."""
    if news.state == WELL and not workspace.notices.where(export_id=news.subject_id):
        return  # nothing was ever wrong, so don't look up the channels
    try:
        for name, deliver in channels().items():
            _notify_through(workspace, name, deliver, news, now, show)
    except Exception as error:  # noqa: BLE001 - a failed notification must not fail the run; show the error
        show(f"A notification could not be sent ({type(error).__name__}): {_small(news.title)}.")


def _notify_through(
    workspace: Workspace, name: str, deliver: Callable[[News], None], news: News, now: datetime, show: Show
) -> None:
    identity = f"{news.subject_id}:{name}"
    notified = next(iter(workspace.notices.where(id=identity)), None)
    last = notified.state if notified else WELL
    if news.state == last:
        return
    # `SHRANK` compares with the previous run only, so the next run ends it even if the audience stays small. Record
    # that, but don't send an all-clear.
    if not (news.state == WELL and last == SHRANK):
        try:
            deliver(news)
        except CiError as error:
            show(f"A notification by {name} could not be sent ({_small(news.title)}): {error}")
            return
    workspace.notices.put(Notice(identity, news.subject_id, name, news.state, now))


def _completed_before(workspace: Workspace, entry: ExportRun) -> ExportRun | None:
    runs = [
        each
        for each in workspace.export_runs.where(export_id=entry.export_id)
        if each.id != entry.id and each.status in (COMPLETED, WITH_ERRORS) and each.started_at <= entry.started_at
    ]
    return runs[-1] if runs else None


def _small(title: str) -> str:
    return f"{title[0].lower()}{title[1:]}"
