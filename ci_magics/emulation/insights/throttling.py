"""Rate limits: those of Dataverse (page "Service protection API limits"), and one of an API gateway."""

from __future__ import annotations

import math
from collections import deque

from ci_magics.emulation.insights.faults import DATAVERSE_OPERATIONS
from ci_magics.emulation.insights.replies import dataverse_error, gateway_error
from ci_magics.emulation.state import World

MINUTE = 60.0
_DATAVERSE_WINDOW = 5 * MINUTE
_REQUESTS, _SECONDS, _CONCURRENT = "0x80072322", "0x80072321", "0x80072326"
_BRIEFLY = 1


def admit_insights(world: World) -> None:
    """Count a call of Customer Insights, or reject it if the setting ``calls_per_minute`` is used up."""
    limit = world.settings.calls_per_minute
    if not limit:
        return
    recent = _recent(world, "insights", MINUTE)
    if len(recent) >= limit:
        wait = _wait(world, recent, MINUTE)
        raise gateway_error(429, f"Too many calls. Try again in {wait} seconds.", {"Retry-After": str(wait)})
    recent.append((world.clock.now(), 0.0))


def admit_dataverse(world: World) -> dict[str, str]:
    """Reject a call of Dataverse if a limit is used up; return the headers with the remaining limits."""
    settings = world.settings
    recent = _recent(world, "dataverse", _DATAVERSE_WINDOW)
    spent = sum(seconds for _, seconds in recent)
    running = sum(world.running[operation] for operation in DATAVERSE_OPERATIONS)
    code = None
    if len(recent) >= settings.dataverse_requests:
        code = _REQUESTS
    elif spent >= settings.dataverse_seconds:
        code = _SECONDS
    elif running > settings.dataverse_concurrent:
        code = _CONCURRENT
    if code is not None:
        refusal = dataverse_error(429, code, "The budget of this service is used up. Try again later.")
        wait = _BRIEFLY if code == _CONCURRENT else _wait(world, recent, _DATAVERSE_WINDOW)
        refusal.reply.headers["Retry-After"] = str(wait)
        raise refusal
    return {
        "x-ms-ratelimit-burst-remaining-xrm-requests": str(settings.dataverse_requests - len(recent) - 1),
        "x-ms-ratelimit-time-remaining-xrm-requests": f"{settings.dataverse_seconds - spent:,.2f}",
    }


def charge_dataverse(world: World, seconds: float) -> None:
    """Record the duration of a Dataverse call.

    Parameters
    ----------
    world
        The emulator's state.
    seconds
        The duration.
    """
    _recent(world, "dataverse", _DATAVERSE_WINDOW).append((world.clock.now(), seconds))


def _recent(world: World, service: str, window: float) -> deque[tuple[float, float]]:
    recent = world.recent.setdefault(service, deque())
    while recent and recent[0][0] <= world.clock.now() - window:
        recent.popleft()
    return recent


def _wait(world: World, recent: deque[tuple[float, float]], window: float) -> int:
    return max(math.ceil(recent[0][0] + window - world.clock.now()), 1) if recent else _BRIEFLY
