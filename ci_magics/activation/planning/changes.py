"""What an export changes in an audience: the hashes that go in and out, by mode."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ci_magics.activation.planning.order import Order
from ci_magics.activation.planning.target import NEVER, Target
from ci_magics.matching.hash_list import NOTHING, HashList, Scratch
from ci_magics.matching.hash_sets import combined, shared
from ci_magics.matching.hashes import within, without


@dataclass(frozen=True)
class Changes:
    """What is sent to one audience.

    Parameters
    ----------
    adds, removes
        Hashes to send.
    unchanged
        How many are there already and are not sent.
    wanted
        How many hashes the segment stands for.
    leaving
        How many known members are not in the audience afterwards.
    full
        Whether everything wanted is sent.
    """

    adds: HashList = field(repr=False)
    removes: HashList = field(repr=False)
    unchanged: int
    wanted: int
    leaving: int
    full: bool = False

    @property
    def digest(self) -> str:
        """A short mark of what is sent, to see whether it is still the same."""
        mark = hashlib.blake2b(digest_size=8)
        for name, hashes in (("adds", self.adds), ("removes", self.removes)):
            mark.update(name.encode())
            for part in hashes.parts():
                mark.update(part.tobytes())
        return mark.hexdigest()


def changes_for(
    wanted: HashList, held_back: HashList, target: Target, order: Order, now: datetime, scratch: Scratch
) -> Changes:
    """Work out what to send, so that the audience becomes what the mode promises.

    ``mirror``: exactly the wanted hashes; those whose outcome is not known are sent again. ``add``: the wanted ones
    besides what is there, without those that must not be sent. ``remove``: without the wanted ones. ``replace``:
    everything anew.
    """
    members = target.known.members
    if order.mode == "mirror":
        return _mirror(wanted, target, scratch, full=_is_due(target, now))
    if order.mode == "add":
        return _add(wanted, held_back, target, scratch)
    if order.mode == "remove":
        removes = combined(wanted, target.known.all, within, scratch) if target.ours else wanted
        return Changes(NOTHING, removes, len(wanted) - len(removes), len(wanted), shared(members, wanted))
    return Changes(wanted, NOTHING, 0, len(wanted), len(members) - shared(members, wanted), full=True)


def _mirror(wanted: HashList, target: Target, scratch: Scratch, *, full: bool) -> Changes:
    ledger = target.known
    adds = wanted if full else combined(wanted, ledger.members, without, scratch)
    removes = combined(ledger.all, wanted, without, scratch)
    leaving = len(ledger.members) - shared(ledger.members, wanted)
    return Changes(adds, removes, len(wanted) - len(adds), len(wanted), leaving, full=full or len(adds) == len(wanted))


def _add(wanted: HashList, held_back: HashList, target: Target, scratch: Scratch) -> Changes:
    """Add what is not there; where members lapse or others may have changed the list, add everything."""
    removes = combined(target.known.all, held_back, within, scratch)
    lapses = target.remote is not None and target.remote.membership_days != NEVER
    adds = wanted if lapses or not target.ours else combined(wanted, target.known.members, without, scratch)
    full = len(adds) == len(wanted)
    return Changes(adds, removes, len(wanted) - len(adds), len(wanted), shared(target.known.members, held_back), full)


def _is_due(target: Target, now: datetime) -> bool:
    """Tell whether members would lapse: the last full send is older than half the membership."""
    days = target.remote.membership_days if target.remote else None
    if target.record is None or days is None or days == NEVER:
        return False
    sent = target.record.full_send_at
    return sent is None or now - sent > timedelta(days=days) / 2
