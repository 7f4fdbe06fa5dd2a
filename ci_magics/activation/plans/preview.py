"""Preview: count what an export would send, before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated

from ci_magics.activation.plans.account_view import AccountView, against_account, view_account
from ci_magics.activation.plans.export_options import ExportOptions
from ci_magics.activation.plans.ledger import LedgerLostError, read_ledger
from ci_magics.activation.segments.consent_decision import decide
from ci_magics.activation.segments.kept_counts import kept_coverage
from ci_magics.activation.segments.stored_segment import StoredSegment, stored_segment
from ci_magics.activation.segments.suppression import suppression_for
from ci_magics.activation.segments.unmatched_keys import unmet_exclusions
from ci_magics.advice import Do, advise
from ci_magics.errors import ArgumentError, refuse_address
from ci_magics.grammar.operation import operation
from ci_magics.grammar.option import Option
from ci_magics.grammar.shared import CONSENT, CONSENT_YES, EXCLUDE, IGNORE_CONSENT, NORMALIZATION, SEGMENT
from ci_magics.matching.coverage import Coverage, cover
from ci_magics.matching.covered_segments import SegmentCoverage
from ci_magics.matching.hash_list import NOTHING, HashList, Scratch
from ci_magics.matching.normalize import require_normalization
from ci_magics.naming import several
from ci_magics.segmentation.segment import Segment
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.models import Connection, SegmentRecord
from ci_magics.workspace.store import Workspace, WorkspaceLike, store_of


@operation(Verb.PREVIEW, example='"Big spenders" --to "Contoso EU"', changes=False)
def preview(
    *segments: Annotated[Segment | str, SEGMENT],
    to: Annotated[
        Connection | str | None, Option("connection: count also what is new there", kind="connection")
    ] = None,
    normalization: Annotated[str, NORMALIZATION] = "basic",
    exclude: Annotated[Sequence[Segment | str], EXCLUDE] = (),
    consent: Annotated[str | None, CONSENT] = None,
    consent_yes: Annotated[str | Sequence[str] | None, CONSENT_YES] = None,
    ignore_consent: Annotated[bool, IGNORE_CONSENT] = False,
    workspace: WorkspaceLike | None = None,
) -> Coverage:
    """Count how many profiles can be matched, and how many cannot for each reason.

    Parameters
    ----------
    segments
        Segments or their names. For several, their overlap is counted too.
    to
        A connection or its name. If given, the preview also counts what is new for the audience and estimates its size.
    normalization
        ``basic``, ``enhanced`` or ``both``.
    exclude
        Segments whose people are not sent. The people of the workspace's suppression segment never are.
    consent, consent_yes, ignore_consent
        As in `ci_magics.export`.
    workspace
        Workspace to use; None opens the default one.

    Raises
    ------
    ArgumentError
        No segment was given, or an option holds an e-mail address.
    NotFoundError
        A segment or the connection does not exist.
    """
    if not segments:
        raise ArgumentError(
            "Nothing to preview.", advise("Name a segment: ", Do("preview", "Big spenders"), "."), code="no_segment"
        )
    for each in (consent, *several(consent_yes)):
        refuse_address(each or "")
    workspace = store_of(workspace)
    connection = find_connection(workspace, to) if to is not None else None
    require(workspace, Verb.PREVIEW, connection)
    stored = {each.record.name: each for each in (stored_segment(workspace, wanted) for wanted in segments)}
    excluded = [stored_segment(workspace, each).record.name for each in several(exclude)]
    options = ExportOptions(
        consent=consent,
        consent_yes=several(consent_yes),
        ignore_consent=ignore_consent,
    )
    account = view_account(workspace, connection) if connection else None
    if any(each.is_hidden for each in stored.values()):
        return _from_counts(workspace, stored, options, normalization, excluded, account, connection)
    held = {name: _held(workspace, account, name, normalization) for name in stored} if account else {}
    suppressed = {name: suppression_for(workspace, each.record, excluded) for name, each in stored.items()}
    consents = {name: decide(workspace, each, options.consent_options).counted for name, each in stored.items()}
    coverage = cover(
        {name: each.matched for name, each in stored.items()},
        normalization=normalization,
        scratch=Scratch(workspace.scratch_folders.folder()),
        suppressed=suppressed,
        consents=consents,
        ledgers={name: ledger for name, (ledger, _remark) in held.items() if ledger is not None},
        earlier=account.reached(normalization) if account else (),
        remarks={name: remark for name, (_ledger, remark) in held.items()},
        destination=connection.destination if connection else None,
    )
    counted = [_with_exclusions(workspace, stored[each.name].record, excluded, each) for each in coverage.segments]
    return replace(coverage, segments=tuple(counted))


def _from_counts(
    workspace: Workspace,
    stored: Mapping[str, StoredSegment],
    options: ExportOptions,
    normalization: str,
    excluded: Sequence[str],
    account: AccountView | None,
    connection: Connection | None,
) -> Coverage:
    """Return the preview for a user who may read only counts, from those stored when the segments were made."""
    require_normalization(normalization)
    found = []
    for name, each in stored.items():
        decision = decide(workspace, each, options.consent_options)
        numbers = kept_coverage(workspace, each, decision, normalization, excluded)
        if account is not None:
            numbers = against_account(numbers, account, normalization)
        if len(stored) > 1:
            remark = f"{numbers.remark} {name}: a contributor can see how many people it shares with the others."
            numbers = replace(numbers, remark=remark)
        found.append(numbers)
    matched = {name: each.matched for name, each in stored.items()}
    return Coverage(tuple(found), normalization, {}, connection.destination if connection else None, matched)


def _with_exclusions(
    workspace: Workspace, record: SegmentRecord, excluded: Sequence[str], numbers: SegmentCoverage
) -> SegmentCoverage:
    """Add to the counts of a segment a remark about exclusions that exclude nobody."""
    unmet = unmet_exclusions(workspace, record, excluded, held_back=numbers.reasons["suppressed"])
    sentences = [f"{record.name}: {sentence} {next_step}" for sentence, next_step in unmet]
    return replace(numbers, remark=" ".join(filter(None, [numbers.remark, *sentences]))) if sentences else numbers


def find_connection(workspace: Workspace, wanted: Connection | str) -> Connection:
    """Return a connection as the workspace has it now.

    Parameters
    ----------
    workspace
        The workspace that stores the connections.
    wanted
        The connection, perhaps outdated, or its name.

    Raises
    ------
    NotFoundError
        It does not exist.
    """
    return workspace.connections[wanted if isinstance(wanted, str) else wanted.name]


def _held(workspace: Workspace, account: AccountView, name: str, normalization: str) -> tuple[HashList | None, str]:
    """Return the hashes in the audience of a segment, or None and why they cannot be compared."""
    record = account.of_segment(name)
    if record is None:
        return NOTHING, ""
    if record.normalization != normalization:
        return None, (
            f"{name}: its audience was filled with the normalization {record.normalization}, so what is new under "
            f"{normalization} is unknown."
        )
    try:
        return read_ledger(workspace, record).all, ""
    except LedgerLostError:
        return None, f"{name}: it is no longer known what its audience holds, so new hashes cannot be counted."
