"""The plan: exactly what a run would send to each audience, to be looked at before it is carried out."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ci_magics.activation.ledger import Difference, Ledger, difference, read_ledger
from ci_magics.activation.progress import Reporter, silent
from ci_magics.activation.segments import StoredSegment
from ci_magics.activation.services import Services
from ci_magics.errors import ExportRefusedError
from ci_magics.matching.coverage import SMALLEST_SERVING, cover
from ci_magics.matching.matched import Hashes, sendable_hashes
from ci_magics.matching.picture import counted
from ci_magics.microsoft.advertising import MAX_ITEMS, Audience, Scope
from ci_magics.workspace.models import AudienceRecord, Connection
from ci_magics.workspace.store import Workspace

if TYPE_CHECKING:
    import pandas as pd

    from ci_magics.activation.run import Run

Transport = Literal["apply", "bulk", "none"]

#: Up to this many changes go by single calls: below it they are done before a bulk file is first asked about.
APPLY_AT_MOST = 5 * MAX_ITEMS


@dataclass(frozen=True)
class Order:
    """What a person asked for, beside the segments and the connection."""

    normalization: str = "basic"
    membership_days: int = -1
    scope: Scope = "Account"
    customer_id: str | None = None
    account_id: str | None = None


@dataclass(frozen=True)
class AudiencePlan:
    """What would happen to one audience. Counts are hashes.

    Parameters
    ----------
    segment
        Name of the segment.
    audience
        Name of the audience.
    audience_id
        None where it would be created.
    adds, removes, unchanged
        How many hashes.
    transport
        ``apply``: calls of up to 1,000; ``bulk``: one file or more; ``none``: nothing to send.
    warnings
        What a person should know.
    """

    segment: str
    audience: str
    audience_id: str | None
    adds: int
    removes: int
    unchanged: int
    transport: Transport
    warnings: tuple[str, ...]
    record: AudienceRecord | None = field(repr=False)
    change: Difference = field(repr=False)
    stored: StoredSegment = field(repr=False)
    consented: Hashes | None = field(default=None, repr=False)

    @property
    def action(self) -> str:
        """What happens to the audience itself."""
        return "create" if self.audience_id is None else "update"

    @property
    def sends(self) -> str:
        """How it goes out, in words."""
        if self.transport == "apply":
            calls = -(-self.adds // MAX_ITEMS) + -(-self.removes // MAX_ITEMS)
            return f"{calls} call{'' if calls == 1 else 's'}"
        return "nothing" if self.transport == "none" else "bulk upload"


@dataclass(frozen=True)
class Plan:
    """What an export would do.

    Parameters
    ----------
    destination
        Where it goes; the first line of every display.
    connection
        The connection, as it was when the plan was made.
    order
        What was asked for.
    audiences
        One for each segment.
    """

    destination: str
    connection: Connection
    order: Order
    audiences: tuple[AudiencePlan, ...]
    _carry_out: Callable[[Plan, Reporter], Run] = field(repr=False, compare=False)

    def apply(self, *, progress: Reporter = silent) -> Run:
        """Carry the plan out.

        Raises
        ------
        ConsentError
            A consent is missing; nothing was sent.
        """
        return self._carry_out(self, progress)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know, over all audiences."""
        return tuple(warning for each in self.audiences for warning in each.warnings)

    def to_frame(self) -> pd.DataFrame:
        """Return one row per audience."""
        import pandas as pd

        names = ("segment", "audience", "audience_id", "action", "adds", "removes", "unchanged", "sends")
        return pd.DataFrame([{name: getattr(each, name) for name in names} for each in self.audiences], columns=names)

    def __repr__(self) -> str:
        lines = [self.destination, f"Plan for account {self.account_id} ({self.order.normalization})"]
        lines += [
            f"  {each.action} audience '{each.audience}': add {counted(each.adds)}, remove {counted(each.removes)}, "
            f"unchanged {counted(each.unchanged)}, by {each.sends}"
            for each in self.audiences
        ]
        return "\n".join([*lines, *self.warnings])

    def _repr_html_(self) -> str:
        heads = ("Segment", "Audience", "Action", "Add", "Remove", "Unchanged", "Sent by")
        rows = [
            (each.segment, each.audience, each.action, counted(each.adds), counted(each.removes),
             counted(each.unchanged), each.sends)
            for each in self.audiences
        ]  # fmt: skip
        title = f"Plan for account {self.account_id}, normalization {self.order.normalization}"
        notes = "".join(f"<div>{html.escape(warning)}</div>" for warning in self.warnings)
        head = f"<div><b>{html.escape(self.destination)}</b></div><div>{html.escape(title)}</div>"
        return f"{head}{table(heads, rows)}{notes}"

    @property
    def account_id(self) -> str:
        """The account that it is for."""
        return self.order.account_id or self.connection.account_id


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return an HTML table of escaped texts."""
    head = "".join(f"<th style='text-align:left'>{html.escape(each)}</th>" for each in heads)
    body = "".join(
        f"<tr>{''.join(f'<td style=text-align:left>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def plan_audience(
    workspace: Workspace, services: Services, connection: Connection, stored: StoredSegment, order: Order
) -> AudiencePlan:
    """Work out what one segment needs.

    Raises
    ------
    ExportRefusedError
        A guard stops it: nothing to send, or an audience that is not ours.
    """
    name = stored.record.name
    wanted = sendable_hashes(stored.matched.table, order.normalization)
    if not len(wanted):
        raise _nothing_to_send(stored, order.normalization)
    remote = _remote(services, name)
    record = _record(workspace, connection, services, name)
    record, ledger = _ours(workspace, connection, name, record, remote, order)
    change = difference(wanted, ledger)
    return AudiencePlan(
        segment=name,
        audience=remote.name if remote else name,
        audience_id=remote.id if remote else None,
        adds=len(change.adds),
        removes=len(change.removes),
        unchanged=change.unchanged,
        transport=choose_transport(len(change.adds) + len(change.removes)),
        warnings=_warnings(connection, name, len(wanted)),
        record=record,
        change=change,
        stored=stored,
    )


def choose_transport(changes: int) -> Transport:
    """Return how a number of changes is sent."""
    if changes == 0:
        return "none"
    return "apply" if changes <= APPLY_AT_MOST else "bulk"


def _remote(services: Services, name: str) -> Audience | None:
    return next((each for each in services.advertising.audiences() if each.name.lower() == name.lower()), None)


def _record(workspace: Workspace, connection: Connection, services: Services, name: str) -> AudienceRecord | None:
    account = services.conversation.caller.account_id
    found = workspace.audiences.where(environment=connection.environment, account_id=account, segment_name=name)
    return found[-1] if found else None


def _ours(
    workspace: Workspace,
    connection: Connection,
    name: str,
    record: AudienceRecord | None,
    remote: Audience | None,
    order: Order,
) -> tuple[AudienceRecord | None, Ledger]:
    """Return what we know of the audience; refuse when it is not the one that we filled."""
    if record is None and remote is None:
        return None, Ledger()
    if record is None:
        raise ExportRefusedError(
            f"The account has an audience '{name}' that was not filled from here, so what it holds is not known.",
            "Give the segment another name, or rename that audience in Microsoft Advertising.",
            code="audience_not_ours",
        )
    if remote is None or remote.id != record.audience_id:
        return _vanished(workspace, connection, record, remote)
    if record.normalization != order.normalization:
        raise ExportRefusedError(
            f"The audience '{name}' was filled with the normalization {record.normalization}, "
            f"and {order.normalization} would never remove what it holds.",
            f"Use --normalization {record.normalization}, or give the segment another name.",
            code="normalization_differs",
        )
    return record, read_ledger(workspace, record.id)


def _vanished(
    workspace: Workspace, connection: Connection, record: AudienceRecord, remote: Audience | None
) -> tuple[AudienceRecord | None, Ledger]:
    """Decide about an audience that we filled and that is not there any more."""
    if connection.environment == "emulator" and remote is None:
        workspace.audiences.remove(record.id)  # an emulator forgets everything when it ends
        workspace.ledgers.remove(record.id)
        return None, Ledger()
    raise ExportRefusedError(
        f"The audience '{record.name}' that was filled from here was deleted, renamed or replaced.",
        "Give the segment another name to make a new audience.",
        code="audience_changed",
    )


def _nothing_to_send(stored: StoredSegment, normalization: str) -> ExportRefusedError:
    name = stored.record.name
    numbers = cover({name: stored.matched}, normalization=normalization).segments[0]
    if not numbers.rows:
        return ExportRefusedError(
            f"The segment '{name}' has no profiles, so nothing was sent.",
            "Check its condition: %ci_segment makes it again.",
            code="empty_segment",
        )
    reasons = ", ".join(f"{counted(count)} {reason}" for reason, count in numbers.reasons.items() if count)
    return ExportRefusedError(
        f"No profile of the segment '{name}' has a valid e-mail address ({reasons}), so nothing was sent.",
        f'See why: %ci_preview "{name}".',
        code="nothing_sendable",
    )


def _warnings(connection: Connection, name: str, wanted: int) -> tuple[str, ...]:
    found = []
    if wanted < SMALLEST_SERVING:
        found.append(f"{name}: an audience serves only when {SMALLEST_SERVING} people are matched.")
    if not connection.agreed or not connection.terms_accepted:
        found.append(f"A consent of the connection '{connection.name}' is missing: the plan cannot be carried out yet.")
    return tuple(found)
