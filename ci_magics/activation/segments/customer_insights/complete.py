"""Check that all members of a segment were read, from the evaluation that reading began with."""

from __future__ import annotations

from collections.abc import Callable

from ci_magics.activation.segments.customer_insights.insights_segment import InsightsSegment
from ci_magics.activation.segments.customer_insights.spool import Reading
from ci_magics.display.numbers import agreeing, counted, counted_in_words
from ci_magics.errors import NotFoundError, SegmentError


def require_there(reading: Reading, wanted: InsightsSegment) -> InsightsSegment:
    """Return the segment as it is now.

    Parameters
    ----------
    reading
        The reading; cleared if the segment no longer exists.
    wanted
        The segment when reading began.

    Raises
    ------
    SegmentError
        The segment was deleted or renamed.
    """
    try:
        return wanted.source.segment(wanted.name)
    except NotFoundError:
        reading.clear()
        raise SegmentError(
            f"The segment '{wanted.segment.label}' was deleted or renamed in Customer Insights while "
            "it was being read.",
            "What there is in the workspace stays as it was.",
            code="segment_deleted",
        ) from None


def require_unchanged(reading: Reading, wanted: InsightsSegment, show: Callable[[str], None]) -> None:
    """Check that Customer Insights did not refresh the segment while it was read.

    Parameters
    ----------
    reading
        The reading; cleared if the check fails.
    wanted
        The segment when reading began.
    show
        Called with a message if members have no profile yet.

    Raises
    ------
    SegmentError
        The segment was deleted, renamed, or refreshed.
    """
    now = require_there(reading, wanted)
    if now.refreshed != wanted.refreshed:
        reading.clear()
        raise SegmentError(
            f"Customer Insights refreshed '{wanted.segment.label}' while it was being read, so members may be missing.",
            "Run it again.",
            code="segment_refreshed",
        )
    if reading.state.lagging:
        show(
            f"{counted_in_words(reading.state.lagging, 'member', 'has')} no profile yet: profiles lag "
            f"behind memberships until the "
            "system refresh completes. They count as without an address."
        )


def require_count(reading: Reading, repeated: int, wanted: InsightsSegment, show: Callable[[str], None]) -> None:
    """Compare the number of members that were read with the number that the service reported.

    Parameters
    ----------
    reading
        The reading; cleared if the check fails.
    repeated
        Number of rows with a repeated key.
    wanted
        The segment when reading began.
    show
        Called with a message if members are repeated, or if the count differs from that of the last refresh.

    Raises
    ------
    SegmentError
        Members are missing.
    """
    came, total = reading.state.rows - repeated, reading.state.total
    if repeated:
        show(f"{counted_in_words(repeated, 'member')} came twice and {agreeing(repeated, 'is')} kept once.")
    if (total is not None and came != total) or (not came and wanted.members):
        reading.clear()
        said = total or wanted.members or 0
        raise SegmentError(
            f"Customer Insights said that '{wanted.segment.label}' has "
            f"{counted_in_words(said, 'member')}; {counted(came)} came.",
            "Run it again, or read it another way (--via); nothing was changed.",
            code="members_missing",
        )
    if wanted.members is not None and came != wanted.members:
        show(
            f"Customer Insights counted {counted_in_words(wanted.members, 'member')} when it refreshed the segment; "
            f"{counted(came)} came."
        )
