"""Make plans: compare the segment with the ledger and the audience, and calculate what to send."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from ci_magics.activation.connections.services import Services
from ci_magics.activation.plans.changes import Changes, changes_for
from ci_magics.activation.plans.export_options import ExportOptions
from ci_magics.activation.plans.guards import Guard, find_guards, known_from_counts, segment_guards
from ci_magics.activation.plans.target import Target, find_target, lock_names
from ci_magics.activation.segments.consent_decision import Decision, decide
from ci_magics.activation.segments.kept_counts import kept_coverage
from ci_magics.activation.segments.stored_segment import StoredSegment
from ci_magics.activation.segments.suppression import all_held_back, suppression_for
from ci_magics.activation.segments.unmatched_keys import unmet_exclusions
from ci_magics.matching.counting import Counted, count_profiles
from ci_magics.matching.coverage import cover_one
from ci_magics.matching.hash_list import Scratch
from ci_magics.matching.suppression import Suppression
from ci_magics.microsoft.advertising import MAX_ITEMS
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import Workspace

#: Up to this many hashes are sent in single calls. Measured by ``tests/benchmarks/transport.py``: up to here, four
#: parallel calls are faster than a bulk file; above, the file is faster and saves Microsoft's limit of calls a minute.
APPLY_AT_MOST = 10 * MAX_ITEMS


@dataclass(frozen=True)
class Work:
    """The plan for one audience with everything needed to carry it out; never saved.

    Parameters
    ----------
    stored
        The segment.
    target
        The audience before the run.
    changes
        The hashes to send.
    transport
        ``apply``, ``bulk`` or ``none``.
    guards
        The findings of the checks.
    environment, account_id
        Where the audience is.
    locks
        Names of the audience's locks.
    consent
        Which profiles of the segment are sent.
    """

    stored: StoredSegment = field(repr=False)
    target: Target
    changes: Changes
    transport: str
    guards: tuple[Guard, ...]
    environment: str
    account_id: str
    locks: tuple[str, ...]
    consent: Decision


def plan_work(
    workspace: Workspace,
    services: Services,
    connection: Connection,
    stored: StoredSegment,
    options: ExportOptions,
    now: datetime,
) -> Work:
    """Calculate what to send to the audience of one segment.

    Parameters
    ----------
    workspace
        The workspace that stores the segment and the ledger.
    services
        The clients, signed in.
    connection
        The connection to send through.
    stored
        The segment.
    options
        The options of the export.
    now
        The current time.
    """
    account_id = services.account_id
    target = find_target(workspace, services, connection, stored.record.name, options)
    decision = decide(workspace, stored, options.consent_options)
    counted, suppression, scratch = _counted(workspace, stored, options, decision)
    held_back = all_held_back(workspace, suppression, counted, target.known.all)
    changes = changes_for(counted.hashes, held_back, target, options, now, scratch)
    return Work(
        stored=stored,
        target=target,
        changes=changes,
        transport=choose_transport(len(changes.adds) + len(changes.removes), options),
        guards=(
            *find_guards(stored, counted, target, options, changes, decision),
            *_about_exclusions(workspace, stored, counted, options),
        ),
        consent=decision,
        environment=connection.environment,
        account_id=account_id,
        locks=lock_names(connection, account_id, target),
    )


def plan_without_microsoft(
    workspace: Workspace, connection: Connection, stored: StoredSegment, options: ExportOptions
) -> list[Guard]:
    """Return the findings about a segment's export that need no request to Microsoft.

    Parameters
    ----------
    workspace
        The workspace that stores the segment.
    connection
        The connection to send through.
    stored
        The segment.
    options
        The options of the export.

    Raises
    ------
    AccessError
        The current user may read only stored counts, and there are none for these options.
    SegmentError
        The requested consent column cannot be used.
    """
    decision = decide(workspace, stored, options.consent_options)
    if stored.is_hidden:
        numbers = kept_coverage(workspace, stored, decision, options.normalization, options.exclude)
        known = known_from_counts(workspace, connection, numbers, options)
        return [*segment_guards(stored, numbers, options, decision), known]
    counted, _suppression, _scratch = _counted(workspace, stored, options, decision)
    numbers = cover_one(stored.record.name, stored.matched, counted)
    return [
        *segment_guards(stored, numbers, options, decision),
        *_about_exclusions(workspace, stored, counted, options),
    ]


def _counted(
    workspace: Workspace, stored: StoredSegment, options: ExportOptions, decision: Decision
) -> tuple[Counted, Suppression | None, Scratch]:
    """Return the segment's counts, its suppression, and the temporary storage of long lists."""
    scratch = Scratch(workspace.scratch_folders.folder())
    suppression = None if options.mode == "remove" else suppression_for(workspace, stored.record, options.exclude)
    profiles = stored.matched.profiles
    counted = count_profiles(profiles, options.normalization, scratch, suppression, decision.consenting)
    return counted, suppression, scratch


def _about_exclusions(
    workspace: Workspace, stored: StoredSegment, counted: Counted, options: ExportOptions
) -> Iterator[Guard]:
    """Warn of exclusions that exclude nobody."""
    if options.mode == "remove":
        return
    unmet = unmet_exclusions(workspace, stored.record, options.exclude, held_back=counted.suppressed)
    for sentence, next_step in unmet:
        yield Guard("exclusion_meets_nobody", sentence, next_step, stops=False)


def choose_transport(hashes: int, options: ExportOptions) -> str:
    """Return how to send a number of hashes: ``apply`` (single calls), ``bulk`` or ``none``.

    Parameters
    ----------
    hashes
        Number of hashes to add and remove.
    options
        The options of the export. In `replace` mode the transport is always ``bulk``.
    """
    if options.mode == "replace":
        return "bulk"
    if hashes == 0:
        return "none"
    return "apply" if hashes <= APPLY_AT_MOST else "bulk"
