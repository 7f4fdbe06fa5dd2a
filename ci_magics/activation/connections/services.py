"""Open Microsoft's services for a connection, signed in as the current user."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ci_magics.activation.connections.developer_token import developer_token
from ci_magics.activation.connections.emulator_process import emulator_locator, emulator_url
from ci_magics.activation.connections.sign_in import SignInFor, acquire
from ci_magics.clock import Clock
from ci_magics.microsoft.advertising import Advertising
from ci_magics.microsoft.bulk import Bulk
from ci_magics.microsoft.endpoints import Endpoints, endpoints_of
from ci_magics.microsoft.http import Conversation
from ci_magics.microsoft.services import advertising_service
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import Workspace


@dataclass(frozen=True)
class Services:
    """The clients of Microsoft's services for one connection.

    Parameters
    ----------
    conversation
        The HTTP client, with the clock for its waits.
    advertising
        The client for audiences, users and accounts.
    bulk
        The client for bulk uploads.
    directory
        The Microsoft Entra tenant of the signed-in user; each emulator has its own.
    customer_id, account_id
        The ids that the requests are for.
    """

    conversation: Conversation
    advertising: Advertising
    bulk: Bulk
    directory: str
    customer_id: str
    account_id: str

    @property
    def endpoints(self) -> Endpoints:
        """The URLs of the services."""
        return self.conversation.service.endpoints


def open_services(
    workspace: Workspace,
    connection: Connection,
    *,
    show: Callable[[str], None],
    clock: Clock | None = None,
    ask: bool = True,
    account_id: str | None = None,
    customer_id: str | None = None,
) -> Services:
    """Sign in to a connection's environment and return its services.

    Parameters
    ----------
    workspace
        The workspace that stores the sign-ins.
    connection
        The connection.
    show
        Called with each sentence that the user must see, such as a sign-in code or a wait.
    clock
        Source of the current time, and for waits; stopping it ends them. None means the system clock.
    ask
        Whether the user may be asked to sign in.
    account_id, customer_id
        Override the ids of the connection.

    Raises
    ------
    SignInError
        Nobody is signed in and there is no user to ask, or Microsoft refused.
    """
    endpoints = connection_endpoints(workspace, connection)
    tokens = acquire(workspace, sign_in_for(connection), endpoints, show, ask=ask)
    customer_id = customer_id or connection.customer_id
    account_id = account_id or connection.account_id
    service = advertising_service(
        endpoints,
        customer_id=customer_id,
        account_id=account_id,
        developer_token=developer_token(connection, show, ask=ask),
    )
    conversation = Conversation(service, tokens, clock=clock and clock.branch(), on_wait=show)
    return Services(
        conversation,
        Advertising(conversation),
        Bulk(conversation, account_id, workspace.scratch_folders.folder),
        tokens.directory,
        customer_id,
        account_id,
    )


def connection_endpoints(workspace: Workspace, connection: Connection) -> Endpoints:
    """Return the URLs of a connection's environment; start the workspace's emulator if necessary.

    Parameters
    ----------
    workspace
        The workspace of the emulator.
    connection
        The connection.
    """
    if connection.environment != "emulator":
        return endpoints_of(connection.environment)
    return endpoints_of("emulator", emulator_url(workspace), emulator_locator(workspace))


def sign_in_for(connection: Connection) -> SignInFor:
    """Return the sign-in settings of a connection."""
    return SignInFor(connection.id, connection.name, connection.flow, connection.client_id, connection.tenant)
