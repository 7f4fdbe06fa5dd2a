"""The guarantees of each mode, for any sequence of exports."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
from contoso import connect, email_of, export, foreign_list, hash_of, hashes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from run_settings import examples

import ci_magics as ci
from ci_magics.errors import ExportRefusedError

if TYPE_CHECKING:
    from conftest import RunningEmulator

People = frozenset[int]
PEOPLE = st.frozensets(st.integers(0, 7))
STEPS = st.lists(st.tuples(st.sampled_from(["mirror", "add", "remove", "replace"]), PEOPLE), min_size=1, max_size=6)


@dataclass
class ExpectedAudience:
    """What an audience must contain, and whether we sent all of it."""

    exists: bool
    ours: bool
    members: set[str] = field(default_factory=set)

    def apply(self, mode: str, wanted: set[str]) -> bool:
        """Do a step, and return whether it is allowed."""
        if mode == "mirror" and self.exists and not self.ours:
            return False
        if mode == "remove":
            if not self.exists:
                return False
            self.members -= wanted
            return True
        self.ours = self.ours or not self.exists or mode == "replace"
        self.exists = True
        self.members = self.members | wanted if mode == "add" else set(wanted)
        return True


@pytest.fixture(params=["short", "long"])
def length(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Treat lists of a few people as short or as long."""
    if request.param == "long":
        monkeypatch.setattr("ci_magics.matching.hash_sets.SHORT", 3)
    return str(request.param)


@pytest.mark.slow
@pytest.mark.usefixtures("waits", "length")
@settings(max_examples=examples(20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, foreign=st.booleans())
def test_members_follow_the_guarantees_of_the_modes(
    emulator: RunningEmulator,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    steps: list[tuple[str, People]],
    foreign: bool,
) -> None:
    monkeypatch.setenv("CI_MAGICS_WORKSPACE", str(tmp_path / uuid.uuid4().hex))
    emulator.control("POST", "/reset")
    connect()
    promised = ExpectedAudience(exists=foreign, ours=False, members=hashes(2, start=900_000) if foreign else set())
    if foreign:
        foreign_list(emulator)
    for mode, numbers in steps:
        run_step(mode, numbers, promised)
        assert ("All" in emulator.audiences()) is promised.exists
        assert not promised.exists or emulator.members("All") == promised.members


def run_step(mode: str, numbers: People, promised: ExpectedAudience) -> None:
    emails = [email_of(number) for number in sorted(numbers)]
    frame = pl.DataFrame({"EMail": emails}, schema={"EMail": pl.String})
    made = ci.segment("All", frame, show=lambda _sentence: None)
    if promised.apply(mode, {hash_of(email) for email in emails}):
        run = export(made, mode=mode, allow_empty=True, allow_shrink=True)
        assert (run.rejected, run.unknown) == (0, 0)
    else:
        with pytest.raises(ExportRefusedError):
            export(made, mode=mode, allow_empty=True, allow_shrink=True)
