"""What came of an export."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ci_magics.activation.plan import table
from ci_magics.matching.picture import counted

if TYPE_CHECKING:
    import pandas as pd

COMPLETED = "Completed"
WITH_ERRORS = "Completed with errors"
FAILED = "Failed"
RUNNING = "Running"

_REJECTED_SCHEMA = pa.schema(
    [("segment", pa.string()), ("key", pa.string()), ("code", pa.int64()), ("reason", pa.string())]
)


@dataclass(frozen=True)
class AudienceResult:
    """What came of one audience. Counts are hashes.

    Parameters
    ----------
    segment, audience, audience_id
        Which; the id is empty where the audience could not be created.
    status
        Completed, Completed with errors, or Failed.
    added, removed
        Accepted by Microsoft.
    unchanged
        Were there already and not sent.
    rejected
        Refused by Microsoft, with a reason each.
    unknown
        Sent, but no usable answer came back.
    members
        What the audience holds after it, as far as is known.
    message
        What went wrong, if anything.
    tracking_ids
        For Microsoft's support.
    """

    segment: str
    audience: str
    audience_id: str
    status: str
    added: int = 0
    removed: int = 0
    unchanged: int = 0
    rejected: int = 0
    unknown: int = 0
    members: int = 0
    message: str = ""
    tracking_ids: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> AudienceResult:
        """Read a result that was kept in the workspace."""
        return cls(**{**document, "tracking_ids": tuple(document["tracking_ids"])})

    def document(self) -> dict[str, Any]:
        """Return what is kept in the workspace."""
        return asdict(self) | {"tracking_ids": list(self.tracking_ids)}


@dataclass(frozen=True)
class Run:
    """One execution of an export.

    Parameters
    ----------
    id
        Refers to the run.
    destination
        Where it went.
    results
        One for each audience.
    started_at, finished_at
        In UTC.
    """

    id: str
    destination: str
    results: tuple[AudienceResult, ...]
    started_at: datetime
    finished_at: datetime
    _rejected: pa.Table = field(repr=False, compare=False)

    @property
    def status(self) -> str:
        """Completed, Completed with errors, or Failed when nothing worked."""
        return overall([each.status for each in self.results])

    @property
    def accepted(self) -> int:
        """Hashes that Microsoft accepted, added or removed."""
        return sum(each.added + each.removed for each in self.results)

    @property
    def rejected(self) -> int:
        """Hashes that Microsoft refused."""
        return sum(each.rejected for each in self.results)

    @property
    def unknown(self) -> int:
        """Hashes that were sent without a usable answer."""
        return sum(each.unknown for each in self.results)

    @property
    def tracking_ids(self) -> tuple[str, ...]:
        """What Microsoft's support asks for."""
        return tuple(one for each in self.results for one in each.tracking_ids)

    def to_frame(self) -> pd.DataFrame:
        """Return one row per audience."""
        import pandas as pd

        names = [name for name in AudienceResult.__dataclass_fields__ if name != "tracking_ids"]
        return pd.DataFrame([{name: getattr(each, name) for name in names} for each in self.results], columns=names)

    def rejected_rows(self) -> pd.DataFrame:
        """Return one row per refused profile: segment, key, Microsoft's code and reason; never the address."""
        frame: pd.DataFrame = self._rejected.to_pandas()
        return frame

    def __repr__(self) -> str:
        lines = [self.destination, f"Export {self.status}"]
        for each in self.results:
            lines.append(f"  audience '{each.audience}': {_counts(each)}")
            if each.message:
                lines.append(f"    {each.message}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        heads = ("Segment", "Audience", "Status", "Added", "Removed", "Unchanged", "Rejected", "Unknown", "Members")
        rows = [
            (each.segment, each.audience, each.status,
             *map(counted, (each.added, each.removed, each.unchanged, each.rejected, each.unknown, each.members)))
            for each in self.results
        ]  # fmt: skip
        notes = "".join(f"<div>{html.escape(each.message)}</div>" for each in self.results if each.message)
        title = f"<div><b>{html.escape(self.destination)}</b></div><div>Export {self.status}</div>"
        return f"{title}{table(heads, rows)}{notes}"


def overall(statuses: list[str]) -> str:
    """Return the status of several audiences together."""
    if all(status == COMPLETED for status in statuses):
        return COMPLETED
    return FAILED if all(status == FAILED for status in statuses) else WITH_ERRORS


def rejected_table(rows: list[tuple[str, str, int | None, str]]) -> pa.Table:
    """Return refused profiles as a table: segment, key, code, reason."""
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    return pa.table([list(column) for column in columns], schema=_REJECTED_SCHEMA)


def _counts(each: AudienceResult) -> str:
    parts = [f"added {counted(each.added)}", f"removed {counted(each.removed)}", f"unchanged {counted(each.unchanged)}"]
    parts += [f"rejected {counted(each.rejected)}", f"unknown {counted(each.unknown)}"]
    return ", ".join(parts)
