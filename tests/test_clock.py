"""Clocks for the whole work and for a part of it."""

from __future__ import annotations

import pytest
from fakes import FrozenClock, JumpingClock

from ci_magics.clock import SystemClock, WaitStoppedError


def test_stopping_a_clock_stops_its_branches() -> None:
    clock = SystemClock()
    before, after = clock.branch(), clock.branch().branch()
    clock.stop()
    for each in (before, after, clock.branch()):
        with pytest.raises(WaitStoppedError):
            each.sleep(60)


def test_stopping_a_branch_stops_nothing_else() -> None:
    clock = SystemClock()
    branch, other = clock.branch(), clock.branch()
    branch.stop()
    with pytest.raises(WaitStoppedError):
        branch.sleep(60)
    other.sleep(0)
    clock.sleep(0)


def test_branch_has_the_time_of_its_clock() -> None:
    held, jumping = FrozenClock(), JumpingClock()
    branch = held.branch()
    held.advance(days=1)
    assert branch.now() == held.now()
    jumping.branch().branch().sleep(7)
    assert jumping.waits == [7]
    assert jumping.branch().monotonic() == 7
