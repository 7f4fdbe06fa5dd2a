"""What is kept in the workspace: values, and the tables that hold them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

#: Raised by one whenever a table changes.
SCHEMA_VERSION = 1

DATA_PRIVACY = "data_privacy"
CUSTOMER_MATCH_TERMS = "customer_match_terms"

metadata = MetaData()

schema_versions = Table("schema_versions", metadata, Column("version", Integer, primary_key=True))

connections = Table(
    "connections",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("environment", String(20), nullable=False),
    Column("customer_id", String(30), nullable=False),
    Column("account_id", String(30), nullable=False),
    Column("account_name", String(200), nullable=False),
    Column("shared_with", JSON, nullable=False),
    Column("flow", String(20)),
    Column("client_id", String(100)),
    Column("tenant", String(100), nullable=False),
    Column("home_account_id", String(200)),
    Column("created_by", String(200), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)

consents = Table(
    "consents",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("connection_id", String(36), ForeignKey("connections.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("text_version", String(20), nullable=False),
    Column("given_by", String(200), nullable=False),
    Column("given_at", DateTime(timezone=True), nullable=False),
    Column("withdrawn_by", String(200)),
    Column("withdrawn_at", DateTime(timezone=True)),
)

segments = Table(
    "segments",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("definition", JSON, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("rows", Integer, nullable=False),
    Column("domains", JSON, nullable=False),
    Column("examples", JSON, nullable=False),
    Column("unused_consent", JSON, nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)

audiences = Table(
    "audiences",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("environment", String(20), nullable=False),
    Column("account_id", String(30), nullable=False),
    Column("audience_id", String(30), nullable=False),
    Column("name", String(200), nullable=False),
    Column("segment_name", String(200), nullable=False),
    Column("normalization", String(20), nullable=False),
    Column("membership_days", Integer, nullable=False),
    Column("owned", Boolean, nullable=False),
    Column("members", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("environment", "account_id", "audience_id"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("connection_id", String(36), nullable=False),
    Column("destination", String(300), nullable=False),
    Column("status", String(30), nullable=False),
    Column("results", JSON, nullable=False),
    Column("started_by", String(200), nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("finished_at", DateTime(timezone=True)),
)


@dataclass(frozen=True)
class Consent:
    """Somebody's permission: what for, by whom, when, and to which version of the text."""

    id: str
    connection_id: str
    kind: str
    text_version: str
    given_by: str
    given_at: datetime
    withdrawn_by: str | None = None
    withdrawn_at: datetime | None = None

    @property
    def stands(self) -> bool:
        """Whether it has not been withdrawn."""
        return self.withdrawn_at is None


@dataclass(frozen=True)
class Connection:
    """Where to push to, as whom, and with which consents. Ids are strings everywhere."""

    id: str
    name: str
    environment: str
    customer_id: str
    account_id: str
    account_name: str
    shared_with: tuple[str, ...]
    flow: str | None
    client_id: str | None
    tenant: str
    home_account_id: str | None = field(repr=False)
    created_by: str
    created_at: datetime
    consents: tuple[Consent, ...] = ()

    @property
    def destination(self) -> str:
        """The sentence that every plan, receipt and status begins with: where data goes."""
        if self.environment == "emulator":
            return "EMULATOR: nothing left this machine"
        return f"{self.environment.upper()}: {self.account_name or self.name} ({self.account_id})"

    def consent(self, kind: str) -> Consent | None:
        """Return the consent of a kind that stands, or None."""
        return next((each for each in self.consents if each.kind == kind and each.stands), None)

    @property
    def agreed(self) -> bool:
        """Whether somebody agreed to data privacy and compliance."""
        return self.consent(DATA_PRIVACY) is not None

    @property
    def terms_accepted(self) -> bool:
        """Whether somebody accepted the Customer Match terms."""
        return self.consent(CUSTOMER_MATCH_TERMS) is not None

    def __repr__(self) -> str:
        return (
            f"{self.destination}\n"
            f"Connection '{self.name}': customer {self.customer_id}, account {self.account_id}, "
            f"data privacy {_given(self.agreed)}, Customer Match terms {_given(self.terms_accepted)}"
        )

    def with_consents(self, consents: tuple[Consent, ...]) -> Connection:
        """Return the same connection with other consents."""
        return replace(self, consents=consents)


@dataclass(frozen=True)
class SegmentRecord:
    """A segment as it was when it was made: its definition and counts; keys and hashes are in a file."""

    id: str
    name: str
    definition: dict[str, Any]
    fingerprint: str
    rows: int
    domains: dict[str, int]
    examples: dict[str, list[str]]
    unused_consent: tuple[str, ...]
    created_by: str
    created_at: datetime


@dataclass(frozen=True)
class AudienceRecord:
    """A list that we have sent to. Its ledger, the hashes sent, is in a file of the same id."""

    id: str
    environment: str
    account_id: str
    audience_id: str
    name: str
    segment_name: str
    normalization: str
    membership_days: int
    owned: bool
    members: int
    generation: int
    updated_at: datetime


@dataclass(frozen=True)
class RunRecord:
    """One execution: what it was to do and what came of it."""

    id: str
    connection_id: str
    destination: str
    status: str
    results: list[dict[str, Any]]
    started_by: str
    started_at: datetime
    finished_at: datetime | None = None

    @property
    def name(self) -> str:
        """The short id by which a person refers to the run."""
        return self.id[:8]


def _given(consent: bool) -> str:
    return "agreed" if consent else "not agreed"
