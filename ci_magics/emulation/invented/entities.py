"""The entities of the emulated instance: their attributes and rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import polars as pl

from ci_magics.emulation.invented import population, selection
from ci_magics.emulation.invented.attributes import ALL_ATTRIBUTES, ALTERNATE_KEY, ATTRIBUTES, Attribute, attributes_of
from ci_magics.emulation.invented.drawing import Rows, chosen, drawn, hexadecimal
from ci_magics.emulation.state import World

ACTIVITIES_EACH = 2
PROFILE = "Customer"
_KINDS = ("OnlinePurchase", "StorePurchase", "WebsiteReview", "LoyaltyEnrollment")
_SOURCE_NAMES = {"ContactId": ALTERNATE_KEY} | {
    name: name
    for name in ("FirstName", "LastName", "FullName", "DateOfBirth", "Gender", "EMail", "Telephone", "PostCode", "City")
}


@dataclass(frozen=True)
class Entity:
    """A table of the instance.

    Parameters
    ----------
    source
        The data source of an ingested table, which cannot be filtered; else None.
    has_header
        Whether its CSV partitions begin with a header row.
    """

    name: str
    kind: str
    attributes: tuple[Attribute, ...]
    count: Callable[[World], int]
    rows: Callable[[World], Rows]
    source: str | None = None
    has_header: bool = False
    semantic_type: str | None = None

    def names(self) -> list[str]:
        """Return the names of the attributes, in order."""
        return [each.name for each in self.attributes]

    def frame(self, rows: Rows, names: Iterable[str]) -> pl.DataFrame:
        """Return some attributes of some rows.

        Parameters
        ----------
        rows
            The row numbers.
        names
            The attributes.
        """
        known = {each.name: each for each in self.attributes}
        return pl.DataFrame({name: known[name].invent(rows) for name in names})


def all_entities(world: World) -> list[Entity]:
    """Return the entities, those of the segments last."""
    return [
        _profile_entity(world),
        *FIXED.values(),
        *(_segment_entity(name, world) for name in world.insights.segments),
    ]


def find_entity(world: World, name: str) -> Entity | None:
    """Return the entity with this name, or None.

    Parameters
    ----------
    world
        The emulator's state.
    name
        The entity's name.
    """
    if name == PROFILE:
        return _profile_entity(world)
    if name in FIXED:
        return FIXED[name]
    return _segment_entity(name, world) if name in world.insights.segments else None


def activities_of(row: int) -> Rows:
    """Return the activities of one customer."""
    return population.span(row * ACTIVITIES_EACH, (row + 1) * ACTIVITIES_EACH)


def _profile_entity(world: World) -> Entity:
    attributes = tuple(attributes_of(world.settings.email_attributes).values())
    return Entity(PROFILE, "profile", attributes, _customer, _all_customers, semantic_type="Person")


def _segment_entity(name: str, world: World) -> Entity:
    query = world.insights.segments[name].query
    projected = [
        attribute
        for projection in query.get("projectedAttributes") or []
        for attribute in projection.get("attributeNames") or []
        if attribute in ALL_ATTRIBUTES and attribute != "CustomerId"
    ]
    attributes = tuple(ALL_ATTRIBUTES[each] for each in ("CustomerId", *projected))

    def members(world: World) -> Rows:
        return selection.members(world, name)

    return Entity(name, "segment", attributes, lambda world: len(members(world)), members, has_header=True)


def _customer(world: World) -> int:
    return world.settings.customers


def _all_customers(world: World) -> Rows:
    return selection.matching(world, None)


def _owner(make: Callable[[Rows], pl.Series]) -> Callable[[Rows], pl.Series]:
    """Give an activity the value of its customer."""
    return lambda rows: make(rows // ACTIVITIES_EACH)


_ACTIVITY = (
    Attribute("ActivityId", "Edm.String", None, lambda rows: hexadecimal(drawn(rows, 31), drawn(rows, 32))),
    Attribute("CustomerId", "Edm.String", None, _owner(ATTRIBUTES["CustomerId"].invent)),
    Attribute("ActivityType", "Edm.String", None, lambda rows: chosen(rows, 33, _KINDS)),
    Attribute("ActivityTime", "Edm.DateTimeOffset", None, _owner(ATTRIBUTES["CreatedOn"].invent)),
    Attribute("Title", "Edm.String", None, lambda rows: chosen(rows, 33, _KINDS) + " (sample)"),
)
_MEASURE = (
    ATTRIBUTES["CustomerId"],
    Attribute("LifetimeSpend", "Edm.Double", None, ATTRIBUTES["TotalSpend"].invent),
    Attribute("Points", "Edm.Int64", None, ATTRIBUTES["RewardPoints"].invent),
)
_SOURCE = tuple(Attribute(name, "Edm.String", None, ATTRIBUTES[own].invent) for name, own in _SOURCE_NAMES.items())
FIXED: dict[str, Entity] = {
    each.name: each
    for each in (
        Entity(
            "UnifiedActivity",
            "unifiedActivity",
            _ACTIVITY,
            lambda world: world.settings.customers * ACTIVITIES_EACH,
            lambda world: population.span(0, world.settings.customers * ACTIVITIES_EACH),
        ),
        Entity("Customer_Measure", "profileKpi", _MEASURE, _customer, _all_customers),
        Entity("eCommerce_eCommerceContacts", "profile", _SOURCE, _customer, _all_customers, source="eCommerce"),
    )
}
