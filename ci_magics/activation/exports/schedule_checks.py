"""Check what prevents a schedule from running. Shown when it is set, in the list of exports, and in the side panel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ci_magics.activation.connections.consents import require_consents
from ci_magics.activation.connections.developer_token import VARIABLE as TOKEN_VARIABLE
from ci_magics.activation.connections.developer_token import lacks_developer_token
from ci_magics.activation.connections.services import sign_in_for
from ci_magics.activation.connections.sign_in import SignInFor, needs_a_person
from ci_magics.activation.exports.heartbeats import is_temporary
from ci_magics.activation.exports.schedule import Schedule
from ci_magics.activation.exports.system_schedule import SystemSchedule, system_schedule
from ci_magics.activation.exports.time_zones import FIXED, is_known, local_time_zone, names_a_zone
from ci_magics.activation.segments.customer_insights.services import (
    KEY_VARIABLE,
    lacks_subscription_key,
    sign_in_for_insights,
)
from ci_magics.activation.segments.definitions import Definition
from ci_magics.activation.segments.dependents import ancestors, evaluations
from ci_magics.advice import CONNECTION, FILE, Do, Opt
from ci_magics.errors import ArgumentError, ConsentError, SegmentError
from ci_magics.segmentation.sources.files import locate
from ci_magics.workspace.access import Role, is_shared_with
from ci_magics.workspace.export_models import Export
from ci_magics.workspace.insights_record import InsightsRecord
from ci_magics.workspace.models import Connection, SegmentRecord
from ci_magics.workspace.store import Workspace


@dataclass(frozen=True)
class Surroundings:
    """Data that the schedule checks need, read once for all exports.

    Parameters
    ----------
    system
        Schedule of the system refresh.
    connections
        All connections by id.
    segments, insights
        All segments and all Customer Insights instances, by name.
    roles
        Roles by user, for users who have one.
    signed_in
        Ids of the connections and instances that the current user is signed in to.
    without_secret
        Ids of connections without a known developer token and of instances without a known subscription key.
    evaluated
        Time of the last evaluation of each segment, by name.
    hidden
        Ids of the connections that the database does not show to the current user.
    """

    system: SystemSchedule
    connections: Mapping[str, Connection]
    segments: Mapping[str, SegmentRecord]
    insights: Mapping[str, InsightsRecord]
    roles: Mapping[str, Role]
    signed_in: frozenset[str]
    without_secret: frozenset[str]
    evaluated: Mapping[str, datetime]
    hidden: frozenset[str]


def surroundings(workspace: Workspace) -> Surroundings:
    """Read the data that the schedule checks need."""
    connections, instances = list(workspace.all_connections), list(workspace.insights)
    return Surroundings(
        system_schedule(workspace),
        {each.id: each for each in connections},
        {each.name: each for each in workspace.segments},
        {each.name: each for each in instances},
        {each.id: Role(each.role) for each in workspace.roles},
        frozenset(each.subject_id for each in workspace.sign_ins.where(user=workspace.user)),
        frozenset(
            [
                *(each.id for each in connections if lacks_developer_token(each)),
                *(each.id for each in instances if lacks_subscription_key(each)),
            ]
        ),
        evaluations(workspace),
        workspace.all_connections.hidden(),
    )


def is_scheduled(export: Export, system: SystemSchedule) -> bool:
    """Return whether an export has a schedule that is on: its own, or that of the system refresh.

    Parameters
    ----------
    export
        The export.
    system
        Schedule of the system refresh.
    """
    return export.active and (export.schedule is not None or (system.active and system.schedule is not None))


def obstacles(export: Export, around: Surroundings) -> tuple[str, ...]:
    """Return what prevents the schedule of an export from running: messages with a next step.

    Parameters
    ----------
    export
        The export. If its schedule is off, there are no messages.
    around
        Data that `surroundings` read.
    """
    if not is_scheduled(export, around.system):
        return ()
    return (*_of_segments(export, around), *_of_connection(export, around), *_of_schedule(export, around))


def why_static(record: SegmentRecord) -> str:
    """Return why a segment is never refreshed; empty for a dynamic segment."""
    if record.is_dynamic:
        return ""
    return record.definition.get("static_because") or "it has no definition"


def _of_segments(export: Export, around: Surroundings) -> Iterator[str]:
    wanted = {*export.segments, *export.excluded}
    for name in sorted(wanted - around.segments.keys()):
        yield f"The segment '{name}' no longer exists, so no run can send it."
    for record in ancestors(around.segments, wanted):
        yield from _of_segment(record, around)


def _of_segment(record: SegmentRecord, around: Surroundings) -> Iterator[str]:
    name = record.name
    if not record.active:
        yield f"The segment '{name}' is inactive, so it is skipped: {Do('segments.activate', name)}."
    elif why := why_static(record):
        yield (
            f"The segment '{name}' is not refreshed: {why}. Every run sends it as of "
            f"{around.evaluated[name]:%Y-%m-%d}. Make it from a file, a database or Customer Insights, or execute its "
            f"notebook: {Do('refresh', notebook=FILE)}."
        )
    else:
        yield from _of_source(record, Definition.model_validate(record.definition["source"]), around)


def _of_source(record: SegmentRecord, definition: Definition, around: Surroundings) -> Iterator[str]:
    """Yield what prevents a segment from being read again from its source."""
    if definition.kind == "files" and definition.source:
        try:
            locate(definition.source)
        except SegmentError as error:
            yield (
                f"The segment '{record.name}' cannot be refreshed, so its runs are skipped: "
                f"{error.sentence[0].lower()}{error.sentence[1:]} Put the file back, or make the segment again."
            )
        if is_temporary(Path(definition.source)):
            yield f"The file of the segment '{record.name}' is in a temporary folder, which the system may empty."
    if definition.kind == "insights":
        found = around.insights.get(definition.instance or "")
        if found is not None:
            yield from _of_sign_in(around, sign_in_for_insights(found), found.environment)
            if found.id in around.without_secret:
                yield (
                    f"The subscription key of Customer Insights {found.name} is missing, so its segments are not "
                    f"refreshed. Set {KEY_VARIABLE} where the scheduler runs."
                )


def _of_connection(export: Export, around: Surroundings) -> Iterator[str]:
    connection = around.connections.get(export.connection_id or "")
    if connection is None and export.connection_id in around.hidden:
        yield (
            f"The connection '{export.connection_name}' is not shared with you. You cannot see whether the runs of the "
            "export have what they need."
        )
        return
    if connection is None:
        edit = Do("exports.edit", export.name, to=CONNECTION)
        yield f"The export has no connection, so it does not run: {edit}."
        return
    owner = export.saved_by
    role = around.roles.get(owner, Role.VIEWER)
    if not is_shared_with(connection, owner, role):
        yield (
            f"The connection '{connection.name}' is not shared with {owner}, who saved the export, so its runs are "
            "skipped. An administrator can share it."
        )
    elif role is Role.VIEWER:
        yield f"{owner}, who saved the export, is only a viewer by now; let a contributor save it again."
    try:
        require_consents(connection)
    except ConsentError as error:
        yield f"{error.sentence.removesuffix(', so nothing was sent.')}, so its runs are skipped. {error.next_step}"
    yield from _of_sign_in(around, sign_in_for(connection), connection.environment)
    if connection.id in around.without_secret:
        yield (
            f"The developer token for the connection '{connection.name}' is missing, so its runs fail. "
            f"Set {TOKEN_VARIABLE} where the scheduler runs."
        )


def _of_sign_in(around: Surroundings, wanted: SignInFor, environment: str) -> Iterator[str]:
    is_signed_in = wanted.id in around.signed_in
    if needs_a_person(wanted, is_emulator=environment == "emulator", is_signed_in=is_signed_in):
        yield (
            f"A scheduler cannot ask anyone to sign in to '{wanted.name}'. Set CI_MAGICS_CLIENT_ID and "
            f"{wanted.refresh_token} where the scheduler runs, or sign in once as its user."
        )


def _of_schedule(export: Export, around: Surroundings) -> Iterator[str]:
    schedule = Schedule.model_validate(export.schedule) if export.schedule else around.system.schedule
    if schedule is None:
        return
    zone = schedule.time_zone
    if not is_known(zone):
        yield f"This machine does not know the time zone '{zone}', so the export does not run here."
    elif zone in FIXED:
        yield f"{zone} has no summer time. For the clocks of a place take its name, such as {FIXED[zone]}."
    elif zone == "UTC" and not names_a_zone() and _is_local(zone):
        choose = Opt("time_zone")
        yield f"This machine does not say in which time zone it is, so the times are UTC. Choose one with {choose}."


def _is_local(zone: str) -> bool:
    try:
        return local_time_zone() == zone
    except ArgumentError:
        return False
