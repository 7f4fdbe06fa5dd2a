"""``%ci_connect``."""

from __future__ import annotations

from typing import Any

import ci_magics as ci
from ci_magics.display.output import tell
from ci_magics.grammar.command import Command, Flag, Positional
from ci_magics.notebook.call import Call, Magic, text_of
from ci_magics.notebook.connect_verbs import EXPORTS, VERBS, carry_out, verb_of
from ci_magics.notebook.insights_options import OPEN_INSIGHTS, open_insights
from ci_magics.notebook.shared_options import ACCOUNT, QUIET
from ci_magics.workspace.consents import DATA_PRIVACY_TEXT, TERMS_TEXT

COMMAND = Command(
    "%ci_connect",
    "Make or open a connection to a Microsoft Advertising account; without arguments, show the form.",
    '%ci_connect "Contoso EU" --customer-id 222 --account-id 111 --agree --accept-terms',
    (Positional("NAME", "what to call the connection", kind="connection"),),
    (
        Flag("--environment", "where it goes (emulator)", value="E", choices=("emulator", "sandbox", "production")),
        *ACCOUNT,
        Flag("--agree", "consent to data privacy and compliance (1)"),
        Flag("--accept-terms", "accept the Customer Match terms (2)"),
        Flag(
            "--share",
            "role, or user by name, that may use it too; may be repeated",
            value="ROLE",
            repeatable=True,
            kind="share",
        ),
        Flag("--flow", "how to sign in", value="FLOW", choices=("device", "browser", "env")),
        Flag("--client-id", "application in Microsoft Entra", value="ID"),
        Flag("--tenant", "tenant in Microsoft Entra", value="T"),
        Flag("--withdraw", "take both consents back: nothing is sent any more"),
        *VERBS,
        EXPORTS,
        *OPEN_INSIGHTS,
        Flag("--list", "list the connections"),
        QUIET,
    ),
    notes=f"(1) {DATA_PRIVACY_TEXT}\n(2) {TERMS_TEXT}",
)
_TEXTS = ("environment", "url", "customer_id", "account_id", "flow", "client_id", "tenant")


def connect(call: Call) -> Any:
    """Create, open or change a connection, list connections, or show the form."""
    arguments = call.arguments
    if "insights" in arguments.options:
        return open_insights(call)
    verb = verb_of(arguments)
    if verb is not None:
        return carry_out(verb, text_of(arguments.words[0]), call)
    if not arguments.words and not arguments.options:
        from ci_magics.notebook.forms.connect import ConnectForm
        from ci_magics.notebook.forms.restoring import restored

        return restored(ConnectForm)
    if not arguments.words:
        from ci_magics.activation.connections.accounts import list_accounts

        return list_accounts()
    return ci.connect(
        text_of(arguments.words[0]),
        **{name: arguments.given(name) for name in _TEXTS},
        agree=arguments.switch("agree"),
        accept_terms=arguments.switch("accept_terms"),
        share=arguments.all("share"),
        withdraw=arguments.switch("withdraw"),
        show=tell,
    )


MAGIC = Magic(COMMAND, connect)
