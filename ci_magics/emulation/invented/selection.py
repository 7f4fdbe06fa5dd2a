"""Select rows: members of segments, filters, and sort order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ci_magics.emulation.invented import population, rowsets
from ci_magics.emulation.invented.attributes import ALL_ATTRIBUTES
from ci_magics.emulation.invented.drawing import Rows
from ci_magics.emulation.odata.filters import Both, Comparison, Condition, FilterError, Membership, Not, OneOf
from ci_magics.emulation.odata.filters import names as names_in
from ci_magics.emulation.state import World

ACCOUNTS = 12
_TYPES: dict[str, tuple[type, ...]] = {
    "Edm.String": (str,),
    "Edm.DateTimeOffset": (str,),
    "Edm.Int64": (int, float),
    "Edm.Double": (int, float),
    "Edm.Boolean": (bool,),
}
_KEPT_BYTES = 500_000_000
_COMPARED: dict[str, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    "eq": lambda left, right: left.eq_missing(right),
    "ne": lambda left, right: left.ne_missing(right),
    "gt": lambda left, right: left > right,
    "ge": lambda left, right: left >= right,
    "lt": lambda left, right: left < right,
    "le": lambda left, right: left <= right,
    "contains": lambda left, right: left.str.to_lowercase().str.contains(right.str.to_lowercase(), literal=True),
    "startswith": lambda left, right: left.str.starts_with(right),
    "endswith": lambda left, right: left.str.ends_with(right),
}


def members(world: World, name: str) -> Rows:
    """Return the rows of a segment from its last evaluation, in order; empty if it is unknown or inactive.

    Parameters
    ----------
    world
        The emulator's state.
    name
        The segment's name.
    """
    return kept(world, ("members", name), lambda: _members(world, name))


def matching(world: World, condition: Condition | None, order: tuple[str, bool] | None = None) -> Rows:
    """Return the customers that match a condition, in row order or sorted by an attribute.

    Parameters
    ----------
    world
        The emulator's state.
    condition
        The condition; None for all customers.
    order
        An attribute, and whether to sort descending.
    """
    if condition is None and order is None:
        size = world.settings.customers
        return kept(world, ("all",), lambda: population.span(0, size))
    # Keyed by repr, because 1, 1.0 and True are equal but have different meanings here.
    return kept(world, (repr(condition), order), lambda: _ordered(_matching(world, condition), order))


def populated(world: World) -> tuple[str, ...]:
    """Return the names of the segments that are evaluated and active."""
    found = world.insights.segments.values()
    return tuple(each.name for each in found if each.state != "inactive" and each.evaluated is not None)


def united(world: World, names: tuple[str, ...]) -> Rows:
    """Return the rows in any of some segments, without duplicates.

    Parameters
    ----------
    world
        The emulator's state.
    names
        The segments.
    """
    if len(names) == 1:
        return members(world, names[0])
    nobody = population.span(0, 0)
    return kept(
        world, ("united", names), lambda: np.unique(np.concatenate([nobody, *(members(world, each) for each in names)]))
    )


def belongs(rows: Rows, of: Rows) -> npt.NDArray[np.bool_]:
    """Return for each row whether it is among others.

    Parameters
    ----------
    rows
        The row numbers.
    of
        The others, sorted.
    """
    if not len(of):
        return np.zeros(len(rows), dtype=np.bool_)
    places = np.searchsorted(of, rows).clip(max=len(of) - 1)
    found: npt.NDArray[np.bool_] = of[places] == rows
    return found


def kept(world: World, key: Any, make: Callable[[], Rows]) -> Rows:
    """Return a cached selection, or compute and cache it; old entries are evicted.

    Parameters
    ----------
    world
        The emulator's state.
    key
        The cache key.
    make
        Computes the selection.
    """
    known = world.insights.selections
    key = (world.settings.customers, key)
    if key not in known:
        made = make()
        while known and made.nbytes + sum(each.nbytes for each in known.values()) > _KEPT_BYTES:
            del known[next(iter(known))]
        known[key] = made
    else:
        known[key] = known.pop(key)
    found: Rows = known[key]
    return found


def _members(world: World, name: str) -> Rows:
    segment = world.insights.segments.get(name)
    nobody = population.span(0, 0)
    if segment is None or segment.state == "inactive" or segment.evaluated is None:
        return nobody
    size = world.settings.customers
    if segment.membership_type != "Customer":
        return population.span(size, size + ACCOUNTS)
    try:
        expression, attributes = rowsets.expression(segment.evaluated, world.clock.now())
    except rowsets.RuleError:
        return nobody
    if not attributes:
        return population.span(0, size)
    return _where(size, expression, attributes)


def _where(size: int, expression: pl.Expr, attributes: set[str]) -> Rows:
    try:
        found = [
            rows[population.profiles(rows, sorted(attributes)).select(expression).to_series().to_numpy()]
            for rows in population.chunks(size)
        ]
    except pl.exceptions.PolarsError:
        raise FilterError("a value does not fit its attribute") from None
    return np.concatenate([population.span(0, 0), *found])


def _matching(world: World, condition: Condition | None) -> Rows:
    size = world.settings.customers
    match condition:
        case None:
            return population.span(0, size)
        case Membership():
            found = members(world, condition.segment)
            return found[found < size]
        case Both(operator="and"):
            left = _matching(world, condition.left)
            return left[belongs(left, _matching(world, condition.right))]
        case Both():
            return np.union1d(_matching(world, condition.left), _matching(world, condition.right))
        case Not():
            return np.setdiff1d(population.span(0, size), _matching(world, condition.condition))
        case OneOf(name="CustomerId") | Comparison(operator="eq", name="CustomerId"):
            values = condition.values if isinstance(condition, OneOf) else (condition.value,)
            rows = {population.row_of(str(value), size) for value in values} - {None}
            return np.array(sorted(row for row in rows if row is not None), dtype=np.uint64)
    return _where(size, _expression(condition), names_in(condition))


def _expression(condition: OneOf | Comparison) -> pl.Expr:
    column = pl.col(condition.name)
    values = condition.values if isinstance(condition, OneOf) else (condition.value,)
    if not all(value is None or type(value) in _TYPES[ALL_ATTRIBUTES[condition.name].data_type] for value in values):
        raise FilterError(f"a value does not fit {condition.name}")
    if isinstance(condition, OneOf):
        return column.is_in(list(condition.values), nulls_equal=True)
    return _COMPARED[condition.operator](column, pl.lit(condition.value)).fill_null(value=False)


def _ordered(rows: Rows, order: tuple[str, bool] | None) -> Rows:
    if order is None:
        return rows
    name, descending = order
    values = [population.profiles(rows[start : start + 100_000], [name]) for start in range(0, len(rows), 100_000)]
    if not values:
        return rows
    places = pl.concat(values).to_series().arg_sort(descending=descending, nulls_last=descending)
    found: Rows = rows[places.to_numpy()]
    return found


def problem(query: dict[str, Any], now: float) -> str | None:
    """Return why a segment's definition cannot be evaluated; None if it can.

    Parameters
    ----------
    query
        The segment's definition.
    now
        The current time, in seconds since the epoch.
    """
    try:
        rowsets.expression(query, now)
    except rowsets.RuleError as error:
        return f"{error} is not understood."
    return None
