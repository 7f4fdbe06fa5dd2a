"""The consents of a segment's people, as stored with the segment, its plans and its runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from ci_magics.advice import Advice, Opt, Placeholder, advise
from ci_magics.discreet import discreet_methods
from ci_magics.display.numbers import format_count
from ci_magics.segmentation.consent.columns import ConsentColumn, Sense, consent_column, consent_columns
from ci_magics.segmentation.consent.reading import ConsentReading
from ci_magics.segmentation.consent.values import AGREES, ASKED, REFUSES, SILENT, UNREADABLE

#: ``found`` by the rule for headers, ``chosen`` by the user, ``remembered`` from the last choice for the same source.
How = Literal["found", "chosen", "remembered"]
#: At most this many unexplained values are kept, to ask what they mean.
MOST_ASKED = 20


class ConsentChoice(BaseModel):
    """Which columns say who agreed, and which values mean yes: the user's choice for a source.

    Parameters
    ----------
    columns
        The columns; empty if the rule for headers finds them.
    yes
        Values that mean yes in addition to those that the rule for values knows.
    how
        Who chose.
    """

    model_config = ConfigDict(frozen=True)

    columns: tuple[str, ...] = ()
    yes: tuple[str, ...] = ()
    how: How = "found"

    def reading(
        self, names: Sequence[str], excluded: Iterable[str | None] = (), by_value: Iterable[str] = ()
    ) -> ConsentReading | None:
        """Return what reads the consents of a source; None if it has none.

        Parameters
        ----------
        names
            Its columns.
        excluded
            Columns that hold something else: the address, the key.
        by_value
            Columns that are consents according to their values, not their headers.
        """
        if self.columns:
            return ConsentReading(tuple(map(consent_column, self.columns)), self.yes)
        skipped = set(excluded)
        found = tuple(consent_columns([each for each in names if each not in skipped]))
        found += tuple(map(consent_column, by_value))
        return ConsentReading(found, self.yes) if found else None


@discreet_methods
class SegmentConsent(BaseModel):
    """The consents of a segment's people. Counts are profiles.

    Parameters
    ----------
    columns, refusals
        Where they were read, and which of these columns say who refused.
    how
        Who chose the columns.
    yes
        Values that mean yes because the user said so.
    lost
        Whether the source says who agreed, but the segment's people were not found in it.
    sources
        The sources for which the choice is remembered.
    consented, refused, unknown
        How many agreed; how many refused; how many are unknown or not yet decided.
    blank
        How many have an empty cell; these count as unknown too.
    asked
        How many have each unexplained value; these count as unknown too.
    in_old_form
        Whether the snapshot holds the columns themselves, as in early versions, and nothing is counted.
    """

    model_config = ConfigDict(frozen=True)

    columns: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    how: How = "found"
    yes: tuple[str, ...] = ()
    lost: bool = False
    sources: tuple[str, ...] = ()
    consented: int = 0
    refused: int = 0
    unknown: int = 0
    blank: int = 0
    asked: dict[str, int] = {}
    in_old_form: bool = False

    @classmethod
    def of(cls, reading: ConsentReading | None, choice: ConsentChoice, *, lost: bool = False) -> SegmentConsent:
        """Return what is known before the profiles are counted."""
        if reading is None:
            return cls(lost=lost)
        columns: tuple[ConsentColumn, ...] = reading.columns
        refusals = tuple(each.name for each in columns if each.sense is Sense.REFUSAL)
        return cls(columns=reading.needed, refusals=refusals, how=choice.how, yes=reading.agreed, lost=lost)

    @property
    def known(self) -> bool:
        """Whether anything says who agreed."""
        return bool(self.columns) or self.lost

    @property
    def decided(self) -> bool:
        """Whether the user chose the columns, now or earlier: then only those who agreed are sent."""
        return bool(self.columns) and self.how != "found"

    def with_counts(self, counts: Mapping[str, int]) -> SegmentConsent:
        """Return a copy with the number of profiles in each state."""
        words = [(state[len(ASKED) :], count) for state, count in counts.items() if state.startswith(ASKED)]
        asked = dict(sorted(words, key=lambda each: (-each[1], each[0])))
        consented, refused = counts.get(AGREES, 0), counts.get(REFUSES, 0)
        unknown, blank = sum(counts.values()) - consented - refused, counts.get(SILENT, 0)
        return self.model_copy(
            update={"consented": consented, "refused": refused, "unknown": unknown, "blank": blank, "asked": asked}
        )

    @property
    def origin(self) -> str:
        """Where the consents were read, in words."""
        if not self.columns:
            return ""
        meaning = f", where {', '.join(self.yes)} means yes" if self.yes else ""
        remembered = ", as chosen before" if self.how == "remembered" else ""
        return f"{', '.join(self.columns)}{meaning}{remembered}"

    def __str__(self) -> str:
        if not self.known:
            return "Consent not known: no column says who agreed"
        consented, refused, unknown = map(format_count, (self.consented, self.refused, self.unknown))
        numbers = f"{consented} consented, {refused} refused, {unknown} unknown"
        if not self.columns:
            return f"Consent not known: the source says who agreed, and these profiles were not found in it ({numbers})"
        return f"Consent by {self.origin}: {numbers}"

    def to_dict(self) -> dict[str, object]:
        """Return the columns and the counts."""
        return {
            "columns": list(self.columns),
            "chosen": self.how,
            "yes": list(self.yes),
            "consented": self.consented,
            "refused": self.refused,
            "unknown": self.unknown,
            "not_understood": dict(self.asked),
        }


def question(known: SegmentConsent) -> str:
    """Return a sentence that lists the unexplained values."""
    values = ", ".join(f"'{value}' ({format_count(count)})" for value, count in known.asked.items())
    return f"It is not known what these values of {', '.join(known.columns)} mean: {values}."


def answer(known: SegmentConsent) -> Advice:
    """Return the advice on how to explain them."""
    value = next(iter(known.asked), None)
    yes = Placeholder("VALUE") if value is None else str(value)
    return advise("Name those that mean yes: ", Opt("consent_yes", yes), "; all others then mean no.")


#: Nothing says who agreed.
NOT_KNOWN = SegmentConsent()


class StateCounter:
    """Count states in a single pass, and keep at most a few unexplained values."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._unexplained: set[str] = set()

    def count(self, states: Sequence[str], numbers: Sequence[int]) -> dict[str, str]:
        """Add the states of a batch; return the replacements for those that are not kept."""
        replaced: dict[str, str] = {}
        for state, number in zip(states, numbers, strict=True):
            kept = state
            if state.startswith(ASKED) and state not in self._unexplained:
                if len(self._unexplained) < MOST_ASKED:
                    self._unexplained.add(state)
                else:
                    kept = replaced[state] = UNREADABLE
            self.counts[kept] += number
        return replaced
