"""What magics take to name Customer Insights, and what they make of it."""

from __future__ import annotations

from typing import Any

import ci_magics as ci
from ci_magics.errors import ArgumentError
from ci_magics.notebook.arguments import Option
from ci_magics.notebook.call import Call

VIAS = ("rest", "csv", "dataverse")

FROM_INSIGHTS = (
    Option(
        "--from-insights",
        "segment of Customer Insights, instead of a frame",
        value="NAME",
        kind="insights segment",
    ),
    Option("--instance", "instance of Customer Insights (the only one)", value="NAME", kind="instance"),
    Option("--via", "how its members are read (what suits their number)", value="WAY", choices=VIAS),
    Option("--wait", "wait for a refresh of it that is running in Customer Insights"),
)
OPEN_INSIGHTS = (
    Option("--insights", "sign in to this instance of Customer Insights instead", value="NAME", kind="instance"),
    Option("--organization-url", "its Dataverse organization, where it does not say so itself", value="URL"),
)
_NAMES = ("environment", "organization_url", "flow", "client_id", "tenant")
_ALONE = ("url", "customer_id", "account_id", "agree", "accept_terms", "share", "withdraw")


def open_insights(call: Call) -> Any:
    """Sign in to an instance of Customer Insights, as the line of ``%ci_connect`` says.

    Raises
    ------
    ArgumentError
        The line says something of a connection to Microsoft Advertising too.
    """
    arguments = call.arguments
    others = [f"--{name.replace('_', '-')}" for name in _ALONE if name in arguments.options]
    if others or arguments.words:
        raise ArgumentError(
            f"--insights opens another account than {others[0] if others else 'the name before it'} is about.",
            "Write one line for each account.",
            code="two_accounts",
        )
    return ci.insights(arguments.given("insights"), **{name: arguments.given(name) for name in _NAMES}, show=call.say)


def insights_segment(call: Call) -> Any:
    """Return the segment of Customer Insights that a line of ``%ci_segment`` names.

    Raises
    ------
    ArgumentError
        The line names a frame or a rule too.
    """
    arguments = call.arguments
    others = (
        ["a frame"]
        if len(arguments.words) > 1
        else [f"--{name}" for name in ("where", "rule") if name in arguments.options]
    )
    if others:
        raise ArgumentError(
            f"A segment of Customer Insights is taken as it is, and here is {others[0]} too.",
            "Make it first, then another one of it with --rule.",
            code="insights_condition",
        )
    source = ci.insights(arguments.given("instance"), show=call.say)
    return source.segment(arguments.given("from_insights"), via=arguments.given("via"), wait=arguments.switch("wait"))
