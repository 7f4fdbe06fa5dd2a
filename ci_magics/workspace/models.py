"""Data classes for what the workspace stores."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Annotated, Any, get_origin, get_type_hints

from ci_magics.display.displayable import Displayable, plain
from ci_magics.display.html_table import fields_table
from ci_magics.display.numbers import pluralize
from ci_magics.workspace.stored import NOT_STORED, Id, MicrosoftId, Name, Stored, UniqueName, Word

DATA_PRIVACY = "data_privacy"
CUSTOMER_MATCH_TERMS = "customer_match_terms"


#: Without the consent to data privacy, no request is sent to Microsoft.
_UNCHECKED = "whether the account exists has not been checked"


@dataclass(frozen=True)
class Consent(Displayable):
    """A consent: what for, who gave it, when, and for which version of the text."""

    id: Id
    connection_id: Annotated[str, Stored(36, part_of="connections.id")]
    kind: Annotated[str, Stored(40)]
    text_version: Word
    given_by: Name
    given_at: datetime
    withdrawn_by: Name | None = None
    withdrawn_at: datetime | None = None

    @property
    def in_effect(self) -> bool:
        """Whether it is in effect, that is, not withdrawn."""
        return self.withdrawn_at is None

    def __repr__(self) -> str:
        given = f"{self.kind.replace('_', ' ')}: agreed by {self.given_by}, {_minute(self.given_at)}"
        withdrawn = f"; withdrawn by {self.withdrawn_by}, {_minute(self.withdrawn_at)}" if self.withdrawn_at else ""
        return f"{given}, text {self.text_version}{withdrawn}"


@dataclass(frozen=True)
class Connection(Displayable):
    """An account to send to, with its consents and sign-in. Ids are always strings.

    Parameters
    ----------
    shared_with
        Roles and users that may use it; administrators always may.
    details_hidden
        Whether the connection is only shared with the current user.
    """

    id: Id
    name: UniqueName
    environment: Word
    customer_id: MicrosoftId
    account_id: MicrosoftId
    account_name: Name
    shared_with: tuple[str, ...]
    flow: Word | None
    client_id: Annotated[str, Stored(100)] | None
    tenant: Annotated[str, Stored(100)]
    created_by: Name
    created_at: datetime
    consents: Annotated[tuple[Consent, ...], NOT_STORED] = ()
    details_hidden: Annotated[bool, NOT_STORED] = False

    @property
    def destination(self) -> str:
        """The sentence with which every plan, receipt, and status begins: where data goes."""
        if self.environment == "emulator":
            return "EMULATOR: nothing left this machine"
        return f"{self.environment.upper()}: {self.account_name or self.name} ({self.account_id})"

    def consent(self, kind: str) -> Consent | None:
        """Return the consent of a kind that is in effect, or None."""
        return next((each for each in self.consents if each.kind == kind and each.in_effect), None)

    @property
    def agreed(self) -> bool:
        """Whether a user agreed to data privacy and compliance."""
        return self.consent(DATA_PRIVACY) is not None

    @property
    def terms_accepted(self) -> bool:
        """Whether a user accepted the Customer Match terms."""
        return self.consent(CUSTOMER_MATCH_TERMS) is not None

    @property
    def missing_consents(self) -> tuple[str, ...]:
        """The options of `ci_magics.connect` that give the missing consents; nothing is sent without them."""
        missing = {"agree": not self.agreed, "accept_terms": not self.terms_accepted}
        return tuple(name for name, is_missing in missing.items() if is_missing)

    @property
    def type(self) -> str:
        """The type of destination; apart from the name, all that is visible of a connection that is only shared."""
        return f"Microsoft Advertising ({self.environment})"

    def __repr__(self) -> str:
        if self.details_hidden:
            where = self.destination if self.environment == "emulator" else f"{self.environment.upper()}: {self.name}"
            return f"{where}\nConnection '{self.name}': {self.type}, shared with you"
        blocked = "; nothing can be sent yet" if self.missing_consents else ""
        blocked += f", and {_UNCHECKED}" if not self.agreed else ""
        return (
            f"{self.destination}\n"
            f"Connection '{self.name}': customer {self.customer_id}, account {self.account_id}, "
            f"data privacy {_given(self.agreed)}, Customer Match terms {_given(self.terms_accepted)}{blocked}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return name and type, and account and consents unless the details are hidden."""
        shown: dict[str, Any] = {"name": self.name, "type": self.type}
        if self.details_hidden:
            return shown
        names = ("customer_id", "account_id", "account_name", "agreed", "terms_accepted")
        return {**shown, **{name: getattr(self, name) for name in names}}

    def _repr_html_(self) -> str:
        shown = fields_table(self.to_dict(), title=str(self).partition("\n")[0])
        unchecked = not self.agreed and not self.details_hidden
        return f"{shown}<div>{_UNCHECKED.capitalize()}.</div>" if unchecked else shown

    def without_details(self) -> Connection:
        """Return a copy that shows only name and type, for users who share the connection."""
        return replace(self, details_hidden=True)

    def with_consents(self, consents: tuple[Consent, ...]) -> Connection:
        """Return a copy with other consents."""
        return replace(self, consents=consents)


