"""Read-only parts of an instance: measures, relationships, roles, search, data sources."""

from __future__ import annotations

from typing import Any

from ci_magics.emulation.call import Call
from ci_magics.emulation.insights.reading import at_home, begin, shown
from ci_magics.emulation.insights.replies import api_error, moment
from ci_magics.emulation.replies import Reply
from ci_magics.emulation.state import World

_ROLES = {
    "Admin": "May do everything.",
    "Contributor": "May make segments, measures and exports on shared connections.",
    "Viewer": "May look at segments, customers and exports.",
}
_MEASURE = "Customer_Measure"
_RELATIONSHIP = "Customer_UnifiedActivity"
_SOURCE = "eCommerce"


def get_measures(world: World, call: Call) -> Reply:
    """List the measures."""
    begin(world, call, "templateSummaryIncluded")
    return Reply(shown(world, [_measure(world)] if at_home(world, call) else []))


def get_measure(world: World, call: Call) -> Reply:
    """Describe one measure."""
    begin(world, call, "includeHistoricStats", "historicStatsDays")
    return Reply(shown(world, _one(_measure(world), call.arguments["measure"], "measure")))


def get_relationships(world: World, call: Call) -> Reply:
    """List the relationships that a user created."""
    begin(world, call)
    return Reply(shown(world, [_relationship(world)] if at_home(world, call) else []))


def get_relationship(world: World, call: Call) -> Reply:
    """Describe one relationship."""
    begin(world, call)
    return Reply(shown(world, _one(_relationship(world), call.arguments["relationship"], "relationship")))


def get_nothing(world: World, call: Call) -> Reply:
    """Return an empty list: hierarchies and relationships that the system created."""
    begin(world, call)
    return Reply([])


def get_search(world: World, call: Call) -> Reply:
    """Return the searchable attributes."""
    begin(world, call)
    names = ("FullName", "EMail", "Telephone", "City", "PostCode")
    attributes = [{"name": name, "properties": {"isSearchable": True, "isFilterable": True}} for name in names]
    body = {"entityConfig": [{"qualifiedEntityName": "Customer", "attributes": attributes}], "isSystemGenerated": True}
    return Reply(body | _audit(world))


def get_data_sources(world: World, call: Call) -> Reply:
    """List the data sources."""
    begin(world, call)
    return Reply(shown(world, [_data_source(world)] if at_home(world, call) else []))


def get_data_source(world: World, call: Call) -> Reply:
    """Describe one data source."""
    begin(world, call, "includeModel")
    source = _data_source(world)
    if call.arguments["source"] != source["dataSourceMetadata"]["dataSourceId"]:
        raise api_error(404, "There is no such data source.")
    return Reply(shown(world, source))


def get_roles(world: World, call: Call) -> Reply:
    """List the roles."""
    begin(world, call)
    return Reply([{"roleName": name, "description": text} for name, text in _ROLES.items()])


def get_my_role(world: World, call: Call) -> Reply:
    """Return the role of the signed-in user."""
    begin(world, call)
    return Reply(shown(world, _assignment(world)))


def get_assignments(world: World, call: Call) -> Reply:
    """List the role assignments."""
    begin(world, call)
    return Reply(shown(world, [_assignment(world)]))


def get_profile_store(world: World, call: Call) -> Reply:
    """Return when the profiles were ingested."""
    begin(world, call)
    return Reply({"ingestionTime": moment(world.insights.began), "instanceId": world.insights.home})


def _one(found: dict[str, Any], name: str, what: str) -> dict[str, Any]:
    if found["name"] != name:
        raise api_error(404, f"There is no {what} {name}.")
    return found


def _measure(world: World) -> dict[str, Any]:
    state = {"lastSuccessfulRunId": None, "state": "successful", "endTime": moment(world.insights.began), "error": None}
    return {
        "displayName": "Customer measure",
        "name": _MEASURE,
        "description": "Spending and points of each customer",
        "definition": {"kind": "structured", "isScalar": False, "isProfile": True},
        "latestEvaluation": state,
        "evaluationStats": {"lastSuccessful": moment(world.insights.began), "consecutiveFailureCount": 0},
        "isTemplate": False,
        **_audit(world),
    }


def _relationship(world: World) -> dict[str, Any]:
    return {
        "friendlyName": "Customer to activity",
        "name": _RELATIONSHIP,
        "description": None,
        "relationshipType": "manyToOne",
        "fromAttributeName": "CustomerId",
        "fromEntityName": "UnifiedActivity",
        "toAttributeName": "CustomerId",
        "toEntityName": "Customer",
        "cardinality": "manyToOne",
        "source": "user",
        **_audit(world),
    }


def _data_source(world: World) -> dict[str, Any]:
    metadata = {
        "kind": "attachCdm",
        "isActive": True,
        "entityNames": ["eCommerce_eCommerceContacts"],
        "entitiesCount": 1,
        "dataSourceId": f"{_SOURCE}-{world.insights.home}",
        "name": _SOURCE,
        "friendlyName": _SOURCE,
        "provisioningState": "active",
        "lastRefresh": moment(world.insights.began),
        "refreshState": "successful",
        **_audit(world),
    }
    return {"dataSourceMetadata": metadata, "model": None}


def _assignment(world: World) -> dict[str, Any]:
    return {
        "principalId": world.user.object_id,
        "principalType": "user",
        "roles": ["Admin"],
        "instanceId": world.insights.home,
    }


def _audit(world: World) -> dict[str, Any]:
    made = moment(world.insights.created)
    who = {"updatedBy": "analyst", "updatedUtc": made, "createdBy": "analyst", "createdUtc": made}
    return {"version": 1, **who, "instanceId": world.insights.home}
