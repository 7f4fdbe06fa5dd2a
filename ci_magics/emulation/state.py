"""The state of the emulated services."""

from __future__ import annotations

import secrets
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import RLock
from typing import Any, Protocol

from ci_magics.emulation.insights_state import Insights
from ci_magics.emulation.members import Members
from ci_magics.emulation.people import People

UNIVERSAL_DEVELOPER_TOKEN = "BBD37VB98"  # noqa: S105 - Microsoft publishes it for its sandbox
ADVERTISING = "https://ads.microsoft.com/msads.manage"
SANDBOX_ADVERTISING = "https://si.ads.microsoft.com/msads.manage"
INSIGHTS = "https://api.ci.ai.microsoft.com/.default"
DATAVERSE = "https://contoso.crm.dynamics.com/.default"
EMAIL_NAMES = ("EMail", "Email", "EmailAddress", "primaryEmail", "LoyaltyEmail")
HOUR = 3600.0
TOKEN_SECONDS = HOUR
REFRESH_SECONDS = 90 * 24 * HOUR
SIZE_HOURS = 48.0  # Microsoft counts a list for up to two days before it shows a size
KEPT_REQUESTS = 200_000


class VirtualClock:
    """The machine's time, in seconds since the epoch, plus the seconds that a test has added (``ahead``)."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        """Return the current time of the emulated world."""
        return time.time() + self.ahead

    def advance(self, hours: float) -> None:
        """Advance the clock."""
        self.ahead += hours * HOUR

    def reset(self) -> None:
        """Return to the machine's time."""
        self.ahead = 0.0


@dataclass
class Settings:
    """The settings that a test can change."""

    delay_ms: float = 0.0
    match_rule: str = "basic"
    match_rate: float = 0.6
    results_after_hours: float = SIZE_HOURS
    terms_accepted: bool = False
    page_size: int = 100
    record_bodies: bool = False
    fault_rate: float = 0.0
    fault_seed: int = 0
    customers: int = 5_000
    next_link: str = "skip"
    email_attributes: list[str] = field(default_factory=lambda: ["EMail"])
    email_semantic_type: str = "IdentityServiceEmail"
    enum_case: str = "mixed"
    odata_count: bool = True
    omit_nulls: bool = False
    partitions: int = 4
    refresh_seconds: float = 2.0
    calls_per_minute: int = 0
    dataverse_page_size: int = 5_000
    dataverse_requests: int = 6_000
    dataverse_seconds: float = 1_200.0
    dataverse_concurrent: int = 52
    profiles_lag: int = 0


@dataclass(frozen=True)
class Account:
    """An advertising account."""

    id: str
    name: str
    number: str
    customer_id: str


@dataclass(frozen=True)
class User:
    """A user who can sign in."""

    id: str
    name: str
    customer_id: str
    role_id: int
    object_id: str
    tenant_id: str


@dataclass
class Audience:
    """A Customer Match list and its members, as raw SHA-256 hashes."""

    id: str
    name: str
    description: str
    membership_days: int
    scope: str
    parent_id: str
    account_id: str
    customer_id: str
    members: Members = field(default_factory=Members)
    first_filled: float | None = None
    deleted: bool = False
    measured: tuple[Any, int] | None = None  # the settings of the last count, and the size

    def serves(self, account_id: str, customer_id: str) -> bool:
        """Return whether an account can use the list.

        Parameters
        ----------
        account_id
            The account.
        customer_id
            The account's customer.
        """
        if self.deleted:
            return False
        return self.account_id == account_id if self.scope == "Account" else self.customer_id == customer_id


@dataclass
class Upload:
    """One bulk upload, from its upload address to its result file.

    ``file_name`` and ``injected`` are stored so that the next process can still process the file.
    """

    request_id: str
    account_id: str
    customer_id: str
    user_id: str
    errors_only: bool
    expires: float
    status: str = "PendingFileUpload"
    percent: int = 0
    used: bool = False
    result: bytes = b""
    result_token: str = ""
    result_expires: float = 0.0
    errors: list[dict[str, Any]] | None = None
    file_name: str = ""
    injected: dict[str, Any] = field(default_factory=dict)


@dataclass
class Token:
    """A token: its user, scope, expiry, and original lifetime in seconds."""

    user_id: str
    scope: str
    expires: float
    seconds: float


@dataclass
class RequestLine:
    """A received request, without its tokens."""

    number: int
    method: str
    path: str
    operation: str
    status: int
    bytes: int
    tracking_id: str
    fault: str | None = None
    query: str | None = None
    headers: dict[str, str] | None = None
    body: str | None = None


@dataclass
class PlannedFault:
    """A fault at the nth call of an operation."""

    operation: str
    call: int
    fault: str
    details: dict[str, Any] = field(default_factory=dict)


