"""Make plans: look at segment, ledger and audience, and work out what would be sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from ci_magics.activation.connections.services import Services
from ci_magics.activation.planning.changes import Changes, changes_for
from ci_magics.activation.planning.guards import Guard, find_guards, segment_guards
from ci_magics.activation.planning.order import Order
from ci_magics.activation.planning.suppressing import all_held_back, suppression_for
from ci_magics.activation.planning.target import Target, find_target, lock_names
from ci_magics.activation.planning.unmet import unmet_exclusions
from ci_magics.activation.segments.segments import StoredSegment
from ci_magics.errors import SegmentError, nearest_name
from ci_magics.matching.counting import Counted, count_profiles
from ci_magics.matching.hash_list import Scratch
from ci_magics.matching.suppression import Suppression
from ci_magics.microsoft.advertising import MAX_ITEMS
from ci_magics.segmentation.columns import is_objection, list_columns
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import Workspace

#: Up to this many hashes go by single calls. Measured by ``tests/benchmarks/transport.py``: with four calls at a time
#: they are through before a bulk file would be; above it the file wins, and spares Microsoft's limit of calls a minute.
APPLY_AT_MOST = 10 * MAX_ITEMS


@dataclass(frozen=True)
class Work:
    """One audience of a plan with all that carrying it out needs; never saved.

    Parameters
    ----------
    stored
        The segment, after consent.
    target
        The audience as it is.
    changes
        The hashes to send.
    transport
        ``apply``, ``bulk`` or ``none``.
    guards
        What was found.
    environment, account_id
        Where the audience is.
    locks
        Names of the audience's locks.
    """

    stored: StoredSegment = field(repr=False)
    target: Target
    changes: Changes
    transport: str
    guards: tuple[Guard, ...]
    environment: str
    account_id: str
    locks: tuple[str, ...]


def plan_work(
    workspace: Workspace,
    services: Services,
    connection: Connection,
    stored: StoredSegment,
    order: Order,
    now: datetime,
) -> Work:
    """Work out what one segment's audience needs."""
    account_id = services.conversation.caller.account_id
    target = find_target(workspace, services, connection, stored.record.name, order)
    stored, counted, suppression, scratch = _counted(workspace, stored, order)
    held_back = all_held_back(suppression, counted)
    changes = changes_for(counted.hashes, held_back, target, order, now, scratch)
    return Work(
        stored=stored,
        target=target,
        changes=changes,
        transport=choose_transport(len(changes.adds) + len(changes.removes), order),
        guards=(
            *find_guards(stored, counted, target, order, changes),
            *_about_exclusions(workspace, stored, counted, order),
        ),
        environment=connection.environment,
        account_id=account_id,
        locks=lock_names(connection, account_id, target),
    )


def plan_without_microsoft(workspace: Workspace, stored: StoredSegment, order: Order) -> list[Guard]:
    """Return what can be found about a segment's export while nothing may be asked of Microsoft.

    Raises
    ------
    SegmentError
        The consent column that was asked for cannot be used.
    """
    stored, counted, _suppression, _scratch = _counted(workspace, stored, order)
    return [*segment_guards(stored, counted, order), *_about_exclusions(workspace, stored, counted, order)]


def _counted(
    workspace: Workspace, stored: StoredSegment, order: Order
) -> tuple[StoredSegment, Counted, Suppression | None, Scratch]:
    """Return the segment after consent, its counts, who is left out, and where long lists are kept meanwhile."""
    stored = with_consent(stored, order)
    scratch = Scratch(workspace.scratch)
    suppression = None if order.mode == "remove" else suppression_for(workspace, stored.record, order.exclude)
    return (
        stored,
        count_profiles(stored.matched.profiles, order.normalization, scratch, suppression),
        suppression,
        scratch,
    )


def _about_exclusions(workspace: Workspace, stored: StoredSegment, counted: Counted, order: Order) -> Iterator[Guard]:
    """Warn of exclusions that leave out nobody."""
    if order.mode == "remove":
        return
    unmet = unmet_exclusions(workspace, stored.record, order.exclude, held_back=counted.suppressed)
    for sentence, next_step in unmet:
        yield Guard("exclusion_meets_nobody", sentence, next_step, stops=False)


def choose_transport(hashes: int, order: Order) -> str:
    """Return how a number of hashes is sent; a whole list never goes by single calls."""
    if order.mode == "replace":
        return "bulk"
    if hashes == 0:
        return "none"
    return "apply" if hashes <= APPLY_AT_MOST else "bulk"


def with_consent(stored: StoredSegment, order: Order) -> StoredSegment:
    """Return a segment with only the profiles that consented.

    Raises
    ------
    SegmentError
        The segment has no such column, or it does not hold yes and no.
    """
    column = order.consent
    if column is None:
        return stored
    known = list(stored.record.unused_consent)
    if column not in known:
        nearest = nearest_name(column, known)
        hint = f" Did you mean '{nearest}'?" if nearest else ""
        raise SegmentError(
            f"The segment '{stored.record.name}' has no consent column '{column}'.{hint}",
            f"Its consent columns are: {list_columns(known) or 'none'}.",
            code="no_consent_column",
        )
    profiles = replace(stored.profiles, keep=(column, lambda values: _consented(values, column)))
    return replace(stored, matched=replace(stored.matched, profiles=profiles))


def _consented(values: pa.Array, column: str) -> pa.Array:
    """Return who may be contacted; who did not answer may not."""
    if not pa.types.is_boolean(values.type):
        raise SegmentError(
            f"The consent column {column} holds {values.type} values, not true or false.",
            f"Use it in a condition instead, for example --where \"{column} = 'yes'\".",
            code="consent_not_boolean",
        )
    return pc.fill_null(pc.invert(values) if is_objection(column) else values, False)
