"""Export segments: plan, then push."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from ci_magics.activation.address import read_ids
from ci_magics.activation.connections import require_consents
from ci_magics.activation.plan import AudiencePlan, Order, Plan, plan_audience
from ci_magics.activation.previews import find_connection
from ci_magics.activation.progress import Reporter, silent
from ci_magics.activation.push import carry_out
from ci_magics.activation.run import Run
from ci_magics.activation.segments import StoredSegment, stored_segment
from ci_magics.activation.services import Services, open_services
from ci_magics.errors import ArgumentError, ExportRefusedError, SegmentError, nearest_name
from ci_magics.matching.coverage import cover
from ci_magics.matching.normalize import require_normalization
from ci_magics.microsoft.advertising import Scope
from ci_magics.segmentation.columns import is_objection, list_columns, quoted
from ci_magics.segmentation.segment import Segment
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import Workspace, open_workspace

_SCOPES: dict[str, Scope] = {"account": "Account", "customer": "Customer"}


def export(
    *segments: Segment | str,
    to: Connection | str,
    email: str | None = None,
    customer_id: str | None = None,
    account_id: str | None = None,
    url: str | None = None,
    scope: str = "account",
    dry_run: bool = False,
    normalization: str = "basic",
    membership_days: int = -1,
    consent: str | None = None,
    ignore_consent: bool = False,
    allow_mixed: bool = False,
    progress: Reporter = silent,
    show: Callable[[str], None] = print,
    workspace: Workspace | None = None,
) -> Plan | Run:
    """Send segments to Microsoft Advertising, each to the audience of its name.

    A new audience is created and filled; one that was filled from here before is brought into step, which sends
    only what changed.

    Parameters
    ----------
    segments
        Segments or their names.
    to
        The connection or its name.
    email
        The column with the addresses, to make sure: it must be the one that the segment was made with.
    customer_id, account_id, url
        Instead of the connection's ids.
    scope
        ``account``, or ``customer`` for an audience that all accounts of the customer share.
    dry_run
        Return the plan and send nothing.
    normalization
        ``basic``, ``enhanced`` or ``both``; it never changes within one audience.
    membership_days
        How long a member stays without being sent again: 1 to 390 days, or -1 for ever.
    consent
        A column that says whether somebody may be advertised to: only those are sent.
    ignore_consent
        Send although a column looks like a consent and was not used.
    allow_mixed
        Send a column that mixes plain addresses and hashes.
    progress
        Called while it runs.
    show
        Called with each sentence the person must see: a wait, a sign-in code.
    workspace
        Where segments and connections are; the default one unless given.

    Returns
    -------
    Plan or Run
        The plan with ``dry_run``, else the run.

    Raises
    ------
    ExportRefusedError
        A guard stopped it; nothing was sent.
    ConsentError
        A consent is missing; nothing was sent.
    ServiceError
        Microsoft refused; the error names code and TrackingId.
    """
    workspace = workspace or open_workspace()
    order = _order(normalization, membership_days, scope, url, customer_id, account_id)
    stored = _segments(workspace, segments, email)
    connection = find_connection(workspace, to)
    if not dry_run:
        require_consents(connection)
    stored = [_with_consent(each, consent, ignore=ignore_consent) for each in stored]
    for each in stored:
        _refuse_mixed(each, order, allow=allow_mixed)
    opened = functools.partial(_open, workspace, show)
    services = opened(connection, order)
    plan = Plan(
        destination=connection.destination,
        connection=connection,
        order=order,
        audiences=_plan_all(workspace, services, connection, stored, order),
        _carry_out=functools.partial(
            carry_out, workspace=workspace, open_services=lambda made: opened(made.connection, made.order)
        ),
    )
    return plan if dry_run else plan.apply(progress=progress)


def _plan_all(
    workspace: Workspace, services: Services, connection: Connection, stored: list[StoredSegment], order: Order
) -> tuple[AudiencePlan, ...]:
    return tuple(plan_audience(workspace, services, connection, each, order) for each in stored)


def _open(workspace: Workspace, show: Callable[[str], None], connection: Connection, order: Order) -> Services:
    return open_services(workspace, connection, show=show, account_id=order.account_id, customer_id=order.customer_id)


def _order(
    normalization: str,
    membership_days: int,
    scope: str,
    url: str | None,
    customer_id: str | None,
    account_id: str | None,
) -> Order:
    require_normalization(normalization)
    if membership_days != -1 and not 1 <= membership_days <= 390:
        raise ArgumentError(
            f"A membership of {membership_days} days is not possible.",
            "Use 1 to 390 days, or -1 for no end.",
            code="membership_days",
        )
    if scope not in _SCOPES:
        nearest = nearest_name(scope, _SCOPES)
        hint = f" Did you mean '{nearest}'?" if nearest else ""
        raise ArgumentError(f"There is no scope '{scope}'.{hint}", "Use account or customer.", code="unknown_scope")
    ids = read_ids(url, customer_id, account_id)
    return Order(normalization, membership_days, _SCOPES[scope], ids.customer, ids.account)


def _segments(workspace: Workspace, segments: tuple[Segment | str, ...], email: str | None) -> list[StoredSegment]:
    if not segments:
        raise ArgumentError(
            "Nothing to export.", 'Name a segment: %ci_export "Big spenders" --to "Contoso EU".', code="no_segment"
        )
    stored = [stored_segment(workspace, wanted) for wanted in segments]
    names = [each.record.name for each in stored]
    if len(set(names)) != len(names):
        raise ArgumentError("A segment is named twice.", "Name each segment once.", code="segment_twice")
    for each in stored:
        used = each.record.definition["email"]
        if email is not None and email != used:
            raise SegmentError(
                f"The segment '{each.record.name}' was made with the e-mail column {used}, not {email}.",
                f"Make it again: %ci_segment {quoted(each.record.name)} FRAME --email {quoted(email)}.",
                code="other_email_column",
            )
    return stored


def _with_consent(stored: StoredSegment, column: str | None, *, ignore: bool) -> StoredSegment:
    """Keep the profiles that consented; refuse when a consent was there and nobody said what to do with it."""
    known = list(stored.record.unused_consent)
    if column is None:
        if known and not ignore:
            raise ExportRefusedError(
                f"The segment '{stored.record.name}' has a column that looks like a consent and was not used: "
                f"{list_columns(known)}.",
                f"Send only those who consented with --consent {quoted(known[0])}, or say --ignore-consent.",
                code="consent_not_used",
            )
        return stored
    if column not in known:
        nearest = nearest_name(column, known)
        hint = f" Did you mean '{nearest}'?" if nearest else ""
        raise SegmentError(
            f"The segment '{stored.record.name}' has no consent column '{column}'.{hint}",
            f"Its consent columns are: {list_columns(known) or 'none'}.",
            code="no_consent_column",
        )
    table = stored.matched.table
    return replace(stored, matched=replace(stored.matched, table=table.filter(_consented(table[column], column))))


def _consented(values: pa.ChunkedArray, column: str) -> pa.ChunkedArray:
    """Return who may be contacted; who did not answer may not."""
    if not pa.types.is_boolean(values.type):
        raise SegmentError(
            f"The consent column {column} holds {values.type} values, not true or false.",
            f"Use it in a condition instead, for example --where \"{column} = 'yes'\".",
            code="consent_not_boolean",
        )
    return pc.fill_null(pc.invert(values) if is_objection(column) else values, False)


def _refuse_mixed(stored: StoredSegment, order: Order, *, allow: bool) -> None:
    numbers = cover({stored.record.name: stored.matched}, normalization=order.normalization).segments[0]
    if 0 < numbers.prehashed < numbers.valid and not allow:
        raise ExportRefusedError(
            f"The e-mail column of the segment '{stored.record.name}' mixes addresses and hashes "
            f"({numbers.prehashed:,} of {numbers.valid:,} are hashes), whose rule is not known.",
            "Send both with --allow-mixed.",
            code="mixed_hashes",
        )
