"""The people of the emulated world, which make the matching rule testable.

A list holds only hashes, and a hash does not reveal its normalization rule. A control call can set the known people by
their addresses; only both hashes of each address are kept. Without it, a fixed share of the members counts as matched,
whatever the rule.
"""

from __future__ import annotations

import hashlib
import unicodedata
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ci_magics.emulation.hashes import Hashes


class People:
    """The people that Microsoft knows.

    Parameters
    ----------
    by_rule
        The sorted hashes of their addresses, under each matching rule.
    mark
        A unique id of this set of people.
    """

    def __init__(self, by_rule: dict[str, Hashes], mark: str) -> None:
        self.by_rule = by_rule
        self.mark = mark

    @classmethod
    def of(cls, addresses: Iterable[str]) -> People:
        """Return the people with these e-mail addresses."""
        from ci_magics.emulation import hashes

        known = list(addresses)
        by_rule = {
            rule: hashes.distinct(
                hashes.of_bytes(b"".join(hashlib.sha256(form(each).encode()).digest() for each in known))
            )
            for rule, form in (("basic", basic), ("enhanced", enhanced))
        }
        return cls(by_rule, str(uuid.uuid4()))

    def matched(self, members: Hashes, rule: str) -> int:
        """Return the number of members that are known people.

        Parameters
        ----------
        members
            The members' hashes.
        rule
            The matching rule.
        """
        from ci_magics.emulation import hashes

        return hashes.count_common(self.by_rule[rule], members)


def basic(address: str) -> str:
    """Return an address without surrounding blanks, in lower case."""
    return address.strip().lower()


def enhanced(address: str) -> str:
    """Normalize an address by the rule that Microsoft publishes for enhanced conversions (help page of that name)."""
    user, at, domain = "".join(basic(address).split()).rpartition("@")
    plain = "".join(each for each in unicodedata.normalize("NFKD", user) if not unicodedata.combining(each))
    return plain.lower().partition("+")[0].replace(".", "") + at + domain
