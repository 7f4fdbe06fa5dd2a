"""Evaluate segments again, each after those that it is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ci_magics.activation.segments.dependents import parents
from ci_magics.activation.segments.segment import refresh_segment
from ci_magics.errors import CiError
from ci_magics.workspace.models import SegmentRecord
from ci_magics.workspace.statuses import COMPLETED, FAILED, SKIPPED
from ci_magics.workspace.store import Workspace


@dataclass(frozen=True)
class SegmentRefresh:
    """What came of a segment in a refresh.

    Parameters
    ----------
    segment
        Its name.
    status
        Completed, Skipped or Failed.
    reason
        Why not.
    profiles
        How many it has now.
    stale
        Whether it should have been evaluated and was not, so that what is made of it or exports it waits.
    """

    segment: str
    status: str
    reason: str
    profiles: int
    stale: bool


@dataclass(frozen=True)
class Allowed:
    """Names of segments for which a guard is set aside.

    Parameters
    ----------
    empty, shrink
        Those that may lose everybody, or more than half of their profiles.
    """

    empty: frozenset[str] = frozenset()
    shrink: frozenset[str] = frozenset()


def refresh_segments(
    workspace: Workspace, records: Sequence[SegmentRecord], seen: Callable[[], None], allowed: Allowed
) -> list[SegmentRefresh]:
    """Evaluate dynamic segments; static ones and those set aside stay as they are, and the result tells why.

    Parameters
    ----------
    records
        Segments, each after those that it is made of.
    seen
        Called after each.
    allowed
        For which of them a guard is set aside.
    """
    done: dict[str, SegmentRefresh] = {}
    for record in records:
        done[record.name] = _refreshed(workspace, record, done, allowed)
        seen()
    return list(done.values())


def _refreshed(
    workspace: Workspace, record: SegmentRecord, done: dict[str, SegmentRefresh], allowed: Allowed
) -> SegmentRefresh:
    def result(status: str, reason: str = "", *, rows: int = record.rows, stale: bool = False) -> SegmentRefresh:
        return SegmentRefresh(record.name, status, reason, rows, stale)

    if not record.active:
        return result(SKIPPED, "It is set aside.")
    if not record.is_dynamic:
        why = record.definition.get("static_because") or "it has no definition"
        return result(SKIPPED, f"It is static: {why}.")
    waits_for = next((name for name in sorted(parents(record)) if name in done and done[name].stale), None)
    if waits_for is not None:
        return result(SKIPPED, f"It is made of '{waits_for}', which was not refreshed.", stale=True)
    try:
        made = refresh_segment(
            record.name,
            allow_empty=record.name in allowed.empty,
            allow_shrink=record.name in allowed.shrink,
            workspace=workspace,
            show=_nothing,
        )
    except CiError as error:
        return result(FAILED, str(error), stale=True)
    except Exception as error:  # noqa: BLE001 - said by its name: the words of another library may quote data
        return result(FAILED, f"It failed unexpectedly ({type(error).__name__}).", stale=True)
    return result(COMPLETED, rows=made.rows)


def _nothing(_sentence: str) -> None:
    """Say nothing: what became of a segment is in the report."""
