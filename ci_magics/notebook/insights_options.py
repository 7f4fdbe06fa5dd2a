"""The options that select Customer Insights, and the functions that carry them out."""

from __future__ import annotations

from typing import Any

import ci_magics as ci
from ci_magics.errors import ArgumentError
from ci_magics.grammar.command import Flag
from ci_magics.notebook.call import Call, text_of
from ci_magics.notebook.display import ProgressLine

VIAS = ("rest", "csv", "dataverse")

FROM_INSIGHTS = (
    Flag(
        "--from-insights",
        "segment of Customer Insights, instead of a frame",
        value="NAME",
        kind="insights segment",
    ),
    Flag("--instance", "instance of Customer Insights (the only one)", value="NAME", kind="instance"),
    Flag("--via", "how its members are read (what suits their number)", value="WAY", choices=VIAS),
    Flag("--wait", "wait for a refresh of it that is running in Customer Insights"),
)
OPEN_INSIGHTS = (
    Flag("--insights", "sign in to this instance of Customer Insights instead", value="NAME", kind="instance"),
    Flag("--organization-url", "its Dataverse organization, where it does not say so itself", value="URL"),
)
_NAMES = ("environment", "organization_url", "flow", "client_id", "tenant")
#: Options that apply only to a connection to Microsoft Advertising.
_ALONE = (
    *("url", "customer_id", "account_id", "agree", "accept_terms", "share", "withdraw"),
    *("edit", "rename", "accounts", "account", "exports"),
)
_VERBS = ("sign_in", "sign_out", "remove")


def open_insights(call: Call) -> Any:
    """Carry out ``%ci_connect --insights``: open a Customer Insights instance, sign out of it, or remove it.

    Raises
    ------
    ArgumentError
        The line also has options of a connection to Microsoft Advertising.
    """
    arguments = call.arguments
    others = [f"--{name.replace('_', '-')}" for name in _ALONE if name in arguments.options]
    if others or arguments.words:
        raise ArgumentError(
            f"--insights opens Customer Insights, and {others[0]} is for a connection to Microsoft Advertising."
            if others
            else f"--insights takes the name of one instance, and the line also has '{text_of(arguments.words[0])}'.",
            "Write one line for each account; quote a name with blanks.",
            code="two_accounts",
        )
    name, verb = arguments.given("insights"), next((each for each in _VERBS if arguments.switch(each)), None)
    if verb is None:
        return ci.insights(name, **{each: arguments.given(each) for each in _NAMES}, show=call.say)
    from ci_magics.activation.connections.accounts import list_accounts
    from ci_magics.activation.segments.customer_insights import connect as insights_operations

    work = {
        "sign_in": insights_operations.sign_in_again,
        "sign_out": insights_operations.sign_out,
        "remove": insights_operations.remove_insights,
    }[verb]
    work(name, show=call.say)
    return list_accounts()


def segment_from_insights(call: Call) -> Any:
    """Carry out ``%ci_segment --from-insights``; without a name, the segment keeps its Customer Insights name.

    Raises
    ------
    ArgumentError
        The line also names a frame or a rule.
    """
    from ci_magics.activation.connections.sign_in import can_ask

    arguments = call.arguments
    if len(arguments.words) > 1:
        raise ArgumentError(
            "Before --from-insights there is room for one name only, that of the new segment.",
            "Leave out the frame; quote a name with blanks.",
            code="insights_condition",
        )
    others = [f"--{name}" for name in ("where", "rule") if name in arguments.options]
    if others:
        raise ArgumentError(
            f"A segment of Customer Insights is taken as it is, so {others[0]} cannot be combined with it.",
            "Make it first, then make another one of it with --rule.",
            code="insights_condition",
        )
    source = ci.insights(arguments.given("instance"), show=call.say)
    found = source.segment(arguments.given("from_insights"), via=arguments.given("via"), wait=arguments.switch("wait"))
    return ci.segment(
        text_of(arguments.words[0]) if arguments.words else found.segment.label,
        found,
        email=arguments.given("email"),
        key=arguments.given("key"),
        consent=arguments.all("consent"),
        consent_yes=arguments.all("consent_yes"),
        allow_empty=arguments.switch("allow_empty"),
        allow_shrink=arguments.switch("allow_shrink"),
        show=call.say,
        progress=ProgressLine(live=can_ask() and not call.quiet),
    )
