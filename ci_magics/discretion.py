"""The one rule for what may be written or shown: nobody's e-mail address, and no hash of one where a text stands.

It is applied where text leaves the process: in errors, in what results show, in rows of the workspace, in the audit
log, in notices, in what forms keep, and around everything public, see `ci_magics.discreet`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

#: A quote may be part of an address, but more often it stands around one.
_SOMEBODY = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_ADDRESS = re.compile(r"""(?:(?<![^\s'"<>(),;:])[^\s'"<>(),;:]+|(?<=['"]))@[^\s'"<>(),;:]+""")
_HASH = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])", re.IGNORECASE)
#: What stands in place of an address.
HIDDEN = "***"


def without_addresses(text: str) -> str:
    """Return a text with every e-mail address in it replaced: a person may have written one where a name belongs."""
    return _ADDRESS.sub(HIDDEN, text) if "@" in text else text


def without_people(text: str) -> str:
    """Return a text with the e-mail address of everybody that it names replaced, and nothing else."""
    return _SOMEBODY.sub(HIDDEN, text) if "@" in text else text


def names_somebody(text: str) -> bool:
    """Tell whether an e-mail address of somebody is in a text; ``%@contoso.com`` is nobody's."""
    return "@" in text and _SOMEBODY.search(text) is not None


def impersonal(text: str) -> str:
    """Return a text without addresses and without hashes."""
    return _HASH.sub(HIDDEN, without_addresses(text))


def person_name(user: str) -> str:
    """Return the name under which a user is known in a workspace; of an address, only a mark that stays the same."""
    if not names_somebody(user):
        return user
    return f"user-{hashlib.sha256(user.strip().lower().encode()).hexdigest()[:12]}"


def kept(value: Any) -> Any:
    """Return a value as it may be written: texts in it, however deep, name nobody."""
    if isinstance(value, str):
        return without_people(value)
    if isinstance(value, Mapping):
        return {kept(name): kept(each) for name, each in value.items()}
    if isinstance(value, tuple):
        return tuple(kept(each) for each in value)
    return [kept(each) for each in value] if isinstance(value, list) else value


def addresses_in(values: Any) -> set[str]:
    """Return the addresses in some values."""
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
