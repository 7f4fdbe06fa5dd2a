"""Open the services of a Customer Insights instance, signed in as the current user.

Customer Insights calls this *Add yourself as export user*. The account is separate from that of Microsoft Advertising.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable
from dataclasses import dataclass

from ci_magics.activation.connections.emulator_process import emulator_locator, emulator_subscription_key, emulator_url
from ci_magics.activation.connections.keyring_secrets import forget_secret, remember, remembered
from ci_magics.activation.connections.sign_in import SignInFor, acquire, can_ask, noted_sign_in
from ci_magics.clock import Clock
from ci_magics.errors import SignInError
from ci_magics.microsoft.customer_insights import CustomerInsights
from ci_magics.microsoft.dataverse import Dataverse
from ci_magics.microsoft.http import Conversation
from ci_magics.microsoft.insights_endpoints import SourceEndpoints, dataverse_endpoints, insights_endpoints
from ci_magics.microsoft.services import dataverse_service, insights_service
from ci_magics.microsoft.signin import MsalTokens
from ci_magics.workspace.insights_record import InsightsRecord
from ci_magics.workspace.store import Workspace

KEY_VARIABLE = "CI_MAGICS_SUBSCRIPTION_KEY"
REFRESH_VARIABLE = "CI_MAGICS_INSIGHTS_REFRESH_TOKEN"


@dataclass(frozen=True)
class InsightsServices:
    """The services that a sign-in to Customer Insights opens.

    Parameters
    ----------
    insights
        Client for the Customer Insights API.
    open_dataverse
        Signs in to the Dataverse organization at a URL with the same account.
    """

    insights: CustomerInsights
    open_dataverse: Callable[[str], Dataverse]


def open_insights_services(
    workspace: Workspace,
    source: InsightsRecord,
    *,
    show: Callable[[str], None],
    clock: Clock | None = None,
    ask: bool = True,
) -> InsightsServices:
    """Sign in to Customer Insights and return its services.

    Parameters
    ----------
    workspace
        Workspace that stores the tokens.
    source
        Instance, and how to sign in.
    show
        Called with each message for the user, such as a sign-in code or a wait.
    clock
        Clock to wait with; None means the system clock.
    ask
        Whether the user may be prompted.

    Raises
    ------
    SignInError
        The user is not signed in and cannot be prompted, or the subscription key is missing.
    """
    is_emulated = source.environment == "emulator"
    emulated = emulator_url(workspace) if is_emulated else None
    locate = emulator_locator(workspace) if is_emulated else None
    key = _key_of_emulator(workspace) if emulated else _subscription_key(source, show, ask=ask)
    endpoints = insights_endpoints(source.environment, emulated, locate, by_gateway=key is not None)
    tokens = _signed_in(workspace, source, endpoints, show, ask=ask)
    conversation = Conversation(insights_service(endpoints, key), tokens, clock=clock, on_wait=show)

    def open_dataverse(organization_url: str) -> Dataverse:
        place = dataverse_endpoints(source.environment, organization_url, emulated, locate)
        visitor = _signed_in(workspace, source, place, show, ask=ask)
        return Dataverse(Conversation(dataverse_service(place), visitor, clock=clock, on_wait=show), place)

    return InsightsServices(CustomerInsights(conversation, endpoints), open_dataverse)


def sign_in_for_insights(source: InsightsRecord) -> SignInFor:
    """Return the sign-in settings of an instance."""
    name = f"Customer Insights {source.name}".strip()
    return SignInFor(source.id, name, source.flow, source.client_id, source.tenant, REFRESH_VARIABLE)


def _signed_in(
    workspace: Workspace,
    source: InsightsRecord,
    endpoints: SourceEndpoints,
    show: Callable[[str], None],
    *,
    ask: bool,
) -> MsalTokens:
    # Do not reuse the account that is signed in to Microsoft Advertising without asking.
    again = noted_sign_in(workspace, source.id) is None
    return acquire(workspace, sign_in_for_insights(source), endpoints.sign_in, show, ask=ask, again=again)


def forget_subscription_key(source: InsightsRecord, show: Callable[[str], None]) -> None:
    """Delete the subscription key of an instance from the keyring, if it is there.

    Parameters
    ----------
    source
        The instance.
    show
        Called with a message if the keyring cannot be changed.
    """
    if reason := forget_secret(_keyring_name(source)):
        show(f"{reason}: it may still hold the subscription key of '{source.name}'.")


def _keyring_name(source: InsightsRecord) -> str:
    return f"subscription key {source.id}"


def _key_of_emulator(workspace: Workspace) -> str | None:
    """Return the emulator's key; None if another process started the emulator and the environment has no key."""
    return os.environ.get(KEY_VARIABLE) or emulator_subscription_key(workspace)


def lacks_subscription_key(source: InsightsRecord) -> bool:
    """Return whether the user would be prompted for the subscription key."""
    return source.environment != "emulator" and not _known_key(source)


def _known_key(source: InsightsRecord) -> str | None:
    return os.environ.get(KEY_VARIABLE) or remembered(_keyring_name(source))


def _subscription_key(source: InsightsRecord, show: Callable[[str], None], *, ask: bool) -> str:
    """Return the key that API Management requires in addition to the sign-in."""
    found = _known_key(source)
    if found:
        return found
    if not (ask and can_ask()):
        raise SignInError(
            "The subscription key of Customer Insights is missing.",
            f"Set {KEY_VARIABLE}; an administrator finds it under Permissions > APIs.",
            code="no_subscription_key",
        )
    typed = getpass.getpass("Subscription key of Customer Insights (Permissions > APIs): ").strip()
    if reason := remember(_keyring_name(source), typed):
        show(f"{reason}, so the key is not stored: set {KEY_VARIABLE} so that you are not asked again.")
    return typed
