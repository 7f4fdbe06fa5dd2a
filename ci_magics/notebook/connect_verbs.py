"""The verbs of ``%ci_connect NAME --VERB``, which act on an existing connection."""

from __future__ import annotations

from typing import Any

from ci_magics.errors import ArgumentError
from ci_magics.grammar.command import Arguments, Flag
from ci_magics.notebook.call import Call

EDIT = Flag("--edit", "change it: together with the options that get another value")
VERBS = (
    EDIT,
    Flag("--rename", "give it another name", value="NEW"),
    Flag("--sign-in", "sign in again, perhaps as somebody else"),
    Flag("--sign-out", "forget your sign-in on this machine"),
    Flag("--accounts", "list the accounts that are signed in on this machine"),
    Flag("--account", "take one of them, by its number", value="N", whole_number=True),
    Flag("--remove", "remove it; choose with --exports what happens to the exports that use it"),
)
EXPORTS = Flag("--exports", "with --remove: what happens to its exports", value="WHAT", choices=("remove", "detach"))
#: The options that can be combined with each verb.
_BESIDE = {
    "edit": {"environment", "url", "customer_id", "account_id", "flow", "client_id", "tenant", "rename"},
    "sign_in": {"flow"},
    "remove": {"exports"},
}
_CONSENTS = {"agree", "accept_terms", "share"}


def verb_of(arguments: Arguments) -> Flag | None:
    """Return the verb of a line, or None.

    Raises
    ------
    ArgumentError
        There are several verbs, or options that do not go with the verb.
    """
    verbs = [each for each in VERBS if each.key in arguments.options]
    if not verbs:
        if "exports" in arguments.options:
            raise ArgumentError(
                "--exports says what happens to the exports of a connection that is removed, and --remove is missing.",
                "Write both: --remove --exports detach.",
                code="one_verb",
            )
        return None
    verb = verbs[0]
    beside = _BESIDE.get(verb.key, set()) | (_CONSENTS if verb is EDIT else set()) | {verb.key, "quiet"}
    others = [f"--{name.replace('_', '-')}" for name in arguments.options if name not in beside]
    if others:
        raise ArgumentError(
            f"{verb.name} cannot be combined with {others[0]}.", "Use one of them in each line.", code="one_verb"
        )
    if not arguments.words:
        raise ArgumentError(
            f"{verb.name} needs the name of a connection.", "%ci_connect --list lists them.", code="no_name"
        )
    return verb


def carry_out(verb: Flag, name: str, call: Call) -> Any:
    """Carry out a verb and return the result to show.

    Parameters
    ----------
    verb
        The return value of `verb_of`.
    name
        The connection's name.
    call
        The invocation, with the verb's options.

    Raises
    ------
    CiError
        See `ci_magics.activation.connections.connection_operations` and
        `ci_magics.activation.exports.removal`.
    """
    from ci_magics.activation.connections import connection_operations
    from ci_magics.activation.exports.removal import remove_connection

    given = call.arguments.given
    match verb.key:
        case "edit":
            return _edit(name, call)
        case "rename":
            return connection_operations.edit_connection(name, rename=given("rename"), show=call.say)
        case "sign_in":
            # With --quiet too: the user must see the sign-in code.
            return connection_operations.sign_in_again(name, flow=given("flow"), show=print)
        case "sign_out":
            return connection_operations.sign_out(name, show=call.say)
        case "accounts":
            return connection_operations.signed_in_accounts(name, show=call.say)
        case "account":
            return connection_operations.choose_account(name, given("account"), show=call.say)
        case _:
            return remove_connection(name, exports=given("exports"), show=call.say)


def _edit(name: str, call: Call) -> Any:
    import ci_magics as ci
    from ci_magics.activation.connections.connection_operations import edit_connection

    arguments = call.arguments
    changed = edit_connection(name, **{each: arguments.given(each) for each in sorted(_BESIDE["edit"])}, show=call.say)
    return ci.connect(
        changed.name,
        agree=arguments.switch("agree"),
        accept_terms=arguments.switch("accept_terms"),
        share=arguments.all("share"),
        show=call.say,
    )
