"""Store a segment of Customer Insights as a segment of the workspace."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from ci_magics.activation.progress import Reporter, silent
from ci_magics.activation.segments.consents import insights_source
from ci_magics.activation.segments.customer_insights.columns import InsightsColumns, choose_columns
from ci_magics.activation.segments.customer_insights.insights_segment import InsightsSegment
from ci_magics.activation.segments.customer_insights.spool import Reading
from ci_magics.activation.segments.customer_insights.transfer import (
    FEW,
    ReadPlan,
    each_once,
    read_members,
    require_count,
    require_unchanged,
)
from ci_magics.activation.segments.definitions import Definition
from ci_magics.activation.segments.storage import Replacing, keep_segment
from ci_magics.advice import Opt, advise
from ci_magics.errors import ArgumentError, SegmentError
from ci_magics.matching.matched import matched_schema
from ci_magics.matching.tally import Tally
from ci_magics.microsoft.insights_values import CUSTOMER_ID
from ci_magics.naming import require_name
from ci_magics.segmentation.consent.document import ConsentChoice, SegmentConsent
from ci_magics.segmentation.profile_columns import ProfileColumns
from ci_magics.segmentation.segment import FOUND, Segment, fit_choice
from ci_magics.workspace.store import Workspace


@dataclass(frozen=True)
class InsightsStream:
    """Profiles that are read and matched."""

    schema: pa.Schema
    ordered: bool
    read: Callable[[], Iterator[pa.RecordBatch]]
    tally: Tally

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the profiles."""
        yield from self.read()

    def domains(self) -> dict[str, int]:
        """Return the number of profiles by domain."""
        return self.tally.domains()

    def examples(self) -> dict[str, list[str]]:
        """Return masked example values by reason."""
        return self.tally.examples()


def keep_insights(
    workspace: Workspace,
    name: str,
    wanted: InsightsSegment,
    *,
    email: str | None,
    key: str | None,
    consent: ConsentChoice = FOUND,
    show: Callable[[str], None],
    progress: Reporter = silent,
    replacing: Replacing | None = None,
) -> Segment:
    """Read the members of a segment of Customer Insights, and store them under a name.

    Resumes an interrupted reading if the segment has not been refreshed since.

    Parameters
    ----------
    workspace
        Workspace to store the segment in.
    name
        Name of the new segment.
    wanted
        Segment of Customer Insights.
    email
        Attribute with the address; None chooses it by meaning.
    key
        ``CustomerId`` or None.
    consent
        Choice of the attributes that say who agreed.
    show
        Called with messages about how fresh and complete the members are.
    progress
        Called with the number of members that were read; silent by default.
    replacing
        When it may replace the segment of the same name.

    Raises
    ------
    SegmentError
        The members are not customers, the segment was deleted or refreshed while it was read, or members are missing.
    ArgumentError
        ``key`` is not ``CustomerId``.
    """
    require_name(name, "segment", error=SegmentError)
    wanted.require_eligible()
    if key not in (None, CUSTOMER_ID):
        raise ArgumentError(
            f"Profiles of Customer Insights are known by their {CUSTOMER_ID}.",
            advise("Leave out ", Opt("key"), "."),
            code="insights_key",
        )
    for sentence in wanted.freshness():
        show(sentence)
    source = wanted.source
    columns = choose_columns(source.services.insights.entity(source.record.instance_id), email, consent)
    via = _chosen_via(wanted)
    taken = ProfileColumns.of(columns.schema, columns.email, CUSTOMER_ID, columns.consents)
    kept = matched_schema(taken.schema)
    reading = Reading(workspace, _identity(wanted, via, columns) | {"kept": kept.names}, kept)
    with reading.held():
        plan = ReadPlan(wanted, via, columns, taken, progress)
        read_members(reading, plan, show)
        require_unchanged(reading, wanted, show)
        batches, repeated = each_once(reading)
        require_count(reading, repeated, wanted, show)
        made = Segment(
            id=str(uuid.uuid4()),
            name=name,
            rows=0,
            email=columns.email,
            key=CUSTOMER_ID,
            where=None,
            columns=columns.all,
            consent=SegmentConsent.of(columns.consents, fit_choice(consent, columns.all)).model_copy(
                update={"sources": (insights_source(source.record.name),)}
            ),
        )
        passing = InsightsStream(reading.schema, via == "rest", batches, reading.remembered())
        chosen = consent if consent.how == "chosen" else FOUND
        definition = Definition(
            kind="insights",
            source=wanted.name,
            email=email,
            consent=chosen.columns,
            consent_yes=chosen.yes,
            instance=source.record.name,
            via=wanted.via,
        )
        segment = keep_segment(workspace, made, passing, definition, show, replacing)
        reading.clear()
    return segment


def _chosen_via(wanted: InsightsSegment) -> str:
    return wanted.via or ("rest" if (wanted.members or 0) <= FEW else "csv")


def _identity(wanted: InsightsSegment, via: str, columns: InsightsColumns) -> dict[str, object]:
    record = wanted.source.record
    return {
        "environment": record.environment,
        "instance": record.instance_id,
        "segment": wanted.name,
        "evaluated": str(wanted.refreshed),
        "members": wanted.members,
        "via": via,
        "columns": columns.names,
        "consent_yes": list(columns.consents.agreed) if columns.consents else [],
    }
