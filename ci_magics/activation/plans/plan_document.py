"""The plan as a document: what can be saved, looked at, and checked again later. No address, no hash, no secret."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from ci_magics import __version__
from ci_magics.activation.plans.export_options import ExportOptions
from ci_magics.activation.plans.outdated_plan import outdated, sent_to
from ci_magics.activation.plans.planner import Work
from ci_magics.activation.plans.target import version_now
from ci_magics.activation.plans.verdict import Finding, Verdict, finding_of
from ci_magics.display.numbers import counted_in_words
from ci_magics.microsoft.advertising import MAX_ITEMS
from ci_magics.microsoft.upload_file import rows_per_file
from ci_magics.segmentation.consent.document import NOT_KNOWN, SegmentConsent
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import Workspace


class AudiencePlan(BaseModel):
    """What would happen to one audience. Counts are hashes.

    Parameters
    ----------
    segment, segment_version, audience
        Which segment, as it was, and which audience.
    audience_id
        None where it would be created.
    adds, removes, unchanged
        How many go in, go out, and are there already.
    transport, sends
        ``apply``, ``bulk`` or ``none``, and the same in words.
    guards
        What was found; those that stop come first.
    ledger_version
        Version of what we know of the audience; None where we never sent to it.
    digest
        A short mark of what is sent.
    renewal
        Why members are sent again, as a sentence; empty where only the difference is sent.
    consent, consent_note
        Who agreed, and who of them is sent, in words.
    """

    model_config = ConfigDict(frozen=True)

    segment: str
    segment_version: str
    audience: str
    audience_id: str | None
    adds: int
    removes: int
    unchanged: int
    transport: str
    sends: str
    guards: tuple[Finding, ...]
    ledger_version: str | None
    digest: str
    renewal: str = ""
    consent: SegmentConsent = NOT_KNOWN
    consent_note: str = ""

    @property
    def action(self) -> str:
        """What happens to the audience itself."""
        return "create" if self.audience_id is None else "update"

    @property
    def stopping(self) -> Finding | None:
        """The guard that refuses this audience, if any."""
        return next((each for each in self.guards if each.stops), None)


class PlanDocument(BaseModel):
    """What an export would do, and what it was worked out from.

    Parameters
    ----------
    verdict
        Whether the export would go through, as of the moment at which the plan was made.
    segments
        All that were asked for; ``audiences`` has fewer where a check failed before they could be planned.
    """

    model_config = ConfigDict(frozen=True)

    verdict: Verdict
    code_version: str
    made_at: datetime
    destination: str
    connection_id: str
    connection: str
    environment: str
    customer_id: str
    account_id: str
    order: ExportOptions
    segments: tuple[str, ...]
    audiences: tuple[AudiencePlan, ...]


def document_of(
    connection: Connection,
    order: ExportOptions,
    segments: Sequence[str],
    works: tuple[Work, ...],
    now: datetime,
    verdict: Verdict,
) -> PlanDocument:
    """Write a plan down."""
    return PlanDocument(
        verdict=verdict,
        code_version=__version__,
        made_at=now,
        destination=connection.destination,
        connection_id=connection.id,
        connection=connection.name,
        environment=connection.environment,
        customer_id=order.customer_id or connection.customer_id,
        account_id=order.account_id or connection.account_id,
        order=order,
        segments=tuple(segments),
        audiences=tuple(_audience_plan(work, order) for work in works),
    )


def require_current(
    workspace: Workspace, document: PlanDocument, connection: Connection, works: tuple[Work, ...]
) -> None:
    """Refuse a plan that was worked out from something that has changed since.

    Raises
    ------
    ExportRefusedError
        Naming everything that changed.
    """
    changed = list(_changed(workspace, document, connection, works))
    if changed:
        raise outdated(changed)


def require_unmoved(workspace: Workspace, works: Sequence[Work]) -> None:
    """Refuse audiences that another run has sent to since they were looked up: what was found there holds no more.

    Raises
    ------
    ExportRefusedError
        Naming them.
    """
    moved = [sent_to(work.target.name) for work in works if _ledger_version(workspace, work) != work.target.version]
    if moved:
        raise outdated(moved)


def _changed(
    workspace: Workspace, document: PlanDocument, connection: Connection, works: tuple[Work, ...]
) -> Iterator[str]:
    if document.code_version != __version__:
        yield f"ci-magics was {document.code_version} and is {__version__}"
    goes_to = (document.order.customer_id or connection.customer_id, document.order.account_id or connection.account_id)
    planned = (document.connection_id, document.environment, document.customer_id, document.account_id)
    if planned != (connection.id, connection.environment, *goes_to):
        yield f"the connection '{connection.name}' was changed"
    for planned_audience, work in zip(document.audiences, works, strict=True):
        yield from _changed_audience(workspace, planned_audience, work)


def _changed_audience(workspace: Workspace, planned: AudiencePlan, work: Work) -> Iterator[str]:
    segment = workspace.segments.get(planned.segment)
    if segment is None or segment.fingerprint != planned.segment_version:
        yield f"the segment '{planned.segment}' was made again or deleted"
    elif planned.audience_id != (work.target.id or None):
        yield f"the audience '{planned.audience}' was made, deleted or exchanged"
    elif planned.ledger_version != _ledger_version(workspace, work):
        yield sent_to(planned.audience)
    elif planned.digest != work.changes.digest:
        yield f"what would be sent to the audience '{planned.audience}' is not the same"


def _ledger_version(workspace: Workspace, work: Work) -> str | None:
    return version_now(workspace, work.environment, work.account_id, work.stored.record.name, work.target)


def _audience_plan(work: Work, order: ExportOptions) -> AudiencePlan:
    target, changes = work.target, work.changes
    return AudiencePlan(
        segment=work.stored.record.name,
        segment_version=work.stored.record.fingerprint,
        audience=target.name,
        audience_id=target.id or None,
        adds=len(changes.adds),
        removes=changes.leaving if order.mode == "replace" else len(changes.removes),
        unchanged=changes.unchanged,
        transport=work.transport,
        sends=_sends(work, order),
        guards=tuple(finding_of(each, target.name) for each in work.guards),
        ledger_version=target.version,
        digest=changes.digest,
        renewal=changes.renewal,
        consent=work.consent.known,
        consent_note=work.consent.note,
    )


def _sends(work: Work, order: ExportOptions) -> str:
    """Say how it goes out."""
    adds, removes = len(work.changes.adds), len(work.changes.removes)
    if work.transport == "none":
        return "nothing"
    if work.transport == "apply":
        return counted_in_words(-(-adds // MAX_ITEMS) + -(-removes // MAX_ITEMS), "call")
    rows = rows_per_file(work.environment)
    files = max(-(-adds // rows) + -(-removes // rows), 1)
    note = ", the list is short until the last is done" if order.mode == "replace" and files > 1 else ""
    return f"{counted_in_words(files, 'file')}{note}"
