"""Both ways of reading through Dataverse: by IDs, and merged with all profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import ci_magics as ci
from ci_magics.activation.segments.customer_insights import dataverse_route, transfer
from ci_magics.activation.segments.customer_insights.dataverse_route import prefers_ids
from ci_magics.errors import SegmentError, ServiceError

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.activation.segments.customer_insights.source import Insights

pytestmark = pytest.mark.usefixtures("waits")

PREFERS_IDS = f"{transfer.__name__}.prefers_ids"
WAYS = [pytest.param(True, id="by id"), pytest.param(False, id="side by side")]


@pytest.fixture
def source(source: Insights, emulator: RunningEmulator) -> Insights:
    emulator.control("POST", "/settings", {"dataverse_page_size": 250})
    return source


@pytest.fixture(params=WAYS)
def by_id(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(PREFERS_IDS, lambda *_counts: request.param)
    return bool(request.param)


def make(source: Insights, said: list[str] | None = None, via: str = "dataverse", name: str = "Over21") -> Any:
    return ci.segment("All", source.segment(name, via=via), show=([] if said is None else said).append)


def kept(source: Insights) -> set[tuple[Any, ...]]:
    record = source.workspace.segments["All"]
    columns = ["key", "reason_basic", "sha256_basic", "sha256_enhanced"]
    return {
        tuple(row.values())
        for batch in source.workspace.snapshots.batches(record.id, columns)
        for row in batch.to_pylist()
    }


@pytest.mark.usefixtures("by_id")
def test_result_equals_that_of_the_customer_insights_api(source: Insights) -> None:
    make(source, via="rest")
    direct = kept(source)
    make(source)
    assert kept(source) == direct


@pytest.mark.usefixtures("by_id")
def test_members_without_a_profile_are_counted_and_reported(source: Insights, emulator: RunningEmulator) -> None:
    emulator.control("POST", "/settings", {"profiles_lag": 70})
    said: list[str] = []
    segment = make(source, said)
    assert segment.rows == source.segment("Over21").members
    (late,) = [sentence for sentence in said if "no profile yet" in sentence]
    lagging = int(late.split()[0])
    assert 50 < lagging <= 70
    missing = sum(row[1] == "missing" for row in kept(source))
    emulator.control("POST", "/settings", {"profiles_lag": 0})
    make(source)
    assert missing - sum(row[1] == "missing" for row in kept(source)) in range(lagging - 10, lagging + 1)


def test_interrupted_reading_resumes(source: Insights, emulator: RunningEmulator, by_id: bool) -> None:
    make(source)
    whole = kept(source)
    operation = "GetSegmentMemberships" if by_id else "GetCustomerProfiles"
    before = emulator.operations().count(operation)
    emulator.fault(operation, "http_403", call=12)
    with pytest.raises(ServiceError, match="may not use Dataverse"):
        make(source)
    said: list[str] = []
    make(source, said)
    assert any("Going on with an earlier reading, after 11 pages" in sentence for sentence in said)
    assert kept(source) == whole
    assert emulator.operations().count(operation) - before <= 22


@pytest.mark.usefixtures("by_id")
def test_segment_deleted_during_reading_is_reported(source: Insights, emulator: RunningEmulator) -> None:
    emulator.fault("GetSegmentMemberships", "segment_deleted", call=3)
    with pytest.raises(SegmentError, match="was deleted or renamed in Customer Insights while it was being read"):
        make(source)


@pytest.mark.usefixtures("by_id")
def test_empty_segment_is_read(source: Insights) -> None:
    assert make(source, name="Nobody").rows == 0


def test_unordered_rows_are_refused(source: Insights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PREFERS_IDS, lambda *_counts: False)
    profiles = dataverse_route.Dataverse.profiles

    def shuffled(dataverse: Any, columns: Any, start: Any = None) -> Any:
        for page in profiles(dataverse, columns, start):
            page.rows.reverse()
            yield page

    monkeypatch.setattr(dataverse_route.Dataverse, "profiles", shuffled)
    with pytest.raises(ServiceError, match="not send its rows in the requested order"):
        make(source)


def test_few_members_of_many_profiles_are_read_by_id() -> None:
    assert prefers_ids(1_000, 5_000_000)
    assert not prefers_ids(500_000, 1_000_000)
    assert prefers_ids(1_000, None)
    assert prefers_ids(None, 5_000_000)
