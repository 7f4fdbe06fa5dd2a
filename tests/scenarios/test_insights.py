"""If reading a source is interrupted, what was read is kept, and the next attempt resumes there."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import ci_magics as ci
from ci_magics.errors import SegmentError, ServiceError, SignInError

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.activation.segments.customer_insights.source import Insights

pytestmark = pytest.mark.usefixtures("waits")

SEGMENT = "All_customers"


def calls(emulator: RunningEmulator, operation: str) -> int:
    return emulator.operations().count(operation)


def make(source: Insights, via: str, said: list[str] | None = None) -> Any:
    return ci.segment("All", source.segment(SEGMENT, via=via), show=([] if said is None else said).append)


def undisturbed(source: Insights, via: str) -> tuple[int, dict[str, Any], str]:
    """Return the result of an undisturbed reading: count, domains and fingerprint."""
    make(source, via)
    record = source.workspace.segments["All"]
    return record.rows, dict(record.domains), str(record.examples)


@pytest.mark.slow
@pytest.mark.parametrize("link", ["skip", "skiptoken", "none"])
def test_reading_interrupted_at_page_1000_resumes_there(source: Insights, emulator: RunningEmulator, link: str) -> None:
    emulator.control("POST", "/settings", {"next_link": link, "page_size": 4, "customers": 4_400})
    expected = undisturbed(source, "csv")
    emulator.fault("GetData", "http_403", call=1_001)
    before = calls(emulator, "GetData")
    with pytest.raises(ServiceError, match="may not use Customer Insights"):
        make(source, "rest")
    assert calls(emulator, "GetData") - before == 1_001
    said: list[str] = []
    make(source, "rest", said)
    assert "Going on with an earlier reading, after 1,000 pages and 4,000 members." in said
    assert calls(emulator, "GetData") - before - 1_001 <= 102
    record = source.workspace.segments["All"]
    assert (record.rows, record.domains, str(record.examples)) == expected


def test_stopped_reading_resumes(source: Insights, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = undisturbed(source, "rest")
    conversation = source.services.insights.conversation
    ask, asked = conversation.get, iter(range(1_000))

    def interrupted(operation: str, url: str, headers: Any = None) -> Any:
        if "/data/" in url and next(asked) == 20:
            raise KeyboardInterrupt
        return ask(operation, url, headers)

    with monkeypatch.context() as patch:
        patch.setattr(conversation, "get", interrupted)
        with pytest.raises(SegmentError, match="was stopped after 20 pages and 2,000 members"):
            make(source, "rest")
    said: list[str] = []
    make(source, "rest", said)
    assert any("after 20 pages" in sentence for sentence in said)
    record = source.workspace.segments["All"]
    assert (record.rows, record.domains, str(record.examples)) == expected


DIES = """
import os, signal
import ci_magics as ci

source = ci.insights("Contoso")
conversation = source.services.insights.conversation
ask, asked = conversation.get, iter(range(1_000))

def dying(operation, url, headers=None):
    if "/data/" in url and next(asked) == 150:
        os.kill(os.getpid(), signal.SIGKILL)
    return ask(operation, url, headers)

