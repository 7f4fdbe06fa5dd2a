"""A signed-in Customer Insights instance: its segments and their refreshes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ci_magics.activation.segments.customer_insights.insights_segment import InsightsSegment, InsightsSegments
from ci_magics.activation.segments.customer_insights.routes import require_via
from ci_magics.activation.segments.customer_insights.services import InsightsServices
from ci_magics.advice import Do, advise
from ci_magics.display.displayable import Displayable
from ci_magics.errors import ConnectionSetupError, ServiceError, not_found
from ci_magics.microsoft.dataverse import Dataverse
from ci_magics.microsoft.insights_values import Job, Schedule, SourceSegment
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.insights_record import InsightsRecord
from ci_magics.workspace.store import Workspace

#: Refresh operations that can change the members of a segment.
_CONCERNING = frozenset({"segmentation", "segmentmembership", "merge", "match", "all", "none", "profilestore", ""})
_HISTORY_DAYS = 30


@dataclass(frozen=True)
class Insights(Displayable):
    """A Customer Insights instance, signed in.

    Parameters
    ----------
    record
        Stored record of the instance.
    services
        Clients for its services.
    workspace
        Workspace that stores it.
    show
        Called with a message before a long wait.
    """

    record: InsightsRecord
    services: InsightsServices = field(repr=False)
    workspace: Workspace = field(repr=False)
    show: Callable[[str], None] = field(repr=False)

    @property
    def name(self) -> str:
        """Name of the instance."""
        return self.record.name

    def segments(self) -> InsightsSegments:
        """List all segments, with state and number of members."""
        listed = self._listed()
        jobs = self._running_jobs()
        return InsightsSegments(
            self.record.origin, tuple(InsightsSegment(self, each, None, _concerns(jobs, each.name)) for each in listed)
        )

    def segment(self, name: str, *, via: str | None = None, wait: bool = False) -> InsightsSegment:
        """Return one segment, to pass to `ci.segment`.

        Parameters
        ----------
        name
            Its output name, or its display name.
        via
            Route to read its members: ``rest`` (by page), ``csv`` (files in parallel), or ``dataverse``. None chooses
            by size.
        wait
            Whether to wait for a running refresh.

        Raises
        ------
        NotFoundError
            The segment does not exist.
        """
        require_via(via)
        found = self._found(name, self._listed())
        jobs = [job for job in self._running_jobs() if _concerns([job], found.name)]
        if wait and jobs:
            for job in jobs:
                since = f", requested at {job.submitted:%H:%M} UTC" if job.submitted else ""
                self.show(f"Waiting for the refresh of '{found.label}' in Customer Insights{since}.")
                self.services.insights.wait(self.record.instance_id, job.id)
            return self.segment(found.name, via=via)
        return InsightsSegment(self, found, via, bool(jobs))

    def refresh(self, name: str, *, wait: bool = True) -> InsightsSegment:
        """Start an evaluation of a segment in Customer Insights.

        Parameters
        ----------
        name
            Its output name, or its display name.
        wait
            Whether to wait until the evaluation ends.

        Raises
        ------
        ServiceError
            The refresh failed.
        """
        found = self._found(name, self._listed())
        job = self.services.insights.start_refresh(self.record.instance_id, found.name)
        if not wait:
            return InsightsSegment(self, found, None, refreshing=True)
        ended = self.services.insights.wait(self.record.instance_id, job.id)
        after = self.segment(found.name)
        if ended.status != "successful" or after.failed:
            raise ServiceError(
                f"Customer Insights could not refresh '{found.label}' ({ended.status or 'no status'}).",
                "See why under Settings > System > Status there; its members are those of the last refresh.",
                code="refresh_failed",
            )
        return after

    def history(self, name: str) -> list[tuple[datetime, int]]:
        """Return time and number of members for each refresh of a segment in the last 30 days."""
        listed = self.services.insights.segments(self.record.instance_id, history_days=_HISTORY_DAYS)
        evaluations = self._found(name, listed).history
        return [(each.moment, each.members) for each in evaluations if each.moment and each.members is not None]

    def schedules(self) -> list[Schedule]:
        """Return the refresh schedules of Customer Insights."""
        return self.services.insights.schedules(self.record.instance_id)

    def dataverse(self) -> Dataverse:
        """Sign in to the Dataverse organization of the instance, with the same account.

        Raises
        ------
        ConnectionSetupError
            The organization is not known.
        """
        if not self.record.organization_url:
            raise ConnectionSetupError(
                f"Customer Insights '{self.name}' does not say which Dataverse organization it writes to.",
                advise(
                    "Name it: ",
                    Do("insights", self.name, organization_url="https://contoso.crm4.dynamics.com"),
                    ".",
                ),
                code="no_organization",
            )
        return self.services.open_dataverse(self.record.organization_url)

    def to_dict(self) -> dict[str, Any]:
        """Return the name and the environment of the instance."""
        return {"name": self.name, "environment": self.record.environment}

    def __repr__(self) -> str:
        return repr(self.record)

    def _listed(self) -> list[SourceSegment]:
        require(self.workspace, Verb.READ_INSIGHTS)
        listed = self.services.insights.segments(self.record.instance_id)
        names = tuple(sorted(each.name for each in listed))
        kept = self.workspace.insights.get(self.record.name)
        if kept is not None and kept.known_segments != names:
            self.workspace.insights.put(replace(kept, known_segments=names))
        return listed

    def _found(self, name: str, listed: Sequence[SourceSegment]) -> SourceSegment:
        found = next((each for each in listed if name in (each.name, each.label)), None)
        if found is None:
            raise not_found(
                "segment of Customer Insights",
                name,
                [word for each in listed for word in (each.name, each.label)],
                "ci.insights(NAME).segments() lists them.",
            )
        return found

    def _running_jobs(self) -> list[Job]:
        return [job for job in self.services.insights.jobs(self.record.instance_id) if job.is_running]


def _concerns(jobs: Sequence[Job], segment: str) -> bool:
    return any(job.operation in _CONCERNING and (not job.identifiers or segment in job.identifiers) for job in jobs)
