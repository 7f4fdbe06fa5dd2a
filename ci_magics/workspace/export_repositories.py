"""Repositories of saved exports, refreshes, settings, notifications, and heartbeats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Engine

from ci_magics.advice import CONNECTION, NAME, SEGMENT, Command, Do, advise
from ci_magics.workspace import tables
from ci_magics.workspace.export_models import Export, Heartbeat, Notice, Refresh, Setting
from ci_magics.workspace.repository import Repository
from ci_magics.workspace.rights import exports_of

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("name", "connection", "segments", "active", "created_by", "created_at", "saved_by", "saved_at")


class ExportRepository(Repository[Export]):
    """Saved exports."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(
            engine,
            tables.exports,
            Export,
            word="export",
            advice=advise(
                "Save one with ",
                Do("exports.save", NAME, SEGMENT, to=CONNECTION),
                "; ",
                Do("exports"),
                " lists them.",
            ),
            displayed=("connection", "segments", "active"),
            read_from=exports_of(engine),
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a DataFrame with one row for each export."""
        import pandas as pd

        return pd.DataFrame([{name: getattr(each, name) for name in _COLUMNS} for each in self], columns=list(_COLUMNS))


def refreshes(engine: Engine) -> Repository[Refresh]:
    """Return the refreshes, earliest first."""
    return Repository(
        engine,
        tables.refreshes,
        Refresh,
        word="refresh",
        advice=advise(Do("refresh"), " makes one."),
        order="started_at",
    )


def settings(engine: Engine) -> Repository[Setting]:
    """Return the settings of the whole workspace."""
    return Repository(
        engine, tables.settings, Setting, word="setting", advice=advise("See ", Do("notifications"), "."), order="id"
    )


def notices(engine: Engine) -> Repository[Notice]:
    """Return the notifications sent about exports, with their channels."""
    return Repository(
        engine, tables.notices, Notice, word="notice", advice=advise("See ", Do("notifications"), "."), order="told_at"
    )


def heartbeats(engine: Engine) -> Repository[Heartbeat]:
    """Return the heartbeats of schedulers and refreshes, earliest first."""
    return Repository(
        engine,
        tables.heartbeats,
        Heartbeat,
        word="heartbeat",
        advice=advise(Command("scheduler"), " leaves one."),
        order="seen_at",
    )
