"""Detect well-formed addresses that probably reach no one: placeholders, and typos in well-known domains.

These addresses are counted but never changed, because only you can know whether they are right. Each doubtful
profile gets one of `DOUBTS`: ``placeholder``, or the well-known domain that was probably meant. All rules are lists and
patterns in this file, so that every engine gets the same result.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from string import ascii_lowercase

import numpy as np
import polars as pl

from ci_magics.matching.normalize import Hashed

PLACEHOLDER = "placeholder"
MISTYPED = "mistyped"

#: Mailbox providers with names so long that a similar name is a typo, not another provider.
_WELL_KNOWN = (
    *("gmail.com", "googlemail.com", "hotmail.com", "hotmail.co.uk", "hotmail.fr", "hotmail.de", "hotmail.it"),
    *("hotmail.es", "outlook.com", "outlook.de", "outlook.fr", "yahoo.com", "yahoo.co.uk", "yahoo.co.in", "yahoo.fr"),
    *("yahoo.de", "yahoo.es", "yahoo.it", "yahoo.ca", "yahoo.com.br", "icloud.com", "protonmail.com", "comcast.net"),
    *("verizon.net", "sbcglobal.net", "bellsouth.net", "t-online.de", "freenet.de", "orange.fr", "wanadoo.fr"),
    *("laposte.net", "libero.it", "virgilio.it", "btinternet.com", "bigpond.com", "rediffmail.com", "telenet.be"),
    *("bluewin.ch", "yandex.ru"),
)
#: Providers with shorter names: only typos in the ending are detected.
_SHORT_ONES = ("aol.com", "live.com", "msn.com", "me.com", "mac.com", "mail.com", "ymail.com", "gmx.com", "gmx.net")
#: Typos in endings. No mailboxes exist under these.
_ENDINGS = {
    ".com": (".con", ".cmo", ".ocm", ".comm", ".coom", ".ccom", ".vom", ".xom", ".cpm", ".cim", ".com.com", ".c0m"),
    ".net": (".ner", ".nte", ".nett", ".nrt"),
    ".co.uk": (".couk", ".co.ku", ".co.uk.com", ".co.ul"),
}
#: ``.co``, ``.cm`` and ``.om`` are real top-level domains, but these providers have no mailboxes there.
_COUNTRIES = {
    **{f"{name}.co": f"{name}.com" for name in ("gmail", "yahoo", "icloud", "outlook")},
    **{
        f"{name}.{end}": f"{name}.com"
        for name in ("gmail", "yahoo", "icloud", "outlook", "hotmail")
        for end in ("cm", "om")
    },
}
#: Frequent typos that differ in more than one edit.
_FREQUENT = {
    "gmail.comcom": "gmail.com",
    "hitmail.com": "hotmail.com",
    "icould.com": "icloud.com",
    "outllok.com": "outlook.com",
    "otulook.com": "outlook.com",
}
#: Real domains that differ from a well-known one in a single edit.
_REAL = {
    *(
        "mail.com",
        "grail.com",
        "gemail.com",
        "cloud.com",
        "orage.fr",
        "range.fr",
        "oranges.fr",
        "libera.it",
        "liberi.it",
    ),
    *("liber.it", "liberos.it", "freenet.de", "telnet.be", "telenets.be", "gmail.de", "yahoos.com", "hotmail.co"),
    *("outlooks.com", "iclouds.com", "hotmails.com", "gmails.com", "yandex.com", "bigponds.com", "verizons.net"),
}
#: The possible doubts; the index is the stored code.
DOUBTS = (PLACEHOLDER, *_WELL_KNOWN, *_SHORT_ONES)

#: Local parts that mean "no address" at any domain, in English, German, Dutch, French, Spanish and Italian.
_NO_ADDRESS = (
    *("noemail", "noemails", "nomail", "noemailaddress", "noaddress", "noreply", "donotreply", "donotemail", "nospam"),
    *("donotcontact", "dontreply", "notprovided", "notgiven", "notavailable", "nothanks", "noneprovided", "none"),
    *("fakeemail", "fakemail", "fake", "dummy", "placeholder", "invalid", "unknown", "anonymous", "null", "undefined"),
    *("keineemail", "keinemail", "keineadresse", "unbekannt", "geenemail", "geenmail", "onbekend", "pasdemail"),
    *("sansemail", "aucun", "inconnu", "sinemail", "sincorreo", "nessuna", "senzaemail"),
)
#: Local parts that mean "no address" only at a placeholder domain or at a mailbox provider.
_TRIVIAL = (
    *("test", "testing", "tester", "testtest", "testuser", "testemail", "demo", "sample", "example", "no", "na", "nil"),
    *("nobody", "noone", "nothing", "nope", "keine", "geen", "aucune", "ninguno", "nessuno", "abc", "abcd", "xyz"),
    *("asd", "asdf", "asdfg", "asdfgh", "qwe", "qwer", "qwerty", "qwertz", "foo", "bar", "foobar", "blah", "bla"),
    *("email", "mail", "user", "username", "name", "yourname", "youremail", "your", "you", "myemail", "someone"),
    *("somebody", "anyone", "anybody", "temp", "guest", "johndoe", "janedoe", "firstnamelastname"),
    *("vornamenachname", "mustermann", "maxmustermann"),
)
#: Further domain names that, with a trivial local part, make a placeholder.
_TRIVIAL_DOMAINS = (
    *("domain", "yourdomain", "mydomain", "anydomain", "company", "yourcompany", "website", "nowhere", "somewhere"),
    *("thanks", "noway"),
)
#: Providers that do not assign trivial names: the shortest and best-known ones are reserved.
_PROVIDERS = (*_WELL_KNOWN, *_SHORT_ONES, "email.com", "gmx.de", "web.de")


def _pattern_of(*words: str) -> str:
    """Return a pattern for words with optional separators and trailing digits: noemail, no.e-mail2."""
    return "|".join("[._-]?".join(word) + "[._-]?[0-9]{0,3}" for word in words)


_SHORTEST_NAME = 5
_SAME_LETTER = "|".join(f"{each}+" for each in ascii_lowercase)
_NO_ADDRESS_LOCAL = f"^(?:{_pattern_of(*_NO_ADDRESS)})@"
_SUSPECT_LOCAL = f"^(?:{_pattern_of(*_NO_ADDRESS, *_TRIVIAL)}|{_SAME_LETTER}|[0-9]+)@"
_TRIVIAL_DOMAIN = rf"^(?:{_pattern_of(*_NO_ADDRESS, *_TRIVIAL, *_TRIVIAL_DOMAINS)}|{_SAME_LETTER})(?:\.[a-z]+)+$"
#: Domains that RFC 2606 and RFC 6761 reserve for examples and tests, and one-letter top-level domains, which do not
#: exist.
_RESERVED = r"^example\.(?:com|net|org)$|\.(?:example|invalid|localhost|test|[a-z])$"


def doubts(addresses: Hashed) -> pl.Series:
    """Return the doubt about each address as an index into `DOUBTS`; null if there is none or the address is not valid.

    Parameters
    ----------
    addresses
        The addresses, hashed under both rules.
    """
    noted = Hashed(_codes(addresses.plain), _codes(addresses.others), addresses.is_plain)
    return noted.columns("doubt")["doubt"]


def _codes(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the column ``doubt`` for some addresses.

    Few addresses are doubtful. Checks of the distinct domains, and patterns that fail early on most addresses, select
    the candidates that are then checked one by one.
    """
    codes = np.full(frame.height, -1, np.int8)
    different = frame["domain"].drop_nulls().unique()
    suspicious = different.filter(is_mistyped(different) | different.str.contains(_RESERVED))
    chosen = pl.col("trimmed").str.contains(_SUSPECT_LOCAL)
    if len(suspicious):
        chosen |= pl.col("domain").is_in(suspicious.implode())
    chosen &= pl.col("domain").is_not_null()
    positions = frame.select(chosen.fill_null(value=False).arg_true().alias("place"))["place"]
    if len(positions):
        codes[positions.to_numpy()] = [_doubt(*row) for row in frame[positions].select("trimmed", "domain").iter_rows()]
    return pl.DataFrame({"doubt": codes}).select(pl.when(pl.col("doubt") >= 0).then(pl.col("doubt")).alias("doubt"))


