"""Compile segment definitions of Customer Insights to conditions on the profile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any

import polars as pl

from ci_magics.emulation.invented.attributes import ALL_ATTRIBUTES

_ENTITY = "Customer"


class RuleError(Exception):
    """The definition cannot be evaluated."""


def expression(query: dict[str, Any], now: float) -> tuple[pl.Expr, set[str]]:
    """Return a membership expression, and the attributes that it needs.

    The first rowset is the base; each other one is combined with the result so far by its ``rowsetOperation``.

    Parameters
    ----------
    query
        The segment's definition.
    now
        The current time, in seconds since the epoch.

    Raises
    ------
    RuleError
        The definition cannot be evaluated.
    """
    names: set[str] = set()
    joined: pl.Expr | None = None
    for rowset in query.get("rowsets") or []:
        own = _criteria(rowset.get("criteria"), names, now)
        joined = own if joined is None else _joined(joined, str(rowset.get("rowsetOperation")).lower(), own)
    return (pl.lit(value=True) if joined is None else joined), names


def _joined(left: pl.Expr, operation: str, right: pl.Expr) -> pl.Expr:
    if operation in ("union", "include", "none"):
        return left | right
    if operation == "intersect":
        return left & right
    if operation in ("except", "exclude"):
        return left & ~right
    raise RuleError(f"rowsetOperation {operation}")


def _criteria(criteria: Any, names: set[str], now: float) -> pl.Expr:
    if criteria is None:
        return pl.lit(value=True)
    children = criteria.get("childCriterias") or []
    if children:
        parts = [_criteria(each, names, now) for each in children]
        both = str(criteria.get("logicalOperator", "and")).lower() == "and"
        return reduce(lambda left, right: left & right if both else left | right, parts)
    return _comparison(criteria, names, now).fill_null(value=False)


def _comparison(criteria: dict[str, Any], names: set[str], now: float) -> pl.Expr:
    entity, _, name = str(criteria.get("attribute")).partition(".")
    if entity != _ENTITY or name not in ALL_ATTRIBUTES:
        raise RuleError(f"attribute {criteria.get('attribute')}")
    names.add(name)
    operator = str(criteria.get("comparisonOperator")).lower()
    column = pl.col(name)
    kind = ALL_ATTRIBUTES[name].data_type
    fold = bool(criteria.get("ignoreCase")) and kind == "Edm.String"
    column = column.str.to_lowercase() if fold else column
    value, values = criteria.get("value"), criteria.get("listOfValues") or []
    if operator in ("any", "all"):
        return pl.lit(value=True)
    if operator in ("isnull", "isnotnull"):
        return column.is_null() if operator == "isnull" else column.is_not_null()
    if operator == "isin":
        return column.is_in([_typed(each, kind, fold=fold) for each in values])
    if operator == "isbetween":
        low, high = (_typed(each, kind, fold=fold) for each in values)
        return column.is_between(pl.lit(low), pl.lit(high))
    if operator == "iswithinlast":
        since = datetime.fromtimestamp(now, UTC) - timedelta(days=float(value or 0))
        return column >= pl.lit(since.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return _beside_one_value(operator, column, _typed(value, kind, fold=fold))


def _beside_one_value(operator: str, column: pl.Expr, value: Any) -> pl.Expr:
    literal = pl.lit(value)
    simple = {
        "equals": lambda: column == literal,
        "notequals": lambda: column != literal,
        "greaterthan": lambda: column > literal,
        "greaterthanorequalto": lambda: column >= literal,
        "lessthan": lambda: column < literal,
        "lessthanorequalto": lambda: column <= literal,
        "contains": lambda: column.str.contains(str(value), literal=True),
        "startswith": lambda: column.str.starts_with(str(value)),
        "endswith": lambda: column.str.ends_with(str(value)),
    }
    if operator not in simple:
        raise RuleError(f"comparisonOperator {operator}")
    return simple[operator]()


def _typed(value: Any, kind: str, *, fold: bool) -> Any:
    """Convert a value, which is always text, to the attribute's type."""
    text = str(value)
    try:
        if kind == "Edm.Int64":
            return int(text)
        if kind == "Edm.Double":
            return float(text)
    except ValueError:
        raise RuleError(f"value {text}") from None
    if kind == "Edm.Boolean":
        return text.lower() in ("true", "1")
    return text.lower() if fold else text
