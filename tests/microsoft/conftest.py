"""The client against the emulator, with a clock that the test controls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from fakes import FakeTokens, JumpingClock

from ci_magics.microsoft.advertising import Advertising
from ci_magics.microsoft.bulk import Bulk
from ci_magics.microsoft.endpoints import endpoints_of
from ci_magics.microsoft.http import Conversation
from ci_magics.microsoft.services import advertising_service

if TYPE_CHECKING:
    from conftest import RunningEmulator


@dataclass
class Client:
    """A signed-in client, with what it waited for and said."""

    emulator: RunningEmulator
    clock: JumpingClock
    tokens: FakeTokens
    said: list[str]
    conversation: Conversation
    advertising: Advertising
    bulk: Bulk

    def fault(self, operation: str, *faults: Any) -> None:
        """Plan the faults of the first, second, ... call; a fault is a name or a name with details."""
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
    clock, said = JumpingClock(), list[str]()
    given = FakeTokens(iter(tokens or [emulator.access_token] * 10))
    endpoints = endpoints_of("emulator", emulator.base_url)
    service = advertising_service(
        endpoints, customer_id=emulator.customer_id, account_id=account_id, developer_token=emulator.developer_token
    )
    conversation = Conversation(service, given, clock=clock, on_wait=said.append)
    return Client(emulator, clock, given, said, conversation, Advertising(conversation), Bulk(conversation, account_id))


@pytest.fixture
def client(emulator: RunningEmulator) -> Client:
    return make_client(emulator)


@pytest.fixture
def client_with(emulator: RunningEmulator) -> Any:
    def make(*tokens: str, **options: str) -> Client:
        return make_client(emulator, *tokens, **options)

    return make
