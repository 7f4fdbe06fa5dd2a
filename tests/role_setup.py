"""What an administrator has prepared before somebody tries a verb."""

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
        return ci.open_workspace().store

    def connected(self) -> None:
        contoso.connect(share=["viewer"])

    def made(self) -> None:
        self.connected()
        contoso.people(3).to_csv(self.folder / "people.csv", index=False)
        ci.segment("All", str(self.folder / "people.csv"), key="Id", show=quietly)
        contoso.segment(2, name="Other")

    def replaced(self) -> None:
        self.made()
        contoso.segment(3, name="Other")

    def undone(self) -> None:
        self.replaced()
        ci.segments.undo("Other", show=quietly)

    def suppressed(self) -> None:
        self.made()
        ci.segments.suppress("All")

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
        ci.exports.save("daily", "All", to=contoso.NAME, show=quietly)

    def ran(self) -> None:
        self.saved()
        ci.exports.run("daily")

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
