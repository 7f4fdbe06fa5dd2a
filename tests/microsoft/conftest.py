"""The client against the emulator, with a clock that a test holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ci_magics.microsoft.advertising import Advertising
from ci_magics.microsoft.bulk import Bulk
from ci_magics.microsoft.endpoints import endpoints_of
from ci_magics.microsoft.http import Caller, Conversation

if TYPE_CHECKING:
    from conftest import RunningEmulator


@dataclass
class HeldClock:
    """Time that passes only in sleep, and then at once."""

    waits: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime(2026, 11, 24, tzinfo=UTC) + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return sum(self.waits)

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    def stop(self) -> None:
        raise NotImplementedError


@dataclass
class GivenTokens:
    """Tokens of a test: the next one is given at each renewal."""

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


@dataclass
class Client:
    """A signed-in client and what it did."""

    emulator: RunningEmulator
    clock: HeldClock
    tokens: GivenTokens
    said: list[str]
    conversation: Conversation
    advertising: Advertising
    bulk: Bulk

    def fault(self, operation: str, *faults: Any) -> None:
        """Plan what goes wrong with the first, second, ... call; a fault is a name or a name with details."""
        planned = []
        for call, each in enumerate(faults, 1):
            name, details = each if isinstance(each, tuple) else (each, {})
            if name:
                planned.append({"operation": operation, "call": call, "fault": name, **details})
        self.emulator.control("POST", "/faults", planned)

    def count(self, operation: str) -> int:
        return self.emulator.operations().count(operation)

    def new_list(self, name: str = "A list") -> str:
        return self.advertising.add_audience(
            name, description="", scope="Account", parent_id="111", membership_days=-1
        )[0]


def make_client(emulator: RunningEmulator, *tokens: str, account_id: str = "111") -> Client:
    clock, said = HeldClock(), list[str]()
    given = GivenTokens(iter(tokens or [emulator.access_token] * 10))
    endpoints = endpoints_of("emulator", emulator.base_url)
    caller = Caller(endpoints, given, emulator.customer_id, account_id, emulator.developer_token)
    conversation = Conversation(caller, clock=clock, on_wait=said.append)
    return Client(emulator, clock, given, said, conversation, Advertising(conversation), Bulk(conversation))


@pytest.fixture
def client(emulator: RunningEmulator) -> Client:
    return make_client(emulator)


@pytest.fixture
def client_with(emulator: RunningEmulator) -> Any:
    def make(*tokens: str, **options: str) -> Client:
        return make_client(emulator, *tokens, **options)

    return make
