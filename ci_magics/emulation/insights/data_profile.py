"""Statistics about entities and attributes, and the keys of a customer."""

from __future__ import annotations

from typing import Any

import polars as pl

from ci_magics.emulation.call import Call
from ci_magics.emulation.insights.reading import at_home, begin, flag
from ci_magics.emulation.insights.replies import api_error, moment
from ci_magics.emulation.invented import entities, population
from ci_magics.emulation.invented.attributes import ALTERNATE_KEY, customer_ids
from ci_magics.emulation.invented.entities import Entity
from ci_magics.emulation.replies import Reply
from ci_magics.emulation.state import World

_LOOKED_AT = 100_000
_CONTACT = "CNTID_"
_FIRST_CONTACT = 1_001


def get_entity_profile(world: World, call: Call) -> Reply:
    """Return the row count of an entity and, on request, statistics of its attributes."""
    begin(world, call, "includeAttributeData")
    entity = _entity(world, call)
    names = entity.names() if flag(call, "includeAttributeData") else []
    body = {
        "qualifiedEntityName": entity.name,
        "rowCount": entity.count(world),
        "quarantineRowCount": 0,
        "profilingDate": moment(world.insights.began),
        "profiledAttributes": ",".join(entity.names()),
        "corruptAttributes": None,
        "attributeDataProfiles": [_figures(world, entity, name) for name in names],
    }
    return Reply(body)


def get_attribute_profile(world: World, call: Call) -> Reply:
    """Return statistics of an attribute, based on the first 100,000 rows."""
    begin(world, call)
    entity = _entity(world, call)
    if call.arguments["attribute"] not in entity.names():
        raise api_error(404, f"There is no attribute {call.arguments['attribute']}.")
    return Reply(_figures(world, entity, call.arguments["attribute"]))


def get_key_ring(world: World, call: Call) -> Reply:
    """Return the keys of a contact of the data source."""
    begin(world, call, "dataSourceName", "entityName", "key")
    asked = (call.query.get("dataSourceName"), call.query.get("entityName"))
    number = call.query.get("key", "").removeprefix(_CONTACT)
    row = int(number) - _FIRST_CONTACT if number.isdecimal() and len(number) < 12 else -1
    if asked != ("eCommerce", "eCommerceContacts") or not 0 <= row < world.settings.customers:
        raise api_error(404, "There is no such key.")
    return Reply(_key_ring(world, row))


def get_activity_types(world: World, call: Call) -> Reply:
    """Return the types of a customer's activities, with counts."""
    begin(world, call, "customerId")
    row = population.row_of(call.query.get("customerId", ""), world.settings.customers)
    activity = entities.find_entity(world, "UnifiedActivity")
    if row is None or activity is None:
        raise api_error(404, "There is no such customer.")
    kinds = activity.frame(entities.activities_of(row), ["ActivityType"])["ActivityType"]
    counts = {str(name): int(kinds.to_list().count(name)) for name in kinds.unique().sort()}
    return Reply(_key_ring(world, row) | {"keyRing": counts})


def _key_ring(world: World, row: int) -> dict[str, Any]:
    identity = customer_ids(population.span(row, row + 1))[0]
    keys = {ALTERNATE_KEY: f"{_CONTACT}{row + _FIRST_CONTACT}"}
    return {"instanceId": world.insights.home, "customerId": identity, "keyRing": keys}


def _entity(world: World, call: Call) -> Entity:
    entity = entities.find_entity(world, call.arguments["entity"]) if at_home(world, call) else None
    if entity is None:
        raise api_error(404, f"There is no entity {call.arguments['entity']}.")
    return entity


def _figures(world: World, entity: Entity, name: str) -> dict[str, Any]:
    rows = entity.rows(world)
    column = entity.frame(rows[:_LOOKED_AT], [name])[name]
    frequent = column.drop_nulls().value_counts(sort=True).head(10)
    low, high = (None, None) if column.dtype == pl.Boolean else (column.min(), column.max())
    return {
        "valueCounts": [{"value": str(value), "count": count} for value, count in frequent.iter_rows()],
        "histogram": [],
        "qualifiedEntityName": entity.name,
        "attributeName": name,
        "min": low,
        "max": high,
        "count": len(column),
        "missingCount": column.null_count(),
        "errorCount": 0,
        "uniqueValueCount": column.n_unique(),
        "profilingDate": moment(world.insights.began),
        "isSuggestedPrimaryKey": name == "CustomerId" and entity.name == "Customer",
        "checkIfExactStats": len(rows) <= _LOOKED_AT,
    }
