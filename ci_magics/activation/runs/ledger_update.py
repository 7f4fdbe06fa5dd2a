"""Calculate the ledger after a push, part by part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ci_magics.activation.plans.ledger import Ledger, Part, after
from ci_magics.activation.runs.journal import Journal
from ci_magics.activation.runs.outcome import ACCEPTED, REJECTED, UNKNOWN, UNSENT, Outcome
from ci_magics.matching.hash_sets import bits_for
from ci_magics.matching.hashes import EMPTY, Hashes, by_prefix, without

States = npt.NDArray[np.int8]


def ledger_after(journal: Journal, before: Ledger, outcome: Outcome, counted: list[int]) -> Iterator[Part]:
    """Yield the parts of the ledger after a push.

    Parameters
    ----------
    journal
        The journal of the push.
    before
        The ledger before the push.
    outcome
        The outcome of each hash of the push.
    counted
        Output: the number of members of each part is appended to it.
    """
    push = journal.push
    # All lists must be split by the same number of prefix bits to be combined part by part: as many as the finest has,
    # or as the ledger may need when it has grown.
    bits = max(before.members.bits, _bits(push.add_parts), _bits(push.remove_parts))
    bits = max(bits, bits_for(len(before.members) + sum(push.add_parts)))
    change = _replaced if push.mode == "replace" else _changed
    # A replacement's first request empties the list, so the state of its first hash decides about the old members.
    first = int(outcome.states[0]) if len(outcome.states) else ACCEPTED
    parts = zip(
        before.members.parts(bits),
        before.maybe.parts(bits),
        _sent(journal, outcome, push.add_parts, 0, bits),
        _sent(journal, outcome, push.remove_parts, sum(push.add_parts), bits),
        strict=True,
    )
    for members, maybe, adds, removes in parts:
        part = change((members, maybe), adds, removes, first, was_replaced=outcome.was_replaced)
        counted.append(len(part[0]))
        yield part


Sent = tuple[Hashes, States]
"""Hashes, and the state of each."""


def _changed(before: Part, adds: Sent, removes: Sent, _first: int, *, was_replaced: bool) -> Part:
    """Return a part after adding and removing: accepted hashes are in or out, rejected are out, unknown may be in."""
    del was_replaced
    return after(
        before,
        added=_having(adds, ACCEPTED),
        removed=np.concatenate([_having(removes, ACCEPTED), _having(adds, REJECTED)]),
        unknown=np.concatenate([_having(adds, UNKNOWN), _having(removes, UNKNOWN)]),
    )


def _replaced(before: Part, adds: Sent, _removes: Sent, first: int, *, was_replaced: bool) -> Part:
    """Return a part after a replacement. It leaves none of the old members; if it is unanswered, they may be in."""
    # Nothing was replaced: the first request was not sent, or Microsoft rejected it.
    if first == UNSENT or (first != UNKNOWN and not was_replaced):
        return before
    added, unknown = _having(adds, ACCEPTED), _having(adds, UNKNOWN)
    if first == UNKNOWN:
        left_over = without(np.concatenate(before), adds[0])
        return EMPTY, np.concatenate([left_over, added, unknown])
    return added, unknown


def _having(sent: Sent, state: int) -> Hashes:
    chosen: Hashes = sent[0][sent[1] == state]
    return chosen


def _sent(journal: Journal, outcome: Outcome, lengths: Sequence[int], start: int, bits: int) -> Iterator[Sent]:
    """Return the hashes that were sent and their states, prefix by prefix."""
    bounds = [int(bound) for bound in np.cumsum([start, *lengths])]
    parts = ((journal.spool.read(*each), outcome.states[slice(*each)]) for each in pairwise(bounds))
    if _bits(lengths) == bits:
        yield from parts
        return
    # Lists have either one part or the full number of parts, so this is the only one.
    hashes, states = next(parts)
    for places in by_prefix(hashes, bits):
        yield hashes[places], states[places]


def _bits(lengths: Sequence[int]) -> int:
    return (len(lengths) - 1).bit_length()
