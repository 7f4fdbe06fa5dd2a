"""What an export changes in an audience: the hashes that go in and out, by mode."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ci_magics.activation.plans.export_options import ExportOptions
from ci_magics.activation.plans.target import NEVER, Target
from ci_magics.display.numbers import counted_in_words
from ci_magics.matching.hash_list import NOTHING, HashList, Scratch
from ci_magics.matching.hash_sets import combined, shared
from ci_magics.matching.hashes import within, without

#: Microsoft drops people from a list after 180 days without activity (help page "Customer match", 2026), even where
#: membership has no end. A month before that leaves room for exports that run once a month.
RENEW_AFTER = timedelta(days=150)
#: How far the clocks of two machines may differ before a moment in the future counts as noted under a wrong clock.
_CLOCKS_DIFFER = timedelta(days=1)


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
    renewal
        Why members are sent again, as a sentence; empty where only the difference is sent.
    """

    adds: HashList = field(repr=False)
    removes: HashList = field(repr=False)
    unchanged: int
    wanted: int
    leaving: int
    full: bool = False
    renewal: str = ""

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
    wanted: HashList, held_back: HashList, target: Target, order: ExportOptions, now: datetime, scratch: Scratch
) -> Changes:
    """Work out what to send, so that the audience becomes what the mode promises.

    ``mirror``: exactly the wanted hashes; those whose outcome is not known are sent again. ``add``: the wanted ones
    besides what is there, without those that must not be sent. ``remove``: without the wanted ones. ``replace``:
    the whole list. In ``mirror`` and ``add``, members who would soon lapse are sent again.
    """
    members = target.known.members
    if order.mode == "mirror":
        return _mirror(wanted, target, scratch, renewal_of(target, now))
    if order.mode == "add":
        return _add(wanted, held_back, target, scratch, renewal_of(target, now))
    if order.mode == "remove":
        removes = combined(wanted, target.known.all, within, scratch) if target.ours else wanted
        return Changes(NOTHING, removes, len(wanted) - len(removes), len(wanted), shared(members, wanted))
    return Changes(wanted, NOTHING, 0, len(wanted), len(members) - shared(members, wanted), full=True)


def _mirror(wanted: HashList, target: Target, scratch: Scratch, renewal: str) -> Changes:
    ledger = target.known
    adds = wanted if renewal else combined(wanted, ledger.members, without, scratch)
    removes = combined(ledger.all, wanted, without, scratch)
    leaving = len(ledger.members) - shared(ledger.members, wanted)
    full = len(adds) == len(wanted)
    return Changes(adds, removes, len(wanted) - len(adds), len(wanted), leaving, full=full, renewal=renewal)


def _add(wanted: HashList, held_back: HashList, target: Target, scratch: Scratch, renewal: str) -> Changes:
    """Add what is not there; where members lapse or others may have changed the list, add everything."""
    removes = combined(target.known.all, held_back, within, scratch)
    lapses = target.remote is not None and target.remote.membership_days != NEVER
    everything = lapses or bool(renewal) or not target.ours
    members = target.known.members
    adds = wanted if everything else combined(wanted, members, without, scratch)
    # Members outside this segment are not sent: they keep the age of the last full send.
    full = len(adds) == len(wanted) and shared(members, wanted) == len(members)
    return Changes(
        adds, removes, len(wanted) - len(adds), len(wanted), shared(members, held_back), full=full, renewal=renewal
    )


def renewal_of(target: Target, now: datetime) -> str:
    """Return why members have to be sent again before they lapse; empty where they need not.

    They lapse when their membership ends, and after 180 days without activity whatever the membership. So everything is
    sent again when the last full send is older than half the membership or `RENEW_AFTER`, whichever is shorter. A last
    full send that lies in the future was noted under a wrong clock and counts as old.

    Parameters
    ----------
    target
        The audience with what is known of it.
    now
        The present moment.
    """
    days = target.remote.membership_days if target.remote else None
    if target.record is None or days is None or not len(target.known.members):
        return ""
    limit = RENEW_AFTER if days == NEVER else min(timedelta(days=days) / 2, RENEW_AFTER)
    sent = target.record.full_send_at
    if sent is not None and -_CLOCKS_DIFFER <= now - sent <= limit:
        return ""
    when = "is not known" if sent is None or sent > now else f"was on {sent:%Y-%m-%d}"
    ends = (
        "Microsoft drops people after 180 days without activity"
        if limit == RENEW_AFTER
        else f"members leave the list after {counted_in_words(days, 'day')}"
    )
    return f"Everybody is sent again: the last full send {when}, and {ends}."
