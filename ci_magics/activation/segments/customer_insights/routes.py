"""Three routes to the members of a segment: the Customer Insights API by page, its files, and Dataverse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa

from ci_magics.activation.segments.customer_insights.columns import InsightsColumns
from ci_magics.advice import Opt
from ci_magics.errors import ArgumentError, nearest_name
from ci_magics.microsoft.customer_insights import CustomerInsights
from ci_magics.segmentation.sources.records import batch_of_records

VIAS = ("rest", "csv", "dataverse")


@dataclass(frozen=True)
class Chunk:
    """Some members, and the position to continue from.

    Parameters
    ----------
    rows
        Columns that were requested.
    position
        Where to continue.
    total
        Number of all members according to the service, if reported.
    lagging
        Number of rows without a profile yet.
    """

    rows: pa.RecordBatch = field(repr=False)
    position: dict[str, Any]
    total: int | None = None
    lagging: int = 0


class Route(Protocol):
    """A resumable reader: each call continues from a position."""

    def chunks(self, position: dict[str, Any]) -> Iterator[Chunk]:
        """Yield the members after a position; an empty position is the beginning."""
        ...


@dataclass(frozen=True)
class RestRoute:
    """Read from the Customer Insights API, sorted by key.

    Parameters
    ----------
    insights
        API client.
    instance_id, segment
        Instance and segment to read.
    columns
        Profile columns to read.
    """

    insights: CustomerInsights
    instance_id: str
    segment: str
    columns: InsightsColumns

    def chunks(self, position: dict[str, Any]) -> Iterator[Chunk]:
        """Yield one chunk for each page."""
        names = self.columns.names
        for page in self.insights.members(self.instance_id, self.segment, names, position.get("next")):
            rows = batch_of_records(page.rows, names, self.columns.schema)
            yield Chunk(rows, {"next": page.next} if page.next else {}, page.total)


def require_via(via: str | None) -> None:
    """Reject an unknown route.

    Raises
    ------
    ArgumentError
        The route is unknown; the error names the known ones.
    """
    if via is None or via in VIAS:
        return
    nearest = nearest_name(via, VIAS)
    hint = f" Did you mean '{nearest}'?" if nearest else ""
    raise ArgumentError(f"{Opt('via')} cannot be '{via}'.{hint}", f"Use {', '.join(VIAS)}.", code="unknown_via")
