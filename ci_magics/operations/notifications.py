"""``ci.notifications``: who is told when an export fails, and when."""

from __future__ import annotations

from dataclasses import dataclass
from getpass import getpass
from typing import Annotated, Any

from ci_magics.activation.connections.keyring_secrets import forget_secret, remember
from ci_magics.activation.connections.sign_in import can_ask
from ci_magics.activation.notifications.delivery import SECRETS, Limits, News, channels
from ci_magics.activation.notifications.state_changes import notification_limits, set_notification_limits
from ci_magics.display.displayable import Displayable
from ci_magics.errors import ArgumentError, CiError, nearest_name
from ci_magics.grammar.operation import operation
from ci_magics.grammar.option import Option
from ci_magics.grammar.shared import CHANNEL
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.store import Workspace, WorkspaceLike, store_of

_TEST = News("test", "well", "This is a test", "Notices arrive here.", {"state": "test"})


@dataclass(frozen=True)
class NotificationSettings(Displayable):
    """When notifications are sent, and where to.

    Parameters
    ----------
    limits
        Whether notifications are on, and their thresholds.
    channels
        The configured channels: ``mail`` and ``webhook``.
    """

    limits: Limits
    channels: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the thresholds and the channels."""
        return {**self.limits.model_dump(), "channels": list(self.channels)}

    def __repr__(self) -> str:
        nobody = f"nobody: set {SECRETS['webhook']}, or {SECRETS['smtp']} and {SECRETS['mail-to']}"
        limits = self.limits
        limit = f"more than {limits.rejected_percent} % refused, more than {limits.drop_percent} % fewer members"
        told = f"Told by {', '.join(self.channels) or nobody}." if limits.active else "Nothing is told."
        return f"{told}\nWhat is told: failed, skipped, {limit}; when that changes, not after each run."


class Notifications(Displayable):
    """The notifications of a workspace about its exports.

    Parameters
    ----------
    workspace
        Workspace to use; None opens the default one at each use.

    Examples
    --------
    >>> ci.notifications.set(rejected_percent=10)  # doctest: +SKIP
    >>> ci.notifications.set("webhook")  # doctest: +SKIP
    """

    def __init__(self, workspace: WorkspaceLike | None = None) -> None:
        self._opened = workspace

    @property
    def _workspace(self) -> Workspace:
        return store_of(self._opened)

    def overview(self) -> NotificationSettings:
        """Return when notifications are sent, and where to."""
        return NotificationSettings(notification_limits(self._workspace), tuple(sorted(channels())))

    @operation(Verb.SET_NOTIFICATIONS, example="webhook\n--rejected-percent 10")
    def set(
        self,
        channel: Annotated[str | None, CHANNEL] = None,
        value: Annotated[str | None, Option("where to, which is asked for", kind="secret")] = None,
        *,
        rejected_percent: Annotated[
            int | None, Option("notify if a larger percentage of the hashes is refused", value="PERCENT")
        ] = None,
        drop_percent: Annotated[
            int | None, Option("notify if audiences lose a larger percentage", value="PERCENT")
        ] = None,
        active: Annotated[bool | None, Option("notify at all")] = None,
    ) -> NotificationSettings:
        """Set where notifications are sent, or when. What is not given stays.

        Parameters
        ----------
        channel
            What to store in this machine's keyring: ``webhook``, ``smtp``, ``smtp-password``, ``mail-from`` or
            ``mail-to``.
        value
            Its value, which is a secret. Never write it into a notebook: without it, you are asked.
        rejected_percent
            Notify if more than this percentage of the sent hashes is rejected.
        drop_percent
            Notify if an export's audiences lose more than this percentage of their members.
        active
            Turn notifications on or off.

        Raises
        ------
        AccessError
            The thresholds are to be changed, and the current user is not an administrator.
        ArgumentError
            The channel does not exist, a percentage is not between 0 and 100, or there is nobody to ask.
        """
        if channel is not None:
            _keep(channel, value)
        wanted = {"rejected_percent": rejected_percent, "drop_percent": drop_percent, "active": active}
        changes = {name: each for name, each in wanted.items() if each is not None}
        if any(not 0 <= each <= 100 for each in changes.values()):
            raise ArgumentError("A percentage is between 0 and 100.", "Give another one.", code="not_a_percentage")
        before = notification_limits(self._workspace)
        chosen = before.model_copy(update=changes)
        if chosen != before:
            set_notification_limits(self._workspace, chosen)
        return self.overview()

    @operation(example="webhook")
    def clear(self, channel: Annotated[str, CHANNEL]) -> NotificationSettings:
        """Delete where notifications are sent from this machine's keyring.

        Parameters
        ----------
        channel
            What to delete: ``webhook``, ``smtp``, ``smtp-password``, ``mail-from`` or ``mail-to``.

        Raises
        ------
        ArgumentError
            The channel does not exist.
        CiError
            The keyring did not delete it.
        """
        _require_known(channel)
        if reason := forget_secret(channel):
            raise CiError(f"{reason}, so {channel} may still be there.", "Delete it there.", code="no_keyring")
        return self.overview()

    @operation(Verb.LIST_EXPORTS)
    def test(self) -> list[str]:
        """Send a notification through each channel now, and return one message for each that failed."""
        require(self._workspace, Verb.LIST_EXPORTS)
        failures = []
        for deliver in channels().values():
            try:
                deliver(_TEST)
            except CiError as error:
                failures.append(str(error))
        return failures

    def to_dict(self) -> dict[str, Any]:
        """Return the thresholds and the channels."""
        return self.overview().to_dict()

    def __repr__(self) -> str:
        return repr(self.overview())


def _require_known(channel: str) -> None:
    if channel in SECRETS:
        return
    nearest = nearest_name(channel, SECRETS)
    hint = f" Did you mean '{nearest}'?" if nearest else ""
    raise ArgumentError(f"There is no channel '{channel}'.{hint}", f"Use {', '.join(SECRETS)}.", code="unknown_channel")


def _keep(channel: str, value: str | None) -> None:
    """Store a secret in the keyring."""
    _require_known(channel)
    if value is None:
        if not can_ask():
            raise ArgumentError(f"The value of {channel} is missing.", "Give it.", code="nothing_typed")
        value = getpass(f"{channel}: ")
    if reason := remember(channel, value):
        raise CiError(f"{reason}, so {channel} is not kept.", f"Set {SECRETS[channel]} instead.", code="no_keyring")


#: The notifications of the default workspace.
notifications = Notifications()
