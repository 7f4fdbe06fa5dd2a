"""The tables that Customer Insights fills in Dataverse, and the content of their rows.

Column names are ``msdynci_`` plus the attribute in lower case. Every row has its own key, a GUID. There is one
membership for each customer, provider and type, with the names of all segments in one text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl

from ci_magics.emulation.invented import selection
from ci_magics.emulation.invented.attributes import ALL_ATTRIBUTES, ALTERNATE_KEY, ATTRIBUTES, customer_ids
from ci_magics.emulation.invented.drawing import Rows, drawn, hexadecimal
from ci_magics.emulation.invented.entities import FIXED
from ci_magics.emulation.odata.filters import Both, Comparison, Condition, FilterError, Membership, Not, OneOf
from ci_magics.emulation.state import EMAIL_NAMES, World

PREFIX = "msdynci_"
_PROFILE_KEY = "msdynci_customerprofileid"
Column = Callable[[World, Rows], pl.Series]


@dataclass(frozen=True)
class EntitySet:
    """A table of Dataverse.

    Parameters
    ----------
    key
        The column with the row's own GUID.
    rows
        Returns the rows that match a condition, in order.
    """

    name: str
    key: str
    columns: dict[str, Column]
    rows: Callable[[World, Condition | None, tuple[str, bool] | None], Rows]

    def names(self, world: World) -> list[str]:
        """Return the columns of a row; a setting determines the name of the e-mail column."""
        hidden = _EMAILS - {logical(each) for each in world.settings.email_attributes}
        return [name for name in self.columns if self.key != _PROFILE_KEY or name not in hidden]

    def frame(self, world: World, rows: Rows, names: Iterable[str]) -> pl.DataFrame:
        """Return some columns of some rows, after the row version (ETag).

        Parameters
        ----------
        world
            The emulator's state.
        rows
            The row numbers.
        names
            The columns.
        """
        etags = 'W/"' + pl.Series((drawn(rows, 40) % np.uint64(90_000_000)).astype(np.int64)).cast(pl.String) + '"'
        wanted = list(dict.fromkeys([*names, self.key]))
        return pl.DataFrame({"@odata.etag": etags, **{name: self.columns[name](world, rows) for name in wanted}})


def _guids(what: int) -> Column:
    def make(_world: World, rows: Rows) -> pl.Series:
        digits = hexadecimal(drawn(rows, what), drawn(rows, what + 1)).str
        parts = [digits.slice(start, length) for start, length in ((0, 8), (8, 4), (12, 4), (16, 4), (20, 12))]
        return pl.select(pl.concat_str(parts, separator="-")).to_series()

    return make


def _constant(text: str) -> Column:
    return lambda _world, rows: pl.Series([text]).new_from_index(0, len(rows))


def _as_in(invent: Callable[[Rows], pl.Series]) -> Column:
    return lambda _world, rows: invent(rows)


def logical(attribute: str) -> str:
    """Return the column of an attribute."""
    return PREFIX + attribute.lower()


_ATTRIBUTES = {logical(name): name for name in ALL_ATTRIBUTES}
_EMAILS = {logical(name) for name in EMAIL_NAMES}


def _profiles(world: World, condition: Condition | None, order: tuple[str, bool] | None) -> Rows:
    rows = selection.matching(world, _renamed(condition), order and (_ATTRIBUTES[order[0]], order[1]))
    lag = world.settings.profiles_lag
    return rows[rows < max(world.settings.customers - lag, 0)] if lag else rows


def _renamed(condition: Condition | None) -> Condition | None:
    """Convert a condition on columns to one on attributes."""
    match condition:
        case Comparison():
            return Comparison(condition.operator, _ATTRIBUTES[condition.name], condition.value)
        case OneOf():
            return OneOf(_ATTRIBUTES[condition.name], condition.values)
        case Not():
            inner = _renamed(condition.condition)
            return Not(inner) if inner else None
        case Both():
            left, right = _renamed(condition.left), _renamed(condition.right)
            return Both(condition.operator, left, right) if left and right else None
        case Membership():
            raise FilterError("IsMemberOfSegment is not known")
    return None


def _memberships(world: World, condition: Condition | None, order: tuple[str, bool] | None) -> Rows:
    if order is not None and order != (logical("CustomerId"), False):
        raise FilterError("memberships cannot be ordered by that")
    if order is None:
        return _members(world, condition)
    return selection.kept(world, ("memberships", repr(condition)), lambda: _by_id(_members(world, condition)))


def _by_id(rows: Rows) -> Rows:
    found: Rows = rows[customer_ids(rows).arg_sort().to_numpy()]
    return found


def _members(world: World, condition: Condition | None) -> Rows:
    everyone = selection.united(world, selection.populated(world))
    match condition:
        case None:
            return everyone
        case Comparison(operator="contains", name="msdynci_segments", value=str() as text):
            return _named(world, text.replace("\\", ""))
        case Comparison(operator="eq", name="msdynci_segmentmembershiptype", value=str() as kind):
            of_customers = everyone < world.settings.customers
            of_kind = {"Customer": everyone[of_customers], "Account": everyone[~of_customers]}
            return of_kind.get(kind, everyone[:0])
        case Comparison(operator="eq", name="msdynci_customerid") | OneOf(name="msdynci_customerid"):
            found = selection.matching(world, _renamed(condition))
            return found[selection.belongs(found, everyone)]
        case Both():
            left, right = _members(world, condition.left), _members(world, condition.right)
            both = condition.operator == "and"
            return left[selection.belongs(left, right)] if both else np.union1d(left, right)
        case Not():
            return np.setdiff1d(everyone, _members(world, condition.condition))
    raise FilterError("memberships cannot be asked for that")


def _named(world: World, text: str) -> Rows:
    """Return the members of the segments whose quoted names contain a text, like the text of segment names."""
    found = selection.populated(world)
    return selection.united(world, tuple(name for name in found if text in f'"{name}"'))


def _segment_names(world: World, rows: Rows) -> pl.Series:
    """Return the segment names of each row, as the text of a JSON array."""
    parts = [
        pl.when(pl.Series(selection.belongs(rows, selection.members(world, name)))).then(pl.lit(f'"{name}"'))
        for name in selection.populated(world)
    ]
    if not parts:
        return pl.Series(["[]"]).new_from_index(0, len(rows))
    inner = pl.concat_str(parts, separator=",", ignore_nulls=True)
    return pl.select(pl.concat_str(pl.lit("["), inner, pl.lit("]"))).to_series()


def _membership_types(world: World, rows: Rows) -> pl.Series:
    return pl.Series(["Account", "Customer"]).gather((rows < world.settings.customers).astype(np.int64))


def _identifiers(world: World, rows: Rows) -> pl.Series:
    kinds = _membership_types(world, rows)
    return customer_ids(rows) + "|CustomerInsights|" + kinds + "|SegmentMembership"


def _own(name: str, key: str, entity: str) -> EntitySet:
    """Return a table that repeats an entity of Customer Insights."""
    known = FIXED[entity]
    columns = {key: _guids(46)} | {logical(each.name): _as_in(each.invent) for each in known.attributes}

    def rows(world: World, condition: Condition | None, order: tuple[str, bool] | None) -> Rows:
        if condition is not None or order is not None:
            raise FilterError(f"{name} is not filtered or ordered here")
        return known.rows(world)

    return EntitySet(name, key, columns, rows)


def _empty(name: str, key: str) -> EntitySet:
    return EntitySet(name, key, {key: _guids(48)}, lambda _world, _condition, _order: np.zeros(0, dtype=np.uint64))


SETS: dict[str, EntitySet] = {
    each.name: each
    for each in (
        EntitySet(
            "msdynci_customerprofiles",
            _PROFILE_KEY,
            {_PROFILE_KEY: _guids(42)}
            | {column: _as_in(ALL_ATTRIBUTES[name].invent) for column, name in _ATTRIBUTES.items()},
            _profiles,
        ),
        EntitySet(
            "msdynci_segmentmemberships",
            "msdynci_segmentmembershipid",
            {
                "msdynci_segmentmembershipid": _guids(44),
                "msdynci_customerid": _as_in(customer_ids),
                "msdynci_segmentprovider": _constant("CustomerInsights"),
                "msdynci_segmentmembershiptype": _membership_types,
                "msdynci_segments": _segment_names,
                "msdynci_identifier": _identifiers,
            },
            _memberships,
        ),
        EntitySet(
            "msdynci_alternatekeys",
            "msdynci_alternatekeyid",
            {
                "msdynci_alternatekeyid": _guids(50),
                "msdynci_customerid": _as_in(customer_ids),
                "msdynci_datasourcetable": _constant("eCommerce_eCommerceContacts"),
                "msdynci_alternatevalue": _as_in(ATTRIBUTES[ALTERNATE_KEY].invent),
            },
            lambda world, _condition, _order: selection.matching(world, None),
        ),
        _own("msdynci_unifiedactivities", "msdynci_unifiedactivityid", "UnifiedActivity"),
        _own("msdynci_customermeasures", "msdynci_customermeasureid", "Customer_Measure"),
        _empty("msdynci_enrichments", "msdynci_enrichmentid"),
        _empty("msdynci_predictions", "msdynci_predictionid"),
    )
}
