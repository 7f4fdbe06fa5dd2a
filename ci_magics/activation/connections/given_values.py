"""Check what a person gives for a connection: ids, typed or pasted from the address bar, and words from a list."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from ci_magics.errors import ArgumentError, ConnectionSetupError, nearest_name
from ci_magics.naming import require_name


@dataclass(frozen=True)
class Ids:
    """The ids of a customer and an account; None if not given."""

    customer: str | None
    account: str | None


def read_ids(url: str | None, customer_id: str | None, account_id: str | None) -> Ids:
    """Return the ids, from a URL, one by one, or both.

    Parameters
    ----------
    url
        A URL of a Microsoft Advertising page; it has the ids in ``cid`` and ``aid``, in upper or lower case.
    customer_id, account_id
        Digits, or a pasted URL.

    Raises
    ------
    ConnectionSetupError
        An id is not a number, the URL has no ids, or the URL and the ids contradict each other.
    """
    addresses = [each for each in (customer_id, account_id) if each is not None and "://" in str(each)]
    if addresses:  # pasted where an id belongs
        customer_id, account_id = (None if each in addresses else each for each in (customer_id, account_id))
    pasted = _from_address(url or addresses[0]) if url or addresses else Ids(None, None)
    return Ids(
        _one("customer id", _digits("customer id", customer_id), pasted.customer),
        _one("account id", _digits("account id", account_id), pasted.account),
    )


def _from_address(url: str) -> Ids:
    parts = urlsplit(url.strip())
    found = {name.lower(): values[0] for name, values in parse_qs(f"{parts.query}&{parts.fragment}").items()}
    if "cid" not in found and "aid" not in found:
        raise ConnectionSetupError(
            "The address holds neither cid= nor aid=.",
            "Open the account in Microsoft Advertising and copy the whole address bar.",
            code="no_ids_in_url",
        )
    return Ids(_digits("customer id", found.get("cid")), _digits("account id", found.get("aid")))


def _digits(word: str, value: str | int | None) -> str | None:
    if value is None:
        return None
    text = str(value).strip()
    if not (text.isascii() and text.isdigit()) or len(text) > 19:
        raise ConnectionSetupError(
            f"The {word} is not a number.",
            "It is the number after cid= (customer) or aid= (account) in the address bar of Microsoft Advertising.",
            code="id_not_a_number",
        )
    return text


def _one(word: str, typed: str | None, pasted: str | None) -> str | None:
    if typed and pasted and typed != pasted:
        raise ConnectionSetupError(
            f"The {word} is {typed}, but the address says {pasted}.", "Give only one of them.", code="ids_differ"
        )
    return typed or pasted


def require_known(word: str, value: str | None, known: Sequence[str]) -> None:
    """Validate that a value is one of the known ones.

    Parameters
    ----------
    word
        What the value is, for the message, such as ``environment``.
    value
        The value; None is valid.
    known
        The known values.

    Raises
    ------
    ConnectionSetupError
        The value is unknown; the error suggests the nearest one.
    """
    if value is None or value in known:
        return
    nearest = nearest_name(value, known)
    hint = f" Did you mean '{nearest}'?" if nearest else ""
    raise ConnectionSetupError(
        f"There is no {word} '{value}'.{hint}", f"Use one of: {', '.join(known)}.", code=f"unknown_{word}"
    )


def require_application(client_id: str | None, tenant: str | None) -> None:
    """Validate a client id and a tenant of Microsoft Entra.

    Parameters
    ----------
    client_id, tenant
        The values; None or empty is valid.

    Raises
    ------
    ArgumentError
        A value is an email address, or has other characters than letters, digits, hyphens and dots.
    """
    for word, value in (("client id", client_id), ("tenant", tenant)):
        if not value:
            continue
        require_name(value, word)
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*", value):
            raise ArgumentError(
                f"The {word} is not one of Microsoft Entra: those have only letters, digits, hyphens and dots, and "
                "begin with a letter or digit.",
                "Copy it from Microsoft Entra.",
                code="application",
            )
