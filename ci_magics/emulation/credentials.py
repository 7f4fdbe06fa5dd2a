"""Credentials of the seeded user, for the first line of output and a control call."""

from __future__ import annotations

from ci_magics.emulation.state import ADVERTISING, DATAVERSE, HOUR, INSIGHTS, UNIVERSAL_DEVELOPER_TOKEN, World

#: The access tokens of the first line are valid for a year, so that scripts need no sign-in.
READY_SECONDS = 365 * 24 * HOUR


def ready_credentials(world: World, base_url: str) -> dict[str, str]:
    """Issue tokens of the seeded user and return them with the emulator's address.

    Parameters
    ----------
    world
        The emulator's state.
    base_url
        The address by which the client reaches the emulator.
    """
    return {
        "base_url": base_url,
        "access_token": world.issue_access_token(ADVERTISING, READY_SECONDS),
        "refresh_token": world.issue_refresh_token(ADVERTISING),
        "developer_token": UNIVERSAL_DEVELOPER_TOKEN,
        "customer_id": world.user.customer_id,
        "account_id": "111",
        "insights_token": world.issue_access_token(f"{INSIGHTS} {DATAVERSE}", READY_SECONDS),
        "subscription_key": world.subscription_key,
        "instance_id": world.instance_id,
        "control_token": world.control_token,
    }
