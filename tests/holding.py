"""A clock that tests hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ci_magics.clock import SystemClock

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)


class HeldClock(SystemClock):
    """Stands still until it is moved."""

    def __init__(self, moment: datetime = NOON) -> None:
        super().__init__()
        self.moment = moment

    def now(self) -> datetime:
        return self.moment

    def pass_by(self, **time: float) -> None:
        self.moment += timedelta(**time)
