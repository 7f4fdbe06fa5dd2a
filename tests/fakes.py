"""Clocks that tests control, fake tokens and a keyring in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

from ci_magics.clock import SystemClock

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)


class FrozenClock(SystemClock):
    """A clock that stands still until a test advances it."""

    def __init__(self, moment: datetime = NOON) -> None:
        super().__init__()
        self.moment = moment

    def now(self) -> datetime:
        return self.moment

    def advance(self, **time: float) -> None:
        self.moment += timedelta(**time)


class JumpingClock(SystemClock):
    """A clock that only advances in sleep, and then at once."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 11, 24, tzinfo=UTC) + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return sum(self.waits)

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


@dataclass
class FakeTokens:
    """Tokens from a list: each renewal returns the next one."""

    tokens: Iterator[str]
    renewals: int = 0

    def __post_init__(self) -> None:
        self._now = next(self.tokens)

    def token(self) -> str:
        return self._now

    def renew(self) -> str:
        self.renewals += 1
        self._now = next(self.tokens)
        return self._now


class MemoryKeyring(KeyringBackend):
    """A keyring in memory."""

    priority = 1.0

    def __init__(self) -> None:
        self.content: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.content.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.content[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.content.pop((service, username), None) is None:
            raise PasswordDeleteError
