"""The plan: exactly what a run would send to each audience, so that you can review it first."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ci_magics.activation.connections.account_check import require_manager
from ci_magics.activation.connections.consents import require_consents
from ci_magics.activation.connections.services import Services, open_services
from ci_magics.activation.plans.export_options import ExportOptions
from ci_magics.activation.plans.plan_document import AudiencePlan, PlanDocument, document_of
from ci_magics.activation.plans.planner import Work, plan_work
from ci_magics.activation.plans.verdict import READY, Finding, Verdict, verdict_of
from ci_magics.activation.progress import Reporter, silent
from ci_magics.activation.run import Run
from ci_magics.activation.runs.push import RunContext
from ci_magics.activation.runs.start import check_in_advance, start_run
from ci_magics.activation.segments.stored_segment import StoredSegment, stored_segment
from ci_magics.clock import Clock, present
from ci_magics.display.numbers import format_count
from ci_magics.display.output import announce
from ci_magics.display.result_table import Column, ResultTable, frame_only
from ci_magics.errors import ExportRefusedError, NotFoundError
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.models import Connection
from ci_magics.workspace.retention_days import retention_days
from ci_magics.workspace.store import Workspace, WorkspaceLike, store_of

if TYPE_CHECKING:
    import pandas as pd

Show = Callable[[str], None]


@dataclass(frozen=True, repr=False)
class Plan(ResultTable[AudiencePlan]):
    """What an export would do.

    Parameters
    ----------
    document
        The part of the plan that can be saved.
    """

    document: PlanDocument
    _workspace: Workspace = field(repr=False, compare=False)
    _show: Show = field(repr=False, compare=False)
    _works: tuple[Work, ...] | None = field(default=None, repr=False, compare=False)
    _services: Services | None = field(default=None, repr=False, compare=False)

    _if_empty = ""

    @property
    def _columns(self) -> tuple[Column[AudiencePlan], ...]:
        return (
            Column(None, lambda _each: self.verdict.state, frame_name="verdict"),
            Column("Segment", "segment"),
            Column("Audience", "audience"),
            *frame_only("audience_id"),
            Column("Action", "action"),
            Column("Add", "adds"),
            Column("Remove", "removes"),
            Column("Unchanged", "unchanged"),
            *frame_only("transport"),
            Column("Sent by", "sends"),
            Column(None, lambda each: [guard.code for guard in each.guards], frame_name="guards"),
        )

    @property
    def _rows(self) -> tuple[AudiencePlan, ...]:
        return self.audiences

    @property
    def _title_html(self) -> str:
        head = f"<div><b>{html.escape(self.destination)}</b></div>"
        return f"{head}{self.verdict._repr_html_()}<div>{html.escape(self._title)}</div>"

    @property
    def _title(self) -> str:
        options = self.options
        return f"Plan for account {self.account_id}: {options.mode}, normalization {options.normalization}"

    @property
    def _notes(self) -> list[str]:
        notes = [(each.renewal, each.consent_note and f"{each.consent_note}.") for each in self.audiences]
        return [note for pair in notes for note in pair if note]

    @classmethod
    def load(cls, path: str | Path, *, workspace: WorkspaceLike | None = None, show: Show = announce) -> Plan:
        """Read a saved plan.

        Parameters
        ----------
        path
            The file that `save` wrote.
        workspace
            Workspace to use; None opens the default one.
        show
            Called with each sentence that the user must see, such as a sign-in code.

        Raises
        ------
        NotFoundError
            The file does not exist or cannot be read.
        ExportRefusedError
            The file is not a plan of this version.
        """
        try:
            text = Path(path).read_text("utf-8")
        except FileNotFoundError:
            raise NotFoundError(
                f"There is no plan file {Path(path).name}.", "Save one with plan.save(path).", code="no_plan_file"
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise NotFoundError(
                f"The plan file {Path(path).name} cannot be read ({type(error).__name__}).",
                "Check that it is a file that plan.save(path) wrote, and that you may read it.",
                code="no_plan_file",
            ) from None
        try:
            document = PlanDocument.model_validate_json(text)
        except ValidationError:
            raise ExportRefusedError(
                f"The file {Path(path).name} is not a plan of this version of ci-magics.",
                "Make the plan again.",
                code="not_a_plan",
            ) from None
        return cls(document, store_of(workspace), show)

    def save(self, path: str | Path) -> Path:
        """Write the plan to a file, without addresses, hashes or secrets, and return the path."""
        target = Path(path)
        target.write_text(self.document.model_dump_json(indent=2) + "\n", "utf-8")
        return target

    def apply(self, *, progress: Reporter = silent) -> Run:
        """Carry out the plan exactly as it is.

        Parameters
        ----------
        progress
            Called with the progress of the run; silent by default.

        Raises
        ------
        ExportRefusedError
            A guard stops it, or the segment, audience, connection or version of ci-magics changed since; nothing was
            sent.
        ConsentError
            A consent is missing; nothing was sent.
        """
        return self._applied(progress)

    def _applied(
        self,
        progress: Reporter,
        run_id: str | None = None,
        as_of: Mapping[str, datetime] | None = None,
        owner: str = "",
    ) -> Run:
        connection = self._connection()
        require(self._workspace, Verb.RUN_EXPORT, connection)
        require_consents(connection)
        retention_days()  # raises if the setting is invalid; the run deletes expired data first
        services = self._services or open_services_for(self._workspace, connection, self.options, self._show)
        if self._services is None or self.verdict.blocked:  # otherwise checked when the plan was made
            require_manager(services, connection)
        works = self._works or self._recompute(connection, services)
        if len(works) != len(self.audiences):
            raise _outdated("not everything could be checked when it was created.")
        context = RunContext(self._workspace, services, progress, owner)
        return start_run(context, self.document, connection, works, run_id, as_of or {})

    def stop(self) -> None:
        """End the waits of a run in another thread; it stops there and can be resumed."""
        if self._services is not None:
            self._services.conversation.clock.stop()

    @property
    def destination(self) -> str:
        """The connection's environment and account; the first line of every display."""
        return self.document.destination

    @property
    def verdict(self) -> Verdict:
        """Whether the export would go through, at the time the plan was made."""
        return self.document.verdict

    @property
    def options(self) -> ExportOptions:
        """The options of the export."""
        return self.document.order

    @property
    def audiences(self) -> tuple[AudiencePlan, ...]:
        """The plan for each audience, in the order of the segments."""
        return self.document.audiences

    @property
    def account_id(self) -> str:
        """The Microsoft Advertising account to send to."""
        return self.document.account_id

    @property
    def guards(self) -> tuple[str, ...]:
        """The findings about all audiences, as sentences."""
        return tuple(str(guard) for each in self.audiences for guard in each.guards)

    def to_frame(self) -> pd.DataFrame:
        """Return one row per audience; if nothing could be planned, one per segment."""
        frame = super().to_frame()
        if self.audiences:
            return frame
        import pandas as pd

        rows = [{"verdict": self.verdict.state, "segment": each, "guards": []} for each in self.document.segments]
        return pd.DataFrame(rows, columns=frame.columns)

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict, the destination, and what would be sent to each audience."""
        names = ("segment", "audience", "action", "adds", "removes", "unchanged", "transport")
        return {
            "verdict": self.verdict.model_dump(mode="json"),
            "destination": self.destination,
            "account_id": self.account_id,
            "mode": self.options.mode,
            "normalization": self.options.normalization,
            "audiences": [
                {name: getattr(each, name) for name in names}
                | {"guards": [guard.code for guard in each.guards], "renewal": each.renewal}
                | {"consent": each.consent.to_dict()}
                for each in self.audiences
            ],
        }

    def __repr__(self) -> str:
        lines = [f"{self.destination}. {self.verdict}", self._title]
        for each in self.audiences:
            adds, removes, unchanged = map(format_count, (each.adds, each.removes, each.unchanged))
            counts = f"add {adds}, remove {removes}, unchanged {unchanged}"
            lines.append(f"  {each.action} audience '{each.audience}': {counts}, by {each.sends}")
            lines += [f"    {note}" for note in (each.renewal, each.consent_note and f"{each.consent_note}.") if note]
        return "\n".join(lines)

    def _connection(self) -> Connection:
        """Return the connection as it is now.

        Raises
        ------
        ExportRefusedError
            The connection was removed.
        """
        found = self._workspace.all_connections.where(id=self.document.connection_id)
        if not found:
            raise _outdated(f"the connection '{self.document.connection}' was removed.")
        return found[0]

    def _recompute(self, connection: Connection, services: Services) -> tuple[Work, ...]:
        try:
            stored = [stored_segment(self._workspace, each) for each in self.document.segments]
        except NotFoundError as error:
            raise _outdated(error.sentence) from None
        return tuple(_works(self._workspace, services, connection, stored, self.options))


def _outdated(why: str) -> ExportRefusedError:
    return ExportRefusedError(
        f"The plan is out of date, so nothing was sent: {why}", "Create the plan again.", code="plan_outdated"
    )


def apply_plan(
    plan: Plan, *, progress: Reporter, run_id: str | None, as_of: Mapping[str, datetime] | None, owner: str
) -> Run:
    """Carry out a plan as the run of a saved export.

    Parameters
    ----------
    plan
        The plan.
    progress
        Called with the progress of the run.
    run_id
        The id of the run; None makes a new one.
    as_of
        By segment name, when a segment was last evaluated if the refresh did not evaluate it again. The run shows it.
    owner
        The user who saved a scheduled export; the run stops if they lose the permission to run it.
    """
    return plan._applied(progress, run_id, as_of, owner)  # noqa: SLF001 - of this module


def make_plan(
    workspace: Workspace,
    services: Services,
    connection: Connection,
    stored: list[StoredSegment],
    options: ExportOptions,
    show: Show,
) -> Plan:
    """Calculate what an export would do.

    Parameters
    ----------
    workspace
        The workspace that stores the segments and ledgers.
    services
        The clients, signed in.
    connection
        The connection to send through.
    stored
        The segments to export.
    options
        The options of the export.
    show
        Called with each sentence that the user must see.

    Raises
    ------
    CiError
        A segment or its audience cannot be used; `ci_magics.activation.exports.dry_run.examine` collects these.
    """
    works = _works(workspace, services, connection, stored, options)
    return plan_of(workspace, services, connection, [each.record.name for each in stored], works, options, show)


def plan_of(
    workspace: Workspace,
    services: Services | None,
    connection: Connection,
    segments: Sequence[str],
    works: Sequence[Work],
    options: ExportOptions,
    show: Show,
    findings: Sequence[Finding] = (),
    not_checked: Sequence[str] = (),
) -> Plan:
    """Return the plan for audiences that were already calculated, with its verdict.

    Parameters
    ----------
    workspace
        The workspace that stores the segments and ledgers.
    services
        The clients, signed in; None if Microsoft may not be asked or could not be reached.
    connection
        The connection to send through.
    segments
        Names of all segments of the export, including those that could not be planned.
    works
        The planned audiences.
    options
        The options of the export.
    show
        Called with each sentence that the user must see.
    findings
        Findings of earlier checks.
    not_checked
        What could not be checked.
    """
    now = services.conversation.clock.now() if services else present()
    document = document_of(connection, options, segments, tuple(works), now, Verdict(state=READY))
    expected, stopped = check_in_advance(workspace, document, works)
    verdict = verdict_of([*findings, *expected], audiences=len(works), stopped=stopped, not_checked=not_checked)
    document = document.model_copy(update={"verdict": verdict})
    return Plan(document, workspace, show, tuple(works) if len(works) == len(segments) else None, services)


def open_services_for(
    workspace: Workspace, connection: Connection, options: ExportOptions, show: Show, clock: Clock | None = None
) -> Services:
    """Sign in to the account that an export sends to, and return its services.

    Parameters
    ----------
    workspace
        The workspace that stores the sign-ins.
    connection
        The connection to send through.
    options
        The options of the export; its ids override those of the connection.
    show
        Called with each sentence that the user must see, such as a sign-in code.
    clock
        Source of the current time, and for waits; None means the system clock.
    """
    return open_services(
        workspace, connection, show=show, clock=clock, account_id=options.account_id, customer_id=options.customer_id
    )


def _works(
    workspace: Workspace,
    services: Services,
    connection: Connection,
    stored: list[StoredSegment],
    options: ExportOptions,
) -> list[Work]:
    now = services.conversation.clock.now()
    return [plan_work(workspace, services, connection, each, options, now) for each in stored]
