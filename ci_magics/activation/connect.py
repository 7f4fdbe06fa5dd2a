"""Create and open connections, and withdraw their consents."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Annotated

from ci_magics.activation.connections.account_check import unchecked_notice, verified
from ci_magics.activation.connections.connection_operations import share_connection, shared_with
from ci_magics.activation.connections.consents import consent_notice, end_consents, keep_consents, new_consents
from ci_magics.activation.connections.developer_token import holding
from ci_magics.activation.connections.given_values import Ids, read_ids, require_application, require_known
from ci_magics.activation.runs.outcome import known_members
from ci_magics.advice import Do, Opt, Placeholder, advise
from ci_magics.clock import present
from ci_magics.display.output import announce
from ci_magics.errors import ConnectionSetupError
from ci_magics.grammar.operation import operation
from ci_magics.grammar.option import Option
from ci_magics.grammar.shared import ACCOUNT_ID, CLIENT_ID, CUSTOMER_ID, ENVIRONMENT, FLOW, TENANT, URL
from ci_magics.microsoft.endpoints import ENVIRONMENTS
from ci_magics.microsoft.signin import FLOWS
from ci_magics.naming import require_name
from ci_magics.workspace.access import Verb, not_shared, require
from ci_magics.workspace.models import DATA_PRIVACY, Connection
from ci_magics.workspace.store import Workspace, WorkspaceLike, store_of


@operation(Verb.OPEN_CONNECTION, example='"Contoso EU" --customer-id 222 --account-id 111 --agree --accept-terms')
def connect(
    name: Annotated[str, Option("what to call the connection", kind="connection", hint="for example Contoso EU")],
    *,
    environment: Annotated[str | None, ENVIRONMENT] = None,
    url: Annotated[str | None, URL] = None,
    customer_id: Annotated[str | None, CUSTOMER_ID] = None,
    account_id: Annotated[str | None, ACCOUNT_ID] = None,
    agree: Annotated[
        bool, Option("consent to data privacy and compliance", label="I agree to data privacy and compliance")
    ] = False,
    accept_terms: Annotated[
        bool, Option("accept the Customer Match terms", label="I accept the Customer Match terms")
    ] = False,
    share: Annotated[
        Sequence[str],
        Option("role, or user by name, that may use it too", kind="share", value="ROLE", label="Who can use it"),
    ] = (),
    flow: Annotated[str | None, FLOW] = None,
    client_id: Annotated[str | None, CLIENT_ID] = None,
    tenant: Annotated[str | None, TENANT] = None,
    developer_token: Annotated[
        str | None,
        Option(
            "developer token of Microsoft Advertising", kind="secret", hint="stored in the keyring; empty: unchanged"
        ),
    ] = None,
    withdraw: Annotated[bool, Option("withdraw both consents: nothing more is sent")] = False,
    workspace: WorkspaceLike | None = None,
    show: Callable[[str], None] = announce,
) -> Connection:
    """Create a connection to a Microsoft Advertising account, or open the one with this name.

    Parameters
    ----------
    name
        The name of the connection.
    environment
        ``emulator`` (the default; nothing leaves this machine), ``sandbox`` or ``production``.
    url
        The URL from the address bar of Microsoft Advertising, instead of the two ids.
    customer_id, account_id
        The ids, as text; a pasted URL works too.
    agree
        Consent to data privacy and compliance (`workspace.consents.DATA_PRIVACY_TEXT`). It is valid until withdrawn.
    accept_terms
        Acceptance of the Customer Match terms (`workspace.consents.TERMS_TEXT`), the second consent.
    share
        Roles and users that may use it besides administrators; see `Connections.share`.
    flow
        How to sign in: ``device``, ``browser`` or ``env``. By default, what the kernel supports.
    client_id, tenant
        The application in Microsoft Entra; only for ``sandbox`` and ``production``.
    developer_token
        The developer token of Microsoft Advertising, for ``production``. It is stored in the system's keyring. Never
        write it into a notebook: if it is neither given here nor in the environment, the notebook asks for it when
        needed.
    withdraw
        Withdraw both consents; nothing more is sent through this connection.
    workspace
        Workspace to use; None opens the default one.
    show
        Called with each sentence that the user must see, such as a sign-in code, or that a new connection can't send
        before its consents are given.

    Raises
    ------
    AccessError
        The current user may not create connections, or this one is not shared with them.
    ConnectionSetupError
        The ids are missing, contradict each other, or are not those of an account of the signed-in user.
    SignInError
        Signing in failed.
    """
    workspace = store_of(workspace)
    require_known("environment", environment, ENVIRONMENTS)
    require_known("flow", flow, FLOWS)
    ids = read_ids(url, customer_id, account_id)
    existing = workspace.connections.get(name)
    if existing is None:
        _require_unused(workspace, name)
        connection = _new(workspace, name, environment or "emulator", ids, share, flow, client_id, tenant)
    else:
        connection = _require_same(existing, environment, ids, client_id, tenant)
    if withdraw:
        return withdraw_consents(workspace, name, show)
    newly = new_consents(workspace, connection, agree=agree, accept_terms=accept_terms)
    require(workspace, Verb.GIVE_CONSENT if newly else Verb.OPEN_CONNECTION, connection)
    if existing and share:
        require(workspace, Verb.SHARE_CONNECTION, connection)
    agreed = connection.agreed or any(each.kind == DATA_PRIVACY for each in newly)
    with holding(connection, developer_token):
        # Send no request to Microsoft before the data privacy consent is given.
        connection = verified(workspace, connection, show) if agreed else connection
    if connection != existing:
        workspace.connections.put(connection)
    if existing is None:
        workspace.audit.note(
            Verb.CREATE_CONNECTION, name, environment=connection.environment, account=connection.account_id
        )
    keep_consents(workspace, connection, newly)
    if existing and share:
        share_connection(workspace, name, share)
    saved = workspace.connections[name]
    if existing is None and saved.missing_consents:
        show(consent_notice(saved) if saved.agreed else f"{consent_notice(saved)} {unchecked_notice(saved)}")
    return saved


def withdraw_consents(workspace: Workspace, name: str, show: Callable[[str], None]) -> Connection:
    """Withdraw both consents; see `Connections.withdraw_consents`."""
    connection = workspace.connections[name]
    require(workspace, Verb.WITHDRAW_CONSENT, connection)
    end_consents(workspace, connection)
    _offer(workspace, connection, show)
    return workspace.connections[name]


def _require_unused(workspace: Workspace, name: str) -> None:
    """Refuse to create a connection if a hidden one has the name, or the user may not create any."""
    if name in workspace.all_connections:
        raise not_shared(name)
    require(workspace, Verb.CREATE_CONNECTION)


def _new(
    workspace: Workspace,
    name: str,
    environment: str,
    ids: Ids,
    share: Sequence[str],
    flow: str | None,
    client_id: str | None,
    tenant: str | None,
) -> Connection:
    require_name(name, "connection", error=ConnectionSetupError)
    require_application(client_id, tenant)
    if not ids.customer or not ids.account:
        missing = "customer id" if not ids.customer else "account id"
        raise ConnectionSetupError(
            f"The {missing} of the connection '{name}' is missing.",
            advise(
                "Give ",
                Opt("customer_id"),
                " and ",
                Opt("account_id"),
                ", or paste the address bar of Microsoft Advertising: ",
                Opt("url", Placeholder("ADDRESS")),
                ".",
            ),
            code="no_ids",
        )
    return Connection(
        id=str(uuid.uuid4()),
        name=name,
        environment=environment,
        customer_id=ids.customer,
        account_id=ids.account,
        account_name="",
        shared_with=shared_with(workspace, share),
        flow=flow,
        client_id=client_id,
        tenant=tenant or "",
        created_by=workspace.user,
        created_at=present(),
    )


def _require_same(
    existing: Connection, environment: str | None, ids: Ids, client_id: str | None, tenant: str | None
) -> Connection:
    """Return the existing connection. Opening one changes nothing, so the given options must match it."""
    old = {
        "environment": (environment, existing.environment, "environment"),
        "customer id": (ids.customer, existing.customer_id, "customer_id"),
        "account id": (ids.account, existing.account_id, "account_id"),
        "client id": (client_id, existing.client_id, "client_id"),
        "tenant": (tenant, existing.tenant, "tenant"),
    }
    for word, (now, kept, option) in old.items():
        if now is not None and now != kept:
            known = "" if existing.details_hidden else f": {kept or 'none'}, not {now}"
            raise ConnectionSetupError(
                f"The connection '{existing.name}' exists with another {word}{known}.",
                advise(
                    "Make a connection with another name, or change this one: ",
                    Do("connections.edit", existing.name, **{option: now}),
                    ".",
                ),
                code="connection_differs",
            )
    return existing


def _offer(workspace: Workspace, connection: Connection, show: Callable[[str], None]) -> None:
    """Show what remains in Microsoft's audiences, as far as known, and how to remove it."""
    show(f"All exports through '{connection.name}' have stopped.")
    filled = workspace.audiences.where(environment=connection.environment, account_id=connection.account_id)
    for each in filled:
        empty = Do("audiences.empty", connection.name, each.name, confirm=each.name)
        show(f"The audience '{each.name}' keeps {known_members(workspace, each)}. Empty it: {empty} (or delete).")
