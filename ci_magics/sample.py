"""Generate fictitious customers for demos and tests: plausible, and as dirty as real data.

No address belongs to a real person: all domains are reserved for documentation (RFC 2606) or are Microsoft's fictitious
companies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

_Text = npt.NDArray[np.object_]


@dataclass(frozen=True)
class _Country:
    share: float
    first: tuple[str, ...]
    last: tuple[str, ...]
    cities: tuple[str, ...]
    domains: tuple[str, ...]


_COUNTRIES = {
    "NL": _Country(
        0.45,
        ("Anna", "Bram", "Daan", "Emma", "Fleur", "Jan", "Joost", "Lieke", "Maud", "Noor", "Pieter", "Sanne", "Tijn"),
        ("de Vries", "Jansen", "van den Berg", "Bakker", "Visser", "Smit", "Meijer", "de Boer", "Mulder", "Dekker"),
        ("Amsterdam", "Rotterdam", "Utrecht", "Eindhoven", "Groningen", "Zwolle", "Breda"),
        ("mail.example.com", "contoso.com", "post.example.org", "fabrikam.com"),
    ),
    "DE": _Country(
        0.35,
        ("Anke", "Björn", "Claudia", "Dieter", "Friedrich", "Greta", "Heike", "Jürgen", "Käthe", "Lukas", "Mia", "Uwe"),
        ("Müller", "Schmidt", "Schneider", "Fischer", "Weber", "Schäfer", "Koch", "Bauer", "Groß", "Vogel"),
        ("Berlin", "Hamburg", "München", "Köln", "Leipzig", "Bremen", "Mainz"),
        ("post.example.net", "adatum.com", "mail.example.com", "northwindtraders.com"),
    ),
    "US": _Country(
        0.20,
        ("Ava", "Benjamin", "Charlotte", "Daniel", "Evelyn", "Grace", "Henry", "Isabella", "James", "José", "Zoë"),
        ("Smith", "Johnson", "Williams", "Brown", "Garcia", "Miller", "O'Neil", "Davis", "Nguyen", "Wilson"),
        ("Seattle", "Boston", "Austin", "Denver", "Chicago", "Portland"),
        ("mail.example.com", "contoso.com", "wingtiptoys.com", "post.example.org"),
    ),
}
#: Share of rows with each kind of problem. `tagged` and `untidy` are valid addresses, written unusually.
_DIRT_SHARES = {
    "missing": 0.030,
    "no_at": 0.010,
    "many_at": 0.004,
    "inner_space": 0.006,
    "bad_local": 0.004,
    "bad_domain": 0.010,
    "poison_hash": 0.002,
    "duplicate": 0.040,
    "untidy": 0.080,
    "tagged": 0.030,
    "accented": 0.010,
}
_MISSING: tuple[Any, ...] = (None, None, "", "  ", "n/a", "NULL", "none", "undefined", float("nan"))
_NO_ADDRESS = ("unknown", "ask at counter", "+31 20 555 0100", "www.example.com", "see notes")
_UNTIDY: tuple[Callable[[str], str], ...] = (
    str.upper,
    str.title,
    lambda text: f" {text}",
    lambda text: f"{text}\t",
    lambda text: f"\ufeff{text}",
    lambda text: f"{text}\u200b\u00a0",
)
_TAGS = ("shop", "news", "sale", "contoso")
_SPELLED = {ord("ä"): "ae", ord("ö"): "oe", ord("ü"): "ue", ord("ß"): "ss", ord("é"): "e", ord("ë"): "e"}
_START = np.datetime64("2026-11-01")


def customers(n: int = 10_000, seed: int = 1, *, prehashed: bool = False) -> pd.DataFrame:
    """Return a table of fictitious customers.

    Parameters
    ----------
    n
        Number of customers.
    seed
        Seed of the random generator; the same seed and `n` give the same table.
    prehashed
        Whether some addresses are already SHA-256 hashes, as in exports of other systems.

    Returns
    -------
    pandas.DataFrame
        CustomerId, FirstName, LastName, EMail, Country, City, TotalSpend (euros or dollars), Orders, LastPurchase, and
        MarketingConsent. The addresses include every kind of problem that a coverage distinguishes; from 1,000
        customers on, each kind occurs.
    """
    random = np.random.default_rng([seed, n])
    country = random.choice(list(_COUNTRIES), size=n, p=[each.share for each in _COUNTRIES.values()])
    first, last, city, domain = (_per_country(random, country, part) for part in ("first", "last", "cities", "domains"))
    orders = 1 + random.geometric(0.25, size=n)
    return pd.DataFrame(
        {
            "CustomerId": [f"C-{number:07d}" for number in random.permutation(n) + 1],
            "FirstName": first,
            "LastName": last,
            "EMail": pd.Series(_emails(random, first, last, domain, prehashed=prehashed), dtype=object),
            "Country": country.astype(object),
            "City": city,
            "TotalSpend": np.round(random.lognormal(5.2, 1.1, size=n) * orders / 4, 2),
            "Orders": orders,
            "LastPurchase": _START - random.integers(0, 900, size=n).astype("timedelta64[D]"),
            "MarketingConsent": random.random(n) < 0.7,
        }
    )


def _per_country(random: np.random.Generator, country: npt.NDArray[np.str_], part: str) -> _Text:
    values = np.empty(len(country), dtype=object)
    for code, each in _COUNTRIES.items():
        mine = country == code
        choices = np.array(getattr(each, part), dtype=object)
        values[mine] = random.choice(choices, size=int(mine.sum()))
    return values


def _emails(random: np.random.Generator, first: _Text, last: _Text, domain: _Text, *, prehashed: bool) -> list[Any]:
    plain = {name: _plain(name) for name in {*first, *last}}
    numbers = random.permutation(len(first))
    emails: list[Any] = [
        f"{plain[one]}.{plain[two]}{number}@{place}"
        for one, two, number, place in zip(first, last, numbers, domain, strict=True)
    ]
    dirt = _dirt(random, len(emails), prehashed=prehashed)
    for kind, places in dirt.items():
        for place in places:
            emails[place] = _with_dirt(kind, emails, int(place), first[place])
    return emails


def _dirt(random: np.random.Generator, n: int, *, prehashed: bool) -> dict[str, npt.NDArray[np.int64]]:
    """Choose which rows become dirty, each in one way; at least one of each kind if there are enough rows."""
    shares = _DIRT_SHARES | ({"prehashed": 0.02} if prehashed else {})
    order = random.permutation(n)
    chosen: dict[str, npt.NDArray[np.int64]] = {}
    start = 0
    for kind, share in shares.items():
        stop = start + max(round(n * share), 1)
        chosen[kind] = order[start:stop]
        start = stop
    return chosen


def _with_dirt(kind: str, emails: Sequence[Any], place: int, first: str) -> Any:
    email = emails[place] if isinstance(emails[place], str) else "customer@contoso.com"
    local, _, domain = email.partition("@")
    if kind == "missing":
        return _MISSING[place % len(_MISSING)]
    if kind == "duplicate":
        return emails[(place + 1) % len(emails)]
    if kind == "untidy":
        return _UNTIDY[place % len(_UNTIDY)](email)
    soiled = {
        "no_at": _NO_ADDRESS[place % len(_NO_ADDRESS)],
        "many_at": f"{local}@@{domain}",
        "inner_space": f"{local.replace('.', ' ', 1)}@{domain}",
        "bad_local": f"{local},{first.lower()}@{domain}",
        "bad_domain": f"{local}@{domain.replace('.', ',')}" if place % 2 else f"{local}@{domain.split('.')[0]}",
        "poison_hash": _hashed(("", "nan", "none", "null")[place % 4]),
        "tagged": f"{local}+{_TAGS[place % len(_TAGS)]}@{domain}",
        "accented": f"{first.lower()}é.{local}@{domain}",
        "prehashed": _hashed(email),
    }
    return soiled[kind]


def _plain(name: str) -> str:
    """Return a name as used in an address: German letters spelled out, no blanks."""
    spelled = name.lower().translate(_SPELLED)
    return "".join(letter for letter in spelled if letter.isalnum())


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
