"""Guards: checks that stop an export before anything is sent, each with its own override."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ci_magics.activation.plans.account_view import AccountView
from ci_magics.activation.plans.changes import Changes
from ci_magics.activation.plans.export_options import ExportOptions
from ci_magics.activation.plans.target import Target
from ci_magics.activation.segments.consent_decision import Decision
from ci_magics.activation.segments.stored_segment import StoredSegment
from ci_magics.advice import Advice, Do, Opt, advise, joined
from ci_magics.display.numbers import format_count, inflect, pluralize
from ci_magics.errors import ExportRefusedError
from ci_magics.matching.counting import Counted
from ci_magics.matching.coverage import cover_one
from ci_magics.matching.covered_segments import SMALLEST_SERVING, SegmentCoverage
from ci_magics.matching.hash_sets import shared
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import Workspace

_EXACTLY = "A contributor can plan this export to see the exact additions and removals."


@dataclass(frozen=True)
class Guard:
    """The result of a check that a user should know before sending.

    Parameters
    ----------
    code
        Its short name.
    sentence, next_step
        What was found, and what to do.
    stops
        True if it stops the export; False for a warning.
    """

    code: str
    sentence: str
    next_step: str | Advice = ""
    stops: bool = True

    def __str__(self) -> str:
        return f"{self.sentence} {self.next_step}".strip()

    def stored(self) -> str:
        """Return it as a text to store; `ci_magics.advice.worded` words it when it is shown."""
        return joined([self.sentence, self.next_step]).stored()

    def refusal(self) -> ExportRefusedError:
        """Return the error that stops the export."""
        return ExportRefusedError(self.sentence, self.next_step, code=self.code)


def find_guards(
    stored: StoredSegment, counted: Counted, target: Target, options: ExportOptions, changes: Changes, consent: Decision
) -> tuple[Guard, ...]:
    """Return the findings about one audience; those that stop it come first.

    Parameters
    ----------
    stored
        The segment.
    counted
        The hashes and counts of the segment.
    target
        The audience, with its ledger.
    options
        The options of the export.
    changes
        The hashes to send.
    consent
        The decision about the segment's consents.
    """
    found = [
        *segment_guards(stored, cover_one(stored.record.name, stored.matched, counted), options, consent),
        *_about_target(target, options),
        *_about_size(stored.record.name, target, options, changes),
    ]
    return tuple(sorted(found, key=lambda each: not each.stops))


def segment_guards(
    stored: StoredSegment, numbers: SegmentCoverage, options: ExportOptions, consent: Decision
) -> list[Guard]:
    """Return the findings about a segment that need no request to Microsoft.

    Parameters
    ----------
    stored
        The segment.
    numbers
        The counts of the segment.
    options
        The options of the export.
    consent
        The decision about the segment's consents.
    """
    about = _about_segment(stored.record.name, numbers, options)
    return [*_about_state(stored), *_about_consent(stored, consent), *about]


def require_disjoint(changes: Changes) -> None:
    """Refuse to add and remove the same hash in one run, because it is unknown which of the two takes effect.

    Raises
    ------
    ExportRefusedError
        Both lists contain a hash.
    """
    both = shared(changes.adds, changes.removes)
    if both:
        raise ExportRefusedError(
            f"{pluralize(both, 'hash')} would be added and removed in the same run, so nothing was sent.",
            "Plan it again; if it stays, please report it.",
            code="add_and_remove",
        )


def _about_state(stored: StoredSegment) -> Iterator[Guard]:
    name = stored.record.name
    if not stored.record.active:
        yield Guard(
            "segment_inactive",
            f"The segment '{name}' is inactive, so nothing was sent.",
            advise("Use it again: ", Do("segments.activate", name), "."),
        )
    if stored.record.suppresses:
        yield Guard(
            "suppression_segment",
            f"The segment '{name}' is the one whose people are excluded from every export.",
            "Export another segment.",
        )


def _about_consent(stored: StoredSegment, consent: Decision) -> Iterator[Guard]:
    asked = consent.asks()
    if asked:
        found, next_step = asked
        yield Guard("consent_not_used", f"Nothing of '{stored.record.name}' is sent yet. {found}", next_step)


def _about_segment(name: str, numbers: SegmentCoverage, options: ExportOptions) -> Iterator[Guard]:
    if not numbers.rows and not options.allow_empty:
        yield Guard(
            "empty_segment",
            f"The segment '{name}' has no profiles, so nothing was sent.",
            advise(
                "Check its source and its condition, or use ",
                Opt("allow_empty", True),
                " if everybody is to leave the audience." if options.mode in ("mirror", "replace") else ".",
            ),
        )
    elif not numbers.sendable and not options.allow_empty:
        reasons = ", ".join(f"{format_count(count)} {reason}" for reason, count in numbers.reasons.items() if count)
        cannot = "may be sent" if numbers.valid else "has a valid e-mail address"
        yield Guard(
            "nothing_sendable",
            f"No profile of the segment '{name}' {cannot} ({reasons}), so nothing was sent.",
            advise("See why: ", Do("preview", name), "."),
        )
    if 0 < numbers.prehashed < numbers.valid and not options.allow_mixed:
        yield Guard(
            "mixed_hashes",
            f"The e-mail column of the segment '{name}' mixes addresses and hashes "
            f"({format_count(numbers.prehashed)} of {pluralize(numbers.valid, 'value')} "
            f"{inflect(numbers.prehashed, 'is')} hashed), whose rule is not known.",
            advise("Send both with ", Opt("allow_mixed", True), "."),
        )


def _about_target(target: Target, options: ExportOptions) -> Iterator[Guard]:
    if target.remote is None:
        yield from _about_missing(target, options)
        return
    if options.mode == "mirror" and not target.ours:
        yield _not_ours(target)
    record = target.record
    if record is not None and options.mode != "replace" and record.normalization != options.normalization:
        yield Guard(
            "normalization_differs",
            f"The audience '{target.name}' was filled with the normalization {record.normalization}, "
            f"and {options.normalization} would never remove what it holds.",
            advise(
                "Use ",
                Opt("normalization", record.normalization),
                ", or fill it once with ",
                Opt("mode", "replace"),
                ".",
            ),
        )
    yield from _about_membership(target, options)


def _about_missing(target: Target, options: ExportOptions) -> Iterator[Guard]:
    if target.record is not None and options.mode != "replace":
        yield Guard(
            "audience_deleted",
            f"The account no longer has the audience '{target.record.name}' that was filled from here.",
            advise("Replace it completely with ", Opt("mode", "replace"), ", or give the segment another name."),
        )
    elif options.mode == "remove":
        yield Guard(
            "no_audience",
            f"There is no audience '{target.name}' to remove people from.",
            advise("Name one with ", Opt("audience"), "; ", Do("status"), " lists those that were filled from here."),
        )


def _not_ours(target: Target) -> Guard:
    if target.record is not None and target.record.owned:
        return Guard(
            "ledger_lost",
            f"It is no longer known what the audience '{target.name}' holds: its ledger is missing, damaged or old.",
            advise("Fill it once with ", Opt("mode", "replace"), "."),
        )
    return Guard(
        "audience_not_ours",
        f"The account has an audience '{target.name}' that was not filled from here, so what it holds is not known.",
        advise(
            "Take it over once with ",
            Opt("mode", "replace"),
            " (all others leave it), or only add to it with ",
            Opt("mode", "add"),
            ".",
        ),
    )


def _about_membership(target: Target, options: ExportOptions) -> Iterator[Guard]:
    remote = target.remote.membership_days if target.remote else None
    if remote is None:
        return
    if options.membership_days is not None and options.membership_days != remote:
        yield Guard(
            "membership_differs",
            f"The audience '{target.name}' keeps members {_days(remote)}, not {_days(options.membership_days)}.",
            advise("Leave out ", Opt("membership_days"), ", or change it in Microsoft Advertising first."),
        )
    elif target.record is not None and target.record.membership_days != remote and options.membership_days is None:
        yield Guard(
            "membership_changed",
            f"The audience '{target.name}' was changed in Microsoft Advertising: it keeps members {_days(remote)} now, "
            f"{_days(target.record.membership_days)} before.",
            advise("Accept it with ", Opt("membership_days", remote), "."),
        )


def _about_size(name: str, target: Target, options: ExportOptions, changes: Changes) -> Iterator[Guard]:
    before = len(target.known.members)
    rule_changes = target.record is not None and target.record.normalization != options.normalization
    # A new normalization changes every hash, so comparing hashes would count everybody as leaving: compare sizes.
    leaving = before - changes.wanted if rule_changes else changes.leaving
    if options.mode in ("mirror", "replace") and changes.wanted and leaving * 2 > before and not options.allow_shrink:
        yield Guard(
            "shrinks",
            f"{format_count(leaving)} of {pluralize(before, 'member')} would leave the audience '{target.name}', "
            "more than half.",
            advise(
                "Check the segment, and what consents and ",
                Opt("exclude"),
                " leave out, or use ",
                Opt("allow_shrink", True),
                ".",
            ),
        )
    if options.mode != "remove" and changes.wanted < SMALLEST_SERVING:
        yield Guard(
            "small",
            f"{name}: an audience serves only when {SMALLEST_SERVING} people are matched.",
            stops=False,
        )
    if target.renamed:
        yield Guard(
            "renamed",
            f"The audience of the segment '{name}' was renamed to '{target.name}' in Microsoft Advertising.",
            stops=False,
        )


def _days(days: int) -> str:
    return "forever" if days == -1 else pluralize(days, "day")


def known_from_counts(
    workspace: Workspace, connection: Connection, numbers: SegmentCoverage, options: ExportOptions
) -> Guard:
    """Return a warning with what the counts alone show about an export's additions and removals.

    Parameters
    ----------
    workspace
        The workspace that stores the audiences.
    connection
        The connection to send through.
    numbers
        The counts of the segment.
    options
        The options of the export; the mode and the audience are used.
    """
    name, hashes = numbers.name, pluralize(numbers.hashes, "hash")
    audiences = workspace.audiences.where(environment=connection.environment, account_id=connection.account_id)
    account = AccountView(tuple(audiences))
    record = None if options.audience is not None else account.of_segment(name)
    if record is None:
        known = f"'{name}' has {hashes} to send."
    else:
        known = (
            f"'{name}' has {hashes} to send, and its audience held {format_count(record.members)} after the last run."
        )
        if options.mode == "mirror" and record.members > numbers.hashes:
            known = f"{known} At least {format_count(record.members - numbers.hashes)} would be removed."
    return Guard("known_from_counts", known, f"{_EXACTLY} {numbers.remark}", stops=False)
