"""A plan records the state it is based on, even if another run sends while it is being made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import contoso
import pytest

from ci_magics.activation.plans import planner
from ci_magics.errors import ExportRefusedError

if TYPE_CHECKING:
    from conftest import RunningEmulator

pytestmark = pytest.mark.usefixtures("workspace")


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next plan count slowly enough for the same export to run elsewhere."""
    count = planner.count_profiles

    def slowly(*args: Any) -> Any:
        monkeypatch.setattr(planner, "count_profiles", count)
        contoso.export("All")
        return count(*args)

    monkeypatch.setattr(planner, "count_profiles", slowly)


@pytest.mark.usefixtures("meanwhile")
def test_first_export_elsewhere_makes_the_plan_outdated(emulator: RunningEmulator) -> None:
    contoso.connect()
    contoso.segment(400)
    _refused(emulator)
    assert contoso.calls(emulator, "AddAudiences") == 1


def test_later_export_elsewhere_makes_the_plan_outdated(
    emulator: RunningEmulator, request: pytest.FixtureRequest
) -> None:
    contoso.connect()
    contoso.export(contoso.segment(100))
    contoso.segment(400)
    request.getfixturevalue("meanwhile")
    _refused(emulator, calls_before=1)


def _refused(emulator: RunningEmulator, calls_before: int = 0) -> None:
    with pytest.raises(ExportRefusedError) as refused:
        contoso.export("All")
    assert refused.value.code == "plan_outdated"
    assert contoso.calls(emulator, "ApplyCustomerListUserData") == calls_before + 1
    assert emulator.members("All") == contoso.hashes(400)