@dataclass(frozen=True)
class SignInRecord:
    """The Microsoft account that a user chose for a connection or source, by id."""

    id: Annotated[str, Stored(250)]
    user: Name
    subject_id: Annotated[str, Stored(36, index=True)]
    home_account_id: Annotated[str, Stored(200)] = field(repr=False)
    signed_in_at: datetime

    @property
    def name(self) -> str:
        """The name in lists."""
        return self.id


@dataclass(frozen=True)
class UserRole(Displayable):
    """The role of a user in the workspace; the id is the user's name."""

    id: Name
    role: Word
    given_by: Name
    given_at: datetime

    @property
    def name(self) -> str:
        """The user's name."""
        return self.id

    def __repr__(self) -> str:
        return f"{self.id}: {self.role}, by {self.given_by}, {_minute(self.given_at)}"


@dataclass(frozen=True)
class SegmentRecord(Displayable):
    """A segment when it was created: its definition and counts; keys and hashes are in a file.

    Parameters
    ----------
    consent
        Which profiles agreed: a document of `segmentation.consent`.
    active
        Whether it is refreshed and exported.
    suppresses
        Whether its people are excluded from every export.
    previous
        The id of the version that it replaced; None if there was none.
    kept_counts
        What can be sent of it, for viewers who may not read keys and hashes: a document of
        `activation.segments.kept_counts`. Empty if all users may read them.
    """

    id: Id
    name: UniqueName
    definition: dict[str, Any]
    fingerprint: Annotated[str, Stored(64)]
    rows: int
    domains: dict[str, int]
    examples: dict[str, list[str]]
    consent: dict[str, Any]
    created_by: Name
    created_at: datetime
    active: bool = True
    suppresses: bool = False
    tags: tuple[str, ...] = ()
    previous: Id | None = None
    kept_counts: Annotated[dict[str, Any], Stored(server_default="{}")] = field(default_factory=dict, repr=False)

    @property
    def is_dynamic(self) -> bool:
        """Whether its definition can be evaluated again without the notebook that created it."""
        return bool(self.definition.get("source"))

    def __repr__(self) -> str:
        return f"Segment '{self.name}': {pluralize(self.rows, 'profile')}{'' if self.active else ', inactive'}"

    def to_dict(self) -> dict[str, Any]:
        """Return name, size, and properties."""
        names = ("name", "rows", "is_dynamic", "active", "suppresses", "tags")
        return {name: plain(getattr(self, name)) for name in names}


@dataclass(frozen=True)
class ConsentChoiceRecord(Displayable):
    """A user's choice of the columns that contain consent, and of the values that mean yes.

    Parameters
    ----------
    source
        The file, the table, or a hash of the names of a DataFrame's columns.
    document
        The choice: a document of `segmentation.consent`.
    """

    id: Id
    source: UniqueName
    document: dict[str, Any]
    chosen_by: Name
    chosen_at: datetime

    @property
    def name(self) -> str:
        """The source."""
        return self.source

    def __repr__(self) -> str:
        return f"Consent of {self.source}: {', '.join(self.document['columns'])}, chosen by {self.chosen_by}"


