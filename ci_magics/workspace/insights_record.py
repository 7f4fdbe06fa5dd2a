"""A source in Customer Insights, as the workspace remembers it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from ci_magics.display.numbers import counted_in_words


@dataclass(frozen=True)
class InsightsRecord:
    """An instance of Customer Insights that somebody has opened: where it is and who signs in; no secret.

    Parameters
    ----------
    name
        The instance's name.
    environment
        ``emulator`` or ``production``.
    organization_url
        Its Dataverse organization, where it has one.
    known_segments
        Output names of its segments when they were listed last, for completion.
    """

    id: str
    name: str
    environment: str
    instance_id: str
    organization_url: str
    flow: str | None
    client_id: str | None
    tenant: str
    known_segments: tuple[str, ...] = field(repr=False)
    created_by: str
    created_at: datetime

    @property
    def origin(self) -> str:
        """The words that everything read from here begins with."""
        return f"{self.environment.upper()}: Customer Insights '{self.name}'"

    def __repr__(self) -> str:
        known = f", {counted_in_words(len(self.known_segments), 'segment')}" if self.known_segments else ""
        return f"{self.origin}{known}"
