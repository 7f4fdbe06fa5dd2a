"""Status: the audiences of the workspace, their sizes at Microsoft, and the last runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from ci_magics.activation.connections.services import open_services
from ci_magics.activation.runs.outcome import known_members, open_push
from ci_magics.advice import Do, advise
from ci_magics.display.displayable import plain
from ci_magics.display.html_table import table
from ci_magics.display.numbers import format_count, pluralize
from ci_magics.display.output import announce
from ci_magics.display.result_table import Column, ResultTable, frame_only
from ci_magics.errors import CiError, not_found
from ci_magics.grammar.operation import operation
from ci_magics.grammar.option import Option
from ci_magics.microsoft.advertising import Audience
from ci_magics.naming import require_text
from ci_magics.version import __version__
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.models import AudienceRecord, Connection, RunRecord
from ci_magics.workspace.statuses import RUNNING
from ci_magics.workspace.store import Workspace, WorkspaceLike, store_of

_PENDING = "not counted yet (up to 48 hours)"
_SHOWN_RUNS = 5


@dataclass(frozen=True)
class AudienceStatus:
    """One audience that was filled from this workspace.

    Parameters
    ----------
    destination
        The connection's environment and account, in words.
    audience, audience_id, segment
        The names of the audience and its segment, and Microsoft's id.
    members, members_at_most
        Hashes that Microsoft accepted, and these plus the hashes with an unknown outcome; ``members_at_most`` is None
        if unknown.
    search_size, audience_network_size
        People that Microsoft matched; None until it has counted them.
    note
        What is wrong, if anything.
    """

    destination: str
    audience: str
    audience_id: str
    segment: str
    members: int
    search_size: int | None
    audience_network_size: int | None
    note: str = ""
    members_at_most: int | None = None

    @property
    def sent(self) -> str:
        """How many hashes the audience holds, in words."""
        if self.members_at_most is None or self.members_at_most <= self.members:
            return format_count(self.members)
        return f"{format_count(self.members)} to {format_count(self.members_at_most)}"

    @property
    def match_rate(self) -> float | None:
        """Matched people per hash sent; None until Microsoft has counted."""
        return self.search_size / self.members if self.search_size is not None and self.members else None

    @property
    def matched(self) -> str:
        """The matched size in words."""
        if self.note:
            return self.note
        if self.search_size is None:
            return _PENDING
        share = f" ({self.match_rate:.1%} of what was sent)" if self.match_rate is not None else ""
        invented = ", invented by the emulator" if self.destination.startswith("EMULATOR") else ""
        return f"{format_count(self.search_size)}{share}{invented}"


@dataclass(frozen=True, repr=False)
class Status(ResultTable[AudienceStatus]):
    """Audiences, the last runs, and how much personal data the workspace keeps."""

    audiences: tuple[AudienceStatus, ...]
    runs: tuple[RunRecord, ...]
    stored_hashes: int
    version: str = __version__
    earlier_profiles: int = 0

    _columns = (
        Column("Where", lambda each: each.destination),
        Column("Audience", "audience"),
        *frame_only("audience_id"),
        Column("Segment", "segment"),
        *frame_only("members", "search_size", "audience_network_size", "match_rate"),
        Column("Sent", lambda each: each.sent),
        Column("Matched by Microsoft", lambda each: each.matched),
    )
    _if_empty = "No audience was filled from here yet."

    @property
    def _rows(self) -> tuple[AudienceStatus, ...]:
        return self.audiences

    @property
    def _notes(self) -> tuple[str]:
        return (self._stored_data(),)

    def to_dict(self) -> dict[str, Any]:
        """Return the audiences with their sizes, and the last runs."""
        audiences = [plain(each) | {"match_rate": each.match_rate} for each in self.audiences]
        return {"audiences": audiences, "runs": plain(self.runs), "stored_hashes": self.stored_hashes}

    def document(self) -> dict[str, Any]:
        """Return the same as `to_dict` for programs, with the name, times and counts of each run."""
        return {**self.to_dict(), "version": self.version, "runs": [_run_document(each) for each in self.runs]}

    def __repr__(self) -> str:
        lines = []
        for destination in dict.fromkeys(each.destination for each in self.audiences):
            lines.append(destination)
            lines += [
                f"  audience '{each.audience}': {each.sent} sent, matched {each.matched}"
                for each in self.audiences
                if each.destination == destination
            ]
        lines += [] if self.audiences else [self._if_empty]
        lines += [f"  {_run_line(each)}" for each in self.runs]
        return "\n".join([*lines, self._stored_data()])

    def _table_html(self) -> str:
        runs = table(("Last runs",), [(_run_line(each),) for each in self.runs]) if self.runs else ""
        return f"{super()._table_html()}{runs}"

    def _stored_data(self) -> str:
        earlier = f", and {pluralize(self.earlier_profiles, 'profile')} of earlier versions of segments"
        return (
            f"ci-magics {self.version}; {pluralize(self.stored_hashes, 'hash', 'is')} stored in the workspace"
            f"{earlier if self.earlier_profiles else ''}: they are personal data."
        )


def _run_line(run: RunRecord) -> str:
    """Return the status and counts of a run and, if it was interrupted, how to finish it."""
    counts = [f"{format_count(run.total(word))} {word}" for word in ("accepted", "rejected")]
    counts += [f"{format_count(run.total('unknown'))} unknown"] if run.total("unknown") else []
    old = sorted({each["as_of"] for each in run.results if each.get("as_of")})
    counts += [f"sent as of {' and '.join(old)}"] if old else []
    line = f"run {run.name} of {run.started_at:%Y-%m-%d %H:%M} UTC: {run.status}, {', '.join(counts)}"
    if run.finished_at or run.status == RUNNING:
        return line
    return f"{line}, not finished: {Do('runs.resume', run.name)}"


def _run_document(run: RunRecord) -> dict[str, Any]:
    return {
        "name": run.name,
        **run.to_dict(),
        "started_at": run.started_at.isoformat(),
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        **{word: run.total(word) for word in ("accepted", "rejected", "unknown")},
    }


@operation(Verb.SHOW_STATUS, example='"Big spenders"', changes=False)
def status(
    *names: Annotated[str, Option("audience or segment", kind="segment", value="NAME")],
    workspace: WorkspaceLike | None = None,
    show: Callable[[str], None] = announce,
) -> Status:
    """Return the audiences that were filled from this workspace, with the sizes that Microsoft has counted.

    Parameters
    ----------
    names
        Names of audiences or segments. By default, all.
    workspace
        Workspace to use; None opens the default one.
    show
        Called with each sentence that the user must see, such as a sign-in code.

    Raises
    ------
    NotFoundError
        No audience or segment has one of the names.
    """
    workspace = store_of(workspace)
    require(workspace, Verb.SHOW_STATUS)
    records = _chosen(workspace, names)
    audiences: list[AudienceStatus] = []
    for connection in workspace.connections:
        mine = [each for each in records if _belongs(each, connection)]
        records = [each for each in records if each not in mine]
        audiences += _ask(workspace, connection, mine, show) if mine else []
    audiences += [_without_request(workspace, each) for each in records]
    runs = workspace.runs.latest(_SHOWN_RUNS)
    return Status(
        tuple(audiences),
        tuple(runs),
        sum(each.members for each in workspace.audiences),
        earlier_profiles=sum(each.rows for each in workspace.versions),
    )


def _chosen(workspace: Workspace, names: tuple[str, ...]) -> list[AudienceRecord]:
    records = list(workspace.audiences)
    if not names:
        return records
    segments = set(workspace.segments.names())
    known = {name for each in records for name in (each.name, each.segment_name)}
    for name in names:
        require_text(name)
        if name not in known and name not in segments:
            raise not_found(
                "audience or segment", name, known | segments, advise(Do("status"), " without a name lists all.")
            )
    return [each for each in records if each.name in names or each.segment_name in names]


def _belongs(record: AudienceRecord, connection: Connection) -> bool:
    return (record.environment, record.account_id) == (connection.environment, connection.account_id)


def _ask(
    workspace: Workspace, connection: Connection, records: list[AudienceRecord], show: Callable[[str], None]
) -> list[AudienceStatus]:
    try:
        services = open_services(workspace, connection, show=show)
        found = {each.id: each for each in services.advertising.audiences([each.audience_id for each in records])}
        missing = "it no longer exists"
    except CiError as error:
        found, missing = {}, str(error)
    return [_status(workspace, connection, record, found.get(record.audience_id), missing) for record in records]


def _without_request(workspace: Workspace, record: AudienceRecord) -> AudienceStatus:
    """Return the status of an audience that the current user has no connection to."""
    others = [each for each in workspace.all_connections if _belongs(record, each)]
    emulated = record.environment == "emulator"
    return AudienceStatus(
        destination="EMULATOR: nothing left this machine" if emulated else record.environment.upper(),
        audience=record.name,
        audience_id=record.audience_id,
        segment=record.segment_name,
        **_members(workspace, record),
        search_size=None,
        audience_network_size=None,
        note="its connection is not shared with you" if others else "there is no longer a connection to its account",
    )


def _members(workspace: Workspace, record: AudienceRecord) -> dict[str, Any]:
    """Return how many hashes an audience holds; reads the ledger only if a push is unfinished."""
    if open_push(workspace, record) is None:
        return {"members": record.members}
    known = known_members(workspace, record)
    return {"members": known.at_least, "members_at_most": known.at_most}


def _status(
    workspace: Workspace, connection: Connection, record: AudienceRecord, audience: Audience | None, missing: str
) -> AudienceStatus:
    return AudienceStatus(
        destination=connection.destination,
        audience=record.name,
        audience_id=record.audience_id,
        segment=record.segment_name,
        **_members(workspace, record),
        search_size=audience.search_size if audience else None,
        audience_network_size=audience.audience_network_size if audience else None,
        note="" if audience else missing,
    )
