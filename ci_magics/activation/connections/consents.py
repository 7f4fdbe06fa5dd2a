"""The two consents of a connection: give them, require them before anything is sent, and withdraw them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace

from ci_magics.advice import Do, advise
from ci_magics.clock import present
from ci_magics.errors import ConsentError
from ci_magics.workspace.access import Verb
from ci_magics.workspace.consents import CONSENT_VERSION
from ci_magics.workspace.models import CUSTOMER_MATCH_TERMS, DATA_PRIVACY, Connection, Consent
from ci_magics.workspace.store import Workspace

Show = Callable[[str], None]


def new_consents(workspace: Workspace, connection: Connection, *, agree: bool, accept_terms: bool) -> list[Consent]:
    """Return the consents that are given now and were not valid before.

    Parameters
    ----------
    workspace
        The workspace, for the current user.
    connection
        The connection.
    agree
        Whether the user agrees to data privacy and compliance.
    accept_terms
        Whether the user accepts the Customer Match terms.
    """
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
            given_at=present(),
        )
        for kind, is_new in wanted.items()
        if is_new
    ]


def keep_consents(workspace: Workspace, connection: Connection, consents: list[Consent]) -> None:
    """Record consents: who gave them, when, and for which version of the text.

    Parameters
    ----------
    workspace
        The workspace that stores the connection.
    connection
        The connection.
    consents
        The consents to record.
    """
    for consent in consents:
        workspace.connections.consents.put(consent)
        workspace.audit.note(
            Verb.GIVE_CONSENT, connection.name, consent=consent.kind, text_version=consent.text_version
        )


def missing_consents(connection: Connection) -> list[ConsentError]:
    """Return an error for each missing consent that says how to give it."""
    missing = []
    if not connection.agreed:
        missing.append(
            ConsentError(
                f"Nobody has agreed to data privacy and compliance for the connection '{connection.name}', "
                "so nothing was sent.",
                advise("Read the text in the help, then agree: ", Do("connect", connection.name, agree=True), "."),
                code="no_data_privacy_consent",
            )
        )
    if not connection.terms_accepted:
        missing.append(
            ConsentError(
                f"Nobody has accepted the Customer Match terms for the connection '{connection.name}', "
                "so nothing was sent.",
                advise("Accept them: ", Do("connect", connection.name, accept_terms=True), "."),
                code="no_terms_consent",
            )
        )
    return missing


def consent_notice(connection: Connection) -> str:
    """Return a sentence about the missing consents of a connection; empty if both are given."""
    missing = connection.missing_consents
    if not missing:
        return ""
    lacking = "No consent yet" if len(missing) == 2 else "One consent is missing"
    line = Do("connect", connection.name, **dict.fromkeys(missing, True))
    return f"{lacking}: nothing can be sent until an administrator runs {line}."


def require_consents(connection: Connection) -> None:
    """Require both consents.

    Raises
    ------
    ConsentError
        A consent is missing; the error is about the first one and says how to give it.
    """
    for error in missing_consents(connection):
        raise error


def end_consents(workspace: Workspace, connection: Connection) -> None:
    """Record that the valid consents of a connection are withdrawn.

    Parameters
    ----------
    workspace
        The workspace that stores the connection.
    connection
        The connection.
    """
    for consent in connection.consents:
        if consent.in_effect:
            withdrawn = replace(consent, withdrawn_by=workspace.user, withdrawn_at=present())
            workspace.connections.consents.put(withdrawn)
            workspace.audit.note(Verb.WITHDRAW_CONSENT, connection.name, consent=consent.kind)