def _doubt(address: str, domain: str) -> int:
    """Return the code of an address; -1 if it is not doubtful."""
    if meant := mistyped().get(domain):
        return DOUBTS.index(meant)
    return DOUBTS.index(PLACEHOLDER) if is_placeholder(address, domain) else -1


def is_placeholder(address: str, domain: str) -> bool:
    """Return whether an address is a placeholder for a missing one.

    Parameters
    ----------
    address
        The address, stripped and in lower case.
    domain
        The part after the @.
    """
    if re.search(_RESERVED, domain) or re.search(_NO_ADDRESS_LOCAL, address):
        return True
    if not re.search(_SUSPECT_LOCAL, address):
        return False
    local, label = address.partition("@")[0], domain.partition(".")[0]
    if local.isdecimal():
        return local == label  # elsewhere, digits are a telephone number, or a usual mailbox name in China
    return domain in _PROVIDERS or re.search(_TRIVIAL_DOMAIN, domain) is not None


def is_mistyped(domains: pl.Series) -> pl.Series:
    """Return for each domain whether it is probably mistyped.

    A batch has few distinct domains, so dictionary lookups are much faster than passing the long list of mistyped
    domains to Polars for every batch.
    """
    known = mistyped()
    return pl.Series([each in known for each in domains.to_list()], dtype=pl.Boolean)


@cache
def mistyped() -> dict[str, str]:
    """Return the probably mistyped domains, each with the well-known domain that was meant.

    The name differs in one edit: a letter omitted, doubled, added or replaced, or two letters swapped. The first letter
    is never replaced (``ymail.com`` is not a typo). Known real domains are left out.
    """
    found = {**_COUNTRIES, **_FREQUENT}
    for domain in (*_WELL_KNOWN, *_SHORT_ONES):
        name, _, ending = domain.partition(".")
        for slip in _slips(name) if len(name) >= _SHORTEST_NAME else ():
            found.setdefault(f"{slip}.{ending}", domain)
        for wrong in _ENDINGS.get(f".{ending}", ()):
            found.setdefault(f"{name}{wrong}", domain)
    return {slip: meant for slip, meant in found.items() if slip not in {*DOUBTS, *_REAL}}


def _slips(name: str) -> Iterator[str]:
    """Yield all typos of a name that are a single edit away; see `mistyped`."""
    for place in range(len(name)):
        before, letter, after = name[:place], name[place], name[place + 1 :]
        yield before + after
        yield before + letter + letter + after
        if after:
            yield before + after[0] + letter + after[1:]
        if place:
            yield from (before + other + after for other in ascii_lowercase)
            yield from (before + other + letter + after for other in ascii_lowercase)
    yield from (name + other for other in ascii_lowercase)
