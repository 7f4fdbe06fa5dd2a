"""Microsoft's symbolic name of a refused request is stored, and shown wherever the refusal is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from contoso import connect, export, fail, resumed, segment

import ci_magics as ci
from ci_magics.errors import CiError

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

pytestmark = pytest.mark.usefixtures("emulator", "workspace", "waits")

APPLY = "ApplyCustomerListUserData"
REFUSALS = [
    ("AddAudiences", 400, "106", "106"),
    (APPLY, 400, "8003", "8003"),
    (APPLY, 2_500, "8003", "8003"),
    ("GetBulkUploadUrl", 12_000, "106", "106"),
]


@pytest.mark.parametrize(("operation", "count", "fault", "code"), REFUSALS)
def test_refused_request_keeps_its_error_name(
    emulator: RunningEmulator, workspace: Workspace, operation: str, count: int, fault: str, code: str
) -> None:
    connect()
    fail(emulator, operation, fault)
    segment(count)
    ci.exports.save("Weekly", "All", to="Contoso EU")
    with pytest.raises(CiError) as refused:
        ci.exports.run("Weekly")
    name = refused.value.error_name
    assert name
    assert str(refused.value.code) == code
    assert name in str(refused.value)
    (record,) = workspace.runs
    refusals = [each for each in workspace.steps if each.state == "refused"]
    assert [(each.code, each.error_name) for each in refusals] == [(code, name)]
    frame = resumed(record.name).to_frame()
    assert frame[["code", "error_name"]].values.tolist() == [[code, name]]
    assert name in next(iter(ci.exports.history("Weekly"))).reason
    assert set(resumed(record.name).rejected_rows()["error_name"]) <= {name}


def test_refused_row_keeps_its_error_name(emulator: RunningEmulator) -> None:
    connect()
    fail(emulator, APPLY, "partial", indexes=[1], code=8004)
    (name,) = export(segment(400)).rejected_rows()["error_name"]
    assert name.isidentifier()
