"""From a connection to Microsoft's services, signed in as the person who works."""

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
from ci_magics.microsoft.http import Caller, Conversation
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import Workspace


@dataclass(frozen=True)
class Services:
    """What a connection gives access to.

    Parameters
    ----------
    directory
        The directory of the signed-in person; each emulator has its own.
    """

    conversation: Conversation
    advertising: Advertising
    bulk: Bulk
    directory: str

    @property
    def endpoints(self) -> Endpoints:
        """Where requests go."""
        return self.conversation.caller.endpoints


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
        Where tokens are kept.
    connection
        Where to go.
    show
        Called with each sentence that the person must see: a sign-in code, a wait.
    clock
        Where waits are spent.
    ask
        Whether a person who is there may be asked to sign in.
    account_id, customer_id
        Instead of the connection's.

    Raises
    ------
    SignInError
        Nobody is signed in and nobody can be asked, or Microsoft refused.
    """
    endpoints = connection_endpoints(workspace, connection)
    tokens = acquire(workspace, sign_in_for(connection), endpoints, show, ask=ask)
    caller = Caller(
        endpoints=endpoints,
        tokens=tokens,
        customer_id=customer_id or connection.customer_id,
        account_id=account_id or connection.account_id,
        developer_token=developer_token(connection, show, ask=ask),
    )
    conversation = Conversation(caller, clock=clock, on_wait=show)
    return Services(
        conversation, Advertising(conversation), Bulk(conversation, workspace.rooms.folder), tokens.directory
    )


def connection_endpoints(workspace: Workspace, connection: Connection) -> Endpoints:
    """Return where a connection leads to; the emulator of the workspace is started when it has to be."""
    if connection.environment != "emulator":
        return endpoints_of(connection.environment)
    return endpoints_of("emulator", emulator_url(workspace), emulator_locator(workspace))


def sign_in_for(connection: Connection) -> SignInFor:
    """Return what somebody signs in for who uses a connection."""
    return SignInFor(connection.id, connection.name, connection.flow, connection.client_id, connection.tenant)
