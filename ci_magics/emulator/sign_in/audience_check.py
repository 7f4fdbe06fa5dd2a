"""Which service a token is for: its audience, as Microsoft Entra takes it from the scope."""

from __future__ import annotations

import re

from ci_magics.emulator.state import ADVERTISING, DATAVERSE, INSIGHTS, SANDBOX_ADVERTISING

_RIGHTS = (".default", "user_impersonation")
#: The service's address, or the id of its application.
_INSIGHTS = re.compile(r"https://api\.ci\.ai\.microsoft\.com|(api://)?38c77d00-5fcb-4cce-9d93-af4738258e3c")
#: The organization's address; here it is also the emulator's own.
_DATAVERSE = re.compile(r"https://contoso\.(api\.)?crm\d{0,2}\.dynamics\.com|http://(127\.0\.0\.1|localhost)(:\d+)?")


def service_of(scope: str) -> str | None:
    """Return the service that one scope opens, or None where there is no such service."""
    if scope in (ADVERTISING, SANDBOX_ADVERTISING):
        return scope
    resource, _, right = scope.rpartition("/")
    resource = resource.removesuffix("/")  # the address of an organization often ends so
    if right not in _RIGHTS:
        return None
    if _INSIGHTS.fullmatch(resource):
        return INSIGHTS
    return DATAVERSE if _DATAVERSE.fullmatch(resource) else None


def opens(scope: str, service: str) -> bool:
    """Tell whether a token's scopes open a service."""
    return service in {service_of(each) for each in scope.split()}
