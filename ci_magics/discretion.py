"""The rule for text that is stored or shown: no one's e-mail address, and no hash of one.

It applies wherever text leaves the process: errors, displayed results, rows of the workspace, the audit log,
notifications, saved form values, and everything public (see `ci_magics.discreet`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

#: A quote may be part of an address, but usually it encloses one.
_SOMEBODY = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_ADDRESS = re.compile(r"""(?:(?<![^\s'"<>(),;:])[^\s'"<>(),;:]+|(?<=['"]))@[^\s'"<>(),;:]+""")
_HASH = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])", re.IGNORECASE)
#: Replaces an address.
HIDDEN = "***"


def without_addresses(text: str) -> str:
    """Replace everything that looks like an e-mail address, for text in which a person may have typed one."""
    return _ADDRESS.sub(HIDDEN, text) if "@" in text else text


def without_people(text: str) -> str:
    """Replace only complete e-mail addresses, which name a person."""
    return _SOMEBODY.sub(HIDDEN, text) if "@" in text else text


def names_somebody(text: str) -> bool:
    """Return whether a text contains a person's e-mail address; ``%@contoso.com`` is not one."""
    return "@" in text and _SOMEBODY.search(text) is not None


def without_addresses_and_hashes(text: str) -> str:
    """Replace addresses and hashes in a text."""
    return _HASH.sub(HIDDEN, without_addresses(text))


def person_name(user: str) -> str:
    """Return the name of a user in a workspace; an e-mail address becomes a stable pseudonym."""
    if not names_somebody(user):
        return user
    return f"user-{hashlib.sha256(user.strip().lower().encode()).hexdigest()[:12]}"


def kept(value: Any) -> Any:
    """Return a value as it may be stored, with complete addresses replaced in nested texts too."""
    if isinstance(value, str):
        return without_people(value)
    if isinstance(value, Mapping):
        return {kept(name): kept(each) for name, each in value.items()}
    if isinstance(value, tuple):
        return tuple(kept(each) for each in value)
    return [kept(each) for each in value] if isinstance(value, list) else value


def addresses_in(values: Any) -> set[str]:
    """Return the e-mail addresses in nested values; of each list, only the first 100 items are searched."""
    return {found for text in _texts(values) for found in _SOMEBODY.findall(text)}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from _texts([name, each])
    elif isinstance(value, list | tuple):
        for each in value[:100]:
            yield from _texts(each)