class StateFolder(Protocol):
    """What the world needs of the folder that keeps its state; see `storage.Storage`."""

    def keep_upload(self, request_id: str, content: bytes) -> None:
        """Save an uploaded file until it is processed.

        Parameters
        ----------
        request_id
            The upload's id.
        content
            The file's bytes.
        """

    def drop_upload(self, request_id: str) -> None:
        """Delete an uploaded file, if it exists."""

    def unsettled(self, world: World) -> list[Audience]:
        """Return the lists whose files contain removed members, or are too many."""

    def settle(self, audience: Audience) -> None:
        """Rewrite the members of a list as one file, so that no trace of removed members remains."""

    def overwrite_deleted(self) -> None:
        """Remove all traces of deleted rows from the database's files."""


class World:
    """The whole state of the emulator; one per process.

    Parameters
    ----------
    settings
        The settings at the start and after each reset; by default Microsoft's behavior.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.lock = RLock()  # a file is processed in its own thread, atomically
        self.first_settings = settings or Settings()
        #: Saves changes before any answer is sent. Without a state folder, there is nothing to save.
        self.keep: Callable[[World], None] = _drop_changes
        self.storage: StateFolder | None = None
        self.stop: Callable[[], None] = _nothing  # ends the process that serves this world
        self.instance_id = str(uuid.uuid4())
        self.control_token = secrets.token_urlsafe(24)
        self.subscription_key = secrets.token_hex(16)
        self.clock = VirtualClock()
        self.user = User(
            id="33",
            name="analyst",
            customer_id="222",
            role_id=41,  # Super Admin
            object_id=str(uuid.uuid4()),
            tenant_id=str(uuid.uuid4()),
        )
        self.accounts = {
            "111": Account("111", "Contoso EU", "F110EU01", "222"),
            "112": Account("112", "Contoso US", "F110US01", "222"),
        }
        self.running: Counter[str] = Counter()
        self.resets = 0
        self.access_tokens: dict[str, Token] = {}
        self.refresh_tokens: dict[str, Token] = {}
        # Ids must not match those of another process, because clients remember them. They are too large for a float.
        self.next_id = 2**60 + secrets.randbelow(2**60)
        self.reset()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the lock during a call; changes are saved before the caller gets an answer."""
        with self.lock:
            try:
                yield
            finally:
                self.keep(self)

    def reset(self) -> None:
        """Reset the state; ids are never reused.

        Valid tokens stay valid, but no longer than they were issued for. Expired tokens stay expired, even though the
        clock goes back.
        """
        before = self.clock.now()
        self.clock.reset()
        now = self.clock.now()
        for token in (*self.access_tokens.values(), *self.refresh_tokens.values()):
            token.expires = min(token.expires, now + token.seconds) if token.expires > before else 0.0
        self.resets += 1
        self.settings = replace(self.first_settings)
        self.insights = Insights(self.instance_id, now)
        self.people: People | None = None
        self.audiences: dict[str, Audience] = {}
        self.uploads: dict[str, Upload] = {}
        self.codes: dict[str, dict[str, Any]] = {}
        self.device_codes: dict[str, dict[str, Any]] = {}
        self.requests: deque[RequestLine] = deque(maxlen=KEPT_REQUESTS)
        self.received = 0
        self.recent: dict[str, deque[tuple[float, float]]] = {}  # by service: the time and the duration of each call
        self.faults: list[PlannedFault] = []
        self.calls: dict[str, int] = {}

    def new_id(self) -> str:
        """Return a new unique id."""
        self.next_id += 1
        return str(self.next_id)

    def issue_access_token(self, scope: str, seconds: float = TOKEN_SECONDS) -> str:
        """Return a new access token of the seeded user.

        Parameters
        ----------
        scope
            The token's scope.
        seconds
            Its lifetime.
        """
        token = secrets.token_urlsafe(32)
        self.access_tokens[token] = Token(self.user.id, scope, self.clock.now() + seconds, seconds)
        return token

    def expire_access_token(self, token: str) -> None:
        """Expire an access token; an unknown one is ignored."""
        if token in self.access_tokens:
            self.access_tokens[token].expires = 0.0

    def issue_refresh_token(self, scope: str) -> str:
        """Return a new refresh token; earlier ones stay valid, as Microsoft documents."""
        token = secrets.token_urlsafe(32)
        expires = self.clock.now() + REFRESH_SECONDS
        self.refresh_tokens[token] = Token(self.user.id, scope, expires, REFRESH_SECONDS)
        return token

    def live_audiences(self) -> list[Audience]:
        """Return the lists that are not deleted."""
        return [each for each in self.audiences.values() if not each.deleted]


def _nothing() -> None:
    """Do nothing: no process serves this world."""


def _drop_changes(world: World) -> None:
    """Discard changes: the world exists only as long as its process."""
    for audience in world.audiences.values():
        audience.members.changes.clear()
