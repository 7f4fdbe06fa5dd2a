"""A damaged ledger, snapshot or spool is reported with the next step, and nothing is sent from it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from contoso import calls, connect, export, fail, hashes, people, planned, segment

import ci_magics as ci
from ci_magics.errors import CiError

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

pytestmark = pytest.mark.usefixtures("emulator", "waits")

APPLY, UPLOAD = "ApplyCustomerListUserData", "UploadFile"


def flip(path: Path, share: float) -> None:
    data = bytearray(path.read_bytes())
    data[min(int(len(data) * share), len(data) - 1)] ^= 0x40
    path.write_bytes(data)


#: Damage of a file: a byte of its magic number, its hashes, its index or its end, or more than that.
DAMAGES: dict[str, Any] = {
    **{f"byte at {share:.0%}": (lambda path, share=share: flip(path, share)) for share in (0, 0.2, 0.5, 0.9, 0.99, 1)},
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "empty": lambda path: path.write_bytes(b""),
    "gone": lambda path: path.unlink(),
}


def sent(emulator: RunningEmulator) -> int:
    return calls(emulator, APPLY) + calls(emulator, UPLOAD)


def the_file(folder: Path) -> Path:
    (path,) = [each for each in folder.iterdir() if each.is_file()]
    return path


@pytest.mark.matrix
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_ledger_is_reported_and_replaced(emulator: RunningEmulator, workspace: Workspace, damage: str) -> None:
    connect()
    export(segment(900))
    segment(900, start=100)
    DAMAGES[damage](the_file(workspace.ledgers.root))  # type: ignore[attr-defined]  # files of a single user are in a folder
    before = sent(emulator)
    with pytest.raises(CiError, match=r"'All'.*mode=\"replace\""):
        export("All")
    assert sent(emulator) == before
    assert export("All", mode="replace").status == "Completed"
    assert emulator.members("All") == hashes(900, start=100)
    segment(900, start=200)
    assert export("All").results[0].added == 100
    assert emulator.members("All") == hashes(900, start=200)


@pytest.mark.matrix
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_snapshot_is_reported_and_nothing_is_sent(
    emulator: RunningEmulator, workspace: Workspace, damage: str
) -> None:
    connect()
    segment(900)
    DAMAGES[damage](the_file(workspace.snapshots.root))  # type: ignore[attr-defined]  # as above
    ways = (lambda: export("All"), lambda: export("All", mode="replace"), lambda: ci.preview("All"))
    for does in ways:
        with pytest.raises(CiError, match=r"segment 'All'.*Make the segment again") as refused:
            does()
        assert refused.value.code == "segment_damaged"
    assert "the segment 'All' are missing or damaged" in repr(planned("All"))
    assert sent(emulator) == 0
    segment(900)
    assert export("All").accepted == 900


@pytest.mark.parametrize("damage", ["byte at 50%", "cut off", "gone"])
def test_refresh_restores_a_damaged_snapshot_without_changes(
    emulator: RunningEmulator, workspace: Workspace, tmp_path: Path, damage: str
) -> None:
    connect()
    people(900).to_csv(tmp_path / "people.csv", index=False)
    ci.segment("All", tmp_path / "people.csv", show=lambda _: None)
    DAMAGES[damage](the_file(workspace.snapshots.root))  # type: ignore[attr-defined]  # as above
    with pytest.raises(CiError, match=r"segment 'All'.*ci\.segments\.refresh"):
        export("All")
    assert sent(emulator) == 0
    ci.segments.refresh("All", show=lambda _: None)
    assert export("All").accepted == 900
    assert emulator.members("All") == hashes(900)


@pytest.mark.matrix
@pytest.mark.parametrize("damage", ["byte at 0%", "byte at 50%", "cut off", "gone"])
@pytest.mark.parametrize("kind", ["hashes.bin", "profiles.parquet", "reasons.parquet"])
def test_damaged_spool_is_not_sent(emulator: RunningEmulator, workspace: Workspace, damage: str, kind: str) -> None:
    connect()
    segment(2_500)
    fail(emulator, APPLY, "partial", *["http_500"] * 10, indexes=[0])  # two calls with five attempts each
    with pytest.raises(CiError, match="resume"):
        export("All")
    found = [each for each in workspace.spool.root.iterdir() if each.name.endswith(kind)]  # type: ignore[attr-defined]
    assert found or kind == "reasons.parquet"
    for path in found:
        content = path.read_bytes()
        path.unlink()  # profiles are hard links to the snapshot, which stays unchanged
        path.write_bytes(content)
        DAMAGES[damage](path)
    emulator.control("POST", "/faults", [])
    (record,) = workspace.runs
    said = ""
    try:
        ci.runs.resume(record.id)
    except CiError as error:
        said = str(error)
    assert not said or ("still has to send is missing or damaged" in said and 'mode="replace"' in said)
    (record,) = workspace.runs
    assert record.finished_at is not None
    assert emulator.members("All") <= hashes(2_500)
    assert export("All", mode="replace").status == "Completed"
    assert emulator.members("All") == hashes(2_500)
