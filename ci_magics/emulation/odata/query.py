"""Parse and validate the query options of an OData request."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ci_magics.emulation.odata.filters import Condition, FilterError, names, parse

_MEMBER = "IsMemberOfSegment("


class OptionError(Exception):
    """An option is not valid; the message says which."""


@dataclass(frozen=True)
class Options:
    """The parsed query options.

    Parameters
    ----------
    select
        The requested attributes, in order.
    order
        An attribute, and whether to sort descending.
    """

    select: list[str]
    condition: Condition | None
    order: tuple[str, bool] | None
    top: int | None
    skip: int
    skip_token: str | None


def read_options(query: Mapping[str, str], attributes: list[str], allowed: Collection[str]) -> Options:
    """Parse the options of a request.

    Parameters
    ----------
    query
        The query parameters.
    attributes
        The attributes of the entity.
    allowed
        The options that the service supports.

    Raises
    ------
    OptionError
        An option is unknown or its value is not valid.
    """
    loose = [name for name in query if name.startswith(_MEMBER)]
    unknown = [name for name in query if name not in allowed and name not in loose]
    if unknown:
        raise OptionError(f"The query option {unknown[0]} is not supported.")
    # The documentation says `CustomerId eq '1'&IsMemberOfSegment('A')`, which splits the query string at the ampersand.
    text = " and ".join(filter(None, [query.get("$filter"), *loose]))
    return Options(
        select=_select(query.get("$select"), attributes),
        condition=_condition(text, attributes) if text else None,
        order=_order(query.get("$orderby"), attributes),
        top=_whole(query, "$top"),
        skip=_whole(query, "$skip") or 0,
        skip_token=query.get("$skiptoken"),
    )


def _select(text: str | None, attributes: list[str]) -> list[str]:
    if text is None or text.strip() == "*":
        return list(attributes)
    wanted = [each.strip() for each in text.split(",")]
    _check_names(wanted, attributes)
    return list(dict.fromkeys(wanted))


def _condition(text: str, attributes: list[str]) -> Condition:
    try:
        condition = parse(text)
    except FilterError as error:
        raise OptionError(f"$filter: {error}.") from None
    _check_names(names(condition), attributes)
    return condition


def _order(text: str | None, attributes: list[str]) -> tuple[str, bool] | None:
    if text is None:
        return None
    name, _, direction = text.strip().partition(" ")
    if direction.strip() not in ("", "asc", "desc"):
        raise OptionError("$orderby: one attribute, asc or desc.")
    _check_names([name], attributes)
    return name, direction.strip() == "desc"


def _check_names(wanted: Collection[str], attributes: list[str]) -> None:
    unknown = sorted(set(wanted) - set(attributes))
    if unknown:
        raise OptionError(f"There is no property named {unknown[0]}.")


def _whole(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise OptionError(f"{name} must be a whole number from 0.")
    return int(text)
