"""The audience of a token: the service that it is for, which Microsoft Entra derives from the scope."""

from __future__ import annotations

import re

from ci_magics.emulation.state import ADVERTISING, DATAVERSE, INSIGHTS, SANDBOX_ADVERTISING

_RIGHTS = (".default", "user_impersonation")
#: The service's address, or its application id.
_INSIGHTS = re.compile(r"https://api\.ci\.ai\.microsoft\.com|(api://)?38c77d00-5fcb-4cce-9d93-af4738258e3c")
#: The organization's address; here, also the emulator's own.
_DATAVERSE = re.compile(r"https://contoso\.(api\.)?crm\d{0,2}\.dynamics\.com|http://(127\.0\.0\.1|localhost)(:\d+)?")


def service_of(scope: str) -> str | None:
    """Return the service of a scope, or None if there is no such service."""
    if scope in (ADVERTISING, SANDBOX_ADVERTISING):
        return scope
    resource, _, right = scope.rpartition("/")
    resource = resource.removesuffix("/")  # addresses of organizations often end with a slash
    if right not in _RIGHTS:
        return None
    if _INSIGHTS.fullmatch(resource):
        return INSIGHTS
    return DATAVERSE if _DATAVERSE.fullmatch(resource) else None


def opens(scope: str, service: str) -> bool:
    """Return whether a token gives access to a service.

    Parameters
    ----------
    scope
        The token's scopes, separated by blanks.
    service
        The service.
    """
    return service in {service_of(each) for each in scope.split()}
