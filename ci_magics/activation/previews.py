"""Preview: what would happen to each profile, before anything is sent."""

from __future__ import annotations

from ci_magics.activation.ledger import LedgerLostError, read_ledger
from ci_magics.activation.segments import stored_segment
from ci_magics.errors import ArgumentError
from ci_magics.matching.coverage import Coverage, cover
from ci_magics.matching.hash_list import HashList, Scratch
from ci_magics.segmentation.segment import Segment
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import Workspace, open_workspace


def preview(
    *segments: Segment | str,
    to: Connection | str | None = None,
    normalization: str = "basic",
    workspace: Workspace | None = None,
) -> Coverage:
    """Show how many profiles can be matched, and for each reason how many cannot.

    Parameters
    ----------
    segments
        Segments or their names; with several, what they share is counted too.
    to
        A connection or its name: also count what is new against the audience.
    normalization
        ``basic``, ``enhanced`` or ``both``.
    workspace
        Where the segments are; the default one unless given.

    Raises
    ------
    NotFoundError
        A segment or the connection does not exist.
    """
    if not segments:
        raise ArgumentError("Nothing to preview.", 'Name a segment: %ci_preview "Big spenders".', code="no_segment")
    workspace = workspace or open_workspace()
    connection = find_connection(workspace, to) if to is not None else None
    stored = {each.record.name: each for each in (stored_segment(workspace, wanted) for wanted in segments)}
    ledgers = _ledgers(workspace, connection, list(stored)) if connection else {}
    return cover(
        {name: each.matched for name, each in stored.items()},
        normalization=normalization,
        scratch=Scratch(workspace.spool.root),
        ledgers=ledgers,
        destination=connection.destination if connection else None,
    )


def find_connection(workspace: Workspace, wanted: Connection | str) -> Connection:
    """Return a connection as the workspace has it now.

    Raises
    ------
    NotFoundError
        It does not exist.
    """
    return workspace.connections[wanted if isinstance(wanted, str) else wanted.name]


def _ledgers(workspace: Workspace, connection: Connection, names: list[str]) -> dict[str, HashList]:
    records = workspace.audiences.where(environment=connection.environment, account_id=connection.account_id)
    known: dict[str, HashList] = {}
    for record in records:
        if record.segment_name in names and not record.chosen:
            try:
                known[record.segment_name] = read_ledger(workspace, record).all
            except LedgerLostError:
                continue  # what the audience holds is not known: nothing is new or gone
    return known
