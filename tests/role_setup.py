"""What an administrator prepares before a user tries a verb."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import contoso
import pytest

import ci_magics as ci
from ci_magics.errors import CiError

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace


def quietly(_sentence: str) -> None:
    """Show nothing."""


class PreparedWorkspace:
    """A workspace that an administrator prepares."""

    def __init__(self, folder: Path, emulator: RunningEmulator) -> None:
        self.folder = folder
        self.emulator = emulator
        self.plan: Any = None

    @property
    def workspace(self) -> Workspace:
        """The workspace as the current user sees it."""
        return ci.open_workspace().store

    def with_connection(self) -> None:
        contoso.connect(share=["viewer"])

    def with_segments(self) -> None:
        self.with_connection()
        contoso.people(3).to_csv(self.folder / "people.csv", index=False)
        ci.segment("All", str(self.folder / "people.csv"), key="Id", show=quietly)
        contoso.segment(2, name="Other")

    def with_replaced_segment(self) -> None:
        self.with_segments()
        contoso.segment(3, name="Other")

    def with_undone_segment(self) -> None:
        self.with_replaced_segment()
        ci.segments.undo("Other", show=quietly)

    def with_suppression(self) -> None:
        self.with_segments()
        ci.segments.suppress("All")

    def with_plan(self) -> None:
        self.with_segments()
        self.plan = contoso.planned("All")

    def with_insights(self) -> None:
        ci.insights("Contoso", show=quietly)

    def with_audience(self) -> None:
        self.with_segments()
        contoso.export("All")

    def with_saved_export(self) -> None:
        self.with_segments()
        ci.exports.save("daily", "All", to=contoso.NAME, show=quietly)

    def with_export_run(self) -> None:
        self.with_saved_export()
        ci.exports.run("daily")

    def with_interrupted_run(self) -> None:
        self.with_segments()
        contoso.fail(self.emulator, "AddAudiences", *["http_500"] * 5)
        with pytest.raises(CiError):
            contoso.export("All")
        self.emulator.control("POST", "/faults", [])

    def run_name(self) -> str:
        (run,) = self.workspace.runs
        return run.name

    def entry(self) -> str:
        return next(iter(self.workspace.export_runs)).id

    def without_anything(self) -> None:
        """Start with an empty workspace."""
