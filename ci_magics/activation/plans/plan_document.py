"""The plan as a document that you can save, review and check again later. It has no addresses, hashes or secrets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from ci_magics.activation.plans.export_options import ExportOptions
from ci_magics.activation.plans.ledger import outdated, sent_to
from ci_magics.activation.plans.planner import Work
from ci_magics.activation.plans.target import version_now
from ci_magics.activation.plans.verdict import Finding, Verdict, finding_of
from ci_magics.display.numbers import pluralize
from ci_magics.microsoft.advertising import MAX_ITEMS
from ci_magics.microsoft.upload_file import rows_per_file
from ci_magics.segmentation.consent.document import NOT_KNOWN, SegmentConsent
from ci_magics.version import __version__
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import Workspace


class AudiencePlan(BaseModel):
    """The plan for one audience. Counts are hashes.

    Parameters
    ----------
    segment, segment_version, audience
        The segment, its version when the plan was made, and the audience.
    audience_id
        Microsoft's id of the audience; None if the run will create it.
    adds, removes, unchanged
        Number of hashes to add, to remove, and already in the audience.
    transport, sends
        ``apply``, ``bulk`` or ``none``, and the same in words.
    guards
        The findings; those that stop the audience come first.
    ledger_version
        Version of the ledger; None if nothing was ever sent to the audience.
    digest
        A short checksum of what is sent.
    renewal
        Why members are sent again, as a sentence; empty if only the difference is sent.
    consent, consent_note
        Who agreed, and in words which of them are sent.
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
        """``create`` or ``update``."""
        return "create" if self.audience_id is None else "update"

    @property
    def stopping(self) -> Finding | None:
        """The first guard that stops this audience, if any."""
        return next((each for each in self.guards if each.stops), None)


class PlanDocument(BaseModel):
    """What an export would do, and the state it was calculated from.

    Parameters
    ----------
    verdict
        Whether the export would go through, at the time the plan was made.
    code_version
        The version of ci-magics that made the plan.
    made_at
        When the plan was made.
    destination
        The connection's environment and account, in words.
    connection_id, connection
        The id and name of the connection.
    environment
        ``emulator``, ``sandbox`` or ``production``.
    customer_id, account_id
        The Microsoft Advertising account to send to.
    options
        The options of the export.
    segments
        All requested segments. If a check failed before they could be planned, ``audiences`` has fewer.
    audiences
        The plan for each audience.
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
    options: ExportOptions,
    segments: Sequence[str],
    works: tuple[Work, ...],
    now: datetime,
    verdict: Verdict,
) -> PlanDocument:
    """Return the document of a plan.

    Parameters
    ----------
    connection
        The connection to send through.
    options
        The options of the export.
    segments
        Names of the requested segments.
    works
        The planned audiences.
    now
        The current time.
    verdict
        Whether the export would go through.
    """
    return PlanDocument(
        verdict=verdict,
        code_version=__version__,
        made_at=now,
        destination=connection.destination,
        connection_id=connection.id,
        connection=connection.name,
        environment=connection.environment,
        customer_id=options.customer_id or connection.customer_id,
        account_id=options.account_id or connection.account_id,
        order=options,
        segments=tuple(segments),
        audiences=tuple(_audience_plan(work, options) for work in works),
    )


def require_current(
    workspace: Workspace, document: PlanDocument, connection: Connection, works: tuple[Work, ...]
) -> None:
    """Reject a plan if its data has changed.

    Parameters
    ----------
    workspace
        The workspace that stores the segments and ledgers.
    document
        The plan.
    connection
        The current state of the connection.
    works
        The planned audiences, calculated again now.

    Raises
    ------
    ExportRefusedError
        Something changed; the error lists all changes.
    """
    changed = list(_changed(workspace, document, connection, works))
    if changed:
        raise outdated(changed)


def require_current_ledgers(workspace: Workspace, works: Sequence[Work]) -> None:
    """Reject audiences that another run has sent to since they were looked up, because their ledgers are outdated.

    Parameters
    ----------
    workspace
        The workspace that stores the ledgers.
    works
        The planned audiences.

    Raises
    ------
    ExportRefusedError
        Another run has sent to an audience; the error lists them.
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
        yield f"the segment '{planned.segment}' was created again or deleted"
    elif planned.audience_id != (work.target.id or None):
        yield f"the audience '{planned.audience}' was created, deleted or replaced"
    elif planned.ledger_version != _ledger_version(workspace, work):
        yield sent_to(planned.audience)
    elif planned.digest != work.changes.digest:
        yield f"what would be sent to the audience '{planned.audience}' is not the same"


def _ledger_version(workspace: Workspace, work: Work) -> str | None:
    return version_now(workspace, work.environment, work.account_id, work.stored.record.name, work.target)


def _audience_plan(work: Work, options: ExportOptions) -> AudiencePlan:
    target, changes = work.target, work.changes
    return AudiencePlan(
        segment=work.stored.record.name,
        segment_version=work.stored.record.fingerprint,
        audience=target.name,
        audience_id=target.id or None,
        adds=len(changes.adds),
        removes=changes.leaving if options.mode == "replace" else len(changes.removes),
        unchanged=changes.unchanged,
        transport=work.transport,
        sends=_sends(work, options),
        guards=tuple(finding_of(each, target.name) for each in work.guards),
        ledger_version=target.version,
        digest=changes.digest,
        renewal=changes.renewal,
        consent=work.consent.known,
        consent_note=work.consent.note,
    )


def _sends(work: Work, options: ExportOptions) -> str:
    """Describe how the changes are sent, in words."""
    adds, removes = len(work.changes.adds), len(work.changes.removes)
    if work.transport == "none":
        return "nothing"
    if work.transport == "apply":
        return pluralize(-(-adds // MAX_ITEMS) + -(-removes // MAX_ITEMS), "call")
    rows = rows_per_file(work.environment)
    files = max(-(-adds // rows) + -(-removes // rows), 1)
    note = ", the list is short until the last is done" if options.mode == "replace" and files > 1 else ""
    return f"{pluralize(files, 'file')}{note}"
