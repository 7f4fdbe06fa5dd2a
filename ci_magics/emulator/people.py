"""The people of the emulated world, so that a matching rule can mean something.

A list holds hashes only, and a hash does not tell by which rule it was made. Whose it is can be told where the world's
people are known: a control call names their addresses, of which both hashes are kept and nothing else. Without it a
fixed share of the members counts as matched, whatever the rule.
"""

from __future__ import annotations

import hashlib
import unicodedata
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ci_magics.emulator.hashes import Hashes


class People:
    """The people that Microsoft knows.

    Parameters
    ----------
    by_rule
        The sorted hashes of their addresses, under each matching rule.
    mark
        Names this set of people: two sets never share one.
    """

    def __init__(self, by_rule: dict[str, Hashes], mark: str) -> None:
        self.by_rule = by_rule
        self.mark = mark

    @classmethod
    def of(cls, addresses: Iterable[str]) -> People:
        """Return the people who have these e-mail addresses."""
        from ci_magics.emulator import hashes

        known = list(addresses)
        by_rule = {
            rule: hashes.distinct(
                hashes.of_bytes(b"".join(hashlib.sha256(form(each).encode()).digest() for each in known))
            )
            for rule, form in (("basic", basic), ("enhanced", enhanced))
        }
        return cls(by_rule, str(uuid.uuid4()))

    def matched(self, members: Hashes, rule: str) -> int:
        """Return how many people are found among the members when their addresses are hashed by a rule."""
        from ci_magics.emulator import hashes

        return hashes.count_common(self.by_rule[rule], members)


def basic(address: str) -> str:
    """Return an address without blanks around it, in lower case."""
    return address.strip().lower()


def enhanced(address: str) -> str:
    """Return an address by the rule that Microsoft publishes for enhanced conversions (help page of that name)."""
    user, at, domain = "".join(basic(address).split()).rpartition("@")
    plain = "".join(each for each in unicodedata.normalize("NFKD", user) if not unicodedata.combining(each))
    return plain.lower().partition("+")[0].replace(".", "") + at + domain
