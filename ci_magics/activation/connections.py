"""Make, open and withdraw connections, with their two consents."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from ci_magics.activation.address import Ids, read_ids
from ci_magics.activation.services import open_services
from ci_magics.errors import ConnectionSetupError, ConsentError, nearest_name
from ci_magics.microsoft.advertising import Account
from ci_magics.microsoft.endpoints import ENVIRONMENTS
from ci_magics.microsoft.signin import FLOWS
from ci_magics.workspace.access import Verb, not_shared, require
from ci_magics.workspace.consents import CONSENT_VERSION
from ci_magics.workspace.models import CUSTOMER_MATCH_TERMS, DATA_PRIVACY, Connection, Consent
from ci_magics.workspace.store import Workspace, open_workspace

ROLES = ("administrator", "contributor", "viewer")


def connect(
    name: str,
    *,
    environment: str | None = None,
    url: str | None = None,
    customer_id: str | None = None,
    account_id: str | None = None,
    agree: bool = False,
    accept_terms: bool = False,
    share: Sequence[str] = (),
    flow: str | None = None,
    client_id: str | None = None,
    tenant: str | None = None,
    withdraw: bool = False,
    workspace: Workspace | None = None,
    show: Callable[[str], None] = print,
) -> Connection:
    """Make a connection to a Microsoft Advertising account, or open the one that has this name.

    Parameters
    ----------
    name
        What to call it.
    environment
        ``emulator`` (the default: nothing leaves this machine), ``sandbox`` or ``production``.
    url
        The address bar of Microsoft Advertising, instead of the two ids.
    customer_id, account_id
        The ids, as text.
    agree
        Consent to data privacy and compliance (`workspace.consents.DATA_PRIVACY_TEXT`). Once given it stands
        until withdrawn.
    accept_terms
        Acceptance of the Customer Match terms (`workspace.consents.TERMS_TEXT`), the second consent.
    share
        Roles that may use it besides administrators.
    flow
        How to sign in: ``device``, ``browser`` or ``env``.
    client_id, tenant
        The application in Microsoft Entra; only for ``sandbox`` and ``production``.
    withdraw
        Take back both consents: nothing is sent through this connection any more.
    workspace
        Where to keep it; the default one unless given.
    show
        Called with each sentence the person must see, such as a sign-in code.

    Raises
    ------
    ConnectionSetupError
        The ids are missing, contradict each other or are not those of an account of the signed-in user.
    SignInError
        Signing in failed.
    """
    workspace = workspace or open_workspace()
    _require_known("environment", environment, ENVIRONMENTS)
    _require_known("flow", flow, FLOWS)
    for role in share:
        _require_known("role", role, ROLES)
    ids = read_ids(url, customer_id, account_id)
    existing = workspace.connections.get(name)
    if existing is None:
        if name in workspace.all_connections:
            raise not_shared(name)
        require(workspace, Verb.CREATE_CONNECTION)
        connection = _new(workspace, name, environment or "emulator", ids, share, flow, client_id, tenant)
    else:
        require(workspace, Verb.OPEN_CONNECTION, existing)
        connection = _require_same(existing, environment, ids, client_id, tenant)
    if withdraw:
        return _withdraw(workspace, connection)
    newly = _consents_to_record(workspace, connection, agree, accept_terms)
    if newly:
        require(workspace, Verb.GIVE_CONSENT, connection)
    if connection.agreed or any(each.kind == DATA_PRIVACY for each in newly):
        connection = _verified(workspace, connection, show)
    workspace.connections.put(connection)
    if existing is None:
        workspace.audit.note(
            Verb.CREATE_CONNECTION, name, environment=connection.environment, account=connection.account_id
        )
    for consent in newly:
        workspace.connections.consents.put(consent)
        workspace.audit.note(Verb.GIVE_CONSENT, name, consent=consent.kind, text=consent.text_version)
    return workspace.connections[name]


def require_consents(connection: Connection) -> None:
    """Refuse to go on unless both consents stand.

    Raises
    ------
    ConsentError
        Naming which one is missing and how to give it.
    """
    if not connection.agreed:
        raise ConsentError(
            f"Nobody has agreed to data privacy and compliance for the connection '{connection.name}', "
            "so nothing was sent.",
            f'Read the text with %ci_connect --help, then agree: %ci_connect "{connection.name}" --agree.',
            code="no_data_privacy_consent",
        )
    if not connection.terms_accepted:
        raise ConsentError(
            f"Nobody has accepted the Customer Match terms for the connection '{connection.name}', "
            "so nothing was sent.",
            f'Accept them: %ci_connect "{connection.name}" --accept-terms.',
            code="no_terms_consent",
        )


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
    if not name.strip():
        raise ConnectionSetupError("A connection needs a name.", 'For example: %ci_connect "Contoso EU".')
    if not ids.customer or not ids.account:
        missing = "customer id" if not ids.customer else "account id"
        raise ConnectionSetupError(
            f"The {missing} of the connection '{name}' is missing.",
            "Give --customer-id and --account-id, or paste the address bar of Microsoft Advertising: --url ADDRESS.",
            code="no_ids",
        )
    return Connection(
        id=str(uuid.uuid4()),
        name=name,
        environment=environment,
        customer_id=ids.customer,
        account_id=ids.account,
        account_name="",
        shared_with=tuple(share) or ("administrator",),
        flow=flow,
        client_id=client_id,
        tenant=tenant or "",
        created_by=workspace.user,
        created_at=datetime.now(UTC),
    )


def _require_same(
    existing: Connection, environment: str | None, ids: Ids, client_id: str | None, tenant: str | None
) -> Connection:
    """Return the existing connection; opening by name changes nothing, so what is said must agree with it."""
    said = {
        "environment": (environment, existing.environment),
        "customer id": (ids.customer, existing.customer_id),
        "account id": (ids.account, existing.account_id),
        "client id": (client_id, existing.client_id),
        "tenant": (tenant, existing.tenant),
    }
    for word, (now, kept) in said.items():
        if now is not None and now != kept:
            raise ConnectionSetupError(
                f"The connection '{existing.name}' exists with another {word}: {kept or 'none'}, not {now}.",
                "Make a connection with another name.",
                code="connection_differs",
            )
    return existing


def _consents_to_record(workspace: Workspace, connection: Connection, agree: bool, accept_terms: bool) -> list[Consent]:
    wanted = {
        DATA_PRIVACY: agree and not connection.agreed,
        CUSTOMER_MATCH_TERMS: accept_terms and not connection.terms_accepted,
    }
    return [
        Consent(
            id=str(uuid.uuid4()),
            connection_id=connection.id,
            kind=kind,
            text_version=CONSENT_VERSION,
            given_by=workspace.user,
            given_at=datetime.now(UTC),
        )
        for kind, is_new in wanted.items()
        if is_new
    ]


def _withdraw(workspace: Workspace, connection: Connection) -> Connection:
    require(workspace, Verb.WITHDRAW_CONSENT, connection)
    for consent in connection.consents:
        if consent.stands:
            workspace.connections.consents.put(
                replace(consent, withdrawn_by=workspace.user, withdrawn_at=datetime.now(UTC))
            )
            workspace.audit.note(Verb.WITHDRAW_CONSENT, connection.name, consent=consent.kind)
    return workspace.connections[connection.name]


def _verified(workspace: Workspace, connection: Connection, show: Callable[[str], None]) -> Connection:
    """Sign in and make sure that the ids are those of an account the person may manage."""
    services = open_services(workspace, connection, show=show)
    user = services.advertising.get_user()
    accounts = {account.id: account for account in services.advertising.search_accounts(user.id)}
    account = accounts.get(connection.account_id)
    if account is None or account.customer_id != connection.customer_id:
        raise _wrong_account(connection, accounts)
    if user.role_ids and set(user.role_ids) <= {_VIEWER}:
        raise ConnectionSetupError(
            "The signed-in user may only look at this account.",
            "Ask the account's administrator for a role that manages campaigns.",
            code="viewer_role",
        )
    return replace(connection, account_name=account.name)


#: RoleId of a user who may change nothing (page "GetUser").
_VIEWER = 100


def _wrong_account(connection: Connection, accounts: dict[str, Account]) -> ConnectionSetupError:
    if connection.customer_id in accounts:
        return ConnectionSetupError(
            "The customer id and the account id are swapped.",
            f"Use --customer-id {accounts[connection.customer_id].customer_id} --account-id {connection.customer_id}.",
            code="ids_swapped",
        )
    known = ", ".join(f"{each.id} ({each.name}, customer {each.customer_id})" for each in accounts.values())
    return ConnectionSetupError(
        f"The signed-in user has no account {connection.account_id} under customer {connection.customer_id}.",
        f"Accounts of this user: {known or 'none'}.",
        code="account_not_found",
    )


def _require_known(word: str, value: str | None, known: Sequence[str]) -> None:
    if value is None or value in known:
        return
    nearest = nearest_name(value, known)
    hint = f" Did you mean '{nearest}'?" if nearest else ""
    raise ConnectionSetupError(
        f"There is no {word} '{value}'.{hint}", f"Use one of: {', '.join(known)}.", code=f"unknown_{word}"
    )
