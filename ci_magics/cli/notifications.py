"""``ci-magics notifications``: show or change where and when notifications are sent."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ci_magics.cli.command import DONE, FAILED, Commands, add_command, answer, typed
from ci_magics.errors import CiError

if TYPE_CHECKING:
    from ci_magics.activation.notifications.delivery import Limits

_SECRETS = ("webhook", "smtp", "smtp-password", "mail-from", "mail-to")


def add(commands: Commands) -> None:
    """Add the command."""
    notify = add_command(commands, "notifications", "show or choose who is told when an export fails")
    notify.add_argument("--rejected", type=int, metavar="PERCENT", help="tell when more hashes are refused (5)")
    notify.add_argument("--drop", type=int, metavar="PERCENT", help="tell when audiences shrink by more (30)")
    switch = notify.add_mutually_exclusive_group()
    switch.add_argument("--on", action="store_true", help="tell (default)")
    switch.add_argument("--off", action="store_true", help="tell nothing")
    notify.add_argument("--set", choices=_SECRETS, help="keep where to in the system's keyring; it is asked for")
    notify.add_argument("--test", action="store_true", help="send a notice now")
    notify.set_defaults(work=_notifications, parser=notify)


def _notifications(options: argparse.Namespace) -> int:
    from ci_magics.activation.notifications.delivery import SECRETS, channels
    from ci_magics.activation.notifications.state_changes import notification_limits

    if options.set:
        _keep(options.set)
    limits = _chosen(options)
    failures = _tested() if options.test else []
    ways = sorted(channels())
    told_by = ", ".join(ways) or f"nobody: set {SECRETS['webhook']}, or {SECRETS['smtp']} and {SECRETS['mail-to']}"
    limit = f"more than {limits.rejected_percent} % refused, more than {limits.drop_percent} % fewer members"
    said = [
        f"Told by {told_by}." if limits.active else "Nothing is told.",
        f"What is told: failed, skipped, {limit}; when that changes, not after each run.",
        *failures,
    ]
    document = {**notification_limits().model_dump(), "channels": ways, "failures": failures}
    answer(options, document, "\n".join(said))
    return FAILED if failures else DONE


def _chosen(options: argparse.Namespace) -> Limits:
    from ci_magics.activation.notifications.state_changes import notification_limits, set_notification_limits

    before = notification_limits()
    changes = {"rejected_percent": options.rejected, "drop_percent": options.drop}
    wanted = {name: value for name, value in changes.items() if value is not None}
    if any(not 0 <= value <= 100 for value in wanted.values()):
        options.parser.error("a percentage is between 0 and 100")
    active = True if options.on else False if options.off else before.active
    chosen = before.model_copy(update={**wanted, "active": active})
    return before if chosen == before else set_notification_limits(chosen)


def _keep(name: str) -> None:
    """Prompt for a secret and store it in the keyring; on the command line, others could see it."""
    from ci_magics.activation.connections.keyring_secrets import remember
    from ci_magics.activation.notifications.delivery import SECRETS

    if reason := remember(name, typed(name)):
        raise CiError(f"{reason}, so {name} is not kept.", f"Set {SECRETS[name]} instead.", code="no_keyring")


def _tested() -> list[str]:
    """Send a notification through each channel and return the failures."""
    from ci_magics.activation.notifications.delivery import News, channels

    news = News("test", "well", "This is a test", "Notices arrive here.", {"state": "test"})
    failures = []
    for deliver in channels().values():
        try:
            deliver(news)
        except CiError as error:
            failures.append(str(error))
    return failures
