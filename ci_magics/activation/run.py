"""The result of an export."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ci_magics.activation.progress import Reporter, silent
from ci_magics.advice import Do, worded
from ci_magics.discreet import discreet_methods
from ci_magics.display.displayable import plain
from ci_magics.display.numbers import format_count
from ci_magics.display.output import announce
from ci_magics.display.result_table import Column, ResultTable, frame_only
from ci_magics.workspace.statuses import SKIPPED, overall, sent_as_of

if TYPE_CHECKING:
    import pandas as pd

_REJECTED_SCHEMA = pa.schema(
    [
        ("segment", pa.string()),
        ("key", pa.string()),
        ("code", pa.int64()),
        ("reason", pa.string()),
        ("error_name", pa.string()),
    ]
)
RejectedRow = tuple[str, str | None, int | None, str, str]
"""Segment, key, Microsoft's code, the reason in words, and Microsoft's symbolic name for the code."""


@discreet_methods
@dataclass(frozen=True)
class AudienceResult:
    """The result for one audience. Counts are hashes.

    Parameters
    ----------
    segment, audience, audience_id
        The names of the segment and the audience, and Microsoft's id; empty if the audience could not be created.
    status
        Completed, Completed with errors, Failed, Skipped or Canceled; Running or Queued while it is not done.
    accepted
        Sent and accepted by Microsoft.
    added, removed
        Added and removed. What a replacement left out was not sent, and counts as removed.
    unchanged
        Already there and not sent.
    rejected
        Rejected by Microsoft, each with a reason.
    unknown
        Sent, but no usable answer came back.
    unsent
        Not sent, because something stopped it before.
    members
        Known members of the audience afterward.
    message
        What went wrong, if anything.
    as_of
        The date of the segment's last evaluation, such as 2026-11-01, if this run did not evaluate it; otherwise empty.
    code, error_name
        The code of the error that stopped it, and Microsoft's symbolic name if there is one.
    consent
        Who agreed and which of them were sent, in words.
    tracking_ids
        TrackingIds of the requests, for Microsoft's support.
    """

    segment: str
    audience: str
    audience_id: str
    status: str
    accepted: int = 0
    added: int = 0
    removed: int = 0
    unchanged: int = 0
    rejected: int = 0
    unknown: int = 0
    unsent: int = 0
    members: int = 0
    message: str = ""
    as_of: str = ""
    code: str = ""
    error_name: str = ""
    consent: str = field(default="", repr=False)
    tracking_ids: tuple[str, ...] = field(default=(), repr=False)

    @property
    def notes(self) -> list[str]:
        """What the user should know about it, as sentences."""
        consent = f"{self.consent}." if self.consent else ""
        return [each for each in (self.message, sent_as_of([self.as_of]), consent) if each]

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> AudienceResult:
        """Convert a stored result."""
        known = {name: value for name, value in document.items() if name in cls.__dataclass_fields__}
        message = worded(document["message"])
        return cls(**{**known, "message": message, "tracking_ids": tuple(document["tracking_ids"])})

    def document(self) -> dict[str, Any]:
        """Return the result as the workspace stores it."""
        return asdict(self) | {"tracking_ids": list(self.tracking_ids)}


@dataclass(frozen=True, repr=False)
class Run(ResultTable[AudienceResult]):
    """One execution of an export.

    Parameters
    ----------
    id
        The id of the run; its first eight characters identify it too.
    destination
        The connection's environment and account, in words.
    results
        The result for each audience.
    started_at, finished_at
        Times in UTC; ``finished_at`` is None while something is left to do.
    """

    id: str
    destination: str
    results: tuple[AudienceResult, ...]
    started_at: datetime
    finished_at: datetime | None
    _rejected: Callable[[], pa.Table] = field(repr=False, compare=False)
    _resume: Callable[[str, Reporter], Run] = field(repr=False, compare=False)

    _columns = (
        Column("Segment", "segment"),
        Column("Audience", "audience"),
        *frame_only("audience_id"),
        Column("Status", "status"),
        *frame_only("accepted"),
        Column("Added", "added"),
        Column("Removed", "removed"),
        Column("Unchanged", "unchanged"),
        Column("Rejected", "rejected"),
        Column("Unknown", "unknown"),
        Column("Not sent", "unsent"),
        *frame_only("members", "message", "as_of", "code", "error_name"),
    )

    @property
    def _rows(self) -> tuple[AudienceResult, ...]:
        return self.results

    @property
    def _title_html(self) -> str:
        return f"<div><b>{html.escape(self.destination)}</b></div><div>Export {self.status}</div>"

    @property
    def _notes(self) -> list[str]:
        return [*(note for each in self.results for note in each.notes), *self._next_step()]

    @property
    def _short_id(self) -> str:
        """The id as sentences have it; it identifies the run too."""
        return self.id[:8]

    @property
    def status(self) -> str:
        """Queued, Running, Completed, Completed with errors, Skipped, Failed or Canceled."""
        return overall([each.status for each in self.results])

    @property
    def accepted(self) -> int:
        """Number of hashes that Microsoft accepted."""
        return sum(each.accepted for each in self.results)

    @property
    def rejected(self) -> int:
        """Number of hashes that Microsoft rejected."""
        return sum(each.rejected for each in self.results)

    @property
    def unknown(self) -> int:
        """Number of hashes that were sent without a usable answer."""
        return sum(each.unknown for each in self.results)

    @property
    def tracking_ids(self) -> tuple[str, ...]:
        """The TrackingIds of all requests, for Microsoft's support."""
        return tuple(one for each in self.results for one in each.tracking_ids)

    def resume(self, *, progress: Reporter = silent) -> Run:
        """Finish the run if it was interrupted, and return its new state.

        Parameters
        ----------
        progress
            Called with the progress of the run; silent by default.
        """
        return self if self.finished_at else self._resume(self.id, progress)

    def rejected_rows(self, *, show: Callable[[str], None] = announce) -> pd.DataFrame:
        """Return the rejected profiles by key: segment, key, code, reason and error name; never the address.

        The key is text, whatever the type of the frame's column. `ci.text_of_keys` converts that column in the same
        way, so that you can join the two: ``frame.assign(key=ci.text_of_keys(frame["CustomerId"])).merge(rows,
        on="key")``.

        The rows are kept for 30 days. A profile that left the segment and could not be removed no longer has a key. If
        the run has not ended, these are the rows that Microsoft has rejected so far.

        Parameters
        ----------
        show
            Called with a sentence if the run has not ended, so that more rows may follow.
        """
        frame: pd.DataFrame = self._rejected().to_pandas()
        if self.finished_at is None:
            show(f"The run {self._short_id} has not ended: these are the rows that Microsoft has refused so far.")
        return frame

    def to_dict(self) -> dict[str, Any]:
        """Return the destination, the status, and the result for each audience."""
        return {
            "destination": self.destination,
            "status": self.status,
            "audiences": plain(self.results),
        }

    def __repr__(self) -> str:
        lines = [self.destination, f"Export {self.status}"]
        for each in self.results:
            lines.append(f"  audience '{each.audience}': {_counts(each)}")
            lines += [f"    {note}" for note in each.notes]
        return "\n".join([*lines, *self._next_step()])

    def _next_step(self) -> list[str]:
        return [] if self.finished_at else [f"It is not finished: {Do('runs.resume', self._short_id)}"]


def rejected_table(rows: Sequence[RejectedRow]) -> pa.Table:
    """Return rejected profiles as a table with the columns segment, key, code, reason and error name."""
    columns = list(zip(*rows, strict=True)) or [()] * len(_REJECTED_SCHEMA)
    return pa.table([list(column) for column in columns], schema=_REJECTED_SCHEMA)


def _counts(each: AudienceResult) -> str:
    if each.status == SKIPPED:
        return "skipped"
    counts = [("added", each.added), ("removed", each.removed), ("unchanged", each.unchanged)]
    counts += [("rejected", each.rejected), ("unknown", each.unknown)]
    counts += [("not sent", each.unsent)] if each.unsent else []
    return ", ".join(f"{word} {format_count(count)}" for word, count in counts)