@dataclass(frozen=True)
class SegmentVersion(Displayable):
    """An earlier version of a segment. Its profiles are still in the file with its id.

    Parameters
    ----------
    id
        The id of the former segment record.
    segment_name
        The segment's name when the version ended.
    previous
        The version that this one had replaced.
    rows
        The number of profiles.
    record
        The segment record as a document; see `of` and `as_record`.
    made_at, ended_at, ended_by
        When it was created, when it was replaced, deleted, or undone, and who did it.
    reason
        ``replaced``, ``refreshed``, ``undone``, or ``deleted``.
    """

    id: Id
    segment_name: Annotated[str, Stored(200, index=True)]
    previous: Id | None
    rows: int
    record: dict[str, Any]
    made_at: datetime
    ended_at: datetime
    ended_by: Name
    reason: Word

    @property
    def name(self) -> str:
        """The segment's name."""
        return self.segment_name

    @classmethod
    def of(cls, record: SegmentRecord, *, reason: str, by: str, at: datetime) -> SegmentVersion:
        """Build the version that a segment becomes.

        Parameters
        ----------
        record
            The segment.
        reason
            ``replaced``, ``refreshed``, ``undone``, or ``deleted``.
        by
            The user who ends it.
        at
            When it ends.
        """
        values = {each.name: getattr(record, each.name) for each in fields(SegmentRecord)}
        document = {name: _as_json(value) for name, value in values.items()}
        return cls(record.id, record.name, record.previous, record.rows, document, record.created_at, at, by, reason)

    def as_record(self) -> SegmentRecord:
        """Return the former segment record."""
        kinds = get_type_hints(SegmentRecord)
        values = {name: _from_json(value, kinds[name]) for name, value in self.record.items() if name in kinds}
        return replace(SegmentRecord(**values), previous=self.previous, rows=self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Return the segment, its size, and why it ended."""
        return {name: plain(getattr(self, name)) for name in ("name", "rows", "reason")}

    def __repr__(self) -> str:
        return f"Segment '{self.name}': {pluralize(self.rows, 'profile')}, {self.reason} {_minute(self.ended_at)}"


@dataclass(frozen=True)
class SegmentCount(Displayable):
    """The number of profiles of a segment when it was created or refreshed."""

    id: Id
    segment_name: Annotated[str, Stored(200, index=True)]
    rows: int
    counted_at: datetime

    @property
    def name(self) -> str:
        """The segment's name."""
        return self.segment_name

    def __repr__(self) -> str:
        return f"Segment '{self.segment_name}': {pluralize(self.rows, 'profile')}, {_minute(self.counted_at)}"


@dataclass(frozen=True)
class AudienceRecord(Displayable):
    """A list that we have sent to. Its ledger, the hashes sent, is in a file with the same id.

    Parameters
    ----------
    directory
        The directory of the user who created it; in the emulator, another directory means another emulator.
    owned
        Whether all its members came from here, so that it can be mirrored.
    chosen
        Whether a user named the list; otherwise it has the segment's name.
    generation
        Incremented by each finished push; the ledger's file contains the same number.
    full_send_at
        When all members were last sent; before the first full send, when the list was created.
    """

    id: Id
    environment: Word
    account_id: MicrosoftId
    audience_id: MicrosoftId
    directory: Annotated[str, Stored(100)]
    name: Name
    segment_name: Name
    normalization: Word
    membership_days: int
    owned: bool
    chosen: bool
    members: int
    generation: int
    full_send_at: datetime | None
    updated_at: datetime

    def __repr__(self) -> str:
        return (
            f"Audience '{self.name}', filled from segment '{self.segment_name}': {pluralize(self.members, 'hash')} sent"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the name, the origin, and how it was filled."""
        names = ("name", "segment_name", "environment", "account_id", "members", "normalization", "membership_days")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class RunRecord(Displayable):
    """One execution: what it should do, and its state; `RunRepository` derives the state while it is unfinished.

    Parameters
    ----------
    results
        One document for each audience; `ci_magics.activation.run.AudienceResult` parses it.
    finished_at
        None while work remains.
    """

    id: Id
    connection_id: Id
    connection_name: Name
    destination: Annotated[str, Stored(300)]
    status: Annotated[str, Stored(30)]
    results: list[dict[str, Any]]
    started_by: Name
    started_at: datetime
    finished_at: datetime | None = None

    @property
    def name(self) -> str:
        """The short id by which users refer to the run."""
        return self.id[:8]

    def total(self, count: str) -> int:
        """Return the sum of a count, such as ``accepted``, over all audiences."""
        return sum(each.get(count, 0) for each in self.results)

    def __repr__(self) -> str:
        return f"{self.destination}\nRun {self.name}: {self.status}"

    def to_dict(self) -> dict[str, Any]:
        """Return destination, connection, and status."""
        names = ("destination", "connection_name", "status")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class PushRecord:
    """What a run does to one audience, recorded before the first byte is sent.

    Parameters
    ----------
    audience_key
        The audience's name as Microsoft compares names: case-insensitive.
    chosen
        Whether a user named the list.
    marker
        Random text in a new audience's description, used to find it after a lost response.
    add_parts, remove_parts
        How many hashes of each prefix are added and removed, in the order in which they are spooled.
    full
        Whether all wanted hashes are sent, not only the changes.
    base_generation
        Generation of the ledger that the push starts from.
    finished
        Whether ledger and result are written.
    """

    id: Annotated[str, Stored(50)]
    run_id: Annotated[str, Stored(36, index=True)]
    number: int
    environment: Word
    account_id: MicrosoftId
    customer_id: MicrosoftId
    segment_name: Name
    audience_name: Name
    audience_id: MicrosoftId
    audience_key: Name
    directory: Annotated[str, Stored(100)]
    chosen: bool
    marker: Annotated[str, Stored(40)]
    mode: Word
    normalization: Word
    scope: Word
    membership_days: int
    transport: Word
    adds: int
    removes: int
    unchanged: int
    add_parts: tuple[int, ...]
    remove_parts: tuple[int, ...]
    full: bool
    base_generation: int
    finished: bool = False

    @property
    def name(self) -> str:
        """The name in lists."""
        return self.id


@dataclass(frozen=True)
class StepRecord:
    """One request of a push, recorded before it is sent and after its response.

    Parameters
    ----------
    kind
        ``create``, ``apply`` (one call), or ``upload`` (one file).
    start, stop
        The range of the push's hashes that it sends.
    state
        ``planned``, ``sent`` (no usable response yet), ``answered``, or ``refused``.
    maybe
        Whether an earlier attempt was lost, so that a refusal leaves the outcome unknown.
    request_id
        The bulk service's id of the upload.
    rejected
        How many of its hashes were rejected; the spool contains which ones.
    code, error_name
        Why the whole request was refused.
    """

    id: Annotated[str, Stored(60)]
    push_id: Annotated[str, Stored(50, index=True)]
    number: int
    kind: Annotated[str, Stored(10)]
    action: Annotated[str, Stored(10)]
    start: int
    stop: int
    state: Annotated[str, Stored(10)] = "planned"
    maybe: bool = False
    request_id: Annotated[str, Stored(60)] = ""
    rejected: int = 0
    code: Annotated[str, Stored(30)] = ""
    error_name: Annotated[str, Stored(100)] = ""
    tracking_ids: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name in lists."""
        return self.id


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


def _from_json(value: Any, kind: Any) -> Any:
    """Convert a value of a document to the type of a field."""
    if value is not None and kind is datetime:
        return datetime.fromisoformat(value)
    return tuple(value) if isinstance(value, list) and get_origin(kind) is tuple else value


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _given(consent: bool) -> str:
    return "agreed" if consent else "not agreed"
