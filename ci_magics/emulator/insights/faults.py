"""What can go wrong with Customer Insights and Dataverse on demand, in their own words."""

from __future__ import annotations

from itertools import islice

from ci_magics.emulator.insights.replies import (
    api_error,
    dataverse_error,
    gateway_error,
    not_signed_in,
    not_signed_in_to_dataverse,
    odata_error,
)
from ci_magics.emulator.replies import Refusal, Reply

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
#: Each fault by name, and the operations that it can befall.
INSIGHTS_FAULTS: dict[str, frozenset[str]] = {
    # The link leads to the page itself; to another host; a page without rows, but with a link.
    **dict.fromkeys(("repeated_page", "foreign_next_link", "empty_page"), _PAGES),
    # Rows without the e-mail attribute; the segment that is asked for is deleted, and gone from then on.
    **dict.fromkeys(("no_email", "segment_deleted"), _PAGES),
    # Half of the body as if it were all of it; half of the body, and then the connection breaks.
    **dict.fromkeys(("truncated_body", "broken_off"), frozenset({*INSIGHTS_OPERATIONS, *_PAGES})),
    "partition_expired": frozenset({"GetPartition", "*"}),
    "job_failed": frozenset({"SubmitJob", "*"}),
}
_WORDS = {403: "Not allowed.", 429: "Too many calls.", 500: "Failed.", 503: "Busy."}
#: Dataverse has a code for each of its budgets; this one is of the number of requests.
_TOO_MANY = "0x80072322"


def is_insights(operation: str) -> bool:
    """Tell whether an operation is of Customer Insights or Dataverse."""
    return operation in INSIGHTS_OPERATIONS or operation in DATAVERSE_OPERATIONS


def service_fault(operation: str, status: int) -> Refusal:
    """Build a refusal in the shape of the service."""
    if status == 401:
        return not_signed_in_to_dataverse() if operation in DATAVERSE_OPERATIONS else not_signed_in()
    words = _WORDS[status]
    if operation in DATAVERSE_OPERATIONS:
        refusal = dataverse_error(status, _TOO_MANY if status == 429 else "0x80040216", words)
        if status == 429:
            refusal.reply.headers["Retry-After"] = "1"  # documented to come always
        return refusal
    if status == 429:
        return gateway_error(status, words)
    return odata_error(status, words) if operation in _DATA else api_error(status, words)


def cut(reply: Reply, *, hang_up: bool) -> Reply:
    """Leave the second half of a body away; say that it was longer where the connection is to break."""
    whole = reply.encoded()
    if isinstance(whole, bytes):
        half = whole[: len(whole) // 2]
    else:
        some = b"".join(islice(whole, 2))  # the header is its own piece
        half = some[: len(some) // 2]
    reply.body = half
    reply.breaks_off = hang_up
    return reply
