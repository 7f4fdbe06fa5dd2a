"""The routes of Dataverse."""

from __future__ import annotations

from ci_magics.emulation.route import Route, late, route

_ROOT = "/api/data/(?P<version>v9[.][0-2])"
_MEMBERSHIPS, _PROFILES = "msdynci_segmentmemberships", "msdynci_customerprofiles"
_GET_ROWS = late("dataverse.tables", "get_rows")

ROUTES: tuple[Route, ...] = (
    route("GetServiceDocument", "GET", f"{_ROOT}/?", late("dataverse.tables", "get_service")),
    route("WhoAmI", "GET", f"{_ROOT}/WhoAmI(?:\\(\\))?", late("dataverse.tables", "who_am_i")),
    route("GetSegmentMemberships", "GET", f"{_ROOT}/(?P<set>{_MEMBERSHIPS})", _GET_ROWS),
    route("GetCustomerProfiles", "GET", f"{_ROOT}/(?P<set>{_PROFILES})", _GET_ROWS),
    route("GetDataverseRows", "GET", f"{_ROOT}/{{set}}", _GET_ROWS),
)
