"""Errors for missing or damaged files: what they contained, and how to restore them."""

from __future__ import annotations

from collections.abc import Callable

from ci_magics.advice import FRAME, Do, Opt, advise
from ci_magics.errors import WorkspaceError
from ci_magics.workspace.models import AudienceRecord, SegmentRecord, SegmentVersion
from ci_magics.workspace.repository import Repository

PROFILES_LOST, LEDGER_LOST, SPOOL_LOST = "segment_damaged", "ledger_lost", "spool_lost"


def lost_profiles(
    segments: Repository[SegmentRecord], versions: Repository[SegmentVersion]
) -> Callable[[str], WorkspaceError]:
    """Return a function that builds the error for a segment's stored profiles from the file name.

    Parameters
    ----------
    segments
        The segments of the workspace.
    versions
        Their earlier versions.
    """

    def lost(file_name: str) -> WorkspaceError:
        segment_id = _stem(file_name)
        record = next(iter(segments.where(id=segment_id)), None)
        if record is not None:
            return WorkspaceError(
                f"The stored profiles of the segment '{record.name}' are missing or damaged, so they cannot be used.",
                advise("Evaluate it again: ", Do("segments.refresh", record.name), ".")
                if record.is_dynamic
                else advise("Make the segment again from its frame: ", Do("segment", record.name, FRAME), "."),
                code=PROFILES_LOST,
            )
        version = next(iter(versions.where(id=segment_id)), None)
        name = f"of the segment '{version.segment_name}' " if version else ""
        return WorkspaceError(
            f"The stored profiles of an earlier version {name}are missing or damaged.",
            "You cannot go back to that version; the segment itself is intact.",
            code=PROFILES_LOST,
        )

    return lost


def lost_ledger(audiences: Repository[AudienceRecord]) -> Callable[[str], WorkspaceError]:
    """Return a function that builds the error for an audience's ledger from the file name."""

    def lost(file_name: str) -> WorkspaceError:
        record = next(iter(audiences.where(id=_stem(file_name))), None)
        return ledger_lost(record.name if record else "")

    return lost


def ledger_lost(audience: str) -> WorkspaceError:
    """Build the error for the ledger of an audience."""
    what = f"the audience '{audience}'" if audience else "an audience"
    return WorkspaceError(
        f"It is no longer known what {what} holds: its ledger is missing, damaged or old.",
        advise("Fill the audience once with ", Opt("mode", "replace"), "."),
        code=LEDGER_LOST,
    )


def lost_spool(file_name: str) -> WorkspaceError:
    """Build the error for the spool of a run from the file name."""
    if file_name.startswith("rejected-"):
        return WorkspaceError(
            f"The rejected keys of the run {file_name.removeprefix('rejected-')[:8]} are missing or damaged.",
            "Export again to see which profiles are rejected.",
            code=SPOOL_LOST,
        )
    return WorkspaceError(
        f"Data that the run {file_name[:8]} still has to send is missing or damaged, so it sends nothing more.",
        advise(
            "Export again with ",
            Opt("mode", "replace"),
            ": it is no longer known what the audience holds.",
        ),
        code=SPOOL_LOST,
    )


def _stem(file_name: str) -> str:
    return file_name.removesuffix(".parquet")
