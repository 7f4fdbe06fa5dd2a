"""Faults of Customer Insights and Dataverse, in the format of each service."""

from __future__ import annotations

from itertools import islice

from ci_magics.emulation.insights.replies import (
    api_error,
    dataverse_error,
    gateway_error,
    not_signed_in,
    not_signed_in_to_dataverse,
    odata_error,
)
from ci_magics.emulation.replies import Refusal, Reply

INSIGHTS_OPERATIONS = (
    "GetAllInstances",
    "GetInstance",
    "GetAllSegments",
    "CreateSegment",
    "UpdateSegment",
    "DeleteSegment",
    "ActivateSegment",
    "DeactivateSegment",
    "GetData",
    "CreateRow",
    "UpdateRow",
    "GetPartition",
    "GetAllEntities",
    "GetEntity",
    "GetEntitySize",
    "GetEntityProfile",
    "GetAttributeProfile",
    "GetKeyRing",
    "GetActivityTypes",
    "SubmitJob",
    "GetJobs",
    "GetJob",
    "CancelJob",
    "GetWorkflowHistory",
    "GetWorkflowStatus",
    "GetSchedules",
    "CreateSchedule",
    "CreateSchedules",
    "GetTimezones",
    "GetMeasures",
    "GetMeasure",
    "GetRelationships",
    "GetRelationship",
    "GetSystemRelationships",
    "GetSearchConfiguration",
    "GetDataSources",
    "GetDataSource",
    "GetHierarchies",
    "GetProfileStore",
    "GetRoles",
    "GetMyRole",
    "GetAssignments",
)
DATAVERSE_OPERATIONS = (
    "GetServiceDocument",
    "WhoAmI",
    "GetSegmentMemberships",
    "GetCustomerProfiles",
    "GetDataverseRows",
)
_DATA = ("GetData", "CreateRow", "UpdateRow")
_PAGES = frozenset({"GetData", "GetSegmentMemberships", "GetCustomerProfiles", "GetDataverseRows", "*"})
#: Each fault by name, and the operations in which it can occur.
INSIGHTS_FAULTS: dict[str, frozenset[str]] = {
    # A link to the page itself; a link to another host; a page without rows but with a link.
    **dict.fromkeys(("repeated_page", "foreign_next_link", "empty_page"), _PAGES),
    # Rows without the e-mail attribute; the requested segment is deleted permanently.
    **dict.fromkeys(("no_email", "segment_deleted"), _PAGES),
    # Half of the body with a matching length; half of the body, then a broken connection.
    **dict.fromkeys(("truncated_body", "broken_off"), frozenset({*INSIGHTS_OPERATIONS, *_PAGES})),
    "partition_expired": frozenset({"GetPartition", "*"}),
    "job_failed": frozenset({"SubmitJob", "*"}),
}
_WORDS = {403: "Not allowed.", 429: "Too many calls.", 500: "Failed.", 503: "Busy."}
#: Dataverse has a code for each limit; this one is for the number of requests.
_TOO_MANY = "0x80072322"


def is_insights(operation: str) -> bool:
    """Return whether an operation belongs to Customer Insights or Dataverse."""
    return operation in INSIGHTS_OPERATIONS or operation in DATAVERSE_OPERATIONS


def service_fault(operation: str, status: int) -> Refusal:
    """Build a rejection in the format of the operation's service.

    Parameters
    ----------
    operation
        The operation's name.
    status
        The HTTP status.
    """
    if status == 401:
        return not_signed_in_to_dataverse() if operation in DATAVERSE_OPERATIONS else not_signed_in()
    words = _WORDS[status]
    if operation in DATAVERSE_OPERATIONS:
        refusal = dataverse_error(status, _TOO_MANY if status == 429 else "0x80040216", words)
        if status == 429:
            refusal.reply.headers["Retry-After"] = "1"  # documented as always present
        return refusal
    if status == 429:
        return gateway_error(status, words)
    return odata_error(status, words) if operation in _DATA else api_error(status, words)


def cut(reply: Reply, *, hang_up: bool) -> Reply:
    """Drop the second half of a body.

    Parameters
    ----------
    reply
        The answer.
    hang_up
        Whether to announce the full length and break the connection.
    """
    whole = reply.encoded()
    if isinstance(whole, bytes):
        half = whole[: len(whole) // 2]
    else:
        some = b"".join(islice(whole, 2))  # the header is a separate piece
        half = some[: len(some) // 2]
    reply.body = half
    reply.breaks_off = hang_up
    return reply
