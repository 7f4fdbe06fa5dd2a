"""``ci.connections``: the accounts that you can send to and read from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated

from ci_magics.activation.connect import withdraw_consents
from ci_magics.activation.connections import connection_operations
from ci_magics.activation.connections.accounts import AccountList, list_accounts
from ci_magics.activation.connections.connection_operations import SignedInAccount
from ci_magics.activation.connections.given_values import read_ids, require_application, require_known
from ci_magics.activation.exports.removal import remove_connection
from ci_magics.activation.segments.customer_insights import connect as insights_operations
from ci_magics.display.output import announce
from ci_magics.grammar.operation import operation
from ci_magics.grammar.option import Option
from ci_magics.grammar.shared import (
    ACCOUNT_ID,
    CLIENT_ID,
    CONNECTION_NAME,
    CUSTOMER_ID,
    ENVIRONMENT,
    FLOW,
    NEW_NAME,
    TENANT,
    URL,
)
from ci_magics.microsoft.endpoints import ENVIRONMENTS
from ci_magics.microsoft.signin import FLOWS
from ci_magics.operations.collection import Collection
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.insights_record import InsightsRecord
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import Workspace

Show = Callable[[str], None]


class Connections(Collection[Connection]):
    """The connections of a workspace to Microsoft Advertising; `ci_magics.connect` makes one.

    The table also has the instances of Customer Insights that `ci_magics.insights` opened. `sign_in`, `sign_out` and
    `remove` take their names too.
    """

    def _all(self) -> Iterator[Connection]:
        yield from self._readable().connections

    def names(self) -> list[str]:
        """Return the names of all connections, sorted."""
        return self._readable().connections.names()

    def __getitem__(self, name: str) -> Connection:
        """Return a connection by its name.

        Parameters
        ----------
        name
            The connection.

        Raises
        ------
        AccessError
            The connection is not shared with the current user.
        NotFoundError
            No connection has this name; the error suggests the nearest one.
        """
        return self._readable().connections[name]

    def overview(self) -> AccountList:
        """Return the table of accounts: environment, who may use each, your sign-in, and its consents."""
        return list_accounts(self._workspace)

    @operation(Verb.EDIT_CONNECTION, example='"Contoso EU" --rename "Contoso Europe"')
    def edit(
        self,
        name: Annotated[str, CONNECTION_NAME],
        *,
        rename: Annotated[str | None, NEW_NAME] = None,
        environment: Annotated[str | None, ENVIRONMENT] = None,
        url: Annotated[str | None, URL] = None,
        customer_id: Annotated[str | None, CUSTOMER_ID] = None,
        account_id: Annotated[str | None, ACCOUNT_ID] = None,
        flow: Annotated[str | None, FLOW] = None,
        client_id: Annotated[str | None, CLIENT_ID] = None,
        tenant: Annotated[str | None, TENANT] = None,
        show: Show = announce,
    ) -> Connection:
        """Change a connection; what is not given stays. Saved exports follow.

        Both consents are valid for one account in one environment. If either changes, they have to be given again.

        Parameters
        ----------
        name
            Connection to change.
        rename
            New name.
        environment, url, customer_id, account_id, flow, client_id, tenant
            As in `ci_magics.connect`.
        show
            Called with each message for the user.

        Raises
        ------
        AccessError
            The current user is not an administrator.
        ConnectionSetupError
            A run through it is unfinished, the name is taken, or the ids are not those of an account.
        """
        workspace = self._workspace
        connection = workspace.connections[name]
        require(workspace, Verb.EDIT_CONNECTION, connection)
        require_known("environment", environment, ENVIRONMENTS)
        require_known("flow", flow, FLOWS)
        require_application(client_id, tenant)
        ids = read_ids(url, customer_id, account_id)
        wanted = {
            "name": rename,
            "environment": environment,
            "customer_id": ids.customer,
            "account_id": ids.account,
            "flow": flow,
            "client_id": client_id,
            "tenant": tenant,
        }
        return connection_operations.change_connection(workspace, connection, wanted, show)

    @operation(Verb.SHARE_CONNECTION, example='"Contoso EU" contributor')
    def share(
        self,
        name: Annotated[str, CONNECTION_NAME],
        *users: Annotated[str, Option("role, or user by name, that may use it", kind="share", value="ROLE")],
    ) -> Connection:
        """Set who may use a connection besides administrators; this replaces the earlier setting.

        Exports that others have saved stay, but don't run while the connection is not shared with the user who runs
        them.

        Parameters
        ----------
        name
            Connection to share.
        users
            Roles, or names of users with a role; ``administrator`` alone shares it with nobody else.

        Raises
        ------
        AccessError
            The current user is not an administrator.
        ConnectionSetupError
            A role or user is unknown.
        """
        return connection_operations.share_connection(self._workspace, name, users)

    @operation(Verb.OPEN_CONNECTION, example='"Contoso EU"', changes=False)
    def accounts(self, name: Annotated[str, CONNECTION_NAME], *, show: Show = announce) -> list[SignedInAccount]:
        """Return the accounts that the current user has signed in with on this machine, in a stable order.

        Parameters
        ----------
        name
            The connection.
        show
            Called with each message for the user.
        """
        return connection_operations.signed_in_accounts(self._workspace, name, show)

    @operation(Verb.OPEN_CONNECTION, example='"Contoso EU" 2')
    def choose_account(
        self,
        name: Annotated[str, CONNECTION_NAME],
        number: Annotated[int, Option("number of the account in the list of accounts", value="N")],
        *,
        show: Show = announce,
    ) -> Connection:
        """Use one of the signed-in accounts for a connection.

        Parameters
        ----------
        name
            The connection.
        number
            Number of the account in `accounts`.
        show
            Called with each message for the user.

        Raises
        ------
        ArgumentError
            No account has that number.
        ConnectionSetupError
            The account may not manage the connection's account in Microsoft Advertising.
        """
        return connection_operations.choose_account(self._workspace, name, number, show)

    @operation(Verb.OPEN_CONNECTION, example='"Contoso EU"')
    def sign_in(
        self, name: Annotated[str, CONNECTION_NAME], *, flow: Annotated[str | None, FLOW] = None, show: Show = announce
    ) -> Connection | InsightsRecord:
        """Sign in as the current user, even if the user is already signed in.

        Parameters
        ----------
        name
            Connection, or instance of Customer Insights.
        flow
            How to sign in to a connection, this time only: ``device``, ``browser`` or ``env``. By default, as the
            connection says.
        show
            Called with each message for the user, such as a sign-in code.

        Raises
        ------
        SignInError
            There is no user to ask, or Microsoft refused.
        ConnectionSetupError
            The signed-in user may not manage the account.
        """
        if self._is_instance(name):
            return insights_operations.sign_in_again(self._workspace, name, show)
        return connection_operations.sign_in_again(self._workspace, name, flow, show)

    @operation(Verb.OPEN_CONNECTION, example='"Contoso EU"')
    def sign_out(self, name: Annotated[str, CONNECTION_NAME], *, show: Show = announce) -> None:
        """Delete the current user's tokens, and the developer token of a connection, from this machine.

        The account is signed out of every connection that uses it.

        Parameters
        ----------
        name
            Connection, or instance of Customer Insights.
        show
            Called with each message for the user.

        Raises
        ------
        AccessError
            The connection is not shared with the current user.
        """
        out = insights_operations.sign_out if self._is_instance(name) else connection_operations.sign_out
        out(self._workspace, name, show)

    @operation(Verb.WITHDRAW_CONSENT, example='"Contoso EU"')
    def withdraw_consents(self, name: Annotated[str, CONNECTION_NAME], *, show: Show = announce) -> Connection:
        """Withdraw both consents; no current or future run sends anything through the connection.

        Parameters
        ----------
        name
            The connection.
        show
            Called with messages about what you can do with the audiences that were filled through it.

        Raises
        ------
        AccessError
            The current user is not an administrator.
        """
        return withdraw_consents(self._workspace, name, show)

    @operation(Verb.REMOVE_CONNECTION, example='"Contoso EU" --exports detach')
    def remove(
        self,
        name: Annotated[str, CONNECTION_NAME],
        *,
        exports: Annotated[
            str | Mapping[str, str] | None,
            Option("what happens to the exports that use it", value="WHAT", choices=("remove", "detach")),
        ] = None,
        show: Show = announce,
    ) -> None:
        """Remove a connection. Members that were sent through it stay in Microsoft's audiences.

        Parameters
        ----------
        name
            Connection, or instance of Customer Insights.
        exports
            What to do with the saved exports that use the connection: ``remove`` or ``detach`` for all, or a mapping
            from export name to one of these. A detached export keeps its configuration and does not run until it gets
            another connection.
        show
            Called with a message for each of its exports.

        Raises
        ------
        AccessError
            The current user is not an administrator.
        ConnectionSetupError
            Exports use the connection and you did not choose what to do with them, or a run through it is unfinished.
        """
        if self._is_instance(name):
            insights_operations.remove_insights(self._workspace, name, show)
        else:
            remove_connection(self._workspace, name, exports, show)

    def _overview(self) -> AccountList:
        return self.overview()

    def _is_instance(self, name: str) -> bool:
        """Return whether a name is of an instance of Customer Insights and of no connection."""
        return name in self._workspace.insights and name not in self._workspace.all_connections

    def _readable(self) -> Workspace:
        workspace = self._workspace
        require(workspace, Verb.LIST_CONNECTIONS)
        return workspace


#: The connections of the default workspace.
connections = Connections()
