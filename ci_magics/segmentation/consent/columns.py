"""Which columns say that somebody agreed to marketing by e-mail, or refused it.

The rule, in this order:

1. A header is folded: accents, case, punctuation and camelCase are dropped, so ``doNotBulkEMail``, ``DONOTBULKEMAIL``
   and ``Do not allow Bulk Emails`` become the same kind of list of words. A word that is several
   (``hasoptedoutofemail``) is divided into the words of `consent.words`.
2. A header with a word that is about something else (`words.OTHER_SUBJECTS`: the IP address, the source, the reason, a
   cookie, a photograph, a count) is no consent.
3. A header whose only channel is another one (SMS, telephone, post, push) is a consent, but not one for e-mail. Without
   a channel it speaks for all of them.
4. ``opt-in``, ``consent``, ``einwilligung``, ``toestemming`` and the like (`words.AGREEING`) agree; ``opt-out``,
   ``unsubscribed``, ``abgemeldet`` (`words.REFUSING`) refuse; a negation turns what follows around: ``Do not allow Bulk
   Emails`` refuses, ``Not opted out`` agrees. These words are enough, whatever else the header says.
5. ``newsletter``, ``accepts``, ``allow``, ``permission`` (`words.WEAK`) agree, and ``do not``, ``blocked``, ``keine``
   refuse, only if every word of the header is known and it speaks of marketing or e-mail. Some headers are consents as
   a whole: ``Newsletter (ja/nein)``, ``Subscriber status``, ``Email marketing`` (`words.WHOLE`).
6. ``date``, ``at``, ``time`` say that the values are moments.
7. A header that only says ``Status`` (`words.STATUS`) is a consent where no other header agrees and all of its values
   are words of subscriptions: ``Subscribed``, ``Unsubscribed``, ``Cleaned``.
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
        Whether the header speaks of e-mail; otherwise of no channel, or of others.
    other_channel
        Whether it speaks of other channels only, such as SMS.
    dated
        Whether its values are the moments at which somebody did.
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
    """Return the columns that say who agreed to marketing by e-mail or refused it, in the order given."""
    found = [each for each in map(recognized, columns) if each is not None and not each.other_channel]
    # A moment of consent beside a state adds nothing: the state was set later, or says the same.
    stated = any(each.sense is Sense.CONSENT and not each.dated for each in found)
    return [each for each in found if not (stated and each.dated and each.sense is Sense.CONSENT)]


def status_columns(columns: Iterable[str]) -> list[str]:
    """Return the columns whose values may tell that they are consents, where no header agrees by itself."""
    names = list(columns)
    if any(each.sense is Sense.CONSENT for each in consent_columns(names)):
        return []
    return [each for each in names if fold(each) in words.STATUS]


def consent_column(name: str) -> ConsentColumn:
    """Return what is known of a column that a person chose; an unknown name means agreement."""
    found = recognized(name)
    if found is not None:
        return found
    spoken = _spoken(name)
    return ConsentColumn(name, _sense(spoken), dated=_dated(spoken))


@functools.lru_cache(maxsize=4096)
def recognized(name: str) -> ConsentColumn | None:
    """Return what a header says of consents; None where it is about something else. See the rule above."""
    spoken = _spoken(name)
    about = set(spoken)
    if about & words.OTHER_SUBJECTS or spoken[-1:] == ["by"]:
        return None
    if about & words.AGREEMENTS and not about & words.SUBJECTS:
        return None
    if not about & (words.AGREEING | words.REFUSING) and not _weakly(spoken):
        return None
    email = bool(about & words.EMAIL - ({"mail", "mails", "mailing", "mailings"} if about & words.POST else set()))
    return ConsentColumn(
        name,
        _sense(spoken),
        email=email,
        other_channel=bool(about & words.OTHER_CHANNELS) and not email,
        dated=_dated(spoken),
        coded="".join(spoken) in words.MAGENTO_CODED,
    )


def _weakly(spoken: Sequence[str]) -> bool:
    """Tell whether a header without a strong word is a consent: all its words are known, and about marketing."""
    rest = "".join(each for each in spoken if each not in words.FILLERS and each not in words.DATES)
    if rest in words.WHOLE or "".join(spoken) in words.WHOLE:
        return True
    about = set(spoken)
    weak = words.WEAK | words.WEAKLY_REFUSING | words.NEGATIONS
    subject = about & (words.SUBJECTS | words.OTHER_CHANNELS) or {"donot", "contact"} <= about
    return about <= words.ALL and bool(about & weak) and bool(subject)


def _sense(spoken: Sequence[str]) -> Sense:
    """Return whether *yes* agrees; a negation turns around what follows it, two cancel each other out."""
    refuses = any(each in words.REFUSING or each in words.WEAKLY_REFUSING for each in spoken)
    negated = sum(each in words.NEGATIONS for each in spoken) % 2 == 1
    return Sense.REFUSAL if refuses != negated else Sense.CONSENT


def _dated(spoken: Sequence[str]) -> bool:
    return any(each in words.DATES for each in spoken)


def fold(text: str) -> str:
    """Return a text without accents and case, each run of other signs as one blank."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss").replace("ẞ", "SS"))
    letters = "".join(each for each in plain if not unicodedata.combining(each)).casefold()
    return " ".join(re.findall(r"[^\W_]+", letters))


def _spoken(name: str) -> list[str]:
    """Return the words of a header: compounds are split, phrases of several words are joined."""
    parted = re.sub(r"(?<=[a-zà-ÿ0-9])(?=[A-ZÀ-Þ])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    whole = _joined(_divided_all(fold(name)))
    apart = _joined(_divided_all(fold(parted)))
    # `EMail` and `DoNotBulkEMail` are split wrongly at their capitals; the split with fewer unknown words wins.
    return min((apart, whole), key=lambda spoken: (sum(each not in words.ALL for each in spoken), len(spoken)))


def _divided_all(folded: str) -> list[str]:
    return [part for word in folded.split() for part in _divided(word)]


@functools.lru_cache(maxsize=4096)
def _divided(word: str) -> tuple[str, ...]:
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


def _joined(spoken: Sequence[str]) -> list[str]:
    """Return words with those that mean something only together as one: ``opt in`` as ``optin``."""
    joined: list[str] = []
    position = 0
    while position < len(spoken):
        for length in (4, 3, 2, 1):
            phrase = words.PHRASES.get(tuple(spoken[position : position + length]))
            if phrase is not None:
                joined.append(phrase)
                break
        else:
            length = 1
            joined.append(spoken[position])
        position += length
    return joined
