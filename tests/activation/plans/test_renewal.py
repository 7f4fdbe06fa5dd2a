"""Members whose membership would expire are sent again: a table of membership days, ages and modes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from contoso import connect, export, fail, planned, segment

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

pytestmark = pytest.mark.usefixtures("emulator", "workspace", "waits")


def aged(workspace: Workspace, age: timedelta | None) -> None:
    """Set the age of the last full send; None if it was not recorded."""
    sent = None if age is None else datetime.now(UTC) - age
    workspace.audiences.change(lambda record: replace(record, full_send_at=sent))


@pytest.mark.matrix
@pytest.mark.parametrize("mode", ["mirror", "add"])
@pytest.mark.parametrize(
    ("membership", "age", "is_renewed"),
    [
        (-1, 149, False),
        (-1, 151, True),
        (-1, 4000, True),
        (-1, None, True),
        (-1, -0.01, False),  # the clock of another machine
        (-1, -300, True),  # a clock that was years ahead
        (390, 149, False),
        (390, 151, True),  # half of 390 would be later than Microsoft's 180 days
        (60, 29, False),
        (60, 31, True),
    ],
)
def test_members_are_sent_again_before_they_expire(
    workspace: Workspace, mode: str, membership: int, age: float | None, is_renewed: bool
) -> None:
    connect()
    export(segment(400), membership_days=membership)
    aged(workspace, None if age is None else timedelta(days=age))
    segment(410)
    (found,) = planned("All", mode=mode).audiences
    everything = is_renewed or (mode == "add" and membership != -1)
    assert (found.adds, found.unchanged) == ((410, 0) if everything else (10, 400))
    assert bool(found.renewal) == is_renewed


def test_plan_explains_the_renewal_which_lasts_150_days(workspace: Workspace) -> None:
    connect()
    export(segment(400))
    aged(workspace, timedelta(days=200))
    plan = planned("All")
    since = f"{datetime.now(UTC) - timedelta(days=200):%Y-%m-%d}"
    said = f"Everybody is sent again: the last full send was on {since}, and Microsoft drops people after 180 days"
    assert said in repr(plan)
    assert said in plan._repr_html_()
    assert plan.to_dict()["audiences"][0]["renewal"].startswith(said)
    assert plan.apply().accepted == 400
    assert planned("All").audiences[0].adds == 0


def test_adding_other_people_renews_nobody(workspace: Workspace) -> None:
    connect()
    export(segment(400))
    aged(workspace, timedelta(days=100))
    before = workspace.audiences["All"].full_send_at
    segment(50, start=1000)
    assert export("All", mode="add").accepted == 50
    assert workspace.audiences["All"].full_send_at == before


def test_incomplete_first_send_is_not_renewed(emulator: RunningEmulator) -> None:
    connect()
    fail(emulator, "ApplyCustomerListUserData", "partial", indexes=[2])
    export(segment(400))
    (found,) = planned("All").audiences
    assert (found.adds, found.unchanged) == (1, 399)
