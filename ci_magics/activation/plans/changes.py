"""The difference between a segment and an audience: which hashes to add and remove in each mode."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ci_magics.activation.plans.export_options import ExportOptions
from ci_magics.activation.plans.target import NEVER, Target
from ci_magics.display.numbers import pluralize
from ci_magics.matching.hash_list import NOTHING, HashList, Scratch
from ci_magics.matching.hash_sets import combined, shared
from ci_magics.matching.hashes import within, without

#: Microsoft drops people from a list after 180 days without activity (help page "Customer match", 2026), even where
#: membership has no end. A month before that leaves room for exports that run once a month.
RENEW_AFTER = timedelta(days=150)
#: Tolerance for clock skew between machines: a recorded time further in the future came from a wrong clock.
_CLOCKS_DIFFER = timedelta(days=1)


@dataclass(frozen=True)
class Changes:
    """The hashes to send to one audience.

    Parameters
    ----------
    adds, removes
        Hashes to add and to remove. In `replace` mode ``adds`` is the whole list.
    unchanged
        Number of hashes that are not sent because the audience is already right about them.
    wanted
        Number of hashes of the segment.
    leaving
        Number of known members that will no longer be in the audience.
    full
        True if ``adds`` has every wanted hash, which renews each membership.
    renewal
        Why members are sent again, as a sentence; empty if only the difference is sent.
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
        """A short checksum of what is sent, to detect that a plan no longer matches."""
        mark = hashlib.blake2b(digest_size=8)
        for name, hashes in (("adds", self.adds), ("removes", self.removes)):
            mark.update(name.encode())
            for part in hashes.parts():
                mark.update(part.tobytes())
        return mark.hexdigest()


def changes_for(
    wanted: HashList, held_back: HashList, target: Target, options: ExportOptions, now: datetime, scratch: Scratch
) -> Changes:
    """Calculate what to send so that the audience ends up as the mode promises.

    ``mirror``: the audience becomes exactly the segment; hashes with an unknown outcome are sent again. ``add``: adds
    the segment, and removes members that must not be sent. ``remove``: removes the segment. ``replace``: sends the
    whole list. In ``mirror`` and ``add``, members that would soon lapse are sent again.

    Parameters
    ----------
    wanted
        Hashes of the profiles that may be sent.
    held_back
        Hashes that must not be in the audience: suppressed, without consent, or forgotten.
    target
        The audience, with its ledger.
    options
        The options of the export; only the mode is used.
    now
        The current time, to decide on renewal.
    scratch
        Temporary storage for lists that don't fit in memory.
    """
    members = target.known.members
    if options.mode == "mirror":
        return _mirror(wanted, target, scratch, renewal_of(target, now))
    if options.mode == "add":
        return _add(wanted, held_back, target, scratch, renewal_of(target, now))
    if options.mode == "remove":
        # If the ledger is complete, hashes outside it need no request. If not, others may have added them.
        removes = combined(wanted, target.known.all, within, scratch) if target.ours else wanted
        return Changes(NOTHING, removes, len(wanted) - len(removes), len(wanted), shared(members, wanted))
    return Changes(wanted, NOTHING, 0, len(wanted), len(members) - shared(members, wanted), full=True)


def _mirror(wanted: HashList, target: Target, scratch: Scratch, renewal: str) -> Changes:
    ledger = target.known
    # The ledger has members (accepted) and maybe (sent, outcome unknown). Add what isn't certainly there,
    # and remove what is possibly there. So the result is right whichever way an unknown request ended.
    adds = wanted if renewal else combined(wanted, ledger.members, without, scratch)
    removes = combined(ledger.all, wanted, without, scratch)
    leaving = len(ledger.members) - shared(ledger.members, wanted)
    full = len(adds) == len(wanted)
    return Changes(adds, removes, len(wanted) - len(adds), len(wanted), leaving, full=full, renewal=renewal)


def _add(wanted: HashList, held_back: HashList, target: Target, scratch: Scratch, renewal: str) -> Changes:
    """Add what is not there; if memberships lapse or the ledger is incomplete, send everything."""
    removes = combined(target.known.all, held_back, within, scratch)
    # With a limited membership, only sending a member again restarts the clock; so send everybody each time.
    lapses = target.remote is not None and target.remote.membership_days != NEVER
    everything = lapses or bool(renewal) or not target.ours
    members = target.known.members
    adds = wanted if everything else combined(wanted, members, without, scratch)
    # `full` renews `full_send_at` of the audience. In this mode it may have members of other segments: they aren't
    # sent, so the last full send keeps its date unless all members are in this segment.
    full = len(adds) == len(wanted) and shared(members, wanted) == len(members)
    return Changes(
        adds, removes, len(wanted) - len(adds), len(wanted), shared(members, held_back), full=full, renewal=renewal
    )


def renewal_of(target: Target, now: datetime) -> str:
    """Return why members have to be sent again before they lapse, as a sentence; empty if they don't.

    A member lapses when the membership ends, or after 180 days without activity even if it never ends. So everything is
    sent again when the last full send is older than half the membership or `RENEW_AFTER`, whichever is shorter. If the
    last full send is in the future, it was recorded with a wrong clock and counts as old.

    Parameters
    ----------
    target
        The audience, with its ledger.
    now
        The current time.
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
        else f"members leave the list after {pluralize(days, 'day')}"
    )
    return f"Everybody is sent again: the last full send {when}, and {ends}."
