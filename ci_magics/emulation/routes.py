"""The routes of all services and of the control API."""

from __future__ import annotations

from ci_magics.emulation import control
from ci_magics.emulation.advertising import audiences, bulk, customers, user_data
from ci_magics.emulation.dataverse import routes as dataverse_routes
from ci_magics.emulation.insights import routes as insights_routes
from ci_magics.emulation.route import Route
from ci_magics.emulation.route import route as _route
from ci_magics.emulation.sign_in import device, oauth

_CAMPAIGN = "/CampaignManagement/v13"
_CUSTOMER = "/CustomerManagement/v13"
_BULK = "/Bulk/v13"

SERVICES = (
    _route("AddAudiences", "POST", f"{_CAMPAIGN}/Audiences", audiences.add_audiences),
    _route("UpdateAudiences", "PUT", f"{_CAMPAIGN}/Audiences", audiences.update_audiences),
    _route("DeleteAudiences", "DELETE", f"{_CAMPAIGN}/Audiences", audiences.delete_audiences),
    _route("GetAudiencesByIds", "POST", f"{_CAMPAIGN}/Audiences/QueryByIds", audiences.get_audiences),
    _route("ApplyCustomerListUserData", "POST", f"{_CAMPAIGN}/CustomerListUserData/Apply", user_data.apply_user_data),
    _route("ApplyCustomerListItems", "POST", f"{_CAMPAIGN}/CustomerListItems/Apply", user_data.apply_items),
    _route("GetUser", "POST", f"{_CUSTOMER}/User/Query", customers.get_user),
    _route("SearchAccounts", "POST", f"{_CUSTOMER}/Accounts/Search", customers.search_accounts),
    _route("GetBulkUploadUrl", "POST", f"{_BULK}/BulkUploadUrl/Query", bulk.get_upload_url),
    _route("UploadFile", "POST", f"{_BULK}/UploadFile/{{request_id}}", None),
    _route("GetBulkUploadStatus", "POST", f"{_BULK}/BulkUploadStatus/Query", bulk.get_upload_status),
    _route("GetResultFile", "GET", f"{_BULK}/ResultFile/{{request_id}}/{{token}}.zip", bulk.get_result_file),
    _route("Discovery", "GET", "/{tenant}/v2.0/.well-known/openid-configuration", oauth.discovery),
    _route("InstanceDiscovery", "GET", "/{tenant}/discovery/instance", oauth.instance_discovery),
    _route("Authorize", "GET", "/{tenant}/oauth2/v2.0/authorize", oauth.authorize),
    _route("DeviceCode", "POST", "/{tenant}/oauth2/v2.0/devicecode", device.start),
    _route("Token", "POST", "/{tenant}/oauth2/v2.0/token", oauth.token),
    _route("DeviceLogin", "GET", "/devicelogin", device.show_page),
    _route("DeviceLogin", "POST", "/devicelogin", device.take_answer),
    *insights_routes.ROUTES,
    *dataverse_routes.ROUTES,
)
CONTROL = (
    _route("", "GET", "/_emulator/audiences", control.audiences),
    _route("", "GET", "/_emulator/audiences/{id}/members", control.members),
    _route("", "GET", "/_emulator/requests", control.requests),
    _route("", "POST", "/_emulator/clock", control.clock),
    _route("", "POST", "/_emulator/faults", control.faults),
    _route("", "GET", "/_emulator/settings", control.show_settings),
    _route("", "POST", "/_emulator/settings", control.settings),
    _route("", "POST", "/_emulator/people", control.people),
    _route("", "POST", "/_emulator/reset", control.reset),
    _route("", "POST", "/_emulator/stop", control.stop),
    _route("", "POST", "/_emulator/settle", control.settle),
    _route("", "POST", "/_emulator/credentials", control.credentials),
    _route("", "POST", "/_emulator/devicecode", control.approve_device_code),
    _route("", "GET", "/_emulator/schema", control.schema),
)


def find_route(method: str, path: str) -> tuple[Route, dict[str, str]] | int:
    """Return the route of a request and the named parts of its path.

    Parameters
    ----------
    method
        The HTTP method.
    path
        The path.

    Returns
    -------
    tuple or int
        405 if only the method is wrong, 404 for an unknown path.
    """
    known_path = False
    for route in CONTROL if path.startswith("/_emulator/") else SERVICES:
        match = route.path.match(path)
        if match and route.method == method:
            return route, match.groupdict()
        known_path = known_path or match is not None
    return 405 if known_path else 404
