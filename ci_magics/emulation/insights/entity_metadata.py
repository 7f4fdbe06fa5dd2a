"""The entities, the meaning of their attributes, and their sizes."""

from __future__ import annotations

from typing import Any

from ci_magics.emulation.call import Call
from ci_magics.emulation.insights import jobs
from ci_magics.emulation.insights.reading import at_home, begin, flag, shown
from ci_magics.emulation.insights.replies import api_error, moment, spelled
from ci_magics.emulation.insights_state import LAST_REFRESH
from ci_magics.emulation.invented.entities import Entity, all_entities, find_entity
from ci_magics.emulation.replies import Reply
from ci_magics.emulation.state import EMAIL_NAMES, World

_BYTES_A_FIELD = 14


def get_all_entities(world: World, call: Call) -> Reply:
    """List the entities."""
    begin(world, call, "attributesAnnotations", "includeQuarantined", "includeSelfConflatedEntity")
    for name in ("attributesAnnotations", "includeQuarantined", "includeSelfConflatedEntity"):
        flag(call, name)
    jobs.settle(world)
    entities = all_entities(world) if at_home(world, call) else []
    body = {
        "instanceId": call.arguments["instance"],
        "dataflowId": None,
        "datasourceId": None,
        "dataflowType": None,
        "entities": [_entity(world, each) for each in entities],
    }
    return Reply(shown(world, body))


def get_entity(world: World, call: Call) -> Reply:
    """Describe one entity."""
    begin(world, call, "attributesAnnotations")
    return Reply(shown(world, _entity(world, _named(world, call))))


def get_entity_size(world: World, call: Call) -> Reply:
    """Return the row count and the estimated size of an entity."""
    begin(world, call)
    entity = _named(world, call)
    count = entity.count(world)
    return Reply(
        {
            "qualifiedEntityName": entity.name,
            "size": count * len(entity.attributes) * _BYTES_A_FIELD,
            "rowCount": count,
        }
    )


def _named(world: World, call: Call) -> Entity:
    jobs.settle(world)
    entity = find_entity(world, call.arguments["entity"]) if at_home(world, call) else None
    if entity is None:
        raise api_error(404, f"There is no entity {call.arguments['entity']}.")
    return entity


def _entity(world: World, entity: Entity) -> dict[str, Any]:
    attributes = [_attribute(world, entity, each.name) for each in entity.attributes]
    return {
        "name": entity.name,
        "qualifiedEntityName": entity.name,
        "dataSourceName": entity.source or "CustomerInsights",
        "dataflowType": None,
        "datasourceId": None,
        # Observed live in PascalCase, although the Swagger file says camelCase.
        "entityType": entity.kind if world.settings.enum_case == "camel" else spelled(entity.kind, "pascal"),
        "attributes": attributes,
        "keys": [attributes[:1]],
        "relationships": [],
        "timestampAttribute": None,
        "incrementalAttribute": None,
        "semanticType": entity.semantic_type,
        "refreshTime": moment(_refreshed(world, entity)),
        "partitions": [
            {"name": f"part-{number:05d}", "isCIGenerated": True, "hasHeader": entity.has_header}
            for number in range(world.settings.partitions)
        ],
        "annotations": [],
    }


def _attribute(world: World, entity: Entity, name: str) -> dict[str, Any]:
    attribute = next(each for each in entity.attributes if each.name == name)
    semantic = attribute.semantic_type
    if name in EMAIL_NAMES and semantic is not None:
        semantic = world.settings.email_semantic_type or None
    return {
        "name": name,
        "friendlyName": name,
        "baseName": name,
        "dataType": attribute.data_type,
        "semanticType": semantic,
        "searchProperties": {"isSearchable": attribute.data_type == "Edm.String", "isFilterable": True},
    }


def _refreshed(world: World, entity: Entity) -> float | None:
    segment = world.insights.segments.get(entity.name)
    if segment is not None:
        return segment.history[-1].at if segment.history else None
    return world.insights.began - LAST_REFRESH
