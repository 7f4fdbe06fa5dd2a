"""Three ways to the members of a segment: Customer Insights page by page, its files, and Dataverse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa

from ci_magics.activation.segments.customer_insights.columns import InsightsColumns
from ci_magics.errors import ArgumentError, nearest_name
from ci_magics.microsoft.customer_insights import CustomerInsights
from ci_magics.segmentation.sources.records import batch_of_records

VIAS = ("rest", "csv", "dataverse")


@dataclass(frozen=True)
class Chunk:
    """Some members, and where the reading goes on behind them.

    Parameters
    ----------
    rows
        The columns that were asked for.
    position
        Where it goes on.
    total
        How many members there are by the service, if it says so.
    lagging
        How many of the rows have no profile yet.
    """

    rows: pa.RecordBatch = field(repr=False)
    position: dict[str, Any]
    total: int | None = None
    lagging: int = 0


class Route(Protocol):
    """A way that is gone step by step, each time from where the last one ended."""

    def stretches(self, position: dict[str, Any]) -> Iterator[Chunk]:
        """Return the members behind a position; an empty one is the beginning."""
        ...


@dataclass(frozen=True)
class RestRoute:
    """Customer Insights' own API, in order of the key.

    Parameters
    ----------
    insights
        The API.
    instance_id, segment
        What is read.
    columns
        What of each profile is asked for.
    """

    insights: CustomerInsights
    instance_id: str
    segment: str
    columns: InsightsColumns

    def stretches(self, position: dict[str, Any]) -> Iterator[Chunk]:
        """Return one page after the other."""
        names = self.columns.names
        for page in self.insights.members(self.instance_id, self.segment, names, position.get("next")):
            rows = batch_of_records(page.rows, names, self.columns.schema)
            yield Chunk(rows, {"next": page.next} if page.next else {}, page.total)


def require_via(via: str | None) -> None:
    """Refuse a route that there is not.

    Raises
    ------
    ArgumentError
        Naming those that there are.
    """
    if via is None or via in VIAS:
        return
    nearest = nearest_name(via, VIAS)
    hint = f" Did you mean '{nearest}'?" if nearest else ""
    raise ArgumentError(f"--via cannot be '{via}'.{hint}", f"Use {', '.join(VIAS)}.", code="unknown_via")
