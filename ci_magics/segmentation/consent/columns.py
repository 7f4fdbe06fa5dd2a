"""Find the columns that record who agreed to marketing by e-mail, or who refused.

The rule, in this order:

1. A header is folded: accents, case, punctuation and camelCase are dropped, so ``doNotBulkEMail``, ``DONOTBULKEMAIL``
   and ``Do not allow Bulk Emails`` become the same list of words. A compound (``hasoptedoutofemail``) is split into
   the words of `consent.words`.
2. A header with a word that is about something else (`words.OTHER_SUBJECTS`: the IP address, the source, the reason, a
   cookie, a photograph, a count) is not a consent.
3. A header whose only channel is another one (SMS, telephone, post, push) is a consent, but not one for e-mail. Without
   a channel it applies to all of them.
4. ``opt-in``, ``consent``, ``einwilligung``, ``toestemming`` and the like (`words.AGREEING`) agree; ``opt-out``,
   ``unsubscribed``, ``abgemeldet`` (`words.REFUSING`) refuse; a negation inverts what follows: ``Do not allow Bulk
   Emails`` refuses, ``Not opted out`` agrees. One of these words is enough.
5. ``newsletter``, ``accepts``, ``allow``, ``permission`` (`words.WEAK`) agree, and ``do not``, ``blocked``, ``keine``
   refuse, but only if every word of the header is known and one is about marketing or e-mail. Some complete headers are
   consents too: ``Newsletter (ja/nein)``, ``Subscriber status``, ``Email marketing`` (`words.WHOLE`).
6. ``date``, ``at``, ``time`` mean that the values are timestamps.
7. A header that only says ``Status`` (`words.STATUS`) is a consent if no other header agrees and all of its values are
   subscription words: ``Subscribed``, ``Unsubscribed``, ``Cleaned``.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ci_magics.segmentation.consent import words


class Sense(StrEnum):
    """What *yes* in a column means."""

    CONSENT = "consent"
    REFUSAL = "refusal"


@dataclass(frozen=True)
class ConsentColumn:
    """A column that records who agreed or who refused.

    Parameters
    ----------
    name
        Its header, as the source writes it.
    sense
        Whether *yes* means that somebody agreed or refused.
    email
        Whether the header mentions e-mail; if not, it mentions no channel or other ones.
    other_channel
        Whether it mentions other channels only, such as SMS.
    dated
        Whether its values are the times when somebody did so.
    coded
        Whether its numbers are those of Magento's table of newsletter subscribers.
    """

    name: str
    sense: Sense = Sense.CONSENT
    email: bool = False
    other_channel: bool = False
    dated: bool = False
    coded: bool = False


def consent_columns(columns: Iterable[str]) -> list[ConsentColumn]:
    """Return the columns that record who agreed to marketing by e-mail or refused it, in the given order."""
    found = [each for each in map(recognize, columns) if each is not None and not each.other_channel]
    # The time of a consent adds nothing to a state: the state was set later, or says the same.
    stated = any(each.sense is Sense.CONSENT and not each.dated for each in found)
    return [each for each in found if not (stated and each.dated and each.sense is Sense.CONSENT)]


def status_columns(columns: Iterable[str]) -> list[str]:
    """Return the columns whose values may show that they are consents, if no header agrees by itself."""
    names = list(columns)
    if any(each.sense is Sense.CONSENT for each in consent_columns(names)):
        return []
    return [each for each in names if fold(each) in words.STATUS]


def consent_column(name: str) -> ConsentColumn:
    """Return what is known about a column that the user chose; an unknown name means agreement."""
    found = recognize(name)
    if found is not None:
        return found
    header = _words_of(name)
    return ConsentColumn(name, _sense(header), dated=_has_date_word(header))


@functools.lru_cache(maxsize=4096)
def recognize(name: str) -> ConsentColumn | None:
    """Return what a header says about consents; None if it is about something else. See the rule above."""
    header = _words_of(name)
    about = set(header)
    if about & words.OTHER_SUBJECTS or header[-1:] == ["by"]:
        return None
    if about & words.AGREEMENTS and not about & words.SUBJECTS:
        return None
    if not about & (words.AGREEING | words.REFUSING) and not _is_weak_consent(header):
        return None
    email = bool(about & words.EMAIL - ({"mail", "mails", "mailing", "mailings"} if about & words.POST else set()))
    return ConsentColumn(
        name,
        _sense(header),
        email=email,
        other_channel=bool(about & words.OTHER_CHANNELS) and not email,
        dated=_has_date_word(header),
        coded="".join(header) in words.MAGENTO_CODED,
    )


def _is_weak_consent(header: Sequence[str]) -> bool:
    """Return whether a header without a strong word is a consent: all words are known, and one is about marketing."""
    rest = "".join(each for each in header if each not in words.FILLERS and each not in words.DATES)
    if rest in words.WHOLE or "".join(header) in words.WHOLE:
        return True
    about = set(header)
    weak = words.WEAK | words.WEAKLY_REFUSING | words.NEGATIONS
    subject = about & (words.SUBJECTS | words.OTHER_CHANNELS) or {"donot", "contact"} <= about
    return about <= words.ALL and bool(about & weak) and bool(subject)


def _sense(header: Sequence[str]) -> Sense:
    """Return whether *yes* agrees; a negation inverts what follows it, and two cancel each other out."""
    refuses = any(each in words.REFUSING or each in words.WEAKLY_REFUSING for each in header)
    negated = sum(each in words.NEGATIONS for each in header) % 2 == 1
    return Sense.REFUSAL if refuses != negated else Sense.CONSENT


def _has_date_word(header: Sequence[str]) -> bool:
    return any(each in words.DATES for each in header)


def fold(text: str) -> str:
    """Return a text without accents and case, and with each run of other characters as one space."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss").replace("ẞ", "SS"))
    letters = "".join(each for each in plain if not unicodedata.combining(each)).casefold()
    return " ".join(re.findall(r"[^\W_]+", letters))


