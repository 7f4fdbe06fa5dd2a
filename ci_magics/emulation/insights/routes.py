"""The routes of Customer Insights.

Customer Insights is under ``/v1``, its API gateway, and under ``/api``, its older address. The documentation says
``manage/workflows``, the public client ``workflows``: both are accepted.
"""

from __future__ import annotations

from ci_magics.emulation.insights import catalog, instances, schedules, segment_changes, workflows
from ci_magics.emulation.route import Handler, Route, late, route


def _of(module: str, function: str) -> Handler:
    return late(f"insights.{module}", function)


_ROOT = "/(?:v1|api)/instances"
_ONE = f"{_ROOT}/{{instance}}"
_SEGMENTS = f"{_ONE}/manage/segments"
_SEGMENT = f"{_SEGMENTS}/{{segment}}"
_ENTITIES = f"{_ONE}/manage/entities"
_PROFILE = f"{_ONE}/dataprofile/{{entity}}"
_WORKFLOW = f"{_ONE}/(?:manage/)?workflows/{{workflow}}"
_JOBS = f"{_WORKFLOW}/jobs"
_SCHEDULES = f"{_WORKFLOW}/schedules"
_MANAGE = f"{_ONE}/manage"
_RBAC = f"{_ONE}/rbac"

ROUTES: tuple[Route, ...] = (
    route("GetAllInstances", "GET", _ROOT, instances.get_all_instances),
    route("GetInstance", "GET", _ONE, instances.get_instance),
    route("GetAllSegments", "GET", _SEGMENTS, instances.get_all_segments),
    route("CreateSegment", "POST", _SEGMENTS, segment_changes.create_segment),
    route("UpdateSegment", "PUT", _SEGMENT, segment_changes.update_segment),
    route("DeleteSegment", "DELETE", _SEGMENT, segment_changes.delete_segment),
    route("ActivateSegment", "PUT", f"{_SEGMENT}/activate", segment_changes.activate_segment),
    route("DeactivateSegment", "PUT", f"{_SEGMENT}/deactivate", segment_changes.deactivate_segment),
    route("GetData", "GET", f"{_ONE}/data/{{path*}}", _of("data_pages", "get_data")),
    route("CreateRow", "POST", f"{_ONE}/data/{{entity}}", _of("activities", "create_row")),
    route("UpdateRow", "PATCH", f"{_ONE}/data/{{entity}}/{{row}}", _of("activities", "update_row")),
    route(
        "GetPartition",
        "GET",
        "/storage/{instance}/{entity}/part-{number}.csv",
        _of("partitions", "get_partition"),
    ),
    route("GetAllEntities", "GET", _ENTITIES, _of("entity_metadata", "get_all_entities")),
    route("GetEntity", "GET", f"{_ENTITIES}/{{entity}}", _of("entity_metadata", "get_entity")),
    route(
        "GetEntitySize",
        "GET",
        f"{_ENTITIES}/{{entity}}/entitysize",
        _of("entity_metadata", "get_entity_size"),
    ),
    route("GetEntityProfile", "GET", _PROFILE, _of("data_profile", "get_entity_profile")),
    route(
        "GetAttributeProfile",
        "GET",
        f"{_PROFILE}/{{attribute}}",
        _of("data_profile", "get_attribute_profile"),
    ),
    route("GetKeyRing", "GET", f"{_ONE}/profile/keyring", _of("data_profile", "get_key_ring")),
    route(
        "GetActivityTypes",
        "GET",
        f"{_ONE}/profile/activityresponsemetadata",
        _of("data_profile", "get_activity_types"),
    ),
    route("SubmitJob", "POST", _JOBS, workflows.submit_job),
    route("GetJobs", "GET", _JOBS, workflows.get_jobs),
    route("GetJob", "GET", f"{_JOBS}/{{job}}", workflows.get_job),
    route("CancelJob", "POST", f"{_JOBS}/{{job}}/cancel", workflows.cancel_job),
    route("GetWorkflowHistory", "GET", f"{_WORKFLOW}/history", workflows.get_history),
    route("GetWorkflowStatus", "GET", f"{_WORKFLOW}/status", workflows.get_status),
    route("GetSchedules", "GET", _SCHEDULES, schedules.get_schedules),
    route("CreateSchedule", "POST", _SCHEDULES, schedules.create_schedule),
    route("CreateSchedules", "POST", f"{_SCHEDULES}/batch", schedules.create_schedules),
    route("GetTimezones", "GET", f"{_SCHEDULES}/supportedTimezones", schedules.get_timezones),
    route("GetMeasures", "GET", f"{_MANAGE}/measures", catalog.get_measures),
    route("GetMeasure", "GET", f"{_MANAGE}/measures/{{measure}}", catalog.get_measure),
    route("GetRelationships", "GET", f"{_MANAGE}/relationships", catalog.get_relationships),
    route("GetRelationship", "GET", f"{_MANAGE}/relationships/{{relationship}}", catalog.get_relationship),
    route("GetSystemRelationships", "GET", f"{_MANAGE}/systemrelationships", catalog.get_nothing),
    route("GetSearchConfiguration", "GET", f"{_MANAGE}/search", catalog.get_search),
    route("GetDataSources", "GET", f"{_MANAGE}/datasources(?:/v2)?", catalog.get_data_sources),
    route("GetDataSource", "GET", f"{_MANAGE}/datasources/{{source}}", catalog.get_data_source),
    route("GetHierarchies", "GET", f"{_ONE}/hierarchies", catalog.get_nothing),
    route("GetProfileStore", "GET", f"{_ONE}/profilestore/stateinfo", catalog.get_profile_store),
    route("GetRoles", "GET", f"{_RBAC}/roles", catalog.get_roles),
    route("GetMyRole", "GET", f"{_RBAC}/myrole", catalog.get_my_role),
    route("GetAssignments", "GET", f"{_RBAC}/assignments", catalog.get_assignments),
)
