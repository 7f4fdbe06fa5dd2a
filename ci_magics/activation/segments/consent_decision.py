"""Decide which profiles of a segment are sent, by the export's options or else by the choice saved for the source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from ci_magics.activation.segments.consents import consent_of, counted_consent, remember, remembered
from ci_magics.activation.segments.stored_segment import StoredSegment
from ci_magics.advice import Advice, Opt, advise, joined
from ci_magics.display.numbers import format_count, pluralize
from ci_magics.errors import SegmentError, nearest_name
from ci_magics.matching.consents import ConsentPolicy, CountedConsent
from ci_magics.segmentation.columns import list_columns
from ci_magics.segmentation.consent.document import ConsentChoice, SegmentConsent, answer, question
from ci_magics.segmentation.consent.reading import STATE
from ci_magics.segmentation.consent.values import AGREES, ASKED, NOTHING, REFUSES, SILENT, folded_value
from ci_magics.workspace.store import Workspace


@dataclass(frozen=True)
class ConsentOptions:
    """What an export says about consents.

    Parameters
    ----------
    column
        The column that says who agreed; None if the export names none.
    yes
        Its values that mean yes.
    everybody
        Whether to send everyone, including people who did not consent.
    """

    column: str | None = None
    yes: tuple[str, ...] = ()
    everybody: bool = False


@dataclass(frozen=True)
class Decision:
    """The decision about the consents of a segment.

    Parameters
    ----------
    known
        Who agreed; values that the user explained are counted.
    ignored
        True if everybody is sent because the export says so.
    decided
        True if somebody chose the consent columns, so that only those who agreed are sent.
    consenting
        Which profiles are sent; None for all.
    """

    known: SegmentConsent
    ignored: bool
    decided: bool
    consenting: ConsentPolicy | None

    @property
    def question(self) -> str:
        """What the user must decide before anything is sent, as sentences; empty if nothing."""
        return "" if self.ignored else str(joined(self.asks()))

    def asks(self) -> tuple[()] | tuple[str, str | Advice]:
        """Return what the user must decide, and how.

        Returns
        -------
        tuple of str
            Two sentences, or none if all agreed or only those who agreed are to be sent.
        """
        known = self.known
        if self.ignored or not known.known:
            return ()
        if known.asked:
            return question(known), answer(known)
        if self.decided or not (known.refused or known.unknown):
            return ()
        if not known.columns:
            return (
                "The source says who agreed to marketing, but these people could not be found in it.",
                advise("Select its key or its consent column too, or use ", Opt("ignore_consent", True), "."),
            )
        found = (
            f"By {list_columns(list(known.columns))}, {pluralize(known.refused, 'person')} refused marketing, "
            f"{format_count(known.unknown)} said nothing, and {format_count(known.consented)} agreed."
        )
        consent, everybody = Opt("consent", known.columns[0]), Opt("ignore_consent", True)
        return found, advise("Send only those who agreed with ", consent, ", or everybody with ", everybody, ".")

    @property
    def note(self) -> str:
        """Who agreed and which of them are sent, for plans and receipts."""
        if not self.known.columns:
            return str(self.known)
        left_out = self.known.refused + self.known.unknown
        if self.ignored and left_out:
            return f"{self.known}; consent is ignored, so all are taken"
        return f"{self.known}; only those who consented are sent" if self.consenting else str(self.known)

    @property
    def counted(self) -> CountedConsent:
        """The decision in the form that a preview shows."""
        return CountedConsent(self.known, self.consenting, self.question)


def decide(workspace: Workspace, stored: StoredSegment, options: ConsentOptions) -> Decision:
    """Decide which profiles of a segment are sent.

    Parameters
    ----------
    workspace
        The workspace that stores earlier choices.
    stored
        The segment.
    options
        What the export says about consents.

    Raises
    ------
    SegmentError
        The segment has no such consent column or value.
    """
    known = counted_consent(workspace, stored.record)
    _require_column(stored.record.name, known, options.column)
    yes: Sequence[str] = options.yes
    decided = known.decided or bool(options.column or options.yes)
    # A choice that was saved for this source applies if the segment has all its columns and the export doesn't say
    # otherwise.
    earlier = None if options.yes else remembered(workspace, known.sources)
    if earlier is not None and known.columns and set(earlier.columns) <= set(known.columns):
        yes, decided = earlier.yes, True
    # As soon as some values mean yes, all other values that needed an explanation mean no.
    words = [f"{ASKED}{word}" for word in known.asked] if yes else []
    known, sent = _explained(known, yes)
    consenting = None
    if known.known and known.refused + known.unknown and not options.everybody:
        consenting = ConsentPolicy(sent, frozenset([REFUSES, *words]) - sent, silent=known.unknown > 0)
    return Decision(known, options.everybody, decided, consenting)


def only_consenting(stored: StoredSegment, decision: Decision) -> StoredSegment:
    """Return a segment with only the profiles that are sent.

    Parameters
    ----------
    stored
        The segment.
    decision
        The decision about its consents.
    """
    consenting = decision.consenting
    if consenting is None:
        return stored
    states = pa.array(sorted(consenting.sent), pa.string())
    profiles = replace(stored.profiles, keep=(STATE, lambda values: pc.is_in(values, states)))
    return replace(stored, matched=replace(stored.matched, profiles=profiles))


def remember_choice(workspace: Workspace, stored: StoredSegment, options: ConsentOptions) -> None:
    """Save the consent options of an export for the next segment from the same source.

    Parameters
    ----------
    workspace
        The workspace that stores the choice.
    stored
        The segment that was exported.
    options
        What the export says about consents. Nothing is saved if it names neither a column nor values that mean yes.

    Raises
    ------
    SegmentError
        The segment has no such consent column.
    """
    known = consent_of(stored.record)
    _require_column(stored.record.name, known, options.column)
    if (options.column or options.yes) and known.columns:
        yes = tuple(dict.fromkeys([*known.yes, *options.yes]))
        remember(workspace, known.sources, ConsentChoice(columns=known.columns, yes=yes, how="chosen"))


def _require_column(name: str, known: SegmentConsent, column: str | None) -> None:
    if column is None or column in known.columns:
        return
    nearest = nearest_name(column, known.columns)
    hint = f" Did you mean '{nearest}'?" if nearest else ""
    raise SegmentError(
        f"The consents of the segment '{name}' were not read from a column '{column}'.{hint}",
        advise(
            f"They were read from: {list_columns(list(known.columns))}. To choose another column, make the segment "
            "again with ",
            Opt("consent", column),
            ".",
        ),
        code="no_consent_column",
    )


def _explained(known: SegmentConsent, yes: Sequence[str]) -> tuple[SegmentConsent, frozenset[str]]:
    """Return the consents once some values are known to mean yes, and the states of the profiles that agreed."""
    sent = {AGREES}
    if not yes:
        return known, frozenset(sent)
    folded = {folded_value(each) for each in yes}
    agreed = {word for word in known.asked if folded_value(word) in folded}
    sent |= {f"{ASKED}{word}" for word in agreed}
    blank = known.blank if NOTHING in folded else 0
    sent |= {SILENT} if blank else set()
    # Move the profiles with values that needed an explanation: those that mean yes to consented, the rest to refused.
    # Profiles without a value count as consented only if an empty value was explained as yes.
    more = sum(known.asked[word] for word in agreed)
    rest = sum(known.asked.values()) - more
    labels = known.model_copy(
        update={
            "yes": tuple(dict.fromkeys([*known.yes, *yes])),
            "consented": known.consented + more + blank,
            "refused": known.refused + rest,
            "unknown": known.unknown - more - rest - blank,
            "blank": known.blank - blank,
            "asked": {},
        }
    )
    return labels, frozenset(sent)