def _words_of(name: str) -> list[str]:
    """Return the words of a header: compounds are split, phrases of several words are joined."""
    split_at_capitals = re.sub(r"(?<=[a-zà-ÿ0-9])(?=[A-ZÀ-Þ])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    unsplit = _with_phrases(_split_all(fold(name)))
    split = _with_phrases(_split_all(fold(split_at_capitals)))
    # `EMail` and `DoNotBulkEMail` are split wrongly at their capitals; the split with fewer unknown words wins.
    return min((split, unsplit), key=lambda header: (sum(each not in words.ALL for each in header), len(header)))


def _split_all(folded: str) -> list[str]:
    return [part for word in folded.split() for part in _split(word)]


@functools.lru_cache(maxsize=4096)
def _split(word: str) -> tuple[str, ...]:
    """Split a compound into the fewest known words; return it unchanged if that is impossible."""
    if word in words.ALL or len(word) > 64:
        return (word,)
    best: list[tuple[str, ...] | None] = [(), *[None] * len(word)]
    for end in range(1, len(word) + 1):
        for start in range(end):
            before, part = best[start], word[start:end]
            if before is None or part not in words.PARTS:
                continue
            fewest = best[end]
            if fewest is None or len(before) + 1 < len(fewest):
                best[end] = (*before, part)
    return best[-1] or (word,)


def _with_phrases(header: Sequence[str]) -> list[str]:
    """Join words that mean something only together: ``opt in`` becomes ``optin``."""
    joined: list[str] = []
    position = 0
    while position < len(header):
        for length in (4, 3, 2, 1):
            phrase = words.PHRASES.get(tuple(header[position : position + length]))
            if phrase is not None:
                joined.append(phrase)
                break
        else:
            length = 1
            joined.append(header[position])
        position += length
    return joined