conversation.get = dying
ci.segment("All", source.segment("All_customers", via="rest"))
"""


@pytest.mark.slow
def test_killed_kernel_loses_at_most_a_hundred_pages(source: Insights, emulator: RunningEmulator) -> None:
    emulator.control("POST", "/settings", {"customers": 25_000})
    expected = undisturbed(source, "csv")
    before = calls(emulator, "GetData")
    died = subprocess.run([sys.executable, "-c", DIES], check=False)
    assert died.returncode == -signal.SIGKILL
    assert calls(emulator, "GetData") - before == 150
    said: list[str] = []
    make(source, "rest", said)
    assert any("after 100 pages and 10,000 members" in sentence for sentence in said)
    assert calls(emulator, "GetData") - before == 150 + 150
    record = source.workspace.segments["All"]
    assert (record.rows, record.domains, str(record.examples)) == expected


def test_refresh_in_the_meantime_starts_the_reading_over(source: Insights, emulator: RunningEmulator) -> None:
    emulator.fault("GetData", "http_403", call=10)
    with pytest.raises(ServiceError):
        make(source, "rest")
    emulator.control("POST", "/settings", {"refresh_seconds": 0})
    emulator.control("POST", "/clock", {"advance_hours": 1})
    source.refresh(SEGMENT)
    said: list[str] = []
    assert make(source, "rest", said).rows == 5_000
    assert not any("Going on" in sentence for sentence in said)


def test_segment_refreshed_during_reading_is_refused(
    source: Insights, emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator.control("POST", "/settings", {"refresh_seconds": 0})
    conversation = source.services.insights.conversation
    ask, asked = conversation.get, iter(range(1_000))

    def meanwhile(operation: str, url: str, headers: Any = None) -> Any:
        if "/data/" in url and next(asked) == 20:
            emulator.control("POST", "/clock", {"advance_hours": 0.1})
            source.services.insights.start_refresh(source.record.instance_id, SEGMENT)
        return ask(operation, url, headers)

    monkeypatch.setattr(conversation, "get", meanwhile)
    with pytest.raises(SegmentError, match=r"refreshed 'All customers' while it was being read"):
        make(source, "rest")
    assert "All" not in source.workspace.segments


def test_token_expiring_between_pages_is_renewed(source: Insights, emulator: RunningEmulator) -> None:
    emulator.fault("GetData", "token_expired", call=25)
    assert make(source, "rest").rows == 5_000


def test_throttling_is_waited_out(
    source: Insights, emulator: RunningEmulator, waits: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    emulator.fault("GetData", "http_429", call=7, times=9, retry_after=60)
    assert make(source, "rest").rows == 5_000
    assert waits.count(60) == 9
    assert capsys.readouterr().out.count("too many calls. Trying again in 60 s.") == 9


def test_reading_resumes_after_endless_throttling(source: Insights, emulator: RunningEmulator) -> None:
    emulator.fault("GetData", "http_429", call=7, times=500, retry_after=60)
    with pytest.raises(ServiceError, match="too many calls"):
        make(source, "rest")
    emulator.fault("GetData", "no_email", call=10_000)
    said: list[str] = []
    assert make(source, "rest", said).rows == 5_000
    assert any("after 6 pages and 600 members" in sentence for sentence in said)


def test_repeated_page_ends_the_reading_and_the_next_attempt_resumes(
    source: Insights, emulator: RunningEmulator
) -> None:
    emulator.fault("GetData", "repeated_page", call=12, times=500)
    with pytest.raises(ServiceError, match="same page twice"):
        make(source, "rest")
    emulator.fault("GetData", "no_email", call=10_000)
    assert make(source, "rest").rows == 5_000


def test_next_link_to_another_host_ends_the_reading(source: Insights, emulator: RunningEmulator) -> None:
    emulator.fault("GetData", "foreign_next_link", call=3)
    with pytest.raises(ServiceError, match="nothing was sent there"):
        make(source, "rest")
    assert make(source, "rest").rows == 5_000


def test_expired_page_starts_the_reading_over(source: Insights, emulator: RunningEmulator) -> None:
    emulator.fault("GetData", "http_403", call=10)
    with pytest.raises(ServiceError):
        make(source, "rest")
    state = next((source.workspace.folder / "spool").glob("reading-*.json"))
    changed = state.read_text().replace("$skip=", "$skip=nonsense")
    with source.workspace.spool.replacing(state.name) as file:
        file.write(changed.encode())
    said: list[str] = []
    assert make(source, "rest", said).rows == 5_000
    assert any("starting over" in sentence for sentence in said), said


@pytest.mark.parametrize("fault_name", ["broken_off", "http_503", "partition_expired"])
def test_interrupted_or_expired_file_is_downloaded_again(
    source: Insights, emulator: RunningEmulator, fault_name: str
) -> None:
    expected = undisturbed(source, "csv")
    emulator.fault("GetPartition", fault_name, call=6, times=2)
    assert undisturbed(source, "csv") == expected


def test_completed_files_are_not_read_again(source: Insights, emulator: RunningEmulator) -> None:
    emulator.control("POST", "/settings", {"partitions": 12})
    emulator.fault("GetPartition", "http_503", call=20, times=500)
    with pytest.raises(ServiceError, match="cannot be fetched to its end"):
        make(source, "csv")
    emulator.fault("GetData", "no_email", call=10_000)
    before = calls(emulator, "GetPartition")
    said: list[str] = []
    assert make(source, "csv", said).rows == 5_000
    assert calls(emulator, "GetPartition") - before < 1 + 12 + 12
    assert any("Going on with an earlier reading" in sentence for sentence in said)


def test_same_segment_is_read_once_at_a_time(source: Insights, emulator: RunningEmulator) -> None:
    wanted = source.segment(SEGMENT, via="rest")
    conversation = source.services.insights.conversation
    ask = conversation.get
    refused: list[str] = []

    def meanwhile(operation: str, url: str, headers: Any = None) -> Any:
        if "/data/" in url and not refused:
            refused.append("")
            with pytest.raises(SegmentError, match="is being read already") as error:
                ci.segment("Other", wanted)
            refused.append(str(error.value))
        return ask(operation, url, headers)

    conversation.get = meanwhile  # type: ignore[method-assign]
    assert ci.segment("All", wanted).rows == 5_000
    assert len(refused) == 2
    assert emulator


def test_failed_renewal_keeps_what_was_read(source: Insights, emulator: RunningEmulator) -> None:
    emulator.fault("GetData", "http_401", call=8, times=2)
    with pytest.raises(SignInError, match="does not accept this sign-in"):
        make(source, "rest")
    said: list[str] = []
    assert make(source, "rest", said).rows == 5_000
    assert any("after 7 pages" in sentence for sentence in said)
