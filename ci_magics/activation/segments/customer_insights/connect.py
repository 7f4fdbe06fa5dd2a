"""Open Customer Insights as a source, sign out and in again, and remove it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated

from ci_magics.activation.connections.emulator_process import emulator_locator, emulator_url
from ci_magics.activation.connections.given_values import require_application
from ci_magics.activation.connections.sign_in import acquire, end_sign_in
from ci_magics.activation.segments.customer_insights.services import (
    forget_subscription_key,
    open_insights_services,
    sign_in_for_insights,
)
from ci_magics.activation.segments.customer_insights.source import Insights
from ci_magics.clock import present
from ci_magics.display.output import announce
from ci_magics.errors import ArgumentError, ConnectionSetupError, SegmentError, not_found, quoted_list
from ci_magics.grammar.operation import operation
from ci_magics.grammar.option import Option
from ci_magics.grammar.shared import CLIENT_ID, ENVIRONMENT, FLOW, TENANT
from ci_magics.microsoft.endpoints import Endpoints
from ci_magics.microsoft.insights_endpoints import insights_endpoints
from ci_magics.microsoft.insights_values import Instance
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.insights_record import InsightsRecord
from ci_magics.workspace.store import Workspace, WorkspaceLike, store_of

Show = Callable[[str], None]


@operation(Verb.READ_INSIGHTS, example="Contoso")
def insights(
    name: Annotated[
        str | None, Option("instance of Customer Insights; the only one if left out", kind="instance")
    ] = None,
    *,
    environment: Annotated[str | None, ENVIRONMENT] = None,
    organization_url: Annotated[
        str | None, Option("its Dataverse organization, where it does not say so itself", value="URL")
    ] = None,
    flow: Annotated[str | None, FLOW] = None,
    client_id: Annotated[str | None, CLIENT_ID] = None,
    tenant: Annotated[str | None, TENANT] = None,
    workspace: WorkspaceLike | None = None,
    show: Callable[[str], None] = announce,
) -> Insights:
    """Open a Customer Insights instance: sign in, and remember the instance.

    Customer Insights calls this *Add yourself as export user*. The account is separate from that of Microsoft
    Advertising.

    Parameters
    ----------
    name
        Name of the instance. None uses the only one there is.
    environment
        ``emulator`` (the default) or ``production``.
    organization_url
        URL of its Dataverse organization, such as ``https://contoso.crm4.dynamics.com``. None asks the instance.
    flow
        How to sign in: ``device``, ``browser``, or ``env``.
    client_id, tenant
        Application in Microsoft Entra; only for ``production``.
    workspace
        Workspace to use; None opens the default one.
    show
        Called with each message for the user, such as a sign-in code.

    Raises
    ------
    NotFoundError
        The signed-in user has no access to an instance of that name.
    ConnectionSetupError
        The instance was opened before with other settings.
    SignInError
        The sign-in failed, or the subscription key is missing.
    """
    workspace = store_of(workspace)
    require(workspace, Verb.READ_INSIGHTS)
    require_application(client_id, tenant)
    known = _known(workspace, name, environment)
    record = known or _new(workspace, name or "", environment or "emulator", flow, client_id, tenant)
    said = {"environment": environment, "client_id": client_id, "tenant": tenant}
    for word, value in said.items():
        if value is not None and value != getattr(record, word):
            raise ConnectionSetupError(
                f"Customer Insights '{record.name}' is known with another {word.replace('_', ' ')}.",
                "Leave it out.",
                code="insights_differ",
            )
    services = open_insights_services(workspace, record, show=show)
    instance = chosen_instance(services.insights.instances(), record.name or name)
    record = replace(
        record,
        name=instance.name,
        instance_id=instance.id,
        organization_url=organization_url
        or (known.organization_url if known and known.instance_id == instance.id else "")
        or services.insights.organization_url(instance.id),
    )
    if record != known:
        workspace.insights.put(record)
    return Insights(record, services, workspace, show)


def _known(workspace: Workspace, name: str | None, environment: str | None) -> InsightsRecord | None:
    if name is not None:
        return workspace.insights.get(name)
    known = list(workspace.insights)
    if len(known) > 1:
        raise ArgumentError(
            "Several instances of Customer Insights are known here.",
            f"Name one: {', '.join(each.name for each in known)}.",
            code="several_instances",
        )
    return known[0] if known and environment in (None, known[0].environment) else None


def _new(
    workspace: Workspace, name: str, environment: str, flow: str | None, client_id: str | None, tenant: str | None
) -> InsightsRecord:
    return InsightsRecord(
        id=str(uuid.uuid4()),
        name=name,
        environment=environment,
        instance_id="",
        organization_url="",
        flow=flow,
        client_id=client_id,
        tenant=tenant or "",
        known_segments=(),
        created_by=workspace.user,
        created_at=present(),
    )


def chosen_instance(instances: Sequence[Instance], name: str | None) -> Instance:
    """Return the instance with a name or id, or the only instance.

    Parameters
    ----------
    instances
        Instances that the signed-in user has access to.
    name
        Name or id, if given.

    Raises
    ------
    NotFoundError
        No instance matches.
    ArgumentError
        Several instances match.
    """
    found = [each for each in instances if not name or name in (each.name, each.id)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise not_found(
            "instance of Customer Insights",
            name or "",
            [each.name for each in instances],
            f"The signed-in user sees: {', '.join(each.name for each in instances) or 'none'}.",
        )
    if name:
        raise ArgumentError(
            f"The signed-in user sees {len(found)} instances of Customer Insights named '{name}'.",
            f"Name the right one by its id: {', '.join(each.id for each in found)}.",
            code="several_instances",
        )
    raise ArgumentError(
        "The signed-in user sees several instances of Customer Insights.",
        f"Name one: {', '.join(each.name for each in found)}.",
        code="several_instances",
    )


def sign_in_again(workspace: Workspace, name: str, show: Show) -> InsightsRecord:
    """Sign in to an instance again; see `Connections.sign_in`."""
    record = workspace.insights[name]
    require(workspace, Verb.READ_INSIGHTS)
    acquire(workspace, sign_in_for_insights(record), _endpoints(workspace, record), show, again=True)
    workspace.audit.note(Verb.READ_INSIGHTS, name, signed_in=True)
    return record


def sign_out(workspace: Workspace, name: str, show: Show) -> None:
    """Sign out of an instance, and delete its subscription key here; see `Connections.sign_out`."""
    record = workspace.insights[name]
    require(workspace, Verb.READ_INSIGHTS)
    end_sign_in(workspace, sign_in_for_insights(record), lambda: _endpoints(workspace, record), show)
    forget_subscription_key(record, show)
    workspace.audit.note(Verb.READ_INSIGHTS, name, signed_in=False)


def remove_insights(workspace: Workspace, name: str, show: Show) -> None:
    """Sign out of an instance and remove it from the workspace, unless a dynamic segment reads from it."""
    record = workspace.insights[name]
    read = [each.name for each in workspace.segments if _reads(each.definition.get("source"), name)]
    if read:
        raise SegmentError(
            f"Segments are read from Customer Insights '{name}': {quoted_list(read)}.",
            "Delete them or make them of something else first.",
            code="insights_in_use",
        )
    sign_out(workspace, name, show)
    workspace.insights.remove(record.id)
    workspace.audit.note(Verb.READ_INSIGHTS, name, removed=True)


def _reads(source: object, name: str) -> bool:
    return isinstance(source, dict) and source.get("kind") == "insights" and source.get("instance") == name


def _endpoints(workspace: Workspace, record: InsightsRecord) -> Endpoints:
    if record.environment != "emulator":
        return insights_endpoints(record.environment).sign_in
    return insights_endpoints("emulator", emulator_url(workspace), emulator_locator(workspace)).sign_in
