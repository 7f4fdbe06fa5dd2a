"""The stored record of a Customer Insights source."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from ci_magics.display.numbers import pluralize
from ci_magics.workspace.stored import Id, Name, Stored, UniqueName, Word


@dataclass(frozen=True)
class InsightsRecord:
    """A Customer Insights instance that a user has opened: its location and sign-in settings; no secrets.

    Parameters
    ----------
    name
        The instance's name.
    environment
        ``emulator`` or ``production``.
    organization_url
        Its Dataverse organization; empty if there is none.
    known_segments
        Output names of its segments when last listed, for completion.
    """

    id: Id
    name: UniqueName
    environment: Word
    instance_id: Annotated[str, Stored(100)]
    organization_url: Annotated[str, Stored(300)]
    flow: Word | None
    client_id: Annotated[str, Stored(100)] | None
    tenant: Annotated[str, Stored(100)]
    known_segments: tuple[str, ...] = field(repr=False)
    created_by: Name
    created_at: datetime

    @property
    def origin(self) -> str:
        """The text with which everything read from here begins."""
        return f"{self.environment.upper()}: Customer Insights '{self.name}'"

    def __repr__(self) -> str:
        known = f", {pluralize(len(self.known_segments), 'segment')}" if self.known_segments else ""
        return f"{self.origin}{known}"
