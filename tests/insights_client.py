"""A signed-in client of Customer Insights for the emulator, with a clock that the test controls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fakes import FakeTokens, JumpingClock

from ci_magics.microsoft.customer_insights import CustomerInsights
from ci_magics.microsoft.dataverse import Dataverse
from ci_magics.microsoft.http import Conversation
from ci_magics.microsoft.insights_endpoints import dataverse_endpoints, insights_endpoints
from ci_magics.microsoft.services import dataverse_service, insights_service

if TYPE_CHECKING:
    from conftest import RunningEmulator


@dataclass
class InsightsClient:
    """A client, what it waited for and said, and its emulator."""

    emulator: RunningEmulator
    clock: JumpingClock
    tokens: FakeTokens
    said: list[str]
    insights: CustomerInsights
    dataverse: Dataverse

    @property
    def instance(self) -> str:
        return self.emulator.instance_id

    def settings(self, **values: Any) -> None:
        self.emulator.control("POST", "/settings", values)

    def fault(self, operation: str, fault: str, call: int = 1, **details: Any) -> None:
        self.emulator.fault(operation, fault, call, **details)

    def count(self, operation: str) -> int:
        return self.emulator.operations().count(operation)


def insights_client(emulator: RunningEmulator, *tokens: str, key: str | None = None) -> InsightsClient:
    clock, said = JumpingClock(), list[str]()
    given = FakeTokens(iter(tokens or [emulator.insights_token] * 10))
    place = insights_endpoints("emulator", emulator.base_url)
    service = insights_service(place, emulator.subscription_key if key is None else key)
    insights = CustomerInsights(Conversation(service, given, clock=clock, on_wait=said.append), place)
    organization = dataverse_endpoints("emulator", emulator.base_url, emulator.base_url)
    dataverse = Dataverse(
        Conversation(dataverse_service(organization), given, clock=clock, on_wait=said.append), organization
    )
    return InsightsClient(emulator, clock, given, said, insights, dataverse)


def insights_at(address: str) -> CustomerInsights:
    """Return a client of a server at any address."""
    place = insights_endpoints("emulator", address)
    given = FakeTokens(iter(["token"]))
    return CustomerInsights(Conversation(insights_service(place, "key"), given, clock=JumpingClock()), place)
