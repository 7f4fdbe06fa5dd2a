"""What each of Microsoft's services expects of a request, and how long it is waited for."""

from __future__ import annotations

from ci_magics.microsoft.endpoints import Endpoints
from ci_magics.microsoft.faults import ADVERTISING_NAME, advertising_refusal, source_refusal
from ci_magics.microsoft.http import Service
from ci_magics.microsoft.insights_endpoints import SourceEndpoints
from ci_magics.microsoft.retries import Patience

_SUBSCRIPTION_KEY = "Ocp-Apim-Subscription-Key"
#: How many seconds one request waits while the service is busy: ten windows of Customer Insights (100 calls a
#: minute), three of Dataverse (6,000 requests in five minutes).
_INSIGHTS_SECONDS, _DATAVERSE_SECONDS = 600.0, 900.0


def advertising_service(endpoints: Endpoints, *, customer_id: str, account_id: str, developer_token: str) -> Service:
    """Describe Microsoft Advertising (guide "Request header elements").

    The ids are left out while they are unknown: finding the user's accounts comes first.

    Parameters
    ----------
    endpoints
        The URLs of the environment.
    customer_id, account_id
        The ids to act for; empty before they are known.
    developer_token
        The token that Microsoft issues for API access.
    """
    ids = {"CustomerAccountId": account_id, "CustomerId": customer_id}
    known = {name: value for name, value in ids.items() if value}
    return Service(ADVERTISING_NAME, endpoints, advertising_refusal, {"DeveloperToken": developer_token, **known})


def insights_service(endpoints: SourceEndpoints, subscription_key: str | None) -> Service:
    """Describe the Customer Insights API.

    Parameters
    ----------
    endpoints
        The URLs of Customer Insights.
    subscription_key
        The key that API Management requires besides the sign-in; None for an address that needs none.
    """
    headers = {_SUBSCRIPTION_KEY: subscription_key} if subscription_key else {}
    return _source(endpoints, headers, _INSIGHTS_SECONDS)


def dataverse_service(endpoints: SourceEndpoints) -> Service:
    """Describe the Web API of a Dataverse organization.

    Parameters
    ----------
    endpoints
        The URLs of the organization.
    """
    return _source(endpoints, {}, _DATAVERSE_SECONDS)


def _source(endpoints: SourceEndpoints, headers: dict[str, str], seconds: float) -> Service:
    return Service(
        endpoints.service,
        endpoints.sign_in,
        source_refusal,
        headers,
        Patience(seconds=seconds),
        reads_only=True,
        require_own=endpoints.require_own,
    )
