"""Evaluate segments again, each after the segments that it depends on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ci_magics.activation.segments.dependents import parents
from ci_magics.activation.segments.make_segment import refresh_segment
from ci_magics.activation.segments.storage import Replacing
from ci_magics.errors import CiError
from ci_magics.workspace.models import SegmentRecord
from ci_magics.workspace.statuses import COMPLETED, FAILED, SKIPPED
from ci_magics.workspace.store import Workspace


@dataclass(frozen=True)
class SegmentRefresh:
    """Result of refreshing one segment.

    Parameters
    ----------
    segment
        Segment name.
    status
        ``Completed``, ``Skipped``, or ``Failed``.
    reason
        Why it was skipped or failed.
    profiles
        Number of profiles it has now.
    stale
        Whether it should have been evaluated and was not. Segments that depend on it and exports that send it then
        wait.
    """

    segment: str
    status: str
    reason: str
    profiles: int
    stale: bool


@dataclass(frozen=True)
class Allowed:
    """Names of segments for which a guard is overridden.

    Parameters
    ----------
    empty, shrink
        Segments that may lose all profiles, or more than half of them.
    """

    empty: frozenset[str] = frozenset()
    shrink: frozenset[str] = frozenset()


def refresh_segments(
    workspace: Workspace, records: Sequence[SegmentRecord], send_heartbeat: Callable[[], None], allowed: Allowed
) -> list[SegmentRefresh]:
    """Evaluate dynamic segments. Static and inactive ones stay unchanged, and their results say why.

    Parameters
    ----------
    workspace
        Workspace to use.
    records
        Segments, each after the segments that it depends on.
    send_heartbeat
        Called after each segment.
    allowed
        Segments for which a guard is overridden.
    """
    done: dict[str, SegmentRefresh] = {}
    for record in records:
        done[record.name] = _refreshed(workspace, record, done, allowed)
        send_heartbeat()
    return list(done.values())


def _refreshed(
    workspace: Workspace, record: SegmentRecord, done: dict[str, SegmentRefresh], allowed: Allowed
) -> SegmentRefresh:
    def result(status: str, reason: str = "", *, rows: int = record.rows, stale: bool = False) -> SegmentRefresh:
        return SegmentRefresh(record.name, status, reason, rows, stale)

    if not record.active:
        return result(SKIPPED, "It is inactive.")
    if not record.is_dynamic:
        why = record.definition.get("static_because") or "it has no definition"
        return result(SKIPPED, f"It is static: {why}.")
    waits_for = next((name for name in sorted(parents(record)) if name in done and done[name].stale), None)
    if waits_for is not None:
        return result(SKIPPED, f"It is made from '{waits_for}', which was not refreshed.", stale=True)
    empty, shrink = record.name in allowed.empty, record.name in allowed.shrink
    try:
        replacing = Replacing(refreshing=True, allow_empty=empty, allow_shrink=shrink)
        made = refresh_segment(workspace, record.name, replacing, {}, _nothing)
    except CiError as error:
        return result(FAILED, error.stored(), stale=True)
    except Exception as error:  # noqa: BLE001 - only the name: messages of other libraries can quote customer data
        return result(FAILED, f"It failed unexpectedly ({type(error).__name__}).", stale=True)
    return result(COMPLETED, rows=made.rows)


def _nothing(_sentence: str) -> None:
    """Ignore the message: the report has the result of each segment."""
